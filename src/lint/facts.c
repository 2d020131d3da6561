/* SPDX-License-Identifier: Apache-2.0 */
/* What is true of each value, found once in execution order and back. */
#include "lint/flow.h"

static ptq_status read_quantizers(lint *l, arena *a, ptq_error *err)
{
    const net *n = l->net;
    l->quantizer_of = arena_alloc(a, n->n_nodes, sizeof *l->quantizer_of);
    l->quantizers = arena_alloc(a, n->n_nodes, sizeof *l->quantizers);
    if (!l->quantizer_of || !l->quantizers)
        return error_no_memory(err, n->n_nodes * sizeof *l->quantizers, "quantizers");
    for (uint32_t i = 0; i < n->n_nodes; i++) {
        l->quantizer_of[i] = NET_NONE;
        if (!net_is_kind(&n->nodes[i], NET_Q | NET_DQ))
            continue;
        l->quantizer_of[i] = l->n_quantizers;
        PTQ_TRY(quantizer_read(n, &n->nodes[i], a, &l->quantizers[l->n_quantizers++], err));
    }
    return PTQ_OK;
}

/* The dequantizer whose codes a moved value still carries: the same for all that meet, or none. */
static uint32_t moved_codes(const lint *l, const net_node *node)
{
    uint32_t n_data = node->kind & NET_DATA_ONLY ? 1 : node->n_inputs, common = NET_NONE;
    for (uint32_t i = 0; i < n_data && i < node->n_inputs; i++) {
        uint32_t codes = node->inputs[i] == NET_NONE ? NET_NONE : l->codes[node->inputs[i]];
        if (codes == NET_NONE)
            return NET_NONE;
        if (common != NET_NONE && !quantizer_same(&l->quantizers[common], &l->quantizers[codes]))
            return NET_NONE;
        common = common == NET_NONE ? codes : common;
    }
    return common != NET_NONE && l->quantizers[common].scale.count == 1 ? common : NET_NONE;
}

static void pass_down(lint *l, const net_node *node)
{
    uint32_t codes = NET_NONE;
    bool is_below = net_is_kind(node, NET_WEIGHTED);
    for (uint32_t i = 0; i < node->n_inputs; i++)
        is_below = is_below || (node->inputs[i] != NET_NONE && l->below_weights[node->inputs[i]]);
    if (net_is_kind(node, NET_DQ))
        codes = l->quantizer_of[net_index(l->net, node)];
    else if (net_is_kind(node, NET_MOVES))
        codes = moved_codes(l, node);
    for (uint32_t k = 0; k < node->n_outputs; k++)
        if (node->outputs[k] != NET_NONE) {
            l->codes[node->outputs[k]] = codes;
            l->below_weights[node->outputs[k]] = is_below;
        }
}

static void pass_up(lint *l, const net_node *node)
{
    bool is_above = net_is_kind(node, NET_WEIGHTED);
    for (uint32_t k = 0; k < node->n_outputs; k++)
        is_above = is_above || (node->outputs[k] != NET_NONE && l->above_weights[node->outputs[k]]);
    for (uint32_t i = 0; is_above && i < node->n_inputs; i++)
        if (node->inputs[i] != NET_NONE)
            l->above_weights[node->inputs[i]] = true;
}

ptq_status lint_find_facts(lint *l, ptq_error *err)
{
    const net *n = l->net;
    arena *a = n->file.arena;
    PTQ_TRY(read_quantizers(l, a, err));
    l->codes = arena_alloc(a, n->n_values, sizeof *l->codes);
    l->below_weights = arena_alloc(a, n->n_values, sizeof *l->below_weights);
    l->above_weights = arena_alloc(a, n->n_values, sizeof *l->above_weights);
    l->demands = arena_alloc(a, n->n_values, sizeof *l->demands);
    if (!l->codes || !l->below_weights || !l->above_weights || !l->demands)
        return error_no_memory(err, n->n_values, "values");
    for (uint32_t v = 0; v < n->n_values; v++)
        l->codes[v] = NET_NONE;
    for (uint32_t at = 0; at < n->n_nodes; at++)
        pass_down(l, &n->nodes[n->order[at]]);
    for (uint32_t at = n->n_nodes; at-- > 0;)
        pass_up(l, &n->nodes[n->order[at]]);
    flow_find(l, l->demands);
    return PTQ_OK;
}
