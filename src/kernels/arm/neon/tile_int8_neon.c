/* SPDX-License-Identifier: Apache-2.0 */
/* Products of codes are 16-bit numbers; pairs of them are added to 32 bits, exactly. */
#include <arm_neon.h>

#define TILE_DOT(sum, x, w) tile_dot(sum, vreinterpretq_s8_s32(x), vreinterpretq_s8_s32(w))

static inline int32x4_t tile_dot(int32x4_t sum, int8x16_t x, int8x16_t w)
{
    int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(w)), high = vmull_high_s8(x, w);
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
}

#include "kernels/arm/tile_int8_body.h"

const tile_kernel tile_int8_neon = {
    .name = "int8_neon",
    .math = CONV_INT8,
    .level = CPU_NEON,
    .lanes = TILE_LANES,
    .max_pixels = TILE_PIXELS,
    .group = 4,
    .is_signed = true,
    .sum = tile_sums,
    .finish = tile_finish_for,
    .spread = tile_spread,
};
