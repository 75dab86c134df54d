/* nanonis3ds - Nanonis grid spectroscopy (.3ds).
 *
 * A text header (Key=value, Latin-1, to the line ":HEADER_END:"), then big-endian float32 only. Each pixel is one record:
 * the parameters, then the points of the first channel, of the second ... Pixels run along x first, from the lowest y up.
 * Every channel becomes a signal (y, x, sweep) and every parameter an image "parameter_<name>" (y, x), all by strides into
 * the records; nothing is copied.
 *
 * Positions: points sit on pixel centres. x and y are the axes of the scan frame, moved to its centre; when the frame is
 * turned (angle t, clockwise), the main signal also carries x_position and y_position of each pixel:
 *   x = cx + u cos t + w sin t,  y = cy - u sin t + w cos t.
 * Sweep: linear from Sweep Start to Sweep End, the first two parameters of a pixel; those of the first pixel make the axis.
 * Filetype MLS: joined segments from the header. When the swept quantity was recorded as a channel and is the same for all
 * pixels, its values are the axis, unless they are the line or the segments to within float32 rounding.
 * Backward channels ([bwd]): Nanonis stores them point by point beside the forward channel, not in the order of time (seen:
 * correlation 0.999 with the forward current as stored, -0.999 reversed), so they have the same axis and stay as they are.
 *
 * An aborted grid has fewer records than its header promises: what is missing becomes NaN (values.end), with a warning.
 * Older files lack Filetype, Sweep Signal and times; all of them are optional here. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "formats/format.h"
#include "formats/text.h"

enum {
	MAX_HEADER = 16 << 20,
	MAX_SIGNALS = 8192,           /* channels and parameters: some 100 in real files, more when every sweep is kept */
	MAX_ABSENT = 1 << 22,         /* pixels a header may promise that the file does not hold: 2048 x 2048 */
	MAX_AXIS_VALUES = 1 << 26,    /* of all signals together */
	MAX_PROBES = 4096             /* pixels that are compared with the first one; beyond, every n-th is taken */
};

struct names {
	size_t n;
	char **name;                  /* borrowed from text */
	char *text;
};

struct grid {
	const struct hs_bytes *file;
	size_t nx, ny, points, n_parameters, record;     /* record: bytes of a pixel */
	struct names channels, parameters;
	uint64_t start;               /* of the first record */
	size_t n_held;                /* complete records in the file */
	char *sweep_name, *sweep_unit;
	struct hs_axis x, y, sweep;
	double *x_position, *y_position;                 /* of a turned grid, else NULL */
};

/* ---------------------------------------------------------------------------------------------- the header */

/* The whole header with its last line: *n bytes, ended by NUL; NULL and err when there is no end of it. */
static char *read_header(const struct hs_bytes *file, size_t *n, struct hs_err *err)
{
	static const char mark[] = ":HEADER_END:";
	char *text = NULL;
	for (size_t have = 0, want = 1 << 16; ; want *= 4) {
		if (want > MAX_HEADER)
			want = MAX_HEADER;
		if (want > file->size)
			want = (size_t)file->size;
		text = hs_must_resize(text, want + 1, 1);
		if (hs_bytes_read(file, have, text + have, want - have, err) < 0)
			break;
		const size_t from = have > sizeof mark ? have - sizeof mark : 0;
		for (char *p = text + from; (p = memmem(p, want - (size_t)(p - text), mark, sizeof mark - 1)); p++) {
			if (p > text && p[-1] != '\n' && p[-1] != '\r')
				continue;
			size_t end = (size_t)(p - text) + sizeof mark - 1;
			/* the line end behind the mark may not be in this piece yet */
			unsigned char tail[2] = { 0 };
			const size_t left = file->size - end < 2 ? (size_t)(file->size - end) : 2;
			if (left && hs_bytes_read(file, end, tail, left, err) < 0)
				break;
			end += tail[0] == '\r' && tail[1] == '\n' ? 2 : tail[0] == '\n';
			text = hs_must_resize(text, end + 1, 1);
			if (hs_bytes_read(file, 0, text, end, err) < 0)
				break;
			text[end] = 0;
			*n = end;
			return text;
		}
		have = want;
		if (hs_failed(err) || have == file->size || have == MAX_HEADER)
			break;
	}
	hs_fail(err, HS_BAD_DATA, "its header has no end (no line :HEADER_END:)");
	free(text);
	return NULL;
}

