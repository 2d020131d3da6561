/* SPDX-License-Identifier: Apache-2.0 */
/* lint/check.h — inside the room: what a check is given, and the checks there are.
 *
 * A check walks the net and adds findings. Rules that do not exist for the target are dropped by
 * lint_add(), so checks seldom ask for it. Running out of memory is remembered, and told at the
 * end.
 */
#ifndef LINT_CHECK_H
#define LINT_CHECK_H

#include "lint/lint.h"
#include "lint/net.h"
#include "lint/quantizer.h"

typedef struct lint {
    const net *net;
    lint_target target;
    lint_report *report;
    bool out_of_memory;

    quantizer *quantizers; /* every QuantizeLinear and DequantizeLinear, in the file's order */
    uint32_t n_quantizers;
    uint32_t *quantizer_of; /* per node: its number; NET_NONE */

    /* Per value (facts.c). */
    uint32_t *codes;        /* the DequantizeLinear whose codes it carries, through data movement */
    bool *below_weights;    /* computed from the result of a layer with weights */
    bool *above_weights;    /* such a layer is computed from it */
    struct demand *demands; /* flow.h */
} lint;

bool is_tensorrt(const lint *l);
const quantizer *quantizer_at(const lint *l, const net_node *node); /* NULL for other nodes */

/* Words that live as long as the report; "" when out of memory. */
const char *lint_text(lint *l, const char *format, ...) PTQ_PRINTF(2, 3);
/* A layer's name as an expression that matches it alone. */
const char *lint_pattern(lint *l, const char *name);
/* "layers: [{match: '<pattern>', <what>}]" */
const char *lint_layer_line(lint *l, const char *name, const char *what);

/* `node` NULL: about the file. `fix` NULL: what the rule says. */
typedef struct lint_place {
    lint_rule rule;
    const net_node *node;
    const char *fix;
} lint_place;
void lint_add(lint *l, lint_place place, const char *format, ...) PTQ_PRINTF(3, 4);
void lint_expect(lint *l, const net_node *node, const char *precision, const char *reason);

/* Fills what is said per value and per quantizer (facts.c). */
PTQ_CHECKED ptq_status lint_find_facts(lint *l, ptq_error *err);

typedef void lint_check_fn(lint *l);
lint_check_fn check_file;       /* opset, operators, attributes: check_file.c */
lint_check_fn check_parameters; /* what each quantizer says: check_parameters.c */
lint_check_fn check_pairs;      /* Q and DQ belong together: check_pairs.c */
lint_check_fn check_layers;     /* both inputs of a layer: check_layers.c */
lint_check_fn check_fusion;     /* what stands between a layer and its epilogue: check_fusion.c */
lint_check_fn check_head;       /* the decode of a detector: check_head.c */
lint_check_fn check_flow;       /* scales that clash, tensors in two forms: check_flow.c */
lint_check_fn forecast_layers;  /* forecast.c */

#endif
