/* SPDX-License-Identifier: Apache-2.0 */
/* Codes by VNNI, four at a time: u8 times i8. Codes that are i8 are made u8 by adding 128, which is
 * flipping their top bit; the sums begin with what that adds too much. */
#include <immintrin.h>
#include <string.h>

#define TILE_PIXELS 14
#define TILE_VECTOR __m512i
#define TILE_LOAD(p) _mm512_load_si512(p)
#define TILE_STORE(p, v) _mm512_store_si512(p, v)
#define TILE_FLIP(args) const __m512i flip = _mm512_set1_epi32((args)->flip)
#define TILE_GROUP(p) _mm512_xor_si512(flip, _mm512_set1_epi32(tile_load_group(p)))
#define TILE_DOT(sum, x, w) _mm512_dpbusd_epi32(sum, x, w)

static inline int tile_load_group(const char *p)
{
    int group;
    memcpy(&group, p, sizeof group);
    return group;
}

#include "kernels/simd/tile_sum_body.h"

#define TILE_INTEGER_SUMS 1
#include "kernels/x86/tile_finish_avx512.h"

static void tile_spread(char *to, const char *from, int64_t n)
{
    const __m128i apart = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
    int64_t i = 0;
    for (; i + 6 <= n; i += 4) { /* 16 bytes are read: five pixels and a code */
        __m128i codes = _mm_loadu_si128((const __m128i *)(const void *)(from + 3 * i));
        _mm_storeu_si128((__m128i *)(void *)(to + 4 * i), _mm_shuffle_epi8(codes, apart));
    }
    for (; i < n; i++) {
        memset(to + 4 * i, 0, 4);
        memcpy(to + 4 * i, from + 3 * i, 3);
    }
}

const tile_kernel tile_int8_avx512vnni = {
    .name = "int8_avx512vnni",
    .math = CONV_INT8,
    .level = CPU_AVX512VNNI,
    .lanes = TILE_LANES,
    .max_pixels = TILE_PIXELS,
    .group = 4,
    .sum = tile_sums,
    .finish = tile_finish_for,
    .spread = tile_spread,
};
