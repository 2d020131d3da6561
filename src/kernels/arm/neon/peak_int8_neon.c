/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak.h"

#include <arm_neon.h>

#include "kernels/simd/unroll.h"

/* Codes are multiplied to 16 bits and added in pairs. Sixteen independent accumulators hide the
 * latency. */
double peak_loop_int8_neon(long rounds)
{
    enum { N = 16 };
    int32x4_t acc[N];
    UNROLLED
    for (int i = 0; i < N; i++) {
        acc[i] = vdupq_n_s32(0);
        __asm__ volatile("" : "+w"(acc[i])); /* not known to be equal */
    }
    int8x8_t a = vdup_n_s8(0), b = vdup_n_s8(0);
    for (long r = 0; r < rounds; r++)
        UNROLLED
    for (int i = 0; i < N; i++) {
        __asm__ volatile("" : "+w"(a), "+w"(b)); /* not the same product again */
        acc[i] = vpadalq_s16(acc[i], vmull_s8(a, b));
    }
    UNROLLED
    for (int i = 0; i < N; i++)
        __asm__ volatile("" : "+w"(acc[i]));
    return (double)rounds * N * 8 * 2;
}
