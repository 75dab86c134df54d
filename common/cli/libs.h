/* libs - which third-party libraries are in use at run time, for --version and for the history of files. */
#ifndef HS_CLI_LIBS_H
#define HS_CLI_LIBS_H

#include "base/json.h"

void hs_libs_text(struct hs_str *out);        /* "HDF5 1.10.8, OpenBLAS 0.3.21" */
void hs_libs_json(struct hs_json *j);         /* members of an open object */

#endif
