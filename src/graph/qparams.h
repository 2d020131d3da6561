/* SPDX-License-Identifier: Apache-2.0 */
/* graph/qparams.h — what a quantization plan says; policy is in quant/, placing nodes in passes/.
 *
 * Semantics of a quantizer: pytorch-quantization's TensorQuantizer (spec algorithms.md §1);
 * deployed as ONNX: scale = amax / qmax, zero point 0, rint(x / scale) saturated.
 */
#ifndef GRAPH_QPARAMS_H
#define GRAPH_QPARAMS_H

#include <stdbool.h>

typedef struct quantizer {
    bool enabled;
    int num_bits; /* 2 ... 16; files carry 8 only */
    bool is_unsigned;
    bool narrow_range; /* -127 instead of -128 as lowest code */
    int axis;          /* -1: per tensor; else the channel axis, n_amax values */
    int n_amax;
    float *amax; /* owned by the plan; >= 0 */
} quantizer;

/* One quantizable node (Conv, ConvTranspose, Gemm, MatMul, pooling) and its quantizers. */
typedef struct qplan_entry {
    char *layer;      /* node name */
    quantizer input;  /* of input 0 */
    quantizer weight; /* of input 1; enabled only when that is a constant */
} qplan_entry;

/* A quantizer on one more input of a node: the residual input of an Add. */
typedef struct qplan_extra {
    char *node;
    int input_index;
    quantizer input;
} qplan_extra;

typedef struct qplan {
    qplan_entry *entries;
    int n_entries;
    qplan_extra *extras;
    int n_extras;
    bool float_weights; /* write float weights behind Q and DQ instead of int8 behind DQ */
} qplan;

#endif
