/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/simd/interleave.h — three planes of codes to pixels. */
#ifndef KERNELS_SIMD_INTERLEAVE_H
#define KERNELS_SIMD_INTERLEAVE_H

#include <stdint.h>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/* Eight pixels. */
static inline void interleave_eight(char *to, const char *const planes[3])
{
#if defined(__AVX2__)
    const __m256i close = _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1,
                                           0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    __m256i pixels = _mm256_setzero_si256();
    for (int k = 2; k >= 0; k--) {
        __m128i codes = _mm_loadl_epi64((const __m128i *)(const void *)planes[k]);
        pixels = _mm256_slli_epi32(pixels, 8);
        pixels = _mm256_or_si256(pixels, _mm256_cvtepu8_epi32(codes));
    }
    pixels = _mm256_shuffle_epi8(pixels, close);
    pixels = _mm256_permutevar8x32_epi32(pixels, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
    _mm_storeu_si128((__m128i *)(void *)to, _mm256_castsi256_si128(pixels));
    _mm_storel_epi64((__m128i *)(void *)(to + 16), _mm256_extracti128_si256(pixels, 1));
#elif defined(__ARM_NEON)
    uint8x8x3_t pixels;
    for (int k = 0; k < 3; k++)
        pixels.val[k] = vld1_u8((const uint8_t *)planes[k]);
    vst3_u8((uint8_t *)to, pixels);
#else
    for (int i = 0; i < 24; i++)
        to[i] = planes[i % 3][i / 3];
#endif
}

#endif
