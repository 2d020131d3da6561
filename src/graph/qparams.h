/* SPDX-License-Identifier: Apache-2.0 */
/* graph/qparams.h — what a quantization plan says; policy is in quant/, placing nodes in passes/.
 *
 * Semantics of a quantizer: pytorch-quantization's TensorQuantizer (spec algorithms.md §1);
 * deployed as ONNX: scale = amax / qmax, zero point 0, rint(x / scale) saturated; unsigned with a
 * `low` below 0: scale = (amax - low) / qmax, zero point rint(-low / scale).
 */
#ifndef GRAPH_QPARAMS_H
#define GRAPH_QPARAMS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct quantizer {
    bool enabled;
    int num_bits; /* 2 ... 16; files carry 8 only */
    bool is_unsigned;
    bool narrow_range; /* -127 instead of -128 as lowest code */
    int axis;          /* -1: per tensor, or several; else the channel axis, n_amax values */
    int n_amax;
    float *amax;           /* owned by the plan; >= 0 */
    float low;             /* unsigned, per tensor: the lowest value, <= 0; the zero point makes
                              room for it */
    bool only_clips;       /* values are cut at amax, not rounded */
    uint32_t several_axes; /* 0, or the bits of several axes, whose slices have a range each: no
                              node of ONNX says that, it can only be simulated */
} quantizer;

/* One quantizable node (Conv, ConvTranspose, Gemm, MatMul, pooling) and its quantizers. */
typedef struct qplan_entry {
    char *layer;      /* node name */
    quantizer input;  /* of input 0 */
    quantizer weight; /* of input 1; enabled only when that is a constant */
} qplan_entry;

/* A quantizer on one more input of a node: the residual input of an Add. Input QPLAN_OUTPUT: on the
 * node's output, which is an output of the graph. */
enum { QPLAN_OUTPUT = -1 };
typedef struct qplan_extra {
    char *node;
    int input_index;
    quantizer input;
} qplan_extra;

/* A quantizer on a computed tensor: all that read it read its codes, so that a runtime can make the
 * codes where it makes the tensor. */
typedef struct qplan_tensor {
    char *tensor;
    quantizer codes;
} qplan_tensor;

typedef struct qplan {
    qplan_entry *entries;
    int n_entries;
    qplan_extra *extras;
    int n_extras;
    qplan_tensor *tensors;
    int n_tensors;
    bool float_weights; /* write float weights behind Q and DQ instead of int8 behind DQ */
    bool integer_bias;  /* biases of quantized layers as i32 codes of input scale x weight scale */
} qplan;

#endif
