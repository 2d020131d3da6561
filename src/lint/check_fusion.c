/* SPDX-License-Identifier: Apache-2.0 */
/* TensorRT fuses Conv + BatchNorm + activation (+ residual Add) into one kernel, and the quantizer
 * behind it. What stands in between ends the fusion (spec algorithms.md §4.3, 2 to 4). */
#include "lint/layer.h"

/* ---- a quantizer inside the epilogue ---- */

static bool is_epilogue(const net *n, const net_node *node, uint32_t x)
{
    if (net_is(node, "BatchNormalization") || net_is_kind(node, NET_ACTIVATION))
        return true;
    uint32_t a = net_input(node, 0), b = net_input(node, 1);
    uint32_t other = a == x ? b : a;
    bool is_binary = net_is(node, "Add") || net_is(node, "Mul");
    return is_binary && other != NET_NONE && !n->values[other].is_constant;
}

/* What would be fused to the layer whose result is quantized here; NULL: nothing. */
static const net_node *split_off(const lint *l, const quantizer *q)
{
    const net *n = l->net;
    const net_value *codes = q->y == NET_NONE ? NULL : &n->values[q->y];
    for (uint32_t r = 0; codes && r < codes->n_readers; r++) {
        const quantizer *dq = quantizer_at(l, &n->nodes[codes->readers[r]]);
        const net_value *v = dq && !dq->is_q && dq->y != NET_NONE ? &n->values[dq->y] : NULL;
        for (uint32_t k = 0; v && k < v->n_readers; k++)
            if (is_epilogue(n, &n->nodes[v->readers[k]], dq->y))
                return &n->nodes[v->readers[k]];
    }
    return NULL;
}

/* Conv, or Conv and its BatchNormalization, or the Sigmoid inside a SiLU. */
static const net_node *layer_before(const net *n, uint32_t x)
{
    const net_node *p = net_producer(n, x);
    if (net_is(p, "BatchNormalization") || net_is(p, "Sigmoid"))
        p = net_producer(n, net_input(p, 0));
    return net_is_kind(p, NET_WEIGHTED) ? p : NULL;
}

static void check_split(lint *l, const quantizer *q)
{
    const net_node *before = q->x == NET_NONE ? NULL : layer_before(l->net, q->x);
    const net_node *after = before ? split_off(l, q) : NULL;
    if (!after)
        return;
    lint_add(l, (lint_place){RULE_SPLITS_FUSION, q->node, NULL},
             "the result of '%s' is quantized before '%s' (%s), which TensorRT would fuse into it",
             before->name, after->name, after->op);
}

/* ---- the residual input of an Add ---- */

/* The value before a pair of Q and DQ. */
static uint32_t unquantized(const lint *l, uint32_t value)
{
    const quantizer *dq = quantizer_at(l, net_producer(l->net, value));
    const quantizer *q = dq && !dq->is_q ? quantizer_at(l, net_producer(l->net, dq->x)) : NULL;
    return q && q->is_q && q->x != NET_NONE ? q->x : value;
}

/* The layer whose result, through its epilogue, a value is. */
static const net_node *branch_layer(const lint *l, uint32_t value)
{
    enum { MAX_STEPS = 4 };
    const net *n = l->net;
    const net_node *p = net_producer(n, value);
    for (int steps = 0; steps < MAX_STEPS && p && !net_is_kind(p, NET_WEIGHTED); steps++) {
        bool is_silu = net_is(p, "Mul") && net_input(p, 0) != NET_NONE &&
                       (silu_of(n, net_input(p, 0)) == value ||
                        (net_input(p, 1) != NET_NONE && silu_of(n, net_input(p, 1)) == value));
        if (!is_silu && !net_is(p, "BatchNormalization") && !net_is_kind(p, NET_ACTIVATION))
            return NULL;
        bool first_is_gate = is_silu && net_is(net_producer(n, net_input(p, 0)), "Sigmoid");
        p = net_producer(n, net_input(p, first_is_gate ? 1 : 0));
    }
    return net_is_kind(p, NET_WEIGHTED) ? p : NULL;
}

