/* The porch: everything around a tool's run(). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/units.h"
#include "cli/describe.h"
#include "cli/tool.h"
#include "math/par.h"
#include "store/draft.h"

enum { MOST_COMMON = 20 };

/* One row each; which are there depends on what the tool uses. */
static size_t common_table(struct hs_common *c, unsigned uses, struct hs_opt rows[MOST_COMMON])
{
	static bool answered;         /* -h and its like never come to parsing: answer() sees them first */
	const struct { unsigned uses; bool rare; struct hs_opt row; } all[] = {
		{ HS_USES_OUTPUT, false, HS_OPT_TEXT('o', "output", &c->output, "FILE", "write to FILE instead of standard output") },
		{ HS_USES_OUTPUT, false, HS_OPT_FLAG('f', "force", &c->force, "replace an existing FILE") },
		{ HS_USES_SIGNAL, false, HS_OPT_TEXT('d', "signal", &c->signal, "NAME", "work on this signal instead of the default one") },
		{ HS_USES_ROWS, true, HS_OPT_TEXT(0, "mask", &c->mask, "FILE", "leave out pixels that are not 0 in this map") },
		{ HS_USES_SEED, false, HS_OPT_COUNT(0, "seed", &c->seed, "N", 0, 1e18, "random seed") },
		{ HS_USES_ROWS | HS_USES_THREADS, true, HS_OPT_COUNT('j', "threads", &c->threads, "N", 1, 4096,
		"threads; results do not depend on it") },
		{ HS_USES_ROWS | HS_USES_THREADS, true, HS_OPT_BYTES(0, "memory", &c->memory, "most memory to use, for any size of cube") },
		{ HS_USES_DEADLINE, true, HS_OPT_SECONDS(0, "deadline", &c->deadline_s, "stop by then with what there is (status 5)") },
		{ HS_USES_OUTPUT, true, HS_OPT_FLAG(0, "raw", &c->raw, "write without filters: larger, faster") },
		{ HS_USES_CARRY, true, HS_OPT_FLAG(0, "carry", &c->carry, "take the measured cube along into the output") },
		{ HS_USES_OUTPUT, true, HS_OPT_FLAG('n', "dry-run", &c->dry_run, "say what would be done, do nothing") },
		{ HS_USES_JSON, false, HS_OPT_FLAG(0, "json", &c->json, "say it as JSON") },
		{ HS_USES_REPORT, true, HS_OPT_TEXT(0, "report", &c->report, "FILE", "write a summary as JSON") },
		{ ~0u, true, HS_OPT_FLAG('q', "quiet", &c->quiet, "no warnings, no progress") },
		{ ~0u, true, HS_OPT_TALLY('v', "verbose", &c->verbose, "say what happens; twice: in detail") },
		{ ~0u, false, HS_OPT_FLAG('h', "help", &answered, "this text") },
		{ ~0u, true, HS_OPT_FLAG('V', "version", &answered, "version of the program and its libraries") },
		{ ~0u, true, HS_OPT_FLAG(0, "describe", &answered, "the interface as JSON, for wrappers") },
	};
	size_t n = 0;
	for (size_t i = 0; i < HS_LEN(all); i++)
		if (all[i].uses & uses || all[i].uses == ~0u) {
			rows[n] = all[i].row;
			rows[n++].rare = all[i].rare;
		}
	return n;
}

static const char *name_g = "hstools";
static bool quiet_g;
static int verbose_g;

static void listen(enum hs_log_level level, const char *line)
{
	if (level == HS_LOG_WARNING ? !quiet_g : (int)level <= verbose_g)
		fprintf(stderr, "%s: %s%s\n", name_g, level == HS_LOG_WARNING ? "warning: " : "", line);
}

/* A deadly signal removes drafts and then does what it would have done. */
static void on_signal(int number)
{
	hs_draft_remove_all();
	signal(number, SIG_DFL);
	raise(number);
}

