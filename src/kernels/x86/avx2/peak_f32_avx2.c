/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak.h"

#include <immintrin.h>

#include "kernels/simd/unroll.h"

/* Twelve independent accumulators hide the latency of a fused multiply-add on two ports. */
double peak_loop_f32_avx2(long rounds)
{
    enum { N = 12 };
    __m256 acc[N];
    UNROLLED
    for (int i = 0; i < N; i++) {
        acc[i] = _mm256_setzero_ps();
        __asm__ volatile("" : "+x"(acc[i])); /* not known to be equal */
    }
    __m256 a = _mm256_setzero_ps(), b = _mm256_setzero_ps();
    for (long r = 0; r < rounds; r++) {
        __asm__ volatile("" : "+x"(a), "+x"(b)); /* keeps the loop from being folded */
        UNROLLED
        for (int i = 0; i < N; i++)
            acc[i] = _mm256_fmadd_ps(a, b, acc[i]);
    }
    UNROLLED
    for (int i = 0; i < N; i++)
        __asm__ volatile("" : "+x"(acc[i]));
    return (double)rounds * N * 8 * 2;
}
