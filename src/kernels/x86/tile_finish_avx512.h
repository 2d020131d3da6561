/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/tile_finish_avx512.h — finishing tiles sixteen channels at a time. The including file
 * defines TILE_INTEGER_SUMS as 0 or 1, and gets `tile_finish_for`, the function of
 * tile_kernel.finish.
 *
 * Codes need less of the sigmoid than floats do: there its relative error is 2^-13, less than a
 * hundredth of a step at the largest code. */
#include <immintrin.h>

#include "kernels/tile.h"

enum tile_output { TILE_I8, TILE_U8, TILE_F32, TILE_BF16 };

/* 2^t: a polynomial of the fraction (minimax on [0,1): relative error 7.5e-5 and 2e-9), scaled by
 * the whole part. */
static inline __m512 tile_exp2_short(__m512 t)
{
    __m512 f = _mm512_reduce_ps(t, 0x01);
    __m512 p = _mm512_set1_ps(0.0780245227f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.226067155f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.695833541f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.999925219f));
    return _mm512_scalef_ps(p, t);
}

static inline __m512 tile_exp2_long(__m512 t)
{
    __m512 f = _mm512_reduce_ps(t, 0x01);
    __m512 p = _mm512_set1_ps(0.000217022555f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.00124396878f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.009678841f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.055483342f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.240229836f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.693146984f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, t);
}

static inline __m512 tile_sigmoid_short(__m512 y)
{
    __m512 e = tile_exp2_short(_mm512_mul_ps(y, _mm512_set1_ps(-1.44269504f)));
    return _mm512_rcp14_ps(_mm512_add_ps(e, _mm512_set1_ps(1)));
}

/* One step of Newton's on the reciprocal; t is clamped so that it stays finite. */
static inline __m512 tile_sigmoid_long(__m512 y)
{
    __m512 t = _mm512_mul_ps(y, _mm512_set1_ps(-1.44269504f));
    t = _mm512_min_ps(t, _mm512_set1_ps(126));
    __m512 d = _mm512_add_ps(tile_exp2_long(t), _mm512_set1_ps(1));
    __m512 r = _mm512_rcp14_ps(d);
    return _mm512_mul_ps(r, _mm512_fnmadd_ps(d, r, _mm512_set1_ps(2)));
}

static inline __attribute__((always_inline)) __m512 tile_activate(__m512 y, const unary_op op,
                                                                  const bool is_code, __m512 alpha)
{
    __m512 zero = _mm512_setzero_ps();
    switch (op) {
    case UNARY_RELU:
        return _mm512_max_ps(y, zero);
    case UNARY_LEAKY_RELU:
        return _mm512_mask_mul_ps(y, _mm512_cmp_ps_mask(y, zero, _CMP_LT_OQ), y, alpha);
    case UNARY_SIGMOID:
        return is_code ? tile_sigmoid_short(y) : tile_sigmoid_long(y);
    case UNARY_SILU:
        return _mm512_mul_ps(y, is_code ? tile_sigmoid_short(y) : tile_sigmoid_long(y));
    case UNARY_HARD_SWISH: {
        __m512 h = _mm512_fmadd_ps(y, _mm512_set1_ps(1 / 6.0f), _mm512_set1_ps(0.5f));
        h = _mm512_min_ps(_mm512_max_ps(h, zero), _mm512_set1_ps(1));
        return _mm512_mul_ps(y, h);
    }
    default:
        return y;
    }
}

/* rint(y/scale) + zero, saturated. */
static inline __m512i tile_codes(__m512 y, __m512 inverse_scale, __m512i zero)
{
    __m512 limit = _mm512_set1_ps(1e9f); /* beyond it the conversion wraps */
    __m512 code = _mm512_min_ps(_mm512_mul_ps(y, inverse_scale), limit);
    return _mm512_add_epi32(_mm512_cvtps_epi32(code), zero);
}

