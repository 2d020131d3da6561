/* SPDX-License-Identifier: Apache-2.0 */
/* base/cpu.h — which instruction sets may be used. Levels ascend; each includes those below. Those
 * of other architectures lie above all that a machine can have. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include "base/error.h"

typedef enum cpu_level {
    CPU_REF, /* scalar C only */
#if defined(__aarch64__)
    CPU_NEON,    /* of every aarch64 processor */
    CPU_DOTPROD, /* + sums of four products of codes */
#endif
    CPU_AVX2,       /* AVX2 + FMA */
    CPU_AVX512,     /* AVX512 F, BW, DQ, VL */
    CPU_AVX512VNNI, /* + VNNI */
    CPU_AVX512BF16, /* + BF16 */
} cpu_level;

cpu_level cpu_best(void); /* of this machine */
const char *cpu_level_name(cpu_level level);
const char *cpu_model_name(char *buffer, int size); /* "unknown" when it cannot be told */
/* "ref|avx2|avx512|avx512vnni|avx512bf16|native", on aarch64 "ref|neon|dotprod|native" (NULL:
 * native), capped at what the machine has. */
PTQ_CHECKED ptq_status cpu_level_parse(const char *name, cpu_level *level, ptq_error *err);

#endif
