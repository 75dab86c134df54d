#include "store/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static const char magic[] = "HSPIPE1 size=";

/* Field 22 of /proc/PID/stat: when the process started, so that a reused number is noticed. 0 when there is no telling. */
static unsigned long long start_time(long pid)
{
	char path[64], text[1024];
	snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	const ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	char *p = strrchr(text, ')');             /* the command name may hold blanks and brackets */
	unsigned long long start = 0;
	int field = 2;
	for (char *save = NULL, *word = p ? strtok_r(p + 1, " ", &save) : NULL; word; word = strtok_r(NULL, " ", &save))
		if (++field == 22)
			start = strtoull(word, NULL, 10);
	return start;
}

static void boot_id(char text[40])
{
	const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? 0 : read(fd, text, 36);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
	if (!*text)
		strcpy(text, "-");
}

static uint64_t pid_namespace(void)
{
	struct stat st;
	return stat("/proc/self/ns/pid", &st) == 0 ? (uint64_t)st.st_ino : 0;
}

static bool switched_off(void)
{
	const char *v = getenv("HS_ZEROCOPY");
	return v && !strcmp(v, "0");
}

/* Writes the user block; ack receives the two ends of the private pipe through which a taker answers, or -1. */
static int write_offer(int file, const struct stat *st, const struct stat *pipe_st, int ack[2], struct hs_err *err)
{
	char block[HS_HANDOVER_BYTES] = "";
	unsigned char random[16];
	int n = snprintf(block, sizeof block, "%s%lld", magic, (long long)st->st_size);
	ack[0] = ack[1] = -1;
	if (S_ISFIFO(pipe_st->st_mode) && !switched_off() && start_time(getpid()) &&
		getrandom(random, sizeof random, 0) == sizeof random &&
		pipe2(ack, O_CLOEXEC | O_NONBLOCK) == 0) {
		char boot[40], token[33];
		boot_id(boot);
		for (int i = 0; i < 16; i++)
			snprintf(token + 2 * i, 3, "%02x", random[i]);
		n += snprintf(block + n, sizeof block - (size_t)n,
			" boot=%s pidns=%" PRIu64 " pid=%ld start=%llu fd=%d ack=%d pipe=%" PRIu64 " dev=%" PRIu64 " ino=%" PRIu64 " token=%s", boot,
			pid_namespace(), (long)getpid(), start_time(getpid()), file, ack[1], (uint64_t)pipe_st->st_ino, (uint64_t)st->st_dev,
			(uint64_t)st->st_ino, token);
	}
	block[n] = '\n';
	if (pwrite(file, block, sizeof block, 0) != sizeof block)
		return hs_fail_errno(err, "cannot write to the temporary file");
	return 0;
}

int hs_send_file(int file, uint64_t size, int to, struct hs_err *err)
{
	enum { MOST = 1 << 20 };
	loff_t at = 0;
	bool spliced = true;
	char *buffer = NULL;
	while ((uint64_t)at < size) {
		const size_t n = size - (uint64_t)at < MOST ? (size_t)(size - (uint64_t)at) : MOST;
		ssize_t k;
		if (spliced) {
			k = splice(file, &at, to, NULL, n, SPLICE_F_MOVE);
			if (k < 0 && (errno == EINVAL || errno == ENOSYS)) {
				spliced = false;
				continue;
			}
		} else {
			if (!buffer)
				buffer = hs_must_alloc(MOST, 1);
			k = pread(file, buffer, n, at);
			if (k > 0 && (k = write(to, buffer, (size_t)k)) > 0)
				at += k;
		}
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EAGAIN) {       /* somebody made the pipe non-blocking */
			poll(&(struct pollfd){ .fd = to, .events = POLLOUT }, 1, -1);
			continue;
		}
		if (k <= 0) {
			free(buffer);
			if (k == 0)
				errno = EIO;
			return hs_fail_errno(err, "cannot write to standard output");
		}
	}
	free(buffer);
	return 0;
}

int hs_handover_send(int file, int to, struct hs_err *err)
{
	struct stat st, pipe_st;
	int ack[2];
	if (fstat(file, &st) < 0 || fstat(to, &pipe_st) < 0)
		return hs_fail_errno(err, "cannot look at the pipe");
	if (write_offer(file, &st, &pipe_st, ack, err) < 0)
		return -1;
	fcntl(to, F_SETPIPE_SZ, 1 << 20);         /* four times faster than 64 KiB when the bytes do flow; may be refused */
	void (*const before)(int) = signal(SIGPIPE, SIG_IGN);
	struct hs_err sending = { 0 };
	const int verdict = hs_send_file(file, (uint64_t)st.st_size, to, &sending);
	const bool pipe_closed = verdict < 0 && errno == EPIPE;
	char answer = 0;
	const bool taken = ack[0] >= 0 && read(ack[0], &answer, 1) == 1 && answer == 'A';
	signal(SIGPIPE, before);
	if (ack[0] >= 0) {
		close(ack[0]);
		close(ack[1]);
	}
	if (pipe_closed && !taken) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);                   /* only returns when blocked; the failure is reported then */
	}
	if (verdict < 0 && !taken) {
		*err = sending;
		return -1;
	}
	return 0;
}

