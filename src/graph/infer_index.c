/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of operators whose indices name elements one by one. */
#include <inttypes.h>

#include "graph/graph_impl.h"
#include "graph/infer_rules.h"

static const shape *in(const graph *g, const node *n, int i)
{
    return &g->tensors[n->inputs[i]].shape;
}

/* Appends the dimensions [from, rank) of `more`; false when they are too many. */
static bool append(shape *s, const shape *more, int from)
{
    for (int i = from; i < more->rank; i++) {
        if (s->rank == SHAPE_MAX_RANK)
            return false;
        s->dim[s->rank++] = more->dim[i];
    }
    return true;
}

static ptq_status no_tuples(const shape *x, const shape *indices, ptq_error *err)
{
    char a[128], b[128];
    return error_set(err, PTQ_SHAPE, "indices %s name no elements of %s", shape_text(indices, a),
                     shape_text(x, b));
}

ptq_status infer_gather_nd(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0), *indices = in(g, n, 1);
    int batch = n->attr.axis.axis;
    if (indices->rank < 1 || batch < 0 || batch >= indices->rank || batch > x->rank)
        return no_tuples(x, indices, err);
    int64_t depth = indices->dim[indices->rank - 1];
    bool fits = depth >= 0 && depth <= x->rank - batch;
    for (int i = 0; i < batch && fits; i++)
        fits = x->dim[i] == indices->dim[i];
    shape s = *indices;
    s.rank--;
    if (!fits || !append(&s, x, batch + (int)depth))
        return no_tuples(x, indices, err);
    out->shape[0] = s;
    return PTQ_OK;
}

static ptq_status scattered(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    if (g->tensors[n->inputs[2]].type != out->type[0])
        return error_set(err, PTQ_SHAPE, "the updates have another type than the input");
    out->shape[0] = *in(g, n, 0);
    return PTQ_OK;
}

ptq_status infer_scatter_elements(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0), *indices = in(g, n, 1);
    int axis;
    bool fits = indices->rank == x->rank && shape_equal(indices, in(g, n, 2)) &&
                axis_normalise(n->attr.scatter.axis, x->rank, &axis);
    for (int i = 0; fits && i < x->rank; i++)
        fits = i == axis || indices->dim[i] <= x->dim[i];
    return fits ? scattered(g, n, out, err) : no_tuples(x, indices, err);
}

ptq_status infer_scatter_nd(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0), *indices = in(g, n, 1);
    if (indices->rank < 1)
        return no_tuples(x, indices, err);
    int64_t depth = indices->dim[indices->rank - 1];
    shape wanted = *indices;
    wanted.rank--;
    if (depth < 0 || depth > x->rank || !append(&wanted, x, (int)depth) ||
        !shape_equal(&wanted, in(g, n, 2)))
        return no_tuples(x, indices, err);
    return scattered(g, n, out, err);
}

ptq_status infer_one_hot(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *indices = in(g, n, 0), *values = in(g, n, 2);
    double depth;
    int axis, rank = indices->rank + 1;
    if (!const_number(g, n->inputs[1], &depth))
        return error_set(err, PTQ_UNSUPPORTED, "its depth is not a constant");
    if (rank > SHAPE_MAX_RANK || !axis_normalise(n->attr.axis.axis, rank, &axis) ||
        !(depth >= 0 && depth <= 1 << 28) || values->rank != 1 || values->dim[0] != 2)
        return error_set(err, PTQ_SHAPE, "depth %g, axis %d and its values do not fit the indices",
                         depth, n->attr.axis.axis);
    shape s = {.rank = rank};
    for (int i = 0; i < rank; i++)
        s.dim[i] = i == axis ? (int64_t)depth : indices->dim[i - (i > axis)];
    out->shape[0] = s;
    out->type[0] = g->tensors[n->inputs[2]].type;
    return PTQ_OK;
}
