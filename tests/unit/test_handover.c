/* Pipes between processes and files that appear whole or not at all: every way a stream can end, and every lie an offer
 * can tell. */
#include "store/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/draft.h"
#include "store/feed.h"
#include "tap.h"

enum { BIG = 3 << 20, BLOCK = HS_HANDOVER_BYTES };

static char folder[] = "/tmp/test_handover-XXXXXX";

/* What a reader process found; shared memory. */
struct found {
	int verdict, status, same, taken;
	uint64_t size;
	char text[512];
};
static struct found *found;

static unsigned char pattern(size_t i)
{
	return (unsigned char)((i * 2654435761u) >> 13);
}

/* An anonymous file of n bytes: room for the line, then the pattern. */
static int make_file(size_t n)
{
	struct hs_err err = { 0 };
	unsigned char *bytes = hs_must_alloc(n, 1);
	for (size_t i = BLOCK; i < n; i++)
		bytes[i] = pattern(i);
	const int fd = hs_temp_file(&err);
	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
		abort();
	free(bytes);
	return fd;
}

static void listen(enum hs_log_level level, const char *line)
{
	(void)level;
	found->taken |= strstr(line, "taken over") != NULL;
}

/* In a process of its own: standard input as a feed, compared with the pattern. */
static void read_all(int from, size_t expected)
{
	struct hs_feed feed;
	struct hs_err err = { 0 };
	dup2(from, STDIN_FILENO);
	hs_log_listen(listen);
	found->verdict = hs_feed_open(&feed, NULL, &err);
	found->status = (int)err.status;
	snprintf(found->text, sizeof found->text, "%s", err.text);
	if (found->verdict == 0) {
		unsigned char *bytes = hs_must_alloc(expected + 1, 1);
		found->size = feed.size;
		found->same = feed.size == expected && pread(feed.fd, bytes, expected + 1, 0) == (ssize_t)expected;
		for (size_t i = BLOCK; i < expected && found->same; i++)
			found->same = bytes[i] == pattern(i);
		free(bytes);
		hs_feed_close(&feed);
	}
	_exit(0);
}

static pid_t start_writer(int file, const int pipe_fd[2], const char *zerocopy)
{
	const pid_t pid = fork();
	if (pid == 0) {
		struct hs_err err = { 0 };
		close(pipe_fd[0]);
		setenv("HS_ZEROCOPY", zerocopy, 1);
		_exit(hs_handover_send(file, pipe_fd[1], &err) < 0 ? 1 : 0);
	}
	return pid;
}

