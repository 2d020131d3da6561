/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/half.h"
#include "base/mem.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

static ptq_status round_constant(graph *g, tensor_id id, ptq_error *err)
{
    size_t n = const_count(g, id);
    const float *from = const_floats(g, id, n);
    if (!from)
        return PTQ_OK;
    blob *rounded = blob_create(n * sizeof *from);
    if (!rounded)
        return error_no_memory(err, n * sizeof *from, "a constant");
    float *to = blob_data(rounded);
    for (size_t i = 0; i < n; i++)
        to[i] = half_to_float(half_from_float(from[i]));
    tensor *t = graph_tensor(g, id);
    blob_unref(&t->data);
    t->data = rounded;
    return PTQ_OK;
}

ptq_status pass_round_half(graph *g, ptq_error *err)
{
    size_t n_nodes = (size_t)graph_n_nodes(g);
    bool *is_tail = mem_array(n_nodes, sizeof *is_tail);
    if (!is_tail)
        return error_no_memory(err, n_nodes, "rounding to float16");
    ptq_status status = graph_mark_tail(g, is_tail, err);
    for (size_t i = 0; i < n_nodes && status == PTQ_OK; i++) {
        node *n = graph_node(g, (node_id)i);
        if (n->op == GRAPH_OP_QUANTIZE_LINEAR)
            n->attr.axis.from_half = !is_tail[i];
        for (int k = 0; !is_tail[i] && k < n->n_inputs && status == PTQ_OK; k++)
            if (n->inputs[k] != TENSOR_NONE)
                status = round_constant(g, n->inputs[k], err);
    }
    mem_free(is_tail);
    return status;
}
