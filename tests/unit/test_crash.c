/* crash.h: a fault inside libhdf5 is status 3 and one sentence, any other is what it always was. Each case is a child. */
#include "store/crash.h"

#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/draft.h"
#include "store/h5.h"
#include "tap.h"


/* The name of a member is read by strcmp and its like, called from HDF5: here from where nothing is. */
static void fault_in_hdf5(void)
{
	H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
	hid_t type = H5Tcreate(H5T_COMPOUND, 8);
	H5Tinsert(type, (const char *)(uintptr_t)0x8000, 0, H5T_NATIVE_INT);
}

static void fault_of_ours(void)
{
	*(volatile int *)(uintptr_t)0x8000 = 1;
}

/* A fault of ours below a call of HDF5 is ours. */
static herr_t deep(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
	(void)group, (void)name, (void)info, (void)ctx;
	volatile char room[16384];
	memset((void *)room, 1, sizeof room);
	fault_of_ours();
	return room[5];
}

static void fault_in_callback(void)
{
	hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
	H5Pset_fapl_core(fapl, 4096, false);
	hid_t file = H5Fcreate("memory", H5F_ACC_TRUNC, H5P_DEFAULT, fapl);
	H5Gclose(H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
	H5Literate(file, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, deep, NULL);
}

static void nothing(void)
{
}

/* Runs body in a child with what it watches; text is what it said on stderr. */
static int end_of(const char *const *name, int n_closed, void (*body)(void), const char *output, char text[512])
{
	int ends[2], status = -1;
	if (pipe(ends) < 0)
		return -1;
	const pid_t child = fork();
	if (child == 0) {
		const struct rlimit no_core = { 0, 0 };
		struct hs_draft draft;
		struct hs_err err = { 0 };
		const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT };
		for (size_t i = 0; i < 3; i++)            /* a sanitizer's handlers would turn the signal into a status */
			signal(deadly[i], SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(ends[1], STDERR_FILENO);
		H5open();
		if (output && hs_draft_open(&draft, output, true, &err) < 0)
			_exit(99);
		for (int i = 0; name[i]; i++)
			hs_crash_watch(name[i]);
		for (int i = 0; i < n_closed; i++)
			hs_crash_unwatch(name[i]);
		body();
		_exit(0);
	}
	close(ends[1]);
	ssize_t n = 0, k;
	while (n < 511 && (k = read(ends[0], text + n, (size_t)(511 - n))) > 0)
		n += k;
	text[n] = 0;
	close(ends[0]);
	waitpid(child, &status, 0);
	return status;
}

int main(void)
{
	char text[512], dir[] = "/tmp/hs-crash-XXXXXX", output[64], part[80];
	const char *const one[] = { "odd.h5", NULL }, *const two[] = { "first.h5", "second.h5", NULL };
	if (!mkdtemp(dir))
		return 1;
	snprintf(output, sizeof output, "%s/out.nxs", dir);
	snprintf(part, sizeof part, "%s.part", output);

	int status = end_of(one, 0, fault_in_hdf5, output, text);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == HS_BAD_DATA, "a fault in libhdf5 is status 3 (%x)", (unsigned)status);
	tap_ok(strstr(text, ": cannot read 'odd.h5': the file is damaged") && strchr(text, '\n') == text + strlen(text) - 1,
		"and one sentence: %.*s", (int)strcspn(text, "\n"), text);
	tap_ok(access(part, F_OK) < 0 && access(output, F_OK) < 0, "nothing is left of the output");

	status = end_of(one, 0, fault_of_ours, output, text);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && !*text, "a fault of ours is a signal (%x) %s", (unsigned)status,
		text);
	unlink(part);
	status = end_of(one, 0, fault_in_callback, NULL, text);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && !*text, "also below a call of HDF5 (%x) %s", (unsigned)status,
		text);
	status = end_of(one, 0, abort, NULL, text);
	tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "so is abort() (%x)", (unsigned)status);
	status = end_of(one, 1, fault_in_hdf5, NULL, text);
	tap_ok(WIFSIGNALED(status), "with no file open it is ours too (%x)", (unsigned)status);
	status = end_of(two, 1, fault_in_hdf5, NULL, text);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == HS_BAD_DATA && strstr(text, "'second.h5'"),
		"the file that is still open is named");
	status = end_of(two, 2, nothing, NULL, text);
	tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0 && !*text, "without a fault nothing happens");
	rmdir(dir);
	return tap_done();
}
