/* The metadata of h5tree.h as JSON. */
#include "store/h5tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/h5place.h"
#include "store/h5walk.h"

enum { MAX_JSON_ITEMS = 16 };

struct tree {
	struct hs_h5 *file;
	struct hs_json json;
	size_t limit;
	struct hs_h5_seen seen;
};

static void put_number(struct hs_json *json, const char *key, double value, hid_t type)
{
	const H5T_class_t class = H5Tget_class(type);
	if (class == H5T_ENUM && H5Tget_size(type) == 1)                   /* how h5py stores truth values */
		hs_json_bool(json, key, value != 0);
	else if (class == H5T_FLOAT || value >= 9007199254740992.0 || value <= -9007199254740992.0)
		hs_json_real(json, key, value);
	else
		hs_json_int(json, key, (long long)value);
}

/* One value or a short list; what is no text and no real number is left out. */
static void put_place(struct tree *t, const char *key, const struct hs_h5_place *p)
{
	if (p->n > MAX_JSON_ITEMS)
		return;
	/* an item that does not fit is taken back, so that what is written stays whole JSON */
	const struct hs_json before = t->json;
	char **text = hs_h5_place_texts(p);
	double *value = text ? NULL : hs_h5_place_reals(p);
	const bool one = H5Sget_simple_extent_ndims(p->space) == 0 || p->n == 1;
	if (!text && !value)
		return;
	if (!one)
		hs_json_begin(&t->json, key, '[');
	for (size_t i = 0; i < p->n; i++)
		if (text)
			hs_json_text(&t->json, one ? key : NULL, text[i]);
		else
			put_number(&t->json, one ? key : NULL, value[i], p->type);
	if (!one)
		hs_json_end(&t->json, ']');
	if (t->json.out.len > t->limit) {
		t->json.out.len = before.out.len;
		if (t->json.out.text)
			t->json.out.text[before.out.len] = 0;
		t->json.has_item = before.has_item;
		t->json.depth = before.depth;
	}
	hs_h5_free_list(text, text ? p->n : 0);
	free(value);
}

static void put_attrs(struct tree *t, const char *path, const char *prefix)
{
	size_t n;
	char **name = hs_h5_attr_names(t->file, path, &n);
	for (size_t i = 0; i < n; i++) {
		struct hs_h5_place p;
		if (hs_word_index("CLASS|NAME|DIMENSION_LIST|DIMENSION_LABELS|REFERENCE_LIST|_Netcdf4Dimid|_Netcdf4Coordinates",
			name[i]) >= 0 ||
		    !hs_h5_place_attr(&p, t->file, path, name[i]))
			continue;
		char *key = prefix ? hs_must_printf("%s@%s", prefix, name[i]) : hs_must_dup(name[i]);
		put_place(t, key, &p);
		free(key);
		hs_h5_place_close(&p);
	}
	hs_h5_free_list(name, n);
}

static void put_group(struct tree *t, const char *path, const char *key, int depth)
{
	const struct hs_h5_object *o = hs_h5_look(t->file, path);
	size_t n;
	/* room for what closes the brackets again: at most depth lines of depth blanks */
	if (!o || !hs_h5_first_visit(&t->seen, o->address) || t->seen.n >= HS_H5_MAX_ENTRIES ||
	    t->json.out.len + strlen(key ? key : "") * 6 + 200 > t->limit)
		return;
	hs_json_begin(&t->json, key, '{');
	put_attrs(t, path, NULL);
	char **name = hs_h5_children(t->file, path, &n);
	for (size_t i = 0; i < n; i++) {
		char *child = hs_h5_join(path, name[i]);
		const enum hs_h5_kind kind = hs_h5_kind(t->file, child);
		struct hs_h5_place p;
		if (kind == HS_H5_GROUP && depth < HS_H5_MAX_DEPTH)
			put_group(t, child, name[i], depth + 1);
		if (kind == HS_H5_DATASET) {
			if (hs_h5_place_set(&p, t->file, child, t->limit)) {
				put_place(t, name[i], &p);
				hs_h5_place_close(&p);
			}
			put_attrs(t, child, name[i]);
		}
		free(child);
	}
	hs_h5_free_list(name, n);
	hs_json_end(&t->json, '}');
}

char *hs_h5_metadata_json(struct hs_h5 *file, const char *path, size_t max_bytes)
{
	/* 65 closing brackets, each on a line of its own with up to 65 blanks */
	const size_t closing = (HS_H5_MAX_DEPTH + 1) * (HS_H5_MAX_DEPTH + 3);
	struct tree t = { .file = file, .limit = max_bytes > closing ? max_bytes - closing : 0 };
	put_group(&t, path, NULL, 0);
	if (!t.json.out.len)
		hs_str_add(&t.json.out, "{}");
	free(t.seen.slot);
	return hs_json_take(&t.json);
}
