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
	struct hs_in *in;
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

static int read_map(void *ctx, const char *path, const char *name, double **value, size_t *n, struct hs_err *err)
{
	const struct along *a = ctx;
	struct hs_in *in = a->in;
	size_t i;
	*value = NULL;
	if (path && hs_in_open(&in, path, err) < 0)
		return -1;
	if (hs_in_find(in, name, &i, err) == 0 && (*value = hs_in_read(in, i, err)))
		*n = hs_signal_count(hs_in_signal(in, i));
	if (path)
		hs_in_close(in);
	return *value ? 0 : -1;
}

/* ------------------------------------------------------------------ stacks and single images */

/* Dimension d of the signal becomes number to[d]. */
static void reorder(struct hs_signal *s, const size_t *to)
{
	struct hs_axis axis[HS_MAX_RANK];
	memcpy(axis, s->axis, sizeof axis);
	for (size_t d = 0; d < s->rank; d++)
		s->axis[to[d]] = axis[d];
	for (size_t c = 0; c < s->n_coords; c++)
		for (size_t d = 0; d < s->coord[c].n_dims; d++)
			s->coord[c].dim[d] = to[s->coord[c].dim[d]];
}

static bool is_stack(const struct hs_signal *s)
{
	return s->sig_rank == 2 && hs_signal_nav_rank(s) == 1;
}

/* A stack of images is pixels x frames, an image pixels of one value (cli/pixels.h): the signal that says so. */
static void as_pixels(struct hs_signal *s, const struct hs_signal *from)
{
	hs_signal_copy(s, from);
	if (from->sig_rank != 2 || from->rank > 3)
		return;
	if (is_stack(from)) {
		reorder(s, (const size_t[]){ 2, 0, 1 });
		free(s->mask);                /* of frames */
		s->mask = NULL;
	}
	hs_signal_shape_up(s, from->rank - 2);
}

/* The same backwards. A stack has no mask of pixels: what is masked has become NaN. */
static void as_images(struct hs_signal *s, const struct hs_signal *from)
{
	hs_signal_copy(s, from);
	if (from->rank == 3) {
		reorder(s, (const size_t[]){ 1, 2, 0 });
		free(s->mask);
		s->mask = NULL;
	}
	hs_signal_shape_up(s, 2);
}

static bool keep(const void *state, size_t pixel, const double *in, double *out, double *scratch)
{
	(void)pixel, (void)scratch;
	memcpy(out, in, *(const size_t *)state * sizeof *out);
	return true;
}

/* ------------------------------------------------------------------ the output */

static int put_found(struct hs_out *out, const struct hs_chain *chain, struct hs_err *err)
{
	for (size_t i = 1; i < chain->n; i++)
		for (size_t k = 0; k < chain->stage[i].n_found; k++) {
			const struct hs_found *found = &chain->stage[i].found[k];
			struct hs_signal s;
			hs_signal_copy(&s, &found->signal);
			size_t twice = 1;
			for (size_t j = 1; j <= i; j++)       /* the second shift is shift_2 */
				for (size_t l = 0; l < (j < i ? chain->stage[j].n_found : k); l++)
					twice += !strcmp(chain->stage[j].found[l].signal.name, found->signal.name);
			if (twice > 1) {
				free(s.name);
				s.name = hs_must_printf("%s_%zu", found->signal.name, twice);
			}
			if (hs_session_put(out, &s, found->value, NULL, err) < 0)
				return -1;
		}
	return 0;
}

/* A single image has one value a row and is written in one piece. */
static int write_image(struct hs_out *out, const struct hs_signal *s, struct hs_rowsource *source, struct hs_err *err)
{
	const size_t size = hs_dtype_size(s->dtype);
	char *all = hs_alloc(source->n_rows, size, err);
	struct hs_batch b = { .n_rows = 1 };
	int verdict = all ? source->rewind(source, err) : -1;
	while (verdict == 0 && b.n_rows && (verdict = source->next(source, &b, err)) == 0 && b.n_rows)
		memcpy(all + b.first_row * size, b.x, b.n_rows * size);
	if (verdict == 0)
		verdict = hs_out_signal(out, HS_AT_ENTRY, s, all, NULL, err);
	free(all);
	return verdict;
}

