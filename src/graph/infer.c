/* SPDX-License-Identifier: Apache-2.0 */
/* Shape inference: walks the nodes in execution order. The rules per operator are in
 * infer_rules.c. Spec: ONNX operator definitions; spec model.md §3 for the YOLO operators. */
#include <inttypes.h>
#include <string.h>

#include "graph/graph.h"
#include "graph/graph_impl.h"
#include "graph/infer_rules.h"
#include "graph/op_table.h"

bool const_ints(const graph *g, tensor_id id, int64_t values[SHAPE_MAX_RANK], int *n)
{
    if (!graph_is_const(g, id))
        return false;
    const tensor *t = &g->tensors[id];
    size_t count;
    if (!shape_count(&t->shape, &count) || count > SHAPE_MAX_RANK)
        return false;
    *n = (int)count;
    for (int i = 0; i < *n; i++) {
        if (t->type == DTYPE_I64)
            values[i] = ((const int64_t *)blob_data(t->data))[i];
        else if (t->type == DTYPE_I32)
            values[i] = ((const int32_t *)blob_data(t->data))[i];
        else
            return false;
    }
    return true;
}

bool node_inputs_known(const graph *g, node_id id)
{
    const node *n = &g->nodes[id];
    for (int i = 0; i < n->n_inputs; i++)
        if (n->inputs[i] != TENSOR_NONE && !shape_known(&g->tensors[n->inputs[i]].shape))
            return false;
    return true;
}

ptq_status node_infer(graph *g, node_id id, ptq_error *err)
{
    const node *n = &g->nodes[id];
    infer_out out = {.n = n->n_outputs};
    if (out.n > INFER_MAX_OUTPUTS)
        return error_set(err, PTQ_UNSUPPORTED, "node '%s' (%s) has %d outputs; at most %d", n->name,
                         graph_op_name(n->op), out.n, INFER_MAX_OUTPUTS);
    for (int i = 0; i < out.n; i++)
        out.type[i] = n->inputs[0] == TENSOR_NONE ? DTYPE_F32 : g->tensors[n->inputs[0]].type;
    ptq_status status = infer_apply(g, n, &out, err);
    if (status != PTQ_OK) {
        error_context(err, "node '%s' (%s)", n->name, graph_op_name(n->op));
        return status;
    }
    for (int i = 0; i < out.n; i++) {
        tensor *t = &g->tensors[n->outputs[i]];
        size_t count;
        if (!shape_count(&out.shape[i], &count))
            return error_set(err, PTQ_SHAPE, "node '%s' (%s) makes a tensor of impossible size",
                             n->name, graph_op_name(n->op));
        t->shape = out.shape[i];
        t->type = out.type[i];
    }
    return PTQ_OK;
}

ptq_status graph_infer_shapes(graph *g, ptq_error *err)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (!g->nodes[i].is_dead)
            PTQ_TRY(node_infer(g, (node_id)i, err));
    return PTQ_OK;
}

ptq_status graph_set_input_shape(graph *g, const shape *s, ptq_error *err)
{
    if (g->n_inputs < 1)
        return error_set(err, PTQ_FORMAT, "the graph has no input");
    tensor *t = &g->tensors[g->inputs[0]];
    char want[128], got[128];
    bool fits = t->is_dynamic || shape_equal(&t->shape, s);
    if (!fits || s->rank != t->shape.rank)
        return error_set(err, PTQ_SHAPE, "input '%s' has the fixed shape %s, not %s", t->name,
                         shape_text(&t->shape, want), shape_text(s, got));
    t->shape = *s;
    return graph_infer_shapes(g, err);
}
