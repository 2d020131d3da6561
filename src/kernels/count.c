/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/count.h"

count_kernel count_choose(cpu_level level)
{
#if defined(__x86_64__)
    if (level >= CPU_AVX512)
        return (count_kernel){count_extent_avx512, count_magnitudes_avx512};
    if (level >= CPU_AVX2)
        return (count_kernel){count_extent_avx2, count_magnitudes_avx2};
#elif defined(__aarch64__)
    if (level >= CPU_NEON)
        return (count_kernel){count_extent_neon, count_magnitudes_neon};
#else
    (void)level;
#endif
    return (count_kernel){count_extent_ref, count_magnitudes_ref};
}
