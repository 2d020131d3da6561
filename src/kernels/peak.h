/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/peak.h — how many multiply-adds this machine can do at all, measured.
 *
 * Loops of independent multiply-accumulate instructions on registers: no memory, no dependency
 * stalls. A network's time is judged against this.
 */
#ifndef KERNELS_PEAK_H
#define KERNELS_PEAK_H

#include "base/cpu.h"

typedef enum peak_kind { PEAK_F32, PEAK_BF16, PEAK_INT8 } peak_kind;

/* 1e9 operations per second (2 per multiply-accumulate) of `threads` threads, the best of
 * several short rounds; 0 when the level has no instruction for it. */
double peak_measure(peak_kind kind, cpu_level level, int threads);

/* The loops: `rounds` rounds; return the number of operations done. */
double peak_loop_f32_avx2(long rounds);
double peak_loop_f32_avx512(long rounds);
double peak_loop_int8_avx2(long rounds);
double peak_loop_int8_avx512(long rounds);
double peak_loop_int8_avx512vnni(long rounds);
double peak_loop_bf16_avx512bf16(long rounds);
double peak_loop_f32_neon(long rounds);
double peak_loop_int8_neon(long rounds);
double peak_loop_int8_dotprod(long rounds);

#endif
