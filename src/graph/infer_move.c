/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of operators that only move values: Concat, Reshape, Transpose, Split, Slice ... */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>

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

static ptq_status bad_axis(int axis, const shape *x, ptq_error *err)
{
    return error_set(err, PTQ_SHAPE, "axis %d is outside the rank %d", axis, x->rank);
}

ptq_status infer_concat(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    shape s = *in(g, n, 0);
    int axis;
    if (!axis_normalise(n->attr.axis.axis, s.rank, &axis))
        return bad_axis(n->attr.axis.axis, &s, err);
    for (int i = 1; i < n->n_inputs; i++) {
        const shape *x = in(g, n, i);
        char a[128], b[128];
        bool fits = x->rank == s.rank;
        for (int d = 0; fits && d < s.rank; d++)
            fits = d == axis || x->dim[d] == s.dim[d];
        if (!fits || s.dim[axis] > INT64_MAX - x->dim[axis])
            return error_set(err, PTQ_SHAPE, "input %d of shape %s does not fit %s on axis %d", i,
                             shape_text(x, a), shape_text(&s, b), axis);
        s.dim[axis] += x->dim[axis];
    }
    out->shape[0] = s;
    return PTQ_OK;
}

ptq_status infer_reshape(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0);
    int64_t dims[SHAPE_MAX_RANK];
    int rank, unknown = -1;
    if (!const_ints(g, n->inputs[1], dims, &rank))
        return error_set(err, PTQ_UNSUPPORTED, "its target shape is not a constant");
    size_t total, known = 1;
    if (!shape_count(x, &total))
        return error_set(err, PTQ_SHAPE, "the input's shape is not known");
    for (int i = 0; i < rank; i++) {
        if (i < x->rank && dims[i] == 0 && !n->attr.reshape.allow_zero)
            dims[i] = x->dim[i];
        if (dims[i] == -1 && unknown < 0) {
            unknown = i;
            continue;
        }
        if (dims[i] < 0 || (dims[i] && known > SIZE_MAX / (size_t)dims[i]))
            return error_set(err, PTQ_SHAPE, "the target shape is impossible");
        known *= (size_t)dims[i];
    }
    if (unknown >= 0)
        dims[unknown] = known ? (int64_t)(total / known) : 0;
    shape s = shape_make(rank, dims);
    size_t count;
    char a[128], b[128];
    if (!shape_count(&s, &count) || count != total)
        return error_set(err, PTQ_SHAPE, "%s cannot become %s", shape_text(x, a),
                         shape_text(&s, b));
    out->shape[0] = s;
    return PTQ_OK;
}

ptq_status infer_flatten(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0);
    int axis = n->attr.axis.axis;
    if (axis < -x->rank || axis > x->rank)
        return bad_axis(axis, x, err);
    if (axis < 0)
        axis += x->rank;
    int64_t dims[2] = {1, 1};
    for (int i = 0; i < x->rank; i++)
        dims[i >= axis] *= x->dim[i];
    out->shape[0] = shape_make(2, dims);
    return PTQ_OK;
}

ptq_status infer_transpose(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0);
    const perm_attr *p = &n->attr.perm;
    bool seen[SHAPE_MAX_RANK] = {false};
    if (p->rank != x->rank)
        return error_set(err, PTQ_SHAPE, "a permutation of %d axes does not fit rank %d", p->rank,
                         x->rank);
    shape s = {.rank = x->rank};
    for (int i = 0; i < x->rank; i++) {
        if (p->perm[i] < 0 || p->perm[i] >= x->rank || seen[p->perm[i]])
            return error_set(err, PTQ_SHAPE, "its axes are no permutation");
        seen[p->perm[i]] = true;
        s.dim[i] = x->dim[p->perm[i]];
    }
    out->shape[0] = s;
    return PTQ_OK;
}

