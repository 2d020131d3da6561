/* SPDX-License-Identifier: Apache-2.0 */
/* api/timing.h — how long a session takes. */
#ifndef API_TIMING_H
#define API_TIMING_H

#include <jansson.h>

#include "base/env.h"
#include "engine/session.h"

/* A picture of noise in [0,1), the same for every run and every peer: a 32-bit congruential
 * sequence. mem_free(out->data). */
PTQ_CHECKED ptq_status noise_input(const shape *s, tensor_view *out, ptq_error *err);

typedef struct run_times {
    int n;                                   /* in: how many runs */
    double min, median, mean, p90, p99, max; /* ms */
} run_times;

/* Three runs warm up, then t->n are timed one by one. */
PTQ_CHECKED ptq_status time_runs(session *s, const tensor_view *input, const ptq_env *env,
                                 run_times *t, ptq_error *err);
json_t *run_times_json(const run_times *t); /* {min, median, mean, p90, p99, max} */

#endif
