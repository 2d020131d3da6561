/* SPDX-License-Identifier: Apache-2.0 */
/* quant/share.h — which quantizers share one range.
 *
 * A quantizer can move through Concat, MaxPool, nearest Resize, Slice, Split, Reshape and Transpose
 * only when the scales on both sides are equal (algorithms.md §4.3, §5). So tensors get one range
 * when both carry a quantizer and nothing but such nodes lies between; this is transitive. Not with
 * each other: quantizers of different formats or with several ranges, and what the head decodes.
 */
#ifndef QUANT_SHARE_H
#define QUANT_SHARE_H

#include "quant/points.h"

/* Fills `group` of every point and n_groups. When sharing is off every point is alone. */
PTQ_CHECKED ptq_status share_groups(const graph *g, const quant_config *config,
                                    const quant_options *options, quant_points *points,
                                    ptq_error *err);

#endif
