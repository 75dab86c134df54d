#include "cli/session.h"

#include <math.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/units.h"
#include "cli/libs.h"

int hs_session_input(struct hs_run *run, size_t operand, struct hs_in **in, size_t *signal, struct hs_err *err)
{
	if (hs_in_open(in, operand < run->n_operands ? run->operand[operand] : NULL, err) < 0)
		return -1;
	if (hs_in_find(*in, run->common.signal, signal, err) < 0) {
		hs_in_close(*in);
		*in = NULL;
		return -1;
	}
	char *shape = hs_signal_show(hs_in_signal(*in, *signal));
	hs_stage("read %s: %s, %s", hs_in_name(*in), hs_in_path(*in, *signal), shape);
	free(shape);
	return 0;
}

bool hs_session_sibling(const struct hs_in *in, size_t signal, const char *name, size_t *i)
{
	const char *own = hs_in_path(in, signal), *slash = strrchr(own, '/');
	const int n = slash ? (int)(slash - own) + 1 : 0;
	const char *truth = hs_starts(own + n, "true_") ? "true_" : "";
	char *wanted = hs_must_printf("%.*s%s%s", n, own, truth, name);
	size_t k = 0;
	while (k < hs_in_count(in) && strcmp(hs_in_path(in, k), wanted))
		k++;
	free(wanted);
	*i = k < hs_in_count(in) ? k : *i;
	return k < hs_in_count(in);
}

int hs_session_memory(const struct hs_run *run, uint64_t taken, uint64_t *left, struct hs_err *err)
{
	/* reading wants two blocks of rows, 4 MiB each for float32, and what makes them */
	const uint64_t all = hs_run_memory(run), least = UINT64_C(13) << 20;
	char need[16];
	if (all < taken || all - taken < least)
		return hs_fail(err, HS_SYSTEM, "this needs --memory of %s or more", hs_show_bytes((double)(HS_OWN_BYTES + taken + least),
		need));
	*left = all - taken;
	return 0;
}

bool hs_session_dry(const struct hs_run *run, const char *fmt, ...)
{
	if (!run->common.dry_run)
		return false;
	va_list ap;
	va_start(ap, fmt);
	fprintf(stderr, "%s: would ", run->tool->name);
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, " and write %s\n", run->common.output ? run->common.output : "standard output");
	va_end(ap);
	return true;
}

/* The command line as a shell would take it again. */
static char *command_line(const struct hs_run *run)
{
	struct hs_str s = { 0 };
	for (char **a = run->argv; *a; a++) {
		const char *word = a == run->argv ? run->tool->name : *a;
		hs_str_add(&s, a == run->argv ? "" : " ");
		if (*word && !strpbrk(word, " \t\n'\"\\$`|&;<>()*?[]{}~#!")) {
			hs_str_add(&s, word);
			continue;
		}
		hs_str_add(&s, "'");
		for (const char *p = word; *p; p++)
			if (*p == '\'')
				hs_str_add(&s, "'\\''");
			else
				hs_str_add_bytes(&s, p, 1);
		hs_str_add(&s, "'");
	}
	return hs_str_take(&s);
}

/* A reproducible run (SOURCE_DATE_EPOCH) gets an identifier made from what it does instead of a random one. */
static char *fixed_uuid(const struct hs_run *run, struct hs_in *in)
{
	if (!getenv("SOURCE_DATE_EPOCH"))
		return NULL;
	char hex[65], *command = command_line(run), *before = in ? hs_in_entry_text(in, "entry_identifier_uuid") : NULL;
	struct hs_sha256 *sha = hs_sha256_new();
	hs_sha256_add(sha, command, strlen(command));
	if (before)
		hs_sha256_add(sha, before, strlen(before));
	hs_sha256_take(sha, hex);
	free(command);
	free(before);
	return hs_must_printf("%.8s-%.4s-8%.3s-a%.3s-%.12s", hex, hex + 8, hex + 13, hex + 17, hex + 20);
}

int hs_session_output(struct hs_run *run, struct hs_in *in, const char *title, const char *start_time, struct hs_out **out,
	struct hs_err *err)
{
	char *own_title = in && !title ? hs_in_entry_text(in, "title") : NULL,
	     *own_start = in && !start_time ? hs_in_entry_text(in, "start_time") : NULL, *uuid = fixed_uuid(run, in);
	const struct hs_out_options options = { .path = run->common.output, .force = run->common.force, .raw = run->common.raw,
		.threads = (int)run->common.threads, .title = title ? title : own_title,
		.start_time = start_time ? start_time : own_start, .uuid = uuid };
	int verdict = hs_out_open(out, &options, err);
	if (verdict == 0 && ((in && hs_out_carry(*out, in, run->common.carry, err) < 0) ||
		hs_out_step(*out, run->tool->name, err) < 0)) {
		hs_out_abandon(*out);
		*out = NULL;
		verdict = -1;
	}
	free(own_title);
	free(own_start);
	free(uuid);
	return verdict;
}

int hs_session_put(struct hs_out *out, struct hs_signal *s, const void *values, const struct hs_extras *extras,
	struct hs_err *err)
{
	const int verdict = hs_out_signal(out, HS_AT_STEP, s, values, extras, err);
	hs_signal_release(s);
	return verdict;
}

/* ------------------------------------------------------------------ the record */

