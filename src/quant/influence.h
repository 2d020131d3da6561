/* SPDX-License-Identifier: Apache-2.0 */
/* quant/influence.h — what one detection is worth to a mAP.
 *
 * mAP is a step function of scores, and a mean over classes, not over images. Its derivative by the
 * weight of one more right or wrong detection of a given score is neither: summed over the
 * detections of an image it says, to first order, what this image contributes, so that two networks
 * can be compared image by image.
 */
#ifndef QUANT_INFLUENCE_H
#define QUANT_INFLUENCE_H

#include "eval/evaluator.h"

typedef struct influence influence;

/* Around the mAP@.5:.95 of these records. */
PTQ_CHECKED ptq_status influence_create(const eval_records *r, influence **out, ptq_error *err);
void influence_destroy(influence *f); /* NULL allowed */

/* The worth of `n` detections; correct[i] as match_detections(). */
double influence_sum(const influence *f, const detection *dets, const uint16_t *correct, size_t n);

#endif
