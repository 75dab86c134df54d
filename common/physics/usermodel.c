#include "physics/usermodel.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/units.h"
#include "physics/guess.h"

enum { MOST_BYTES = 1 << 16 };        /* of a file */

#define SUFFIX ".model"

enum { PEAK_HEIGHT, PEAK_CENTRE, PEAK_WIDTH, X_LOW, X_HIGH, X_MIDDLE, X_SPAN };
static const char seen_words[] = "peak_height|peak_centre|peak_width|x_low|x_high|x_middle|x_span";

/* ------------------------------------------------------------------ from a formula */

/* "^POWER_OF_X,POWER_OF_Y" stands for what is none of the usual ones (hs_unit_of knows it). */
static void set_unit(struct hs_user_model *m, size_t j)
{
	static const struct { double x, y; enum hs_unit_of of; } usual[] = { { 0, 0, HS_OF_NONE }, { 1, 0, HS_OF_X }, { 0, 1, HS_OF_Y },
		{ 1, 1, HS_OF_AREA }, { -1, 1, HS_OF_SLOPE }, { -1, 0, HS_OF_PER_X } };
	double x, y;
	struct hs_param_spec *spec = &m->param[j];
	if (!hs_expression_unit(m->formula, j, &x, &y))
		return;
	for (size_t i = 0; i < HS_LEN(usual); i++)
		if (usual[i].x == x && usual[i].y == y) {
			spec->unit_of = usual[i].of;
			return;
		}
	spec->unit_of = HS_OF_OWN;
	spec->unit = m->param_unit[j] = hs_must_printf("^%.12g,%.12g", x, y);
}

static int set_formula(struct hs_user_model *m, const char *text, struct hs_err *err)
{
	if (hs_expression_parse(&m->formula, text, err) < 0)
		return -1;
	m->text = hs_must_dup(text);
	m->model.n_params = hs_expression_n_params(m->formula);
	m->model.formula = m->text;
	for (size_t j = 0; j < m->model.n_params; j++) {
		m->seen[j] = -1;
		m->param[j] = (struct hs_param_spec){ .name = hs_expression_param(m->formula, j), .unit_of = HS_OF_NONE, .low = -INFINITY,
			.high = INFINITY, .usual = NAN, .linear = hs_expression_linear(m->formula, j),
			.what = m->param_what[j] = hs_must_printf("%s of the formula", hs_expression_param(m->formula, j)) };
		set_unit(m, j);
	}
	return m->model.n_params ? 0 : hs_fail(err, HS_USAGE, "the formula has no parameters");
}

static struct hs_user_model *make(const char *name)
{
	struct hs_user_model *m = hs_must_alloc(1, sizeof *m);
	m->name = hs_must_dup(name);
	m->model = (struct hs_model){ .name = m->name, .param = m->param, .sweep = HS_ANY_WAY };
	return m;
}

/* Texts that nobody gave. */
static void finish(struct hs_user_model *m)
{
	m->what = m->what ? m->what : hs_must_dup("a formula of the user");
	m->source = m->source ? m->source : hs_must_dup("the user");
	m->model.what = m->what;
	m->model.source = m->source;
}

int hs_user_model_typed(struct hs_user_model **m, const char *text, struct hs_err *err)
{
	*m = make("expr");
	if (set_formula(*m, text, err) < 0) {
		hs_user_model_free(*m);
		*m = NULL;
		return -1;
	}
	finish(*m);
	return 0;
}

void hs_user_model_free(struct hs_user_model *m)
{
	if (!m)
		return;
	for (size_t j = 0; j < HS_EXPRESSION_PARAMS; j++) {
		free(m->param_what[j]);
		free(m->param_unit[j]);
	}
	hs_expression_free(m->formula);
	free(m->name);
	free(m->what);
	free(m->source);
	free(m->text);
	free(m);
}

/* ------------------------------------------------------------------ from a file */

static void say_unit(struct hs_user_model *m, size_t j, const char *unit)
{
	static const char words[] = "1|x|y|y*x|y/x|1/x";
	static const enum hs_unit_of of[] = { HS_OF_NONE, HS_OF_X, HS_OF_Y, HS_OF_AREA, HS_OF_SLOPE, HS_OF_PER_X };
	const int k = hs_word_index(words, unit);
	struct hs_param_spec *spec = &m->param[j];
	free(m->param_unit[j]);
	spec->unit = m->param_unit[j] = k < 0 ? hs_unit_clean(unit) : NULL;
	spec->unit_of = k < 0 ? HS_OF_OWN : of[k];
}

/* A number, a word, or a number times a word. */
static int say_start(struct hs_user_model *m, size_t j, const char *value, struct hs_err *err)
{
	const char *star = strchr(value, '*'), *word = star ? star + 1 : value;
	m->factor[j] = 1;
	m->seen[j] = hs_word_index(seen_words, word);
	if (m->seen[j] < 0)
		return hs_parse_real(value, &m->param[j].usual, err);
	char *factor = star ? hs_must_printf("%.*s", (int)(star - value), value) : NULL;
	const int verdict = star ? hs_parse_real(factor, &m->factor[j], err) : 0;
	free(factor);
	return verdict;
}

