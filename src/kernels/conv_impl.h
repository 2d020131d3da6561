/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/conv_impl.h — what convolution implementations need of each other's house. */
#ifndef KERNELS_CONV_IMPL_H
#define KERNELS_CONV_IMPL_H

#include "base/blob.h"
#include "kernels/conv.h"

struct dnnl_home; /* onednn/dnnl_home.h */

/* Weights in the layout of some implementation. */
typedef struct packed_weights {
    const void *weight;    /* what was packed */
    const conv_impl *impl; /* by whom */
    blob *layout;          /* the implementation's own description, compared by it */
    blob *data;
} packed_weights;

struct conv_context {
    cpu_level level;
    struct dnnl_home *dnnl; /* created when first needed; NULL before */
    packed_weights *packed;
    int n_packed, cap_packed;
};

/* Remembers packed weights for later convolutions; takes references. */
PTQ_CHECKED ptq_status conv_context_keep(conv_context *c, const packed_weights *w, ptq_error *err);

extern const conv_impl conv_onednn;
extern const conv_impl conv_ref;

#endif
