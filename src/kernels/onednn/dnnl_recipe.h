/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/onednn/dnnl_recipe.h — a convolution in oneDNN's words: everything that is needed to make
 * its primitive, and nothing afterwards. */
#ifndef KERNELS_ONEDNN_DNNL_RECIPE_H
#define KERNELS_ONEDNN_DNNL_RECIPE_H

#include <oneapi/dnnl/dnnl.h>

#include "kernels/conv.h"

typedef struct dnnl_recipe {
    const conv_desc *d;
    const conv_weights *w;
    dnnl_memory_desc_t src, dst, weight, bias;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t desc;
} dnnl_recipe;

/* Whether oneDNN has something for it that is worth using. */
bool dnnl_recipe_suits(const conv_desc *d);

/* `weight`: the layout the weights have already; NULL: oneDNN's choice. PTQ_UNSUPPORTED without
 * words when oneDNN declines. dnnl_recipe_clear() it, also after a failure. */
PTQ_CHECKED ptq_status dnnl_recipe_init(dnnl_recipe *r, const conv_desc *d, const conv_weights *w,
                                        const dnnl_memory_desc_t *weight, dnnl_engine_t engine,
                                        ptq_error *err);
void dnnl_recipe_clear(dnnl_recipe *r);

/* The weights as the caller has them: [oc,ic,kh,kw], or [g,oc/g,ic/g,kh,kw], without gaps. */
bool dnnl_recipe_plain_weights(const conv_desc *d, dnnl_memory_desc_t *out);
/* CONV_INT8: one step of the integer sum of channel c in real units; else 1. */
float dnnl_recipe_sum_scale(const conv_desc *d, const conv_weights *w, int64_t c);

#endif
