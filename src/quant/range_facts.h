/* SPDX-License-Identifier: Apache-2.0 */
/* quant/range_facts.h — what a person wants to see of a layer's ranges: the values' histogram,
 * where each method clips it, the noise that costs, and how far the weight's channels lie apart.
 */
#ifndef QUANT_RANGE_FACTS_H
#define QUANT_RANGE_FACTS_H

#include "quant/points.h"
#include "quant/ranges.h"

/* Signal to noise of a symmetric quantizer of 8 bits with this range, in dB, from the histogram;
 * NaN without values. */
double range_sqnr_db(const histogram *h, float amax, int num_bits);

/* [{name, op, tensor, group, shared_with, kept, values, low, high, amax{}, sqnr_db{},
 * histogram{max, counts[]}, weight_amax[]}] of the points, in execution order. NULL
 * when out of memory. */
json_t *range_facts_write_json(const graph *g, const quant_points *points, const ranges *r);

#endif
