/* hsplot - draw what a file shows. See hsplot(1). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/units.h"
#include "picture/picture.h"
#include "picture/stamp.h"
#include "draw/terminal.h"
#include "store/draft.h"

struct params {
	const char *output, *size;
	bool force, dry_run, svg, raw, grey16, terminal;
	uint64_t scale;
	int show, colormap;           /* colormap: 0 is "auto", then enum hs_colormap_kind + 1 */
	struct hs_wish wish;
};

struct form {
	bool terminal;
	enum hs_picture kind;
	struct hs_figure page;
};

/* "800x600" in device pixels. */
static int parse_size(const struct params *p, struct hs_figure *page, struct hs_err *err)
{
	uint64_t side[2];
	if (hs_parse_extent(p->size, "WIDTHxHEIGHT", HS_LEN(side), side, err) < 0)
		return hs_err_prepend(err, "--size");
	if (side[0] < 64 || side[1] < 64 || side[0] > 32767 || side[1] > 32767)
		return hs_fail(err, HS_USAGE, "--size: %.40s is outside 64 .. 32767 px a side", p->size);
	page->width = (double)side[0] / page->scale;
	page->height = (double)side[1] / page->scale;
	return 0;
}

/* What comes out: a terminal gets a preview, a file what its name says, a pipe a PNG. */
static int choose_form(const struct params *p, struct form *form, struct hs_err *err)
{
	const char *slash = p->output ? strrchr(p->output, '/') : NULL, *base = slash ? slash + 1 : p->output;
	const char *dot = base ? strrchr(base, '.') : NULL;
	const bool to_stdout = !p->output || !strcmp(p->output, "-");
	form->page.scale = (double)p->scale;
	form->terminal = p->terminal || (to_stdout && isatty(STDOUT_FILENO));
	form->kind = p->svg || (dot && hs_same_word(dot, ".svg")) ? HS_PICTURE_SVG : HS_PICTURE_PNG;
	if (to_stdout && fcntl(STDOUT_FILENO, F_GETFD) < 0)           /* before a file that we open takes its place */
		return hs_fail_errno(err, "cannot write to standard output");
	if (p->terminal && !to_stdout)
		return hs_fail(err, HS_USAGE, "--terminal prints: it takes no -o");
	if (p->terminal && (p->raw || p->svg))
		return hs_fail(err, HS_USAGE, "--terminal does not go with --%s", p->raw ? "raw" : "svg");
	if (p->grey16 && !p->raw)
		return hs_fail(err, HS_USAGE, "--grey16 is a form of --raw");
	if (p->raw && form->kind == HS_PICTURE_SVG)
		return hs_fail(err, HS_USAGE, "--raw makes PNG only");
	if (p->raw && p->size)
		return hs_fail(err, HS_USAGE, "--raw has one pixel a data pixel: it takes no --size");
	if (!to_stdout && dot > base && !p->svg && !hs_same_word(dot, ".svg") && !hs_same_word(dot, ".png"))
		return hs_fail(err, HS_USAGE, "'%s' ends neither in .png nor in .svg", p->output);
	return p->size ? parse_size(p, &form->page, err) : 0;
}

