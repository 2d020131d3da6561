/* SPDX-License-Identifier: Apache-2.0 */
/* quant/half_plan.h — scales as float16 holds them, for runtimes whose graphs are float16.
 *
 * Codes are made with the scale the file will say, so every range becomes that of its rounded
 * scale. Scales of weights have four significant bits: with a code's seven that makes the eleven
 * of float16, so that a weight is the same number where codes are multiplied and where a runtime
 * makes float16 values of them first. A scale below the smallest normal float16 (6.1e-5) would lose
 * its precision, and below 6e-8 become 0, which TensorRT refuses: such ranges are widened, which
 * the caller should report.
 */
#ifndef QUANT_HALF_PLAN_H
#define QUANT_HALF_PLAN_H

#include <jansson.h>

#include "base/error.h"
#include "graph/qparams.h"

/* The smallest number of four significant bits that is not below `scale` > 0. */
float half_weight_scale(float scale);

/* *widened: [{layer, quantizer: "input"|"weight", scales, smallest_scale, levels}] of the
 * quantizers whose ranges were widened; `levels` codes on each side are left to the narrowest
 * channel. PTQ_UNSUPPORTED when a scale is above the largest float16. */
PTQ_CHECKED ptq_status half_plan_round(qplan *plan, json_t **widened, ptq_error *err);

#endif