static int say_attribute(struct hs_user_model *m, size_t j, const char *key, const char *value, struct hs_err *err)
{
	struct hs_param_spec *spec = &m->param[j];
	if (!strcmp(key, "unit")) {
		say_unit(m, j, value);
		return 0;
	}
	if (!strcmp(key, "start"))
		return say_start(m, j, value, err);
	if (!strcmp(key, "low"))
		return hs_parse_real(value, &spec->low, err);
	if (!strcmp(key, "high"))
		return hs_parse_real(value, &spec->high, err);
	return hs_fail(err, HS_USAGE, "'%s' is none of start, low, high, unit", key);
}

/* "tau start=1 low=0 time of the decay" */
static int say_parameter(struct hs_user_model *m, char *text, struct hs_err *err)
{
	const size_t n = strcspn(text, " \t");
	char *rest = text + n + (text[n] != 0);
	size_t j = 0;
	text[n] = 0;
	if (!m->formula)
		return hs_fail(err, HS_USAGE, "parameters come after the formula");
	while (j < m->model.n_params && strcmp(m->param[j].name, text))
		j++;
	if (j == m->model.n_params)
		return hs_fail(err, HS_USAGE, "the formula has no parameter '%s'", text);
	for (rest += strspn(rest, " \t"); *rest; rest += strspn(rest, " \t")) {
		const size_t word = strcspn(rest, " \t");
		char *equal = memchr(rest, '=', word);
		if (!equal) {
			free(m->param_what[j]);
			m->param[j].what = m->param_what[j] = hs_must_dup(rest);
			break;
		}
		const bool last = !rest[word];
		rest[word] = *equal = 0;
		if (say_attribute(m, j, rest, equal + 1, err) < 0)
			return -1;
		rest += word + !last;
	}
	return m->param[j].low < m->param[j].high ? 0 :
		hs_fail(err, HS_USAGE, "the lower bound of '%s' is not below the upper one", text);
}

static int say_line(struct hs_user_model *m, char *line, struct hs_err *err)
{
	line[strcspn(line, "#")] = 0;
	line += strspn(line, " \t");
	for (size_t n = strlen(line); n && strchr(" \t\r", line[n - 1]); n--)
		line[n - 1] = 0;
	if (!*line)
		return 0;
	const size_t n = strcspn(line, " \t");
	char *value = line + n + strspn(line + n, " \t");
	line[n] = 0;
	if (!strcmp(line, "background")) {
		m->model.background = true;
		return 0;
	}
	if (!strcmp(line, "parameter"))
		return say_parameter(m, value, err);
	char **text = !strcmp(line, "what") ? &m->what : !strcmp(line, "source") ? &m->source : NULL;
	if (!text && strcmp(line, "formula"))
		return hs_fail(err, HS_USAGE, "'%.30s' is none of what, source, background, formula, parameter", line);
	if (text ? *text != NULL : m->formula != NULL)
		return hs_fail(err, HS_USAGE, "a second '%s'", line);
	if (!text)
		return set_formula(m, value, err);
	*text = hs_must_dup(value);
	return 0;
}

static int read_text(const char *path, FILE *file, char *text, struct hs_err *err)
{
	const size_t n = fread(text, 1, MOST_BYTES, file);
	if (ferror(file))
		return hs_fail_errno(err, "cannot read '%s'", path);
	if (n == MOST_BYTES || memchr(text, 0, n))
		return hs_fail(err, HS_BAD_DATA, "'%s' is no model: it is not a short text", path);
	return 0;
}

static int read_file(struct hs_user_model *m, const char *path, FILE *file, struct hs_err *err)
{
	char *text = hs_must_alloc(MOST_BYTES + 1, 1), *line = text;
	int verdict = read_text(path, file, text, err);
	for (size_t number = 1; verdict == 0 && *line; number++) {
		char *end = strchr(line, '\n'), *next = end ? end + 1 : line + strlen(line);
		if (end)
			*end = 0;
		verdict = say_line(m, line, err);
		if (verdict < 0) {
			hs_err_prepend(err, "'%s', line %zu", path, number);
			err->status = HS_BAD_DATA;
		}
		line = next;
	}
	free(text);
	return verdict == 0 && !m->formula ? hs_fail(err, HS_BAD_DATA, "'%s' has no formula", path) : verdict;
}

/* ------------------------------------------------------------------ where files are */

typedef bool (*at_folder)(void *ctx, const char *folder);

