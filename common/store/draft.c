#include "store/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	draft->for_pipe = fstat(target, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
	draft->fd = hs_temp_file(err);
	return draft->fd < 0 ? -1 : 0;
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
	draft->path = hs_must_dup(path);
	draft->part = hs_must_printf("%s.part", path);
	draft->fd = open(draft->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (draft->fd < 0)
		return hs_fail_errno(err, "cannot write '%s'", draft->part);
	remember(draft->part);
	return 0;
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
	if (rename(draft->part, draft->path) < 0)
		return hs_fail_errno(err, "cannot rename '%s' to '%s'", draft->part, draft->path);
	forget(draft->part);
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
