/* SPDX-License-Identifier: Apache-2.0 */
#include <arm_neon.h>
#include <string.h>

#define TILE_PIXELS 14
#define TILE_VECTOR float32x4_t
#define TILE_LOAD(p) vld1q_f32((const float *)(const void *)(p))
#define TILE_STORE(p, v) vst1q_f32((float *)(void *)(p), v)
#define TILE_FLIP(args)
#define TILE_GROUP(p) vdupq_n_f32(tile_load_group(p))
#define TILE_DOT(sum, x, w) vfmaq_f32(sum, x, w)

static inline float tile_load_group(const char *p)
{
    float group;
    memcpy(&group, p, sizeof group);
    return group;
}

#include "kernels/simd/tile_sum_body.h"

#define TILE_INTEGER_SUMS 0
#include "kernels/arm/tile_finish_neon.h"

const tile_kernel tile_f32_neon = {
    .name = "f32_neon",
    .math = CONV_F32,
    .level = CPU_NEON,
    .lanes = TILE_LANES,
    .max_pixels = TILE_PIXELS,
    .group = 1,
    .sum = tile_sums,
    .finish = tile_finish_for,
};
