/* SPDX-License-Identifier: Apache-2.0 */
/* quant/quant_config.h — quant.yaml: inserting by hand (the keys stand in docs/quantization.md).
 *
 * Descriptors are patched in this order, later ones over earlier ones: the built-in default, the
 * file's `defaults`, its `defaults.types` of the operator, the first of `layers` that matches.
 */
#ifndef QUANT_QUANT_CONFIG_H
#define QUANT_QUANT_CONFIG_H

#include "graph/op.h"
#include "quant/descriptor.h"
#include "quant/pattern.h"

typedef struct quant_patches {
    descriptor_patch input;
    descriptor_patch weight;
} quant_patches;

typedef struct quant_rule {
    pattern *match;
    bool disabled; /* the whole layer stays float */
    quant_patches patches;
} quant_rule;

enum { QUANT_MAX_INPUTS = 8 };

/* An operator beyond the default map, and which of its inputs get a quantizer. */
typedef struct quant_custom {
    graph_op op;
    int n_inputs;
    int inputs[QUANT_MAX_INPUTS];
} quant_custom;

typedef struct quant_config {
    quant_patches defaults;
    quant_patches types[GRAPH_OP_COUNT];
    bool is_float[GRAPH_OP_COUNT]; /* float_module_list */
    quant_custom *customs;
    int n_customs;
    quant_rule *rules; /* the first that matches counts */
    int n_rules;
    int share_concat; /* 1, 0, or -1: the file does not say */
    int share_maxpool;
    int share_resize;
    int share_add;
} quant_config;

/* `path` NULL gives a configuration that changes nothing. PTQ_USAGE names line and word. */
PTQ_CHECKED ptq_status quant_config_load(const char *path, quant_config **out, ptq_error *err);
PTQ_CHECKED ptq_status quant_config_parse(const char *text, size_t size, const char *name,
                                          quant_config **out, ptq_error *err);
void quant_config_destroy(quant_config *c); /* NULL allowed */

/* The rule that holds for a layer, or NULL. */
const quant_rule *quant_config_rule(const quant_config *c, const char *layer);

#endif
