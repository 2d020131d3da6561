/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak.h"

#include <arm_neon.h>

#include "kernels/simd/unroll.h"

/* Sixteen accumulators hide the latency of fused multiply-adds on up to four ports. */
double peak_loop_f32_neon(long rounds)
{
    enum { N = 16 };
    float32x4_t acc[N];
    UNROLLED
    for (int i = 0; i < N; i++) {
        acc[i] = vdupq_n_f32(0);
        __asm__ volatile("" : "+w"(acc[i])); /* not known to be equal */
    }
    float32x4_t a = vdupq_n_f32(0), b = vdupq_n_f32(0);
    for (long r = 0; r < rounds; r++) {
        __asm__ volatile("" : "+w"(a), "+w"(b)); /* keeps the loop from being folded */
        UNROLLED
        for (int i = 0; i < N; i++)
            acc[i] = vfmaq_f32(acc[i], a, b);
    }
    UNROLLED
    for (int i = 0; i < N; i++)
        __asm__ volatile("" : "+w"(acc[i]));
    return (double)rounds * N * 4 * 2;
}