static bool stdout_failed;

void hs_say(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (vprintf(fmt, ap) < 0)
		stdout_failed = true;
	va_end(ap);
}

/* A full disk is never success. A closed descriptor that nothing was written to is none of our business. */
static int close_stdout(struct hs_err *err)
{
	if (stdout_failed || fflush(stdout) != 0 || ferror(stdout))
		return hs_fail_errno(err, "cannot write to standard output");
	if (fclose(stdout) != 0 && errno != EBADF)
		return hs_fail_errno(err, "cannot write to standard output");
	return 0;
}

static int finish(enum hs_status status, struct hs_err *err)
{
	struct hs_err closing = { 0 };
	if (close_stdout(&closing) < 0 && !hs_failed(err))
		*err = closing;
	hs_progress_end();
	if (hs_failed(err)) {
		fprintf(stderr, "%s: %s%s\n", name_g, err->text, err->status == HS_USAGE ? " (see --help)" :
			err->status == HS_BUG ? " (please report this)" : "");
		return (int)err->status;
	}
	return (int)status;
}

/* Processors this process may run on: a batch system that gives one core of many means one. */
static uint64_t granted_processors(void)
{
	cpu_set_t set;
	return sched_getaffinity(0, sizeof set, &set) == 0 ? (uint64_t)CPU_COUNT(&set) : (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
}

/* The limit in one cgroup file, when it is below what we have. */
static void lower_to(uint64_t *bytes, const char *path)
{
	unsigned long long limit;
	FILE *f = fopen(path, "r");
	if (f && fscanf(f, "%llu", &limit) == 1 && limit < *bytes)
		*bytes = limit;
	if (f)
		fclose(f);
}

/* A quarter of what the machine, the process limits and the cgroup (v2: our own and every one above it; v1) allow. */
static uint64_t default_memory(void)
{
	uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	struct rlimit limit;
	char line[4096];
	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur < bytes)
		bytes = limit.rlim_cur;
	lower_to(&bytes, "/sys/fs/cgroup/memory.max");
	lower_to(&bytes, "/sys/fs/cgroup/memory/memory.limit_in_bytes");
	FILE *f = fopen("/proc/self/cgroup", "r");
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = 0;
		for (char *group = strncmp(line, "0::", 3) ? NULL : line + 3; group && *group; *strrchr(group, '/') = 0) {
			char *path = hs_must_printf("/sys/fs/cgroup%s/memory.max", group);
			lower_to(&bytes, path);
			free(path);
		}
	}
	if (f)
		fclose(f);
	return bytes / 4;
}

uint64_t hs_run_memory(const struct hs_run *run)
{
	const uint64_t least = UINT64_C(8) << 20;
	return run->common.memory > HS_OWN_BYTES + least ? run->common.memory - HS_OWN_BYTES : least;
}

bool hs_run_out_of_time(void *ctx)
{
	const struct hs_run *run = ctx;
	return run->common.deadline_s > 0 && hs_clock_s() - run->start_s > run->common.deadline_s;
}

static int write_report(struct hs_run *run, struct hs_err *err)
{
	hs_json_end(&run->report, '}');
	char *text = hs_json_take(&run->report);
	if (run->common.report) {
		FILE *f = strcmp(run->common.report, "-") ? fopen(run->common.report, "w") : stderr;
		if (!f || fprintf(f, "%s\n", text) < 0 || (f == stderr ? fflush(f) : fclose(f)) != 0)
			hs_fail_errno(err, "cannot write '%s'", run->common.report);
	}
	free(text);
	return hs_failed(err) ? -1 : 0;
}

static void farewell(const struct hs_run *run)
{
	struct rusage use;
	char peak[16];
	getrusage(RUSAGE_SELF, &use);
	hs_stage("%s %s: %.2f s, %.2f s of CPU, peak memory %s", run->tool->name, hs_version, hs_clock_s() - run->start_s, hs_cpu_s(),
		hs_show_bytes((double)use.ru_maxrss * 1024, peak));
}

