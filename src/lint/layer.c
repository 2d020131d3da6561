/* SPDX-License-Identifier: Apache-2.0 */
#include "lint/layer.h"

static const quantizer *codes_at(const lint *l, const net_node *node, uint32_t input)
{
    uint32_t v = net_input(node, input);
    return v == NET_NONE || l->codes[v] == NET_NONE ? NULL : &l->quantizers[l->codes[v]];
}

static bool is_constant_input(const lint *l, const net_node *node, uint32_t input)
{
    uint32_t v = net_input(node, input);
    return v != NET_NONE && l->net->values[v].is_constant;
}

layer layer_of(const lint *l, const net_node *node)
{
    layer a = {.node = node, .weight_input = 1};
    if (is_constant_input(l, node, 0) && net_input(node, 1) != NET_NONE &&
        !is_constant_input(l, node, 1)) {
        a.data_input = 1;
        a.weight_input = 0;
    }
    a.has_weight = is_constant_input(l, node, a.weight_input);
    a.data = codes_at(l, node, a.data_input);
    a.weight = codes_at(l, node, a.weight_input);
    a.is_quantized = a.data && a.weight;
    return a;
}

uint32_t silu_of(const net *n, uint32_t x)
{
    const net_value *v = &n->values[x];
    if (v->n_readers != 2 || v->is_output)
        return NET_NONE;
    const net_node *a = &n->nodes[v->readers[0]], *b = &n->nodes[v->readers[1]];
    const net_node *gate = net_is(a, "Sigmoid") || net_is(a, "HardSigmoid") ? a : b;
    const net_node *product = gate == a ? b : a;
    if (!(net_is(gate, "Sigmoid") || net_is(gate, "HardSigmoid")) || !net_is(product, "Mul") ||
        gate->n_outputs < 1 || product->n_outputs < 1 || gate->outputs[0] == NET_NONE)
        return NET_NONE;
    bool takes_gate =
        net_input(product, 0) == gate->outputs[0] || net_input(product, 1) == gate->outputs[0];
    return takes_gate && n->values[gate->outputs[0]].n_readers == 1 ? product->outputs[0]
                                                                    : NET_NONE;
}

static uint32_t only_output(const net_node *node)
{
    return node->n_outputs >= 1 ? node->outputs[0] : NET_NONE;
}

static bool is_residual_add(const net *n, const net_node *node)
{
    uint32_t a = net_input(node, 0), b = net_input(node, 1);
    return net_is(node, "Add") && a != NET_NONE && b != NET_NONE && a != b &&
           !n->values[a].is_constant && !n->values[b].is_constant;
}

uint32_t layer_end(const lint *l, const net_node *node, const net_node **add)
{
    enum { MAX_STEPS = 8 };
    const net *n = l->net;
    uint32_t at = only_output(node);
    *add = NULL;
    for (int steps = 0; steps < MAX_STEPS && at != NET_NONE; steps++) {
        const net_value *v = &n->values[at];
        uint32_t next = silu_of(n, at);
        const net_node *reader =
            v->n_readers == 1 && !v->is_output ? &n->nodes[v->readers[0]] : NULL;
        if (next == NET_NONE && reader && !*add && is_residual_add(n, reader)) {
            *add = reader;
            next = only_output(reader);
        } else if (next == NET_NONE && reader &&
                   (net_is(reader, "BatchNormalization") || net_is_kind(reader, NET_ACTIVATION))) {
            next = only_output(reader);
        }
        if (next == NET_NONE)
            break;
        at = next;
    }
    return at;
}

bool layer_channels(const lint *l, const layer *a, channels *out)
{
    uint32_t w = net_input(a->node, a->weight_input);
    w = w == NET_NONE ? NET_NONE : net_constant_behind(l->net, w);
    if (w == NET_NONE || !l->net->values[w].has_shape || l->net->values[w].shape.rank != 4 ||
        !net_is_kind(a->node, NET_CONV))
        return false;
    const int64_t *dim = l->net->values[w].shape.dim;
    int64_t groups = net_attr_int(a->node, "group", 1);
    if (groups < 1 || groups > (1 << 20) || dim[0] > (1 << 20) || dim[1] > (1 << 20))
        return false;
    bool is_transposed = net_is(a->node, "ConvTranspose");
    *out = (channels){.in = is_transposed ? dim[0] : dim[1] * groups,
                      .out = is_transposed ? dim[1] * groups : dim[0],
                      .groups = groups,
                      .kernel = {dim[2], dim[3]}};
    return true;
}