static void run_reader(const int pipe_fd[2], const char *zerocopy, size_t expected)
{
	*found = (struct found){ 0 };
	const pid_t pid = fork();
	if (pid == 0) {
		close(pipe_fd[1]);
		setenv("HS_ZEROCOPY", zerocopy, 1);
		read_all(pipe_fd[0], expected);
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	waitpid(pid, NULL, 0);
}

static void test_pipeline(void)
{
	static const struct { size_t n; const char *writer, *reader; int taken; } way[] = { { BIG, "1", "1", 1 }, { BIG, "0", "1", 0 },
		{ BIG, "1", "0", 0 }, { BLOCK, "1", "1", -1 }, { BLOCK + 1, "1", "1", -1 }, { BLOCK, "0", "0", 0 }, { 70000, "1", "1", -1 } };
	for (size_t i = 0; i < HS_LEN(way); i++) {
		int pipe_fd[2], status = -1;
		const int file = make_file(way[i].n);
		if (pipe(pipe_fd) < 0)
			abort();
		const pid_t writer = start_writer(file, pipe_fd, way[i].writer);
		close(file);
		run_reader(pipe_fd, way[i].reader, way[i].n);
		waitpid(writer, &status, 0);
		tap_ok(found->verdict == 0 && found->same && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
			(way[i].taken < 0 || found->taken == way[i].taken),
			"%zu bytes, HS_ZEROCOPY %s | %s: all there%s %s", way[i].n, way[i].writer, way[i].reader, found->taken ? ", taken over" : "",
			found->text);
	}
}

/* The bytes of a whole stream without an offer that could still be taken. */
static unsigned char *capture(size_t n)
{
	int pipe_fd[2];
	unsigned char *bytes = hs_must_alloc(n, 1);
	const int file = make_file(n);
	if (pipe(pipe_fd) < 0)
		abort();
	const pid_t writer = start_writer(file, pipe_fd, "1");
	close(file);
	close(pipe_fd[1]);
	for (size_t at = 0; at < n;) {
		const ssize_t k = read(pipe_fd[0], bytes + at, n - at);
		if (k <= 0)
			abort();
		at += (size_t)k;
	}
	close(pipe_fd[0]);
	waitpid(writer, NULL, 0);
	return bytes;
}

static void test_truncated(void)
{
	enum { N = 100000 };
	static const size_t cut[] = { 0, 1, 13, 511, 512, N / 2, N - 1, N };
	unsigned char *bytes = capture(N);
	for (size_t i = 0; i < HS_LEN(cut); i++) {
		int pipe_fd[2];
		if (pipe(pipe_fd) < 0)
			abort();
		const pid_t writer = fork();
		if (writer == 0)
			_exit(write(pipe_fd[1], bytes, cut[i]) == (ssize_t)cut[i] ? 0 : 1);
		run_reader(pipe_fd, "1", N);
		waitpid(writer, NULL, 0);
		if (cut[i] == N)
			tap_ok(found->verdict == 0 && found->same && !found->taken, "a whole stream whose writer is gone is read as bytes");
		else if (cut[i] == 1)         /* one byte may be the start of anything: it is what came */
			tap_ok(found->verdict == 0 && found->size == 1, "one byte is one byte");
		else
			tap_ok(found->verdict < 0 && found->status == HS_BAD_DATA && strstr(found->text, "truncated"), "cut after %zu of %d bytes: %s",
				cut[i], N, found->text);
	}
	free(bytes);
}

static void test_killed(void)
{
	int pipe_fd[2], status = 0;
	const int file = make_file(BIG);
	if (pipe(pipe_fd) < 0)
		abort();
	const pid_t writer = start_writer(file, pipe_fd, "1");
	usleep(100000);
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	run_reader(pipe_fd, "1", BIG);
	tap_ok(found->verdict < 0 && found->status == HS_BAD_DATA && strstr(found->text, "truncated"), "the writer was killed: %s",
		found->text);

	if (pipe(pipe_fd) < 0)
		abort();
	const pid_t second = start_writer(file, pipe_fd, "1");
	close(pipe_fd[1]);
	char some[1000];
	tap_ok(read(pipe_fd[0], some, sizeof some) > 0, "a reader looks");
	close(pipe_fd[0]);
	waitpid(second, &status, 0);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE, "a reader that leaves without taking ends the writer by SIGPIPE");
	close(file);
}

/* ------------------------------------------------------------------ forged offers */

/* Puts another value behind KEY= in a block; the rest moves. */
static void forge(char block[BLOCK], const char *key, const char *value)
{
	char line[BLOCK + 64], *at, *end;
	memcpy(line, block, BLOCK);
	line[BLOCK] = 0;
	if (!(at = strstr(line, key)))
		abort();
	at += strlen(key);
	end = at + strcspn(at, " \n");
	char *rest = hs_must_dup(end);
	snprintf(at, sizeof line - (size_t)(at - line), "%s%s", value, rest);
	free(rest);
	memset(block, 0, BLOCK);
	memcpy(block, line, strnlen(line, BLOCK));
}

