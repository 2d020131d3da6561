/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/residual.h"

static bool is_activation(graph_op op)
{
    return op == GRAPH_OP_SILU || op == GRAPH_OP_RELU || op == GRAPH_OP_LEAKY_RELU ||
           op == GRAPH_OP_HARD_SWISH || op == GRAPH_OP_SIGMOID || op == GRAPH_OP_TANH ||
           op == GRAPH_OP_CLIP || op == GRAPH_OP_IDENTITY;
}

/* The convolution behind a tensor, seen through activations; NODE_NONE when there is none. */
static node_id producing_conv(const graph *g, tensor_id id)
{
    node_id producer = graph_producer(g, id);
    while (producer != NODE_NONE && is_activation(graph_node_const(g, producer)->op))
        producer = graph_producer(g, graph_node_const(g, producer)->inputs[0]);
    if (producer == NODE_NONE)
        return NODE_NONE;
    graph_op op = graph_node_const(g, producer)->op;
    return op == GRAPH_OP_CONV || op == GRAPH_OP_CONV_TRANSPOSE ? producer : NODE_NONE;
}

/* How many nodes the branch of a residual block has at most. */
enum { MAX_BRANCH = 64 };

/* Whether `id` is computed from `ancestor` along first inputs. */
static bool comes_from(const graph *g, tensor_id id, tensor_id ancestor)
{
    for (int i = 0; i < MAX_BRANCH; i++) {
        if (id == ancestor)
            return true;
        node_id producer = graph_producer(g, id);
        if (producer == NODE_NONE)
            return false;
        id = graph_node_const(g, producer)->inputs[0];
        if (id == TENSOR_NONE)
            return false;
    }
    return false;
}

bool residual_find(const graph *g, node_id add, residual *out)
{
    const node *n = graph_node_const(g, add);
    tensor_id a = n->inputs[0];
    tensor_id b = n->inputs[1];
    if (a == b || graph_is_const(g, a) || graph_is_const(g, b))
        return false;
    node_id conv_a = producing_conv(g, a);
    node_id conv_b = producing_conv(g, b);
    bool identity_is_a;
    if (comes_from(g, b, a))
        identity_is_a = true;
    else if (comes_from(g, a, b))
        identity_is_a = false;
    else if ((conv_a == NODE_NONE) != (conv_b == NODE_NONE))
        identity_is_a = conv_a == NODE_NONE;
    else
        return false;
    node_id branch = identity_is_a ? conv_b : conv_a;
    if (branch == NODE_NONE)
        return false;
    *out = (residual){identity_is_a ? 0 : 1, branch};
    return true;
}
