/* exam - one examination of a file by nxcheck.h: what it has seen so far, the small looks all rules are made of, and the rules by
 * subject. Private to nxcheck.c and exam*.c.
 *
 * A rule that is broken is one call of hs_exam_fault; nothing stops an examination. Paths are borrowed, texts belong to
 * the caller. */
#ifndef HS_STORE_EXAM_H
#define HS_STORE_EXAM_H

#include "store/h5.h"

enum { HS_EXAM_STEPS = 10000 };               /* longer histories are a fault themselves */

struct hs_exam {
	struct hs_h5 *file;
	void (*report)(void *ctx, const char *path, const char *what);
	void *ctx;
	bool values;                          /* read values, compare checksums */
	int n_faults;
	size_t n_steps;
	bool number_seen[HS_EXAM_STEPS + 1];  /* of sequence_index */
};

void hs_exam_fault(struct hs_exam *c, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

hid_t hs_exam_open(struct hs_exam *c, const char *path);                         /* any object, or -1; H5Oclose */
bool hs_exam_address(struct hs_exam *c, const char *path, haddr_t *address);     /* the same for two names of one object */
bool hs_exam_has_child(struct hs_exam *c, const char *group, const char *name);
char *hs_exam_child_text(struct hs_exam *c, const char *group, const char *name);
bool hs_exam_attr_is(struct hs_exam *c, const char *path, const char *attr, const char *expected);
void hs_exam_want_attrs(struct hs_exam *c, const char *path, const char *const *attr, size_t n);

/* exam_object.c: any object */
void hs_exam_attrs(struct hs_exam *c, const char *path);
void hs_exam_links(struct hs_exam *c, const char *path);                         /* of a group */
void hs_exam_set(struct hs_exam *c, const char *path);                           /* a dataset, with its attributes */
bool hs_exam_is_view(const char *group, const char *name);

/* exam_sums.c: checksums */
void hs_exam_sha256(struct hs_exam *c, const char *path, const struct hs_h5_shape *shape);
void hs_exam_note(struct hs_exam *c, const char *path);                          /* an NXnote */

/* exam_data.c */
void hs_exam_nxdata(struct hs_exam *c, const char *path);

#endif
