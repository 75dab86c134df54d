#include "store/keep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/feed.h"

struct hs_keep {
	int fd;
	size_t n_rows, row_bytes, done;       /* rows [0, done) are there */
	bool broken;
	uint8_t *skip;
};

struct hs_keep *hs_keep_new(size_t n_rows, size_t row_bytes)
{
	struct hs_err none = { 0 };
	const int fd = hs_temp_file(&none);
	uint8_t *skip = fd >= 0 ? hs_alloc(n_rows, 1, &none) : NULL;
	if (!skip) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	struct hs_keep *keep = hs_must_alloc(1, sizeof *keep);
	*keep = (struct hs_keep){ .fd = fd, .n_rows = n_rows, .row_bytes = row_bytes, .skip = skip };
	return keep;
}

void hs_keep_free(struct hs_keep *keep)
{
	if (!keep)
		return;
	close(keep->fd);
	free(keep->skip);
	free(keep);
}

void hs_keep_put(struct hs_keep *keep, size_t first_row, size_t n_rows, const void *rows, const uint8_t *skip)
{
	if (first_row == 0)
		keep->done = 0;
	if (keep->broken || first_row != keep->done)
		return;
	const char *from = rows;
	size_t left = n_rows * keep->row_bytes;
	off_t at = (off_t)(first_row * keep->row_bytes);
	while (left) {
		const ssize_t k = pwrite(keep->fd, from, left, at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0) {                 /* no room: give back what was taken */
			keep->broken = true;
			if (ftruncate(keep->fd, 0) < 0)
				keep->done = 0;
			return;
		}
		from += k;
		at += k;
		left -= (size_t)k;
	}
	memcpy(keep->skip + first_row, skip, n_rows);
	keep->done += n_rows;
}

bool hs_keep_is_whole(const struct hs_keep *keep)
{
	return !keep->broken && keep->done == keep->n_rows;
}

bool hs_keep_get(const struct hs_keep *keep, size_t first_row, size_t n_rows, void *rows, uint8_t *skip)
{
	char *to = rows;
	size_t left = n_rows * keep->row_bytes;
	off_t at = (off_t)(first_row * keep->row_bytes);
	while (left) {
		const ssize_t k = pread(keep->fd, to, left, at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		to += k;
		at += k;
		left -= (size_t)k;
	}
	memcpy(skip, keep->skip + first_row, n_rows);
	return true;
}
