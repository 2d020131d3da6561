/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that compute element by element. Operands keep the layout they are stored in: strides
 * bring them together, and constants broadcast by stride 0. */
#include <math.h>

#include "engine/build.h"

/* An input as the kernel sees it: repeated to the dimensions of the output. */
static ptq_status operand(builder *b, tensor_id id, const view *out, value_id *id_out, view *v)
{
    const tensor *t = graph_tensor_const(b->g, id);
    PTQ_TRY(build_input(b, id, LAYOUT_ANY, t->type, id_out));
    if (!view_broadcast(build_view(b, *id_out), out->rank, out->dim, v))
        return error_set(b->err, PTQ_SHAPE, "input '%s' of node '%s' does not broadcast", t->name,
                         b->node->name);
    return PTQ_OK;
}

/* A parameter with one value, or one per slice of `axis`. */
static ptq_status axis_operand(builder *b, tensor_id id, int axis, const view *out,
                               value_id *id_out, view *v)
{
    const tensor *t = graph_tensor_const(b->g, id);
    PTQ_TRY(build_input(b, id, LAYOUT_DENSE, t->type, id_out));
    *v = *out;
    v->type = t->type;
    int64_t n = view_count(build_view(b, *id_out));
    for (int i = 0; i < v->rank; i++)
        v->stride[i] = 0;
    if (n == 1)
        return PTQ_OK;
    if (axis < 0 || axis >= v->rank || v->dim[axis] != n)
        return error_set(b->err, PTQ_SHAPE, "parameter '%s' of node '%s' does not fit axis %d",
                         t->name, b->node->name, axis);
    v->stride[axis] = 1;
    return PTQ_OK;
}

static unary_op unary_of(graph_op op)
{
    static const unary_op ops[GRAPH_OP_COUNT] = {
        [GRAPH_OP_SIGMOID] = UNARY_SIGMOID,
        [GRAPH_OP_SILU] = UNARY_SILU,
        [GRAPH_OP_RELU] = UNARY_RELU,
        [GRAPH_OP_LEAKY_RELU] = UNARY_LEAKY_RELU,
        [GRAPH_OP_HARD_SIGMOID] = UNARY_HARD_SIGMOID,
        [GRAPH_OP_HARD_SWISH] = UNARY_HARD_SWISH,
        [GRAPH_OP_TANH] = UNARY_TANH,
        [GRAPH_OP_EXP] = UNARY_EXP,
        [GRAPH_OP_LOG] = UNARY_LOG,
        [GRAPH_OP_SQRT] = UNARY_SQRT,
        [GRAPH_OP_FLOOR] = UNARY_FLOOR,
        [GRAPH_OP_CEIL] = UNARY_CEIL,
        [GRAPH_OP_NEG] = UNARY_NEG,
        [GRAPH_OP_ABS] = UNARY_ABS,
        [GRAPH_OP_ERF] = UNARY_ERF,
        [GRAPH_OP_SOFTPLUS] = UNARY_SOFTPLUS,
        [GRAPH_OP_ELU] = UNARY_ELU,
        [GRAPH_OP_SELU] = UNARY_SELU,
        [GRAPH_OP_MISH] = UNARY_MISH,
        [GRAPH_OP_GELU] = UNARY_GELU,
        [GRAPH_OP_ROUND] = UNARY_ROUND,
        [GRAPH_OP_RECIPROCAL] = UNARY_RECIPROCAL,
        [GRAPH_OP_SIGN] = UNARY_SIGN,
        [GRAPH_OP_NOT] = UNARY_NOT,
        [GRAPH_OP_SIN] = UNARY_SIN,
        [GRAPH_OP_COS] = UNARY_COS,
        [GRAPH_OP_TAN] = UNARY_TAN,
        [GRAPH_OP_ASIN] = UNARY_ASIN,
        [GRAPH_OP_ACOS] = UNARY_ACOS,
        [GRAPH_OP_ATAN] = UNARY_ATAN,
        [GRAPH_OP_SINH] = UNARY_SINH,
        [GRAPH_OP_COSH] = UNARY_COSH,
        [GRAPH_OP_ASINH] = UNARY_ASINH,
        [GRAPH_OP_ACOSH] = UNARY_ACOSH,
        [GRAPH_OP_ATANH] = UNARY_ATANH,
        [GRAPH_OP_SOFTSIGN] = UNARY_SOFTSIGN,
        [GRAPH_OP_CELU] = UNARY_CELU,
        [GRAPH_OP_THRESHOLDED_RELU] = UNARY_THRESHOLDED_RELU,
        [GRAPH_OP_SHRINK] = UNARY_SHRINK,
        [GRAPH_OP_IS_NAN] = UNARY_IS_NAN,
        [GRAPH_OP_IS_INF] = UNARY_IS_INF,
    };
    return ops[op];
}

