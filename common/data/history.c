#include "data/history.h"

#include <stdlib.h>

#include "base/mem.h"

struct hs_param *hs_step_add_param(struct hs_step *step, const char *name, enum hs_param_kind kind)
{
	step->param = hs_must_resize(step->param, step->n_params + 1, sizeof *step->param);
	struct hs_param *p = &step->param[step->n_params++];
	*p = (struct hs_param){ .name = hs_must_dup(name), .kind = kind };
	return p;
}

struct hs_origin *hs_step_add_origin(struct hs_step *step, const char *type, const char *file_name)
{
	step->origin = hs_must_resize(step->origin, step->n_origins + 1, sizeof *step->origin);
	struct hs_origin *o = &step->origin[step->n_origins++];
	*o = (struct hs_origin){ .type = hs_must_dup(type), .file_name = hs_must_dup(file_name) };
	return o;
}

void hs_step_release(struct hs_step *step)
{
	for (size_t i = 0; i < step->n_params; i++) {
		free(step->param[i].name);
		free(step->param[i].text);
	}
	for (size_t i = 0; i < step->n_origins; i++) {
		free(step->origin[i].type);
		free(step->origin[i].file_name);
		free(step->origin[i].uuid);
		free(step->origin[i].path);
		free(step->origin[i].checksum);
	}
	free(step->param);
	free(step->origin);
	free(step->program);
	free(step->version);
	free(step->date);
	free(step->command);
	free(step->configuration);
	*step = (struct hs_step){ 0 };
}
