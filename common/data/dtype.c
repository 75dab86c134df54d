#include "data/dtype.h"

#include <stdint.h>

static const struct { const char *name; size_t size; } type_table[HS_N_DTYPES] = {
	[HS_U8] = { "uint8", 1 }, [HS_I8] = { "int8", 1 }, [HS_U16] = { "uint16", 2 }, [HS_I16] = { "int16", 2 },
	[HS_U32] = { "uint32", 4 }, [HS_I32] = { "int32", 4 }, [HS_U64] = { "uint64", 8 }, [HS_I64] = { "int64", 8 },
	[HS_F32] = { "float32", 4 }, [HS_F64] = { "float64", 8 }, [HS_C64] = { "complex64", 8 }, [HS_C128] = { "complex128", 16 },
};

size_t hs_dtype_size(enum hs_dtype t)
{
	return type_table[t].size;
}

const char *hs_dtype_name(enum hs_dtype t)
{
	return type_table[t].name;
}

bool hs_dtype_is_float(enum hs_dtype t)
{
	return t == HS_F32 || t == HS_F64;
}

bool hs_dtype_is_complex(enum hs_dtype t)
{
	return t == HS_C64 || t == HS_C128;
}

#define CONVERT(T)                                       \
	do {                                             \
		const T *v = in;                         \
		for (size_t i = 0; i < n; i++)           \
			out[i] = (OUT)v[i];              \
	} while (0)

#define CONVERT_ANY                                      \
	switch (t) {                                     \
	case HS_U8: CONVERT(uint8_t); break;             \
	case HS_I8: CONVERT(int8_t); break;              \
	case HS_U16: CONVERT(uint16_t); break;           \
	case HS_I16: CONVERT(int16_t); break;            \
	case HS_U32: CONVERT(uint32_t); break;           \
	case HS_I32: CONVERT(int32_t); break;            \
	case HS_U64: CONVERT(uint64_t); break;           \
	case HS_I64: CONVERT(int64_t); break;            \
	case HS_F32: CONVERT(float); break;              \
	case HS_F64: CONVERT(double); break;             \
	default: break;                                  \
	}

#define OUT double
void hs_dtype_to_double(enum hs_dtype t, const void *in, double *out, size_t n)
{
	CONVERT_ANY
}
#undef OUT

#define OUT float
void hs_dtype_to_float(enum hs_dtype t, const void *in, float *out, size_t n)
{
	CONVERT_ANY
}
#undef OUT