/* Folders one after the other, until fn says true. */
static bool each_folder(at_folder fn, void *ctx)
{
	const char *named = getenv("HS_MODELS");
	char program[PATH_MAX], *copy = hs_must_dup(named ? named : ""), *save = NULL;
	bool done = false;
	for (char *word = strtok_r(copy, ":", &save); word && !done; word = strtok_r(NULL, ":", &save))
		done = fn(ctx, word);
	free(copy);
	const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
	program[n > 0 ? n : 0] = 0;
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(program, '/');
		if (slash)
			*slash = 0;
	}
	static const char *const beside[] = { "share/hstools/models", "share/models" };
	for (size_t i = 0; *program && i < HS_LEN(beside) && !done; i++) {
		char *folder = hs_must_printf("%s/%s", program, beside[i]);
		done = fn(ctx, folder);
		free(folder);
	}
	return done || fn(ctx, ".");
}

struct looking {
	const char *name;
	char *path;
	FILE *file;
};

static bool open_there(void *ctx, const char *folder)
{
	struct looking *l = ctx;
	char *path = hs_must_printf("%s/%s" SUFFIX, folder, l->name);
	l->file = fopen(path, "re");
	if (l->file)
		l->path = path;
	else
		free(path);
	return l->file != NULL;
}

/* The last part of a path, without its suffix, as a name. */
static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *base = hs_must_dup(slash ? slash + 1 : path), *name;
	if (hs_ends(base, SUFFIX))
		base[strlen(base) - strlen(SUFFIX)] = 0;
	name = hs_clean_name(base);
	free(base);
	return name;
}

int hs_user_model_find(struct hs_user_model **m, const char *name, struct hs_err *err)
{
	struct looking l = { .name = name };
	*m = NULL;
	if (strchr(name, '/')) {
		l.path = hs_must_dup(name);
		l.file = fopen(name, "re");
		if (!l.file) {
			free(l.path);
			return hs_fail_errno(err, "cannot open '%s'", name);
		}
	} else {
		each_folder(open_there, &l);
	}
	if (!l.file)
		return 0;
	char *clean = name_of(name);
	*m = make(clean);
	free(clean);
	const int verdict = read_file(*m, l.path, l.file, err);
	fclose(l.file);
	free(l.path);
	if (verdict < 0) {
		hs_user_model_free(*m);
		*m = NULL;
		return -1;
	}
	finish(*m);
	return 0;
}

struct names {
	char **name;
	size_t n;
};

static bool list_there(void *ctx, const char *folder)
{
	struct names *list = ctx;
	DIR *dir = opendir(folder);
	for (const struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
		const size_t n = strlen(entry->d_name), suffix = strlen(SUFFIX);
		bool known = false;
		if (n <= suffix || strcmp(entry->d_name + n - suffix, SUFFIX))
			continue;
		char *name = hs_must_printf("%.*s", (int)(n - suffix), entry->d_name);
		for (size_t i = 0; i < list->n; i++)
			known |= !strcmp(list->name[i], name);
		if (known) {
			free(name);
			continue;
		}
		list->name = hs_must_resize(list->name, list->n + 1, sizeof *list->name);
		list->name[list->n++] = name;
	}
	if (dir)
		closedir(dir);
	return false;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **hs_user_model_names(size_t *n)
{
	struct names list = { 0 };
	each_folder(list_there, &list);
	if (list.n)
		qsort(list.name, list.n, sizeof *list.name, by_text);
	*n = list.n;
	return list.name;
}

/* ------------------------------------------------------------------ in use */

bool hs_user_model_eval(const struct hs_user_model *m, const struct hs_grid *g, const double *p, double *y, double *dy)
{
	hs_expression_eval(m->formula, g->x, g->n, p, y, dy);
	return true;
}

bool hs_user_model_wants(const struct hs_user_model *m, size_t j)
{
	return !m->param[j].linear && m->seen[j] < 0 && isnan(m->param[j].usual);
}

static double seen(int what, const struct hs_grid *g, const struct hs_peak_guess *peak)
{
	double low = INFINITY, high = -INFINITY;
	for (size_t i = 0; i < g->n; i++) {
		low = fmin(low, g->x[i]);
		high = fmax(high, g->x[i]);
	}
	switch (what) {
	case PEAK_HEIGHT: return peak->height;
	case PEAK_CENTRE: return peak->centre;
	case PEAK_WIDTH: return peak->width;
	case X_LOW: return low;
	case X_HIGH: return high;
	case X_MIDDLE: return 0.5 * (low + high);
	default: return high - low;
	}
}

bool hs_user_model_guess(const struct hs_user_model *m, const struct hs_grid *g, const double *y, const double *weight, double *p)
{
	struct hs_peak_guess peak;
	bool looked = false;
	for (size_t j = 0; j < m->model.n_params; j++) {
		if (!isnan(p[j]))
			continue;
		if (m->seen[j] < 0) {
			if (!m->param[j].linear)
				return false;
			p[j] = 0;
			continue;
		}
		if (m->seen[j] <= PEAK_WIDTH && !looked && !hs_guess_peak(g, y, weight, &peak))
			return false;
		looked |= m->seen[j] <= PEAK_WIDTH;
		p[j] = m->factor[j] * seen(m->seen[j], g, &peak);
	}
	return true;
}