static void read_pairs(struct hs_scan *scan, const char *header)
{
	char *copy = hs_must_dup(header), *at = copy;
	for (char *line; (line = hs_text_line(&at)); ) {
		char *value = strchr(line, '=');
		if (!value)
			continue;
		*value++ = 0;
		value = hs_text_unquote(value);
		char *clean_key = hs_utf8(line, strlen(line)), *clean_value = hs_utf8(value, strlen(value));
		hs_scan_add_pair(scan, clean_key, clean_value);
		free(clean_key);
		free(clean_value);
	}
	free(copy);
}

/* The first entry of that name counts; NULL when there is none. */
static const char *get(const struct hs_scan *scan, const char *key)
{
	for (size_t i = 0; i < scan->n_pairs; i++)
		if (!strcmp(scan->pair[i].key, key))
			return scan->pair[i].value;
	return NULL;
}

static int count(const struct hs_scan *scan, const char *key, size_t *n, struct hs_err *err)
{
	const char *text = get(scan, key);
	uint64_t value;
	if (!text)
		return hs_fail(err, HS_BAD_DATA, "its header lacks '%s'", key);
	if (hs_text_count(text, key, &value, err) < 0)
		return -1;
	if (value > INT32_MAX)
		return hs_fail(err, HS_BAD_DATA, "%s: %llu is beyond any grid", key, (unsigned long long)value);
	*n = value;
	return 0;
}

/* "20 x 20": columns x rows. */
static int grid_size(const struct hs_scan *scan, struct grid *g, struct hs_err *err)
{
	const char *text = get(scan, "Grid dim");
	if (!text)
		return hs_fail(err, HS_BAD_DATA, "its header lacks 'Grid dim'");
	char *copy = hs_must_dup(text), *x = strchr(copy, 'x');
	uint64_t nx = 0, ny = 0;
	int status = 0;
	if (!x) {
		status = hs_fail(err, HS_BAD_DATA, "Grid dim: '%.40s' is not like '20 x 20'", text);
	} else {
		*x = 0;
		if (hs_text_count(hs_text_trim(copy), "Grid dim", &nx, err) < 0 ||
		    hs_text_count(hs_text_trim(x + 1), "Grid dim", &ny, err) < 0)
			status = -1;
		else if (!nx || !ny || nx > INT32_MAX || ny > INT32_MAX)
			status = hs_fail(err, HS_BAD_DATA, "Grid dim: '%.40s' is not the size of a grid", text);
	}
	free(copy);
	g->nx = nx;
	g->ny = ny;
	return status;
}

/* Appends the entries of "A;B;C"; none when the header has no such key. */
static void split_names(struct names *list, const char *text)
{
	if (!text || !*text)
		return;
	char *joined = list->text ? hs_must_printf("%s;%s", list->text, text) : hs_must_dup(text);
	free(list->text);
	free(list->name);
	*list = (struct names){ .text = joined, .n = 1 };
	for (const char *p = joined; *p; p++)
		list->n += *p == ';';
	list->name = hs_must_alloc(list->n, sizeof *list->name);
	char *at = joined;
	for (size_t i = 0; i < list->n; i++) {
		char *end = at + strcspn(at, ";");
		list->name[i] = at;
		at = *end ? end + 1 : end;
	}
}

/* Once all are there: cuts them apart. */
static void cut_names(struct names *list)
{
	for (size_t i = 0; i < list->n; i++) {
		list->name[i][strcspn(list->name[i], ";")] = 0;
		list->name[i] = hs_text_trim(list->name[i]);
	}
}

/* "LI Demod 1 X [bwd] (A)" -> "LI Demod 1 X [bwd]" and "A"; caller frees both. */
static void split_unit(const char *name, char **quantity, char **unit)
{
	const size_t n = strlen(name);
	const char *open = strrchr(name, '(');
	if (open && n && name[n - 1] == ')' && open > name) {
		*unit = hs_must_printf("%.*s", (int)(n - 1 - (size_t)(open + 1 - name)), open + 1);
		*quantity = hs_must_printf("%.*s", (int)(open - name), name);
		char *end = *quantity + strlen(*quantity);
		while (end > *quantity && isspace((unsigned char)end[-1]))
			*--end = 0;
	} else {
		*unit = hs_must_dup("1");
		*quantity = hs_must_dup(name);
	}
}

