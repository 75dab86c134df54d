#include "store/h5walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "store/h5object.h"
#include "store/names.h"

char *hs_h5_join(const char *path, const char *name)
{
	return hs_must_printf("%s%s%s", path, hs_ends(path, "/") ? "" : "/", name);
}

void hs_h5_free_list(char **list, size_t n)
{
	for (size_t i = 0; list && i < n; i++)
		free(list[i]);
	free(list);
}

static herr_t add_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
	struct hs_names *names = ctx;
	if (names->n >= HS_H5_MAX_ENTRIES)
		return 1;
	if ((info->type != H5L_TYPE_HARD && info->type != H5L_TYPE_SOFT) || !*name || strchr(name, '/') || !strcmp(name, "."))
		return 0;
	if (info->type == H5L_TYPE_SOFT && H5Oexists_by_name(group, name, hs_h5_inside()) <= 0)
		return 0;
	hs_names_add(names, hs_must_dup(name));
	return 0;
}

/* *broken: the list ends early because the file is damaged there. */
static char **children(struct hs_h5 *file, const char *path, size_t *n, bool *broken)
{
	struct hs_names names = { 0 };
	*n = 0;
	*broken = false;
	if (hs_h5_kind(file, path) != HS_H5_GROUP)
		return NULL;
	const struct hs_h5_object *group = hs_h5_hold(file, path);
	*broken = !group || H5Literate(group->id, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, add_link, &names) < 0;
	return hs_names_take(&names, true, n);
}

char **hs_h5_children(struct hs_h5 *file, const char *path, size_t *n)
{
	bool broken;
	return children(file, path, n, &broken);
}

static bool seen_put(struct hs_h5_seen *seen, haddr_t address)
{
	size_t i = (size_t)(address * 0x9e3779b97f4a7c15u >> 20) & (seen->room - 1);
	for (; seen->slot[i] != HADDR_UNDEF; i = (i + 1) & (seen->room - 1))
		if (seen->slot[i] == address)
			return false;
	seen->slot[i] = address;
	seen->n++;
	return true;
}

bool hs_h5_first_visit(struct hs_h5_seen *seen, haddr_t address)
{
	if (2 * seen->n >= seen->room) {
		const struct hs_h5_seen old = *seen;
		*seen = (struct hs_h5_seen){ .room = old.room ? 2 * old.room : 64 };
		seen->slot = hs_must_alloc(seen->room, sizeof *seen->slot);
		memset(seen->slot, 0xff, seen->room * sizeof *seen->slot);
		for (size_t i = 0; i < old.room; i++)
			if (old.slot[i] != HADDR_UNDEF)
				seen_put(seen, old.slot[i]);
		free(old.slot);
	}
	return seen_put(seen, address);
}

struct walk {
	struct hs_h5 *file;
	hs_h5_visit_fn fn;
	void *ctx;
	struct hs_h5_seen seen;
	bool broken;
};

static int walk(struct walk *w, const char *path, int depth)
{
	const struct hs_h5_object *o = hs_h5_hold(w->file, path);        /* fn will ask for more than its kind */
	if (!o)
		o = hs_h5_look(w->file, path);
	if (!o || w->seen.n >= HS_H5_MAX_ENTRIES)
		return 0;
	if ((o->type != H5O_TYPE_GROUP && o->type != H5O_TYPE_DATASET) || !hs_h5_first_visit(&w->seen, o->address))
		return 0;
	const bool group = o->type == H5O_TYPE_GROUP;
	int verdict = w->fn(w->ctx, w->file, path, group ? HS_H5_GROUP : HS_H5_DATASET);
	if (verdict || !group)
		return verdict;
	size_t n;
	bool broken;
	char **name = children(w->file, path, &n, &broken);
	w->broken |= broken;
	for (size_t i = 0; i < n && depth < HS_H5_MAX_DEPTH && !verdict; i++) {
		char *child = hs_h5_join(path, name[i]);
		verdict = walk(w, child, depth + 1);
		free(child);
	}
	hs_h5_free_list(name, n);
	return verdict;
}

int hs_h5_walk(struct hs_h5 *file, const char *from, hs_h5_visit_fn fn, void *ctx)
{
	struct walk w = { .file = file, .fn = fn, .ctx = ctx };
	const int verdict = walk(&w, from, 0);
	free(w.seen.slot);
	return verdict;
}

int hs_h5_walk_all(struct hs_h5 *file, hs_h5_visit_fn fn, void *ctx, bool *broken)
{
	struct walk w = { .file = file, .fn = fn, .ctx = ctx };
	const int verdict = walk(&w, "/", 0);
	free(w.seen.slot);
	*broken = w.broken;
	return verdict;
}
