/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/lower.h"
#include "passes/rewrite.h"

static bool activation_of(const node *n, activation *out)
{
    switch (n->op) {
    case GRAPH_OP_SILU:
        *out = (activation){ACT_SILU, 0};
        return true;
    case GRAPH_OP_RELU:
        *out = (activation){ACT_RELU, 0};
        return true;
    case GRAPH_OP_LEAKY_RELU:
        *out = (activation){ACT_LEAKY_RELU, n->attr.slope.alpha};
        return true;
    case GRAPH_OP_SIGMOID:
        *out = (activation){ACT_SIGMOID, 0};
        return true;
    case GRAPH_OP_HARD_SWISH:
        *out = (activation){ACT_HARD_SWISH, 0};
        return true;
    case GRAPH_OP_TANH:
        *out = (activation){ACT_TANH, 0};
        return true;
    default:
        return false;
    }
}

ptq_status lower_activations(lowering *l, ptq_error *err)
{
    graph *g = l->g;
    int n = graph_n_nodes(g);
    for (int i = 0; i < n; i++) {
        node conv = *graph_node_const(g, (node_id)i);
        if (conv.is_dead || conv.op != GRAPH_OP_CONV || conv.attr.conv.act.kind != ACT_NONE)
            continue;
        node_id act = sole_consumer(g, conv.outputs[0]);
        if (act == NODE_NONE || !activation_of(graph_node_const(g, act), &conv.attr.conv.act))
            continue;
        conv.outputs = graph_node_const(g, act)->outputs;
        graph_remove_node(g, act);
        PTQ_TRY(node_replace(g, (node_id)i, &conv, err));
    }
    return graph_tidy(g, err);
}
