/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "passes/lower.h"
#include "passes/qnode.h"
#include "passes/rewrite.h"

/* The Clip that insertion puts before the quantizer of a constant. */
static ptq_status fold_clip(graph *g, node_id id, ptq_error *err)
{
    const node *n = graph_node_const(g, id);
    tensor_id x = n->inputs[0], y = n->outputs[0];
    size_t count = const_count(g, x);
    const float *from = const_floats(g, x, count);
    if (!n->attr.clip.of_quantizer || !from)
        return PTQ_OK;
    blob *data = blob_create(count * sizeof *from);
    if (!data)
        return error_no_memory(err, count * sizeof *from, "a constant");
    float low = n->attr.clip.min, high = n->attr.clip.max, *to = blob_data(data);
    for (size_t i = 0; i < count; i++)
        to[i] = from[i] < low ? low : from[i] > high ? high : from[i];
    ptq_status status = const_replace(g, x, DTYPE_F32, data, &x, err);
    blob_unref(&data);
    PTQ_TRY(status);
    graph_replace_uses(g, y, x);
    graph_remove_node(g, id);
    return PTQ_OK;
}

static bool is_conv_weight(const graph *g, tensor_id id)
{
    node_id reader;
    if (graph_consumers(g, id, &reader, 1) < 1)
        return false;
    const node *n = graph_node_const(g, reader);
    return n->op == GRAPH_OP_CONV && n->inputs[1] == id;
}

ptq_status lower_constants(lowering *l, bool spare_weights, ptq_error *err)
{
    graph *g = l->g;
    bool folded;
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        if (n->is_dead || !graph_is_const(g, n->inputs[0]))
            continue;
        if (n->op == GRAPH_OP_CLIP)
            PTQ_TRY(fold_clip(g, (node_id)i, err));
        else if (n->op == GRAPH_OP_QUANTIZE_LINEAR ||
                 (n->op == GRAPH_OP_DEQUANTIZE_LINEAR &&
                  !(spare_weights && is_conv_weight(g, n->outputs[0]))))
            PTQ_TRY(qnode_fold(g, (node_id)i, &folded, err));
    }
    return graph_tidy(g, err);
}
