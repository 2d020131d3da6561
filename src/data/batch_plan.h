/* SPDX-License-Identifier: Apache-2.0 */
/* data/batch_plan.h — which images go into which batch, and the size of each batch.
 *
 * YOLOv7 evaluates on rectangles: images sorted by height / width, cut into batches, each batch as
 * small as its images allow (spec: data.md §3). The order of equal ratios decides who shares a
 * batch, so the sort is numpy's.
 */
#ifndef DATA_BATCH_PLAN_H
#define DATA_BATCH_PLAN_H

#include "data/loader.h"

typedef struct batch_shape {
    int first, n; /* positions in batch_plan.order */
    int height, width;
} batch_shape;

typedef struct batch_plan {
    int *order; /* n_images indices in dataset->items */
    int n_images;
    batch_shape *batches;
    int n_batches;
} batch_plan;

PTQ_CHECKED ptq_status batch_plan_make(const dataset *d, const loader_options *options,
                                       batch_plan *out, ptq_error *err);
void batch_plan_clear(batch_plan *p);

/* numpy.argsort with its default, unstable quicksort, as in numpy 1.x without vector sorting. */
void argsort_quick(const double *values, int n, int *order);

#endif
