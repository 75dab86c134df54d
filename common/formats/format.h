/* format - vendor readers behind one face: {name, sniff, open}.
 *
 * A reader looks at content, never at the file name's ending (a companion file may be found by name). It describes what it
 * found in a struct hs_scan: one signal after the other with its calibration and the place of its values; it does not read
 * the values itself, so files of any size open at once. The table of formats is made by listing this folder: a file that
 * defines `const struct hs_format hs_format_NAME` is in.
 *
 * Rules for every reader: each count from a file is checked against the file's length before memory is asked for; sizes
 * multiply through hs_product. Order of dimensions is (y, x, spectral), values are placed there by strides or permutation.
 * A uniform descending axis is flipped together with its data (hs_scan_add does it). Missing records of an aborted run
 * become NaN and are announced with hs_warn. The header is kept verbatim. Errors are HS_BAD_DATA, one sentence naming the
 * file. Units as text from the file, cleaned by hs_unit_clean. */
#ifndef HS_FORMATS_FORMAT_H
#define HS_FORMATS_FORMAT_H

#include <stdint.h>

#include "data/signal.h"
#include "store/values.h"

struct hs_bytes {                     /* an opened vendor file */
	int fd;
	uint64_t size;
	const char *name;             /* path, for messages and for companion files; "-" when it came through a pipe */
	const unsigned char *head;    /* its first n_head bytes (up to 64 KiB) */
	size_t n_head;
};

struct hs_load_options {              /* what the user may say */
	const char *path;             /* "/group/dataset" inside the file, or NULL */
	const char *axes;             /* "y,x,energy" with --axes, or NULL */
	struct hs_h5 *h5;             /* the file opened as HDF5, when it is one; else NULL */
};

struct hs_pair {
	char *key, *value;
};

struct hs_scan {
	char *title;                  /* NULL: the file name is taken */
	char *start_time;             /* ISO 8601 with zone, or NULL */
	char *modality;               /* "STS", "EELS" ..., or NULL */
	size_t n_signals;
	struct hs_signal *signal;
	struct hs_values *values;     /* one a signal */
	size_t main;                  /* which signal is the measurement people mean: becomes /entry/data */
	uint8_t *header;              /* verbatim bytes */
	size_t n_header;
	size_t n_pairs;               /* the header, parsed */
	struct hs_pair *pair;
	char *header_json;            /* instead of pairs, when the source is a tree; or NULL */
	int *fd;                      /* companion files opened by the reader, closed with the scan */
	size_t n_fds;
};

struct hs_format {
	const char *name;             /* "nanonis-3ds": for --format and --list-formats */
	const char *what;             /* "Nanonis grid spectroscopy (.3ds)" */
	int (*sniff)(const struct hs_bytes *file, const struct hs_load_options *options);   /* 0 no .. 100 certain */
	int (*open)(const struct hs_bytes *file, const struct hs_load_options *options, struct hs_scan *scan, struct hs_err *err);
};

extern const struct hs_format *const hs_format_table[];     /* ends with NULL */

/* Opens a vendor file by content (format NULL) or by the named format. path "-" reads a spooled stdin given as fd. */
int hs_scan_open(struct hs_scan *scan, const struct hs_bytes *file, const char *format, const struct hs_load_options *options,
	struct hs_err *err);
void hs_scan_release(struct hs_scan *scan);

/* For readers: appends a signal and its values (taken), checks that their sizes agree, flips uniform descending axes, makes
 * the name unique, replaces axes that are not monotonic by index axes with a warning. */
int hs_scan_add(struct hs_scan *scan, struct hs_signal *signal, struct hs_values *values, struct hs_err *err);
void hs_scan_add_pair(struct hs_scan *scan, const char *key, const char *value);
void hs_scan_set_header(struct hs_scan *scan, const void *bytes, size_t n);

/* Reads n bytes at offset; short reads are HS_BAD_DATA "file ends after ...". */
int hs_bytes_read(const struct hs_bytes *file, uint64_t offset, void *to, size_t n, struct hs_err *err);

/* Opens the companion with another ending ("raw"), trying lower, upper and given case, in the same folder; fd is registered
 * in the scan. */
int hs_scan_companion(struct hs_scan *scan, const struct hs_bytes *file, const char *const *endings, struct hs_bytes *companion,
	struct hs_err *err);

#endif
