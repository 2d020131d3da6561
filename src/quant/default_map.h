/* SPDX-License-Identifier: Apache-2.0 */
/* quant/default_map.h — which nodes automatic insertion quantizes: those of pytorch-quantization's
 * default map that detectors have. Conv, ConvTranspose, Gemm and MatMul with a constant weight get
 * a quantizer on input 0 and on the weight; AveragePool and GlobalAveragePool on input 0.
 */
#ifndef QUANT_DEFAULT_MAP_H
#define QUANT_DEFAULT_MAP_H

#include "graph/graph.h"

bool default_map_has(const graph *g, const node *n);
/* Whether the operator has a weight, as input 1. */
bool default_map_has_weight(graph_op op);
/* The axis of the output channels in the weight of a node. */
int default_map_weight_axis(const graph *g, const node *n);

#endif
