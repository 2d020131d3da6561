/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX hands parameters to some operators as tensors, and some files compute them from shapes. Once
 * such a tensor is a constant, its values move into the node's attributes, where the rest of the
 * program looks for them. */
#include <inttypes.h>

#include "graph/graph.h"
#include "graph/graph_impl.h"

enum { MAX_SPLIT = sizeof((axis_attr){0}.split) / sizeof(int64_t) };

static bool has_input(const node *n, int i)
{
    return n->n_inputs > i && n->inputs[i] != TENSOR_NONE;
}

/* Element i of a constant as a double; false for an element type without numbers for us. */
static bool const_at(const tensor *t, size_t i, double *value)
{
    const void *p = blob_data(t->data);
    switch (t->type) {
    case DTYPE_F32:
        *value = (double)((const float *)p)[i];
        return true;
    case DTYPE_I32:
        *value = (double)((const int32_t *)p)[i];
        return true;
    case DTYPE_I64:
        *value = (double)((const int64_t *)p)[i];
        return true;
    default:
        return false;
    }
}

/* All values of input i. *n is -1 when there is no such input or it is empty (ONNX's older way to
 * leave one out), false when it is not a constant of 1 ... max numbers. */
static bool numbers(const graph *g, const node *nd, int i, double *values, int max, int *n)
{
    *n = -1;
    if (!has_input(nd, i))
        return true;
    const tensor *t = graph_tensor_const(g, nd->inputs[i]);
    size_t count;
    if (!t->data || !shape_count(&t->shape, &count) || count > (size_t)max)
        return false;
    for (size_t k = 0; k < count; k++)
        if (!const_at(t, k, &values[k]))
            return false;
    if (count)
        *n = (int)count;
    return true;
}

static ptq_status absorb_clip(const graph *g, node *n, ptq_error *err)
{
    double low = 0, high = 0;
    int n_low, n_high;
    if (!numbers(g, n, 1, &low, 1, &n_low) || !numbers(g, n, 2, &high, 1, &n_high))
        return PTQ_OK;
    if (n_low > 0)
        n->attr.clip.min = (float)low;
    if (n_high > 0)
        n->attr.clip.max = (float)high;
    if (n->attr.clip.min != n->attr.clip.min || n->attr.clip.max != n->attr.clip.max)
        return error_set(err, PTQ_FORMAT, "node '%s' (Clip) has a bound that is not a number",
                         n->name);
    n->n_inputs = 1;
    return PTQ_OK;
}

/* The region is given as all begins, then all ends: of two axes or of all four. */
static bool absorb_region(const graph *g, node *n)
{
    double region[2 * SHAPE_MAX_RANK];
    int count;
    resize_attr *a = &n->attr.resize;
    if (a->coord != RESIZE_CROP)
        return true;
    if (!numbers(g, n, 1, region, 2 * SHAPE_MAX_RANK, &count) || (count != 4 && count != 8))
        return false;
    for (int i = 0; i < 2; i++) {
        int at = count / 2 - 2 + (a->is_swapped ? 1 - i : i);
        a->region[i] = (float)region[at];
        a->region[2 + i] = (float)region[count / 2 + at];
    }
    return true;
}

/* One scale for both axes, and the size it makes. */
static void keep_aspect(const shape *x, resize_attr *a)
{
    double h = (double)a->size[0] / (double)x->dim[2], w = (double)a->size[1] / (double)x->dim[3];
    double scale = (a->fit == RESIZE_NOT_LARGER) == (h < w) ? h : w;
    for (int i = 0; i < 2; i++) {
        a->scale[i] = (float)scale;
        a->size[i] = (int64_t)(scale * (double)x->dim[2 + i] + 0.5);
    }
}

static bool knows_aspect(const shape *x, const resize_attr *a)
{
    return a->fit == RESIZE_STRETCH || (x->rank == 4 && x->dim[2] > 0 && x->dim[3] > 0);
}

