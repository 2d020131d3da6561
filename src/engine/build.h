/* SPDX-License-Identifier: Apache-2.0 */
/* engine/build.h — inside engine/: turning graph nodes into steps.
 *
 * bind_node() looks up the rule of an operator; a rule asks for its inputs with build_input() in
 * the layout it needs, for its output with build_output(), and adds steps. Image tensors are stored
 * channels-last, all others row-major; a conversion step appears where a rule needs another form.
 * A node whose inputs are all constant is computed at once, and its result is a constant.
 */
#ifndef ENGINE_BUILD_H
#define ENGINE_BUILD_H

#include "engine/program.h"

typedef enum layout {
    LAYOUT_ANY,
    LAYOUT_DENSE, /* row-major without gaps */
    LAYOUT_NHWC,  /* channels-last, any pixel stride */
    LAYOUT_PACKED /* channels-last without gaps */
} layout;

/* What is known of a tensor while building. */
typedef struct slot {
    value_id first; /* the forms it is stored in, VALUE_NONE before its node is bound */
    bool is_image;  /* stored channels-last when computed */
    /* Written in place into the output of a concatenation: */
    tensor_id whole; /* or TENSOR_NONE */
    int axis;
    int64_t from; /* on that axis */
} slot;

typedef struct builder {
    engine *e;
    const graph *g;
    const engine_options *options;
    slot *slots;      /* per tensor */
    const node *node; /* being bound */
    bool is_constant; /* all inputs of that node are constants: compute it now */
    ptq_error *err;
} builder;

/* Decides which tensors are images and which lie inside a concatenation (layout.c). */
PTQ_CHECKED ptq_status layout_decide(builder *b);

/* The kernel dimensions of a tensor. */
view build_dense_view(const builder *b, tensor_id id);

/* Values. */
PTQ_CHECKED ptq_status build_input(builder *b, tensor_id id, layout want, dtype type,
                                   value_id *out);
/* Memory for a tensor this node computes: dense, channels-last, or inside its concatenation. */
PTQ_CHECKED ptq_status build_output(builder *b, tensor_id id, value_id *out);
/* The tensor is another view of a stored value: nothing is computed. */
PTQ_CHECKED ptq_status build_alias(builder *b, tensor_id id, value_id base, const view *v,
                                   int64_t offset_elements);
PTQ_CHECKED ptq_status build_temporary(builder *b, const view *like, value_id *out);
PTQ_CHECKED ptq_status build_part(builder *b, value_id whole, const view *part,
                                  int64_t offset_elements, value_id *out);
/* A constant of ours, copied. */
PTQ_CHECKED ptq_status build_constant(builder *b, const view *dense, const void *data,
                                      value_id *out);
/* Values of a tensor that must be constant, in its own type, row-major. `what` names it. */
PTQ_CHECKED ptq_status build_constant_data(builder *b, tensor_id id, const char *what,
                                           const void **data);
const view *build_view(const builder *b, value_id id);

/* Steps. The last operand is the output. */
typedef struct kernel_request {
    kernel_family family;
    kernel_param param;
    const value_id *operands; /* VALUE_NONE: absent, its view given with NULL data */
    const view *views;        /* how the kernel sees them; NULL: as they are stored */
    int n;
} kernel_request;
PTQ_CHECKED ptq_status build_kernel(builder *b, const kernel_request *r);
PTQ_CHECKED ptq_status build_copy(builder *b, value_id from, value_id to);
PTQ_CHECKED ptq_status build_conv(builder *b, conv *c, value_id src, value_id dst,
                                  const char *precision);
/* The kernel's first operand is the result of the convolution just built and of use to nobody else:
 * the convolution hands it over in pieces (conv.h: piece_pixels) and is one step with the kernel.
 */
PTQ_CHECKED ptq_status build_tail(builder *b, const kernel_request *r);

/* Frees what the finished program does not need, plans the memory, sets the pointers. */
PTQ_CHECKED ptq_status build_finish(builder *b);

/* Binding (bind.c and bind_*.c). */
typedef ptq_status bind_fn(builder *b, const node *n);
PTQ_CHECKED ptq_status bind_node(builder *b, const node *n);
bind_fn bind_conv, bind_qconv, bind_conv_transpose;                        /* bind_conv.c */
bind_fn bind_unary, bind_clip, bind_binary, bind_extreme, bind_cast;       /* bind_pointwise.c */
bind_fn bind_where;                                                        /* bind_pointwise.c */
bind_fn bind_quantize, bind_batch_norm;                                    /* bind_pointwise.c */
bind_fn bind_pool, bind_global_pool, bind_resize;                          /* bind_window.c */
bind_fn bind_softmax, bind_gather, bind_matmul, bind_gemm, bind_range;     /* bind_matrix.c */
bind_fn bind_decode, bind_raw_head, bind_detections;                       /* bind_head.c */
bind_fn bind_concat, bind_reshape, bind_transpose, bind_split, bind_slice; /* bind_move.c */
bind_fn bind_identity, bind_expand, bind_space_to_depth, bind_shape, bind_fill; /* bind_move.c */
bind_fn bind_size;                                                              /* bind_move.c */

bind_fn bind_reduce, bind_top_k, bind_pad, bind_tile, bind_depth_to_space; /* bind_select.c */
bind_fn bind_triangle, bind_cumulate;                                      /* bind_select.c */
bind_fn bind_gather_nd, bind_scatter, bind_one_hot, bind_suppression;      /* bind_index.c */
bind_fn bind_einsum;                                                       /* bind_matrix.c */

/* Small helpers of the rules. */
/* The convolution a node asks for, between packed images. */
conv_desc bind_conv_desc(const builder *b, const node *n);
unary_param bind_activation(const activation *a);
bool bind_has_input(const node *n, int i);
int bind_axis(int axis, int rank); /* negative: from the end */

#endif
