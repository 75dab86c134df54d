/* describe - a tool's option tables turned into help, JSON, bash completion, and the man page's OPTIONS block. */
#ifndef HS_CLI_DESCRIBE_H
#define HS_CLI_DESCRIBE_H

#include "cli/tool.h"

/* table[0] is the tool's, table[1] the common one. Each appends text to out. */
void hs_describe_help(const struct hs_tool *tool, const struct hs_opt_table table[2], struct hs_str *out);
void hs_describe_json(const struct hs_tool *tool, const struct hs_opt_table table[2], struct hs_str *out);
void hs_describe_completion(const struct hs_tool *tool, const struct hs_opt_table table[2], struct hs_str *out);
void hs_describe_mdoc(const struct hs_tool *tool, const struct hs_opt_table table[2], struct hs_str *out);

/* "hspca 0.1.0 (commit ...)", then the libraries found at run time. */
void hs_describe_version(const struct hs_tool *tool, struct hs_str *out);

#endif
