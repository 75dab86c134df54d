#include "store/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void hs_names_add(struct hs_names *names, char *name)
{
	if (names->n + 1 >= names->room) {
		names->room = 2 * names->room + 8;
		names->name = hs_must_resize(names->name, names->room, sizeof *names->name);
	}
	names->name[names->n++] = name;
	names->name[names->n] = NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **hs_names_take(struct hs_names *names, bool sort, size_t *n)
{
	if (sort && names->n > 1)
		qsort(names->name, names->n, sizeof *names->name, by_name);
	*n = names->n;
	return names->name;
}
