/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that only move values. Where another view of the input will do, nothing is moved. */
#include <string.h>

#include "base/mem.h"
#include "engine/build.h"

static ptq_status stored(builder *b, tensor_id id, layout want, value_id *out)
{
    return build_input(b, id, want, graph_tensor_const(b->g, id)->type, out);
}

/* The output is another view of `from`; when it has a place in a concatenation, it is copied. */
static ptq_status alias_or_copy(builder *b, tensor_id id, value_id from, const view *v,
                                int64_t offset)
{
    if (b->slots[id].whole == TENSOR_NONE)
        return build_alias(b, id, from, v, offset);
    value_id part, to;
    PTQ_TRY(build_part(b, from, v, offset, &part));
    PTQ_TRY(build_output(b, id, &to));
    return build_copy(b, part, to);
}

static bool is_in_place(const builder *b, tensor_id part, const node *concat, int64_t from)
{
    const slot *s = &b->slots[part];
    value_id whole = b->slots[concat->outputs[0]].first;
    return s->whole == concat->outputs[0] && s->from == from && s->first != VALUE_NONE &&
           b->e->values[s->first].buffer == b->e->values[whole].buffer;
}

ptq_status bind_concat(builder *b, const node *n)
{
    value_id whole;
    PTQ_TRY(build_output(b, n->outputs[0], &whole));
    int axis = bind_axis(n->attr.axis.axis, build_view(b, whole)->rank);
    int64_t from = 0;
    for (int i = 0; i < n->n_inputs; i++) {
        tensor_id id = n->inputs[i];
        int64_t length = graph_tensor_const(b->g, id)->shape.dim[axis];
        if (!is_in_place(b, id, n, from)) {
            value_id part, to;
            PTQ_TRY(stored(b, id, LAYOUT_ANY, &part));
            view v = view_slice(build_view(b, whole), axis, from, length);
            PTQ_TRY(build_part(b, whole, &v, from * v.stride[axis], &to));
            PTQ_TRY(build_copy(b, part, to));
        }
        from += length;
    }
    return PTQ_OK;
}

ptq_status bind_identity(builder *b, const node *n)
{
    value_id from;
    PTQ_TRY(stored(b, n->inputs[0], LAYOUT_ANY, &from));
    view v = *build_view(b, from);
    return alias_or_copy(b, n->outputs[0], from, &v, 0);
}

/* Reshape, Flatten, Squeeze, Unsqueeze: the same row-major values under other dimensions. Best is
 * another view of the input; else the input is copied into another view of the output, which may
 * be an image; else it is made row-major first. */
ptq_status bind_reshape(builder *b, const node *n)
{
    value_id from, to, target;
    PTQ_TRY(stored(b, n->inputs[0], LAYOUT_ANY, &from));
    const shape *s = &graph_tensor_const(b->g, n->outputs[0])->shape;
    view x = *build_view(b, from), v;
    if (view_reshape(&x, s->rank, s->dim, &v))
        return alias_or_copy(b, n->outputs[0], from, &v, 0);
    PTQ_TRY(build_output(b, n->outputs[0], &to));
    if (view_reshape(build_view(b, to), x.rank, x.dim, &v)) {
        PTQ_TRY(build_part(b, to, &v, 0, &target));
        return build_copy(b, from, target);
    }
    PTQ_TRY(stored(b, n->inputs[0], LAYOUT_DENSE, &from));
    v = build_dense_view(b, n->outputs[0]);
    PTQ_TRY(build_part(b, from, &v, 0, &target));
    return build_copy(b, target, to);
}

ptq_status bind_transpose(builder *b, const node *n)
{
    value_id from;
    PTQ_TRY(stored(b, n->inputs[0], LAYOUT_ANY, &from));
    const view *x = build_view(b, from);
    view v = *x;
    for (int i = 0; i < x->rank; i++) {
        v.dim[i] = x->dim[n->attr.perm.perm[i]];
        v.stride[i] = x->stride[n->attr.perm.perm[i]];
    }
    return alias_or_copy(b, n->outputs[0], from, &v, 0);
}

ptq_status bind_split(builder *b, const node *n)
{
    value_id from;
    PTQ_TRY(stored(b, n->inputs[0], LAYOUT_ANY, &from));
    view x = *build_view(b, from);
    int axis = bind_axis(n->attr.axis.axis, x.rank);
    int64_t at = 0;
    for (int i = 0; i < n->n_outputs; i++) {
        int64_t length = graph_tensor_const(b->g, n->outputs[i])->shape.dim[axis];
        view part = view_slice(&x, axis, at, length);
        PTQ_TRY(alias_or_copy(b, n->outputs[i], from, &part, at * x.stride[axis]));
        at += length;
    }
    return PTQ_OK;
}

/* The `wanted` integers of a constant input. */
static ptq_status constant_ints(builder *b, const node *n, int input, int wanted, int64_t *values)
{
    const tensor *t = graph_tensor_const(b->g, n->inputs[input]);
    const void *data;
    size_t count;
    PTQ_TRY(build_constant_data(b, n->inputs[input], "bounds", &data));
    if (!shape_count(&t->shape, &count) || count != (size_t)wanted)
        return error_set(b->err, PTQ_SHAPE, "node '%s' has %zu bounds where %d are needed", n->name,
                         count, wanted);
    for (int i = 0; i < wanted; i++)
        values[i] = t->type == DTYPE_I64
                        ? ((const int64_t *)data)[i]
                        : (int64_t)view_load(
                              (const char *)data + (size_t)i * view_type_bytes(t->type), t->type);
    return PTQ_OK;
}

