/* SPDX-License-Identifier: Apache-2.0 */
/* Codes without VNNI: widened to 16 bits they are multiplied and added in pairs, exactly. */
#include <immintrin.h>
#include <string.h>

#define TILE_PIXELS 14
#define TILE_VECTOR __m512i
#define TILE_LOAD(p) _mm512_load_si512(p)
#define TILE_STORE(p, v) _mm512_store_si512(p, v)
#define TILE_FLIP(args)
#define TILE_GROUP(p) _mm512_set1_epi32(tile_load_group(p))
#define TILE_DOT(sum, x, w) _mm512_add_epi32(sum, _mm512_madd_epi16(x, w))

static inline int tile_load_group(const char *p)
{
    int group;
    memcpy(&group, p, sizeof group);
    return group;
}

#include "kernels/simd/tile_sum_body.h"
#include "kernels/simd/tile_widen_body.h"

#define TILE_INTEGER_SUMS 1
#include "kernels/x86/tile_finish_avx512.h"

const tile_kernel tile_int8_avx512 = {
    .name = "int8_avx512",
    .math = CONV_INT8,
    .level = CPU_AVX512,
    .lanes = TILE_LANES,
    .max_pixels = TILE_PIXELS,
    .group = 2,
    .sum = tile_sums,
    .finish = tile_finish_for,
    .widen = tile_widen,
};
