/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/peak.h"

#include <stddef.h>

#include "base/clock.h"

typedef double loop_fn(long rounds);

static loop_fn *loop_of(peak_kind kind, cpu_level level)
{
#if defined(__x86_64__)
    switch (kind) {
    case PEAK_F32:
        return level >= CPU_AVX512 ? peak_loop_f32_avx512
               : level >= CPU_AVX2 ? peak_loop_f32_avx2
                                   : NULL;
    case PEAK_BF16:
        return level >= CPU_AVX512BF16 ? peak_loop_bf16_avx512bf16 : NULL;
    case PEAK_INT8:
        return level >= CPU_AVX512VNNI ? peak_loop_int8_avx512vnni
               : level >= CPU_AVX512   ? peak_loop_int8_avx512
               : level >= CPU_AVX2     ? peak_loop_int8_avx2
                                       : NULL;
    }
#elif defined(__aarch64__)
    if (level >= CPU_NEON && kind == PEAK_F32)
        return peak_loop_f32_neon;
    if (level >= CPU_NEON && kind == PEAK_INT8)
        return level >= CPU_DOTPROD ? peak_loop_int8_dotprod : peak_loop_int8_neon;
#else
    (void)kind, (void)level;
#endif
    return NULL;
}

double peak_measure(peak_kind kind, cpu_level level, int threads)
{
    enum { N_ROUNDS = 9 };
    const long rounds = 400000; /* about 2 ms a round: longer than a timer tick, shorter than a
                                   turbo change */
    loop_fn *loop = loop_of(kind, level);
    double best = 0;
    if (!loop)
        return 0;
    for (int i = -2; i < N_ROUNDS; i++) { /* two rounds warm up */
        double ops = 0, start = clock_ms();
#pragma omp parallel for num_threads(threads) reduction(+ : ops) schedule(static, 1)
        for (int t = 0; t < threads; t++)
            ops += loop(rounds);
        double ms = clock_ms() - start;
        if (i >= 0 && ops / ms * 1e-6 > best)
            best = ops / ms * 1e-6;
    }
    return best;
}
