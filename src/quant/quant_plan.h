/* SPDX-License-Identifier: Apache-2.0 */
/* quant/quant_plan.h — points and ranges become a filled qplan, ready for pass_insert_qdq(). */
#ifndef QUANT_QUANT_PLAN_H
#define QUANT_QUANT_PLAN_H

#include "graph/qparams.h"
#include "quant/points.h"
#include "quant/ranges.h"

/* Inputs: the range of the pooled values of a group's tensors (without histograms: the largest of
 * their ranges), or the group's fixed amax. Weights: max |w| per output channel unless the settings
 * say otherwise. PTQ_USAGE when two fixed ranges meet in one group, PTQ_DATA when a tensor has no
 * range or a weight is not finite. Clear *out with quant_plan_clear(). */
PTQ_CHECKED ptq_status quant_plan_build(const graph *g, const quant_points *points, const ranges *r,
                                        const quant_options *options, qplan *out, ptq_error *err);
void quant_plan_clear(qplan *plan);

/* [{layer, op, input{num_bits, amax, scale ...}, weight{...}}], extras with their input's number.
 * NULL when out of memory. */
json_t *quant_plan_write_json(const graph *g, const qplan *plan);

#endif
