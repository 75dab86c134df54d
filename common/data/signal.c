#include "data/signal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"

void hs_signal_set(char **field, const char *text)
{
	char *copy = hs_must_dup(text && *text ? text : "unknown");
	free(*field);
	*field = copy;
}

void hs_signal_init(struct hs_signal *s, const char *name, const char *quantity, const char *units, enum hs_dtype dtype)
{
	*s = (struct hs_signal){ .name = hs_clean_name(name), .title = hs_must_dup(name), .units = hs_unit_clean(units),
		.quantity = hs_must_dup(quantity && *quantity ? quantity : "intensity"), .data_type = hs_must_dup("UNKNOWN"),
		.modality = hs_must_dup("unknown"), .source = hs_must_dup("unknown"), .dtype = dtype };
	s->long_name = strcmp(s->units, "1") ? hs_must_printf("%s (%s)", s->quantity, s->units) : hs_must_dup(s->quantity);
}

void hs_signal_add_axis(struct hs_signal *s, struct hs_axis a)
{
	/* two dimensions of one name could not live in one group */
	for (int k = 2; hs_signal_find_axis(s, a.name) >= 0; k++) {
		char *other = hs_must_printf("%.*s_%d", k > 2 ? (int)(strrchr(a.name, '_') - a.name) : (int)strlen(a.name), a.name, k);
		free(a.name);
		a.name = other;
	}
	s->axis[s->rank++] = a;
}

struct hs_coord *hs_signal_add_coord(struct hs_signal *s, const char *name, const char *units, size_t n, const double *value)
{
	s->coord = hs_must_resize(s->coord, s->n_coords + 1, sizeof *s->coord);
	struct hs_coord *c = &s->coord[s->n_coords++];
	*c = (struct hs_coord){ .name = hs_clean_name(name), .units = hs_unit_clean(units), .n = n, .n_dims = 1,
		.value = hs_must_alloc(n, sizeof *value) };
	c->long_name = strcmp(c->units, "1") ? hs_must_printf("%s (%s)", name, c->units) : hs_must_dup(name);
	memcpy(c->value, value, n * sizeof *value);
	return c;
}

void hs_signal_shape_up(struct hs_signal *s, size_t sig_rank)
{
	s->sig_rank = sig_rank < s->rank ? sig_rank : s->rank;
	const size_t nav = s->rank - s->sig_rank;
	const char *type = "UNKNOWN";
	if (nav == 1 && hs_signal_is_scatter(s))
		type = "POINT_CLOUD";
	else if (s->sig_rank == 1)
		type = nav ? "SPECTRAL_IMAGE" : "SPECTRUM";
	else if (s->sig_rank == 2)
		type = nav == 0 ? "IMAGE" : nav == 1 ? "IMAGE_STACK" : nav == 2 ? "IMAGE_4D" : "UNKNOWN";
	hs_signal_set(&s->data_type, type);
}

void hs_signal_copy(struct hs_signal *to, const struct hs_signal *from)
{
	*to = *from;
	char **const text[] = { &to->name, &to->title, &to->units, &to->quantity, &to->long_name, &to->data_type, &to->modality,
		&to->source };
	for (size_t i = 0; i < HS_LEN(text); i++)
		*text[i] = hs_must_dup(*text[i]);
	for (size_t i = 0; i < from->rank; i++)
		to->axis[i] = hs_axis_dup(&from->axis[i]);
	to->coord = from->n_coords ? hs_must_alloc(from->n_coords, sizeof *to->coord) : NULL;
	for (size_t i = 0; i < from->n_coords; i++) {
		const struct hs_coord *c = &from->coord[i];
		struct hs_coord *d = &to->coord[i];
		*d = *c;
		d->name = hs_must_dup(c->name);
		d->units = hs_must_dup(c->units);
		d->long_name = hs_must_dup(c->long_name);
		d->start = hs_must_dup(c->start);
		d->value = hs_must_alloc(c->n, sizeof *c->value);
		memcpy(d->value, c->value, c->n * sizeof *c->value);
	}
	if (from->mask) {
		const size_t n = hs_signal_mask_count(from);
		to->mask = hs_must_alloc(n, 1);
		memcpy(to->mask, from->mask, n);
	}
}

void hs_signal_release(struct hs_signal *s)
{
	free(s->name);
	free(s->title);
	free(s->units);
	free(s->quantity);
	free(s->long_name);
	free(s->data_type);
	free(s->modality);
	free(s->source);
	for (size_t i = 0; i < s->rank; i++)
		hs_axis_release(&s->axis[i]);
	for (size_t i = 0; i < s->n_coords; i++) {
		free(s->coord[i].name);
		free(s->coord[i].units);
		free(s->coord[i].long_name);
		free(s->coord[i].start);
		free(s->coord[i].value);
	}
	free(s->coord);
	free(s->mask);
	*s = (struct hs_signal){ 0 };
}

size_t hs_signal_nav_rank(const struct hs_signal *s)
{
	return s->rank - s->sig_rank;
}

static size_t count_range(const struct hs_signal *s, size_t from, size_t to)
{
	size_t n = 1;
	for (size_t i = from; i < to; i++)
		n *= s->axis[i].n;
	return n;
}

size_t hs_signal_count(const struct hs_signal *s)
{
	return count_range(s, 0, s->rank);
}

size_t hs_signal_nav_count(const struct hs_signal *s)
{
	return count_range(s, 0, hs_signal_nav_rank(s));
}

size_t hs_signal_sig_count(const struct hs_signal *s)
{
	return count_range(s, hs_signal_nav_rank(s), s->rank);
}

size_t hs_signal_mask_rank(const struct hs_signal *s)
{
	const size_t nav = hs_signal_nav_rank(s);
	return nav == 0 && s->sig_rank == 2 ? 2 : nav;
}

size_t hs_signal_mask_count(const struct hs_signal *s)
{
	return count_range(s, 0, hs_signal_mask_rank(s));
}

bool hs_signal_is_scatter(const struct hs_signal *s)
{
	return hs_signal_nav_rank(s) == 1 && s->axis[0].kind == HS_AXIS_POINT;
}

const struct hs_coord *hs_signal_find_coord(const struct hs_signal *s, const char *name, size_t dim)
{
	for (size_t i = 0; i < s->n_coords; i++) {
		const struct hs_coord *c = &s->coord[i];
		if (!strcmp(c->name, name) && c->n_dims == 1 && c->dim[0] == dim && c->n == s->axis[dim].n)
			return c;
	}
	return NULL;
}

int hs_signal_find_axis(const struct hs_signal *s, const char *name)
{
	for (size_t i = 0; i < s->rank; i++)
		if (!strcmp(s->axis[i].name, name))
			return (int)i;
	return -1;
}

char *hs_signal_shape(const struct hs_signal *s)
{
	struct hs_str out = { 0 };
	for (size_t i = 0; i < s->rank; i++)
		hs_str_addf(&out, "%s%zu", i ? " x " : "", s->axis[i].n);
	return hs_str_take(&out);
}

char *hs_signal_show(const struct hs_signal *s)
{
	struct hs_str out = { 0 };
	char *shape = hs_signal_shape(s);
	hs_str_addf(&out, "%s%s%s", shape, s->rank ? " " : "", hs_dtype_name(s->dtype));
	free(shape);
	for (size_t i = 0; i < s->rank; i++)
		hs_str_addf(&out, "%s%s", i ? " " : ", ", s->axis[i].name);
	return hs_str_take(&out);
}
