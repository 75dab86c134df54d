/* The header is what is fuzzed; beside its name lies a .raw of 64 KiB, made once and removed at the end. */
#include "fuzz_format.h"

#include <fcntl.h>
#include <stdio.h>

extern const struct hs_format hs_format_rpl;

static char dir[] = "/tmp/hs-fuzz-XXXXXX", header[64], raw[64];

static void clean_up(void)
{
	unlink(raw);
	rmdir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!*header) {
		fuzz_must(mkdtemp(dir) != NULL);
		snprintf(header, sizeof header, "%s/f.rpl", dir);
		snprintf(raw, sizeof raw, "%s/f.raw", dir);
		const int fd = open(raw, O_CREAT | O_EXCL | O_WRONLY, 0600);
		fuzz_must(fd >= 0 && ftruncate(fd, 65536) == 0 && close(fd) == 0 && atexit(clean_up) == 0);
	}
	return fuzz_format(&hs_format_rpl, header, data, size);
}
