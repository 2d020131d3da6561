/* SPDX-License-Identifier: Apache-2.0 */
/* quant/keep_search.h — which layers to keep in 16 bit, one after the other.
 *
 * Layers that read one tensor flip together: as long as one of them is quantized, so is the tensor.
 * Each step leaves the group float that lowers the movement of the answers most (trials.h, on
 * calibration images), given what is kept already: what single layers
 * cost does not add up.
 */
#ifndef QUANT_KEEP_SEARCH_H
#define QUANT_KEEP_SEARCH_H

#include <jansson.h>

#include "quant/trials.h"

typedef struct keep_input {
    trials *trials;
    const graph *g; /* what is quantized: the cleaned float graph, or with recovered weights */
    const qplan *plan;
    int most;          /* layers kept at most */
    double least_gain; /* share of the movement that a step must save */
    double enough;     /* movement from which on nothing more is kept */
    const ptq_env *env;
} keep_input;

/* One step: layers that were added, and the movement with all so far. */
typedef struct keep_step {
    int first, n; /* in keep_path.entries */
    double movement;
} keep_step;

typedef struct keep_path {
    int *entries; /* of the plan, in the order they are kept */
    int n_entries;
    keep_step *steps;
    int n_steps;
    double movement; /* with nothing kept */
} keep_path;

PTQ_CHECKED ptq_status keep_search(const keep_input *in, keep_path *out, ptq_error *err);
void keep_path_clear(keep_path *p);

/* Only the first `n` steps are left. */
void keep_path_cut(keep_path *p, int n);
/* The plan without what the first `n` steps keep: quantizers are borrowed; mem_free() entries and
 * extras. */
PTQ_CHECKED ptq_status keep_path_plan(const keep_path *p, int n, const graph *g, const qplan *plan,
                                      qplan *out, ptq_error *err);
/* Takes the kept entries out of the plan, and extras that served them alone. */
void keep_path_apply(const keep_path *p, const graph *g, qplan *plan);

/* {movement, steps[{layers[names], movement}]}; NULL when out of memory. */
json_t *keep_path_write_json(const keep_path *p, const qplan *plan);

#endif
