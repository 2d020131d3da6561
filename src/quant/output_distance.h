/* SPDX-License-Identifier: Apache-2.0 */
/* quant/output_distance.h — how far two networks' answers to one image are apart, continuously.
 *
 * Scores: the sum over boxes and classes of the squared difference of objectness x class. Boxes:
 * one minus the overlap of the two boxes, weighted by the float network's score. A detection that
 * counts moves the sum by up to 1 either way; thousands of boxes without an object by nothing.
 */
#ifndef QUANT_OUTPUT_DISTANCE_H
#define QUANT_OUTPUT_DISTANCE_H

#include "eval/detect.h"

/* Predictions of the same image by the float network and another. */
double output_distance(const predictions *reference, const predictions *other);

/* The sum over boxes of the best class's score: what a network that finds other boxes at the same
 * places would be away. */
double output_score(const predictions *p);

#endif
