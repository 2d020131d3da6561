/* SPDX-License-Identifier: Apache-2.0 */
/* quant/coverage.h — how ranges move with the number of calibration images, and when to stop.
 *
 * Whenever the number of images has doubled, every range is solved and held against the one before.
 * Ranges have settled when nine of ten tensors move little while the images double.
 */
#ifndef QUANT_COVERAGE_H
#define QUANT_COVERAGE_H

#include "quant/ranges.h"

typedef struct coverage {
    ranges *r; /* borrowed */
    double percentile;
    int threads;
    float *before; /* [r->n][AMAX_METHODS], of the last step */
    int seen, next;
} coverage;

PTQ_CHECKED ptq_status coverage_begin(coverage *c, ranges *r, double percentile, int threads,
                                      ptq_error *err);
/* Whether coverage_add() of so many would look at the histograms. */
bool coverage_is_due(const coverage *c, int n_images);
/* The histograms hold `n_images` more. */
PTQ_CHECKED ptq_status coverage_add(coverage *c, int n_images, ptq_error *err);
/* Solves the ranges for good. */
PTQ_CHECKED ptq_status coverage_end(coverage *c, ptq_error *err);
void coverage_clear(coverage *c);

/* {method, steps[{images, moved{max, percentile, entropy, mse}}], settled, enough}: `moved` is how
 * far nine of ten tensors moved at most since the step before, as a fraction; `enough` the images
 * from which on they moved little, null while they have not settled. NULL without steps. */
json_t *coverage_write_json(const ranges *r, amax_method method);

#endif
