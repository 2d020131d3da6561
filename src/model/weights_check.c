/* SPDX-License-Identifier: Apache-2.0 */
#include "model/weights_check.h"

#include <math.h>

static bool is_weighted(graph_op op)
{
    return op == GRAPH_OP_CONV || op == GRAPH_OP_CONV_TRANSPOSE || op == GRAPH_OP_GEMM ||
           op == GRAPH_OP_MATMUL || op == GRAPH_OP_BATCH_NORM;
}

static bool is_quantizer(graph_op op)
{
    return op == GRAPH_OP_QUANTIZE_LINEAR || op == GRAPH_OP_DEQUANTIZE_LINEAR;
}

/* Only float32: the doors into the graph have converted everything else. */
static const float *floats(const graph *g, tensor_id id, size_t *count)
{
    if (!graph_is_const(g, id))
        return NULL;
    const tensor *t = graph_tensor_const(g, id);
    return t->type == DTYPE_F32 && shape_count(&t->shape, count) ? blob_data(t->data) : NULL;
}

static ptq_status check_node(const graph *g, const node *n, ptq_error *err)
{
    bool quantizer = is_quantizer(n->op);
    for (int i = quantizer; i < (quantizer ? 2 : n->n_inputs); i++) {
        size_t count;
        const float *values = floats(g, n->inputs[i], &count);
        const char *name = values ? graph_tensor_const(g, n->inputs[i])->name : "";
        for (size_t j = 0; values && j < count; j++) {
            if (!isfinite(values[j]))
                return error_set(err, PTQ_FORMAT, "tensor '%s' of node '%s' holds %g at index %zu",
                                 name, n->name, (double)values[j], j);
            if (quantizer && values[j] <= 0)
                return error_set(err, PTQ_FORMAT,
                                 "scale '%s' of node '%s' is %g at index %zu; scales are positive",
                                 name, n->name, (double)values[j], j);
        }
    }
    return PTQ_OK;
}

ptq_status weights_check(const graph *g, ptq_error *err)
{
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        if (!n->is_dead && (is_weighted(n->op) || is_quantizer(n->op)))
            PTQ_TRY(check_node(g, n, err));
    }
    return PTQ_OK;
}