static long number_behind(const char block[BLOCK], const char *key)
{
	const char *at = memmem(block, BLOCK, key, strlen(key));
	return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

static void test_forged(void)
{
	char other[32], far_pid[32], genuine[BLOCK], block[BLOCK], canary_path[64], number[32], why[80] = "";
	int pipe_fd[2], another[2];
	const int file = make_file(BIG), stranger = make_file(BIG);
	snprintf(canary_path, sizeof canary_path, "%s/canary", folder);
	const int canary = open(canary_path, O_RDWR | O_CREAT, 0600);
	if (pipe(pipe_fd) < 0 || pipe(another) < 0 || write(canary, "canary", 6) != 6)
		abort();
	const pid_t writer = start_writer(file, pipe_fd, "1");
	close(pipe_fd[1]);
	if (read(pipe_fd[0], genuine, BLOCK) != BLOCK)
		abort();
	snprintf(other, sizeof other, "%d", stranger);
	snprintf(far_pid, sizeof far_pid, "%d", getpid());
	const struct { const char *key, *value; } lie[] = { { "pid=", far_pid }, { "pid=", "1" }, { "pid=", "-1" }, { "pid=",
		"999999999999999999999" },
		{ " fd=", other }, { " fd=", "0" }, { " fd=", "-1" }, { " fd=", "4000" }, { "size=", "4611686018427387903" },
		{ "size=", "512" },
		{ "token=", "00000000000000000000000000000000" }, { "boot=", "-" }, { "pidns=", "1" }, { "start=", "1" }, { "pipe=", "1" },
		{ "ino=", "1" }, { "dev=", "0" }, { "ack=", "0" }, { "ack=", "4000" } };
	for (size_t i = 0; i < HS_LEN(lie); i++) {
		memcpy(block, genuine, BLOCK);
		forge(block, lie[i].key, lie[i].value);
		tap_ok(hs_handover_take(block, pipe_fd[0], why) < 0, "forged %s%s: %s", lie[i].key, lie[i].value, why);
	}
	memcpy(block, genuine, BLOCK);
	block[BLOCK - 1] ^= 1;
	tap_ok(hs_handover_take(block, pipe_fd[0], why) < 0, "another first block than the file's: %s", why);
	tap_ok(hs_handover_take(genuine, another[0], why) < 0, "through another pipe: %s", why);
	memset(block, 'x', BLOCK);
	tap_ok(hs_handover_take(block, pipe_fd[0], why) < 0, "no line at all: %s", why);

	/* the file itself repeats the lie: the byte of the answer must still not go to a file */
	char path[64];
	snprintf(path, sizeof path, "/proc/%ld/fd/%ld", number_behind(genuine, "pid="), number_behind(genuine, " fd="));
	const int theirs = open(path, O_RDWR);
	snprintf(number, sizeof number, "%d", canary);
	memcpy(block, genuine, BLOCK);
	forge(block, "ack=", number);
	char six[7] = "";
	const int written = theirs >= 0 && pwrite(theirs, block, BLOCK, 0) == BLOCK;
	const int refused = hs_handover_take(block, pipe_fd[0], why) < 0;
	tap_ok(written && refused && pread(canary, six, 6, 0) == 6 && !strcmp(six, "canary"),
		"an answer that would go into a file is not given: %s", why);
	tap_ok(theirs >= 0 && pwrite(theirs, genuine, BLOCK, 0) == BLOCK, "the file tells the truth again");

	const int taken = hs_handover_take(genuine, pipe_fd[0], why);
	unsigned char byte = 0;
	tap_ok(taken >= 0 && pread(taken, &byte, 1, BIG - 1) == 1 && byte == pattern(BIG - 1), "the genuine offer is taken %s",
		taken < 0 ? why : "");
	close(pipe_fd[0]);
	int status = -1;
	waitpid(writer, &status, 0);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "and the writer ends well");
	const int fds[] = { taken, theirs, file, stranger, canary, another[0], another[1] };
	for (size_t i = 0; i < HS_LEN(fds); i++)
		close(fds[i]);
}

static void block_of(char block[BLOCK], const char *line)
{
	memset(block, 0, BLOCK);
	snprintf(block, BLOCK, "%s\n", line);
}

static void test_lines(void)
{
	static const struct { const char *line; int ours; uint64_t size; } line[] =
		{ { "HSPIPE1 size=2048", 1, 2048 }, { "HSPIPE1 size=512", 1, 512 },
		{ "HSPIPE1 size=511", 0, 0 }, { "HSPIPE1 size=", 0, 0 }, { "HSPIPE1 size=x", 0, 0 }, { "HSPIPE1 size=-600", 0, 0 },
		{ "HSPIPE2 size=2048", 0, 0 }, { "", 0, 0 }, { "\211HDF\r", 0, 0 }, { "HSPIPE1 size=99999999999999999999999999", 0, 0 } };
	static const char *const offer[] = { "HSPIPE1 size=2048", "HSPIPE1 size=2048 pid=1 fd=0",
		"HSPIPE1 size=2048 boot=x pidns=1 pid=1 start=1 fd=1 ack=2 pipe=3 dev=4 ino=5 token=0123456789abcdef0123456789abcdef",
		"HSPIPE1 size=2048 boot= pidns= pid=-1 start= fd=-1 ack=-1 pipe= dev= ino= token=",
		"HSPIPE1 size=2048 boot=a pidns=99999999999999999999 pid=99999999999 start=9 fd=99999999999 ack=1 pipe=1 "
		"dev=1 ino=1 token=zz" };
	char block[BLOCK], why[80];
	uint64_t size;
	int end[2];
	for (size_t i = 0; i < HS_LEN(line); i++) {
		block_of(block, line[i].line);
		const int ours = hs_handover_parse(block, &size);
		tap_ok(ours == line[i].ours && (!ours || size == line[i].size), "'%s' is%s ours", line[i].line, line[i].ours ? "" : " not");
	}
	if (pipe(end) < 0)
		abort();
	for (size_t i = 0; i < HS_LEN(offer); i++) {
		block_of(block, offer[i]);
		why[0] = 0;
		tap_ok(hs_handover_take(block, end[0], why) < 0 && why[0], "offer %zu is refused: %s", i, why);
	}
	memset(block, 'A', sizeof block);     /* no line end anywhere */
	memcpy(block, "HSPIPE1 size=1", 14);
	hs_handover_parse(block, &size);
	tap_ok(hs_handover_take(block, end[0], why) < 0, "a line without an end is refused");
	close(end[0]);
	close(end[1]);
}

