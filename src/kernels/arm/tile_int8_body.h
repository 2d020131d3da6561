/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/arm/tile_int8_body.h — codes four at a time, both sides i8: u8 becomes i8 by taking off
 * 128, which is flipping the top bit. The including file defines
 *
 *     TILE_DOT(sum, x, w): [4] i32 plus four products each of [16] i8
 *
 * and gets `tile_sums`, `tile_finish_for` and `tile_spread` of a tile_kernel. */
#include <arm_neon.h>
#include <string.h>

#define TILE_PIXELS 10
#define TILE_VECTOR int32x4_t
#define TILE_LOAD(p) vld1q_s32((const int32_t *)(const void *)(p))
#define TILE_STORE(p, v) vst1q_s32((int32_t *)(void *)(p), v)
#define TILE_FLIP(args) const int32x4_t flip = vdupq_n_s32((args)->flip)
#define TILE_GROUP(p) veorq_s32(flip, vdupq_n_s32(tile_load_group(p)))

static inline int32_t tile_load_group(const char *p)
{
    int32_t group;
    memcpy(&group, p, sizeof group);
    return group;
}

#include "kernels/simd/tile_sum_body.h"

#define TILE_INTEGER_SUMS 1
#include "kernels/arm/tile_finish_neon.h"

static void tile_spread(char *to, const char *from, int64_t n)
{
    static const uint8_t apart[16] = {0, 1, 2, 255, 3, 4, 5, 255, 6, 7, 8, 255, 9, 10, 11, 255};
    const uint8x16_t order = vld1q_u8(apart);
    int64_t i = 0;
    for (; i + 6 <= n; i += 4) { /* 16 bytes are read: five pixels and a code */
        uint8x16_t codes = vld1q_u8((const uint8_t *)from + 3 * i);
        vst1q_u8((uint8_t *)to + 4 * i, vqtbl1q_u8(codes, order));
    }
    for (; i < n; i++) {
        memset(to + 4 * i, 0, 4);
        memcpy(to + 4 * i, from + 3 * i, 3);
    }
}
