/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak.h"

#include <immintrin.h>

#include "kernels/simd/unroll.h"

/* Codes are multiplied as 16-bit numbers (products of 8-bit ones would saturate). Twelve
 * independent accumulators hide the latency of adding. */
double peak_loop_int8_avx512(long rounds)
{
    enum { N = 12 };
    __m512i acc[N];
    UNROLLED
    for (int i = 0; i < N; i++) {
        acc[i] = _mm512_setzero_si512();
        __asm__ volatile("" : "+v"(acc[i])); /* not known to be equal */
    }
    __m512i a = _mm512_setzero_si512(), b = _mm512_setzero_si512();
    for (long r = 0; r < rounds; r++)
        UNROLLED
    for (int i = 0; i < N; i++) {
        __asm__ volatile("" : "+v"(a), "+v"(b)); /* not the same product again */
        acc[i] = _mm512_add_epi32(acc[i], _mm512_madd_epi16(a, b));
    }
    UNROLLED
    for (int i = 0; i < N; i++)
        __asm__ volatile("" : "+v"(acc[i]));
    return (double)rounds * N * 32 * 2;
}
