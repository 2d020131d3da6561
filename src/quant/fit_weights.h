/* SPDX-License-Identifier: Apache-2.0 */
/* quant/fit_weights.h — the 8-bit weights of a convolution that come closest to its float output,
 * given that its input is quantized.
 *
 * In two steps, both from second moments of the input (patch_stats.h):
 *  1. Codes by successive rounding: each rounding error is made up for by the weights still to be
 *     rounded, as the inputs are correlated (Frantar et al., "GPTQ", 2022; the nearest-plane
 *     method), for several ranges per output channel, of which the best is kept.
 *  2. The bias that makes the mean output right (fast bias correction).
 * Weights are not made smaller where the input is noisy: the squared error at the layer falls, but
 * true values shrink too, and the network's answers move more (docs/accuracy.md).
 */
#ifndef QUANT_FIT_WEIGHTS_H
#define QUANT_FIT_WEIGHTS_H

#include "quant/patch_stats.h"

typedef struct fitted_weights {
    int rows, size;
    float *weight; /* [rows, size]: codes x scale */
    float *amax;   /* [rows]: scale x 127 */
    float *shift;  /* [rows]: to be added to the bias */
    /* mean squared error of the output, over the CHECK images, per output value: of rounding to
     * the nearest code with ranges `amax_before`, and of these weights */
    double error_before, error_after;
} fitted_weights;

typedef struct fit_input {
    const patch_layer *stats;
    const float *weight;      /* [rows, size] */
    const float *amax_before; /* [rows] */
    int rows;
    int num_bits; /* of the weights */
    bool is_half; /* scales as half_plan.h wants them */
} fit_input;

PTQ_CHECKED ptq_status fit_weights(const fit_input *in, fitted_weights *out, ptq_error *err);
void fitted_weights_clear(fitted_weights *f);

#endif
