/* How h5tree.h opens a stranger's file: a child process reads it first, because HDF5 1.10 itself runs into wild pointers, or
 * round in circles, on some broken files: a string that refers to an object the heap has not, an attribute that cannot be
 * decoded. The child inherits this process as it is and does what the readers will do, so what kills them kills it; for
 * the rest see crash.h. */
#include "store/h5tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/crash.h"
#include "store/h5place.h"
#include "store/h5walk.h"

enum { PROBE_OBJECTS = 4096, PROBE_VALUES = 65536, PROBE_SECONDS = 5 };
enum { PROBE_SOUND = 0, PROBE_BROKEN = 42 };

static void read_in_every_way(const struct hs_h5_place *p)
{
	char **text = hs_h5_place_texts(p);
	hs_h5_free_list(text, text ? p->n : 0);
	if (!text)
		free(hs_h5_place_reals(p));
	if (p->attr >= 0) {
		free(hs_h5_place_ref(p));
		free(hs_h5_place_scale(p, 0));
	}
}

static herr_t read_attr(hid_t object, const char *name, const H5A_info_t *info, void *ctx)
{
	struct hs_h5_place p;
	(void)info, (void)ctx;
	if (hs_h5_place_open_attr(&p, H5Aopen(object, name, H5P_DEFAULT))) {
		read_in_every_way(&p);
		hs_h5_place_close(&p);
	}
	return 0;
}

/* Plain numbers in one piece are copied as they are; what goes through an index, a filter or the heap is worth trying. */
static bool is_risky(const struct hs_h5_object *set)
{
	hid_t dcpl = H5Dget_create_plist(set->id);
	const H5D_layout_t layout = H5Pget_layout(dcpl);
	const H5T_class_t class = H5Tget_class(set->value_type);
	H5Pclose(dcpl);
	return (layout != H5D_CONTIGUOUS && layout != H5D_COMPACT) || (class != H5T_INTEGER && class != H5T_FLOAT);
}

static int read_all_about(void *ctx, struct hs_h5 *file, const char *path, enum hs_h5_kind kind)
{
	int *objects = ctx;
	size_t n;
	struct hs_h5_place p;
	struct hs_h5_object *o = hs_h5_hold(file, path);
	if (o && hs_h5_attrs_are_sound(o))
		H5Aiterate2(o->id, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, read_attr, NULL);
	o = kind == HS_H5_DATASET ? hs_h5_hold_set(file, path) : NULL;
	if (o && !o->trouble && hs_h5_points_within(o->space, 1, PROBE_VALUES, &n) && is_risky(o) &&
	    hs_h5_place_set(&p, file, path, HS_H5_MAX_WHOLE)) {
		read_in_every_way(&p);
		hs_h5_place_close(&p);
	}
	return ++*objects >= PROBE_OBJECTS;
}

/* In the child: its end is the answer. */
static void read_everything(int fd, const char *name)
{
	const struct rlimit seconds = { PROBE_SECONDS, PROBE_SECONDS }, no_core = { 0, 0 };
	const int deadly[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGINT, SIGTERM };
	for (size_t i = 0; i < HS_LEN(deadly); i++)
		signal(deadly[i], SIG_DFL);
	setrlimit(RLIMIT_CPU, &seconds);
	setrlimit(RLIMIT_CORE, &no_core);
	/* what a sanitizer or glibc would say about the crash is not for the user's eyes */
	const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (nowhere >= 0)
		dup2(nowhere, STDERR_FILENO);
	struct hs_h5 *file;
	struct hs_err err = { 0 };
	int objects = 0;
	bool broken = false;
	if (hs_h5_open_unguarded(&file, fd, name, &err) == 0)
		hs_h5_walk_all(file, read_all_about, &objects, &broken);
	_exit(broken ? PROBE_BROKEN : PROBE_SOUND);
}

/* Anything but PROBE_SOUND and PROBE_BROKEN means that reading ended in a crash, or in no end at all. */
static int probe(int fd, const char *name)
{
	hs_h5_quiet();                                               /* HDF5 starts once, not in both processes */
	const pid_t child = fork();
	if (child < 0)
		return PROBE_SOUND;                                  /* no process to spare: unproven, as without the probe */
	if (child == 0)
		read_everything(fd, name);
	int status;
	pid_t got;
	do
		got = waitpid(child, &status, 0);
	while (got < 0 && errno == EINTR);
	return got < 0 ? PROBE_SOUND : WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int hs_h5_open(struct hs_h5 **file, int fd, const char *name, struct hs_err *err)
{
	*file = NULL;
	const int found = probe(fd, name);
	if (found == PROBE_BROKEN)
		return hs_fail(err, HS_BAD_DATA, "cannot read '%s': the file is damaged, not all of its groups can be listed", name);
	if (found != PROBE_SOUND)
		return hs_fail(err, HS_BAD_DATA, "cannot read '%s': the file is damaged so badly that HDF5 itself crashes on it", name);
	hs_crash_watch(name);
	const int verdict = hs_h5_open_unguarded(file, fd, name, err);
	if (*file)
		hs_crash_watch((*file)->name);
	if (*file)
		(*file)->watched = true;
	hs_crash_unwatch(name);
	return verdict;
}
