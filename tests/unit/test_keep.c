/* keep: rows put in order come back; a pass that was broken off begins anew; without room nothing is kept. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "store/keep.h"
#include "tap.h"

int main(void)
{
	enum { ROWS = 1000, BYTES = 48 };
	static unsigned char in[ROWS * BYTES], out[ROWS * BYTES];
	uint8_t skip[ROWS], skip_out[ROWS];
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (unsigned char)(i * 2654435761u >> 13);
	for (size_t i = 0; i < ROWS; i++)
		skip[i] = i % 7 == 0;

	struct hs_keep *k = hs_keep_new(ROWS, BYTES);
	tap_ok(k && !hs_keep_is_whole(k), "a new keep is not whole");
	hs_keep_put(k, 0, 300, in, skip);
	hs_keep_put(k, 500, 500, in + 500 * BYTES, skip + 500);
	tap_ok(!hs_keep_is_whole(k), "a gap is noticed");
	hs_keep_put(k, 0, 600, in, skip);
	hs_keep_put(k, 600, 400, in + 600 * BYTES, skip + 600);
	tap_ok(hs_keep_is_whole(k), "a pass from the first row to the last makes it whole");
	tap_ok(hs_keep_get(k, 123, 777, out, skip_out) && !memcmp(out, in + 123 * BYTES, 777 * BYTES) &&
		!memcmp(skip_out, skip + 123, 777), "what was put comes back, rows and flags");
	hs_keep_free(k);

	signal(SIGXFSZ, SIG_IGN);
	const struct rlimit small = { 4096, RLIM_INFINITY };
	k = hs_keep_new(ROWS, BYTES);
	setrlimit(RLIMIT_FSIZE, &small);
	hs_keep_put(k, 0, ROWS, in, skip);
	tap_ok(!hs_keep_is_whole(k), "no room: not whole, and no failure");
	hs_keep_free(k);
	hs_keep_free(NULL);
	return tap_done();
}
