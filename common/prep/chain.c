#include "prep/chain.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static size_t n_ops(void)
{
	size_t n = 0;
	while (hs_op_table[n])
		n++;
	return n;
}

const struct hs_opt *hs_chain_options(struct hs_opt_said *said, size_t *n)
{
	static struct hs_opt *option;
	*n = n_ops();
	if (!option) {
		option = hs_must_alloc(*n, sizeof *option);
		for (size_t i = 0; i < *n; i++) {
			const struct hs_op *op = hs_op_table[i];
			option[i] = (struct hs_opt)HS_OPT_SAID(0, op->name, said, op->metavar, op->help);
		}
	}
	return option;
}

static const struct hs_op *op_named(const char *name)
{
	size_t i = 0;
	while (hs_op_table[i] && strcmp(hs_op_table[i]->name, name))
		i++;
	return hs_op_table[i];
}

void hs_chain_begin(struct hs_chain *c, const struct hs_signal *signal, struct hs_rowsource *source, const uint8_t *mask,
	const struct hs_files *files)
{
	*c = (struct hs_chain){ .n = 1, .stage = hs_must_alloc(1, sizeof *c->stage) };
	struct hs_stage *first = &c->stage[0];
	hs_signal_copy(&first->signal, signal);
	first->signal.dtype = source->type == HS_ROW_F32 ? HS_F32 : HS_F64;
	first->signal.has_fill = false;
	if (mask) {
		free(first->signal.mask);
		first->signal.mask = hs_must_alloc(source->n_rows, 1);
		memcpy(first->signal.mask, mask, source->n_rows);
	}
	first->source = source;
	first->files = files;
	first->n_pix = source->n_rows;
	first->n_chan = source->n_chan;
}

int hs_chain_open(struct hs_chain *c, const struct hs_opt_said *said, struct hs_err *err)
{
	/* stages point at those before them: room for all at once */
	c->stage = hs_must_resize(c->stage, said->n + 1, sizeof *c->stage);
	for (size_t i = 0; i < said->n; i++) {
		const char *name = said->item[i].option->name;
		struct hs_stage *stage = &c->stage[c->n];
		*stage = (struct hs_stage){ 0 };
		if (op_named(name)->open(stage, &c->stage[c->n - 1], said->item[i].value, err) < 0) {
			hs_stage_release(stage);
			return hs_err_prepend(err, "--%s", name);
		}
		c->n++;
	}
	return 0;
}

size_t hs_chain_bytes(const struct hs_chain *c)
{
	size_t bytes = 0;
	for (size_t i = 0; i < c->n; i++)
		bytes += c->stage[i].bytes;
	return bytes;
}

const struct hs_stage *hs_chain_end(const struct hs_chain *c)
{
	return &c->stage[c->n - 1];
}

void hs_chain_release(struct hs_chain *c)
{
	while (c->n)
		hs_stage_release(&c->stage[--c->n]);
	free(c->stage);
	*c = (struct hs_chain){ 0 };
}