/* What is asked about the tool instead of of it. These answers need no valid command line, and help shows the defaults, so
 * they come before parsing. */
static bool answer(const struct hs_tool *tool, const struct hs_opt_table table[2], int argc, char **argv, struct hs_str *out)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") && !out->len; i++)
		if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help"))
			hs_describe_help(tool, table, out);
		else if (!strcmp(argv[i], "-V") || !strcmp(argv[i], "--version"))
			hs_describe_version(tool, out);
		else if (!strcmp(argv[i], "--describe") || !strcmp(argv[i], "--describe=json"))
			hs_describe_json(tool, table, out);
		else if (!strcmp(argv[i], "--describe=bash"))
			hs_describe_completion(tool, table, out);
		else if (!strcmp(argv[i], "--describe=mdoc"))
			hs_describe_mdoc(tool, table, out);
	return out->len > 0;
}

/* A closed standard stream would be replaced by the next file opened - the output, and messages would be written into it.
 * Opened for the wrong direction, it keeps its place and using it is still an error. */
static void hold_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			_exit(HS_SYSTEM);
}

/* Threads, progress, and what a deadly signal must do. */
static void set_up(const struct hs_common *c)
{
	static const int deadly[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU, SIGXFSZ };
	quiet_g = c->quiet;
	verbose_g = c->verbose;
	hs_progress_enable(!quiet_g);
	hs_par_set_threads((int)c->threads);
	atexit(hs_draft_remove_all);
	for (size_t i = 0; i < HS_LEN(deadly); i++)
		if (signal(deadly[i], on_signal) == SIG_IGN)
			signal(deadly[i], SIG_IGN);
}

static void run_tool(struct hs_run *run, struct hs_err *err)
{
	hs_json_begin(&run->report, NULL, '{');
	hs_json_text(&run->report, "program", run->tool->name);
	hs_json_text(&run->report, "version", hs_version);
	if (run->tool->run(run, err) < 0 && !hs_failed(err))
		hs_fail(err, HS_BUG, "failed without saying why");
	if (!hs_failed(err) && write_report(run, err) == 0)
		farewell(run);
	hs_str_release(&run->report.out);
}

int hs_main(const struct hs_tool *tool, int argc, char **argv)
{
	hold_standard_streams();
	struct hs_run run = { .tool = tool, .start_s = hs_clock_s(), .operand = argv + 1 };
	struct hs_opt common_rows[MOST_COMMON];
	struct hs_err err = { 0 };
	struct hs_str text = { 0 };
	run.common = (struct hs_common){ .memory = default_memory(), .threads = granted_processors(), .seed = 1 };
	const struct hs_opt_table table[2] = { { tool->options, tool->n_options },
		{ common_rows, common_table(&run.common, tool->uses, common_rows) } };
	name_g = tool->name;
	run.argv = hs_must_alloc((size_t)argc + 1, sizeof *run.argv);     /* parsing reorders argv */
	memcpy(run.argv, argv, (size_t)argc * sizeof *argv);
	hs_log_listen(listen);

	if (hs_opt_check(table, 2, &err) == 0 && answer(tool, table, argc, argv, &text))
		hs_say("%s", hs_str_get(&text));
	else if (!hs_failed(&err) && hs_opt_parse(table, 2, argc, argv, &run.n_operands, &err) == 0) {
		if (run.n_operands < tool->min_operands || run.n_operands > tool->max_operands)
			hs_fail(&err, HS_USAGE, "%zu operands, expected %s", run.n_operands, tool->operands);
		else {
			set_up(&run.common);
			run_tool(&run, &err);
		}
	}
	hs_str_release(&text);
	free(run.argv);
	return finish(run.answer_no ? HS_NO : run.not_converged ? HS_NOT_CONVERGED : HS_OK, &err);
}