/* First element of a slice on an axis of `length`, by the clamping rules of ONNX. */
static int64_t slice_start(int64_t start, int64_t stride, int64_t length)
{
    int64_t last = stride > 0 ? length : length - 1;
    start += start < 0 ? length : 0;
    return start < 0 ? 0 : start > last ? last : start;
}

ptq_status bind_slice(builder *b, const node *n)
{
    int64_t starts[VIEW_MAX_RANK], axes[VIEW_MAX_RANK], steps[VIEW_MAX_RANK];
    const shape *out = &graph_tensor_const(b->g, n->outputs[0])->shape;
    const shape *bounds = &graph_tensor_const(b->g, n->inputs[1])->shape;
    int n_bounds = bounds->rank ? (int)bounds->dim[0] : 1;
    value_id from;
    if (n_bounds > VIEW_MAX_RANK)
        return error_set(b->err, PTQ_SHAPE, "the bounds of node '%s' are too many", n->name);
    PTQ_TRY(stored(b, n->inputs[0], LAYOUT_ANY, &from));
    PTQ_TRY(constant_ints(b, n, 1, n_bounds, starts));
    for (int i = 0; i < n_bounds; i++) {
        axes[i] = i;
        steps[i] = 1;
    }
    if (bind_has_input(n, 3))
        PTQ_TRY(constant_ints(b, n, 3, n_bounds, axes));
    if (bind_has_input(n, 4))
        PTQ_TRY(constant_ints(b, n, 4, n_bounds, steps));
    view v = *build_view(b, from);
    int64_t offset = 0;
    for (int i = 0; i < n_bounds; i++) {
        int axis = bind_axis((int)axes[i], v.rank);
        if (out->dim[axis] > 0)
            offset += slice_start(starts[i], steps[i], v.dim[axis]) * v.stride[axis];
        v.dim[axis] = out->dim[axis];
        v.stride[axis] *= steps[i];
    }
    return alias_or_copy(b, n->outputs[0], from, &v, offset);
}

ptq_status bind_expand(builder *b, const node *n)
{
    value_id from;
    view v, out = build_dense_view(b, n->outputs[0]);
    PTQ_TRY(stored(b, n->inputs[0], LAYOUT_ANY, &from));
    if (!view_broadcast(build_view(b, from), out.rank, out.dim, &v))
        return error_set(b->err, PTQ_SHAPE, "the input of node '%s' does not broadcast", n->name);
    return alias_or_copy(b, n->outputs[0], from, &v, 0);
}

/* One strided copy per position in the block: out channel (dx*block + dy)*C + c, or in ONNX's
 * order (dy*block + dx)*C + c. */
ptq_status bind_space_to_depth(builder *b, const node *n)
{
    value_id from, to;
    int block = n->attr.space.block;
    PTQ_TRY(stored(b, n->inputs[0], LAYOUT_ANY, &from));
    PTQ_TRY(build_output(b, n->outputs[0], &to));
    view x = *build_view(b, from), y = *build_view(b, to);
    for (int dx = 0; dx < block; dx++)
        for (int dy = 0; dy < block; dy++) {
            bool is_reorg = n->attr.space.order == SPACE_REORG;
            int64_t channel = (is_reorg ? dx * block + dy : dy * block + dx) * x.dim[1];
            view source = x, target = view_slice(&y, 1, channel, x.dim[1]);
            for (int i = 2; i < 4; i++) {
                source.dim[i] = y.dim[i];
                source.stride[i] = x.stride[i] * block;
            }
            value_id a, c;
            PTQ_TRY(build_part(b, from, &source, dy * x.stride[2] + dx * x.stride[3], &a));
            PTQ_TRY(build_part(b, to, &target, channel * y.stride[1], &c));
            PTQ_TRY(build_copy(b, a, c));
        }
    return PTQ_OK;
}

static ptq_status constant_output(builder *b, tensor_id id, const void *data)
{
    view v = build_dense_view(b, id);
    return build_constant(b, &v, data, &b->slots[id].first);
}

ptq_status bind_shape(builder *b, const node *n)
{
    int begin, end;
    const shape *s = &graph_tensor_const(b->g, n->inputs[0])->shape;
    node_shape_span(n, s->rank, &begin, &end);
    return constant_output(b, n->outputs[0], s->dim + begin);
}

ptq_status bind_size(builder *b, const node *n)
{
    view x = build_dense_view(b, n->inputs[0]);
    int64_t count = view_count(&x);
    return constant_output(b, n->outputs[0], &count);
}

ptq_status bind_fill(builder *b, const node *n)
{
    view v = build_dense_view(b, n->outputs[0]);
    size_t bytes = view_type_bytes(v.type), total;
    if (!mem_mul((size_t)view_count(&v), bytes, &total))
        return error_no_memory(b->err, SIZE_MAX, "a constant");
    char *values = mem_zalloc(total);
    if (!values)
        return error_no_memory(b->err, total, "a constant");
    for (size_t at = 0; at < total; at += bytes)
        view_store(values + at, v.type, n->attr.fill.value);
    ptq_status status = constant_output(b, n->outputs[0], values);
    mem_free(values);
    return status;
}
