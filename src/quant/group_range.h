/* SPDX-License-Identifier: Apache-2.0 */
/* quant/group_range.h — the range of input quantizers that share one.
 *
 * It is that of the pooled values of their tensors, each tensor once; without histograms the
 * largest of their ranges; or the range that the settings fix for the group.
 */
#ifndef QUANT_GROUP_RANGE_H
#define QUANT_GROUP_RANGE_H

#include "quant/points.h"
#include "quant/ranges.h"

typedef struct group_source {
    const graph *g;
    const quant_points *points;
    const ranges *r;
} group_source;

/* The point whose descriptor decides: one with a fixed range, else one with a rule of its own, else
 * the first. PTQ_USAGE when two fixed ranges differ: both are named. */
PTQ_CHECKED ptq_status group_leader(const quant_points *points, int group, const quant_point **out,
                                    ptq_error *err);

/* scale_amax included. PTQ_DATA when a tensor has no range. */
PTQ_CHECKED ptq_status group_range(const group_source *s, int group, float *out, ptq_error *err);

/* The tensors of a group, each once, into room for points->n; and the range of any of them. */
PTQ_CHECKED ptq_status group_tensors(const group_source *s, int group, const range_tensor **tensors,
                                     int *n, ptq_error *err);
PTQ_CHECKED ptq_status group_pooled_range(const group_source *s, const range_tensor **tensors,
                                          int n, const descriptor *d, float *amax, ptq_error *err);

#endif
