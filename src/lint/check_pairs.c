/* SPDX-License-Identifier: Apache-2.0 */
/* A quantizer and its dequantizer: each needs the other, and both must say the same. */
#include "lint/check.h"

/* ONNX lets some operators compute with integers, such as Add; TensorRT does not. */
static bool takes_codes(const lint *l, const net_node *node)
{
    if (net_is_kind(node, NET_DQ | NET_MOVES | NET_FOREIGN | NET_FUNCTION | NET_SUBGRAPH))
        return true;
    return !is_tensorrt(l) && !net_is_kind(node, NET_WEIGHTED | NET_UNIT);
}

/* The first node that takes codes where it ought to take values; NULL when all is well. */
static const net_node *raw_reader(const lint *l, uint32_t codes)
{
    const net_value *v = codes == NET_NONE ? NULL : &l->net->values[codes];
    for (uint32_t r = 0; v && r < v->n_readers; r++)
        if (!takes_codes(l, &l->net->nodes[v->readers[r]]))
            return &l->net->nodes[v->readers[r]];
    return NULL;
}

static void check_quantizer(lint *l, const quantizer *q)
{
    const net_node *reader = raw_reader(l, q->y);
    if (reader)
        lint_add(l, (lint_place){RULE_QUANTIZE_ALONE, q->node, NULL},
                 "'%s' (%s) reads the codes of this QuantizeLinear as they are", reader->name,
                 reader->op);
}

/* Codes may have been moved since they were made. */
static const quantizer *maker_of(const lint *l, uint32_t codes)
{
    enum { MAX_STEPS = 16 };
    for (int steps = 0; steps < MAX_STEPS; steps++) {
        const net_node *p = net_producer(l->net, codes);
        if (!net_is_kind(p, NET_MOVES))
            return quantizer_at(l, p);
        codes = net_input(p, 0);
    }
    return NULL;
}

static const char *difference(lint *l, const quantizer *q, const quantizer *dq)
{
    if (q->code_type != dq->code_type)
        return "their codes have different types";
    if (quantizer_is_plain(q) && quantizer_is_plain(dq) && q->scales[0] != dq->scales[0])
        return lint_text(l, "scale %g against %g", (double)q->scales[0], (double)dq->scales[0]);
    return q->is_zero != dq->is_zero ? "their zero points differ" : "their scales differ";
}

static void check_dequantizer(lint *l, const quantizer *dq)
{
    if (dq->x == NET_NONE || dq->is_of_constant)
        return;
    const quantizer *q = maker_of(l, dq->x);
    if (!q || !q->is_q)
        lint_add(l, (lint_place){RULE_DEQUANTIZE_ALONE, dq->node, NULL},
                 "'%s' comes from %s, not from a QuantizeLinear", l->net->values[dq->x].name,
                 l->net->values[dq->x].is_input ? "the input of the network" : "another operator");
    else if (q->scale.is_constant && dq->scale.is_constant && !quantizer_same(q, dq))
        lint_add(l, (lint_place){RULE_PAIR_MISMATCH, dq->node, NULL}, "it does not undo '%s': %s",
                 q->node->name, difference(l, q, dq));
}

void check_pairs(lint *l)
{
    for (uint32_t i = 0; i < l->n_quantizers; i++)
        if (l->quantizers[i].is_q)
            check_quantizer(l, &l->quantizers[i]);
        else
            check_dequantizer(l, &l->quantizers[i]);
}
