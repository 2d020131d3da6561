/* SPDX-License-Identifier: Apache-2.0 */
/* ImplicitA and ImplicitM of the YOLOv7 head: Conv(x + ia) * im becomes one convolution, in the
 * order of the official fuse (spec model.md §4): b += W.ia, then b *= im and W *= im. */
#include <string.h>

#include "base/mem.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

/* The f32 values of a constant with one value per channel of an image tensor: [1,C,1,1], or
 * [C,1,1] which broadcasts to it. NULL for everything else. */
static const float *channel_constant(const graph *g, tensor_id id, size_t channels)
{
    const float *values = const_floats(g, id, channels);
    if (!values)
        return NULL;
    const shape *s = &graph_tensor_const(g, id)->shape;
    bool fits = (s->rank == 3 || s->rank == 4) && s->dim[s->rank - 3] == (int64_t)channels;
    return fits ? values : NULL;
}

/* The constant of the two-input node `id` (Add or Mul), the other input in *x. */
static const float *constant_of(const graph *g, node_id id, size_t channels, tensor_id *x)
{
    const node *n = graph_node_const(g, id);
    for (int i = 0; i < 2; i++) {
        const float *values = channel_constant(g, n->inputs[i], channels);
        if (values && !graph_is_const(g, n->inputs[1 - i])) {
            *x = n->inputs[1 - i];
            return values;
        }
    }
    return NULL;
}

/* bias[o] = b[o] + sum over the weights of channel o of weight * ia[input channel]. */
static void add_implicit(const conv_parts *c, const float *ia, float *bias)
{
    size_t per_out = c->n_weights / c->n_out, in_group = (size_t)c->weight_shape.dim[1];
    size_t window = per_out / in_group, out_group = c->n_out / (size_t)c->node.attr.conv.groups;
    for (size_t o = 0; o < c->n_out; o++) {
        double sum = 0;
        for (size_t i = 0; i < per_out; i++)
            sum += (double)c->weight[o * per_out + i] *
                   (double)ia[o / out_group * in_group + i / window];
        bias[o] = (c->bias ? c->bias[o] : 0.0f) + (float)sum;
    }
}

/* Add of a constant before the convolution. Padding adds zeros, not constants, so a padded
 * convolution keeps its Add. */
static ptq_status fold_before(graph *g, node_id conv, node_id *folded, ptq_error *err)
{
    conv_parts c;
    if (!conv_read(g, conv, &c) || c.node.op != GRAPH_OP_CONV)
        return PTQ_OK;
    const int *pad = c.node.attr.conv.pad;
    node_id add = producer_if(g, c.node.inputs[0], GRAPH_OP_ADD);
    if (add == NODE_NONE || sole_consumer(g, c.node.inputs[0]) != conv || pad[0] || pad[1] ||
        pad[2] || pad[3])
        return PTQ_OK;
    tensor_id x;
    size_t channels = (size_t)c.weight_shape.dim[1] * (size_t)c.node.attr.conv.groups;
    const float *ia = constant_of(g, add, channels, &x);
    if (!ia)
        return PTQ_OK;
    float *bias = mem_array(c.n_out, sizeof *bias);
    if (!bias)
        return error_no_memory(err, c.n_out * sizeof *bias, "a bias");
    add_implicit(&c, ia, bias);
    graph_remove_node(g, add);
    conv_change change = {NULL, bias, x, TENSOR_NONE};
    ptq_status status = conv_rewrite(g, conv, &change, err);
    mem_free(bias);
    if (status == PTQ_OK)
        *folded = (node_id)(graph_n_nodes(g) - 1);
    return status;
}

/* Mul with a constant after the convolution. */
static ptq_status fold_after(graph *g, node_id conv, ptq_error *err)
{
    conv_parts c;
    if (!conv_read(g, conv, &c))
        return PTQ_OK;
    node_id mul = sole_consumer(g, c.node.outputs[0]);
    tensor_id x;
    if (mul == NODE_NONE || graph_node_const(g, mul)->op != GRAPH_OP_MUL)
        return PTQ_OK;
    const float *im = constant_of(g, mul, c.n_out, &x);
    if (!im)
        return PTQ_OK;
    float *bias = c.bias ? mem_array(c.n_out, sizeof *bias) : NULL;
    if (c.bias && !bias)
        return error_no_memory(err, c.n_out * sizeof *bias, "a folded bias");
    blob *weight = NULL;
    ptq_status status = conv_scale_weights(g, &c, im, &weight, err);
    if (status != PTQ_OK)
        goto done;
    for (size_t o = 0; bias && o < c.n_out; o++)
        bias[o] = c.bias[o] * im[o];
    conv_change change = {weight, bias, TENSOR_NONE, graph_node_const(g, mul)->outputs[0]};
    graph_remove_node(g, mul);
    status = conv_rewrite(g, conv, &change, err);
done:
    blob_unref(&weight);
    mem_free(bias);
    return status;
}

ptq_status pass_fuse_implicit(graph *g, ptq_error *err)
{
    int n = graph_n_nodes(g);
    for (int i = 0; i < n; i++) {
        node_id conv = (node_id)i;
        if (graph_node_const(g, conv)->is_dead)
            continue;
        PTQ_TRY(fold_before(g, conv, &conv, err));
        PTQ_TRY(fold_after(g, conv, err));
    }
    return graph_tidy(g, err);
}
