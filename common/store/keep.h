/* keep - decoded rows kept in an unnamed file of $TMPDIR, for a source that is read many times; private to store/.
 *
 * Unpacking a compressed cube costs ten times what reading plain values costs. The first whole pass leaves its rows here, the
 * later ones take them. The file lives in the page cache as far as that reaches and never counts as memory of the process.
 * When the file cannot be made or filled, nothing is kept and the source goes on decoding. */
#ifndef HS_STORE_KEEP_H
#define HS_STORE_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hs_keep;

struct hs_keep *hs_keep_new(size_t n_rows, size_t row_bytes);       /* NULL when there is no place for it */
void hs_keep_free(struct hs_keep *keep);                            /* accepts NULL */

/* Rows in order from 0; a put that does not follow the one before begins anew. One thread. */
void hs_keep_put(struct hs_keep *keep, size_t first_row, size_t n_rows, const void *rows, const uint8_t *skip);
bool hs_keep_is_whole(const struct hs_keep *keep);

/* Rows of a whole keep; any thread. False when the file gives an error. */
bool hs_keep_get(const struct hs_keep *keep, size_t first_row, size_t n_rows, void *rows, uint8_t *skip);

#endif
