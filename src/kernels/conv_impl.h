/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/conv_impl.h — what convolution implementations need of each other's house. */
#ifndef KERNELS_CONV_IMPL_H
#define KERNELS_CONV_IMPL_H

#include "base/blob.h"
#include "kernels/conv.h"

struct dnnl_home; /* onednn/dnnl_home.h */

/* Which packed weights are meant. */
typedef struct packed_key {
    const void *weight;    /* what was packed */
    const conv_impl *impl; /* by whom */
    const void *layout;    /* the implementation's own description, equal byte for byte */
    size_t layout_bytes;
} packed_key;

typedef struct packed_weights {
    const void *weight;
    const conv_impl *impl;
    blob *layout;
    blob *data;
} packed_weights;

struct conv_context {
    cpu_level level;
    pool *threads;          /* borrowed: to pack with */
    struct dnnl_home *dnnl; /* created when first needed; NULL before */
    packed_weights *packed;
    int n_packed, cap_packed;
};

/* Remembers packed weights for later convolutions; takes a reference. */
PTQ_CHECKED ptq_status conv_context_keep(conv_context *c, const packed_key *key, blob *data,
                                         ptq_error *err);
/* Borrowed; NULL when they were not packed before. */
blob *conv_context_find(const conv_context *c, const packed_key *key);

extern const conv_impl conv_winograd;
extern const conv_impl conv_tile;
extern const conv_impl conv_onednn;
extern const conv_impl conv_ref;

#endif
