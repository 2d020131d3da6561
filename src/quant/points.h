/* SPDX-License-Identifier: Apache-2.0 */
/* quant/points.h — where quantizers go: the nodes of a cleaned graph that can be quantized, which
 * of them stay float and why, and which share one range.
 *
 * A main point is a node of the default map (default_map.h). Extra points have a quantizer on a
 * further input of any node, or on an output of the graph: the residual input of an Add, and what
 * quant.yaml asks for by type, by layer or by tensor.
 */
#ifndef QUANT_POINTS_H
#define QUANT_POINTS_H

#include <jansson.h>

#include "graph/graph.h"
#include "graph/qparams.h"
#include "quant/quant_config.h"

typedef struct quant_options {
    amax_method method;         /* mse */
    double percentile;          /* 99.99 */
    const char *const *exclude; /* expressions on layer names, NULL-terminated; or NULL */
    bool is_compat;             /* histograms as pytorch-quantization collects them */
    bool share_scales;
    bool residual;
    bool overrule_share; /* the two above count whatever quant.yaml says */
    bool overrule_residual;
    bool quantize_head; /* the output convolutions too */
    bool on_codes;      /* the target computes on codes; what it has no operator for stays float */
    bool float_weights;
} quant_options;

void quant_options_init(quant_options *o);
/* What holds of a word of quant.yaml (-1: it does not say) and of an option. */
bool quant_option(int in_file, bool option, bool overrules);

typedef enum quant_kept {
    QUANT_NOT_KEPT,
    QUANT_KEPT_HEAD,     /* is_head, and neither quantize_head nor the file asks for it */
    QUANT_KEPT_DECODE,   /* behind the head, and the file does not ask for it */
    QUANT_KEPT_EXCLUDED, /* quant_options.exclude */
    QUANT_KEPT_TYPE,     /* float_module_list */
    QUANT_KEPT_DISABLED, /* a rule of quant.yaml */
    QUANT_KEPT_TARGET,   /* the target has no such operator on codes; no rule asks for it */
    QUANT_KEPT_SEARCH,   /* it costs more than others: the search for layers to keep */
} quant_kept;

const char *quant_kept_text(quant_kept k);

typedef struct quant_point {
    node_id node;
    const char *layer; /* borrowed from the graph, as every name here */
    graph_op op;
    quant_kept kept; /* stays float when not QUANT_NOT_KEPT */
    bool is_extra;
    bool is_head;     /* its output reaches a graph output with no further weighted node */
    bool is_decode;   /* its tensor is made of the head's results */
    int input_index;  /* which input the quantizer sits on; 0 unless extra; QPLAN_OUTPUT */
    tensor_id tensor; /* what it reads there */
    tensor_id weight; /* TENSOR_NONE when there is none */
    descriptor input_desc;
    descriptor weight_desc;
    uint32_t input_axes; /* bits of the axes; 0: per tensor */
    uint32_t weight_axes;
    bool has_range_rule; /* a layer rule decides its input range */
    int group;           /* points with equal numbers get one input range; -1 when off */
} quant_point;

typedef struct quant_points {
    quant_point *items; /* in execution order */
    int n;
    int n_groups;
    arena *memory; /* ranges that were found later; NULL until there are some */
} quant_points;

/* The graph is tidy. PTQ_USAGE for a model that has quantizers already, and for settings that do
 * not fit a layer. */
PTQ_CHECKED ptq_status quant_points_find(const graph *g, const quant_config *config,
                                         const quant_options *options, quant_points *out,
                                         ptq_error *err);
void quant_points_clear(quant_points *p);

/* Main points whose input quantizer is on. */
int quant_points_n_quantized(const quant_points *p);
/* Whether the input quantizer, or the weight's, is in use. */
bool quant_point_has_input(const quant_point *p);
bool quant_point_has_weight(const quant_point *p);

/* [{layer, op, tensor, group, input{...}, weight{...}}] of what automatic insertion puts. NULL when
 * out of memory. */
json_t *quant_points_write_json(const graph *g, const quant_points *p);
/* [{name, layer, reason}] of the main points that stay float. */
json_t *quant_points_write_kept(const quant_points *p);

#endif
