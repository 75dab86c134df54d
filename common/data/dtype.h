/* dtype - the element types a measured value may have, always little endian and C order once inside the toolkit. */
#ifndef HS_DATA_DTYPE_H
#define HS_DATA_DTYPE_H

#include <stdbool.h>
#include <stddef.h>

enum hs_dtype { HS_U8, HS_I8, HS_U16, HS_I16, HS_U32, HS_I32, HS_U64, HS_I64, HS_F32, HS_F64, HS_C64, HS_C128, HS_N_DTYPES };

size_t hs_dtype_size(enum hs_dtype t);
const char *hs_dtype_name(enum hs_dtype t);               /* "uint8" ... "float32", "complex64": numpy's names */
bool hs_dtype_is_float(enum hs_dtype t);                  /* real floating point */
bool hs_dtype_is_complex(enum hs_dtype t);

/* n values of a real type t in native order; complex types are refused by callers before they come here. */
void hs_dtype_to_double(enum hs_dtype t, const void *in, double *out, size_t n);
void hs_dtype_to_float(enum hs_dtype t, const void *in, float *out, size_t n);

#endif
