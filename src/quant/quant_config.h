/* SPDX-License-Identifier: Apache-2.0 */
/* quant/quant_config.h — quant.yaml: inserting by hand (the keys stand in docs/quantization.md).
 *
 * Descriptors are patched in this order, later ones over earlier ones: the built-in default, the
 * file's `defaults`, its `defaults.types` of the operator, the first of `layers` that fits, and of
 * that first `input` or `weight`, then the entry of `inputs`.
 */
#ifndef QUANT_QUANT_CONFIG_H
#define QUANT_QUANT_CONFIG_H

#include "graph/op.h"
#include "quant/descriptor.h"
#include "quant/module_type.h"
#include "quant/pattern.h"

typedef struct quant_patches {
    descriptor_patch input;
    descriptor_patch weight;
} quant_patches;

enum { QUANT_MAX_INPUTS = 8 };

/* A quantizer on input `index`, whether or not automatic insertion puts one there. */
typedef struct quant_input {
    int index;
    descriptor_patch patch;
} quant_input;

/* Which layers: all conditions that are given must hold. */
typedef struct quant_rule {
    pattern *match;    /* expression on the name, or NULL */
    const char *layer; /* the whole name, or NULL */
    const char *path;  /* the name, or that of a module above the layer; or NULL */
    bool has_type;
    op_set type;
    bool has_disabled;
    bool disabled; /* the whole layer stays float */
    quant_patches patches;
    int n_inputs;
    quant_input inputs[QUANT_MAX_INPUTS];
} quant_rule;

/* A type beyond the default map, and which of its inputs get a quantizer. */
typedef struct quant_custom {
    op_set ops;
    int n_inputs;
    int inputs[QUANT_MAX_INPUTS];
} quant_custom;

/* A quantizer wherever a tensor is read, and on it where it is an output of the network. */
typedef struct quant_tensor_rule {
    pattern *match;
    descriptor_patch patch;
} quant_tensor_rule;

typedef struct quant_config {
    arena *memory;
    quant_patches defaults;
    quant_patches types[GRAPH_OP_COUNT];
    op_set is_float; /* float_module_list */
    quant_custom *customs;
    int n_customs;
    quant_rule *rules; /* the first that fits counts */
    int n_rules;
    quant_tensor_rule *tensors; /* the first that fits counts */
    int n_tensors;
    int share_concat; /* 1, 0, or -1: the file does not say */
    int share_maxpool;
    int share_resize;
    int share_move; /* Slice, Split, Reshape, Transpose ... */
    int share_add;
    int residual;
    int float_weights;
} quant_config;

/* `path` NULL gives a configuration that changes nothing. PTQ_USAGE names line and word. */
PTQ_CHECKED ptq_status quant_config_load(const char *path, quant_config **out, ptq_error *err);
PTQ_CHECKED ptq_status quant_config_parse(const char *text, size_t size, const char *name,
                                          quant_config **out, ptq_error *err);
void quant_config_destroy(quant_config *c); /* NULL allowed */

/* Room for one more at the end of a list. */
PTQ_CHECKED ptq_status quant_config_add_rule(quant_config *c, quant_rule **out, ptq_error *err);
PTQ_CHECKED ptq_status quant_config_add_custom(quant_config *c, quant_custom **out, ptq_error *err);
PTQ_CHECKED ptq_status quant_config_add_tensor(quant_config *c, quant_tensor_rule **out,
                                               ptq_error *err);

/* The rule that holds for a layer, or for a tensor; NULL when there is none. */
const quant_rule *quant_config_rule(const quant_config *c, const char *layer, graph_op op);
const quant_tensor_rule *quant_config_tensor(const quant_config *c, const char *name);

#endif
