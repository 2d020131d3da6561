/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/simd/tile_widen_body.h — codes to 16 bits: tile_kernel.widen. */
#include "kernels/tile.h"

static void tile_widen(int16_t *restrict to, const void *from, int64_t n, int zero,
                       bool is_unsigned)
{
    const uint8_t *u = from;
    const int8_t *s = from;
    int16_t z = (int16_t)zero;
    if (is_unsigned)
        for (int64_t i = 0; i < n; i++)
            to[i] = (int16_t)(u[i] - z);
    else
        for (int64_t i = 0; i < n; i++)
            to[i] = (int16_t)(s[i] - z);
}
