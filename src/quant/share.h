/* SPDX-License-Identifier: Apache-2.0 */
/* quant/share.h — which quantizers share one range.
 *
 * A quantizer moves back through Concat, MaxPool, nearest Resize, Slice, Split, Reshape and
 * Transpose to whatever computes the values, and there it is one with others only when the scales
 * are equal (algorithms.md §4.3, §5). So all tensors that such nodes join are one set, also those
 * without a quantizer of their own, and the quantizers in a set get one range. Not with each other:
 * quantizers of different formats or with several ranges, and what the head decodes.
 */
#ifndef QUANT_SHARE_H
#define QUANT_SHARE_H

#include "quant/points.h"

/* Fills `group` of every point and n_groups. When sharing is off every point is alone. */
PTQ_CHECKED ptq_status share_groups(const graph *g, const quant_config *config,
                                    const quant_options *options, quant_points *points,
                                    ptq_error *err);

#endif