/* ------------------------------------------------------------------ feeds and drafts */

static char *in_folder(const char *name)
{
	return hs_must_printf("%s/%s", folder, name);
}

static void put_file(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

static int holds(const char *path, const char *text)
{
	char got[64] = "";
	const int fd = open(path, O_RDONLY);
	const ssize_t n = fd < 0 ? -1 : read(fd, got, sizeof got - 1);
	if (fd >= 0)
		close(fd);
	return text ? n >= 0 && !strcmp(got, text) : fd < 0;
}

static struct hs_err *clear(struct hs_err *err)
{
	*err = (struct hs_err){ 0 };
	return err;
}

static int open_and_put(struct hs_draft *d, const char *path, bool force, const char *text, struct hs_err *err)
{
	*err = (struct hs_err){ 0 };
	return hs_draft_open(d, path, force, err) < 0 ? -1 : write(d->fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

static void test_feed_kinds(void)
{
	struct hs_feed feed, again;
	struct hs_err err = { 0 };
	char *fifo = in_folder("fifo_in"), *plain = in_folder("plain");
	mkfifo(fifo, 0600);
	put_file(plain, "some bytes");
	tap_ok(hs_feed_open(&feed, plain, &err) == 0 && feed.size == 10 && !feed.by_pipe, "a file");
	tap_ok(hs_feed_dup(&again, &feed, &err) == 0 && again.fd != feed.fd && again.size == 10, "and once more");
	hs_feed_close(&feed);
	char c = 0;
	tap_ok(pread(again.fd, &c, 1, 9) == 1 && c == 's', "the second outlives the first");
	hs_feed_close(&again);
	const char *const bad[] = { folder, fifo, "/dev/null", "/nowhere/at/all" };
	for (size_t i = 0; i < HS_LEN(bad); i++) {
		err = (struct hs_err){ 0 };
		tap_ok(hs_feed_open(&feed, bad[i], &err) < 0 && err.status == (i == 3 ? HS_SYSTEM : HS_BAD_DATA) && feed.fd < 0, "%s",
			err.text);
	}
	free(fifo);
	free(plain);
}

static void test_draft(void)
{
	struct hs_draft d, e;
	struct hs_err err = { 0 };
	char *out = in_folder("out"), *part = in_folder("out.part"), *link = in_folder("link"), *victim = in_folder("victim");
	tap_ok(open_and_put(&d, out, false, "one", &err) == 0 && holds(out, NULL) && holds(part, "one"),
		"a draft is not the output yet %s", err.text);
	tap_ok(open_and_put(&e, out, false, "two", &err) < 0 && err.status == HS_SYSTEM && holds(part, "one"), "a second writer: %s",
		err.text);
	tap_ok(hs_draft_commit(&d, clear(&err)) == 0 && holds(out, "one") && holds(part, NULL), "committed: the output, no remains %s",
		err.text);
	tap_ok(open_and_put(&d, out, false, "two", &err) < 0 && err.status == HS_USAGE && holds(out, "one") && holds(part, NULL),
		"it exists: %s", err.text);
	tap_ok(open_and_put(&d, out, true, "two", &err) == 0 && holds(out, "one"), "by force, but not before it is whole");
	hs_draft_abandon(&d);
	hs_draft_abandon(&d);
	tap_ok(holds(out, "one") && holds(part, NULL), "abandoned: nothing happened");
	tap_ok(open_and_put(&d, out, true, "three", &err) == 0 && hs_draft_commit(&d, &err) == 0 && holds(out, "three"), "replaced %s",
		err.text);

	put_file(part, "left by a process that was killed");
	tap_ok(open_and_put(&d, out, true, "four", &err) == 0 && hs_draft_commit(&d, &err) == 0 && holds(out, "four") &&
		holds(part, NULL),
		"a stale draft is taken over, whole %s", err.text);
	put_file(victim, "precious");
	tap_ok(symlink(victim, part) == 0, "a link lies in wait");
	if (open_and_put(&d, out, true, "five", &err) == 0)
		hs_draft_commit(&d, &err);
	tap_ok(holds(victim, "precious"), "it is not written through %s", err.text);
	unlink(part);
	tap_ok(symlink(out, link) == 0 && open_and_put(&d, link, true, "six", &err) == 0 && hs_draft_commit(&d, &err) == 0 &&
		holds(out, "six"),
		"an output that is a link: the file behind it is replaced %s", err.text);
	struct stat st;
	tap_ok(lstat(link, &st) == 0 && S_ISLNK(st.st_mode), "and the link stays one");

	unlink(out);
	tap_ok(open_and_put(&d, out, false, "seven", &err) == 0, "a new output");
	put_file(out, "somebody else's");
	tap_ok(hs_draft_commit(&d, &err) < 0 && err.status == HS_USAGE && holds(out, "somebody else's") && holds(part, NULL),
		"a file that appeared meanwhile stays: %s", err.text);
	free(out);
	free(part);
	free(link);
	free(victim);
}

static void test_draft_elsewhere(void)
{
	struct hs_draft d;
	struct hs_err err;
	static const char *const bad[] = { "/nowhere/at/all", "/proc/none", folder };
	for (size_t i = 0; i < HS_LEN(bad); i++)
		tap_ok(open_and_put(&d, bad[i], true, "x", &err) < 0 && err.status == (i == 2 ? HS_USAGE : HS_SYSTEM) && d.fd < 0, "%s",
		err.text);
	tap_ok(open_and_put(&d, "/dev/full", false, "x", &err) == 0 && hs_draft_commit(&d, &err) < 0 && err.status == HS_SYSTEM,
		"/dev/full: %s", err.text);
	tap_ok(open_and_put(&d, "/dev/null", false, "x", &err) == 0 && !d.for_pipe && hs_draft_commit(&d, &err) == 0, "/dev/null %s",
		err.text);

	char *fifo = in_folder("fifo_out");
	mkfifo(fifo, 0600);
	const pid_t reader = fork();
	if (reader == 0) {
		*found = (struct found){ 0 };
		const int from = open(fifo, O_RDONLY);
		read_all(from, BLOCK + 1);
	}
	const char room[BLOCK] = "";
	const char last = (char)pattern(BLOCK);
	int good = hs_draft_open(&d, fifo, false, clear(&err)) == 0 && d.for_pipe;
	good = good && write(d.fd, room, BLOCK) == BLOCK && write(d.fd, &last, 1) == 1 && hs_draft_commit(&d, &err) == 0;
	waitpid(reader, NULL, 0);
	tap_ok(good && found->verdict == 0 && found->same, "a named pipe %s%s", err.text, found->text);
	free(fifo);
}

static void remove_and_die(int number)
{
	hs_draft_remove_all();
	signal(number, SIG_DFL);
	raise(number);
}

static void test_draft_signals(void)
{
	char *out = in_folder("cut"), *part = in_folder("cut.part");
	struct hs_draft d;
	struct hs_err err;
	for (int deadly = 0; deadly < 2; deadly++) {
		int status = 0;
		const pid_t pid = fork();
		if (pid == 0) {
			signal(SIGTERM, remove_and_die);
			if (open_and_put(&d, out, false, "half", &err) == 0)
				raise(deadly ? SIGKILL : SIGTERM);
			_exit(1);
		}
		waitpid(pid, &status, 0);
		tap_ok(WIFSIGNALED(status) && holds(out, NULL) && holds(part, deadly ? "half" : NULL), "%s", deadly ?
			"SIGKILL leaves the draft" :
			"SIGTERM leaves nothing");
	}
	tap_ok(open_and_put(&d, out, false, "whole", &err) == 0 && hs_draft_commit(&d, &err) == 0 && holds(out, "whole") &&
		holds(part, NULL),
		"which the next run takes over %s", err.text);
	free(out);
	free(part);
}

int main(void)
{
	alarm(120);                           /* a hang is a failure */
	found = mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (found == MAP_FAILED || !mkdtemp(folder))
		return 1;
	setvbuf(stdout, NULL, _IONBF, 0);     /* children must not print it again */
	test_lines();
	test_pipeline();
	test_truncated();
	test_killed();
	test_forged();
	test_feed_kinds();
	test_draft();
	test_draft_elsewhere();
	test_draft_signals();
	char *clean = hs_must_printf("rm -rf %s", folder);
	const int left = system(clean);
	free(clean);
	return tap_done() || left;
}