static void add_param(struct hs_step *step, const struct hs_opt *o)
{
	struct hs_str text = { 0 };
	if (!hs_opt_value(o, &text)) {
		hs_str_release(&text);
		return;
	}
	struct hs_param *p;
	switch (o->kind) {
	case HS_OPT_FLAG_KIND:
		p = hs_step_add_param(step, o->name, HS_PARAM_BOOL);
		p->integer = *(const bool *)o->place;
		break;
	case HS_OPT_COUNT_KIND:
		if (!o->words || *(const uint64_t *)o->place) {
			p = hs_step_add_param(step, o->name, HS_PARAM_INT);
			p->integer = (int64_t) * (const uint64_t *)o->place;
			break;
		}
		p = hs_step_add_param(step, o->name, HS_PARAM_TEXT);
		p->text = hs_must_dup(hs_str_get(&text));
		break;
	case HS_OPT_REAL_KIND:
	case HS_OPT_SECONDS_KIND:
		p = hs_step_add_param(step, o->name, HS_PARAM_REAL);
		p->real = *(const double *)o->place;
		break;
	default:
		p = hs_step_add_param(step, o->name, HS_PARAM_TEXT);
		p->text = hs_must_dup(hs_str_get(&text));
	}
	hs_str_release(&text);
}

static void add_environment(const struct hs_run *run, struct hs_json *j)
{
	struct utsname os;
	struct rusage use;
	char cwd[4096], host[256] = "";
	const struct passwd *user = getpwuid(geteuid());
	getrusage(RUSAGE_SELF, &use);
	gethostname(host, sizeof host - 1);
	hs_json_text(j, "cwd", getcwd(cwd, sizeof cwd) ? cwd : NULL);
	hs_json_text(j, "host", host);
	hs_json_text(j, "user", user ? user->pw_name : NULL);
	if (uname(&os) == 0) {
		char *name = hs_must_printf("%s %s %s", os.sysname, os.release, os.machine);
		hs_json_text(j, "os", name);
		free(name);
	}
	if (getenv("SLURM_JOB_ID")) {
		char *job = hs_must_printf("slurm:%s", getenv("SLURM_JOB_ID"));
		hs_json_text(j, "job", job);
		free(job);
	}
	hs_json_int(j, "threads", (long long)run->common.threads);
	hs_json_int(j, "ranks", 1);
	hs_json_real(j, "wall_s", round((hs_clock_s() - run->start_s) * 1e3) / 1e3);
	hs_json_real(j, "cpu_s", round(hs_cpu_s() * 1e3) / 1e3);
	hs_json_int(j, "maxrss_kb", use.ru_maxrss);
}

/* Where the run happened is left out of a reproducible file; what was done never is. */
static char *configuration(const struct hs_run *run, const struct hs_step *step)
{
	struct hs_json j = { 0 };
	hs_json_begin(&j, NULL, '{');
	hs_json_begin(&j, "argv", '[');
	for (char **a = run->argv; *a; a++)
		hs_json_text(&j, NULL, a == run->argv ? run->tool->name : *a);
	hs_json_end(&j, ']');
	hs_json_begin(&j, "parameters", '{');
	for (size_t i = 0; i < step->n_params; i++) {
		const struct hs_param *p = &step->param[i];
		switch (p->kind) {
		case HS_PARAM_INT: hs_json_int(&j, p->name, p->integer); break;
		case HS_PARAM_BOOL: hs_json_bool(&j, p->name, p->integer); break;
		case HS_PARAM_REAL: hs_json_real(&j, p->name, p->real); break;
		case HS_PARAM_TEXT: hs_json_text(&j, p->name, p->text); break;
		}
	}
	hs_json_end(&j, '}');
	if (run->tool->uses & HS_USES_SEED)
		hs_json_int(&j, "seed", (long long)run->common.seed);
	if (!getenv("SOURCE_DATE_EPOCH"))
		add_environment(run, &j);
	hs_json_text(&j, "commit", hs_commit);
	hs_json_begin(&j, "libs", '{');
	hs_libs_json(&j);
	hs_json_end(&j, '}');
	hs_json_end(&j, '}');
	return hs_json_take(&j);
}

struct hs_step hs_session_step(const struct hs_run *run)
{
	struct hs_step step = { .program = hs_must_dup(run->tool->name), .version = hs_must_dup(hs_version),
		.command = command_line(run) };
	char now[32];
	hs_clock_iso(now);
	step.date = hs_must_dup(now);
	for (size_t i = 0; i < run->tool->n_options; i++)
		add_param(&step, &run->tool->options[i]);
	if (run->tool->uses & HS_USES_SEED)
		hs_step_add_param(&step, "seed", HS_PARAM_INT)->integer = (int64_t)run->common.seed;
	step.configuration = configuration(run, &step);
	return step;
}

void hs_session_add_origin(struct hs_step *step, struct hs_in *in, size_t signal)
{
	struct hs_origin *o = hs_step_add_origin(step, "application/x-hdf5", hs_in_name(in));
	const char *sha = hs_in_signal(in, signal)->sha256;
	o->uuid = hs_in_entry_text(in, "entry_identifier_uuid");
	o->path = hs_must_dup(hs_in_path(in, signal));
	o->checksum = *sha ? hs_must_dup(sha) : NULL;
}

int hs_session_commit_step(struct hs_out *out, struct hs_step *step, struct hs_err *err)
{
	int verdict = hs_out_finish_step(out, step, err);
	hs_step_release(step);
	if (verdict < 0) {
		hs_out_abandon(out);
		return -1;
	}
	return hs_out_commit(out, err);
}

int hs_session_commit(struct hs_run *run, struct hs_out *out, struct hs_in *in, size_t signal, struct hs_err *err)
{
	struct hs_step step = hs_session_step(run);
	if (in)
		hs_session_add_origin(&step, in, signal);
	if (run->common.mask)
		hs_step_add_origin(&step, "application/x-hdf5", run->common.mask);
	return hs_session_commit_step(out, &step, err);
}
