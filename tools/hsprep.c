/* hsprep - clean and reshape a cube: operations in the order in which they are given. See hsprep(1). */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/pixels.h"
#include "cli/quicklook.h"
#include "prep/chain.h"
#include "store/rows.h"

struct params {
	struct hs_opt_said said;              /* the operations */
};

static int next_batch(void *ctx, struct hs_batch *batch, struct hs_err *err)
{
	struct hs_rowsource *source = ctx;
	return source->next(source, batch, err);
}

/* ------------------------------------------------------------------ what operations take along */

struct open_file {
	struct hs_in *in;
	struct hs_values values;
	struct hs_rows *rows;
};

static void close_file(void *handle)
{
	struct open_file *f = handle;
	hs_rows_close(f->rows);
	hs_values_release(&f->values);
	hs_in_close(f->in);
	free(f);
}

/* Who opens further files: they share a quarter of the memory. */
struct along {
	const struct hs_run *run;
	size_t n;                             /* operations */
};

static int open_along(void *ctx, const char *path, struct hs_other *other, struct hs_err *err)
{
	const struct along *a = ctx;
	struct open_file *f = hs_must_alloc(1, sizeof *f);
	size_t i;
	if (!strcmp(path, "-")) {
		free(f);
		return hs_fail(err, HS_USAGE, "only the cube comes from standard input");
	}
	if (hs_in_open(&f->in, path, err) < 0) {
		free(f);
		return -1;
	}
	int verdict = hs_in_find(f->in, NULL, &i, err) < 0 || hs_in_values(f->in, i, &f->values, err) < 0 ? -1 : 0;
	if (verdict == 0) {
		const struct hs_signal *s = hs_in_signal(f->in, i);
		const struct hs_rows_options options = { .as = HS_AS_AUTO, .memory = hs_run_memory(a->run) / 4 / a->n,
			.threads = (int)a->run->common.threads, .has_fill = s->has_fill, .fill = s->fill,
			.mask = s->mask && hs_signal_mask_count(s) == hs_signal_nav_count(s) ? s->mask : NULL };
		*other = (struct hs_other){ .signal = s, .handle = f, .close = close_file };
		verdict = hs_rows_open(&f->rows, &f->values, &options, err);
	}
	if (verdict < 0) {
		close_file(f);
		return hs_err_prepend(err, "'%s'", path);
	}
	other->source = hs_rows_source(f->rows);
	return 0;
}

/* ------------------------------------------------------------------ the run */

/* The rows at the end of the chain become the measured cube of the output. */
static int write_cube(struct hs_run *run, struct hs_in *in, size_t signal, const struct hs_stage *end, struct hs_err *err)
{
	struct hs_out *out;
	const struct hs_flow flow = { .signal = &end->signal, .place = HS_AT_ENTRY, .quick_looks = true, .next = next_batch,
		.ctx = end->source };
	run->common.carry = false;            /* the cube that goes along is the new one */
	if (hs_session_output(run, in, NULL, NULL, &out, err) < 0)
		return -1;
	if (end->source->rewind(end->source, err) < 0 || hs_write_signal(out, &flow, err) < 0 ||
		hs_out_default(out, HS_AT_ENTRY, end->signal.name, err) < 0) {
		hs_out_abandon(out);
		return -1;
	}
	return hs_session_commit(run, out, in, signal, err);
}

static void tell(const struct hs_chain *chain, const struct hs_opt_said *said)
{
	for (size_t i = 1; i < chain->n; i++) {
		char *shape = hs_signal_shape(&chain->stage[i].signal);
		hs_stage("%s: %s%s%s", said->item[i - 1].option->name, shape, chain->stage[i].said ? "; " : "",
			chain->stage[i].said ? chain->stage[i].said : "");
		free(shape);
	}
}

static int work(struct hs_run *run, struct hs_in *in, size_t signal, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct hs_pixels px = { 0 };
	struct hs_chain chain = { 0 };
	struct along along = { run, p->said.n };
	const struct hs_files files = { open_along, &along };
	const struct hs_reading reading = { .as = HS_AS_AUTO, .memory = hs_run_memory(run) / 2, .again = true };
	uint64_t left;
	int verdict = hs_pixels_open(&px, run, in, signal, &reading, err);
	if (verdict == 0 && hs_signal_nav_rank(px.signal) != px.n_nav)
		verdict = hs_fail(err, HS_BAD_DATA, "%s is no cube of pixels with spectra", hs_in_path(in, signal));
	if (verdict == 0) {
		hs_chain_begin(&chain, px.signal, px.source, px.mask, &files);
		verdict = hs_chain_open(&chain, &p->said, err);
	}
	/* buffers of stages are mostly touched later: here they can still be refused */
	if (verdict == 0)
		verdict = hs_session_memory(run, hs_run_memory(run) / 2 + hs_chain_bytes(&chain), &left, err);
	if (verdict == 0) {
		tell(&chain, &p->said);
		verdict = write_cube(run, in, signal, hs_chain_end(&chain), err);
	}
	hs_chain_release(&chain);
	hs_pixels_close(&px);
	return verdict;
}

static int run(struct hs_run *run, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct hs_in *in;
	size_t signal, n_pix, n_chan;
	if (!p->said.n)
		return hs_fail(err, HS_USAGE, "nothing to do: name at least one operation (see --help)");
	if (hs_session_input(run, 0, &in, &signal, err) < 0)
		return -1;
	hs_pixels_count(hs_in_signal(in, signal), &n_pix, &n_chan);
	const int verdict = hs_session_dry(run, "apply %zu operations to %zu spectra of %zu channels", p->said.n, n_pix, n_chan) ? 0 :
		work(run, in, signal, err);
	hs_in_close(in);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { 0 };
	size_t n;
	const struct hs_opt *options = hs_chain_options(&p.said, &n);
	const struct hs_tool tool = { .name = "hsprep", .summary = "clean and reshape a cube: operations in the order given", .operands = "[FILE]",
		.max_operands = 1, .takes = "a signal: pixels x channels", .gives = "data: the cube after the last operation",
		.example = "hsprep --crop energy=280:320eV --bin x=2 --bin y=2 cube.nxs | hspca -o pca.nxs",
		.uses = HS_USES_OUTPUT | HS_USES_SIGNAL | HS_USES_ROWS | HS_USES_REPORT, .options = options, .n_options = n, .params = &p,
		.run = run };
	const int status = hs_main(&tool, argc, argv);
	free(p.said.item);
	return status;
}
