/* SPDX-License-Identifier: Apache-2.0 */
/* Codes widened to 16 bits, multiplied and added in pairs: exact, where products of u8 and i8
 * (vpmaddubsw) would saturate. */
#include <immintrin.h>
#include <string.h>

#include "kernels/simd/activation_row.h"

#define TILE_PIXELS 6
#define TILE_VECTOR __m256i
#define TILE_LOAD(p) _mm256_load_si256((const __m256i *)(const void *)(p))
#define TILE_STORE(p, v) _mm256_store_si256((__m256i *)(void *)(p), v)
#define TILE_FLIP(args)
#define TILE_GROUP(p) _mm256_set1_epi32(tile_load_group(p))
#define TILE_DOT(sum, x, w) _mm256_add_epi32(sum, _mm256_madd_epi16(x, w))

static inline int tile_load_group(const char *p)
{
    int group;
    memcpy(&group, p, sizeof group);
    return group;
}

#include "kernels/simd/tile_sum_body.h"
#include "kernels/simd/tile_widen_body.h"

enum { VALUES = TILE_PIXELS * TILE_MAX_VECTORS * TILE_LANES };

/* y = sum * scale + bias of all values of the tile. */
static void scale_sums(const tile_finish_args *a, float *y)
{
    const int32_t *sums = a->sums;
    for (int c = 0; c < a->block_channels; c += TILE_LANES) {
        __m256 scale = _mm256_loadu_ps(a->scale + c), bias = _mm256_loadu_ps(a->bias + c);
        for (int at = c; at < a->n_pixels * a->block_channels; at += a->block_channels) {
            __m256 v = _mm256_cvtepi32_ps(TILE_LOAD(sums + at));
            _mm256_store_ps(y + at, _mm256_add_ps(_mm256_mul_ps(v, scale), bias));
        }
    }
}

/* Rounded to float16, in steps of the scale, as the division makes them; infinities too. */
static __m256 half_steps(__m256 y, float scale)
{
    const __m256 most = _mm256_set1_ps(1e9f);
    __m256 half = _mm256_cvtph_ps(_mm256_cvtps_ph(y, _MM_FROUND_TO_NEAREST_INT));
    __m256 steps = _mm256_div_ps(half, _mm256_set1_ps(scale));
    return _mm256_max_ps(_mm256_min_ps(steps, most), _mm256_sub_ps(_mm256_setzero_ps(), most));
}

/* rint(y/scale) + zero, of eight; conv_tile has made sure that it fits 32 bits. */
static __m256i codes_of(const conv_desc *d, const float *y, __m256 inverse, __m256i zero)
{
    __m256 code = d->out_from_half ? half_steps(_mm256_load_ps(y), d->out_scale)
                                   : _mm256_mul_ps(_mm256_load_ps(y), inverse);
    return _mm256_add_epi32(_mm256_cvtps_epi32(code), zero);
}

/* Codes of one pixel's channels, saturated; whole vectors are written to `codes`. */
static void quantize(const tile_finish_args *a, const float *y, uint8_t *codes)
{
    __m256 inverse = _mm256_set1_ps(a->inverse_scale);
    __m256i zero = _mm256_set1_epi32(a->d->out_zero);
    for (int c = 0; c < a->block_channels; c += TILE_LANES) {
        __m256i code = codes_of(a->d, y + c, inverse, zero);
        __m128i words =
            _mm_packs_epi32(_mm256_castsi256_si128(code), _mm256_extracti128_si256(code, 1));
        __m128i bytes = a->d->dst.type == DTYPE_U8 ? _mm_packus_epi16(words, words)
                                                   : _mm_packs_epi16(words, words);
        _mm_storel_epi64((__m128i *)(void *)(codes + c), bytes);
    }
}

static void finish(const tile_finish_args *a)
{
    _Alignas(32) float raw[VALUES], active[VALUES]; /* apart, so that loops become vectors */
    uint8_t codes[TILE_MAX_VECTORS * TILE_LANES];
    const conv_desc *d = a->d;
    const float *y = d->act.op == UNARY_NONE ? raw : active;
    scale_sums(a, raw);
    if (d->act.op != UNARY_NONE)
        unary_row(&d->act, active, raw, a->n_pixels * a->block_channels);
    for (int p = 0; p < a->n_pixels; p++) {
        const float *pixel = y + p * a->block_channels;
        char *dst = a->dst + p * a->pixel_step;
        if (d->out_scale > 0) {
            quantize(a, pixel, codes);
            memcpy(dst, codes, (size_t)a->n_channels);
        } else {
            row_store(dst, d->dst.type, pixel, a->n_channels);
        }
    }
}

static tile_finish_fn *finish_for(const conv_desc *d)
{
    bool is_known = d->act.op == UNARY_NONE || unary_row_can(d->act.op);
    return is_known && row_is_number(d->dst.type) ? finish : NULL;
}

const tile_kernel tile_int8_avx2 = {
    .name = "int8_avx2",
    .math = CONV_INT8,
    .level = CPU_AVX2,
    .lanes = TILE_LANES,
    .max_pixels = TILE_PIXELS,
    .group = 2,
    .sum = tile_sums,
    .finish = finish_for,
    .widen = tile_widen,
};
