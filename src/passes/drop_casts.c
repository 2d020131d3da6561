/* SPDX-License-Identifier: Apache-2.0 */
/* Float16 files are computed in float32 here: their Casts between the two say nothing. */
#include "passes/passes.h"
#include "passes/rewrite.h"

static bool is_idle(const graph *g, const node *n)
{
    return !n->is_dead && n->op == GRAPH_OP_CAST && n->attr.cast.to == DTYPE_F32 &&
           graph_tensor_const(g, n->inputs[0])->type == DTYPE_F32;
}

/* The output keeps its name: what makes the input makes the output instead. */
static void take_output(graph *g, tensor_id x, tensor_id y)
{
    node *made = graph_node(g, graph_producer(g, x));
    for (int i = 0; i < made->n_outputs; i++)
        if (made->outputs[i] == x)
            made->outputs[i] = y;
    graph_replace_uses(g, x, y);
}

ptq_status pass_drop_casts(graph *g, ptq_error *err)
{
    int n_nodes = graph_n_nodes(g);
    for (int i = 0; i < n_nodes; i++) {
        const node *n = graph_node_const(g, (node_id)i);
        if (!is_idle(g, n))
            continue;
        tensor_id x = n->inputs[0], y = n->outputs[0];
        bool is_output = graph_is_output(g, y);
        if (is_output && (graph_producer(g, x) == NODE_NONE || graph_is_output(g, x)))
            continue;
        graph_remove_node(g, (node_id)i);
        if (is_output)
            take_output(g, x, y);
        else
            graph_replace_uses(g, y, x);
    }
    return graph_tidy(g, err);
}
