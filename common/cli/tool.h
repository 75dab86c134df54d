/* tool - what every program is: a declaration and a story.
 *
 * A tool file has a struct of parameters with their defaults, an option table that points into it, a run() that reads like
 * the method section of a paper, and a main() that hands both to hs_main. hs_main does the rest: parsing, --help, --version,
 * --describe, bash completion, threads, memory, progress, signals, the error line, the exit status.
 *
 *	static int run(struct hs_run *run, struct hs_err *err) { struct params *p = run->tool->params; ... }
 *	int main(int argc, char **argv) { struct params p = {...}; const struct hs_opt options[] = {...};
 *		const struct hs_tool tool = { ... }; return hs_main(&tool, argc, argv); } */
#ifndef HS_CLI_TOOL_H
#define HS_CLI_TOOL_H

#include "base/json.h"
#include "base/opt.h"

/* Which of the common options a tool has; -q -v -h --version --describe are always there. */
enum {
	HS_USES_OUTPUT = 1,           /* -o -f -n --raw */
	HS_USES_SIGNAL = 2,           /* -d */
	HS_USES_ROWS = 4,             /* -j --memory --mask */
	HS_USES_SEED = 8,             /* --seed */
	HS_USES_DEADLINE = 16,        /* --deadline */
	HS_USES_JSON = 32,            /* --json: its text output as JSON */
	HS_USES_REPORT = 64,          /* --report FILE: a summary as JSON, beside the data output */
	HS_USES_CARRY = 128,          /* --carry */
	HS_USES_THREADS = 256         /* -j --memory only */
};

struct hs_common {
	const char *output, *signal, *mask, *report;
	uint64_t threads, memory, seed;
	double deadline_s;
	bool force, dry_run, raw, carry, json, quiet;
	int verbose;
};

struct hs_run;

struct hs_tool {
	const char *name;             /* "hspca" */
	const char *summary;          /* "principal components of a spectral data set" */
	const char *operands;         /* "[FILE]" */
	size_t min_operands, max_operands;
	const char *takes, *gives;    /* for --describe: "a signal: pixels x channels", "scores, loadings, variance" */
	const char *example;          /* one line, shown in --help */
	unsigned uses;
	const struct hs_opt *options;
	size_t n_options;
	void *params;
	int (*run)(struct hs_run *run, struct hs_err *err);
};

/* What the porch gives a running tool. */
struct hs_run {
	const struct hs_tool *tool;
	struct hs_common common;
	size_t n_operands;
	char **operand;
	char **argv;                  /* as typed, NULL-terminated */
	bool not_converged;           /* the result is written and flagged: exit status 5 */
	bool answer_no;               /* exit status 1 */
	double start_s;
	struct hs_json report;        /* the tool adds to it; one object, opened by hs_main */
};

int hs_main(const struct hs_tool *tool, int argc, char **argv);

/* Memory a tool may use for its own buffers and for reading, after the program, HDF5, BLAS and stacks have theirs. */
#define HS_OWN_BYTES (UINT64_C(56) << 20)
uint64_t hs_run_memory(const struct hs_run *run);

/* True when --deadline has passed. ctx is the struct hs_run: fits as a stop callback. */
bool hs_run_out_of_time(void *ctx);

/* Text output: everything a text tool says goes here, and failure to write it is found. */
void hs_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

extern const char *const hs_version, *const hs_commit;

#endif
