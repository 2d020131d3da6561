/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/default_map.h"

int default_map_weight_axis(const graph *g, const node *n)
{
    switch (n->op) {
    case GRAPH_OP_CONV_TRANSPOSE:
        return 1;
    case GRAPH_OP_GEMM:
        return n->attr.gemm.trans_b ? 0 : 1;
    case GRAPH_OP_MATMUL:
        return graph_tensor_const(g, n->inputs[1])->shape.rank - 1;
    default:
        return 0;
    }
}

bool default_map_has_weight(graph_op op)
{
    return op == GRAPH_OP_CONV || op == GRAPH_OP_CONV_TRANSPOSE || op == GRAPH_OP_GEMM ||
           op == GRAPH_OP_MATMUL;
}

bool default_map_has(const graph *g, const node *n)
{
    if (n->op == GRAPH_OP_AVERAGE_POOL || n->op == GRAPH_OP_GLOBAL_AVERAGE_POOL)
        return !graph_is_const(g, n->inputs[0]);
    if (!default_map_has_weight(n->op) || graph_is_const(g, n->inputs[0]) ||
        !graph_is_const(g, n->inputs[1]))
        return false;
    const tensor *weight = graph_tensor_const(g, n->inputs[1]);
    return weight->type == DTYPE_F32 && weight->shape.rank >= 2;
}