ptq_status infer_split(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0);
    const axis_attr *p = &n->attr.axis;
    int axis, n_lengths = p->n_splits;
    int64_t lengths[INFER_MAX_OUTPUTS] = {0};
    if (!axis_normalise(p->axis, x->rank, &axis))
        return bad_axis(p->axis, x, err);
    for (int i = 0; i < n_lengths && i < 16; i++)
        lengths[i] = p->split[i];
    if (!n_lengths && has_input(n, 1) && !const_ints(g, n->inputs[1], lengths, &n_lengths))
        return error_set(err, PTQ_UNSUPPORTED, "its lengths are not a constant of 8 at most");
    if (!n_lengths) { /* equal parts, the last may be smaller */
        int64_t part = (x->dim[axis] + n->n_outputs - 1) / n->n_outputs;
        for (n_lengths = 0; n_lengths < n->n_outputs; n_lengths++)
            lengths[n_lengths] = part;
        lengths[n_lengths - 1] = x->dim[axis] - part * (n_lengths - 1);
    }
    int64_t sum = 0;
    for (int i = 0; i < n_lengths; i++) {
        if (lengths[i] < 0 || lengths[i] > x->dim[axis])
            return error_set(err, PTQ_SHAPE, "part %d has an impossible length", i);
        sum += lengths[i];
    }
    if (n_lengths != n->n_outputs || sum != x->dim[axis])
        return error_set(err, PTQ_SHAPE, "%d parts of %" PRId64 " do not make the axis of %" PRId64,
                         n_lengths, sum, x->dim[axis]);
    for (int i = 0; i < n->n_outputs; i++) {
        out->shape[i] = *x;
        out->shape[i].dim[axis] = lengths[i];
    }
    return PTQ_OK;
}

/* Number of elements start, start+step ... before end, ONNX rules for clamping. */
static int64_t slice_count(int64_t length, int64_t start, int64_t end, int64_t step)
{
    if (start < 0)
        start += length;
    if (end < 0)
        end += length;
    if (step > 0) {
        start = start < 0 ? 0 : start > length ? length : start;
        end = end < 0 ? 0 : end > length ? length : end;
        return end > start ? (end - start + step - 1) / step : 0;
    }
    start = start < 0 ? 0 : start > length - 1 ? length - 1 : start;
    end = end < -1 ? -1 : end > length - 1 ? length - 1 : end;
    return start > end ? (start - end - step - 1) / -step : 0;
}

ptq_status infer_slice(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    shape s = *in(g, n, 0);
    int64_t start[SHAPE_MAX_RANK], end[SHAPE_MAX_RANK], axes[SHAPE_MAX_RANK], step[SHAPE_MAX_RANK];
    int n_start, n_end, n_axes, n_step;
    bool seen[SHAPE_MAX_RANK] = {false};
    bool good =
        const_ints(g, n->inputs[1], start, &n_start) && const_ints(g, n->inputs[2], end, &n_end);
    n_axes = n_step = n_start;
    for (int i = 0; good && i < n_start; i++) {
        axes[i] = i;
        step[i] = 1;
    }
    if (good && has_input(n, 3))
        good = const_ints(g, n->inputs[3], axes, &n_axes);
    if (good && has_input(n, 4))
        good = const_ints(g, n->inputs[4], step, &n_step);
    if (!good)
        return error_set(err, PTQ_UNSUPPORTED, "its bounds are not constants");
    if (n_end != n_start || n_axes != n_start || n_step != n_start)
        return error_set(err, PTQ_SHAPE, "its bounds have different lengths");
    for (int i = 0; i < n_start; i++) {
        int axis;
        if (axes[i] < -s.rank || axes[i] >= s.rank || !axis_normalise((int)axes[i], s.rank, &axis))
            return error_set(err, PTQ_SHAPE, "axis %" PRId64 " is outside the rank %d", axes[i],
                             s.rank);
        if (seen[axis])
            return error_set(err, PTQ_SHAPE, "axis %d is given twice", axis);
        seen[axis] = true;
        if (step[i] == 0 || step[i] < -INT32_MAX || step[i] > INT32_MAX)
            return error_set(err, PTQ_SHAPE, "step %" PRId64 " is impossible", step[i]);
        int64_t low = start[i] < -INT64_MAX / 2 ? -INT64_MAX / 2 : start[i];
        int64_t high = end[i] < -INT64_MAX / 2 ? -INT64_MAX / 2 : end[i];
        s.dim[axis] = slice_count(s.dim[axis], low, high, step[i]);
    }
    out->shape[0] = s;
    return PTQ_OK;
}

/* The axes of Squeeze and Unsqueeze: the constant second input, else the attribute. */
static bool axes_of(const graph *g, const node *n, int64_t axes[SHAPE_MAX_RANK], int *n_axes)
{
    if (has_input(n, 1))
        return const_ints(g, n->inputs[1], axes, n_axes);
    *n_axes = n->attr.perm.rank;
    for (int i = 0; i < *n_axes; i++)
        axes[i] = n->attr.perm.perm[i];
    return true;
}

/* Marks the normalised axes; false when one is outside `rank`. */
static bool mark_axes(const int64_t *axes, int n_axes, int rank, bool marked[SHAPE_MAX_RANK])
{
    for (int i = 0; i < n_axes; i++) {
        int axis;
        if (axes[i] < -rank || axes[i] >= rank || !axis_normalise((int)axes[i], rank, &axis))
            return false;
        marked[axis] = true;
    }
    return true;
}

