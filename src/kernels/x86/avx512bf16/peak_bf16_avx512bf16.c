/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak.h"

#include <immintrin.h>

#include "kernels/simd/unroll.h"

/* Twelve independent accumulators hide the latency of vdpbf16ps on two ports. */
double peak_loop_bf16_avx512bf16(long rounds)
{
    enum { N = 12 };
    __m512 acc[N];
    UNROLLED
    for (int i = 0; i < N; i++) {
        acc[i] = _mm512_setzero_ps();
        __asm__ volatile("" : "+v"(acc[i])); /* not known to be equal */
    }
    __m512i bits = _mm512_setzero_si512();
    for (long r = 0; r < rounds; r++) {
        __asm__ volatile("" : "+v"(bits)); /* keeps the loop from being folded */
        UNROLLED
        for (int i = 0; i < N; i++)
            acc[i] = _mm512_dpbf16_ps(acc[i], (__m512bh)bits, (__m512bh)bits);
    }
    UNROLLED
    for (int i = 0; i < N; i++)
        __asm__ volatile("" : "+v"(acc[i]));
    return (double)rounds * N * 32 * 2;
}