static size_t terminal_columns(void)
{
	struct winsize size;
	uint64_t n;
	struct hs_err ignored = { 0 };
	const char *columns = getenv("COLUMNS");
	if (columns && hs_parse_count(columns, &n, &ignored) == 0 && n >= 20 && n <= 1000)
		return (size_t)n;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

static int print_preview(const struct hs_plan *plan, struct hs_err *err)
{
	struct hs_str text = { 0 };
	const int verdict = hs_plan_preview(plan, terminal_columns(), hs_terminal_colour(), &text, err);
	if (verdict == 0)
		hs_say("%s", hs_str_get(&text));
	hs_str_release(&text);
	return verdict;
}

static int write_bytes(const struct params *p, const struct hs_str *bytes, struct hs_err *err)
{
	struct hs_draft draft;
	if (hs_draft_open(&draft, p->output, p->force, err) < 0)
		return -1;
	draft.for_pipe = false;               /* a picture is for other programs: no hand-over header */
	for (size_t done = 0; done < bytes->len;) {
		const ssize_t n = write(draft.fd, bytes->text + done, bytes->len - done);
		if (n < 0 && errno != EINTR) {
			hs_fail_errno(err, "cannot write '%s'", p->output ? p->output : "standard output");
			hs_draft_abandon(&draft);
			return -1;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return hs_draft_commit(&draft, err);
}

static int write_picture(struct hs_run *run, const struct hs_plan *plan, const struct form *form, const char *file,
	const char *signal, struct hs_err *err)
{
	const struct params *p = run->tool->params;
	struct hs_step step = hs_session_step(run);
	char *software = hs_must_printf("%s (hstools) %s", step.program, step.version);
	const struct hs_png_text text[] = { { "Title", plan->title }, { "Software", software }, { "Source", file },
		{ "hstools:signal", signal }, { "hstools:command", step.command } };
	struct hs_str bytes = { 0 };
	int verdict = p->raw ? hs_plan_raw(plan, p->grey16, hs_bytes_to_str, &bytes, err) :
		hs_plan_figure(plan, &form->page, form->kind, hs_bytes_to_str, &bytes, err);
	if (verdict == 0)
		verdict = hs_stamp(&bytes, form->kind, text, HS_LEN(text), err);
	if (verdict == 0)
		verdict = write_bytes(p, &bytes, err);
	hs_str_release(&bytes);
	hs_step_release(&step);
	free(software);
	return verdict;
}

static int run(struct hs_run *run, struct hs_err *err)
{
	struct params *p = run->tool->params;
	struct form form = { 0 };
	struct hs_plan plan;
	struct hs_in *in;
	size_t signal;
	p->wish.show = (enum hs_show)p->show;
	p->wish.colormap = p->colormap - 1;
	run->common.output = p->output;
	run->common.dry_run = p->dry_run;
	if (choose_form(p, &form, err) < 0 || hs_session_input(run, 0, &in, &signal, err) < 0)
		return -1;
	int verdict = hs_picture_plan(&plan, run, in, signal, &p->wish, err);
	if (verdict == 0 && !hs_session_dry(run, "draw %s of %s (%zu panels)", hs_in_path(in, signal), hs_in_name(in), plan.n))
		verdict = form.terminal ? print_preview(&plan, err) :
			write_picture(run, &plan, &form, hs_in_name(in), hs_in_path(in, signal), err);
	hs_plan_release(&plan);
	hs_in_close(in);
	return verdict;
}

int main(int argc, char **argv)
{
	struct params p = { .scale = 1 };
	char *colormaps = hs_must_printf("auto|%s", hs_colormap_list());
	const struct hs_opt options[] = {
		HS_OPT_TEXT('o', "output", &p.output, "FILE", "write to FILE (.png, .svg) instead of standard output"),
		HS_OPT_FLAG('f', "force", &p.force, "replace an existing FILE"),
		HS_OPT_FLAG(0, "svg", &p.svg, "SVG, whatever the file is called"),
		HS_OPT_FLAG('t', "terminal", &p.terminal, "a preview as text; what a terminal gets anyway"),
		HS_OPT_CHOICE('k', "kind", &p.show, HS_SHOW_WORDS, "what to draw"),
		HS_OPT_TEXT('c', "component", &p.wish.components, "LIST", "only these components, from 1: 1,3-5"),
		HS_OPT_TEXT(0, "at", &p.wish.at, "PLACES", "the spectra at x=3nm,y=5nm;x=8nm,y=5nm"),
		HS_OPT_TEXT('e', "energy", &p.wish.window, "LO:HI", "the part 280:320eV of the spectral axis"),
		HS_OPT_TEXT('l', "limits", &p.wish.limits, "LO:HI", "of the values, or robust (0.5 to 99.5 %) or full"),
		HS_OPT_CHOICE(0, "colormap", &p.colormap, colormaps, "colours of maps"),
		HS_OPT_FLAG(0, "log", &p.wish.log, "logarithmic values"),
		HS_OPT_FLAG(0, "stack", &p.wish.stacked, "curves one above the other"),
		HS_OPT_TEXT(0, "title", &p.wish.title, "TEXT", "title of the figure"),
		HS_OPT_TEXT('s', "size", &p.size, "WxH", "size of the picture in pixels: 800x600"),
		HS_OPT_COUNT(0, "scale", &p.scale, "N", 1, 8, "pixels a unit of drawing: 3 for print"),
		HS_OPT_FLAG(0, "raw", &p.raw, "the map alone, a pixel for a pixel"),
		HS_OPT_FLAG(0, "grey16", &p.grey16, "with --raw: 16-bit grey instead of colours"),
		HS_OPT_FLAG('n', "dry-run", &p.dry_run, "say what would be done, do nothing"),
	};
	const struct hs_tool tool = { .name = "hsplot", .summary = "draw maps, spectra, components and labels as PNG, SVG or text",
		.operands = "[FILE]", .max_operands = 1, .takes = "a signal of any shape", .gives = "a picture",
		.example = "hsload grid.3ds | hspca -k 4 | hsplot -o pca.png", .uses = HS_USES_SIGNAL | HS_USES_ROWS,
		.options = options, .n_options = HS_LEN(options), .params = &p, .run = run };
	const int status = hs_main(&tool, argc, argv);
	free(colormaps);
	return status;
}
