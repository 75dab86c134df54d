#include "report/facts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

const char *const hs_facts_bit[HS_FACTS_BITS] = { "dead", "hot", "saturated", "excluded" };

static bool stored_below(struct hs_in *in, const char *group, const char *name, struct hs_nx_stored *stored)
{
	char *path = hs_h5_join(group, name);
	const bool there = hs_nx_stored(hs_in_h5(in), path, stored);
	free(path);
	return there;
}

static void count_mask(struct hs_facts_mask *m, struct hs_in *in, const char *group, const char *name)
{
	char *path = hs_h5_join(group, name);
	uint8_t *mask = hs_h5_bytes(hs_in_h5(in), path, &m->of);
	m->counted = mask != NULL;
	for (size_t p = 0; p < m->of; p++) {
		m->n += mask[p] != 0;
		for (size_t b = 0; b < HS_FACTS_BITS; b++)
			m->bit[b] += mask[p] >> b & 1;
	}
	free(mask);
	free(path);
}

static void find_mask(struct hs_facts_mask *m, struct hs_in *in, const char *group)
{
	enum { MOST = 4 << 20 };
	static const struct { const char *name, *over; } masks[] = { { "pixel_mask", "pixels" }, { "data_mask", "values" } };
	struct hs_nx_stored stored;
	for (size_t k = 0; k < HS_LEN(masks) && !m->over; k++)
		if (stored_below(in, group, masks[k].name, &stored)) {
			m->over = masks[k].over;
			if (stored.bytes <= MOST)
				count_mask(m, in, group, masks[k].name);
		}
}

static struct hs_facts_signal of_signal(struct hs_in *in, size_t i)
{
	struct hs_facts_signal s = { .signal = hs_in_signal(in, i), .path = hs_in_path(in, i) };
	const char *name = s.path + strlen("/entry/"), *slash = strchr(name, '/');
	s.step = slash ? hs_must_printf("%.*s", (int)(slash - name), name) : NULL;
	s.is_stored = stored_below(in, s.path, "data", &s.stored);
	find_mask(&s.mask, in, s.path);
	return s;
}

int hs_facts_init(struct hs_facts *f, struct hs_in *in, struct hs_err *err)
{
	struct stat st;
	size_t by_default;
	struct hs_nx_stored header;
	*f = (struct hs_facts){ .file = hs_in_name(in), .n_signals = hs_in_count(in), .n_steps = hs_in_n_steps(in),
		.title = hs_in_entry_text(in, "title"), .start_time = hs_in_entry_text(in, "start_time"),
		.uuid = hs_in_entry_text(in, "entry_identifier_uuid"), .creator = hs_h5_attr_text(hs_in_h5(in), "/", "creator"),
		.convention = hs_h5_attr_text(hs_in_h5(in), "/", "hs_version"),
		.vendor_file = hs_in_entry_text(in, "original_metadata/header/file_name"),
		.vendor_sha256 = hs_in_entry_text(in, "original_metadata/header/checksum") };
	char *metadata = hs_in_entry_text(in, "original_metadata/header_json/data");
	f->metadata_bytes = metadata ? strlen(metadata) : 0;
	free(metadata);
	if (stored_below(in, "/entry/original_metadata/header", "data", &header))
		f->header_bytes = header.bytes;
	if (strcmp(f->file, "stdin") && stat(f->file, &st) == 0)
		f->bytes = (uint64_t)st.st_size;
	f->signal = hs_must_alloc(f->n_signals, sizeof *f->signal);
	for (size_t i = 0; i < f->n_signals; i++)
		f->signal[i] = of_signal(in, i);
	f->step = hs_must_alloc(f->n_steps, sizeof *f->step);
	for (size_t i = 0; i < f->n_steps; i++)
		f->step[i] = hs_in_step(in, i);
	if (hs_in_find(in, NULL, &by_default, err) < 0)
		return -1;
	f->signal[by_default].by_default = true;
	return 0;
}

void hs_facts_release(struct hs_facts *f)
{
	char *const texts[] = { f->title, f->start_time, f->uuid, f->creator, f->convention, f->vendor_file, f->vendor_sha256 };
	for (size_t i = 0; i < HS_LEN(texts); i++)
		free(texts[i]);
	for (size_t i = 0; i < f->n_signals; i++)
		free(f->signal[i].step);
	free(f->signal);
	free(f->step);
	*f = (struct hs_facts){ 0 };
}