static int write_rows(struct hs_out *out, const struct hs_signal *s, const struct hs_stage *end, struct hs_err *err)
{
	struct hs_flow flow = { .signal = s, .place = HS_AT_ENTRY, .quick_looks = true, .next = next_batch, .ctx = end->source };
	struct hs_stage last;
	if (!hs_signal_nav_rank(s) && s->sig_rank == 2)
		return write_image(out, s, end->source, err);
	hs_stage_begin(&last, end, &last.n_chan, NULL);
	int verdict = 0;
	if (is_stack(s)) {
		verdict = hs_stage_rows(&last, end, 0, keep, err);
		flow.components_first = true;
		flow.quick_looks = false;
		flow.ctx = last.source;
	}
	struct hs_rowsource *source = flow.ctx;
	if (verdict == 0)
		verdict = source->rewind(source, err) < 0 ? -1 : hs_write_signal(out, &flow, err);
	hs_stage_release(&last);
	return verdict;
}

/* The rows at the end of the chain become the measured cube of the output, what the operations found goes into the step. */
static int write_cube(struct hs_run *run, struct hs_in *in, size_t signal, const struct hs_chain *chain, struct hs_err *err)
{
	const struct hs_signal *from = hs_in_signal(in, signal);
	const struct hs_stage *end = hs_chain_end(chain);
	struct hs_signal s;
	struct hs_out *out;
	run->common.carry = false;            /* the cube that goes along is the new one */
	if (hs_session_output(run, in, NULL, NULL, &out, err) < 0)
		return -1;
	if (from->sig_rank == 2 && from->rank <= 3)
		as_images(&s, &end->signal);
	else
		hs_signal_copy(&s, &end->signal);
	int verdict = write_rows(out, &s, end, err) < 0 || put_found(out, chain, err) < 0 ||
		hs_out_default(out, HS_AT_ENTRY, s.name, err) < 0 ? -1 : 0;
	hs_signal_release(&s);
	if (verdict == 0)
		return hs_session_commit(run, out, in, signal, err);
	hs_out_abandon(out);
	return -1;
}

/* ------------------------------------------------------------------ the run */

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
	struct along along = { run, in, p->said.n };
	const struct hs_files files = { open_along, read_map, &along };
	const struct hs_reading reading = { .as = HS_AS_AUTO, .memory = hs_run_memory(run) / 2, .again = true };
	struct hs_signal s;
	uint64_t left;
	if (hs_pixels_open(&px, run, in, signal, &reading, err) < 0)
		return -1;
	as_pixels(&s, px.signal);
	int verdict = 0;
	if (hs_signal_nav_rank(&s) != px.n_nav)
		verdict = hs_fail(err, HS_BAD_DATA, "%s is no cube of pixels with spectra", hs_in_path(in, signal));
	if (verdict == 0) {
		hs_chain_begin(&chain, &s, px.source, px.mask, &files);
		verdict = hs_chain_open(&chain, &p->said, err);
	}
	hs_signal_release(&s);
	/* buffers of stages are mostly touched later: here they can still be refused */
	if (verdict == 0)
		verdict = hs_session_memory(run, hs_run_memory(run) / 2 + hs_chain_bytes(&chain), &left, err);
	if (verdict == 0) {
		tell(&chain, &p->said);
		verdict = write_cube(run, in, signal, &chain, err);
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
	const struct hs_tool tool = { .name = "hsprep", .summary = "clean and reshape a cube: operations in the order given",
		.operands = "[FILE]",
		.max_operands = 1, .takes = "a signal: pixels x channels", .gives = "data: the cube after the last operation",
		.example = "hsprep --crop energy=280:320eV --bin x=2 --bin y=2 cube.nxs | hspca -o pca.nxs",
		.uses = HS_USES_OUTPUT | HS_USES_SIGNAL | HS_USES_ROWS | HS_USES_REPORT, .options = options, .n_options = n, .params = &p,
		.run = run };
	const int status = hs_main(&tool, argc, argv);
	free(p.said.item);
	return status;
}
