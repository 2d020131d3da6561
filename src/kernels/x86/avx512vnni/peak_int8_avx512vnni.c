/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak.h"

#include <immintrin.h>

#include "kernels/simd/unroll.h"

/* Twelve independent accumulators hide the latency of vpdpbusd on two ports. In assembly because
 * compilers copy the accumulator around the intrinsic, which halves the speed measured. */
double peak_loop_int8_avx512vnni(long rounds)
{
    enum { N = 12 };
    __m512i acc[N];
    UNROLLED
    for (int i = 0; i < N; i++) {
        acc[i] = _mm512_setzero_si512();
        __asm__ volatile("" : "+v"(acc[i])); /* not known to be equal */
    }
    __m512i a = _mm512_setzero_si512(), b = _mm512_setzero_si512();
    for (long r = 0; r < rounds; r++) {
        __asm__ volatile("" : "+v"(a), "+v"(b)); /* keeps the loop from being folded */
        UNROLLED
        for (int i = 0; i < N; i++)
            __asm__("vpdpbusd %2, %1, %0" : "+v"(acc[i]) : "v"(a), "v"(b));
    }
    UNROLLED
    for (int i = 0; i < N; i++)
        __asm__ volatile("" : "+v"(acc[i]));
    return (double)rounds * N * 64 * 2;
}
