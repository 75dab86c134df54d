#include "cli/tool.h"

#ifndef HS_VERSION
#define HS_VERSION "unknown"
#define HS_COMMIT "unknown"
#endif

const char *const hs_version = HS_VERSION, *const hs_commit = HS_COMMIT;
