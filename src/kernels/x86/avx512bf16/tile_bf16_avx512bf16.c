/* SPDX-License-Identifier: Apache-2.0 */
#include <immintrin.h>
#include <string.h>

#define TILE_PIXELS 14
#define TILE_VECTOR __m512
#define TILE_LOAD(p) _mm512_load_ps(p)
#define TILE_STORE(p, v) _mm512_store_ps(p, v)
#define TILE_FLIP(args)
#define TILE_GROUP(p) _mm512_castsi512_ps(_mm512_set1_epi32(tile_load_group(p)))
#define TILE_DOT(sum, x, w) _mm512_dpbf16_ps(sum, (__m512bh)(x), (__m512bh)(w))

static inline int tile_load_group(const char *p)
{
    int group;
    memcpy(&group, p, sizeof group);
    return group;
}

#include "kernels/simd/tile_sum_body.h"

#define TILE_INTEGER_SUMS 0
#include "kernels/x86/tile_finish_avx512.h"

const tile_kernel tile_bf16_avx512bf16 = {
    .name = "bf16_avx512bf16",
    .math = CONV_BF16,
    .level = CPU_AVX512BF16,
    .lanes = TILE_LANES,
    .max_pixels = TILE_PIXELS,
    .group = 2,
    .sum = tile_sums,
    .finish = tile_finish_for,
};