ptq_status infer_squeeze(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0);
    int64_t axes[SHAPE_MAX_RANK];
    int n_axes;
    bool dropped[SHAPE_MAX_RANK] = {false};
    if (!axes_of(g, n, axes, &n_axes))
        return error_set(err, PTQ_UNSUPPORTED, "its axes are not a constant");
    if (!mark_axes(axes, n_axes, x->rank, dropped))
        return error_set(err, PTQ_SHAPE, "an axis is outside the rank %d", x->rank);
    shape s = {.rank = 0};
    for (int i = 0; i < x->rank; i++) {
        bool drop = n_axes ? dropped[i] : x->dim[i] == 1;
        if (drop && x->dim[i] != 1)
            return error_set(err, PTQ_SHAPE, "axis %d is not 1", i);
        if (!drop)
            s.dim[s.rank++] = x->dim[i];
    }
    out->shape[0] = s;
    return PTQ_OK;
}

ptq_status infer_unsqueeze(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0);
    int64_t axes[SHAPE_MAX_RANK];
    int n_axes;
    bool added[SHAPE_MAX_RANK] = {false};
    if (!axes_of(g, n, axes, &n_axes))
        return error_set(err, PTQ_UNSUPPORTED, "its axes are not a constant");
    int rank = x->rank + n_axes;
    if (rank > SHAPE_MAX_RANK || !mark_axes(axes, n_axes, rank, added))
        return error_set(err, PTQ_SHAPE, "an axis is outside the rank %d", rank);
    shape s = {.rank = rank};
    int from = 0;
    for (int i = 0; i < rank; i++) {
        if (!added[i] && from >= x->rank)
            return error_set(err, PTQ_SHAPE, "an axis is given twice");
        s.dim[i] = added[i] ? 1 : x->dim[from++];
    }
    out->shape[0] = s;
    return PTQ_OK;
}

ptq_status infer_gather(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0), *index = in(g, n, 1);
    int axis;
    if (!axis_normalise(n->attr.axis.axis, x->rank, &axis))
        return bad_axis(n->attr.axis.axis, x, err);
    shape s = {.rank = x->rank - 1 + index->rank};
    if (s.rank > SHAPE_MAX_RANK)
        return error_set(err, PTQ_SHAPE, "the result has too many axes");
    int to = 0;
    for (int i = 0; i < axis; i++)
        s.dim[to++] = x->dim[i];
    for (int i = 0; i < index->rank; i++)
        s.dim[to++] = index->dim[i];
    for (int i = axis + 1; i < x->rank; i++)
        s.dim[to++] = x->dim[i];
    out->shape[0] = s;
    return PTQ_OK;
}

ptq_status infer_expand(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    int64_t dims[SHAPE_MAX_RANK];
    int rank;
    if (!const_ints(g, n->inputs[1], dims, &rank))
        return error_set(err, PTQ_UNSUPPORTED, "its target shape is not a constant");
    shape target = shape_make(rank, dims);
    if (!shape_broadcast(in(g, n, 0), &target, &out->shape[0]))
        return error_set(err, PTQ_SHAPE, "the input does not broadcast to the target");
    return PTQ_OK;
}

bool const_number(const graph *g, tensor_id id, double *value)
{
    const tensor *t = &g->tensors[id];
    if (!t->data || blob_size(t->data) < dtype_bytes(t->type))
        return false;
    const void *p = blob_data(t->data);
    switch (t->type) {
    case DTYPE_I64:
        *value = (double)*(const int64_t *)p;
        return true;
    case DTYPE_I32:
        *value = (double)*(const int32_t *)p;
        return true;
    case DTYPE_F32:
        *value = (double)*(const float *)p;
        return true;
    default:
        return false;
    }
}

ptq_status infer_range(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    double start, limit, delta;
    if (!const_number(g, n->inputs[0], &start) || !const_number(g, n->inputs[1], &limit) ||
        !const_number(g, n->inputs[2], &delta))
        return error_set(err, PTQ_UNSUPPORTED, "its bounds are not constants");
    double count = delta != 0 ? ceil((limit - start) / delta) : -1;
    if (!(count <= (double)(1 << 28)) || delta == 0)
        return error_set(err, PTQ_SHAPE, "its bounds are impossible");
    int64_t dims[1] = {count > 0 ? (int64_t)count : 0};
    out->shape[0] = shape_make(1, dims);
    return PTQ_OK;
}
