/* SPDX-License-Identifier: Apache-2.0 */
/* Reductions, and operators that choose or repeat elements. */
#include "engine/build.h"

static ptq_status stored(builder *b, tensor_id id, value_id *out)
{
    return build_input(b, id, LAYOUT_ANY, graph_tensor_const(b->g, id)->type, out);
}

static reduce_kind kind_of(graph_op op)
{
    static const reduce_kind kinds[GRAPH_OP_COUNT] = {
        [GRAPH_OP_REDUCE_SUM] = REDUCE_SUM,
        [GRAPH_OP_REDUCE_MEAN] = REDUCE_MEAN,
        [GRAPH_OP_REDUCE_MAX] = REDUCE_MAX,
        [GRAPH_OP_REDUCE_MIN] = REDUCE_MIN,
        [GRAPH_OP_REDUCE_PROD] = REDUCE_PROD,
        [GRAPH_OP_REDUCE_SUM_SQUARE] = REDUCE_SUM_SQUARE,
        [GRAPH_OP_REDUCE_L1] = REDUCE_L1,
        [GRAPH_OP_REDUCE_L2] = REDUCE_L2,
        [GRAPH_OP_REDUCE_LOG_SUM] = REDUCE_LOG_SUM,
        [GRAPH_OP_REDUCE_LOG_SUM_EXP] = REDUCE_LOG_SUM_EXP,
        [GRAPH_OP_ARG_MAX] = REDUCE_ARG_MAX,
        [GRAPH_OP_ARG_MIN] = REDUCE_ARG_MIN,
    };
    return kinds[op];
}

/* The output with an axis of 1 for each reduced one. */
static view kept_axes(const view *y, const bool over[SHAPE_MAX_RANK], int rank, bool keep_dims)
{
    view v = {.type = y->type, .rank = rank};
    int from = 0;
    for (int i = 0; i < rank; i++) {
        v.dim[i] = 1;
        if (!over[i]) {
            v.dim[i] = y->dim[from];
            v.stride[i] = y->stride[from];
        }
        from += !over[i] || keep_dims;
    }
    return v;
}

ptq_status bind_reduce(builder *b, const node *n)
{
    value_id operands[2];
    view views[2];
    bool over[SHAPE_MAX_RANK];
    PTQ_TRY(stored(b, n->inputs[0], &operands[0]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[1]));
    views[0] = *build_view(b, operands[0]);
    if (!node_reduced_axes(n, views[0].rank, over))
        return error_set(b->err, PTQ_SHAPE, "the axes of node '%s' are impossible", n->name);
    views[1] = kept_axes(build_view(b, operands[1]), over, views[0].rank, n->attr.reduce.keep_dims);
    reduce_param p = {.kind = kind_of(n->op), .select_last = n->attr.reduce.select_last};
    for (int i = 0; i < views[0].rank; i++)
        p.over[i] = over[i];
    kernel_param param = {.reduce = p};
    return build_kernel(b, &(kernel_request){KERNEL_REDUCE, param, operands, views, 2});
}

ptq_status bind_top_k(builder *b, const node *n)
{
    value_id operands[2];
    PTQ_TRY(stored(b, n->inputs[0], &operands[0]));
    int axis = bind_axis(n->attr.top.axis, build_view(b, operands[0])->rank);
    for (int i = 0; i < n->n_outputs; i++) {
        kernel_param param = {.top = {axis, n->attr.top.largest, i == 1}};
        PTQ_TRY(build_output(b, n->outputs[i], &operands[1]));
        PTQ_TRY(build_kernel(b, &(kernel_request){KERNEL_TOP_K, param, operands, NULL, 2}));
    }
    return PTQ_OK;
}

ptq_status bind_pad(builder *b, const node *n)
{
    static const pad_fill fills[] = {
        [PAD_CONSTANT] = PAD_FILL_VALUE,
        [PAD_EDGE] = PAD_FILL_EDGE,
        [PAD_REFLECT] = PAD_FILL_REFLECT,
        [PAD_WRAP] = PAD_FILL_WRAP,
    };
    static const char zero[8] = {0};
    value_id operands[3];
    node_padding amounts;
    pad_param p = {.fill = fills[n->attr.pad.mode]};
    PTQ_TRY(node_pads(b->g, n, &amounts, b->err));
    for (int i = 0; i < SHAPE_MAX_RANK; i++)
        p.before[i] = amounts.before[i];
    PTQ_TRY(stored(b, n->inputs[0], &operands[0]));
    view scalar = view_dense(build_view(b, operands[0])->type, 0, NULL);
    if (bind_has_input(n, 2))
        PTQ_TRY(stored(b, n->inputs[2], &operands[1]));
    else
        PTQ_TRY(build_constant(b, &scalar, zero, &operands[1]));
    if (build_view(b, operands[1])->type != scalar.type)
        return error_set(b->err, PTQ_SHAPE, "the value of node '%s' has another type", n->name);
    PTQ_TRY(build_output(b, n->outputs[0], &operands[2]));
    return build_kernel(b,
                        &(kernel_request){KERNEL_PAD, (kernel_param){.pad = p}, operands, NULL, 3});
}

