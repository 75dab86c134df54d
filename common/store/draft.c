#include "store/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/feed.h"
#include "store/handover.h"

/* Paths a signal handler must remove. A slot is filled last and emptied first, so the handler never sees a freed path. */
enum { MOST_DRAFTS = 8 };
static char *volatile open_parts[MOST_DRAFTS];

static void remember(char *part)
{
	for (int i = 0; i < MOST_DRAFTS; i++)
		if (!open_parts[i]) {
			open_parts[i] = part;
			return;
		}
}

static void forget(const char *part)
{
	for (int i = 0; i < MOST_DRAFTS; i++)
		if (open_parts[i] == part)
			open_parts[i] = NULL;
}

void hs_draft_remove_all(void)
{
	for (int i = 0; i < MOST_DRAFTS; i++)
		if (open_parts[i])
			unlink(open_parts[i]);
}

static int open_scratch(struct hs_draft *draft, int target, struct hs_err *err)
{
	struct stat st;
	draft->scratch = true;
	draft->target = target;
	if (fstat(target, &st) < 0)
		return hs_fail_errno(err, "cannot write to standard output");
	draft->for_pipe = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode);
	draft->fd = hs_temp_file(err);
	return draft->fd < 0 ? -1 : 0;
}

/* Opens OUT.part for this process alone: the lock keeps a second writer of the same output away, and is gone with its holder, so
 * that what a killed process left is taken over. A file system without locks goes without. */
static int open_part(struct hs_draft *draft, struct hs_err *err)
{
	struct stat own, there;
	for (int attempt = 0; attempt < 100; attempt++) {
		const int fd = open(draft->part, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
		if (fd < 0)
			break;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
			close(fd);
			return hs_fail(err, HS_SYSTEM, "cannot write '%s': another program is writing it", draft->path);
		}
		if (fstat(fd, &own) < 0 || lstat(draft->part, &there) < 0 || own.st_ino != there.st_ino || own.st_dev != there.st_dev) {
			close(fd);            /* its owner finished just now: this is no longer OUT.part */
			continue;
		}
		if (!S_ISREG(own.st_mode) || own.st_uid != geteuid() || own.st_nlink != 1) {       /* not left by one of us */
			close(fd);
			if (unlink(draft->part) < 0)
				break;
			continue;
		}
		if (ftruncate(fd, 0) < 0) {
			close(fd);
			break;
		}
		draft->fd = fd;
		remember(draft->part);
		return 0;
	}
	return hs_fail_errno(err, "cannot write '%s'", draft->part);
}

static int open_named(struct hs_draft *draft, const char *path, bool force, struct hs_err *err)
{
	struct stat st;
	const bool exists = stat(path, &st) == 0;
	if (exists && S_ISDIR(st.st_mode))
		return hs_fail(err, HS_USAGE, "cannot write '%s': it is a directory", path);
	if (exists && !S_ISREG(st.st_mode)) {             /* a device or a named pipe cannot be renamed onto */
		const int target = open(path, O_WRONLY | O_CLOEXEC);
		if (target < 0)
			return hs_fail_errno(err, "cannot write '%s'", path);
		draft->path = hs_must_dup(path);
		return open_scratch(draft, target, err);
	}
	if (exists && !force)
		return hs_fail(err, HS_USAGE, "'%s' exists: -f replaces it", path);
	draft->replace = force;
	draft->path = exists ? realpath(path, NULL) : NULL;      /* a link to a file stays a link (/dev/stdout is one) */
	if (!draft->path)
		draft->path = hs_must_dup(path);
	draft->part = hs_must_printf("%s.part", draft->path);
	if (open_part(draft, err) == 0)
		return 0;
	free(draft->part);            /* not ours to remove */
	draft->part = NULL;
	return -1;
}

int hs_draft_open(struct hs_draft *draft, const char *path, bool force, struct hs_err *err)
{
	int verdict;
	*draft = (struct hs_draft){ .fd = -1, .target = -1 };
	if (path && strcmp(path, "-"))
		verdict = open_named(draft, path, force, err);
	else if (isatty(STDOUT_FILENO))
		verdict = hs_fail(err, HS_USAGE, "data is not written to a terminal: use -o FILE or a pipe");
	else
		verdict = open_scratch(draft, STDOUT_FILENO, err);
	if (verdict < 0)
		hs_draft_abandon(draft);
	return verdict;
}

/* Renames; without force a file that appeared meanwhile is not replaced. */
static int rename_part(const struct hs_draft *draft, struct hs_err *err)
{
	if (!draft->replace) {
		if (renameat2(AT_FDCWD, draft->part, AT_FDCWD, draft->path, RENAME_NOREPLACE) == 0)
			return 0;
		if (errno == EEXIST)
			return hs_fail(err, HS_USAGE, "'%s' exists: -f replaces it", draft->path);
		if (errno != EINVAL && errno != ENOSYS)       /* file systems that know no such renaming */
			return hs_fail_errno(err, "cannot rename '%s' to '%s'", draft->part, draft->path);
	}
	if (rename(draft->part, draft->path) < 0)
		return hs_fail_errno(err, "cannot rename '%s' to '%s'", draft->part, draft->path);
	return 0;
}

/* The new name survives a power cut, too, where the file system can promise that. */
static void sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? hs_must_printf("%.*s", (int)(slash - path + 1), path) : hs_must_dup(".");
	const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(folder);
}

static int publish(struct hs_draft *draft, struct hs_err *err)
{
	struct stat st;
	if (draft->scratch) {
		if (draft->for_pipe)
			return hs_handover_send(draft->fd, draft->target, err);
		if (fstat(draft->fd, &st) < 0)
			return hs_fail_errno(err, "cannot look at the temporary file");
		return hs_send_file(draft->fd, (uint64_t)st.st_size, draft->target, err);
	}
	if (fsync(draft->fd) < 0)
		return hs_fail_errno(err, "cannot write '%s'", draft->part);
	if (rename_part(draft, err) < 0)
		return -1;
	forget(draft->part);
	sync_folder(draft->path);
	free(draft->part);
	draft->part = NULL;
	return 0;
}

int hs_draft_commit(struct hs_draft *draft, struct hs_err *err)
{
	const int verdict = publish(draft, err);
	hs_draft_abandon(draft);
	return verdict;
}

void hs_draft_abandon(struct hs_draft *draft)
{
	if (draft->part) {
		unlink(draft->part);
		forget(draft->part);
	}
	if (draft->fd >= 0)
		close(draft->fd);
	if (draft->target > STDERR_FILENO)
		close(draft->target);
	free(draft->part);
	free(draft->path);
	*draft = (struct hs_draft){ .fd = -1, .target = -1 };
}
