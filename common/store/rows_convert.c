/* From values as they are stored to values as they are delivered, and which rows are of no use. */
#include "store/rows_slab.h"

#include <math.h>
#include <string.h>

/* The fill value as an element of the stored integer type; one that the type cannot hold marks nothing. */
void hs_rows_set_mark(struct hs_rows *r)
{
	static const struct { double low, beyond; } range[] = { [HS_U8] = { 0, 0x1p8 }, [HS_I8] = { -0x1p7, 0x1p7 }, [HS_U16] = { 0,
		0x1p16 },
		[HS_I16] = { -0x1p15, 0x1p15 }, [HS_U32] = { 0, 0x1p32 }, [HS_I32] = { -0x1p31, 0x1p31 }, [HS_U64] = { 0, 0x1p64 },
		[HS_I64] = { -0x1p63, 0x1p63 } };
	const double v = r->options.fill;
	if (!r->options.has_fill || r->v.dtype > HS_I64 || !(v >= range[r->v.dtype].low && v < range[r->v.dtype].beyond) ||
		floor(v) != v)
		return;
	const uint64_t bits = v < 0 ? (uint64_t)(int64_t)v : (uint64_t)v;
	memcpy(r->mark, &bits, r->element_in);
	r->marked = true;
}

static void swap_bytes(unsigned char *p, size_t n, size_t element)
{
	switch (element) {
	case 2:
		for (size_t i = 0; i < n; i++) {
			uint16_t x;
			memcpy(&x, p + 2 * i, 2);
			x = __builtin_bswap16(x);
			memcpy(p + 2 * i, &x, 2);
		}
		break;
	case 4:
		for (size_t i = 0; i < n; i++) {
			uint32_t x;
			memcpy(&x, p + 4 * i, 4);
			x = __builtin_bswap32(x);
			memcpy(p + 4 * i, &x, 4);
		}
		break;
	case 8:
		for (size_t i = 0; i < n; i++) {
			uint64_t x;
			memcpy(&x, p + 8 * i, 8);
			x = __builtin_bswap64(x);
			memcpy(p + 8 * i, &x, 8);
		}
		break;
	default:
		break;
	}
}

/* IEEE binary16 -> binary32, exactly. */
static float from_half(uint16_t h)
{
	const uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
	if (exponent == 0) {
		const float tiny = (float)fraction * 0x1p-24f;
		return sign ? -tiny : tiny;
	}
	const uint32_t bits = sign | (exponent == 31 ? 255u : exponent + 112) << 23 | fraction << 13;
	float f;
	memcpy(&f, &bits, 4);
	return f;
}

static void convert(const struct hs_rows *r, const unsigned char *from, unsigned char *to, size_t n)
{
	if (r->v.half) {
		for (size_t i = 0; i < n; i++) {
			uint16_t h;
			memcpy(&h, from + 2 * i, 2);
			const float f = from_half(h);
			if (r->delivered == HS_F64)
				((double *)(void *)to)[i] = (double)f;
			else
				((float *)(void *)to)[i] = f;
		}
	} else if (r->delivered == HS_F64) {
		hs_dtype_to_double(r->v.dtype, from, (double *)(void *)to, n);
	} else {
		hs_dtype_to_float(r->v.dtype, from, (float *)(void *)to, n);
	}
}

/* The sum of x * 0 is 0 exactly when all values are finite; it vectorises, isfinite in a loop does not. */
static bool all_finite_f32(const float *x, size_t n)
{
	float zero = 0;
#pragma omp simd reduction(+ : zero)
	for (size_t i = 0; i < n; i++)
		zero += x[i] * 0;
	return zero == 0;
}

static bool all_finite_f64(const double *x, size_t n)
{
	double zero = 0;
#pragma omp simd reduction(+ : zero)
	for (size_t i = 0; i < n; i++)
		zero += x[i] * 0;
	return zero == 0;
}

static bool holds(const unsigned char *row, size_t n, size_t element, const unsigned char *value)
{
	unsigned found = 0;
	switch (element) {
#define LOOK_FOR(T)                                                                 \
	{                                                                           \
		T wanted, x;                                                        \
		memcpy(&wanted, value, sizeof wanted);                              \
		for (size_t i = 0; i < n; i++) {                                    \
			memcpy(&x, row + i * sizeof x, sizeof x);                   \
			found |= x == wanted;                                       \
		}                                                                   \
	}                                                                           \
	break
	case 1: LOOK_FOR(uint8_t);
	case 2: LOOK_FOR(uint16_t);
	case 4: LOOK_FOR(uint32_t);
	case 8: LOOK_FOR(uint64_t);
#undef LOOK_FOR
	default: break;
	}
	return found;
}

static bool row_is_bad(const struct hs_rows *r, const unsigned char *row, const unsigned char *stored_row)
{
	const size_t n = r->source.n_chan;
	switch (r->delivered) {
	case HS_F32: if (!all_finite_f32((const float *)(const void *)row, n)) return true; break;
	case HS_C64: if (!all_finite_f32((const float *)(const void *)row, 2 * n)) return true; break;
	case HS_F64: if (!all_finite_f64((const double *)(const void *)row, n)) return true; break;
	case HS_C128: if (!all_finite_f64((const double *)(const void *)row, 2 * n)) return true; break;
	default: break;
	}
	return r->marked && holds(stored_row, n, r->element_in, r->mark);
}

/* Rows [i, end) of the slab are in their place, as stored: bytes in native order, converted, looked at. */
void hs_rows_finish(const struct hs_rows *r, size_t i, size_t end)
{
	const size_t n = r->stored_chan, head = r->source.block_rows;         /* left-over rows end where the slab begins */
	const bool swap = r->way == WAY_RAW ? r->v.big_endian : r->way == WAY_CHUNKS && r->big_endian;
	const size_t swap_size = hs_dtype_is_complex(r->v.dtype) ? r->element_in / 2 : r->element_in;
	for (; i < end; i++) {
		unsigned char *stored = hs_rows_slab_place(r) + i * n * r->element_in, *row = r->batch[r->filling] + (head + i) * r->row_out;
		if (swap)
			swap_bytes(stored, n * (r->element_in / swap_size), swap_size);
		if (r->stored)
			convert(r, stored, row, n);
		const size_t number = r->slab.first_row + i;
		uint8_t *skip = &r->skip[r->filling][head + i];
		if (number < r->n_looked) {
			*skip = r->looked[number];
			continue;
		}
		*skip = (r->options.mask && r->options.mask[number]) || row_is_bad(r, row, stored);
		if (r->looked)
			r->looked[number] = *skip;
	}
}
