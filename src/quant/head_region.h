/* SPDX-License-Identifier: Apache-2.0 */
/* quant/head_region.h — where a detector ends: its output convolutions, and the decode behind them
 * that makes boxes and scores of their results.
 *
 * Boxes are hundreds of pixels, scores at most 1: one scale for both turns every score into code 0
 * (algorithms.md §4.3 rule 11). So nothing behind the output convolutions is quantized by itself.
 */
#ifndef QUANT_HEAD_REGION_H
#define QUANT_HEAD_REGION_H

#include "graph/graph.h"

typedef struct head_region {
    bool *is_head;  /* per node: weighted, and reaches an output with no weighted node between */
    bool *is_final; /* per node: what it computes becomes outputs only; the head and the decode */
} head_region;

/* The graph is tidy. A weighted node that sums up a Softmax (distribution focal loss) counts as
 * decode, not as head. */
PTQ_CHECKED ptq_status head_region_find(const graph *g, head_region *out, ptq_error *err);
void head_region_clear(head_region *r);

#endif
