/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/passes.h"
#include "passes/qnode.h"
#include "passes/rewrite.h"

/* Readers of `dq` read `x` instead. A graph output keeps its name: the node becomes an Identity. */
static ptq_status bypass(graph *g, node_id dq, tensor_id x, ptq_error *err)
{
    node n = *graph_node_const(g, dq);
    if (!graph_is_output(g, n.outputs[0])) {
        graph_replace_uses(g, n.outputs[0], x);
        graph_remove_node(g, dq);
        return PTQ_OK;
    }
    n.op = GRAPH_OP_IDENTITY;
    n.n_inputs = 1;
    n.inputs = &x;
    return node_replace(g, dq, &n, err);
}

/* What the pair around `q` reads: its input, before the Clip that insertion put there. */
static tensor_id source_of(const graph *g, node_id q)
{
    tensor_id x = graph_node_const(g, q)->inputs[0];
    node_id clip = producer_if(g, x, GRAPH_OP_CLIP);
    if (clip != NODE_NONE && graph_node_const(g, clip)->attr.clip.of_quantizer)
        x = graph_node_const(g, clip)->inputs[0];
    return x;
}

ptq_status pass_remove_qdq(graph *g, ptq_error *err)
{
    int n = graph_n_nodes(g);
    bool folded;
    for (int i = 0; i < n; i++) {
        const node *dq = graph_node_const(g, (node_id)i);
        if (dq->is_dead || dq->op != GRAPH_OP_DEQUANTIZE_LINEAR)
            continue;
        node_id q = producer_if(g, dq->inputs[0], GRAPH_OP_QUANTIZE_LINEAR);
        if (q != NODE_NONE)
            PTQ_TRY(bypass(g, (node_id)i, source_of(g, q), err));
        else
            PTQ_TRY(qnode_fold(g, (node_id)i, &folded, err));
    }
    return graph_prune(g, err);
}
