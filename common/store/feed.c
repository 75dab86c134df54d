#include "store/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/handover.h"

int hs_temp_file(struct hs_err *err)
{
	const char *env = getenv("TMPDIR"), *dir = env && *env ? env : "/tmp";
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {   /* NFS, old kernels */
		char *path = hs_must_printf("%s/hstools-XXXXXX", dir);
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0)
			unlink(path);
		free(path);
	}
	if (fd < 0)
		return hs_fail_errno(err, "cannot make a temporary file in '%s' (set TMPDIR)", dir);
	return fd;
}

/* Reads up to n bytes, fewer only at the end of the stream. */
static ssize_t read_full(int fd, char *to, size_t n)
{
	size_t got = 0;
	while (got < n) {
		const ssize_t k = read(fd, to + got, n - got);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		if (k == 0)
			break;
		got += (size_t)k;
	}
	return (ssize_t)got;
}

static int write_full(int fd, const char *from, size_t n)
{
	while (n) {
		const ssize_t k = write(fd, from, n);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return -1;
		from += k;
		n -= (size_t)k;
	}
	return 0;
}

/* The first bytes are in head already; the rest of stdin follows into an anonymous file. */
static int spool(struct hs_feed *feed, const char *head, size_t n_head, struct hs_err *err)
{
	enum { MOST = 1 << 20 };
	feed->fd = hs_temp_file(err);
	if (feed->fd < 0)
		return -1;
	fcntl(STDIN_FILENO, F_SETPIPE_SZ, MOST);
	char *buffer = hs_must_alloc(MOST, 1);
	uint64_t total = n_head;
	int failed = write_full(feed->fd, head, n_head);
	for (ssize_t k; !failed && (k = read_full(STDIN_FILENO, buffer, MOST)) != 0; total += (uint64_t)k) {
		if (k < 0) {
			free(buffer);
			return hs_fail_errno(err, "cannot read standard input");
		}
		failed = write_full(feed->fd, buffer, (size_t)k);
	}
	free(buffer);
	if (failed)
		return hs_fail_errno(err, "cannot keep standard input in a temporary file (set TMPDIR to a place with room)");
	feed->size = total;
	return 0;
}

static int open_pipe(struct hs_feed *feed, struct hs_err *err)
{
	char head[HS_HANDOVER_BYTES], why[80];
	uint64_t promised;
	const ssize_t n = read_full(STDIN_FILENO, head, sizeof head);
	if (n < 0)
		return hs_fail_errno(err, "cannot read standard input");
	if (n == 0)
		return hs_fail(err, HS_BAD_DATA, "truncated stream: nothing came through the pipe (did the program before it fail?)");
	feed->by_pipe = true;
	const bool ours = n == sizeof head && hs_handover_parse(head, &promised);
	if (ours && (feed->fd = hs_handover_take(head, STDIN_FILENO, why)) >= 0) {
		/* the writer sees its pipe close and ends; nobody may read what is left in it */
		const int nothing = open("/dev/null", O_RDONLY);
		if (nothing >= 0) {
			dup2(nothing, STDIN_FILENO);
			close(nothing);
		}
		feed->size = promised;
		hs_detail("stdin: taken over without a copy");
		return 0;
	}
	if (n < (ssize_t)sizeof head && hs_handover_begins(head, (size_t)n))
		return hs_fail(err, HS_BAD_DATA, "truncated stream: %zd bytes came through the pipe", n);
	if (ours)
		hs_detail("stdin: bytes are copied: %s", why);
	if (spool(feed, head, (size_t)n, err) < 0)
		return -1;
	if (ours && feed->size != promised)
		return hs_fail(err, HS_BAD_DATA, "truncated stream: %llu of %llu bytes came through the pipe", (unsigned long long)feed->size,
			(unsigned long long)promised);
	return 0;
}

static int open_stdin(struct hs_feed *feed, struct hs_err *err)
{
	struct stat st;
	feed->name = hs_must_dup("stdin");
	if (isatty(STDIN_FILENO))
		return hs_fail(err, HS_USAGE, "no input: name a file, or send one through a pipe");
	if (fstat(STDIN_FILENO, &st) < 0)
		return hs_fail_errno(err, "cannot read standard input");
	if (!S_ISREG(st.st_mode))
		return open_pipe(feed, err);
	feed->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	feed->size = (uint64_t)st.st_size;
	return feed->fd < 0 ? hs_fail_errno(err, "cannot read standard input") : 0;
}

int hs_feed_open(struct hs_feed *feed, const char *path, struct hs_err *err)
{
	struct stat st;
	*feed = (struct hs_feed){ .fd = -1 };
	if (!path || !strcmp(path, "-")) {
		if (open_stdin(feed, err) == 0)
			return 0;
		hs_feed_close(feed);
		return -1;
	}
	feed->name = hs_must_dup(path);
	feed->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);       /* a named pipe is refused, not waited for */
	if (feed->fd < 0 || fstat(feed->fd, &st) < 0)
		hs_fail_errno(err, "cannot open '%s'", path);
	else if (S_ISDIR(st.st_mode))
		hs_fail(err, HS_BAD_DATA, "cannot read '%s': it is a directory", path);
	else if (!S_ISREG(st.st_mode))
		hs_fail(err, HS_BAD_DATA, "cannot read '%s': not a regular file (a pipe is read as '-')", path);
	if (hs_failed(err)) {
		hs_feed_close(feed);
		return -1;
	}
	feed->size = (uint64_t)st.st_size;
	return 0;
}

void hs_feed_close(struct hs_feed *feed)
{
	if (feed->fd >= 0)
		close(feed->fd);
	free(feed->name);
	*feed = (struct hs_feed){ .fd = -1 };
}

int hs_feed_dup(struct hs_feed *to, const struct hs_feed *from, struct hs_err *err)
{
	*to = *from;
	to->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 3);
	to->name = hs_must_dup(from->name);
	if (to->fd >= 0)
		return 0;
	hs_fail_errno(err, "cannot open '%s' again", from->name);
	hs_feed_close(to);
	return -1;
}
