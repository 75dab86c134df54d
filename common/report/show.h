/* show - the facts about a file (facts.h) as text for a person at a terminal, and as one line of JSON for a program (hsinfo(1)
 * has the form of both). What comes from the file cannot steer the terminal. */
#ifndef HS_REPORT_SHOW_H
#define HS_REPORT_SHOW_H

#include "base/json.h"
#include "report/facts.h"

void hs_show_text(struct hs_str *out, const struct hs_facts *facts);
void hs_show_json(struct hs_json *json, const struct hs_facts *facts);

#endif
