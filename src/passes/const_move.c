/* SPDX-License-Identifier: Apache-2.0 */
/* Transpose, Slice, Expand, Concat, Split and Gather of constants. Types do not matter here, only
 * the size of an element. */
#include <inttypes.h>
#include <string.h>

#include "passes/const_eval.h"
#include "passes/rewrite.h"

int64_t strided_offset(const shape *s, const int64_t stride[SHAPE_MAX_RANK], size_t i)
{
    int64_t offset = 0;
    for (int d = s->rank - 1; d >= 0; d--) {
        size_t length = (size_t)s->dim[d];
        offset += (int64_t)(i % length) * stride[d];
        i /= length;
    }
    return offset;
}

static void row_major(const shape *s, int64_t stride[SHAPE_MAX_RANK])
{
    int64_t step = 1;
    for (int d = s->rank - 1; d >= 0; d--) {
        stride[d] = step;
        step *= s->dim[d];
    }
}

void broadcast_strides(const shape *from, const shape *to, int64_t stride[SHAPE_MAX_RANK])
{
    int64_t own[SHAPE_MAX_RANK];
    row_major(from, own);
    for (int d = 0; d < to->rank; d++) {
        int f = d - (to->rank - from->rank);
        stride[d] = f < 0 || from->dim[f] == 1 ? 0 : own[f];
    }
}

typedef struct source {
    const unsigned char *data;
    const shape *shape;
    size_t element;
} source;

static source source_of(const graph *g, tensor_id id)
{
    const tensor *t = graph_tensor_const(g, id);
    return (source){blob_data(t->data), &t->shape, dtype_bytes(t->type)};
}

static void copy_strided(const source *from, const shape *to, const int64_t *stride, int64_t base,
                         unsigned char *out)
{
    size_t count;
    if (!shape_count(to, &count))
        return;
    for (size_t i = 0; i < count; i++) {
        size_t offset = (size_t)(base + strided_offset(to, stride, i));
        memcpy(out + i * from->element, from->data + offset * from->element, from->element);
    }
}

static void transpose(const graph *g, const node *n, const shape *to, unsigned char *out)
{
    source from = source_of(g, n->inputs[0]);
    int64_t own[SHAPE_MAX_RANK], stride[SHAPE_MAX_RANK] = {0};
    row_major(from.shape, own);
    for (int d = 0; d < to->rank; d++)
        stride[d] = own[n->attr.perm.perm[d]];
    copy_strided(&from, to, stride, 0, out);
}

static void expand(const graph *g, const node *n, const shape *to, unsigned char *out)
{
    source from = source_of(g, n->inputs[0]);
    int64_t stride[SHAPE_MAX_RANK];
    broadcast_strides(from.shape, to, stride);
    copy_strided(&from, to, stride, 0, out);
}

/* Value i of an integer constant that inference has read before; `fallback` when it is absent. */
static int64_t int_at(const graph *g, tensor_id id, int64_t i, int64_t fallback)
{
    if (id == TENSOR_NONE)
        return fallback;
    const tensor *t = graph_tensor_const(g, id);
    return t->type == DTYPE_I64 ? ((const int64_t *)blob_data(t->data))[i]
                                : ((const int32_t *)blob_data(t->data))[i];
}

static void slice(const graph *g, const node *n, const shape *to, unsigned char *out)
{
    source from = source_of(g, n->inputs[0]);
    int64_t stride[SHAPE_MAX_RANK], base = 0;
    row_major(from.shape, stride);
    int64_t n_axes = (int64_t)const_count(g, n->inputs[1]);
    for (int64_t i = 0; i < n_axes; i++) {
        int64_t axis = int_at(g, node_input(n, 3), i, i), start = int_at(g, n->inputs[1], i, 0);
        int64_t step = int_at(g, node_input(n, 4), i, 1);
        axis += axis < 0 ? from.shape->rank : 0;
        if (axis < 0 || axis >= from.shape->rank)
            continue; /* refused when shapes were inferred */
        int64_t length = from.shape->dim[axis], last = step > 0 ? length : length - 1;
        start += start < 0 ? length : 0;
        start = start < 0 ? 0 : start > last ? last : start;
        base += start * stride[axis];
        stride[axis] *= step;
    }
    copy_strided(&from, to, stride, base, out);
}

