/* SPDX-License-Identifier: Apache-2.0 */
/* api/improve.h — between calibrating and writing: what the calibration images can still do for a
 * plan. Better ranges, fitted weights, layers that stay in 16 bit; as --effort and the budgets ask.
 */
#ifndef API_IMPROVE_H
#define API_IMPROVE_H

#include "api/quant_setup.h"
#include "base/tape.h"
#include "quant/keep_search.h"

typedef struct improve_job {
    const ptq_model *model;
    const ptq_quantize_options *options;
    quant_setup *setup; /* points of kept layers are marked */
    api_call *call;     /* reports go into its result */
    bool on_codes;      /* the target computes on unsigned codes throughout: nothing is fitted */
    tape *kept;         /* what a run that was stopped has found; or NULL */
    bool is_half;       /* the target's graphs are float16 */
    graph **recovered;  /* out: the cleaned graph with other weights, or untouched */
    graph **equalized;  /* out: that graph before its weights were fitted: float weights */
} improve_job;

PTQ_CHECKED ptq_status improve_plan(const improve_job *j, qplan *plan, ptq_error *err);

/* The accuracy and time of what a search found: fills "front" and "chosen" of the result, and cuts
 * the path back to the point that the budgets choose. */
PTQ_CHECKED ptq_status choose_point(const improve_job *j, const qplan *plan, keep_path *path,
                                    ptq_error *err);

#endif
