#include "store/exam.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hs_exam_fault(struct hs_exam *c, const char *path, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char what[512];
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	c->n_faults++;
	c->report(c->ctx, path, what);
}

/* The object at a path, or -1; asked for its kind first, which fails where a path leads out of the file. */
hid_t hs_exam_open(struct hs_exam *c, const char *path)
{
	return hs_h5_kind(c->file, path) == HS_H5_NOTHING ? -1 : H5Oopen(c->file->id, path, H5P_DEFAULT);
}

bool hs_exam_address(struct hs_exam *c, const char *path, haddr_t *address)
{
	H5O_info_t info;
	hid_t object = hs_exam_open(c, path);
	const bool known = object >= 0 && H5Oget_info2(object, &info, H5O_INFO_BASIC) >= 0;
	*address = known ? info.addr : HADDR_UNDEF;
	if (object >= 0)
		H5Oclose(object);
	return known;
}

bool hs_exam_has_child(struct hs_exam *c, const char *group, const char *name)
{
	char *path = hs_h5_join(group, name);
	const bool there = *name && strcmp(name, ".") && hs_h5_kind(c->file, path) != HS_H5_NOTHING;
	free(path);
	return there;
}

char *hs_exam_child_text(struct hs_exam *c, const char *group, const char *name)
{
	char *path = hs_h5_join(group, name), *text = hs_h5_text(c->file, path);
	free(path);
	return text;
}

bool hs_exam_attr_is(struct hs_exam *c, const char *path, const char *attr, const char *expected)
{
	char *text = hs_h5_attr_text(c->file, path, attr);
	const bool yes = text && !strcmp(text, expected);
	free(text);
	return yes;
}

void hs_exam_want_attrs(struct hs_exam *c, const char *path, const char *const *attr, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!hs_h5_has_attr(c->file, path, attr[i]))
			hs_exam_fault(c, path, "has no @%s", attr[i]);
}
