/* SPDX-License-Identifier: Apache-2.0 */
/* quant/equalize.h — channels of unequal range made more equal, where the activation allows it.
 *
 * Between two convolutions with an activation f(s x) = s f(x) (LeakyReLU, ReLU, none) a channel may
 * be divided by s in the first and multiplied by s in the second: the float network stays the same,
 * a quantized one does not. SiLU does not allow it.
 */
#ifndef QUANT_EQUALIZE_H
#define QUANT_EQUALIZE_H

#include <jansson.h>

#include "data/dataset.h"
#include "quant/points.h"
#include "quant/trials.h"

/* The classic factor of a channel: sqrt(first / second), with which both ranges become equal to
 * sqrt(first * second); 1 where a range is 0. */
void equalize_factors(const float *first, const float *second, int n, float *factors);

typedef struct equalize_input {
    trials *trials;
    const quant_points *points;
    const dataset *images; /* for calibration */
    int image_size;
    const ptq_env *env;
} equalize_input;

/* Tries every pair alone, applies it to the cleaned float graph `g` and the plan where the answers
 * move less, and takes all back when the whole network then moves more. Ranges of activations stay
 * what they are. *report: [{layer, readers, movement_before, movement_after, lowest, highest}] of
 * the pairs that were changed, factors from lowest to highest; the caller's reference. */
PTQ_CHECKED ptq_status equalize(const equalize_input *in, graph *g, qplan *plan, json_t **report,
                                ptq_error *err);

#endif
