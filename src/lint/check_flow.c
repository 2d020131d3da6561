/* SPDX-License-Identifier: Apache-2.0 */
/* Where one tensor has to exist in two forms: codes of two scales (a requantization stays), or
 * codes and float values (a reformat). Spec algorithms.md §4.3, 7 and 8. */
#include "lint/flow.h"
#include "lint/layer.h"

static const char *scale_words(lint *l, const quantizer *q)
{
    return quantizer_is_plain(q) ? lint_text(l, "%.6g", (double)q->scales[0]) : "not known";
}

static const char *reader_words(lint *l, const quantizer *q)
{
    return q->layer ? lint_text(l, "'%s'", q->layer->name) : lint_text(l, "'%s'", q->node->name);
}

/* By how much the ranges differ decides whether sharing is cheap. */
static const char *ratio_words(lint *l, const quantizer *a, const quantizer *b)
{
    if (!quantizer_is_plain(a) || !quantizer_is_plain(b) || !(a->scales[0] > 0) ||
        !(b->scales[0] > 0))
        return "";
    float ratio =
        a->scales[0] > b->scales[0] ? a->scales[0] / b->scales[0] : b->scales[0] / a->scales[0];
    return lint_text(l, " (%.2f times)", (double)ratio);
}

static const net_node *concat_of(const net_node *way, const net_node *other_way)
{
    return net_is(way, "Concat") ? way : net_is(other_way, "Concat") ? other_way : NULL;
}

static bool is_layer_input(const quantizer *q)
{
    return q->layer && q->layer_input == 0 && quantizer_is_plain(q);
}

/* One range for both, the larger; NULL where quant.yaml has no name for one of them. */
static const char *one_range(lint *l, const quantizer *a, const quantizer *b)
{
    if (!is_layer_input(a) || !is_layer_input(b) || a->layer == b->layer)
        return NULL;
    float scale = a->scales[0] > b->scales[0] ? a->scales[0] : b->scales[0];
    return lint_text(l,
                     "share one scale: --share-scales; where that is on already, fix one range: "
                     "layers: [{match: '%s', input: {amax: %.6g}}, {match: '%s', input: {amax: "
                     "%.6g}}]",
                     lint_pattern(l, a->layer->name), (double)(127 * scale),
                     lint_pattern(l, b->layer->name), (double)(127 * scale));
}

/* `value` is wanted, or comes, as codes of `a` and of `b`. */
static void add_clash(lint *l, uint32_t value, const net_node *concat, const quantizer *a,
                      const quantizer *b)
{
    const net_node *producer = net_producer(l->net, value);
    lint_place place = {concat ? RULE_CONCAT_SCALE_CLASH : RULE_REQUANTIZE,
                        concat     ? concat
                        : producer ? producer
                                   : b->node,
                        one_range(l, a, b)};
    lint_add(l, place,
             "'%s' has scale %s for %s and scale %s for %s%s: the codes of one are computed again "
             "from the other",
             l->net->values[value].name, scale_words(l, a), reader_words(l, a), scale_words(l, b),
             reader_words(l, b), ratio_words(l, a, b));
}

static const char *node_words(lint *l, const net_node *node)
{
    return node ? lint_text(l, "'%s' (%s)", node->name, node->op) : "the output of the network";
}

/* Written in one form and converted to the other. */
static void add_reformat(lint *l, uint32_t value, const demand *d)
{
    const net_node *wants_codes = d->first->layer, *wants_float = d->float_reader;
    const char *fix = NULL;
    if (wants_codes)
        fix = lint_text(l, "%s%skeep '%s' float: %s",
                        wants_float ? lint_text(l, "quantize '%s' too", wants_float->name) : "",
                        wants_float ? ", or " : "", wants_codes->name,
                        lint_layer_line(l, wants_codes->name, "disabled: true"));
    lint_add(l, (lint_place){RULE_REFORMAT, net_producer(l->net, value), fix},
             "'%s' is wanted as int8 by %s and in float by %s: it is written once and converted",
             l->net->values[value].name, reader_words(l, d->first), node_words(l, wants_float));
}

/* Results and inputs of the network; what dequantizers make is looked at by check_arrival(). */
static void check_value(lint *l, uint32_t value, const demand *d)
{
    const net_value *v = &l->net->values[value];
    if (v->is_constant || net_is_kind(net_producer(l->net, value), NET_DQ | NET_Q))
        return;
    if (d->first && d->other)
        add_clash(l, value, concat_of(d->first_way, d->other_way), d->first, d->other);
    if (d->first && d->in_float && !v->is_input)
        add_reformat(l, value, d);
}

/* Codes that arrive with one scale and leave, after data movement, with another. */
static void check_arrival(lint *l, const quantizer *dq)
{
    const demand *wants = &l->demands[dq->y];
    if (!wants->first || dq->is_of_constant)
        return;
    if (!quantizer_same(dq, wants->first))
        add_clash(l, dq->y, concat_of(wants->first_way, NULL), dq, wants->first);
    else if (wants->other)
        add_clash(l, dq->y, concat_of(wants->other_way, NULL), dq, wants->other);
}

void check_flow(lint *l)
{
    for (uint32_t v = 0; v < l->net->n_values; v++)
        check_value(l, v, &l->demands[v]);
    for (uint32_t i = 0; i < l->n_quantizers; i++)
        if (!l->quantizers[i].is_q && l->quantizers[i].y != NET_NONE)
            check_arrival(l, &l->quantizers[i]);
}
