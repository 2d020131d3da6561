/* SPDX-License-Identifier: Apache-2.0 */
/* quant/map_resample.h — how much a mAP depends on which images it was measured on.
 *
 * The bootstrap: the metric is computed again on images drawn with replacement. Draw k is the same
 * for every evaluation of one data set, so that two networks are compared pairwise, draw by draw.
 */
#ifndef QUANT_MAP_RESAMPLE_H
#define QUANT_MAP_RESAMPLE_H

#include "eval/evaluator.h"

/* Fills scores[n] with mAP@.5:.95 (as eval/ap.h) on `n` draws. With n = 0 nothing is drawn. */
PTQ_CHECKED ptq_status map_resample(const eval_records *r, int n, int threads, double *scores,
                                    ptq_error *err);

/* mAP@.5:.95 when image i counts weights[i] times. */
PTQ_CHECKED ptq_status map_weighted(const eval_records *r, const int *weights, double *score,
                                    ptq_error *err);

typedef struct interval {
    double low;
    double high;
} interval;

/* The central interval that holds `confidence` of the values; sorts them. n >= 1. */
interval resample_interval(double *values, int n, double confidence);

#endif
