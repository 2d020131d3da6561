/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/rewrite.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

node_id sole_consumer(const graph *g, tensor_id id)
{
    node_id reader;
    if (graph_is_output(g, id) || graph_consumers(g, id, &reader, 1) != 1)
        return NODE_NONE;
    return reader;
}

node_id producer_if(const graph *g, tensor_id id, graph_op op)
{
    node_id p = graph_producer(g, id);
    return p != NODE_NONE && graph_node_const(g, p)->op == op ? p : NODE_NONE;
}

tensor_id node_input(const node *n, int i)
{
    return i < n->n_inputs ? n->inputs[i] : TENSOR_NONE;
}

bool split_operands(const graph *g, const node *n, tensor_id *variable, tensor_id *constant)
{
    bool first = graph_is_const(g, n->inputs[0]), second = graph_is_const(g, n->inputs[1]);
    if (first == second)
        return false;
    *variable = n->inputs[first];
    *constant = n->inputs[!first];
    return true;
}

bool node_turns(const node *n, int rank, const int *perm)
{
    return n->op == GRAPH_OP_TRANSPOSE && n->attr.perm.rank == rank &&
           memcmp(n->attr.perm.perm, perm, (size_t)rank * sizeof *perm) == 0;
}

ptq_status consumers_list(const graph *g, tensor_id id, node_id **list, int *n, ptq_error *err)
{
    int count = graph_consumers(g, id, NULL, 0);
    node_id *found = mem_array((size_t)count, sizeof *found);
    if (!found)
        return error_no_memory(err, (size_t)count * sizeof *found, "a list of nodes");
    graph_consumers(g, id, found, count);
    *list = found;
    *n = count;
    return PTQ_OK;
}

size_t const_count(const graph *g, tensor_id id)
{
    size_t n;
    if (!graph_is_const(g, id) || !shape_count(&graph_tensor_const(g, id)->shape, &n))
        return 0;
    return n;
}

const float *const_floats(const graph *g, tensor_id id, size_t count)
{
    if (!count || const_count(g, id) != count || graph_tensor_const(g, id)->type != DTYPE_F32)
        return NULL;
    return blob_data(graph_tensor_const(g, id)->data);
}

ptq_status const_replace(graph *g, tensor_id id, dtype type, blob *data, tensor_id *out,
                         ptq_error *err)
{
    node_id reader;
    if (graph_consumers(g, id, &reader, 1) <= 1 && !graph_is_output(g, id)) {
        tensor *t = graph_tensor(g, id);
        blob_unref(&t->data);
        t->data = blob_ref(data);
        t->type = type;
        *out = id;
        return PTQ_OK;
    }
    const tensor *t = graph_tensor_const(g, id);
    shape s = t->shape;
    const char *name = graph_unique_name(g, t->name);
    if (!name)
        return error_no_memory(err, strlen(t->name), "a name");
    return graph_add_const(g, name, type, &s, data, out, err);
}

const char *name_with_suffix(graph *g, const char *base, const char *suffix)
{
    str s = STR_INIT;
    str_add(&s, base);
    str_add(&s, suffix);
    const char *name = str_ok(&s) ? graph_unique_name(g, str_text(&s)) : NULL;
    str_clear(&s);
    return name;
}

ptq_status const_add_vector(graph *g, const char *name, const float *values, size_t n,
                            tensor_id *out, ptq_error *err)
{
    if (!name)
        return error_no_memory(err, n * sizeof *values, "a constant");
    shape s = shape_make(1, (int64_t[]){(int64_t)n});
    return graph_add_const_copy(g, name, DTYPE_F32, &s, values, out, err);
}

ptq_status node_replace(graph *g, node_id id, const node *desc, ptq_error *err)
{
    graph_remove_node(g, id);
    return graph_add_node(g, desc, NULL, err);
}

bool conv_read(const graph *g, node_id id, conv_parts *out)
{
    if (id == NODE_NONE)
        return false;
    conv_parts c = {.node = *graph_node_const(g, id)};
    bool is_conv = c.node.op == GRAPH_OP_CONV;
    if ((!is_conv && c.node.op != GRAPH_OP_CONV_TRANSPOSE) || c.node.attr.conv.act.kind != ACT_NONE)
        return false;
    int groups = c.node.attr.conv.groups;
    tensor_id bias = node_input(&c.node, 2);
    c.n_weights = const_count(g, c.node.inputs[1]);
    c.weight = const_floats(g, c.node.inputs[1], c.n_weights);
    c.weight_shape = graph_tensor_const(g, c.node.inputs[1])->shape;
    if (!c.weight || !c.n_weights || c.weight_shape.rank < 3 || groups < 1)
        return false;
    c.n_out = (size_t)c.weight_shape.dim[is_conv ? 0 : 1] * (is_conv ? 1 : (size_t)groups);
    if (bias != TENSOR_NONE && !(c.bias = const_floats(g, bias, c.n_out)))
        return false;
    *out = c;
    return c.weight_shape.dim[0] % groups == 0;
}

