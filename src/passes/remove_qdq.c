/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

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

/* Whether insertion put the Clip before the quantizer: marked, or in a file known by its name,
 * "<place>_clip" for "<place>_quantize". */
static bool is_of_quantizer(const node *clip, const node *q)
{
    static const char clip_end[] = "_clip", q_end[] = "_quantize";
    size_t n = strlen(q->name);
    if (clip->attr.clip.of_quantizer)
        return true;
    return n > strlen(q_end) && strcmp(q->name + n - strlen(q_end), q_end) == 0 &&
           strncmp(clip->name, q->name, n - strlen(q_end)) == 0 &&
           strcmp(clip->name + n - strlen(q_end), clip_end) == 0;
}

/* What the pair around `q` reads: its input, before the Clip that insertion put there. */
static tensor_id source_of(const graph *g, node_id q)
{
    tensor_id x = graph_node_const(g, q)->inputs[0];
    node_id clip = producer_if(g, x, GRAPH_OP_CLIP);
    if (clip != NODE_NONE && is_of_quantizer(graph_node_const(g, clip), graph_node_const(g, q)))
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
