/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of reductions and of operators that choose or repeat elements. */
#include <inttypes.h>

#include "graph/graph_impl.h"
#include "graph/infer_rules.h"

static const shape *in(const graph *g, const node *n, int i)
{
    return &g->tensors[n->inputs[i]].shape;
}

static bool has_input(const node *n, int i)
{
    return n->n_inputs > i && n->inputs[i] != TENSOR_NONE;
}

static bool is_arg(graph_op op)
{
    return op == GRAPH_OP_ARG_MAX || op == GRAPH_OP_ARG_MIN;
}

bool node_reduced_axes(const node *n, int rank, bool over[SHAPE_MAX_RANK])
{
    const reduce_attr *p = &n->attr.reduce;
    for (int i = 0; i < SHAPE_MAX_RANK; i++)
        over[i] = p->n_axes == 0 && !p->empty_is_none && i < rank;
    for (int i = 0; i < p->n_axes; i++) {
        int axis = p->axes[i];
        if (p->to_end && axis == rank)
            continue;
        if (!axis_normalise(axis, rank, &axis))
            return false;
        over[axis] = true;
        for (int k = axis; p->to_end && k < rank; k++)
            over[k] = true;
    }
    return true;
}

ptq_status infer_reduce(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0);
    bool over[SHAPE_MAX_RANK];
    size_t count;
    if (has_input(n, 1))
        return error_set(err, PTQ_UNSUPPORTED, "its axes are not a constant");
    if (!node_reduced_axes(n, x->rank, over))
        return error_set(err, PTQ_SHAPE, "an axis is outside the rank %d", x->rank);
    shape s = {.rank = 0};
    for (int i = 0; i < x->rank; i++) {
        if (over[i] && is_arg(n->op) && x->dim[i] == 0)
            return error_set(err, PTQ_SHAPE, "an empty axis has no largest element");
        if (!over[i])
            s.dim[s.rank++] = x->dim[i];
        else if (n->attr.reduce.keep_dims)
            s.dim[s.rank++] = 1;
    }
    if (!shape_count(x, &count))
        return error_set(err, PTQ_SHAPE, "the input's shape is not known");
    out->shape[0] = s;
    if (is_arg(n->op))
        out->type[0] = DTYPE_I64;
    return PTQ_OK;
}

ptq_status infer_top_k(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    int64_t k[SHAPE_MAX_RANK];
    int count, axis;
    shape s = *in(g, n, 0);
    if (!const_ints(g, n->inputs[1], k, &count))
        return error_set(err, PTQ_UNSUPPORTED, "its k is not a constant");
    if (!axis_normalise(n->attr.top.axis, s.rank, &axis) || count != 1)
        return error_set(err, PTQ_SHAPE, "axis %d is outside the rank %d", n->attr.top.axis,
                         s.rank);
    if (k[0] < 0 || k[0] > s.dim[axis])
        return error_set(err, PTQ_SHAPE, "it takes %" PRId64 " of %" PRId64 " elements", k[0],
                         s.dim[axis]);
    s.dim[axis] = k[0];
    for (int i = 0; i < out->n; i++)
        out->shape[i] = s;
    if (out->n > 1)
        out->type[1] = DTYPE_I64;
    return PTQ_OK;
}

ptq_status node_pads(const graph *g, const node *n, node_padding *p, ptq_error *err)
{
    int64_t amounts[SHAPE_MAX_RANK], axes[SHAPE_MAX_RANK];
    int n_amounts, n_axes = in(g, n, 0)->rank, axis;
    *p = (node_padding){{0}, {0}};
    if (!const_ints(g, n->inputs[1], amounts, &n_amounts))
        return error_set(err, PTQ_UNSUPPORTED, "its amounts are not a constant of %d at most",
                         SHAPE_MAX_RANK);
    for (int i = 0; i < n_axes; i++)
        axes[i] = i;
    if (has_input(n, 3) && !const_ints(g, n->inputs[3], axes, &n_axes))
        return error_set(err, PTQ_UNSUPPORTED, "its axes are not a constant");
    if (n_amounts != 2 * n_axes)
        return error_set(err, PTQ_SHAPE, "%d amounts do not fit %d axes", n_amounts, n_axes);
    for (int i = 0; i < n_axes; i++) {
        const int64_t limit = (int64_t)1 << 30;
        if (axes[i] < -SHAPE_MAX_RANK || axes[i] >= SHAPE_MAX_RANK ||
            !axis_normalise((int)axes[i], in(g, n, 0)->rank, &axis))
            return error_set(err, PTQ_SHAPE, "axis %" PRId64 " is outside the rank", axes[i]);
        p->before[axis] = amounts[i];
        p->after[axis] = amounts[n_axes + i];
        if (amounts[i] < -limit || amounts[i] > limit || p->after[axis] < -limit ||
            p->after[axis] > limit)
            return error_set(err, PTQ_SHAPE, "its amounts are impossible");
    }
    return PTQ_OK;
}