static void scale(const float *src, size_t n, float factor, float *dst)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = src[i] * factor;
}

static void scale_weights(const conv_parts *c, const float *factor, float *dst)
{
    size_t rows = (size_t)c->weight_shape.dim[0], columns = (size_t)c->weight_shape.dim[1];
    size_t filter = c->n_weights / rows, window = filter / columns;
    size_t group_rows = rows / (size_t)c->node.attr.conv.groups;
    for (size_t row = 0; row < rows; row++) {
        size_t at = row * filter;
        if (c->node.op == GRAPH_OP_CONV) {
            scale(c->weight + at, filter, factor[row], dst + at);
            continue;
        }
        const float *of_group = factor + row / group_rows * columns;
        for (size_t column = 0; column < columns; column++, at += window)
            scale(c->weight + at, window, of_group[column], dst + at);
    }
}

ptq_status conv_scale_weights(const graph *g, const conv_parts *c, const float *factor,
                              blob **weight, ptq_error *err)
{
    tensor_id id = c->node.inputs[1];
    blob *own = graph_tensor_const(g, id)->data;
    bool is_ours = sole_consumer(g, id) != NODE_NONE && !blob_is_shared(own);
    size_t bytes = c->n_weights * sizeof(float);
    blob *scaled = is_ours ? blob_ref(own) : blob_create_unset(bytes);
    if (!scaled)
        return error_no_memory(err, bytes, "folded weights");
    scale_weights(c, factor, blob_data(scaled));
    *weight = scaled;
    return PTQ_OK;
}

ptq_status conv_rewrite(graph *g, node_id id, const conv_change *change, ptq_error *err)
{
    node n = *graph_node_const(g, id);
    tensor_id inputs[3] = {n.inputs[0], n.inputs[1], node_input(&n, 2)};
    tensor_id output = change->output == TENSOR_NONE ? n.outputs[0] : change->output;
    if (change->input != TENSOR_NONE)
        inputs[0] = change->input;
    if (change->weight)
        PTQ_TRY(const_replace(g, inputs[1], DTYPE_F32, change->weight, &inputs[1], err));
    if (change->bias && inputs[2] == TENSOR_NONE) {
        const shape *w = &graph_tensor_const(g, inputs[1])->shape;
        bool is_conv = n.op == GRAPH_OP_CONV;
        int64_t channels = is_conv ? w->dim[0] : w->dim[1] * n.attr.conv.groups;
        const char *name = name_with_suffix(g, n.name, ".bias");
        PTQ_TRY(const_add_vector(g, name, change->bias, (size_t)channels, &inputs[2], err));
    } else if (change->bias) {
        blob *data = blob_copy_of(change->bias, const_count(g, inputs[2]) * sizeof(float));
        if (!data)
            return error_no_memory(err, 0, "a bias");
        ptq_status status = const_replace(g, inputs[2], DTYPE_F32, data, &inputs[2], err);
        blob_unref(&data);
        PTQ_TRY(status);
    }
    n.n_inputs = inputs[2] == TENSOR_NONE ? 2 : 3;
    n.inputs = inputs;
    n.outputs = &output;
    return node_replace(g, id, &n, err);
}

bool batch_norm_affine(const graph *g, const node *bn, size_t n, float *scale, float *shift)
{
    const float *gamma = const_floats(g, bn->inputs[1], n);
    const float *beta = const_floats(g, bn->inputs[2], n);
    const float *mean = const_floats(g, bn->inputs[3], n);
    const float *var = const_floats(g, bn->inputs[4], n);
    if (!gamma || !beta || !mean || !var)
        return false;
    for (size_t c = 0; c < n; c++) {
        float deviation = sqrtf(var[c] + bn->attr.batch_norm.epsilon);
        scale[c] = gamma[c] / deviation;
        shift[c] = beta[c] - gamma[c] * mean[c] / deviation;
    }
    return true;
}
