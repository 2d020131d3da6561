/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/count.h — counting how large values are: the inner loops of histograms.
 *
 * Widths are powers of two and counts are integers, so every implementation gives the same. */
#ifndef KERNELS_COUNT_H
#define KERNELS_COUNT_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/* Equal neighbours are common (zeros, saturated activations): lanes keep their increments apart. */
enum { COUNT_LANES = 4 };

/* The bit patterns of the largest value above zero, and of the largest magnitude below it. NaN and
 * infinity come out on top: 0x7f800000 or more. */
typedef struct count_extent {
    int32_t high;
    int32_t low;
} count_extent;

typedef count_extent count_extent_fn(const float *x, size_t n);
/* counts[lane * n_bins + |x| * per_width]++ for the values up to one that has no bin; no count may
 * reach 2^32. Returns how many that were: n, or fewer by up to a block before the one without a
 * bin, which *seen tells of. What was seen joins *seen. per_width is a power of two. */
typedef size_t count_magnitudes_fn(uint32_t *counts, int n_bins, float per_width, const float *x,
                                   size_t n, count_extent *seen);

typedef struct count_kernel {
    count_extent_fn *extent;
    count_magnitudes_fn *magnitudes;
} count_kernel;

count_kernel count_choose(cpu_level level);

/* The implementations. */
count_extent_fn count_extent_ref;
count_magnitudes_fn count_magnitudes_ref;
#if defined(__x86_64__)
count_extent_fn count_extent_avx2, count_extent_avx512;
count_magnitudes_fn count_magnitudes_avx2, count_magnitudes_avx512;
#elif defined(__aarch64__)
count_extent_fn count_extent_neon;
count_magnitudes_fn count_magnitudes_neon;
#endif

#endif
