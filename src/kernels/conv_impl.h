/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/conv_impl.h — what convolution implementations need of each other's house. */
#ifndef KERNELS_CONV_IMPL_H
#define KERNELS_CONV_IMPL_H

#include "kernels/conv.h"

struct dnnl_home; /* onednn/dnnl_home.h */

struct conv_context {
    cpu_level level;
    struct dnnl_home *dnnl; /* created when first needed; NULL before */
};

extern const conv_impl conv_onednn;
extern const conv_impl conv_ref;

#endif
