/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/arm/tile_finish_neon.h — finishing tiles. The including file has included
 * simd/tile_sum_body.h, defines TILE_INTEGER_SUMS as 0 or 1, and gets `tile_finish_for`, the
 * function of tile_kernel.finish. */
#include <arm_neon.h>

#include "kernels/simd/activation_row.h"
#include "kernels/tile.h"

enum { TILE_VALUES = TILE_PIXELS * TILE_MAX_VECTORS * TILE_LANES };

#if TILE_INTEGER_SUMS
/* y = sum * scale + bias of all values of the tile. */
static void tile_scale(const tile_finish_args *a, float *y)
{
    const int32_t *sums = a->sums;
    for (int c = 0; c < a->block_channels; c += TILE_LANES) {
        float32x4_t scale = vld1q_f32(a->scale + c), bias = vld1q_f32(a->bias + c);
        for (int at = c; at < a->n_pixels * a->block_channels; at += a->block_channels) {
            float32x4_t v = vcvtq_f32_s32(vld1q_s32(sums + at));
            vst1q_f32(y + at, vaddq_f32(vmulq_f32(v, scale), bias));
        }
    }
}

/* rint(y/scale) + zero, of four, saturated to 16 bits. Rounded to float16, by a true division:
 * between such numbers ties are no rarity. */
static inline int16x4_t tile_codes(const tile_finish_args *a, const float *at)
{
    float32x4_t y = vld1q_f32(at);
    if (a->d->out_from_half)
        y = vdivq_f32(vcvt_f32_f16(vcvt_f16_f32(y)), vdupq_n_f32(a->d->out_scale));
    else
        y = vmulq_n_f32(y, a->inverse_scale);
    return vqmovn_s32(vqaddq_s32(vcvtnq_s32_f32(y), vdupq_n_s32(a->d->out_zero)));
}

/* Codes of one pixel's channels, saturated; whole vectors are written to `codes`. */
static void tile_quantize(const tile_finish_args *a, const float *y, uint8_t *codes)
{
    for (int c = 0; c < a->block_channels; c += TILE_LANES) {
        int16x4_t words = tile_codes(a, y + c);
        int16x8_t twice = vcombine_s16(words, words);
        uint8x8_t bytes =
            a->d->dst.type == DTYPE_U8 ? vqmovun_s16(twice) : vreinterpret_u8_s8(vqmovn_s16(twice));
        vst1_lane_u32((uint32_t *)(void *)(codes + c), vreinterpret_u32_u8(bytes), 0);
    }
}
#endif

/* Activations are apart from their source, so that loops become vectors. */
static void tile_finish(const tile_finish_args *a)
{
    _Alignas(16) float active[TILE_VALUES];
    const conv_desc *d = a->d;
    const float *y = a->sums;
#if TILE_INTEGER_SUMS
    _Alignas(16) float raw[TILE_VALUES];
    _Alignas(4) uint8_t codes[TILE_MAX_VECTORS * TILE_LANES];
    tile_scale(a, raw);
    y = raw;
#endif
    if (d->act.op != UNARY_NONE) {
        unary_row(&d->act, active, y, a->n_pixels * a->block_channels);
        y = active;
    }
    for (int p = 0; p < a->n_pixels; p++, y += a->block_channels) {
        char *dst = a->dst + p * a->pixel_step;
#if TILE_INTEGER_SUMS
        if (d->out_scale > 0) {
            tile_quantize(a, y, codes);
            memcpy(dst, codes, (size_t)a->n_channels);
            continue;
        }
#endif
        row_store(dst, d->dst.type, y, a->n_channels);
    }
}

static tile_finish_fn *tile_finish_for(const conv_desc *d)
{
    bool is_known = d->act.op == UNARY_NONE || unary_row_can(d->act.op);
    return is_known && row_is_number(d->dst.type) ? tile_finish : NULL;
}
