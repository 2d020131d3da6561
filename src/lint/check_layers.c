/* SPDX-License-Identifier: Apache-2.0 */
/* A layer computes in int8 when both its inputs come as codes. */
#include "lint/layer.h"

/* After NVIDIA's Model-Optimizer, which leaves such convolutions in 16 bit (spec algorithms.md
 * §4.3, 10): below 16 channels int8 pays only in these shapes. */
static bool pays_in_int8(const channels *c, bool is_first)
{
    if (c->in >= 16 && c->out >= 16)
        return true;
    if (c->groups > 1)
        return c->out % 8 == 0 && c->kernel[0] >= 3 && c->kernel[1] >= 3;
    return (c->out % 8 == 0 || c->in % 8 == 0) && (is_first || c->in >= 16 || c->out >= 16) &&
           c->kernel[0] == c->kernel[1];
}

static void check_channels(lint *l, const layer *a)
{
    channels c;
    uint32_t x = net_input(a->node, a->data_input);
    bool is_first = x != NET_NONE && !l->below_weights[x];
    if (a->is_quantized && layer_channels(l, a, &c) && !pays_in_int8(&c, is_first))
        lint_add(l,
                 (lint_place){RULE_FEW_CHANNELS, a->node,
                              lint_layer_line(l, a->node->name, "disabled: true")},
                 "%lld input and %lld output channels, %lld groups", (long long)c.in,
                 (long long)c.out, (long long)c.groups);
}

/* Weights of less than 8 bits before float activations are meant so: they save memory. */
static void check_weight(lint *l, const layer *a)
{
    const net_node *node = a->node;
    uint32_t w = net_input(node, a->weight_input);
    const char *line = lint_layer_line(l, node->name, "disabled: true");
    bool is_product = net_is(node, "MatMul") || net_is(node, "Gemm");
    if (a->weight && !a->has_weight && !is_product)
        lint_add(l, (lint_place){RULE_WEIGHT_NOT_CONSTANT, node, NULL},
                 "the weight '%s' of this %s is quantized and computed by the network",
                 l->net->values[w].name, node->op);
    else if (a->data && !a->weight && w != NET_NONE)
        lint_add(l, (lint_place){RULE_WEIGHT_NOT_QUANTIZED, node, line},
                 "its input comes as int8 and its weight '%s' in float: the layer runs in float, "
                 "and the quantizer costs time and accuracy for nothing",
                 l->net->values[w].name);
    else if (a->weight && !a->data && a->has_weight && a->weight->code_type <= TYPE_INT8)
        lint_add(l, (lint_place){RULE_INPUT_NOT_QUANTIZED, node, line},
                 "its weight is quantized and its input '%s' is not: the layer runs in float",
                 l->net->values[net_input(node, a->data_input)].name);
}

void check_layers(lint *l)
{
    for (uint32_t i = 0; i < l->net->n_nodes; i++) {
        const net_node *node = &l->net->nodes[i];
        if (!net_is_kind(node, NET_WEIGHTED) || net_input(node, 0) == NET_NONE)
            continue;
        layer a = layer_of(l, node);
        if (l->net->values[net_input(node, a.data_input)].is_constant)
            continue;
        check_weight(l, &a);
        check_channels(l, &a);
    }
}