/* Numbers "1;2;3" into value[n]; false when there are fewer. */
static bool numbers(const char *text, char separator, size_t n, double *value)
{
	char *copy = hs_must_dup(text ? text : ""), *at = copy;
	size_t done = 0;
	for (char *next; done < n && at; at = next) {
		struct hs_err ignored = { 0 };
		if ((next = strchr(at, separator)))
			*next++ = 0;
		if (hs_text_real(hs_text_trim(at), "", &value[done], &ignored) < 0)
			break;
		done++;
	}
	free(copy);
	return done == n;
}

/* The sizes of everything, checked against the file before anything is made of them. */
static int layout(struct hs_scan *scan, struct grid *g, struct hs_err *err)
{
	size_t values, promised, bytes, n_axis_values;
	if (grid_size(scan, g, err) < 0 || count(scan, "Points", &g->points, err) < 0)
		return -1;
	if (!g->points)
		return hs_fail(err, HS_BAD_DATA, "Points: a sweep has at least one");
	split_names(&g->channels, get(scan, "Channels"));
	cut_names(&g->channels);
	if (!g->channels.n)
		return hs_fail(err, HS_BAD_DATA, "its header names no channels");
	split_names(&g->parameters, get(scan, "Fixed parameters"));
	split_names(&g->parameters, get(scan, "Experiment parameters"));
	cut_names(&g->parameters);
	g->n_parameters = g->parameters.n;
	if (get(scan, "# Parameters (4 byte)") && count(scan, "# Parameters (4 byte)", &g->n_parameters, err) < 0)
		return -1;
	if (g->n_parameters != g->parameters.n)
		hs_warn("%s: header counts %zu parameters and names %zu: the count is taken", g->file->name, g->n_parameters,
			g->parameters.n);
	if (g->channels.n + g->n_parameters > MAX_SIGNALS)
		return hs_fail(err, HS_BAD_DATA, "%zu channels and %zu parameters are beyond any grid", g->channels.n,
			g->n_parameters);

	if (!hs_mul(g->channels.n, g->points, &values) || __builtin_add_overflow(values, g->n_parameters, &values) ||
	    !hs_mul(values, sizeof(float), &g->record) || !hs_mul(g->nx, g->ny, &promised) ||
	    !hs_mul(promised, g->record, &bytes) || bytes > INT64_MAX)
		return hs_fail(err, HS_BAD_DATA, "%zu x %zu points of %zu x %zu values are beyond any file", g->nx, g->ny,
			g->channels.n, g->points);
	const char *said = get(scan, "Experiment size (bytes)");
	char *made = hs_must_printf("%zu", g->record - 4 * g->n_parameters);
	if (said && strcmp(said, made))
		hs_warn("%s: header gives a pixel '%.40s' bytes, its channels and points make %s: the latter is taken",
			g->file->name, said, made);
	free(made);

	const uint64_t left = g->file->size - g->start;
	const size_t in_file = (size_t)(left / g->record);
	g->n_held = in_file < promised ? in_file : promised;
	if (!g->n_held)
		return hs_fail(err, HS_BAD_DATA, "header promises %zu points, file ends before the first is complete", promised);
	if (promised - g->n_held > MAX_ABSENT)
		return hs_fail(err, HS_BAD_DATA, "header promises %zu points, file ends after %zu", promised, g->n_held);
	if (!hs_mul(g->channels.n + g->n_parameters, g->nx + g->ny + g->points, &n_axis_values) ||
	    n_axis_values > MAX_AXIS_VALUES)
		return hs_fail(err, HS_BAD_DATA, "%zu signals of %zu x %zu x %zu are beyond any grid",
			g->channels.n + g->n_parameters, g->ny, g->nx, g->points);
	if (g->n_held < promised)
		hs_warn("%s: header promises %zu points, file ends after %zu: the other %zu are NaN", g->file->name, promised,
			g->n_held, promised - g->n_held);
	else if (left > bytes)
		hs_warn("%s: %llu bytes behind the last point are ignored", g->file->name, (unsigned long long)(left - bytes));
	return 0;
}

