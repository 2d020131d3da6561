/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/conv.h — convolutions: float, bfloat16 and integer, with bias, activation and
 * quantization of the result in one pass.
 *
 * Implementations stand in an ordered list, best first, the scalar reference last; conv_create()
 * takes the first whose can() is true and packs the weights for it. A conv is constant after that
 * and can be run from one thread at a time.
 *
 * Arithmetic, float:   y = act(sum x*w + bias)
 *             integer: y = act((sum (x-x_zero)*w) * (x_scale*w_scale[c]) + bias[c]), the sum exact;
 * then, when out_scale > 0, rint(y/out_scale) + out_zero saturated to the output's type, y rounded
 * to float16 first when out_from_half.
 */
#ifndef KERNELS_CONV_H
#define KERNELS_CONV_H

#include "base/cpu.h"
#include "base/error.h"
#include "base/pool.h"
#include "kernels/kernel.h"

typedef enum conv_math {
    CONV_F32,  /* x f32, w f32 */
    CONV_BF16, /* x bf16, w f32 rounded to bf16 when packed, f32 sums */
    CONV_INT8  /* x i8 or u8, w i8, i32 sums */
} conv_math;

typedef struct conv_desc {
    conv_math math;
    view src, dst; /* [N,C,H,W] with their strides; data is not looked at */
    int kernel[2]; /* h, w */
    int stride[2];
    int dilation[2];
    int pad[2]; /* top, left; the output's size says the rest */
    int groups;
    unary_param act;
    float x_scale; /* CONV_INT8 */
    int x_zero;
    float out_scale; /* 0: the result is stored as it is */
    int out_zero;
    bool out_from_half; /* the result is rounded to float16 before it becomes codes */
    bool exact;         /* equal to the reference bit for bit (CONV_INT8) */
    bool is_direct; /* CONV_F32: plain sums of products, not Winograd's, whose roundings differ */
    int threads;
} conv_desc;

/* Borrowed until conv_create() returns. */
typedef struct conv_weights {
    const void *weight;   /* f32, or i8 for CONV_INT8; [Cout][Cin/groups][kh][kw] */
    const float *w_scale; /* CONV_INT8: [Cout] */
    const float *bias;    /* [Cout] or NULL */
    bool is_lasting;      /* `weight` stays as long as convolutions are made in the context: equal
                             ones share their packed form */
} conv_weights;

typedef struct conv_impl conv_impl;

/* First member of every implementation's own struct. */
typedef struct conv {
    const conv_impl *impl;
    conv_desc desc;
    int n_parts;          /* to be run by as many threads, in any order */
    size_t packed_bytes;  /* memory for weights */
    size_t scratch_bytes; /* for one run, all parts together */
    int64_t piece_pixels; /* a good number of pixels for run_pixels(); 0: it cannot be used */
} conv;

typedef struct conv_run_args {
    const void *src;
    void *dst;
    void *scratch; /* 64-byte aligned, scratch_bytes */
} conv_run_args;

/* What the convolutions of an engine, or of several, share: packed weights. */
typedef struct conv_context conv_context;

struct conv_impl {
    const char *name;
    cpu_level level;
    bool takes_strides; /* pixels may be further apart than their channels need */
    bool (*can)(const conv_desc *d, cpu_level level);
    /* PTQ_UNSUPPORTED: cannot do this one after all; the next in the list is tried. */
    ptq_status (*create)(const conv_desc *d, const conv_weights *w, conv_context *context,
                         conv **out, ptq_error *err);
    bool (*run)(const conv *c, const conv_run_args *a, int part); /* false: it failed */
    /* Output pixels [begin, end) of one image, pixels of all images counted on, to a->dst. A part
     * has the pixels of kernel_share(). Only where piece_pixels > 0. */
    void (*run_pixels)(const conv *c, const conv_run_args *a, int64_t begin, int64_t end);
    /* The output rows that a part writes, rows of all images counted on; they ascend with the
     * parts. NULL: no part is known to keep to any. */
    void (*rows)(const conv *c, int part, int64_t rows[2]);
    const char *(*info)(const conv *c); /* more about the choice, or NULL */
    void (*destroy)(conv *c);
};

/* Weights are packed by `threads`, borrowed. `level` caps the instruction set. oneDNN can be capped
 * once per process only, before it first computes: when a lower cap comes too late, its kernels are
 * used as they are. */
PTQ_CHECKED ptq_status conv_context_create(cpu_level level, pool *threads, conv_context **out,
                                           ptq_error *err);
void conv_context_destroy(conv_context *c); /* NULL allowed; after its convolutions */

/* What conv_create() will try first for packed images like these. */
const conv_impl *conv_best(const conv_desc *d, cpu_level level);
PTQ_CHECKED ptq_status conv_create(const conv_desc *d, const conv_weights *w, conv_context *context,
                                   conv **out, ptq_error *err);
void conv_destroy(conv *c); /* NULL allowed */
/* The implementations, best first; the tests compare each with the last. */
const conv_impl *const *conv_impls(int *n);
/* Where the piece of pixels that begins at `at`, for run_pixels(), ends: at `end` at the latest. */
int64_t conv_piece_end(const conv *c, int64_t at, int64_t end);
int64_t conv_depth(const conv_desc *d); /* products per output element */
/* The first row of the input that output rows below `end` do not read; rows of all images counted
 * on. */
int64_t conv_rows_read(const conv_desc *d, int64_t end);

/* A convolution cut for several threads: whole pictures of a batch, or rows of a picture. Each part
 * is a convolution of its own on a part of the memory. */
typedef struct conv_part {
    conv_desc desc;
    int64_t src_offset, dst_offset; /* elements */
} conv_part;
int conv_part_count(const conv_desc *d); /* about d->threads; 1 when it cannot be cut */
conv_part conv_part_at(const conv_desc *d, int part, int n_parts);

#endif
