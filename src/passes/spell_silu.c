/* SPDX-License-Identifier: Apache-2.0 */
/* x * sigmoid(x) on codes: runtimes have Sigmoid and Mul on codes, but no Silu. The sigmoid's codes
 * are steps of 1/255. */
#include <string.h>

#include "passes/passes.h"
#include "passes/qnode.h"
#include "passes/rewrite.h"

static bool is_between_codes(const graph *g, const node *n)
{
    node_id reader = sole_consumer(g, n->outputs[0]);
    return producer_if(g, n->inputs[0], GRAPH_OP_DEQUANTIZE_LINEAR) != NODE_NONE &&
           reader != NODE_NONE && graph_node_const(g, reader)->op == GRAPH_OP_QUANTIZE_LINEAR;
}

static ptq_status add_constants(graph *g, const char *base, qnode *q, ptq_error *err)
{
    const char *scale_name = name_with_suffix(g, base, ".value_scale");
    const char *zero_name = name_with_suffix(g, base, ".value_zero");
    const shape scalar = {.rank = 0};
    const float step = 1.0f / 255;
    const uint8_t zero = 0;
    if (!scale_name || !zero_name)
        return error_no_memory(err, strlen(base), "a name");
    *q = (qnode){.n_scales = 1, .axis = -1, .code_type = DTYPE_U8};
    PTQ_TRY(graph_add_const_copy(g, scale_name, DTYPE_F32, &scalar, &step, &q->scale_id, err));
    PTQ_TRY(graph_add_const_copy(g, zero_name, DTYPE_U8, &scalar, &zero, &q->zero_id, err));
    q->scale = blob_data(graph_tensor_const(g, q->scale_id)->data);
    return PTQ_OK;
}

static ptq_status add_pair(graph *g, const char *base, tensor_id *x, ptq_error *err)
{
    qnode q;
    const char *quantize = name_with_suffix(g, base, ".value_quantize");
    const char *dequantize = name_with_suffix(g, base, ".value_dequantize");
    if (!quantize || !dequantize)
        return error_no_memory(err, strlen(base), "a name");
    PTQ_TRY(add_constants(g, base, &q, err));
    PTQ_TRY(qnode_add(g, &(qnode_desc){GRAPH_OP_QUANTIZE_LINEAR, *x, &q, quantize, base, "_q"}, x,
                      err));
    return qnode_add(g, &(qnode_desc){GRAPH_OP_DEQUANTIZE_LINEAR, *x, &q, dequantize, base, "_dq"},
                     x, err);
}

static ptq_status spell(graph *g, node_id id, ptq_error *err)
{
    node mul = *graph_node_const(g, id);
    tensor_id inputs[2] = {mul.inputs[0], TENSOR_NONE};
    const char *name = name_with_suffix(g, mul.name, "/sigmoid");
    if (!name)
        return error_no_memory(err, strlen(mul.name), "a name");
    PTQ_TRY(graph_add_op(g, GRAPH_OP_SIGMOID, name, 1, inputs, NULL, NULL, &inputs[1], err));
    PTQ_TRY(add_pair(g, name, &inputs[1], err));
    mul.op = GRAPH_OP_MUL;
    mul.n_inputs = 2;
    mul.inputs = inputs;
    return node_replace(g, id, &mul, err);
}

ptq_status pass_spell_silu(graph *g, ptq_error *err)
{
    int n = graph_n_nodes(g);
    for (int i = 0; i < n; i++) {
        const node *s = graph_node_const(g, (node_id)i);
        if (!s->is_dead && s->op == GRAPH_OP_SILU && is_between_codes(g, s))
            PTQ_TRY(spell(g, (node_id)i, err));
    }
    return graph_tidy(g, err);
}