/* Whether `value` is computed from `ancestor` along first inputs. */
static bool comes_from(const net *n, uint32_t value, uint32_t ancestor)
{
    enum { MAX_BRANCH = 96 };
    for (int i = 0; i < MAX_BRANCH && value != NET_NONE; i++) {
        if (value == ancestor)
            return true;
        const net_node *p = net_producer(n, value);
        value = p ? net_input(p, 0) : NET_NONE;
    }
    return false;
}

/* Which input of the Add is the identity of a residual block; 2: none of them, or not told. */
static uint32_t identity_input(const lint *l, uint32_t a, uint32_t b)
{
    const net_node *layer_a = branch_layer(l, a), *layer_b = branch_layer(l, b);
    if (layer_b && comes_from(l->net, b, a))
        return 0;
    if (layer_a && comes_from(l->net, a, b))
        return 1;
    if (layer_a && layer_b) /* two branches with layers: either may be fused with the Add */
        return 0;
    return layer_a ? 1 : layer_b ? 0 : 2;
}

static bool is_read_as_codes(const lint *l, uint32_t value)
{
    const net_value *v = &l->net->values[value];
    for (uint32_t r = 0; r < v->n_readers; r++)
        if (net_is_kind(&l->net->nodes[v->readers[r]], NET_Q))
            return true;
    return false;
}

static void check_residual(lint *l, const net_node *add)
{
    uint32_t in[2] = {net_input(add, 0), net_input(add, 1)};
    if (!net_is(add, "Add") || in[0] == NET_NONE || in[1] == NET_NONE || in[0] == in[1] ||
        l->net->values[in[0]].is_constant || l->net->values[in[1]].is_constant ||
        add->n_outputs < 1 || add->outputs[0] == NET_NONE || !is_read_as_codes(l, add->outputs[0]))
        return;
    uint32_t base[2] = {unquantized(l, in[0]), unquantized(l, in[1])};
    uint32_t identity = identity_input(l, base[0], base[1]);
    if (identity > 1)
        return;
    const net_node *branch = branch_layer(l, base[1 - identity]);
    bool has_codes = l->codes[in[0]] != NET_NONE || l->codes[in[1]] != NET_NONE;
    if (!branch || has_codes || !layer_of(l, branch).is_quantized)
        return;
    lint_add(l,
             (lint_place){RULE_RESIDUAL_NOT_QUANTIZED, add,
                          lint_text(l,
                                    "quantize with --residual (on by default for the tensorrt "
                                    "targets), or by hand custom_quant_modules: [{op: Add, "
                                    "inputs: [%u]}]",
                                    identity)},
             "'%s' comes in float: '%s' and this Add are fused to a kernel that writes float, and "
             "the quantizer behind it becomes one of its own",
             l->net->values[in[identity]].name, branch->name);
}

/* ---- casts ---- */

/* Between float types, and of what the network computes: its input may come in another type. */
static bool is_float_cast(const net *n, const net_node *node)
{
    uint32_t x = node ? net_input(node, 0) : NET_NONE;
    return net_is(node, "Cast") && x != NET_NONE && !n->values[x].is_input &&
           net_type_is_float(n->values[x].type) &&
           net_type_is_float((int)net_attr_int(node, "to", 0));
}

static void check_cast(lint *l, const quantizer *q)
{
    const net *n = l->net;
    if (q->is_of_constant || q->x == NET_NONE || q->y == NET_NONE)
        return;
    const net_node *cast = q->is_q ? net_producer(n, q->x) : NULL;
    for (uint32_t r = 0; !q->is_q && !cast && r < n->values[q->y].n_readers; r++)
        if (is_float_cast(n, &n->nodes[n->values[q->y].readers[r]]))
            cast = &n->nodes[n->values[q->y].readers[r]];
    if (is_float_cast(n, cast))
        lint_add(l, (lint_place){RULE_CAST_AT_QUANTIZER, q->node, NULL},
                 "'%s' (Cast) stands between it and the layer, and keeps them from being fused",
                 cast->name);
}

void check_fusion(lint *l)
{
    for (uint32_t i = 0; i < l->n_quantizers; i++) {
        if (l->quantizers[i].is_q)
            check_split(l, &l->quantizers[i]);
        check_cast(l, &l->quantizers[i]);
    }
    for (uint32_t i = 0; i < l->net->n_nodes; i++)
        check_residual(l, &l->net->nodes[i]);
}
