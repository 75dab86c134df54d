/* history - one step of how a file came to be, as NXprocess keeps it (hsdata(5)).
 *
 * A step owns all it points to. Parameters keep their type, so that a machine reads numbers and a person reads text. */
#ifndef HS_DATA_HISTORY_H
#define HS_DATA_HISTORY_H

#include <stddef.h>
#include <stdint.h>

enum hs_param_kind { HS_PARAM_INT, HS_PARAM_REAL, HS_PARAM_TEXT, HS_PARAM_BOOL };

struct hs_param {
	char *name;
	enum hs_param_kind kind;
	int64_t integer;              /* INT and BOOL */
	double real;
	char *text;
};

struct hs_origin {                    /* what a step was made from */
	char *type;                   /* application/x-hdf5 or application/octet-stream */
	char *file_name;
	char *uuid;                   /* entry_identifier_uuid of an HDF5 input, or NULL */
	char *path;                   /* "/entry/data", or NULL */
	char *checksum;               /* sha256, 64 digits, or NULL */
};

struct hs_step {
	int sequence;                 /* 1, 2, ... */
	char *program, *version, *date;
	char *command;                /* the command line */
	char *configuration;          /* JSON */
	size_t n_params;
	struct hs_param *param;
	size_t n_origins;
	struct hs_origin *origin;
};

struct hs_param *hs_step_add_param(struct hs_step *step, const char *name, enum hs_param_kind kind);
struct hs_origin *hs_step_add_origin(struct hs_step *step, const char *type, const char *file_name);
void hs_step_release(struct hs_step *step);

#endif
