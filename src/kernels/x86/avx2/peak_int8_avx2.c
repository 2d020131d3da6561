/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak.h"

#include <immintrin.h>

/* Twelve independent accumulators hide the latency of the multiply-add-add chain on two ports. */
double peak_loop_int8_avx2(long rounds)
{
    enum { N = 12 };
    __m256i acc[N];
    for (int i = 0; i < N; i++)
        acc[i] = _mm256_setzero_si256();
    __m256i a = _mm256_setzero_si256(), b = _mm256_setzero_si256();
    for (long r = 0; r < rounds; r++) {
        __asm__ volatile("" : "+x"(a), "+x"(b)); /* keeps the loop from being folded */
        for (int i = 0; i < N; i++)
            acc[i] = _mm256_add_epi32(acc[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), b));
    }
    for (int i = 0; i < N; i++)
        __asm__ volatile("" : "+x"(acc[i]));
    return (double)rounds * N * 32 * 2;
}
