/* nxcheck - does a file obey the container convention (hsdata(5))?
 *
 * The check looks at everything in the file but the views for other programs (/Experiments, /Measurement_NNN): string types,
 * names, classes, the @default chain, each NXdata with its axes, scales, errors and masks, filters and chunks, links out of
 * the file, the history, times, identifiers and checksums. It trusts nothing: loops of links, absurd sizes and values that
 * cannot be read are faults like others. Every object is looked at once, however many names it has.
 *
 * Memory: values are read in slabs of at most 64 MiB, whatever the size of the file. Thread rule: as h5tree.h. */
#ifndef HS_STORE_NXCHECK_H
#define HS_STORE_NXCHECK_H

#include "store/h5tree.h"

/* Calls fault for each rule that is broken, with the path of the object and half a sentence about it ("has no @units"), both
 * borrowed. values: also read the values and compare their checksums. Returns the number of faults. */
int hs_nx_check(struct hs_h5 *file, void (*fault)(void *ctx, const char *path, const char *what), void *ctx, bool values);

#endif
