/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a detector: what lies behind the last layers with weights is the decode, and has to
 * stay float (spec algorithms.md §4.3, 11). */
#include "lint/layer.h"

/* ---- boxes and scores ---- */

/* A scale that leaves less than half of int8's codes to values between 0 and 1 says that something
 * larger shares it. */
#define SCORE_SCALE (2.0f / 127)

enum { MAX_STEPS = 256, MAX_PARTS = 64 };

/* What is still to be looked at, walking from a value to what it is made of. */
typedef struct walk {
    uint32_t values[MAX_STEPS];
    int n, seen;
} walk;

static void push(walk *w, uint32_t value)
{
    if (value != NET_NONE && w->n < MAX_STEPS)
        w->values[w->n++] = value;
}

/* What a node passes on unchanged, or multiplies: then its results are between 0 and 1 when all of
 * that is. false: neither. */
static bool push_parts(walk *w, const net *n, const net_node *p)
{
    uint32_t n_parts = net_is(p, "Concat") ? p->n_inputs : 1;
    bool is_product = net_is(p, "Mul");
    if (!is_product && !net_is_kind(p, NET_MOVES | NET_Q | NET_DQ))
        return false;
    if (is_product)
        n_parts = 2;
    for (uint32_t i = 0; i < n_parts; i++) {
        uint32_t part = net_input(p, i);
        if (part == NET_NONE || (is_product && n->values[part].is_constant))
            return false;
        push(w, part);
    }
    return true;
}

/* Between 0 and 1 by its making: a Sigmoid or Softmax, such values moved, or multiplied. */
static bool is_score(const net *n, uint32_t value)
{
    walk w = {.n = 0};
    push(&w, value);
    for (; w.n > 0 && w.seen < MAX_STEPS; w.seen++) {
        const net_node *p = net_producer(n, w.values[--w.n]);
        if (!net_is_kind(p, NET_UNIT) && !push_parts(&w, n, p))
            return false;
    }
    return w.n == 0;
}

/* A Concat of scores and something else. */
static bool is_mixed(const net *n, const net_node *concat)
{
    uint32_t n_scores = 0, n_inputs = 0;
    for (uint32_t i = 0; i < concat->n_inputs && i < MAX_PARTS; i++) {
        uint32_t part = concat->inputs[i];
        bool is_given = part != NET_NONE && !n->values[part].is_constant;
        n_inputs += is_given;
        n_scores += is_given && is_score(n, part);
    }
    return n_scores > 0 && n_scores < n_inputs;
}

/* The Concat behind a value where scores meet something else, through data movement; NULL. */
static const net_node *mixing_concat(const net *n, uint32_t value)
{
    for (int steps = 0; steps < 16; steps++) {
        const net_node *p = net_producer(n, value);
        if (net_is(p, "Concat") && is_mixed(n, p))
            return p;
        if (!net_is_kind(p, NET_MOVES))
            return NULL;
        value = net_input(p, 0);
    }
    return NULL;
}

static void check_mixed(lint *l, const quantizer *q)
{
    if (!q->is_q || q->x == NET_NONE || !quantizer_is_plain(q) || l->above_weights[q->x] ||
        !(q->scales[0] > SCORE_SCALE))
        return;
    const net_node *concat = mixing_concat(l->net, q->x);
    float half = q->scales[0] / 2;
    if (!concat)
        return;
    lint_add(l, (lint_place){RULE_BOXES_AND_SCORES, q->node, NULL},
             "'%s' joins boxes and scores, and one scale of %g covers both: every score below %.3g "
             "becomes code 0%s",
             concat->name, (double)q->scales[0], (double)half,
             half >= 1 ? ", so that every confidence is lost" : "");
}

/* ---- quantizers behind the last layer, and output layers that are quantized ---- */

static void check_decode(lint *l, const quantizer *q)
{
    if (q->is_q && q->x != NET_NONE && l->below_weights[q->x] && !l->above_weights[q->x])
        lint_add(l, (lint_place){RULE_QUANTIZED_DECODE, q->node, NULL},
                 "no layer with weights reads '%s': rounding it costs accuracy and saves nothing",
                 l->net->values[q->x].name);
}

static void check_output_layer(lint *l, const net_node *node)
{
    uint32_t x = net_input(node, 0), y = node->n_outputs ? node->outputs[0] : NET_NONE;
    bool is_head = net_is_kind(node, NET_CONV) && x != NET_NONE && y != NET_NONE &&
                   l->below_weights[x] && !l->above_weights[y];
    if (is_head && layer_of(l, node).is_quantized)
        lint_add(l,
                 (lint_place){RULE_QUANTIZED_HEAD, node,
                              lint_layer_line(l, node->name, "disabled: true")},
                 "'%s' is an output layer: it is small, and its error goes straight into the boxes",
                 node->name);
}

void check_head(lint *l)
{
    for (uint32_t i = 0; i < l->n_quantizers; i++) {
        check_mixed(l, &l->quantizers[i]);
        check_decode(l, &l->quantizers[i]);
    }
    for (uint32_t i = 0; i < l->net->n_nodes; i++)
        check_output_layer(l, &l->net->nodes[i]);
}
