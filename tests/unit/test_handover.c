/* The first line of a stream: what is ours, what is refused, and a file that changes hands between two processes. */
#include "store/handover.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "tap.h"

enum { SIZE = 3 << 20 };

static void block_of(char block[HS_HANDOVER_BYTES], const char *line)
{
	memset(block, 0, HS_HANDOVER_BYTES);
	snprintf(block, HS_HANDOVER_BYTES, "%s\n", line);
}

static void test_lines(void)
{
	static const struct {
		const char *line;
		int ours;
		uint64_t size;
	} line[] = { { "HSPIPE1 size=2048", 1, 2048 }, { "HSPIPE1 size=512", 1, 512 }, { "HSPIPE1 size=", 0, 0 },
		{ "HSPIPE1 size=x", 0, 0 }, { "HSPIPE1 size=-1", 0, 0 }, { "HSPIPE2 size=2048", 0, 0 }, { "", 0, 0 },
		{ "\211HDF\r", 0, 0 }, { "HSPIPE1 size=99999999999999999999999999", 0, 0 } };
	char block[HS_HANDOVER_BYTES], why[80];
	for (size_t i = 0; i < HS_LEN(line); i++) {
		uint64_t size = 0;
		block_of(block, line[i].line);
		const int ours = hs_handover_parse(block, &size);
		tap_ok(ours == line[i].ours && (!ours || size == line[i].size), "'%s' is%s ours", line[i].line,
			line[i].ours ? "" : " not");
	}
	static const char *const offer[] = { "HSPIPE1 size=2048", "HSPIPE1 size=2048 pid=1 fd=0",
		"HSPIPE1 size=2048 boot=x pidns=1 pid=1 start=1 fd=1 ack=2 pipe=3 dev=4 ino=5 "
		"token=0123456789abcdef0123456789abcdef",
		"HSPIPE1 size=2048 boot= pidns= pid=-1 start= fd=-1 ack=-1 pipe= dev= ino= token=",
		"HSPIPE1 size=2048 boot=a pidns=99999999999999999999 pid=99999999999 start=9 fd=99999999999 ack=1 pipe=1 dev=1 "
		"ino=1 token=zz" };
	int end[2];
	if (pipe(end) < 0)
		return;
	for (size_t i = 0; i < HS_LEN(offer); i++) {
		block_of(block, offer[i]);
		why[0] = 0;
		tap_ok(hs_handover_take(block, end[0], why) < 0 && why[0], "offer %zu is refused: %s", i, why);
	}
	memset(block, 'A', sizeof block); /* no line end anywhere */
	memcpy(block, "HSPIPE1 size=1", 14);
	uint64_t size;
	hs_handover_parse(block, &size);
	tap_ok(hs_handover_take(block, end[0], why) < 0, "a line without an end is refused");
	close(end[0]);
	close(end[1]);
}

/* A child sends a file; how it ended. */
static int exchange(int take, int spoil, unsigned char *seen, size_t *n_seen, int *status)
{
	int end[2];
	FILE *file = tmpfile();
	unsigned char *bytes = hs_must_alloc(SIZE, 1);
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (unsigned char)(i * 2654435761u >> 13);
	if (!file || pipe(end) < 0 || fwrite(bytes, 1, SIZE, file) != SIZE || fflush(file) != 0)
		return -1;
	free(bytes);
	fflush(stdout);
	const pid_t child = fork();
	if (child == 0) {
		struct hs_err err = { 0 };
		close(end[0]);
		signal(SIGPIPE, SIG_DFL);
		_exit(hs_handover_send(fileno(file), end[1], &err) == 0 ? 0 : 4);
	}
	close(end[1]);
	char block[HS_HANDOVER_BYTES], why[80] = "";
	size_t got = 0;
	while (got < sizeof block) {
		const ssize_t k = read(end[0], block + got, sizeof block - got);
		if (k <= 0)
			break;
		got += (size_t)k;
	}
	int taken = -1;
	if (take > 0) {
		if (spoil)
			block[HS_HANDOVER_BYTES - 1] ^= 1;
		taken = hs_handover_take(block, end[0], why);
		if (taken >= 0) {
			close(end[0]);
			end[0] = -1;
			*n_seen = (size_t)pread(taken, seen, SIZE, 0);
			close(taken);
		}
	}
	if (taken < 0 && take >= 0) { /* plain bytes */
		memcpy(seen, block, got);
		*n_seen = got;
		for (ssize_t k; (k = read(end[0], seen + *n_seen, SIZE - *n_seen + 1)) > 0;)
			*n_seen += (size_t)k;
	}
	if (end[0] >= 0)
		close(end[0]);
	waitpid(child, status, 0);
	fclose(file);
	return taken >= 0;
}

static int is_whole(const unsigned char *seen, size_t n)
{
	for (size_t i = HS_HANDOVER_BYTES; i < n; i++)
		if (seen[i] != (unsigned char)(i * 2654435761u >> 13))
			return 0;
	return n == SIZE;
}

static void test_exchange(void)
{
	unsigned char *seen = hs_must_alloc(SIZE + 1, 1);
	size_t n = 0;
	int status = -1;
	tap_ok(exchange(1, 0, seen, &n, &status) == 1 && is_whole(seen, n) && WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"taken over: whole, and the writer is content");
	tap_ok(exchange(0, 0, seen, &n, &status) == 0 && is_whole(seen, n) && WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"not taken: %zu bytes flow, and the writer is content", n);
	tap_ok(exchange(1, 1, seen, &n, &status) == 0 && n == SIZE && WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"another first block than the file's is refused");
	tap_ok(exchange(-1, 0, seen, &n, &status) == 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE,
		"a reader that leaves without taking ends the writer by SIGPIPE");
	setenv("HS_ZEROCOPY", "0", 1);
	tap_ok(exchange(1, 0, seen, &n, &status) == 0 && is_whole(seen, n) && WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"switched off: the bytes flow");
	free(seen);
}

int main(void)
{
	unsetenv("HS_ZEROCOPY");
	test_lines();
	test_exchange();
	return tap_done();
}