static ptq_status one_operand(builder *b, const node *n, kernel_family family, kernel_param param)
{
    value_id operands[2];
    view views[2];
    PTQ_TRY(build_output(b, n->outputs[0], &operands[1]));
    views[1] = *build_view(b, operands[1]);
    PTQ_TRY(operand(b, n->inputs[0], &views[1], &operands[0], &views[0]));
    return build_kernel(b, &(kernel_request){family, param, operands, views, 2});
}

ptq_status bind_unary(builder *b, const node *n)
{
    unary_param p = {.op = unary_of(n->op)};
    bool has_slope = n->op == GRAPH_OP_LEAKY_RELU || n->op == GRAPH_OP_HARD_SIGMOID ||
                     n->op == GRAPH_OP_ELU || n->op == GRAPH_OP_SELU || n->op == GRAPH_OP_GELU ||
                     n->op == GRAPH_OP_CELU || n->op == GRAPH_OP_THRESHOLDED_RELU ||
                     n->op == GRAPH_OP_SHRINK || n->op == GRAPH_OP_IS_INF;
    if (has_slope) {
        p.alpha = n->attr.slope.alpha;
        p.beta = n->attr.slope.beta;
    }
    return one_operand(b, n, KERNEL_UNARY, (kernel_param){.unary = p});
}

ptq_status bind_cast(builder *b, const node *n)
{
    return one_operand(b, n, KERNEL_COPY, (kernel_param){.axis = 0});
}

/* Bounds given as inputs must be constants; they come after those of the attribute. */
ptq_status bind_clip(builder *b, const node *n)
{
    unary_param p = {UNARY_CLIP, n->attr.clip.min, n->attr.clip.max};
    for (int i = 1; i < 3; i++) {
        const void *data;
        if (!bind_has_input(n, i))
            continue;
        PTQ_TRY(build_constant_data(b, n->inputs[i], "bound", &data));
        float bound = (float)view_load(data, graph_tensor_const(b->g, n->inputs[i])->type);
        if (i == 1)
            p.alpha = bound;
        else
            p.beta = bound;
    }
    return one_operand(b, n, KERNEL_UNARY, (kernel_param){.unary = p});
}

ptq_status bind_binary(builder *b, const node *n)
{
    static const binary_op ops[GRAPH_OP_COUNT] = {
        [GRAPH_OP_ADD] = BINARY_ADD,         [GRAPH_OP_SUB] = BINARY_SUB,
        [GRAPH_OP_MUL] = BINARY_MUL,         [GRAPH_OP_DIV] = BINARY_DIV,
        [GRAPH_OP_POW] = BINARY_POW,         [GRAPH_OP_EQUAL] = BINARY_EQUAL,
        [GRAPH_OP_GREATER] = BINARY_GREATER, [GRAPH_OP_GREATER_EQUAL] = BINARY_GREATER_EQUAL,
        [GRAPH_OP_LESS] = BINARY_LESS,       [GRAPH_OP_LESS_EQUAL] = BINARY_LESS_EQUAL,
        [GRAPH_OP_AND] = BINARY_AND,         [GRAPH_OP_OR] = BINARY_OR,
        [GRAPH_OP_XOR] = BINARY_XOR,         [GRAPH_OP_MOD] = BINARY_MOD,
        [GRAPH_OP_PRELU] = BINARY_PRELU,
    };
    value_id operands[3];
    view views[3];
    PTQ_TRY(build_output(b, n->outputs[0], &operands[2]));
    views[2] = *build_view(b, operands[2]);
    for (int i = 0; i < 2; i++)
        PTQ_TRY(operand(b, n->inputs[i], &views[2], &operands[i], &views[i]));
    kernel_param param = {.binary = ops[n->op]};
    return build_kernel(b, &(kernel_request){KERNEL_BINARY, param, operands, views, 3});
}

