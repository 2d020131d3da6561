/* SPDX-License-Identifier: Apache-2.0 */
/* quant/recover.h — accuracy back, from calibration images alone: better ranges, weights and
 * biases than the default ones, each kept only where the measured error falls.
 */
#ifndef QUANT_RECOVER_H
#define QUANT_RECOVER_H

#include "base/tape.h"
#include "data/dataset.h"
#include "graph/qparams.h"
#include "quant/points.h"

typedef struct recover_input {
    const quant_points *points;
    const dataset *images; /* for calibration */
    int image_size;
    int n_images;      /* that patches are looked at in */
    bool is_half;      /* scales of weights as half_plan.h wants them */
    size_t most_bytes; /* for the moments of a layer: the time grows with their power 1.5 */
    const ptq_env *env;
    tape *kept; /* fitted layers are kept there, and taken from there; or NULL */
} recover_input;

/* Changes weights and biases of the cleaned float graph `g` and ranges of the plan. *report:
 * [{layer, error_before, error_after, kept}], error the mean squared error of the layer's output;
 * the caller's reference. */
PTQ_CHECKED ptq_status recover_weights(const recover_input *in, graph *g, qplan *plan,
                                       json_t **report, ptq_error *err);

#endif
