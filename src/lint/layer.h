/* SPDX-License-Identifier: Apache-2.0 */
/* lint/layer.h — a layer with weights as a target sees it: its inputs' codes, what is fused behind
 * it, and how its result is read. */
#ifndef LINT_LAYER_H
#define LINT_LAYER_H

#include "lint/check.h"

typedef struct layer {
    const net_node *node;
    uint32_t data_input, weight_input; /* 0 and 1, unless a MatMul has its constant first */
    bool has_weight;                   /* else a product of two activations */
    const quantizer *data, *weight;    /* dequantizers in front of them; NULL: float */
    bool is_quantized;                 /* both */
} layer;

layer layer_of(const lint *l, const net_node *node);

/* SiLU as it is spelled in ONNX: a Mul of x and the Sigmoid that reads x. The Mul's result, or
 * NET_NONE when `x` is not read so and in no other way. */
uint32_t silu_of(const net *n, uint32_t x);

/* The result after what is fused behind a layer: normalization, activation, residual Add. *add is
 * that Add, or NULL. */
uint32_t layer_end(const lint *l, const net_node *node, const net_node **add);

/* "weights of [64,32,3,3]" have 64 output and 32 input channels, groups counted. */
typedef struct channels {
    int64_t in, out, groups;
    int64_t kernel[2];
} channels;
bool layer_channels(const lint *l, const layer *a, channels *out); /* false: not known */

#endif
