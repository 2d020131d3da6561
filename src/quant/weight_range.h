/* SPDX-License-Identifier: Apache-2.0 */
/* quant/weight_range.h — the ranges of a weight, one per output channel or one for all. */
#ifndef QUANT_WEIGHT_RANGE_H
#define QUANT_WEIGHT_RANGE_H

#include "graph/tensor.h"
#include "quant/descriptor.h"

/* Fills amax[slices_count()]: a range per slice along `axes`, or one. `weight` is a float32
 * constant. Max, or percentile, entropy and mse on a histogram of each slice with 2048 bins over
 * [0, max|w|] (algorithms.md §2.6). PTQ_DATA when a weight is not finite. */
PTQ_CHECKED ptq_status weight_range(const tensor *weight, const descriptor *d, uint32_t axes,
                                    float *amax, ptq_error *err);

#endif
