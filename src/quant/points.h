/* SPDX-License-Identifier: Apache-2.0 */
/* quant/points.h — where quantizers go: the nodes of a cleaned graph that can be quantized, which
 * of them stay float and why, and which share one range.
 *
 * Default map: Conv, ConvTranspose, Gemm and MatMul with a constant weight, AveragePool,
 * GlobalAveragePool. Such a point has a quantizer on its input 0 and, with a weight, on input 1.
 * Extra points have one on a further input of any node: the residual input of an Add, and what
 * quant.yaml's custom_quant_modules names.
 */
#ifndef QUANT_POINTS_H
#define QUANT_POINTS_H

#include <jansson.h>

#include "graph/graph.h"
#include "quant/quant_config.h"

typedef struct quant_options {
    amax_method method;         /* mse */
    double percentile;          /* 99.99 */
    const char *const *exclude; /* expressions on layer names, NULL-terminated; or NULL */
    bool is_compat;             /* histograms as pytorch-quantization collects them */
    bool share_scales;
    bool residual;
    bool quantize_head; /* the output convolutions too */
    bool float_weights;
} quant_options;

void quant_options_init(quant_options *o);

typedef enum quant_kept {
    QUANT_NOT_KEPT,
    QUANT_KEPT_HEAD,     /* is_head, and quantize_head is off */
    QUANT_KEPT_EXCLUDED, /* quant_options.exclude */
    QUANT_KEPT_TYPE,     /* float_module_list */
    QUANT_KEPT_DISABLED, /* a rule of quant.yaml */
} quant_kept;

const char *quant_kept_text(quant_kept k);

typedef struct quant_point {
    node_id node;
    const char *layer; /* borrowed from the graph, as every name here */
    graph_op op;
    quant_kept kept; /* stays float when not QUANT_NOT_KEPT */
    bool is_extra;
    bool is_head;     /* its output reaches a graph output with no further weighted node */
    int input_index;  /* which input the quantizer sits on; 0 unless extra */
    tensor_id tensor; /* what it reads there */
    tensor_id weight; /* TENSOR_NONE when there is none */
    descriptor input_desc;
    descriptor weight_desc;
    bool has_range_rule; /* a layer rule decides its input range */
    int group;           /* points with equal numbers get one input range; -1 when kept */
} quant_point;

typedef struct quant_points {
    quant_point *items; /* in execution order */
    int n;
    int n_groups;
} quant_points;

/* The graph is tidy. PTQ_USAGE for a model that has quantizers already, and for settings that do
 * not fit a layer. */
PTQ_CHECKED ptq_status quant_points_find(const graph *g, const quant_config *config,
                                         const quant_options *options, quant_points *out,
                                         ptq_error *err);
void quant_points_clear(quant_points *p);

/* Input quantizers that are on. */
int quant_points_n_quantized(const quant_points *p);

/* [{layer, op, input{...}, weight{...}}] of what automatic insertion puts; ranges are null. NULL
 * when out of memory. */
json_t *quant_points_write_json(const graph *g, const quant_points *p);
/* [{layer, reason}] of the main points that stay float. */
json_t *quant_points_write_kept(const quant_points *p);

#endif
