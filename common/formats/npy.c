/* npy - one NumPy array (.npy, versions 1.0 to 3.0; numpy.lib.format, NEP 1).
 *
 * Magic, version, the length of the header and the header: the text of a Python dict with the keys descr, fortran_order
 * and shape. It is read by the small grammar below and never evaluated. Python objects ('O') are pickles, which are
 * programs: they are refused, as are structured types.
 *
 * Such a file has no calibration: --axes says what the dimensions are (axes.h). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "formats/axes.h"
#include "formats/format.h"

enum { MAGIC_BYTES = 6, MAX_HEADER = 1 << 20 };

static const char magic[MAGIC_BYTES + 1] = "\x93NUMPY";

struct array {
	enum hs_dtype dtype;
	size_t item;                  /* bytes an element takes in the file: 2 for half floats */
	bool big_endian, half, fortran;
	size_t rank, n[HS_MAX_RANK];
	uint64_t offset;              /* of the first value */
};

/* ------------------------------------------------------------------------------------------------ the dict */

struct reader {
	const char *at;
	struct hs_err *err;
};

static int bad(struct reader *r, const char *wanted)
{
	char near[21];
	size_t n = 0;
	for (; n + 1 < sizeof near && r->at[n]; n++)
		near[n] = (unsigned char)r->at[n] < ' ' || (unsigned char)r->at[n] > '~' ? '?' : r->at[n];
	near[n] = 0;
	return hs_fail(r->err, HS_BAD_DATA, "its header is broken: %s expected before '%s'", wanted, near);
}

static char peek(struct reader *r)
{
	while (isspace((unsigned char)*r->at))
		r->at++;
	return *r->at;
}

static bool take(struct reader *r, char c)
{
	if (peek(r) != c)
		return false;
	r->at++;
	return true;
}

static int string(struct reader *r, char *text, size_t room)
{
	const char quote = peek(r);
	if (quote != '\'' && quote != '"')
		return bad(r, "a string");
	const char *end = strchr(++r->at, quote);
	if (!end || (size_t)(end - r->at) >= room)
		return bad(r, "a short string");
	memcpy(text, r->at, (size_t)(end - r->at));
	text[end - r->at] = 0;
	r->at = end + 1;
	return 0;
}

static int truth(struct reader *r, bool *value)
{
	peek(r);
	*value = hs_starts(r->at, "True");
	if (!*value && !hs_starts(r->at, "False"))
		return bad(r, "True or False");
	r->at += *value ? 4 : 5;
	return 0;
}

static int dimension(struct reader *r, size_t *n)
{
	if (!isdigit((unsigned char)peek(r)))
		return bad(r, "a whole number");
	for (*n = 0; isdigit((unsigned char)*r->at); r->at++)
		if (!hs_mul(*n, 10, n) || __builtin_add_overflow(*n, (size_t)(*r->at - '0'), n))
			return hs_fail(r->err, HS_BAD_DATA, "its shape is beyond any file");
	r->at += *r->at == 'L';                   /* Python 2's long numbers */
	return 0;
}

/* A tuple: (), (3,), (3, 4), (3, 4,) - but (3) is a number. */
static int shape(struct reader *r, struct array *a)
{
	bool comma = false;
	if (!take(r, '('))
		return bad(r, "a tuple");
	for (a->rank = 0; !take(r, ')'); ) {
		if (a->rank && !comma)
			return bad(r, "a comma");
		if (a->rank == HS_MAX_RANK)
			return hs_fail(r->err, HS_BAD_DATA, "it has more than %d dimensions", HS_MAX_RANK);
		if (dimension(r, &a->n[a->rank++]) < 0)
			return -1;
		comma = take(r, ',');
	}
	return a->rank == 1 && !comma ? bad(r, "a tuple") : 0;
}

static int element_type(const char *descr, struct array *a, struct hs_err *err)
{
	static const struct { const char *name; enum hs_dtype dtype; size_t item; } known[] = {
		{ "b1", HS_U8, 1 }, { "u1", HS_U8, 1 }, { "i1", HS_I8, 1 }, { "u2", HS_U16, 2 }, { "i2", HS_I16, 2 },
		{ "u4", HS_U32, 4 }, { "i4", HS_I32, 4 }, { "u8", HS_U64, 8 }, { "i8", HS_I64, 8 }, { "f2", HS_F32, 2 },
		{ "f4", HS_F32, 4 }, { "f8", HS_F64, 8 }, { "c8", HS_C64, 8 }, { "c16", HS_C128, 16 },
	};
	const char *name = descr + (*descr && strchr("<>|=", *descr) ? 1 : 0);
	if (*name == 'O')
		return hs_fail(err, HS_BAD_DATA, "it holds Python objects, which only Python may unpack: save the numbers");
	for (size_t i = 0; i < HS_LEN(known); i++)
		if (!strcmp(name, known[i].name)) {
			a->dtype = known[i].dtype;
			a->item = known[i].item;
			a->half = !strcmp(name, "f2");
			a->big_endian = *descr == '>';
			return 0;
		}
	return hs_fail(err, HS_BAD_DATA, "elements of type '%.40s' are not numbers this toolkit knows", descr);
}

