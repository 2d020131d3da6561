/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak.h"

#include <arm_neon.h>

#include "kernels/simd/unroll.h"

/* Sixteen accumulators hide the latency of sums of products on up to four ports. */
double peak_loop_int8_dotprod(long rounds)
{
    enum { N = 16 };
    int32x4_t acc[N];
    UNROLLED
    for (int i = 0; i < N; i++) {
        acc[i] = vdupq_n_s32(0);
        __asm__ volatile("" : "+w"(acc[i])); /* not known to be equal */
    }
    int8x16_t a = vdupq_n_s8(0), b = vdupq_n_s8(0);
    for (long r = 0; r < rounds; r++) {
        __asm__ volatile("" : "+w"(a), "+w"(b)); /* keeps the loop from being folded */
        UNROLLED
        for (int i = 0; i < N; i++)
            acc[i] = vdotq_s32(acc[i], a, b);
    }
    UNROLLED
    for (int i = 0; i < N; i++)
        __asm__ volatile("" : "+w"(acc[i]));
    return (double)rounds * N * 16 * 2;
}
