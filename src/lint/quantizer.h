/* SPDX-License-Identifier: Apache-2.0 */
/* lint/quantizer.h — what a QuantizeLinear or DequantizeLinear node says, as it is written. */
#ifndef LINT_QUANTIZER_H
#define LINT_QUANTIZER_H

#include "lint/net.h"

/* A constant of a quantizer: its numbers as far as they could be read. */
typedef struct quantizer_constant {
    uint32_t value;   /* NET_NONE: the node has none */
    bool is_constant; /* else computed by the network */
    bool is_readable; /* constant, and its data is there */
    int type;         /* as ONNX numbers it */
    shape shape;
    size_t count;
} quantizer_constant;

typedef struct quantizer {
    const net_node *node;
    bool is_q;
    uint32_t x, y; /* what it reads and makes; NET_NONE in a broken file */
    quantizer_constant scale;
    float *scales; /* scale.count of them, when readable; owned by the arena */
    quantizer_constant zero;
    bool is_zero;   /* no zero point, or a readable one of zeros */
    int zero_point; /* the first, of 8-bit codes */
    int code_type;
    bool has_axis;
    int64_t axis; /* as written; ONNX's default when absent */
    int64_t block_size;
    bool is_of_constant; /* x is a weight or a bias */
    /* Whom the codes serve: the first layer with weights that reads them, and by which input. */
    const net_node *layer; /* NULL: none */
    uint32_t layer_input;
} quantizer;

/* `node` is a Q or a DQ. Memory comes from `a`. */
PTQ_CHECKED ptq_status quantizer_read(const net *n, const net_node *node, arena *a, quantizer *out,
                                      ptq_error *err);

/* The number a value holds, when it is written in the file; false otherwise. */
bool scalar_read(const net *n, uint32_t value, float *out);
/* One readable scale for the whole tensor. */
bool quantizer_is_plain(const quantizer *q);
/* The same scales and zero points; scales that cannot be read are equal when they are one value. */
bool quantizer_same(const quantizer *a, const quantizer *b);

#endif