static int dict(struct reader *r, struct array *a)
{
	bool has_descr = false, has_order = false, has_shape = false, comma = true;
	char word[64];
	if (!take(r, '{'))
		return bad(r, "a dict");
	while (!take(r, '}')) {
		if (!comma)
			return bad(r, "a comma");
		if (string(r, word, sizeof word) < 0)
			return -1;
		if (!take(r, ':'))
			return bad(r, "a colon");
		bool *seen = !strcmp(word, "descr") ? &has_descr : !strcmp(word, "fortran_order") ? &has_order :
			!strcmp(word, "shape") ? &has_shape : NULL;
		if (!seen || *seen)
			return hs_fail(r->err, HS_BAD_DATA, "its header has the key '%.60s' %s", word,
				seen ? "twice" : "of no known meaning");
		*seen = true;
		if (seen == &has_descr && peek(r) == '[')
			return hs_fail(r->err, HS_BAD_DATA,
				"its elements are records of several fields: save one field as an array of its own");
		int ok;
		if (seen == &has_order)
			ok = truth(r, &a->fortran);
		else
			ok = seen == &has_shape ? shape(r, a) : string(r, word, sizeof word);
		if (ok < 0 || (seen == &has_descr && element_type(word, a, r->err) < 0))
			return -1;
		comma = take(r, ',');
	}
	if (peek(r))
		return bad(r, "nothing more");
	if (!has_descr || !has_order || !has_shape)
		return hs_fail(r->err, HS_BAD_DATA, "its header lacks '%s'",
			!has_descr ? "descr" : !has_order ? "fortran_order" : "shape");
	return 0;
}

/* ---------------------------------------------------------------------------------------------- the reader */

static int sniff(const struct hs_bytes *file, const struct hs_load_options *options)
{
	(void)options;
	return file->n_head >= MAGIC_BYTES && !memcmp(file->head, magic, MAGIC_BYTES) ? 100 : 0;
}

static int read_header(const struct hs_bytes *file, struct hs_scan *scan, struct array *a, struct hs_err *err)
{
	unsigned char start[12];
	if (hs_bytes_read(file, 0, start, 8, err) < 0)
		return -1;
	if (memcmp(start, magic, MAGIC_BYTES))
		return hs_fail(err, HS_BAD_DATA, "it does not begin like a NumPy array");
	if (start[6] < 1 || start[6] > 3)
		return hs_fail(err, HS_BAD_DATA, "version %d.%d of the NumPy format is not known", start[6], start[7]);
	const size_t size_bytes = start[6] == 1 ? 2 : 4;
	if (hs_bytes_read(file, 8, start + 8, size_bytes, err) < 0)
		return -1;
	size_t len = 0;
	for (size_t i = size_bytes; i-- > 0; )
		len = len << 8 | start[8 + i];
	a->offset = 8 + size_bytes + len;
	if (len > MAX_HEADER || a->offset > file->size)
		return hs_fail(err, HS_BAD_DATA, "its header claims %zu bytes, the file has %llu", len,
			(unsigned long long)file->size);
	char *all = hs_alloc((size_t)a->offset + 1, 1, err);
	if (!all)
		return -1;
	struct reader r = { all + 8 + size_bytes, err };
	int status = hs_bytes_read(file, 0, all, (size_t)a->offset, err);
	if (status == 0)
		hs_scan_set_header(scan, all, (size_t)a->offset);
	if (status == 0 && strlen(r.at) < len)
		status = hs_fail(err, HS_BAD_DATA, "its header is not text");
	if (status == 0) {
		char *text = hs_utf8(r.at, len);
		hs_scan_add_pair(scan, "header", text);
		free(text);
		status = dict(&r, a);
	}
	free(all);
	return status;
}

/* The number of elements agrees with the file, and none is missing. */
static int check_size(const struct hs_bytes *file, struct array *a, struct hs_err *err)
{
	size_t count, bytes;
	if (!hs_product(a->n, a->rank, &count) || !hs_mul(count, a->item, &bytes) || bytes > INT64_MAX)
		return hs_fail(err, HS_BAD_DATA, "its shape is beyond any file");
	if (!count)
		return hs_fail(err, HS_BAD_DATA, "the array has no elements: one of its dimensions is 0");
	if (bytes > file->size - a->offset)
		return hs_fail(err, HS_BAD_DATA, "header promises %zu elements, file ends after %llu", count,
			(unsigned long long)((file->size - a->offset) / a->item));
	return 0;
}

static int open_array(const struct hs_bytes *file, const struct hs_load_options *options, struct hs_scan *scan,
	struct hs_err *err)
{
	struct array a = { 0 };
	struct hs_axis axis[HS_MAX_RANK];
	size_t sig_rank, order[HS_MAX_RANK];
	if (read_header(file, scan, &a, err) < 0 || check_size(file, &a, err) < 0)
		return -1;
	if (!a.rank)
		a.n[a.rank++] = 1;                /* a number alone is a spectrum of one channel */
	if (hs_axes_from_text(options ? options->axes : NULL, a.rank, a.n, axis, &sig_rank, err) < 0)
		return -1;

	struct hs_values values;
	hs_values_raw(&values, file->fd, a.offset, file->size, a.dtype, a.big_endian, a.rank, a.n, sig_rank);
	values.half = a.half;
	int64_t stride = (int64_t)a.item;
	for (size_t k = 0; k < a.rank; k++) {
		const size_t i = a.fortran ? k : a.rank - 1 - k;
		values.stride[i] = stride;
		stride *= (int64_t)a.n[i];
	}
	if (hs_axes_put_last(a.rank, axis, sig_rank, order))
		hs_values_permute(&values, order, sig_rank);

	struct hs_signal signal;
	hs_signal_init(&signal, "data", NULL, NULL, a.dtype);
	for (size_t i = 0; i < a.rank; i++)
		hs_signal_add_axis(&signal, axis[i]);
	hs_signal_shape_up(&signal, sig_rank);
	return hs_scan_add(scan, &signal, &values, err);
}

const struct hs_format hs_format_npy = { "npy", "NumPy array (.npy)", sniff, open_array };
