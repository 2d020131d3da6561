/* SPDX-License-Identifier: Apache-2.0 */
/* quant/range_search.h — the range of each activation that moves the network's answers least.
 *
 * Every group of tensors that share a range is quantized alone, with the ranges that all methods
 * give and with some around the present one; the error is measured where it counts, at the outputs.
 */
#ifndef QUANT_RANGE_SEARCH_H
#define QUANT_RANGE_SEARCH_H

#include <jansson.h>

#include "quant/points.h"
#include "quant/ranges.h"
#include "quant/trials.h"

typedef struct range_input {
    trials *trials;
    const graph *g; /* the cleaned float graph */
    const quant_points *points;
    const ranges *ranges;
    const quant_options *options;
    const ptq_env *env;
} range_input;

/* Changes input ranges of the plan that was built of these. Ranges that are fixed, or whose method
 * is, by quant.yaml stay. *report: [{layer, amax_before, amax_after, movement_before,
 * movement_after}] of those that changed; the caller's reference. */
PTQ_CHECKED ptq_status range_search(const range_input *in, qplan *plan, json_t **report,
                                    ptq_error *err);

#endif
