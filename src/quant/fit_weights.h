/* SPDX-License-Identifier: Apache-2.0 */
/* quant/fit_weights.h — the 8-bit weights of a convolution that come closest to its float output,
 * given that its input is quantized.
 *
 * In three steps, all from second moments of the input (patch_stats.h):
 *  1. The float weights that fit best, or the given ones where that does not hold on CHECK images:
 * rounding noise of the input that the data does not share is suppressed (a Wiener filter): W* = W
 * - W E[e x'] E[x x']^-1.
 *  2. Codes by successive rounding: each rounding error is made up for by the weights still to be
 *     rounded, as the inputs are correlated (Frantar et al., "GPTQ", 2022; the nearest-plane
 *     method), for several ranges per output channel, of which the best is kept.
 *  3. The bias that makes the mean output right (fast bias correction).
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
} fit_input;

PTQ_CHECKED ptq_status fit_weights(const fit_input *in, fitted_weights *out, ptq_error *err);
void fitted_weights_clear(fitted_weights *f);

#endif
