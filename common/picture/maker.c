#include "picture/maker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/units.h"
#include "picture/collect.h"
#include "draw/scale.h"

void *hs_maker_room(struct hs_maker *m, size_t n, size_t size, struct hs_err *err)
{
	size_t bytes;
	char text[16];
	if (!hs_mul(n, size, &bytes) || bytes > m->room) {
		hs_fail(err, HS_SYSTEM, "a picture of %zu values needs %s more than --memory allows: choose a part or raise it", n,
			hs_show_bytes((double)n * (double)size - (double)m->room, text));
		return NULL;
	}
	void *p = hs_alloc(n, size, err);
	if (p) {
		m->room -= bytes;
		hs_plan_keep(m->plan, p);
	}
	return p;
}

double *hs_maker_reals(struct hs_maker *m, size_t n, size_t width, struct hs_err *err)
{
	size_t total;
	return hs_maker_room(m, hs_mul(n, width, &total) ? total : SIZE_MAX, sizeof(double), err);
}

char *hs_maker_place(const struct hs_axis *a, size_t i)
{
	if (a->kind == HS_AXIS_CHANNEL || a->integer)
		return hs_must_printf("%s %.15g", a->name, a->value[i]);
	char *value = hs_scale_show(a->value[i], 4, a->units), *text = hs_must_printf("%s %s", hs_axis_what(a), value);
	free(value);
	return text;
}

const char *hs_maker_places(struct hs_maker *m, size_t first, size_t end, size_t i)
{
	struct hs_str text = { 0 };
	size_t stride = 1;
	for (size_t d = first; d < end; d++)
		stride *= m->s->axis[d].n;
	for (size_t d = first; d < end; d++) {
		stride /= m->s->axis[d].n;
		char *one = hs_maker_place(&m->s->axis[d], i / stride % m->s->axis[d].n);
		hs_str_addf(&text, "%s%s", d > first ? ", " : "", one);
		free(one);
	}
	return hs_plan_keep(m->plan, hs_str_take(&text));
}

int hs_maker_window(const struct hs_maker *m, const struct hs_axis *a, size_t *first, size_t *end, struct hs_err *err)
{
	double lo, hi;
	*first = 0;
	*end = a->n;
	if (!m->wish->window)
		return 0;
	if (hs_parse_range(m->wish->window, a->units, &lo, &hi, err) < 0)
		return hs_err_prepend(err, "--energy");
	const double least = fmin(a->value[0], a->value[a->n - 1]), most = fmax(a->value[0], a->value[a->n - 1]);
	if (hi < least || lo > most)
		return hs_fail(err, HS_USAGE, "--energy: %.40s is outside %.6g .. %.6g %s", m->wish->window, least, most,
			strcmp(a->units, "1") ? a->units : "");
	while (*first < *end && !(a->value[*first] >= lo && a->value[*first] <= hi))
		++*first;
	while (*end > *first && !(a->value[*end - 1] >= lo && a->value[*end - 1] <= hi))
		--*end;
	if (*first == *end) {
		*first = hs_axis_nearest(a, lo / 2 + hi / 2);
		*end = *first + 1;
	}
	return 0;
}

int hs_maker_pixels(struct hs_maker *m, struct hs_pixels *px, struct hs_err *err)
{
	const struct hs_reading once = { .as = HS_AS_STORED, .memory = hs_run_memory(m->run) / 2 };
	return hs_pixels_open(px, m->run, m->in, m->signal, &once, err);
}

static const uint8_t *keep_mask(struct hs_maker *m, const struct hs_pixels *px, struct hs_err *err)
{
	uint8_t *mask = px->mask ? hs_maker_room(m, m->n_pix, 1, err) : NULL;
	if (mask)
		memcpy(mask, px->mask, m->n_pix);
	return mask;
}

static int collect(struct hs_maker *m, const struct hs_collect *t, const uint8_t **mask, struct hs_err *err)
{
	struct hs_pixels px;
	if (hs_maker_pixels(m, &px, err) < 0)
		return -1;
	*mask = keep_mask(m, &px, err);
	const int verdict = hs_failed(err) ? -1 : hs_collect(&px, t, err);
	hs_pixels_close(&px);
	return verdict;
}

double *hs_maker_maps(struct hs_maker *m, const size_t *channel, size_t n, const uint8_t **mask, struct hs_err *err)
{
	const struct hs_collect t = { .n_maps = n, .channel = channel, .map = hs_maker_reals(m, n, m->n_pix, err) };
	return t.map && collect(m, &t, mask, err) == 0 ? t.map : NULL;
}

double *hs_maker_rows(struct hs_maker *m, const size_t *row, size_t n, const uint8_t **mask, struct hs_err *err)
{
	const struct hs_collect t = { .n_rows = n, .row = row, .rows = hs_maker_reals(m, n, m->n_chan, err) };
	return t.rows && collect(m, &t, mask, err) == 0 ? t.rows : NULL;
}

double *hs_maker_other(struct hs_maker *m, size_t i, struct hs_err *err)
{
	const struct hs_signal *s = hs_in_signal(m->in, i);
	const size_t n = hs_signal_count(s);
	if (hs_dtype_is_complex(s->dtype) || n > m->room / sizeof(double))
		return NULL;
	double *v = hs_in_read(m->in, i, err);
	if (v) {
		m->room -= n * sizeof(double);
		hs_plan_keep(m->plan, v);
	}
	return v;
}
