/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/simd/simd_row.h — rows of f32, bf16, i8 or u8 as rows of floats.
 *
 * Plain loops that the compiler turns into the vectors of the instruction set the including file is
 * built for. Everything is static: nothing built for one instruction set can be linked into
 * another.
 */
#ifndef KERNELS_SIMD_SIMD_ROW_H
#define KERNELS_SIMD_SIMD_ROW_H

#include <string.h>

#include "kernels/rows.h"

/* Elements handled at a time: a few rows of floats stay in the first-level cache. */
enum { ROW_CHUNK = 512 };

static inline bool row_is_number(dtype type)
{
    return type == DTYPE_F32 || type == DTYPE_BF16 || type == DTYPE_I8 || type == DTYPE_U8;
}

static inline bool row_is_float(dtype type)
{
    return type == DTYPE_F32 || type == DTYPE_BF16;
}

static inline int64_t row_stride(const kernel_args *a, int k)
{
    return a->t[k].stride[a->t[k].rank - 1];
}

/* Whether operand k runs along the row, or stays the same (stride 0). */
static inline bool row_is_plain(const kernel_args *a, int k)
{
    return row_stride(a, k) == 1 || (row_stride(a, k) == 0 && k < a->n - 1);
}

static inline uint32_t row_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static inline float row_float(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static inline void row_from_bf16(float *restrict to, const uint16_t *restrict from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = row_float((uint32_t)from[i] << 16);
}

static inline void row_from_i8(float *restrict to, const int8_t *restrict from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)from[i];
}

static inline void row_from_u8(float *restrict to, const uint8_t *restrict from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (float)from[i];
}

/* To nearest even; NaN stays NaN. */
static inline void row_to_bf16(uint16_t *restrict to, const float *restrict from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t u = row_bits(from[i]);
        uint32_t rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
        to[i] = (uint16_t)((u & 0x7fffffff) > 0x7f800000 ? (u >> 16 | 64) : rounded);
    }
}

/* Values that are whole numbers within the range already. */
static inline void row_to_i8(int8_t *restrict to, const float *restrict from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (int8_t)(int32_t)from[i];
}

static inline void row_to_u8(uint8_t *restrict to, const float *restrict from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (uint8_t)(int32_t)from[i];
}

/* To the nearest float16, ties to even: numbers below its normal ones are multiples of 2^-24, those
 * from 65520 on are infinite. */
static inline void row_round_f16(float *to, const float *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float x = from[i], size = __builtin_fabsf(x);
        uint32_t u = row_bits(x);
        float normal = row_float((u + 0xfff + (u >> 13 & 1)) & ~0x1fffu);
        float small = (x + 0.75f) - 0.75f;
        normal = size < 65520.0f ? normal : x * __builtin_inff();
        to[i] = size < 0x1p-14f ? small : normal;
    }
}

/* n elements at p as floats: in place when they are floats, else in `room`. With stride 0 the one
 * element n times. */
static inline const float *row_load(const char *p, dtype type, int64_t stride, int64_t n,
                                    float *room)
{
    int64_t loaded = stride ? n : 1;
    if (type == DTYPE_F32 && stride)
        return (const float *)(const void *)p;
    if (type == DTYPE_F32)
        memcpy(room, p, sizeof *room);
    else if (type == DTYPE_BF16)
        row_from_bf16(room, (const uint16_t *)(const void *)p, loaded);
    else if (type == DTYPE_I8)
        row_from_i8(room, (const int8_t *)p, loaded);
    else
        row_from_u8(room, (const uint8_t *)p, loaded);
    float first = room[0];
    for (int64_t i = 1; !stride && i < n; i++)
        room[i] = first;
    return room;
}

/* Where to compute n floats that row_store() will bring to p. */
static inline float *row_room(char *p, dtype type, float *room)
{
    return type == DTYPE_F32 ? (float *)(void *)p : room;
}

static inline void row_store(char *p, dtype type, const float *values, int64_t n)
{
    if (type == DTYPE_BF16)
        row_to_bf16((uint16_t *)(void *)p, values, n);
    else if (type == DTYPE_I8)
        row_to_i8((int8_t *)p, values, n);
    else if (type == DTYPE_U8)
        row_to_u8((uint8_t *)p, values, n);
    else if ((const char *)values != p)
        memcpy(p, values, (size_t)n * sizeof *values);
}

/* e^x to about one unit in the last place: x = n ln 2 + r, |r| <= ln 2 / 2, and the polynomial of
 * degree 7 of Cephes' expf. Clamped so that neither it nor its reciprocal is subnormal: those cost
 * a hundred cycles each. */
static inline float row_exp(float x)
{
    x = x < -87.0f ? -87.0f : x;
    x = x > 87.0f ? 87.0f : x;
    float n = __builtin_rintf(x * 1.44269504f);
    float r = __builtin_fmaf(n, -0.693359375f, x);
    r = __builtin_fmaf(n, 2.12194440e-4f, r);
    float p = 1.9875691500e-4f;
    p = __builtin_fmaf(p, r, 1.3981999507e-3f);
    p = __builtin_fmaf(p, r, 8.3334519073e-3f);
    p = __builtin_fmaf(p, r, 4.1665795894e-2f);
    p = __builtin_fmaf(p, r, 1.6666665459e-1f);
    p = __builtin_fmaf(p, r, 5.0000001201e-1f);
    p = __builtin_fmaf(p * r, r, r) + 1.0f;
    return p * row_float((uint32_t)((int32_t)n + 127) << 23);
}

static inline float row_sigmoid(float x)
{
    return 1.0f / (1.0f + row_exp(-x));
}

#endif
