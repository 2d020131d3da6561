/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/simd/count_body.h — count.h in loops that become vectors; the including file defines
 * NAME(x), which adds the instruction set to a name. */
#include <string.h>

#include "kernels/count.h"

count_extent NAME(count_extent)(const float *x, size_t n)
{
    int32_t high = 0, low = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        int32_t magnitude = bits & INT32_MAX;
        int32_t above = bits < 0 ? 0 : magnitude;
        int32_t below = bits < 0 ? magnitude : 0;
        high = above > high ? above : high;
        low = below > low ? below : low;
    }
    return (count_extent){high, low};
}

enum { COUNT_BLOCK = 512 };

/* The bins of up to a block of values, which stay in the first-level cache; at most `most`. */
static count_extent find_bins(const float *x, size_t n, float per_width, float most, int32_t *bin)
{
    int32_t high = 0, low = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        int32_t magnitude = bits & INT32_MAX;
        int32_t above = bits < 0 ? 0 : magnitude;
        int32_t below = bits < 0 ? magnitude : 0;
        high = above > high ? above : high;
        low = below > low ? below : low;
        float wide = __builtin_fabsf(x[i]) * per_width;
        bin[i] = (int32_t)(wide < most ? wide : most);
    }
    return (count_extent){high, low};
}

size_t NAME(count_magnitudes)(uint32_t *counts, int n_bins, float per_width, const float *x,
                              size_t n, count_extent *seen)
{
    int32_t bin[COUNT_BLOCK], end;
    uint32_t *a = counts, *b = a + n_bins, *c = b + n_bins, *d = c + n_bins;
    float beyond = (float)n_bins / per_width;
    memcpy(&end, &beyond, sizeof end);
    for (size_t from = 0; from < n; from += COUNT_BLOCK) {
        size_t m = n - from < COUNT_BLOCK ? n - from : COUNT_BLOCK, i = 0;
        count_extent e = find_bins(x + from, m, per_width, (float)n_bins, bin);
        seen->high = e.high > seen->high ? e.high : seen->high;
        seen->low = e.low > seen->low ? e.low : seen->low;
        if (e.high >= end || e.low >= end)
            return from;
        for (; i + COUNT_LANES <= m; i += COUNT_LANES) {
            a[bin[i]]++;
            b[bin[i + 1]]++;
            c[bin[i + 2]]++;
            d[bin[i + 3]]++;
        }
        for (; i < m; i++)
            a[bin[i]]++;
    }
    return n;
}