struct offer {
	uint64_t size, pidns, pipe, dev, ino;
	long pid;
	unsigned long long start;
	int fd, ack;
	char boot[40];
};

static bool parse_offer(const char block[HS_HANDOVER_BYTES], struct offer *o)
{
	char line[HS_HANDOVER_BYTES + 1], token[33];
	memcpy(line, block, HS_HANDOVER_BYTES);
	line[HS_HANDOVER_BYTES] = 0;
	return sscanf(line, "HSPIPE1 size=%" SCNu64 " boot=%39s pidns=%" SCNu64 " pid=%ld start=%llu fd=%d ack=%d pipe=%" SCNu64
			    " dev=%" SCNu64
			    " ino=%" SCNu64 " token=%32s", &o->size, o->boot, &o->pidns, &o->pid, &o->start, &o->fd, &o->ack, &o->pipe, &o->dev,
			    &o->ino, token) == 11 && o->pid > 0 && o->fd >= 0 && o->ack >= 0;
}

bool hs_handover_begins(const char *bytes, size_t n)
{
	return n >= sizeof magic - 1 && !memcmp(bytes, magic, sizeof magic - 1);
}

bool hs_handover_parse(const char block[HS_HANDOVER_BYTES], uint64_t *size)
{
	char digits[24] = "";
	if (memcmp(block, magic, sizeof magic - 1))
		return false;
	for (size_t i = 0; i + 1 < sizeof digits; i++) {
		const char c = block[sizeof magic - 1 + i];
		if (c < '0' || c > '9')
			break;
		digits[i] = c;
	}
	*size = strtoull(digits, NULL, 10);
	return *digits && *size >= HS_HANDOVER_BYTES && *size < UINT64_C(1) << 62;
}

/* Opens descriptor n of another process, only if it is of the kind expected: opening a device or a stranger's file could
 * do harm. */
static int open_theirs(long pid, int n, mode_t kind, int flags, struct stat *st)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%ld/fd/%d", pid, n);
	if (stat(path, st) < 0 || (st->st_mode & S_IFMT) != kind)
		return -1;
	const int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 && (fstat(fd, st) < 0 || (st->st_mode & S_IFMT) != kind)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int refuse(char why[80], const char *reason)
{
	snprintf(why, 80, "%s", reason);
	return -1;
}

int hs_handover_take(const char block[HS_HANDOVER_BYTES], int from, char why[80])
{
	struct offer o;
	struct stat st;
	char path[64], boot[40];
	if (switched_off())
		return refuse(why, "switched off");
	if (!parse_offer(block, &o))
		return refuse(why, "no offer");
	if (fstat(from, &st) < 0 || !S_ISFIFO(st.st_mode) || (uint64_t)st.st_ino != o.pipe)
		return refuse(why, "not the offerer's pipe");
	boot_id(boot);
	if (strcmp(boot, o.boot) || pid_namespace() != o.pidns)
		return refuse(why, "another host or namespace");
	snprintf(path, sizeof path, "/proc/%ld", o.pid);
	if (stat(path, &st) < 0 || start_time(o.pid) != o.start)
		return refuse(why, "the offerer is gone");
	if (st.st_uid != geteuid())
		return refuse(why, "another user");
	const int fd = open_theirs(o.pid, o.fd, S_IFREG, O_RDONLY, &st);
	if (fd < 0)
		return refuse(why, "the offered file cannot be opened");
	char seen[HS_HANDOVER_BYTES];
	if ((uint64_t)st.st_dev != o.dev || (uint64_t)st.st_ino != o.ino ||
		(uint64_t)st.st_size != o.size || pread(fd, seen, sizeof seen, 0) != sizeof seen || memcmp(seen, block, sizeof seen)) {
		close(fd);
		return refuse(why, "the offered file is another one");
	}
	const int ack = open_theirs(o.pid, o.ack, S_IFIFO, O_WRONLY, &st);
	const bool told = ack >= 0 && write(ack, "A", 1) == 1;
	if (ack >= 0)
		close(ack);
	if (!told) {
		close(fd);
		return refuse(why, "the offerer does not listen");
	}
	return fd;
}
