/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/count_body.h — count.h in loops that become vectors; the including file defines
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

/* A block of bin numbers stays in the first-level cache. */
void NAME(count_magnitudes)(uint32_t *counts, int n_bins, float per_width, const float *x, size_t n)
{
    enum { BLOCK = 512 };
    int32_t bin[BLOCK];
    uint32_t *a = counts, *b = a + n_bins, *c = b + n_bins, *d = c + n_bins;
    for (size_t from = 0; from < n; from += BLOCK) {
        size_t m = n - from < BLOCK ? n - from : BLOCK, i = 0;
        for (size_t k = 0; k < m; k++)
            bin[k] = (int32_t)(__builtin_fabsf(x[from + k]) * per_width);
        for (; i + COUNT_LANES <= m; i += COUNT_LANES) {
            a[bin[i]]++;
            b[bin[i + 1]]++;
            c[bin[i + 2]]++;
            d[bin[i + 3]]++;
        }
        for (; i < m; i++)
            a[bin[i]]++;
    }
}
