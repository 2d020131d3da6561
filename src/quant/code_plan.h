/* SPDX-License-Identifier: Apache-2.0 */
/* quant/code_plan.h — ranges of tensors in codes: unsigned, from the smallest to the largest value,
 * with a zero point.
 *
 * What is seldom below zero (every SiLU ends at -0.28) keeps nearly all 256 codes for what is
 * above, twice as fine as a symmetric range.
 */
#ifndef QUANT_CODE_PLAN_H
#define QUANT_CODE_PLAN_H

#include "graph/qparams.h"
#include "quant/code_tensors.h"
#include "quant/ranges.h"

typedef struct code_plan_job {
    const graph *g;
    const quant_points *points;
    const code_tensors *codes;
    const ranges *ranges;
    const quant_options *options; /* method and percentile, where no point decides */
} code_plan_job;

/* The name of a tensor whose range no point fixes, so that images have to tell it; NULL: there is
 * none. */
const char *code_plan_unknown(const code_plan_job *job);

/* Completes a plan made by quant_plan_build(): a quantizer per code tensor, the same at the inputs
 * of the layers, integer biases. PTQ_UNSUPPORTED for settings that 8-bit codes do not have,
 * PTQ_DATA when a tensor has no range. */
PTQ_CHECKED ptq_status code_plan_complete(const code_plan_job *job, qplan *plan, ptq_error *err);

#endif
