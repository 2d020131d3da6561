/* SPDX-License-Identifier: Apache-2.0 */
/* quant/deploy.h — what quantizers may say that a runtime cannot do.
 *
 * Every descriptor can be simulated; a file for a target is refused with the reason, instead of one
 * that the runtime would refuse later, or run in float (algorithms.md §4.1).
 */
#ifndef QUANT_DEPLOY_H
#define QUANT_DEPLOY_H

#include "quant/points.h"
#include "quant/target.h"

/* PTQ_UNSUPPORTED names the first layer, its quantizer, the reason and the way out. */
PTQ_CHECKED ptq_status deploy_check(const graph *g, const quant_points *points,
                                    const quant_target *target, ptq_error *err);

#endif