/* To nearest even. */
static inline __m256i tile_bf16(__m512 y)
{
    __m512i u = _mm512_castps_si512(y);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __mmask16 is_nan = _mm512_cmp_ps_mask(y, y, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, is_nan, u, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
}

static inline __attribute__((always_inline)) void tile_store(char *dst, __m512 y,
                                                             const enum tile_output output,
                                                             __mmask16 mask, __m512 inverse_scale,
                                                             __m512i zero)
{
    switch (output) {
    case TILE_I8:
        _mm_mask_storeu_epi8(dst, mask, _mm512_cvtsepi32_epi8(tile_codes(y, inverse_scale, zero)));
        return;
    case TILE_U8: {
        __m512i code = tile_codes(y, inverse_scale, zero);
        code = _mm512_max_epi32(code, _mm512_setzero_si512());
        _mm_mask_storeu_epi8(dst, mask, _mm512_cvtusepi32_epi8(code));
        return;
    }
    case TILE_F32:
        _mm512_mask_storeu_ps(dst, mask, y);
        return;
    case TILE_BF16:
        _mm256_mask_storeu_epi16(dst, mask, tile_bf16(y));
        return;
    }
}

static inline __attribute__((always_inline)) void
tile_finish(const tile_finish_args *a, const unary_op op, const enum tile_output output)
{
    enum { LANES = 16 };
    static const int bytes[] = {[TILE_I8] = 1, [TILE_U8] = 1, [TILE_F32] = 4, [TILE_BF16] = 2};
    __m512 alpha = _mm512_set1_ps(a->d->act.alpha), inverse = _mm512_set1_ps(a->inverse_scale);
    __m512i zero = _mm512_set1_epi32(a->d->out_zero);
    for (int c = 0; c < a->n_channels; c += LANES) {
        int left = a->n_channels - c;
        __mmask16 mask = (__mmask16)(left < LANES ? (1u << left) - 1 : 0xffff);
        const char *sums = (const char *)a->sums + c * 4;
        char *dst = a->dst + c * bytes[output];
#if TILE_INTEGER_SUMS
        __m512 scale = _mm512_loadu_ps(a->scale + c), bias = _mm512_loadu_ps(a->bias + c);
#endif
        for (int p = 0; p < a->n_pixels; p++) {
#if TILE_INTEGER_SUMS
            __m512 y = _mm512_cvtepi32_ps(_mm512_load_si512(sums));
            y = _mm512_fmadd_ps(y, scale, bias);
#else
            __m512 y = _mm512_load_ps(sums);
#endif
            y = tile_activate(y, op, output == TILE_I8 || output == TILE_U8, alpha);
            tile_store(dst, y, output, mask, inverse, zero);
            sums += a->block_channels * 4;
            dst += a->pixel_step;
        }
    }
}

#define TILE_FINISH(op, output)                                                                    \
    static void tile_finish_##op##_##output(const tile_finish_args *a)                             \
    {                                                                                              \
        tile_finish(a, UNARY_##op, TILE_##output);                                                 \
    }
#if TILE_INTEGER_SUMS
#define TILE_FINISHES(op)                                                                          \
    TILE_FINISH(op, I8) TILE_FINISH(op, U8) TILE_FINISH(op, F32) TILE_FINISH(op, BF16)
#define TILE_CHOICES(op)                                                                           \
    {                                                                                              \
        tile_finish_##op##_I8, tile_finish_##op##_U8, tile_finish_##op##_F32,                      \
            tile_finish_##op##_BF16                                                                \
    }
#else
#define TILE_FINISHES(op) TILE_FINISH(op, F32) TILE_FINISH(op, BF16)
#define TILE_CHOICES(op)                                                                           \
    {                                                                                              \
        NULL, NULL, tile_finish_##op##_F32, tile_finish_##op##_BF16                                \
    }
#endif
TILE_FINISHES(NONE)
TILE_FINISHES(RELU)
TILE_FINISHES(LEAKY_RELU)
TILE_FINISHES(SIGMOID)
TILE_FINISHES(SILU)
TILE_FINISHES(HARD_SWISH)

static tile_finish_fn *tile_finish_for(const conv_desc *d)
{
    static tile_finish_fn *const choices[][4] = {
        [UNARY_NONE] = TILE_CHOICES(NONE),       [UNARY_RELU] = TILE_CHOICES(RELU),
        [UNARY_SIGMOID] = TILE_CHOICES(SIGMOID), [UNARY_LEAKY_RELU] = TILE_CHOICES(LEAKY_RELU),
        [UNARY_SILU] = TILE_CHOICES(SILU),       [UNARY_HARD_SWISH] = TILE_CHOICES(HARD_SWISH),
    };
    if ((size_t)d->act.op >= sizeof choices / sizeof choices[0])
        return NULL;
    switch (d->dst.type) {
    case DTYPE_I8:
        return choices[d->act.op][TILE_I8];
    case DTYPE_U8:
        return choices[d->act.op][TILE_U8];
    case DTYPE_F32:
        return choices[d->act.op][TILE_F32];
    case DTYPE_BF16:
        return choices[d->act.op][TILE_BF16];
    default:
        return NULL;
    }
}
