/* SPDX-License-Identifier: Apache-2.0 */
/* graph/infer_rules.h — inside graph/: one rule per operator, from input shapes to output shapes.
 */
#ifndef GRAPH_INFER_RULES_H
#define GRAPH_INFER_RULES_H

#include "graph/graph.h"

enum { INFER_MAX_OUTPUTS = 64 };

typedef struct infer_out {
    int n;
    shape shape[INFER_MAX_OUTPUTS];
    dtype type[INFER_MAX_OUTPUTS]; /* set to input 0's type before a rule runs */
} infer_out;

/* Fails with PTQ_SHAPE and a sentence without the node's name (the caller puts it in front). */
PTQ_CHECKED ptq_status infer_apply(const graph *g, const node *n, infer_out *out, ptq_error *err);

/* Convolutions and pools (infer_window.c). */
PTQ_CHECKED ptq_status infer_conv(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_conv_transpose(const graph *g, const node *n, infer_out *out,
                                            ptq_error *err);
PTQ_CHECKED ptq_status infer_pool(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_resize(const graph *g, const node *n, infer_out *out, ptq_error *err);

/* Moving and reshaping (infer_move.c). */
PTQ_CHECKED ptq_status infer_concat(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_reshape(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_flatten(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_transpose(const graph *g, const node *n, infer_out *out,
                                       ptq_error *err);
PTQ_CHECKED ptq_status infer_split(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_slice(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_squeeze(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_unsqueeze(const graph *g, const node *n, infer_out *out,
                                       ptq_error *err);
PTQ_CHECKED ptq_status infer_gather(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_expand(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_range(const graph *g, const node *n, infer_out *out, ptq_error *err);

/* Reducing, choosing, repeating (infer_select.c). */
PTQ_CHECKED ptq_status infer_reduce(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_top_k(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_pad(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_tile(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_depth_to_space(const graph *g, const node *n, infer_out *out,
                                            ptq_error *err);
PTQ_CHECKED ptq_status infer_gather_elements(const graph *g, const node *n, infer_out *out,
                                             ptq_error *err);
PTQ_CHECKED ptq_status infer_shape_of(const graph *g, const node *n, infer_out *out,
                                      ptq_error *err);

/* Indices that name elements one by one (infer_index.c). */
PTQ_CHECKED ptq_status infer_gather_nd(const graph *g, const node *n, infer_out *out,
                                       ptq_error *err);
PTQ_CHECKED ptq_status infer_scatter_elements(const graph *g, const node *n, infer_out *out,
                                              ptq_error *err);
PTQ_CHECKED ptq_status infer_scatter_nd(const graph *g, const node *n, infer_out *out,
                                        ptq_error *err);
PTQ_CHECKED ptq_status infer_one_hot(const graph *g, const node *n, infer_out *out, ptq_error *err);
PTQ_CHECKED ptq_status infer_suppression(const graph *g, const node *n, infer_out *out,
                                         ptq_error *err); /* suppress.c */
PTQ_CHECKED ptq_status infer_einsum(const graph *g, const node *n, infer_out *out,
                                    ptq_error *err); /* einsum.c */

/* numpy broadcasting; false when the shapes do not fit. */
bool shape_broadcast(const shape *a, const shape *b, shape *out);
/* Negative axes count from the end; false when outside. */
bool axis_normalise(int axis, int rank, int *out);

#endif