/* ------------------------------------------------------------------------------------------------- the axes */

static int read_floats(const struct grid *g, size_t pixel, size_t first, size_t n, float *out, struct hs_err *err)
{
	if (hs_bytes_read(g->file, g->start + (uint64_t)pixel * g->record + 4 * (uint64_t)first, out, 4 * n, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;
		memcpy(&bits, &out[i], 4);
		bits = __builtin_bswap32(bits);
		memcpy(&out[i], &bits, 4);
	}
	return 0;
}

/* Every how many pixels one is compared with the first. */
static size_t probe_step(const struct grid *g)
{
	return (g->n_held + MAX_PROBES - 1) / MAX_PROBES;
}

static struct hs_axis index_axis(const char *name, enum hs_axis_kind kind, size_t n)
{
	return hs_axis_uniform(name, "1", NULL, kind, n, 0, 1);
}

static struct hs_axis centred_axis(const char *name, size_t n, double centre, double width)
{
	double *value = hs_must_alloc(n, sizeof *value);
	for (size_t i = 0; i < n; i++)
		value[i] = centre + (((double)i + 0.5) / (double)n * width - width / 2);
	struct hs_axis a = hs_axis_values(name, "m", NULL, HS_AXIS_SPATIAL, n, value);
	free(value);
	return a;
}

/* Offset of point i of n from the centre of a frame, in the order hs_scan_add leaves: ascending. */
static double ascending_offset(size_t i, size_t n, double width)
{
	return ((double)i + 0.5) / (double)n * fabs(width) - fabs(width) / 2;
}

static int place(const struct hs_scan *scan, struct grid *g, struct hs_err *err)
{
	double s[5] = { 0 };                      /* centre x, centre y, width, height (m), angle (degrees) */
	const bool known = numbers(get(scan, "Grid settings"), ';', 5, s);
	if (known) {
		g->x = centred_axis("x", g->nx, s[0], s[2]);
		g->y = centred_axis("y", g->ny, s[1], s[3]);
	}
	if (!known || !hs_axis_is_monotonic(&g->x) || !hs_axis_is_monotonic(&g->y)) {
		hs_warn("%s: the header gives the grid no usable place and size ('Grid settings'): pixels are counted",
			g->file->name);
		hs_axis_release(&g->x);
		hs_axis_release(&g->y);
		g->x = index_axis("x", HS_AXIS_SPATIAL, g->nx);
		g->y = index_axis("y", HS_AXIS_SPATIAL, g->ny);
		return 0;
	}
	if (s[4] == 0)
		return 0;
	const double t = s[4] * M_PI / 180, c = cos(t), d = sin(t);
	g->x_position = hs_alloc(g->nx * g->ny, sizeof(double), err);
	g->y_position = hs_alloc(g->nx * g->ny, sizeof(double), err);
	if (hs_failed(err))
		return -1;
	for (size_t j = 0; j < g->ny; j++)
		for (size_t i = 0; i < g->nx; i++) {
			const double u = ascending_offset(i, g->nx, s[2]), w = ascending_offset(j, g->ny, s[3]);
			g->x_position[j * g->nx + i] = s[0] + u * c + w * d;
			g->y_position[j * g->nx + i] = s[1] - u * d + w * c;
		}
	return 0;
}

/* The joined segments "start,end,settling,integration,steps,...;..." of a multi-line sweep; neighbours share a point. */
static bool segments(const struct hs_scan *scan, const struct grid *g, double *value)
{
	const char *text = NULL;
	for (size_t i = 0; i < scan->n_pairs && !text; i++)
		if (strstr(scan->pair[i].key, "Segment Start"))
			text = scan->pair[i].value;
	if (!text)
		return false;
	size_t n_segments = 0, total = 0;
	double field[5];
	for (const char *p = text; p; p = strchr(p, ';') ? strchr(p, ';') + 1 : NULL) {
		char *one = hs_must_printf("%.*s", (int)strcspn(p, ";"), p);
		const bool ok = numbers(one, ',', 5, field) && field[4] >= 1 && field[4] <= INT32_MAX;
		free(one);
		if (!ok)
			return false;
		n_segments++;
		total += (size_t)field[4];
	}
	const size_t shared = total == g->points ? 0 : 1;
	if (total - shared * (n_segments - 1) != g->points)
		return false;
	size_t k = 0;
	for (const char *p = text; p; p = strchr(p, ';') ? strchr(p, ';') + 1 : NULL) {
		char *one = hs_must_printf("%.*s", (int)strcspn(p, ";"), p);
		numbers(one, ',', 5, field);
		free(one);
		const size_t steps = (size_t)field[4];
		for (size_t i = k ? shared : 0; i < steps && k < g->points; i++)
			value[k++] = field[0] + (steps > 1 ? (field[1] - field[0]) * (double)i / (double)(steps - 1) : 0);
	}
	return k == g->points;
}

/* Is this channel a record of the swept quantity ("Bias [bwd] (V)" for "Bias (V)")? */
static bool is_swept(const struct grid *g, const char *channel)
{
	char *quantity, *unit;
	split_unit(channel, &quantity, &unit);
	for (char *tag; (tag = strrchr(quantity, '[')) && tag > quantity && strchr(tag, ']'); ) {
		while (tag > quantity && isspace((unsigned char)tag[-1]))
			tag--;
		*tag = 0;
	}
	const bool same = !strcmp(quantity, g->sweep_name) && !strcmp(unit, g->sweep_unit);
	free(quantity);
	free(unit);
	return same;
}

/* The recorded sweep of the first pixel, when it is the same in all; 0 not there or differing, 1 found, -1 failed. */
static int recorded_sweep(const struct grid *g, double *value, struct hs_err *err)
{
	size_t channel = 0;
	while (channel < g->channels.n && (!is_swept(g, g->channels.name[channel]) || strstr(g->channels.name[channel], "[bwd]")))
		channel++;
	if (channel == g->channels.n)
		return 0;
	const size_t first = g->n_parameters + channel * g->points;
	float *now = hs_alloc(2 * g->points, sizeof *now, err), *reference = now ? now + g->points : NULL;
	if (!now)
		return -1;
	int found = read_floats(g, 0, first, g->points, reference, err) < 0 ? -1 : 1;
	double largest = 0;
	for (size_t i = 0; i < g->points && found == 1; i++) {
		value[i] = (double)reference[i];
		found = isfinite(value[i]) ? 1 : 0;
		largest = fmax(largest, fabs(value[i]));
	}
	for (size_t p = probe_step(g); p < g->n_held && found == 1; p += probe_step(g)) {
		if (read_floats(g, p, first, g->points, now, err) < 0)
			found = -1;
		for (size_t i = 0; i < g->points && found == 1; i++)
			if (!(fabs((double)now[i] - value[i]) <= 1e-6 * largest))
				found = 0;
	}
	free(now);
	return found;
}

/* Start and end of the sweep of the first pixel, with a warning when others differ. */
static int sweep_limits(const struct grid *g, double limit[2], bool *same, struct hs_err *err)
{
	float first[2], other[2];
	if (read_floats(g, 0, 0, 2, first, err) < 0)
		return -1;
	*same = true;
	const float scale = fmaxf(fabsf(first[0]), fabsf(first[1]));
	for (size_t p = probe_step(g); p < g->n_held && *same; p += probe_step(g)) {
		if (read_floats(g, p, 0, 2, other, err) < 0)
			return -1;
		*same = fabsf(other[0] - first[0]) <= 1e-5f * scale && fabsf(other[1] - first[1]) <= 1e-5f * scale;
	}
	limit[0] = (double)first[0];
	limit[1] = (double)first[1];
	return 0;
}

static bool has_limits(const struct grid *g)
{
	return g->parameters.n >= 2 && g->n_parameters >= 2 && strstr(g->parameters.name[0], "Start") &&
	       strstr(g->parameters.name[1], "End");
}

/* The swept quantity; old headers do not say, but have a section of the module that swept. */
static void sweep_signal(const struct hs_scan *scan, struct grid *g)
{
	const char *signal = get(scan, "Sweep Signal");
	for (size_t i = 0; i < scan->n_pairs && (!signal || !*signal); i++)
		signal = hs_starts(scan->pair[i].key, "Bias Spectroscopy>") ? "Bias (V)" :
			hs_starts(scan->pair[i].key, "Z Spectroscopy>") ? "Z (m)" : signal;
	split_unit(signal && *signal ? signal : "Sweep", &g->sweep_name, &g->sweep_unit);
}

static int sweep_values(const struct hs_scan *scan, const struct grid *g, double *value, bool *usable, struct hs_err *err)
{
	const char *type = get(scan, "Filetype");
	const bool multi_line = type && hs_same_word(type, "MLS");
	double limit[2] = { 0 };
	bool same = true;
	*usable = false;
	if (multi_line) {
		*usable = segments(scan, g, value);
	} else if (has_limits(g)) {
		if (sweep_limits(g, limit, &same, err) < 0)
			return -1;
		*usable = isfinite(limit[0]) && isfinite(limit[1]);
		for (size_t i = 0; i < g->points && *usable; i++)
			value[i] = limit[0] + (g->points > 1 ? (limit[1] - limit[0]) * (double)i / (double)(g->points - 1) : 0);
	}
	double *recorded = hs_alloc(g->points, sizeof *recorded, err), largest = 0, apart = 0;
	if (!recorded)
		return -1;
	const int found = recorded_sweep(g, recorded, err);
	for (size_t i = 0; i < g->points && found == 1; i++) {
		largest = fmax(largest, fabs(recorded[i]));
		apart = fmax(apart, fabs(recorded[i] - value[i]));
	}
	/* what was commanded is exact; the record of it has the steps of float32 */
	if (found == 1 && (!*usable || apart > 1e-6 * largest)) {
		memcpy(value, recorded, g->points * sizeof *value);
		*usable = same = true;
	}
	free(recorded);
	if (!same)
		hs_warn("%s: the limits of the sweep differ between pixels: the axis is that of the first", g->file->name);
	return found < 0 ? -1 : 0;
}

static int sweep_axis(const struct hs_scan *scan, struct grid *g, struct hs_err *err)
{
	double *value = hs_alloc(g->points, sizeof *value, err);
	bool usable = false;
	sweep_signal(scan, g);
	if (!value || sweep_values(scan, g, value, &usable, err) < 0) {
		free(value);
		return -1;
	}
	char *name = hs_clean_name(g->sweep_name);
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (usable)
		g->sweep = hs_axis_values(name, g->sweep_unit, g->sweep_name, HS_AXIS_SPECTRAL, g->points, value);
	if (!usable || !hs_axis_is_monotonic(&g->sweep)) {
		hs_warn("%s: the sweep of '%s' has no usable axis%s: its points are counted", g->file->name, g->sweep_name,
			usable ? " (it does not rise or fall throughout)" : "");
		hs_axis_release(&g->sweep);
		g->sweep = index_axis(name, HS_AXIS_SPECTRAL, g->points);
	}
	free(name);
	free(value);
	return 0;
}

/* ---------------------------------------------------------------------------------------------- the signals */

static int add_signal(struct hs_scan *scan, const struct grid *g, const char *full_name, const char *prefix, size_t first,
	bool swept, struct hs_err *err)
{
	const size_t n[] = { g->ny, g->nx, g->points }, rank = swept ? 3 : 2;
	struct hs_values values;
	hs_values_raw(&values, g->file->fd, g->start + 4 * (uint64_t)first, g->start + (uint64_t)g->n_held * g->record, HS_F32,
		true, rank, n, swept ? 1 : 2);
	values.stride[0] = (int64_t)(g->nx * g->record);
	values.stride[1] = (int64_t)g->record;

	char *quantity, *unit;
	split_unit(full_name, &quantity, &unit);
	char *wish = hs_must_printf("%s%s", prefix, quantity), *name = hs_clean_name(wish);
	free(wish);
	for (size_t i = 0; i < scan->n_signals; i++)
		if (!strcmp(scan->signal[i].name, name)) {       /* told apart by their place */
			char *other = hs_must_printf("%s_%zu", name, scan->n_signals + 1);
			free(name);
			name = other;
			break;
		}
	struct hs_signal signal;
	hs_signal_init(&signal, name, quantity, unit, HS_F32);
	hs_signal_set(&signal.title, full_name);
	hs_signal_add_axis(&signal, hs_axis_dup(&g->y));
	hs_signal_add_axis(&signal, hs_axis_dup(&g->x));
	if (swept)
		hs_signal_add_axis(&signal, hs_axis_dup(&g->sweep));
	hs_signal_shape_up(&signal, swept ? 1 : 2);
	free(name);
	free(quantity);
	free(unit);
	return hs_scan_add(scan, &signal, &values, err);
}

static void add_positions(struct hs_signal *signal, const struct grid *g)
{
	static const char *const name[] = { "x_position", "y_position" };
	const double *const value[] = { g->x_position, g->y_position };
	for (size_t k = 0; k < 2; k++) {
		struct hs_coord *c = hs_signal_add_coord(signal, name[k], "m", g->nx * g->ny, value[k]);
		c->n_dims = 2;
		c->dim[0] = 0;
		c->dim[1] = 1;
	}
}

static int add_signals(struct hs_scan *scan, const struct grid *g, struct hs_err *err)
{
	bool main_found = false;
	for (size_t c = 0; c < g->channels.n; c++) {
		if (add_signal(scan, g, g->channels.name[c], "", g->n_parameters + c * g->points, true, err) < 0)
			return -1;
		if (!main_found && !is_swept(g, g->channels.name[c])) {
			scan->main = scan->n_signals - 1;
			main_found = true;
		}
	}
	if (g->x_position)
		add_positions(&scan->signal[scan->main], g);
	for (size_t p = 0; p < g->n_parameters; p++) {
		char *numbered = hs_must_printf("%zu", p + 1);
		const char *said = p < g->parameters.n && *g->parameters.name[p] ? g->parameters.name[p] : numbered;
		/* the limits of the sweep are in its unit and do not say so */
		const bool limit = p < 2 && has_limits(g) && !strchr(said, '(');
		char *name = limit ? hs_must_printf("%s (%s)", said, g->sweep_unit) : hs_must_dup(said);
		const int status = add_signal(scan, g, name, "parameter_", p, false, err);
		free(name);
		free(numbered);
		if (status < 0)
			return -1;
	}
	return 0;
}

static void describe(struct hs_scan *scan, const struct grid *g)
{
	const char *title = get(scan, "Experiment"), *start = get(scan, "Start time");
	if (title && *title)
		scan->title = hs_must_dup(title);
	if (start || (start = get(scan, "Date")))
		scan->start_time = hs_text_date(start, get(scan, "Time"));
	if (!strcmp(g->sweep.units, "V") || hs_same_word(g->sweep_name, "Bias"))
		scan->modality = hs_must_dup("STS");
}

static int sniff(const struct hs_bytes *file, const struct hs_load_options *options)
{
	(void)options;
	const size_t n = file->n_head < 4096 ? file->n_head : 4096;
	static const char key[] = "Grid dim=";
	for (const unsigned char *p = file->head; n && (p = memmem(p, n - (size_t)(p - file->head), key, sizeof key - 1)); p++) {
		if (p == file->head)              /* as in every file seen */
			return 100;
		if (p[-1] == '\n' || p[-1] == '\r')
			return hs_text_is(file->head, (size_t)(p - file->head)) ? 90 : 0;
	}
	return 0;
}

static int open_grid(const struct hs_bytes *file, const struct hs_load_options *options, struct hs_scan *scan, struct hs_err *err)
{
	(void)options;                            /* the axes are known here */
	size_t n_header;
	struct grid g = { .file = file };
	char *header = read_header(file, &n_header, err);
	if (!header)
		return -1;
	hs_scan_set_header(scan, header, n_header);
	read_pairs(scan, header);
	free(header);
	g.start = n_header;
	int status = layout(scan, &g, err);
	if (status == 0)
		status = place(scan, &g, err);
	if (status == 0)
		status = sweep_axis(scan, &g, err);
	if (status == 0)
		status = add_signals(scan, &g, err);
	if (status == 0)
		describe(scan, &g);

	hs_axis_release(&g.x);
	hs_axis_release(&g.y);
	hs_axis_release(&g.sweep);
	free(g.x_position);
	free(g.y_position);
	free(g.sweep_name);
	free(g.sweep_unit);
	free(g.channels.name);
	free(g.channels.text);
	free(g.parameters.name);
	free(g.parameters.text);
	return status;
}

const struct hs_format hs_format_nanonis3ds = { "nanonis-3ds", "Nanonis grid spectroscopy (.3ds)", sniff, open_grid };
