/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of each operator. */
#include "engine/build.h"

unary_param bind_activation(const activation *a)
{
    static const unary_op ops[] = {
        [ACT_NONE] = UNARY_NONE,       [ACT_SILU] = UNARY_SILU,
        [ACT_RELU] = UNARY_RELU,       [ACT_LEAKY_RELU] = UNARY_LEAKY_RELU,
        [ACT_SIGMOID] = UNARY_SIGMOID, [ACT_HARD_SWISH] = UNARY_HARD_SWISH,
        [ACT_TANH] = UNARY_TANH,
    };
    return (unary_param){.op = ops[a->kind], .alpha = a->alpha};
}

bool bind_has_input(const node *n, int i)
{
    return i < n->n_inputs && n->inputs[i] != TENSOR_NONE;
}

int bind_axis(int axis, int rank)
{
    return axis < 0 ? axis + rank : axis;
}

static bind_fn *const rules[GRAPH_OP_COUNT] = {
    [GRAPH_OP_CONV] = bind_conv,
    [GRAPH_OP_CONV_TRANSPOSE] = bind_conv_transpose,
    [GRAPH_OP_GEMM] = bind_gemm,
    [GRAPH_OP_MATMUL] = bind_matmul,
    [GRAPH_OP_BATCH_NORM] = bind_batch_norm,
    [GRAPH_OP_SIGMOID] = bind_unary,
    [GRAPH_OP_SILU] = bind_unary,
    [GRAPH_OP_RELU] = bind_unary,
    [GRAPH_OP_LEAKY_RELU] = bind_unary,
    [GRAPH_OP_HARD_SIGMOID] = bind_unary,
    [GRAPH_OP_HARD_SWISH] = bind_unary,
    [GRAPH_OP_TANH] = bind_unary,
    [GRAPH_OP_EXP] = bind_unary,
    [GRAPH_OP_LOG] = bind_unary,
    [GRAPH_OP_SQRT] = bind_unary,
    [GRAPH_OP_FLOOR] = bind_unary,
    [GRAPH_OP_CEIL] = bind_unary,
    [GRAPH_OP_NEG] = bind_unary,
    [GRAPH_OP_ABS] = bind_unary,
    [GRAPH_OP_ERF] = bind_unary,
    [GRAPH_OP_SOFTPLUS] = bind_unary,
    [GRAPH_OP_ELU] = bind_unary,
    [GRAPH_OP_SELU] = bind_unary,
    [GRAPH_OP_MISH] = bind_unary,
    [GRAPH_OP_GELU] = bind_unary,
    [GRAPH_OP_ROUND] = bind_unary,
    [GRAPH_OP_RECIPROCAL] = bind_unary,
    [GRAPH_OP_SIGN] = bind_unary,
    [GRAPH_OP_NOT] = bind_unary,
    [GRAPH_OP_SIN] = bind_unary,
    [GRAPH_OP_COS] = bind_unary,
    [GRAPH_OP_TAN] = bind_unary,
    [GRAPH_OP_ASIN] = bind_unary,
    [GRAPH_OP_ACOS] = bind_unary,
    [GRAPH_OP_ATAN] = bind_unary,
    [GRAPH_OP_SINH] = bind_unary,
    [GRAPH_OP_COSH] = bind_unary,
    [GRAPH_OP_ASINH] = bind_unary,
    [GRAPH_OP_ACOSH] = bind_unary,
    [GRAPH_OP_ATANH] = bind_unary,
    [GRAPH_OP_SOFTSIGN] = bind_unary,
    [GRAPH_OP_CELU] = bind_unary,
    [GRAPH_OP_THRESHOLDED_RELU] = bind_unary,
    [GRAPH_OP_SHRINK] = bind_unary,
    [GRAPH_OP_IS_NAN] = bind_unary,
    [GRAPH_OP_IS_INF] = bind_unary,
    [GRAPH_OP_CLIP] = bind_clip,
    [GRAPH_OP_ADD] = bind_binary,
    [GRAPH_OP_SUB] = bind_binary,
    [GRAPH_OP_MUL] = bind_binary,
    [GRAPH_OP_DIV] = bind_binary,
    [GRAPH_OP_POW] = bind_binary,
    [GRAPH_OP_EQUAL] = bind_binary,
    [GRAPH_OP_GREATER] = bind_binary,
    [GRAPH_OP_GREATER_EQUAL] = bind_binary,
    [GRAPH_OP_LESS] = bind_binary,
    [GRAPH_OP_LESS_EQUAL] = bind_binary,
    [GRAPH_OP_AND] = bind_binary,
    [GRAPH_OP_OR] = bind_binary,
    [GRAPH_OP_XOR] = bind_binary,
    [GRAPH_OP_MOD] = bind_binary,
    [GRAPH_OP_PRELU] = bind_binary,
    [GRAPH_OP_WHERE] = bind_where,
    [GRAPH_OP_MAX] = bind_extreme,
    [GRAPH_OP_MIN] = bind_extreme,
    [GRAPH_OP_MAX_POOL] = bind_pool,
    [GRAPH_OP_AVERAGE_POOL] = bind_pool,
    [GRAPH_OP_GLOBAL_AVERAGE_POOL] = bind_global_pool,
    [GRAPH_OP_CONCAT] = bind_concat,
    [GRAPH_OP_REDUCE_SUM] = bind_reduce,
    [GRAPH_OP_REDUCE_MEAN] = bind_reduce,
    [GRAPH_OP_REDUCE_MAX] = bind_reduce,
    [GRAPH_OP_REDUCE_MIN] = bind_reduce,
    [GRAPH_OP_REDUCE_PROD] = bind_reduce,
    [GRAPH_OP_REDUCE_SUM_SQUARE] = bind_reduce,
    [GRAPH_OP_REDUCE_L1] = bind_reduce,
    [GRAPH_OP_REDUCE_L2] = bind_reduce,
    [GRAPH_OP_REDUCE_LOG_SUM] = bind_reduce,
    [GRAPH_OP_REDUCE_LOG_SUM_EXP] = bind_reduce,
    [GRAPH_OP_ARG_MAX] = bind_reduce,
    [GRAPH_OP_ARG_MIN] = bind_reduce,
    [GRAPH_OP_TOP_K] = bind_top_k,
    [GRAPH_OP_PAD] = bind_pad,
    [GRAPH_OP_TILE] = bind_tile,
    [GRAPH_OP_DEPTH_TO_SPACE] = bind_depth_to_space,
    [GRAPH_OP_GATHER_ELEMENTS] = bind_gather,
    [GRAPH_OP_TRILU] = bind_triangle,
    [GRAPH_OP_CUM_SUM] = bind_cumulate,
    [GRAPH_OP_GATHER_ND] = bind_gather_nd,
    [GRAPH_OP_SCATTER_ELEMENTS] = bind_scatter,
    [GRAPH_OP_SCATTER_ND] = bind_scatter,
    [GRAPH_OP_ONE_HOT] = bind_one_hot,
    [GRAPH_OP_EINSUM] = bind_einsum,
    [GRAPH_OP_NON_MAX_SUPPRESSION] = bind_suppression,
    [GRAPH_OP_RESIZE] = bind_resize,
    [GRAPH_OP_SOFTMAX] = bind_softmax,
    [GRAPH_OP_RESHAPE] = bind_reshape,
    [GRAPH_OP_FLATTEN] = bind_reshape,
    [GRAPH_OP_TRANSPOSE] = bind_transpose,
    [GRAPH_OP_SPLIT] = bind_split,
    [GRAPH_OP_SLICE] = bind_slice,
    [GRAPH_OP_SQUEEZE] = bind_reshape,
    [GRAPH_OP_UNSQUEEZE] = bind_reshape,
    [GRAPH_OP_SHAPE] = bind_shape,
    [GRAPH_OP_SIZE] = bind_size,
    [GRAPH_OP_GATHER] = bind_gather,
    [GRAPH_OP_EXPAND] = bind_expand,
    [GRAPH_OP_CONSTANT_OF_SHAPE] = bind_fill,
    [GRAPH_OP_RANGE] = bind_range,
    [GRAPH_OP_CAST] = bind_cast,
    [GRAPH_OP_IDENTITY] = bind_identity,
    [GRAPH_OP_QUANTIZE_LINEAR] = bind_quantize,
    [GRAPH_OP_DEQUANTIZE_LINEAR] = bind_quantize,
    [GRAPH_OP_SPACE_TO_DEPTH] = bind_space_to_depth,
    [GRAPH_OP_YOLO_DECODE] = bind_decode,
    [GRAPH_OP_YOLO_RAW] = bind_raw_head,
    [GRAPH_OP_DETECTIONS] = bind_detections,
    [GRAPH_OP_QCONV] = bind_qconv,
};

static bool has_constant_inputs(const builder *b, const node *n)
{
    for (int i = 0; i < n->n_inputs; i++) {
        tensor_id id = n->inputs[i];
        if (id == TENSOR_NONE || graph_is_const(b->g, id))
            continue;
        value_id first = b->slots[id].first;
        if (first == VALUE_NONE || b->e->buffers[b->e->values[first].buffer].kind != BUFFER_CONST)
            return false;
    }
    return true;
}

ptq_status bind_node(builder *b, const node *n)
{
    bool needs_run = n->op == GRAPH_OP_CONV || n->op == GRAPH_OP_QCONV;
    b->node = n;
    b->is_constant = !needs_run && has_constant_inputs(b, n);
    ptq_status status = rules[n->op](b, n);
    b->is_constant = false;
    return status;
}