/* [a, b] repeated [m, n] times is a copy of [1, a, 1, b], read over and over, to [m, a, n, b]. */
ptq_status bind_tile(builder *b, const node *n)
{
    value_id from, to, source, target;
    PTQ_TRY(stored(b, n->inputs[0], &from));
    PTQ_TRY(build_output(b, n->outputs[0], &to));
    view x = *build_view(b, from), y = *build_view(b, to);
    view in = {.type = x.type, .rank = 2 * x.rank}, out = in;
    for (int i = 0; i < x.rank; i++) {
        in.dim[2 * i] = out.dim[2 * i] = x.dim[i] ? y.dim[i] / x.dim[i] : 0;
        in.dim[2 * i + 1] = out.dim[2 * i + 1] = x.dim[i];
        in.stride[2 * i + 1] = x.stride[i];
        out.stride[2 * i] = x.dim[i] * y.stride[i];
        out.stride[2 * i + 1] = y.stride[i];
    }
    PTQ_TRY(build_part(b, from, &in, 0, &source));
    PTQ_TRY(build_part(b, to, &out, 0, &target));
    return build_copy(b, source, target);
}

/* One strided copy per position in the block. */
ptq_status bind_depth_to_space(builder *b, const node *n)
{
    value_id from, to;
    int block = n->attr.space.block;
    PTQ_TRY(stored(b, n->inputs[0], &from));
    PTQ_TRY(build_output(b, n->outputs[0], &to));
    view x = *build_view(b, from), y = *build_view(b, to);
    bool is_crd = n->attr.space.order == SPACE_CRD;
    for (int dy = 0; dy < block; dy++)
        for (int dx = 0; dx < block; dx++) {
            int64_t at = dy * block + dx, channel = is_crd ? at : at * y.dim[1];
            view source = x, target = y;
            source.dim[1] = y.dim[1];
            source.stride[1] = is_crd ? x.stride[1] * block * block : x.stride[1];
            for (int i = 2; i < 4; i++) {
                target.dim[i] = x.dim[i];
                target.stride[i] = y.stride[i] * block;
            }
            value_id a, c;
            PTQ_TRY(build_part(b, from, &source, channel * x.stride[1], &a));
            PTQ_TRY(build_part(b, to, &target, dy * y.stride[2] + dx * y.stride[3], &c));
            PTQ_TRY(build_copy(b, a, c));
        }
    return PTQ_OK;
}

ptq_status bind_triangle(builder *b, const node *n)
{
    value_id operands[2];
    triangle_param p = {.keep_lower = n->attr.triangle.keep_lower};
    if (bind_has_input(n, 1)) {
        const void *data;
        PTQ_TRY(build_constant_data(b, n->inputs[1], "diagonal", &data));
        p.diagonal = (int64_t)view_load(data, graph_tensor_const(b->g, n->inputs[1])->type);
    }
    PTQ_TRY(stored(b, n->inputs[0], &operands[0]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[1]));
    kernel_param param = {.triangle = p};
    return build_kernel(b, &(kernel_request){KERNEL_TRIANGLE, param, operands, NULL, 2});
}

ptq_status bind_cumulate(builder *b, const node *n)
{
    const void *data;
    value_id operands[2];
    PTQ_TRY(build_constant_data(b, n->inputs[1], "axis", &data));
    PTQ_TRY(stored(b, n->inputs[0], &operands[0]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[1]));
    int rank = build_view(b, operands[0])->rank;
    double axis = view_load(data, graph_tensor_const(b->g, n->inputs[1])->type);
    if (!(axis >= -rank && axis < rank))
        return error_set(b->err, PTQ_SHAPE, "node '%s' sums along axis %g of %d", n->name, axis,
                         rank);
    kernel_param param = {.cumulate = {.axis = bind_axis((int)axis, rank),
                                       .exclusive = n->attr.running.exclusive,
                                       .reverse = n->attr.running.reverse}};
    return build_kernel(b, &(kernel_request){KERNEL_CUMULATE, param, operands, NULL, 2});
}
