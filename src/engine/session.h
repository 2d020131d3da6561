/* SPDX-License-Identifier: Apache-2.0 */
/* engine/session.h — one lowered graph, run at any input size.
 *
 * Keeps its own copy of the graph and the engines of the sizes seen last (weights are packed once
 * per engine; the number of engines kept is bounded). Taps are given by name.
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include "engine/engine.h"

typedef struct session session;

typedef struct session_options {
    int threads;
    cpu_level level;
    bool exact;
    unsigned without;        /* fusions that are left out (graph/fusion.h) */
    const char *const *taps; /* tensor names to watch */
    int n_taps;
    int max_engines; /* 0: 8 */
} session_options;

PTQ_CHECKED ptq_status session_create(const graph *g, const session_options *options, session **out,
                                      ptq_error *err);
/* The same network with the same taps (but no function to see them) for another thread: it has
 * `threads` of its own and the packed weights of `first`, whose threads pack them: `first` must not
 * run meanwhile, but others made from it may. All are made and destroyed by one thread. It keeps
 * the engine of one size. */
PTQ_CHECKED ptq_status session_create_beside(const session *first, int threads, session **out,
                                             ptq_error *err);
void session_destroy(session *s);
/* Runs at the shape of inputs[0]; a graph with fixed shapes accepts only its own (PTQ_SHAPE). */
PTQ_CHECKED ptq_status session_run(session *s, const tensor_view *inputs, int n_inputs,
                                   ptq_error *err);
/* The engine that ran last: outputs, taps, profile. Valid until the next run. */
engine *session_engine(session *s);
const graph *session_graph(const session *s); /* shapes of the last run */
void session_set_tap(session *s, engine_tap_fn *fn, void *user);

#endif
