/* SPDX-License-Identifier: Apache-2.0 */
/* tests/lib/graph_eval.h — small graphs built and run in the plainest way, to judge the passes.
 *
 * The evaluator knows nothing of the engine: one loop per operator, float64 sums, every result
 * rounded to its tensor's type. Quantizer scales that are powers of two make its sums exact.
 */
#ifndef GRAPH_EVAL_H
#define GRAPH_EVAL_H

#include "graph/graph.h"
#include "test.h"

/* ---------------------------------------------------------------- building */

/* "images" [-1,channels,-1,-1]. */
tensor_id make_input(graph *g, int64_t channels);

typedef struct make_conv_desc {
    const char *name;
    tensor_id x;
    int64_t c_in, c_out;
    int kernel, stride, groups; /* 0: 1; pad is kernel/2 unless no_pad */
    bool no_pad;
    bool is_transpose;
    const float *weight; /* NULL: multiples of 1/16 drawn from `rng` */
    const float *bias;   /* NULL: none, unless random_bias */
    bool random_bias;
    test_rng *rng;
} make_conv_desc;
/* Constants "<name>.weight", "<name>.bias"; output "<name>". */
tensor_id make_conv(graph *g, const make_conv_desc *desc);

/* a + b*i in float32, as numpy computes it. */
void make_ramp(float *dst, int n, float a, float b);

/* Output named `name`; `attr` may be NULL. */
tensor_id make_op(graph *g, graph_op op, const char *name, int n, const tensor_id *inputs,
                  const op_attr *attr);
tensor_id make_unary(graph *g, graph_op op, const char *name, tensor_id x);
tensor_id make_binary(graph *g, graph_op op, const char *name, tensor_id a, tensor_id b);
tensor_id make_concat(graph *g, const char *name, int n, const tensor_id *inputs);
tensor_id make_max_pool(graph *g, const char *name, tensor_id x, int kernel, int stride);
tensor_id make_upsample(graph *g, const char *name, tensor_id x);
tensor_id make_const(graph *g, const char *name, const shape *s, const float *values);
/* BATCH_NORM with epsilon 1e-3 and parameters "<name>.weight", ... of random sane values. */
tensor_id make_batch_norm(graph *g, const char *name, tensor_id x, int64_t channels, test_rng *rng);
/* The same with given parameters: gamma, beta, mean and var, one after the other. */
tensor_id make_batch_norm_of(graph *g, const char *name, tensor_id x, int64_t channels,
                             const float *parameters);
/* QuantizeLinear and DequantizeLinear with one scale; `type` I8 or U8. Output "<name>_dq". */
tensor_id make_qdq(graph *g, const char *name, tensor_id x, float scale, dtype type, int zero);

/* Marks the output, tidies and verifies. */
void make_done(graph *g, tensor_id output);

/* ---------------------------------------------------------------- running */

typedef struct graph_values {
    int n;
    double **of; /* per tensor, NULL: not computed */
} graph_values;

/* Runs `g`, whose shapes are known, on dense values of its first input. */
graph_values graph_eval(const graph *g, const double *input);
void graph_values_free(graph_values *v);
/* Sets the shape [1,channels,size,size], draws multiples of 1/16 in [-4,4), runs, and returns a
 * copy of the first output. */
double *graph_eval_random(graph *g, int64_t size, uint64_t seed, size_t *count);
double eval_max_abs(const double *a, const double *b, size_t n);

/* Number of live nodes of one kind. */
int count_ops(const graph *g, graph_op op);
/* The values of the f32 constant `name`; fails unless it is there with `count` values. */
const float *expect_floats(const graph *g, const char *name, size_t count);
/* Fails unless a live node `name` of that kind is there; returns it. */
const node *expect_node(const graph *g, const char *name, graph_op op);

#endif
