/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak.h"

#include <immintrin.h>

#include "kernels/simd/unroll.h"

/* Codes are multiplied as 16-bit numbers (products of 8-bit ones would saturate). Twelve
 * independent accumulators hide the latency of adding. */
double peak_loop_int8_avx2(long rounds)
{
    enum { N = 12 };
    __m256i acc[N];
    UNROLLED
    for (int i = 0; i < N; i++) {
        acc[i] = _mm256_setzero_si256();
        __asm__ volatile("" : "+x"(acc[i])); /* not known to be equal */
    }
    __m256i a = _mm256_setzero_si256(), b = _mm256_setzero_si256();
    for (long r = 0; r < rounds; r++)
        UNROLLED
    for (int i = 0; i < N; i++) {
        __asm__ volatile("" : "+x"(a), "+x"(b)); /* not the same product again */
        acc[i] = _mm256_add_epi32(acc[i], _mm256_madd_epi16(a, b));
    }
    UNROLLED
    for (int i = 0; i < N; i++)
        __asm__ volatile("" : "+x"(acc[i]));
    return (double)rounds * N * 16 * 2;
}
