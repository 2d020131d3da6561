/* SPDX-License-Identifier: Apache-2.0 */
/* eval/lanes.h — evaluates a network on several images side by side.
 *
 * Each lane has a thread and a session of its own: it reads an image, runs the network on it and
 * suppresses, then takes the next image. Nothing waits for anything but the order in which the
 * images are added, and no thread of the one gets in the way of another. The results are those of
 * the images one by one, in the shape of their batch, for any number of lanes.
 */
#ifndef EVAL_LANES_H
#define EVAL_LANES_H

#include "engine/session.h"
#include "eval/evaluator.h"

/* Each lane holds the activations of an image. */
enum { LANES_MOST = 16 };

typedef struct lanes_input {
    const dataset *data;
    const loader_options *pictures; /* the shapes and the form; there are no other threads */
    const session *network;         /* must not run meanwhile */
    tape *kept;                     /* as of evaluate() */
} lanes_input;

/* Whether the network takes images one by one: not when it has a fixed batch of several. */
bool lanes_fit(const session *network);

/* As evaluate(): progress and cancelling are in the caller's thread. The times of the result are
 * the lanes' together, divided by their number. */
PTQ_CHECKED ptq_status evaluate_in_lanes(const lanes_input *in, const evaluator_options *options,
                                         const ptq_env *env, evaluation **out, ptq_error *err);

#endif
