/* SPDX-License-Identifier: Apache-2.0 */
/* passes/rewrite.h — inside passes/: the questions and small edits that the passes share. */
#ifndef PASSES_REWRITE_H
#define PASSES_REWRITE_H

#include "graph/graph.h"

/* The only node that reads `id`; NODE_NONE when none or several do, or it is a graph output. */
node_id sole_consumer(const graph *g, tensor_id id);
/* The node that makes `id` when it is an `op`, else NODE_NONE. */
node_id producer_if(const graph *g, tensor_id id, graph_op op);
/* Input `i` of a node, TENSOR_NONE when it is absent. */
tensor_id node_input(const node *n, int i);

/* Of a node's two inputs the constant and the other; false when both are, or none. */
bool split_operands(const graph *g, const node *n, tensor_id *variable, tensor_id *constant);
/* Whether it is a Transpose by `perm`. */
bool node_turns(const node *n, int rank, const int *perm);

/* Every reader of a tensor, without a bound on their number. The list is the caller's (mem_free).
 */
PTQ_CHECKED ptq_status consumers_list(const graph *g, tensor_id id, node_id **list, int *n,
                                      ptq_error *err);

/* The values of an f32 constant of exactly `count` elements, else NULL. */
const float *const_floats(const graph *g, tensor_id id, size_t count);
/* Number of elements of a constant, 0 when it is none. */
size_t const_count(const graph *g, tensor_id id);
/* A constant of the same shape with new type and values: `id` itself when only one node reads it,
 * else a new one beside it. Takes a reference of `data`. */
PTQ_CHECKED ptq_status const_replace(graph *g, tensor_id id, dtype type, blob *data, tensor_id *out,
                                     ptq_error *err);
/* A name "<base><suffix>" that is free; NULL when out of memory. */
const char *name_with_suffix(graph *g, const char *base, const char *suffix);
/* A new f32 vector. `name` comes from name_with_suffix(): NULL is out of memory. */
PTQ_CHECKED ptq_status const_add_vector(graph *g, const char *name, const float *values, size_t n,
                                        tensor_id *out, ptq_error *err);

/* Removes node `id` and adds `desc` instead; tidying puts it where its readers need it. */
PTQ_CHECKED ptq_status node_replace(graph *g, node_id id, const node *desc, ptq_error *err);

/* A convolution with its constants, as the folding passes need it. */
typedef struct conv_parts {
    node node; /* a copy: stays valid while nodes are added */
    shape weight_shape;
    const float *weight;
    const float *bias; /* NULL: none */
    size_t n_weights;
    size_t n_out; /* output channels */
} conv_parts;

/* Reads a CONV or CONV_TRANSPOSE whose weight and bias are f32 constants and whose activation is
 * not fused; false for everything else. */
bool conv_read(const graph *g, node_id id, conv_parts *out);
/* weight[i] * factor[output channel of i]: the same blob where nobody else reads it, so the old
 * values are lost, else a new one. The caller releases it. */
PTQ_CHECKED ptq_status conv_scale_weights(const graph *g, const conv_parts *c, const float *factor,
                                          blob **weight, ptq_error *err);

/* What a folding pass changes in a convolution. */
typedef struct conv_change {
    blob *weight;      /* same shape; NULL: kept */
    const float *bias; /* one value per output channel; NULL: kept */
    tensor_id input;   /* TENSOR_NONE: kept */
    tensor_id output;  /* TENSOR_NONE: kept */
} conv_change;
/* Replaces the convolution `id` by its changed self; a new bias is named "<layer>.bias". */
PTQ_CHECKED ptq_status conv_rewrite(graph *g, node_id id, const conv_change *change,
                                    ptq_error *err);

/* y = x*scale + shift of a BATCH_NORM over n channels: scale = gamma/sqrt(var+eps),
 * shift = beta - (gamma*mean)/sqrt(var+eps), each operation rounded to f32 (spec model.md §4).
 * false when its parameters are no f32 constants of n values. */
bool batch_norm_affine(const graph *g, const node *bn, size_t n, float *scale, float *shift);

#endif