ptq_status infer_pad(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    node_padding p;
    shape s = *in(g, n, 0);
    PTQ_TRY(node_pads(g, n, &p, err));
    for (int i = 0; i < s.rank; i++) {
        bool is_empty = s.dim[i] == 0 && n->attr.pad.mode != PAD_CONSTANT;
        s.dim[i] += p.before[i] + p.after[i];
        if (s.dim[i] < 0 || (is_empty && s.dim[i] > 0))
            return error_set(err, PTQ_SHAPE, "axis %d has nothing to be padded with", i);
    }
    out->shape[0] = s;
    return PTQ_OK;
}

ptq_status infer_tile(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    int64_t repeats[SHAPE_MAX_RANK];
    int count;
    shape s = *in(g, n, 0);
    if (!const_ints(g, n->inputs[1], repeats, &count))
        return error_set(err, PTQ_UNSUPPORTED, "its repeats are not a constant");
    if (count != s.rank)
        return error_set(err, PTQ_SHAPE, "%d repeats do not fit the rank %d", count, s.rank);
    for (int i = 0; i < s.rank; i++) {
        if (repeats[i] < 0 || (repeats[i] && s.dim[i] > INT64_MAX / repeats[i]))
            return error_set(err, PTQ_SHAPE, "axis %d cannot be repeated %" PRId64 " times", i,
                             repeats[i]);
        s.dim[i] *= repeats[i];
    }
    if (s.rank > SHAPE_MAX_RANK / 2)
        return error_set(err, PTQ_SHAPE, "tensors of rank %d are not repeated", s.rank);
    out->shape[0] = s;
    return PTQ_OK;
}

ptq_status infer_depth_to_space(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0);
    int64_t b = n->attr.space.block;
    if (x->rank != 4 || b < 1 || x->dim[1] % (b * b))
        return error_set(err, PTQ_SHAPE, "the channels are no multiple of the block's pixels");
    if (x->dim[2] > INT32_MAX || x->dim[3] > INT32_MAX)
        return error_set(err, PTQ_SHAPE, "the image is too large");
    out->shape[0] = shape4(x->dim[0], x->dim[1] / (b * b), x->dim[2] * b, x->dim[3] * b);
    return PTQ_OK;
}

ptq_status infer_gather_elements(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0), *index = in(g, n, 1);
    int axis;
    bool fits = index->rank == x->rank && axis_normalise(n->attr.axis.axis, x->rank, &axis);
    for (int i = 0; fits && i < x->rank; i++)
        fits = i == axis || index->dim[i] <= x->dim[i];
    if (!fits)
        return error_set(err, PTQ_SHAPE, "the indices do not fit the input");
    out->shape[0] = *index;
    return PTQ_OK;
}

/* The axes [begin, end) that a Shape node tells of. */
void node_shape_span(const node *n, int rank, int *begin, int *end)
{
    int from = n->attr.span.start, to = n->attr.span.is_part ? n->attr.span.end : rank;
    from += from < 0 ? rank : 0;
    to += to < 0 ? rank : 0;
    from = from < 0 ? 0 : from > rank ? rank : from;
    to = to < from ? from : to > rank ? rank : to;
    *begin = from;
    *end = to;
}

ptq_status infer_shape_of(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    (void)err;
    int begin, end;
    node_shape_span(n, in(g, n, 0)->rank, &begin, &end);
    out->shape[0] =
        n->op == GRAPH_OP_SIZE ? (shape){.rank = 0} : shape_make(1, (int64_t[]){end - begin});
    out->type[0] = DTYPE_I64;
    return PTQ_OK;
}
