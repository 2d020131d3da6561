/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak.h"

#include <immintrin.h>

#include "kernels/simd/unroll.h"

/* Twelve independent accumulators hide the latency of a fused multiply-add on two ports. */
double peak_loop_f32_avx512(long rounds)
{
    enum { N = 12 };
    __m512 acc[N];
    UNROLLED
    for (int i = 0; i < N; i++) {
        acc[i] = _mm512_setzero_ps();
        __asm__ volatile("" : "+v"(acc[i])); /* not known to be equal */
    }
    __m512 a = _mm512_setzero_ps(), b = _mm512_setzero_ps();
    for (long r = 0; r < rounds; r++) {
        __asm__ volatile("" : "+v"(a), "+v"(b)); /* keeps the loop from being folded */
        UNROLLED
        for (int i = 0; i < N; i++)
            acc[i] = _mm512_fmadd_ps(a, b, acc[i]);
    }
    UNROLLED
    for (int i = 0; i < N; i++)
        __asm__ volatile("" : "+v"(acc[i]));
    return (double)rounds * N * 16 * 2;
}
