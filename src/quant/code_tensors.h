/* SPDX-License-Identifier: Apache-2.0 */
/* quant/code_tensors.h — for a runtime that computes on codes throughout (ONNX Runtime on a CPU):
 * which computed tensors get a quantizer of their own, and which of them share one range.
 *
 * Such a runtime makes one integer operator of DQ -> op -> Q. So every operator that exists on
 * codes needs a quantizer on both sides, also a convolution and its activation.
 */
#ifndef QUANT_CODE_TENSORS_H
#define QUANT_CODE_TENSORS_H

#include "quant/points.h"

typedef struct code_tensor {
    tensor_id tensor;
    int group;      /* tensors with equal numbers get one range */
    bool is_source; /* no copy of other members of its group: its values decide the range */
} code_tensor;

typedef struct code_tensors {
    code_tensor *items; /* graph inputs, then in execution order */
    int n;
    int n_groups;
} code_tensors;

/* What the quantized points read and make, and everything between them that can stay in codes.
 * Pooling, nearest resizing and reshaping never change a range; a Concat has one for all it joins
 * when `share_concat`. Graph outputs stay float. */
PTQ_CHECKED ptq_status code_tensors_find(const graph *g, const quant_points *points,
                                         bool share_concat, code_tensors *out, ptq_error *err);
void code_tensors_clear(code_tensors *c);

#endif
