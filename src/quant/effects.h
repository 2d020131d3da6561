/* SPDX-License-Identifier: Apache-2.0 */
/* quant/effects.h — what a change of one layer does to the network's answers, image by image.
 *
 * The baseline (the float network, or in the mode "all-but" the quantized one) runs once over all
 * images. After that any image can be taken up and any unit measured on it: only what comes behind
 * the unit runs, from tensors the baseline keeps for that image. Images come in an order that is
 * drawn, so that the first n of them are a fair sample.
 */
#ifndef QUANT_EFFECTS_H
#define QUANT_EFFECTS_H

#include "quant/sensitivity_units.h"

typedef struct effect {
    double change; /* of the metric (mAP, fidelity) that this image contributes, to first order */
    double noise;  /* sum of squares: raw outputs minus the float network's */
    double harm;   /* how far scores and boxes moved from the float network's; the baseline's
                      own harm is taken off in the mode "all-but" */
    double cost;   /* work done, in runs of the whole network */
} effect;

typedef struct effects effects;

typedef struct effects_input {
    const sensitivity_job *job;
    const sensitivity_options *options;
    const unit_list *units;
    const ptq_env *env;
    int max_images; /* how many may be taken up */
} effects_input;

/* Runs the baseline. */
PTQ_CHECKED ptq_status effects_create(const effects_input *in, effects **out, ptq_error *err);
void effects_destroy(effects *e); /* NULL allowed */

double effects_baseline(const effects *e); /* the metric; not for SENSITIVITY_SQNR */
int effects_n_images(const effects *e);    /* that can be taken up */
/* Takes up image `i` and measures `n` units on it. signal: sum of squares of the float network's
 * raw outputs; base_noise: the baseline's noise. */
typedef struct image_effects {
    double signal, base_noise;
    effect whole;  /* of all units at once */
    effect *units; /* n */
} image_effects;
PTQ_CHECKED ptq_status effects_measure(effects *e, int image, const int *units, int n,
                                       image_effects *out, ptq_error *err);

#endif
