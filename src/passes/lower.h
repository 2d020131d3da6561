/* SPDX-License-Identifier: Apache-2.0 */
/* passes/lower.h — inside passes/: the steps of pass_lower(), in the order it takes them.
 *
 * Each leaves a tidy graph. Tensors to keep are graph outputs meanwhile: nothing is fused over a
 * graph output, and what makes it is not pruned.
 */
#ifndef PASSES_LOWER_H
#define PASSES_LOWER_H

#include "graph/graph.h"

typedef struct lowering {
    graph *g;
    int n_outputs;    /* the graph's own; those behind them are tensors to keep */
    unsigned without; /* fusions that are left out */
} lowering;

/* Conv -> activation becomes one node. */
PTQ_CHECKED ptq_status lower_activations(lowering *l, ptq_error *err);

/* Quantizers of constants become constants: float weights behind Q become codes, codes behind DQ
 * become floats; not those that are the weight of a convolution when `spare_weights`. */
PTQ_CHECKED ptq_status lower_constants(lowering *l, bool spare_weights, ptq_error *err);

/* Operators that only move values run on codes: Q rises through them where all readers want codes,
 * DQ sinks where all inputs are codes of one scale, equal ones are merged, Q of DQ is nothing. */
PTQ_CHECKED ptq_status lower_movement(lowering *l, ptq_error *err);

/* A CONV of dequantized codes and dequantized constant codes becomes a QCONV with float output. */
PTQ_CHECKED ptq_status lower_integer_convs(lowering *l, ptq_error *err);

/* The Q that alone reads a QCONV becomes the QCONV's output; not one that rounds to float16 first
 * behind a grouped one. */
PTQ_CHECKED ptq_status lower_integer_outputs(lowering *l, ptq_error *err);

/* Tensors on the way from one COMPUTE_BF16 convolution to the next become bf16. */
PTQ_CHECKED ptq_status lower_bf16_tensors(lowering *l, ptq_error *err);

#endif