/* Rows before the axis, and bytes behind one step along it. */
static void around_axis(const shape *s, int axis, size_t element, size_t *rows, size_t *bytes)
{
    *rows = 1;
    *bytes = element;
    for (int d = 0; d < s->rank; d++)
        *(d < axis ? rows : bytes) *= d == axis ? 1 : (size_t)s->dim[d];
}

static int axis_of(const node *n, const shape *s)
{
    return n->attr.axis.axis + (n->attr.axis.axis < 0 ? s->rank : 0);
}

static bool same_types(const graph *g, const node *n)
{
    for (int i = 1; i < n->n_inputs; i++)
        if (graph_tensor_const(g, n->inputs[i])->type != graph_tensor_const(g, n->inputs[0])->type)
            return false;
    return true;
}

static void concat(const graph *g, const node *n, const shape *to, unsigned char *out)
{
    int axis = axis_of(n, to);
    size_t rows, bytes, at = 0;
    around_axis(to, axis, source_of(g, n->inputs[0]).element, &rows, &bytes);
    size_t out_row = bytes * (size_t)to->dim[axis];
    for (int i = 0; i < n->n_inputs; i++) {
        source from = source_of(g, n->inputs[i]);
        size_t part = bytes * (size_t)from.shape->dim[axis];
        for (size_t r = 0; r < rows && part; r++)
            memcpy(out + r * out_row + at, from.data + r * part, part);
        at += part;
    }
}

static void split(const graph *g, const node *n, int index, const shape *to, unsigned char *out)
{
    source from = source_of(g, n->inputs[0]);
    int axis = axis_of(n, from.shape);
    size_t rows, bytes, before = 0;
    around_axis(from.shape, axis, from.element, &rows, &bytes);
    for (int i = 0; i < index; i++)
        before += bytes * (size_t)graph_tensor_const(g, n->outputs[i])->shape.dim[axis];
    size_t row = bytes * (size_t)from.shape->dim[axis], part = bytes * (size_t)to->dim[axis];
    for (size_t r = 0; r < rows && part; r++)
        memcpy(out + r * part, from.data + r * row + before, part);
}

static bool is_index(dtype type)
{
    return type == DTYPE_I64 || type == DTYPE_I32;
}

static ptq_status gather(const graph *g, const node *n, unsigned char *out, ptq_error *err)
{
    source from = source_of(g, n->inputs[0]);
    int axis = axis_of(n, from.shape);
    size_t rows, bytes, count = const_count(g, n->inputs[1]);
    int64_t length = from.shape->dim[axis];
    around_axis(from.shape, axis, from.element, &rows, &bytes);
    for (size_t i = 0; i < count; i++) {
        int64_t at = int_at(g, n->inputs[1], (int64_t)i, 0);
        if (at < -length || at >= length)
            return error_set(err, PTQ_FORMAT,
                             "node '%s' (Gather) takes element %" PRId64 " of %" PRId64, n->name,
                             at, length);
        size_t step = (size_t)(at < 0 ? at + length : at);
        for (size_t r = 0; r < rows; r++)
            memcpy(out + (r * count + i) * bytes, from.data + (r * (size_t)length + step) * bytes,
                   bytes);
    }
    return PTQ_OK;
}

ptq_status const_move(const graph *g, const node *n, int index, void *out, bool *done,
                      ptq_error *err)
{
    const shape *to = &graph_tensor_const(g, n->outputs[index])->shape;
    *done = true;
    switch (n->op) {
    case GRAPH_OP_TRANSPOSE:
        transpose(g, n, to, out);
        return PTQ_OK;
    case GRAPH_OP_EXPAND:
        expand(g, n, to, out);
        return PTQ_OK;
    case GRAPH_OP_SLICE:
        slice(g, n, to, out);
        return PTQ_OK;
    case GRAPH_OP_CONCAT:
        *done = same_types(g, n);
        if (*done)
            concat(g, n, to, out);
        return PTQ_OK;
    case GRAPH_OP_SPLIT:
        split(g, n, index, to, out);
        return PTQ_OK;
    case GRAPH_OP_GATHER:
        *done = is_index(graph_tensor_const(g, n->inputs[1])->type);
        if (!*done)
            return PTQ_OK;
        return gather(g, n, out, err);
    default:
        *done = false;
        return PTQ_OK;
    }
}
