/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_neon.h>

#define TILE_DOT(sum, x, w) vdotq_s32(sum, vreinterpretq_s8_s32(x), vreinterpretq_s8_s32(w))

#include "kernels/arm/tile_int8_body.h"

const tile_kernel tile_int8_dotprod = {
    .name = "int8_dotprod",
    .math = CONV_INT8,
    .level = CPU_DOTPROD,
    .lanes = TILE_LANES,
    .max_pixels = TILE_PIXELS,
    .group = 4,
    .is_signed = true,
    .sum = tile_sums,
    .finish = tile_finish_for,
    .spread = tile_spread,
};