/* Four values: one per axis of [N,C,H,W]; two: height and width alone. */
static ptq_status absorb_resize(const graph *g, node *n, ptq_error *err)
{
    double scale[SHAPE_MAX_RANK], size[SHAPE_MAX_RANK];
    int n_scale, n_size;
    if (!numbers(g, n, 2, scale, SHAPE_MAX_RANK, &n_scale) ||
        !numbers(g, n, 3, size, SHAPE_MAX_RANK, &n_size))
        return PTQ_OK;
    resize_attr *a = &n->attr.resize;
    const shape *x = &graph_tensor_const(g, n->inputs[0])->shape;
    if ((n_scale < 0 && n_size < 0) || !absorb_region(g, n) || !knows_aspect(x, a))
        return PTQ_OK;
    int count = n_scale > 0 ? n_scale : n_size;
    if (count != 2 && count != 4)
        return error_set(err, PTQ_UNSUPPORTED,
                         "node '%s' (Resize) has %d sizes; only [N,C,H,W] is resized", n->name,
                         count);
    const double *value = n_scale > 0 ? scale : size;
    for (int i = 0; i < count - 2; i++) {
        bool kept = n_scale > 0 ? value[i] == 1
                                : x->rank != 4 || x->dim[i] < 0 || value[i] == (double)x->dim[i];
        if (!kept)
            return error_set(err, PTQ_UNSUPPORTED,
                             "node '%s' (Resize) resizes axis %d; only height and width can be",
                             n->name, i);
    }
    for (int i = 0; i < 2; i++) {
        double v = value[count - 2 + (a->is_swapped ? 1 - i : i)];
        if (!(v > 0 && v < (double)(1 << 24)))
            return error_set(err, PTQ_FORMAT, "node '%s' (Resize) has the size or scale %g",
                             n->name, v);
        a->scale[i] = n_scale > 0 ? (float)v : 0;
        a->size[i] = n_scale > 0 ? 0 : (int64_t)v;
    }
    n->n_inputs = 1;
    if (n_scale < 0 && a->fit != RESIZE_STRETCH)
        keep_aspect(x, a);
    return PTQ_OK;
}

static ptq_status absorb_split(const graph *g, node *n, ptq_error *err)
{
    double length[MAX_SPLIT] = {0};
    int count;
    if (!numbers(g, n, 1, length, MAX_SPLIT, &count) || count < 0)
        return PTQ_OK;
    if (count != n->n_outputs)
        return error_set(err, PTQ_FORMAT, "node '%s' (Split) has %d lengths for %d outputs",
                         n->name, count, n->n_outputs);
    n->attr.axis.n_splits = count;
    for (int i = 0; i < count; i++)
        n->attr.axis.split[i] = length[i] >= 0 && length[i] < 1e15 ? (int64_t)length[i] : -1;
    n->n_inputs = 1;
    return PTQ_OK;
}

static ptq_status absorb_axes(const graph *g, node *n, ptq_error *err)
{
    int64_t axes[SHAPE_MAX_RANK];
    int count;
    if (!has_input(n, 1) || !const_ints(g, n->inputs[1], axes, &count))
        return PTQ_OK;
    for (int i = 0; i < count; i++) {
        if (axes[i] < -SHAPE_MAX_RANK || axes[i] >= SHAPE_MAX_RANK)
            return error_set(err, PTQ_SHAPE, "node '%s' (%s) has the axis %" PRId64, n->name,
                             graph_op_name(n->op), axes[i]);
        n->attr.perm.perm[i] = (int)axes[i];
    }
    n->attr.perm.rank = count;
    n->n_inputs = 1;
    return PTQ_OK;
}

static ptq_status absorb_reduced(const graph *g, node *n, ptq_error *err)
{
    int64_t axes[SHAPE_MAX_RANK];
    int count;
    if (!has_input(n, 1) || !const_ints(g, n->inputs[1], axes, &count))
        return PTQ_OK;
    for (int i = 0; i < count; i++) {
        if (axes[i] < -SHAPE_MAX_RANK || axes[i] >= SHAPE_MAX_RANK)
            return error_set(err, PTQ_SHAPE, "node '%s' (%s) has the axis %" PRId64, n->name,
                             graph_op_name(n->op), axes[i]);
        n->attr.reduce.axes[i] = (int)axes[i];
    }
    n->attr.reduce.n_axes = count;
    n->n_inputs = 1;
    return PTQ_OK;
}

ptq_status node_absorb_constants(graph *g, node_id id, ptq_error *err)
{
    node *n = graph_node(g, id);
    if (n->op >= GRAPH_OP_REDUCE_SUM && n->op <= GRAPH_OP_REDUCE_LOG_SUM_EXP)
        return absorb_reduced(g, n, err);
    switch (n->op) {
    case GRAPH_OP_CLIP:
        return absorb_clip(g, n, err);
    case GRAPH_OP_RESIZE:
        return absorb_resize(g, n, err);
    case GRAPH_OP_SPLIT:
        return absorb_split(g, n, err);
    case GRAPH_OP_SQUEEZE:
    case GRAPH_OP_UNSQUEEZE:
        return absorb_axes(g, n, err);
    default:
        return PTQ_OK;
    }
}
