/* SPDX-License-Identifier: Apache-2.0 */
/* api/file_quantizers.h — the quantizers that a graph with Q/DQ nodes has, seen from the layers
 * that read them. Biases in codes are none: they have no range of their own. */
#ifndef API_FILE_QUANTIZERS_H
#define API_FILE_QUANTIZERS_H

#include "graph/graph.h"
#include "graph/qparams.h"
#include "ptq/ptq.h"

typedef struct file_quantizer {
    node_id layer;
    int input;
    bool is_weight;
    node_id dequantizer;
    tensor_id tensor; /* what was quantized; of weights in codes the codes */
} file_quantizer;

/* The quantizer after `q` in execution order; start with a zeroed one and `first`. false: no more.
 */
bool file_quantizer_next(const graph *g, bool first, file_quantizer *q);
int file_n_quantizers(const graph *g);
/* Ranges, codes and axis of a quantizer; mem_free(z->amax). PTQ_UNSUPPORTED: its scale is no
 * float32 constant. */
PTQ_CHECKED ptq_status file_quantizer_ranges(const graph *g, const file_quantizer *q, quantizer *z,
                                             ptq_error *err);
/* Quantizer `i` of them. */
PTQ_CHECKED ptq_status file_quantizer_read(const graph *g, int i, quantizer *z,
                                           ptq_quantizer_place *place, ptq_error *err);

#endif
