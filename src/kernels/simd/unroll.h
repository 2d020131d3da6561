/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/simd/unroll.h — UNROLLED in front of a loop with few, constant rounds: arrays indexed by
 * its variable can then stay in registers. */
#ifndef KERNELS_SIMD_UNROLL_H
#define KERNELS_SIMD_UNROLL_H

#if defined(__clang__)
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 16")
#endif

#endif
