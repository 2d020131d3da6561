/* SPDX-License-Identifier: Apache-2.0 */
/* engine/engine.h — a graph with known shapes becomes a running program: bind, pack, plan, run.
 *
 * engine_prepare() copies what it needs from the graph: lays out memory (image tensors are stored
 * channels-last inside), packs weights, chooses a kernel per node (the first of an ordered list
 * that can do it; the scalar reference last). engine_run() never allocates. Same inputs, level and
 * thread count give the same bits; integer nodes give the same bits for any thread count.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/cpu.h"
#include "base/error.h"
#include "graph/graph.h"

typedef struct engine engine;

/* Dense row-major values with the logical shape (NCHW for images). */
typedef struct tensor_view {
    void *data; /* borrowed */
    dtype type;
    shape shape;
} tensor_view;

/* What a tap sees: a tensor right after its node ran, before its memory is reused. */
typedef struct tap_view {
    tensor_id id;
    const char *name;
    const void *data;
    dtype type;
    shape shape;        /* logical */
    bool channels_last; /* stored [N,H,W,C] with `pixel_stride` elements between pixels */
    size_t pixel_stride;
} tap_view;

typedef void engine_tap_fn(void *user, const tap_view *view);

typedef struct engine_options {
    int threads; /* at least 1 */
    cpu_level level;
    bool exact;            /* integer nodes equal the reference bit for bit (activations not
                              approximated, no fusion that changes rounding) */
    unsigned without;      /* fusions that are left out (graph/fusion.h) */
    const tensor_id *taps; /* tensors to watch; they stay materialised */
    int n_taps;
} engine_options;

typedef struct engine_step_profile {
    const char *node; /* borrowed from the engine */
    const char *op;
    const char *kernel;    /* "conv_onednn brgconv:avx512_core_vnni", "maxpool_ref" ... */
    const char *precision; /* "fp32", "bf16", "fp16", "int8", "-" for data movement */
    double macs;
    double ms; /* of the last profiled run */
} engine_step_profile;

/* All shapes of `g` must be known (graph_set_input_shape). */
PTQ_CHECKED ptq_status engine_prepare(const graph *g, const engine_options *options, engine **out,
                                      ptq_error *err);
/* The same with the threads and packed weights of `other`, and its level; constants of `g` must
 * outlive both. */
PTQ_CHECKED ptq_status engine_prepare_beside(const graph *g, const engine_options *options,
                                             const engine *other, engine **out, ptq_error *err);
void engine_destroy(engine *e); /* NULL allowed */

/* Inputs in graph order with exactly the prepared type and shape. */
PTQ_CHECKED ptq_status engine_run(engine *e, const tensor_view *inputs, int n_inputs,
                                  ptq_error *err);
/* Output i of the last run, dense row-major; valid until the next run or destroy. */
tensor_view engine_output(const engine *e, int i);

/* `fn` is called for every tensor in options.taps during engine_run(), from the calling thread. */
void engine_set_tap(engine *e, engine_tap_fn *fn, void *user);
/* Copies what a tap sees into dense row-major float32 of the logical shape; integers as they are.
 */
void tap_to_float(const tap_view *view, float *out);

int engine_n_steps(const engine *e);
/* Times one run step by step; steps in execution order. */
PTQ_CHECKED ptq_status engine_profile(engine *e, const tensor_view *inputs, int n_inputs,
                                      engine_step_profile *steps, ptq_error *err);
size_t engine_memory_bytes(const engine *e); /* slab + packed weights */

#endif
