/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/random_graph.h — graphs of convolutions, sums, joins and movements, with a plan that
 * quantizes them, drawn from a seed or from bytes. All scales are powers of two, so that every sum
 * is exact and whatever keeps the meaning of a graph keeps its bits.
 */
#ifndef RANDOM_GRAPH_H
#define RANDOM_GRAPH_H

#include "graph_eval.h"
#include "test_plan.h"

#include "passes/passes.h"

enum {
    RANDOM_CHANNELS = 4,
    RANDOM_SIZE = 16, /* height and width of the input */
    RANDOM_INPUT = RANDOM_CHANNELS * RANDOM_SIZE * RANDOM_SIZE,
    RANDOM_VALUES = 64
};

typedef struct random_value {
    tensor_id id;
    int64_t channels;
    int size; /* height and width */
} random_value;

typedef struct random_graph {
    graph *g; /* graph_destroy() it */
    test_rng rng;
    const uint8_t *bytes; /* NULL: all is drawn from `rng` */
    size_t n_bytes;
    random_value values[RANDOM_VALUES]; /* in the order they came */
    int n;
    test_plan plan;
    char names[RANDOM_VALUES][16]; /* the plan borrows them */
    int n_names;
    bool all_quantized; /* every convolution reads codes of 8 bits */
} random_graph;

/* The object must stay where it is: the plan points into it. */
void random_graph_make(random_graph *m, uint64_t seed, bool all_quantized);
void random_graph_from(random_graph *m, const uint8_t *bytes, size_t n);

/* RANDOM_INPUT values, the same each time. */
void random_input(double *x);
graph_values random_graph_run(graph *g, const double *input);

/* Fails unless the outputs have the same names and bits. */
void expect_same_outputs(const graph *ref, const graph_values *want, const graph *g,
                         const graph_values *got);
/* Lowers a copy of `ref` and compares its outputs, and the tensors kept, with the run of `ref`. */
void expect_same_lowered(const graph *ref, const graph_values *want, const lower_options *o,
                         const double *input);

#endif