ptq_status bind_where(builder *b, const node *n)
{
    value_id operands[4];
    view views[4];
    PTQ_TRY(build_output(b, n->outputs[0], &operands[3]));
    views[3] = *build_view(b, operands[3]);
    for (int i = 0; i < 3; i++)
        PTQ_TRY(operand(b, n->inputs[i], &views[3], &operands[i], &views[i]));
    return build_kernel(b, &(kernel_request){KERNEL_WHERE, {.axis = 0}, operands, views, 4});
}

/* Max and Min of any number of inputs: two at a time; the first may be alone. */
ptq_status bind_extreme(builder *b, const node *n)
{
    kernel_param param = {.binary = n->op == GRAPH_OP_MAX ? BINARY_MAX : BINARY_MIN};
    value_id operands[3];
    view views[3];
    if (n->n_inputs == 1)
        return one_operand(b, n, KERNEL_COPY, param);
    PTQ_TRY(build_output(b, n->outputs[0], &operands[2]));
    views[2] = *build_view(b, operands[2]);
    PTQ_TRY(operand(b, n->inputs[0], &views[2], &operands[0], &views[0]));
    for (int i = 1; i < n->n_inputs; i++) {
        PTQ_TRY(operand(b, n->inputs[i], &views[2], &operands[1], &views[1]));
        PTQ_TRY(build_kernel(b, &(kernel_request){KERNEL_BINARY, param, operands, views, 3}));
        operands[0] = operands[2];
        views[0] = views[2];
    }
    return PTQ_OK;
}

/* A zero point of 0 for a node that has none. */
static ptq_status zero_operand(builder *b, const view *out, dtype type, value_id *id_out, view *v)
{
    static const char zero[8] = {0};
    view scalar = view_dense(type, 0, NULL);
    PTQ_TRY(build_constant(b, &scalar, zero, id_out));
    *v = *out;
    v->type = type;
    for (int i = 0; i < v->rank; i++)
        v->stride[i] = 0;
    return PTQ_OK;
}

ptq_status bind_quantize(builder *b, const node *n)
{
    bool is_quantize = n->op == GRAPH_OP_QUANTIZE_LINEAR;
    const tensor *codes = graph_tensor_const(b->g, is_quantize ? n->outputs[0] : n->inputs[0]);
    value_id operands[4];
    view views[4];
    PTQ_TRY(build_output(b, n->outputs[0], &operands[3]));
    views[3] = *build_view(b, operands[3]);
    PTQ_TRY(operand(b, n->inputs[0], &views[3], &operands[0], &views[0]));
    int axis = bind_axis(n->attr.axis.axis, views[3].rank);
    PTQ_TRY(axis_operand(b, n->inputs[1], axis, &views[3], &operands[1], &views[1]));
    if (bind_has_input(n, 2))
        PTQ_TRY(axis_operand(b, n->inputs[2], axis, &views[3], &operands[2], &views[2]));
    else
        PTQ_TRY(zero_operand(b, &views[3], codes->type, &operands[2], &views[2]));
    kernel_family family = is_quantize ? KERNEL_QUANTIZE : KERNEL_DEQUANTIZE;
    kernel_param param = {.from_half = is_quantize && n->attr.axis.from_half};
    return build_kernel(b, &(kernel_request){family, param, operands, views, 4});
}

ptq_status bind_batch_norm(builder *b, const node *n)
{
    value_id operands[6];
    view views[6];
    PTQ_TRY(build_output(b, n->outputs[0], &operands[5]));
    views[5] = *build_view(b, operands[5]);
    PTQ_TRY(operand(b, n->inputs[0], &views[5], &operands[0], &views[0]));
    for (int i = 1; i < 5; i++)
        PTQ_TRY(axis_operand(b, n->inputs[i], 1, &views[5], &operands[i], &views[i]));
    kernel_param param = {.epsilon = n->attr.batch_norm.epsilon};
    return build_kernel(b, &(kernel_request){KERNEL_BATCH_NORM, param, operands, views, 6});
}
