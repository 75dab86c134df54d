/* h5 - the house's way with the HDF5 library; private to store/ (everyone else sees h5tree.h, nxread.h, nxwrite.h).
 *
 * HDF5's own error printing is off; a failed call becomes one sentence through hs_h5_fail, which takes the innermost
 * description from HDF5's error stack. String rules are those of the container (hsdata(5)): NX_class fixed-length ASCII,
 * every other string attribute variable-length UTF-8, string datasets fixed-length with their NUL. */
#ifndef HS_STORE_H5_H
#define HS_STORE_H5_H

#include <hdf5.h>

#include "store/h5tree.h"

struct hs_h5 {
	hid_t id;
	int fd;
	size_t size;                  /* bytes of the file when it was opened */
	char *name;
	bool watched;                 /* crash.h */
	struct hs_h5_object *object;  /* HS_H5_HELD of them, h5object.h */
	unsigned long clock;          /* of their last use */
};

void hs_h5_quiet(void);                                           /* once: no error stack on stderr */
int hs_h5_fail(struct hs_err *err, enum hs_status status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

hid_t hs_h5_type_native(enum hs_dtype t);                         /* borrowed */
hid_t hs_h5_type_disk(enum hs_dtype t);                           /* little endian */
bool hs_h5_type_dtype(hid_t type, enum hs_dtype *dtype);          /* any number type -> what it is read as */
bool hs_h5_type_is_plain(hid_t type, enum hs_dtype dtype, bool *big_endian);   /* stored exactly as dtype, but for byte order? */

/* Writing; all return 0 or -1 (negative HDF5 result), the caller makes the sentence. */
int hs_h5_put_class(hid_t object, const char *nx_class);
int hs_h5_put_text(hid_t object, const char *attr, const char *value);
int hs_h5_put_texts(hid_t object, const char *attr, const char *const *value, size_t n);
int hs_h5_put_int(hid_t object, const char *attr, int value);
int hs_h5_put_ints(hid_t object, const char *attr, const int *value, size_t n);
int hs_h5_put_number(hid_t object, const char *attr, enum hs_dtype dtype, const void *value, size_t n);   /* n 0: scalar */
int hs_h5_put_string(hid_t group, const char *name, const char *value);       /* a dataset */
int hs_h5_put_scalar(hid_t group, const char *name, enum hs_dtype dtype, const void *value);
int hs_h5_put_array(hid_t group, const char *name, enum hs_dtype dtype, size_t rank, const size_t *n, const void *value,
	hid_t dcpl);
/* dataset creation without the time of change, which would differ from run to run; caller closes */
hid_t hs_h5_new_dcpl(void);
hid_t hs_h5_new_group(hid_t parent, const char *name, const char *nx_class);  /* caller closes */

#endif
