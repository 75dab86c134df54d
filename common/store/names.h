/* names - a growing list of texts that ends in NULL; private to store/. The list owns its texts. */
#ifndef HS_STORE_NAMES_H
#define HS_STORE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

struct hs_names {
	char **name;                  /* NULL while empty */
	size_t n, room;
};

void hs_names_add(struct hs_names *names, char *name);                       /* takes name */
char **hs_names_take(struct hs_names *names, bool sort, size_t *n);          /* hs_h5_free_list frees it */

#endif
