#include "formats/axes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"

static enum hs_axis_kind kind_of(const char *name, const char *units)
{
	const char c = (char)tolower((unsigned char)name[0]), d = (char)(c ? tolower((unsigned char)name[1]) : 0);
	if ((c == 'k' || c == 'q') && (d == 'x' || d == 'y') && !name[2])
		return HS_AXIS_RECIPROCAL;
	return hs_axis_kind_guess(name, units);
}

static bool is_name(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!(isalpha((unsigned char)*p) || (p > name && (isdigit((unsigned char)*p) || *p == '_'))))
			return false;
	return *name != 0;
}

/* One "name" or "name=offset:step" or "name=offset:step:unit"; word is ours to cut. */
static int one_axis(char *word, size_t n, struct hs_axis *axis, struct hs_err *err)
{
	double offset = 0, step = 1;
	const char *unit = "1";
	char *scale = strchr(word, '=');
	if (scale) {
		*scale++ = 0;
		char *second = strchr(scale, ':');
		if (!second)
			return hs_fail(err, HS_USAGE, "axis '%.60s=%.60s': write name=offset:step or name=offset:step:unit", word,
				scale);
		*second++ = 0;
		char *third = strchr(second, ':');
		if (third) {
			*third++ = 0;
			unit = third;
		}
		if (hs_parse_real(scale, &offset, err) < 0 || hs_parse_real(second, &step, err) < 0)
			return hs_err_prepend(err, "axis '%.60s'", word);
		if (step == 0 && n > 1)
			return hs_fail(err, HS_USAGE, "axis '%.60s': the step is 0", word);
	}
	if (!is_name(word))
		return hs_fail(err, HS_USAGE, "'%.60s' is not a name for an axis: a letter, then letters, digits and '_'", word);
	*axis = hs_axis_uniform(word, unit, NULL, kind_of(word, unit), n, offset, step);
	return 0;
}

static size_t signal_rank(size_t rank, const struct hs_axis *axis)
{
	for (size_t i = 0; i < rank; i++)
		if (axis[i].kind == HS_AXIS_SPECTRAL)
			return 1;
	if (rank >= 2 && axis[rank - 1].kind == axis[rank - 2].kind &&
	    (axis[rank - 1].kind == HS_AXIS_SPATIAL || axis[rank - 1].kind == HS_AXIS_RECIPROCAL))
		return 2;
	return rank > 0;
}

static void customary(size_t rank, const size_t *n, struct hs_axis *axis)
{
	static const char *const name[5][4] = { { 0 }, { "channel" }, { "y", "x" }, { "y", "x", "channel" },
		{ "y", "x", "ky", "kx" } };
	for (size_t i = 0; i < rank; i++) {
		char *numbered = rank > 4 ? hs_must_printf("dim_%zu", i + 1) : hs_must_dup(name[rank][i]);
		axis[i] = hs_axis_uniform(numbered, "1", NULL, kind_of(numbered, "1"), n[i], 0, 1);
		free(numbered);
	}
}

static int parse(char *text, size_t rank, const size_t *n, struct hs_axis *axis, size_t *done, struct hs_err *err)
{
	size_t n_words = 1;
	for (const char *p = text; *p; p++)
		n_words += *p == ',';
	if (n_words != rank)
		return hs_fail(err, HS_USAGE, "--axes names %zu axes, the array has %zu dimensions", n_words, rank);
	for (char *word = text, *next; *done < rank; word = next) {
		next = word + strcspn(word, ",");
		if (*next)
			*next++ = 0;
		if (one_axis(word, n[*done], &axis[*done], err) < 0)
			return -1;
		for (size_t i = 0; i < *done; i++)
			if (!strcmp(axis[i].name, axis[*done].name)) {
				++*done;
				return hs_fail(err, HS_USAGE, "--axes: two axes are called '%.60s'", word);
			}
		++*done;
	}
	return 0;
}

int hs_axes_from_text(const char *text, size_t rank, const size_t *n, struct hs_axis *axis, size_t *sig_rank, struct hs_err *err)
{
	if (text) {
		size_t done = 0;
		char *copy = hs_must_dup(text);
		const int ok = parse(copy, rank, n, axis, &done, err);
		free(copy);
		if (ok < 0) {
			for (size_t i = 0; i < done; i++)
				hs_axis_release(&axis[i]);
			return -1;
		}
	} else {
		customary(rank, n, axis);
	}
	*sig_rank = signal_rank(rank, axis);
	return 0;
}

bool hs_axes_put_last(size_t rank, struct hs_axis *axis, size_t sig_rank, size_t *order)
{
	size_t from = rank;
	for (size_t i = 0; i < rank; i++) {
		order[i] = i;
		if (axis[i].kind == HS_AXIS_SPECTRAL)
			from = i;
	}
	if (sig_rank != 1 || from + 1 >= rank)
		return false;
	const struct hs_axis channel = axis[from];
	for (size_t i = from; i + 1 < rank; i++) {
		axis[i] = axis[i + 1];
		order[i] = i + 1;
	}
	axis[rank - 1] = channel;
	order[rank - 1] = from;
	return true;
}
