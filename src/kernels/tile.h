/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/tile.h — the inner loops of conv_tile: a few pixels times a block of output channels.
 *
 * All arithmetics have one shape. A pixel's input channels are read in groups of four bytes: 4
 * codes, 2 bf16 or 1 f32, or 2 codes widened to 16 bits where there is no VNNI. One group of a
 * pixel is multiplied with the same group of all channels of a block at once:
 *
 *     sums[p][c] = first[c] + sum over runs r and groups g of x[p, r, g] . w[r, g, c]
 *
 * A run is a stretch of the window that lies in one piece: a row of it, or one tap when dilated.
 * The sums are then finished: scaled, activated, quantized and stored. */
#ifndef KERNELS_TILE_H
#define KERNELS_TILE_H

#include "kernels/conv.h"

enum {
    TILE_GROUP_BYTES = 4,
    TILE_MAX_PIXELS = 14,
    TILE_MAX_VECTORS = 2,   /* vectors of channels in a block */
    TILE_MAX_CHANNELS = 32, /* in a block */
};

typedef struct tile_sum_args {
    const char *src;     /* the window of the first pixel */
    int64_t pixel_step;  /* bytes from pixel to pixel */
    const int64_t *runs; /* offset of each run from the window's start, in bytes */
    int64_t n_runs;
    int64_t n_groups;   /* in each run */
    const char *weight; /* [run][group][channel][4 bytes], 64-byte aligned */
    const void *first;  /* [channel] i32 or f32 */
    void *sums;         /* [pixel][channel] i32 or f32, 64-byte aligned */
    int64_t ahead;      /* bytes of the next tile to ask the memory for with every group */
    int32_t flip;       /* XORed into groups of codes: 0x80808080 where i8 and u8 are to change */
} tile_sum_args;

typedef void tile_sum_fn(const tile_sum_args *a);

/* From sums to the output of one block. Arrays reach to the end of the last vector. */
typedef struct tile_finish_args {
    const void *sums; /* [pixel][block_channels] */
    int n_pixels;
    int block_channels; /* whole vectors */
    int n_channels;     /* of these exist */
    const float *scale; /* [channel]; integer sums only */
    const float *bias;  /* [channel]; integer sums only: float sums begin with it */
    char *dst;
    int64_t pixel_step;  /* bytes */
    const conv_desc *d;  /* activation, type and quantization of the output */
    float inverse_scale; /* 1/out_scale */
} tile_finish_args;

typedef void tile_finish_fn(const tile_finish_args *a);

/* n codes widened to 16 bits, their zero point taken off. */
typedef void tile_widen_fn(int16_t *to, const void *from, int64_t n, int zero, bool is_unsigned);

/* n pixels of three codes that follow each other to groups of four, the last one 0. */
typedef void tile_spread_fn(char *to, const char *from, int64_t n);

typedef struct tile_kernel {
    const char *name;
    conv_math math;
    cpu_level level;
    int lanes;                                     /* channels in a vector */
    int max_pixels;                                /* at most TILE_MAX_PIXELS */
    int group;                                     /* input channels in a group */
    bool is_signed;                                /* codes are multiplied as i8, else as u8 */
    tile_sum_fn *const *sum;                       /* [(vectors - 1) * max_pixels + pixels - 1] */
    tile_finish_fn *(*finish)(const conv_desc *d); /* NULL: it cannot */
    tile_widen_fn *widen;                          /* NULL: codes are read as they are */
    tile_spread_fn *spread;                        /* NULL: conv_tile does it */
} tile_kernel;

#if defined(__x86_64__)
extern const tile_kernel tile_int8_avx2, tile_int8_avx512, tile_int8_avx512vnni;
extern const tile_kernel tile_f32_avx512, tile_bf16_avx512bf16;
#elif defined(__aarch64__)
extern const tile_kernel tile_int8_neon, tile_int8_dotprod, tile_f32_neon;
#endif

#endif
