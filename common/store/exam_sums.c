/* Checksums: of the values of a signal, of the bytes in a note. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/progress.h"
#include "store/exam.h"
#include "store/rows.h"

enum { READ_MEMORY = 64 << 20, READ_THREADS = 2 };

static bool is_digest(const char *text)
{
	return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

/* Of the values in C order, little endian, in slabs. */
static int hash_values(struct hs_exam *c, const char *path, const struct hs_h5_shape *shape, char hex[65], struct hs_err *err)
{
	struct hs_values values;
	struct hs_rows *rows = NULL;
	/* rows too long to come 64 at a time in READ_MEMORY come value by value; the order is the same */
	const size_t n_last = shape->rank ? shape->n[shape->rank - 1] : 1, sig_rank = shape->rank > 1 && n_last <= 1 << 14 ? 1 : 0;
	const struct hs_rows_options options = { .as = HS_AS_STORED, .memory = READ_MEMORY, .threads = READ_THREADS };
	struct hs_sha256 *sha = hs_sha256_new();
	hs_values_h5(&values, c->file, path, shape->dtype, shape->rank, shape->n, sig_rank);
	int verdict = shape->count ? hs_rows_open(&rows, &values, &options, err) : 0;
	if (rows && verdict == 0) {
		struct hs_rowsource *source = hs_rows_source(rows);
		const size_t row_bytes = source->n_chan * hs_rows_element(rows);
		struct hs_batch batch;
		verdict = source->rewind(source, err);
		while (verdict == 0 && (verdict = source->next(source, &batch, err)) == 0 && batch.n_rows) {
			hs_sha256_add(sha, batch.x, batch.n_rows * row_bytes);
			hs_progress_add(batch.n_rows * row_bytes);
		}
	}
	hs_rows_close(rows);
	hs_values_release(&values);
	hs_sha256_take(sha, hex);
	return verdict;
}

void hs_exam_sha256(struct hs_exam *c, const char *path, const struct hs_h5_shape *shape)
{
	char *said = hs_h5_attr_text(c->file, path, "sha256"), hex[65];
	hid_t set = said ? hs_exam_open(c, path) : -1, type = set >= 0 ? H5Dget_type(set) : -1;
	struct hs_err err = { 0 };
	bool swapped;
	if (said && !is_digest(said)) {
		hs_exam_fault(c, path, "@sha256 is not 64 hexadecimal digits");
	} else if (said && !hs_h5_type_is_plain(type, shape->dtype, &swapped)) {
		hs_exam_fault(c, path, "has a type for which @sha256 is not defined");
	} else if (said && c->values) {
		hs_progress_begin("checksum", (uint64_t)shape->count * hs_dtype_size(shape->dtype), "bytes");
		if (hash_values(c, path, shape, hex, &err) < 0)
			hs_exam_fault(c, path, "has values that cannot be read: %s", err.text);
		else if (strcmp(hex, said))
			hs_exam_fault(c, path, "has values that do not match @sha256");
		hs_progress_end();
	}
	H5Tclose(type);
	if (set >= 0)
		H5Oclose(set);
	free(said);
}

/* Bytes kept in a note, with the checksum beside them. */
void hs_exam_note(struct hs_exam *c, const char *path)
{
	char *said = hs_exam_child_text(c, path, "checksum"), *algorithm = hs_exam_child_text(c, path, "algorithm");
	char *data = hs_h5_join(path, "data"), hex[65];
	size_t n = 0;
	if (!hs_exam_has_child(c, path, "type"))
		hs_exam_fault(c, path, "is an NXnote without type");
	if (hs_exam_has_child(c, path, "checksum") && (!said || !is_digest(said) || !algorithm || strcmp(algorithm, "sha256"))) {
		hs_exam_fault(c, path, "has a checksum that is not 64 hexadecimal digits with algorithm sha256");
	} else if (said && c->values && hs_h5_kind(c->file, data) == HS_H5_DATASET) {
		uint8_t *bytes = hs_h5_bytes(c->file, data, &n);
		struct hs_sha256 *sha = hs_sha256_new();
		hs_sha256_add(sha, bytes, n);
		hs_sha256_take(sha, hex);
		if (strcmp(hex, said))
			hs_exam_fault(c, data, bytes ? "does not match the checksum beside it" : "cannot be read");
		free(bytes);
	}
	free(said);
	free(algorithm);
	free(data);
}
