/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "kernels/count.h"

count_extent count_extent_ref(const float *x, size_t n)
{
    count_extent e = {0, 0};
    for (size_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        int32_t magnitude = bits & INT32_MAX;
        int32_t *side = bits < 0 ? &e.low : &e.high;
        *side = magnitude > *side ? magnitude : *side;
    }
    return e;
}

size_t count_magnitudes_ref(uint32_t *counts, int n_bins, float per_width, const float *x, size_t n,
                            count_extent *seen)
{
    for (size_t i = 0; i < n; i++) {
        count_extent e = count_extent_ref(x + i, 1);
        seen->high = e.high > seen->high ? e.high : seen->high;
        seen->low = e.low > seen->low ? e.low : seen->low;
        float bin = fabsf(x[i]) * per_width;
        if (!(bin < (float)n_bins))
            return i;
        counts[(int)(i % COUNT_LANES) * n_bins + (int)bin]++;
    }
    return n;
}
