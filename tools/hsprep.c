/* hsprep - clean and reshape a cube: operations in the order in which they are given. See hsprep(1). */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/pixels.h"
#include "cli/quicklook.h"
#include "prep/chain.h"

struct params {
	struct hs_opt_said said;              /* the operations */
};

static int next_batch(void *ctx, struct hs_batch *batch, struct hs_err *err)
{
	struct hs_rowsource *source = ctx;
	return source->next(source, batch, err);
}

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
	struct hs_reading reading = { .as = HS_AS_AUTO, .memory = hs_run_memory(run) / 2, .again = true };
	int verdict = hs_pixels_open(&px, run, in, signal, &reading, err);
	if (verdict == 0 && hs_signal_nav_rank(px.signal) != px.n_nav)
		verdict = hs_fail(err, HS_BAD_DATA, "%s is no cube of pixels with spectra", hs_in_path(in, signal));
	if (verdict == 0) {
		hs_chain_begin(&chain, px.signal, px.source, px.mask);
		verdict = hs_chain_open(&chain, &p->said, err);
	}
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
