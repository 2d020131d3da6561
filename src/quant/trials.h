/* SPDX-License-Identifier: Apache-2.0 */
/* quant/trials.h — variants of a network held against the float network on a few images.
 *
 * A variant's movement (output_distance.h) is told as a share of the scores: 0.03 is what boxes
 * that overlap the float network's by 97 % make. Of each variant only what differs from its base is
 * run.
 */
#ifndef QUANT_TRIALS_H
#define QUANT_TRIALS_H

#include "base/env.h"
#include "base/tape.h"
#include "data/dataset.h"
#include "graph/graph.h"
#include "graph/qparams.h"

typedef struct trials trials;

typedef struct trials_input {
    const graph *original; /* the cleaned float graph: the reference */
    const dataset *images;
    int image_size;
    int n_images; /* how many of them are looked at, evenly spread over the list */
    const ptq_env *env;
    tape *kept; /* movements are kept there, and taken from there; or NULL */
} trials_input;

/* Everything in `in` is borrowed. */
PTQ_CHECKED ptq_status trials_create(const trials_input *in, trials **out, ptq_error *err);
void trials_destroy(trials *t); /* NULL allowed */

/* `g` with the plan's quantizers (NULL: none), ready for trials_run(). */
PTQ_CHECKED ptq_status trials_lower(const trials *t, const graph *g, const qplan *plan, graph **out,
                                    ptq_error *err);

/* A variant and what it was found to move. */
typedef struct trial {
    graph *g; /* lowered; trials_run() takes it over */
    double movement;
} trial;

/* Whether a run that was stopped had these results: variants need no graph then. */
bool trials_recall(const trials *t, trial *variants, int n, double *base_movement);

/* Takes over `base`, which is lowered too. All graphs are gone afterwards, also when it fails. The
 * float network runs the first time. */
PTQ_CHECKED ptq_status trials_run(trials *t, graph *base, trial *variants, int n,
                                  double *base_movement, ptq_error *err);

#endif
