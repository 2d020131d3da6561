/* SPDX-License-Identifier: Apache-2.0 */
/* passes/qnode.h — inside passes/: what a QuantizeLinear or DequantizeLinear node says. */
#ifndef PASSES_QNODE_H
#define PASSES_QNODE_H

#include "graph/graph.h"

/* The constants of a quantizer node, borrowed from its graph: valid until a constant changes. */
typedef struct qnode {
    const float *scale;
    size_t n_scales;
    int axis; /* -1: one scale for all; else the channel axis, not negative */
    tensor_id scale_id;
    tensor_id zero_id; /* TENSOR_NONE: zero */
    dtype code_type;
    bool from_half; /* a Q that rounds to float16 first */
} qnode;

/* false when the node is neither, or its scale or zero point is no constant of one value, or of one
 * value per slice of the axis. */
bool qnode_read(const graph *g, node_id id, qnode *out);
int32_t qnode_zero(const graph *g, const qnode *q, size_t channel);
/* One scale, greater than zero and finite, for codes of 8 bits: commutes with data movement. */
bool qnode_is_plain(const qnode *q);
/* Same code type, axis, zero points, rounding and bitwise same scales. */
bool qnode_equal(const graph *g, const qnode *a, const qnode *b);

/* The integer codes a quantizer may give. */
typedef struct code_range {
    int32_t low, high;
} code_range;
/* Everything the type can hold; false when it holds no codes. */
bool code_range_of(dtype type, code_range *out);

/* The codes of the f32 constant `x`: rint(x/scale) + zero, saturated to `range`. */
PTQ_CHECKED ptq_status qnode_quantize(const graph *g, tensor_id x, const qnode *q, code_range range,
                                      blob **out, ptq_error *err);
/* (code - zero) * scale of the constant `codes`, as f32. */
PTQ_CHECKED ptq_status qnode_dequantize(const graph *g, tensor_id codes, const qnode *q, blob **out,
                                        ptq_error *err);

/* A quantizer of a constant becomes a constant itself, and its readers read that. *folded tells
 * whether it could: the parameters are constants that fit, and no graph output hangs on the node.
 */
PTQ_CHECKED ptq_status qnode_fold(graph *g, node_id id, bool *folded, ptq_error *err);

/* Adds a QuantizeLinear or DequantizeLinear with the constants of `like`. Names are made unique. */
typedef struct qnode_desc {
    graph_op op;
    tensor_id x;
    const qnode *like;
    const char *name;
    const char *output_base; /* the output is a new tensor named base + suffix */
    const char *output_suffix;
} qnode_desc;
PTQ_CHECKED ptq_status qnode_add(graph *g, const qnode_desc *desc, tensor_id *out, ptq_error *err);

#endif
