/* SPDX-License-Identifier: Apache-2.0 */
/* quant/fit.h — ranges that histograms cannot tell, found by running images once more.
 *
 *  - a range per slice (axis) of an input: the largest |x| of each slice;
 *  - learn_amax, which the original learns in training: the range with which the layer's output
 *    differs least from the float one on calibration images, all other quantizers off. Candidates
 *    lie between the largest |x| and 1/13 of it, 4 % apart at the end; the calibrated range is one.
 *    Quantizers that share a range get the one with the smallest sum of their layers' errors, each
 *    relative to the layer's output.
 */
#ifndef QUANT_FIT_H
#define QUANT_FIT_H

#include <jansson.h>

#include "data/dataset.h"
#include "quant/points.h"
#include "quant/ranges.h"

/* How many of the calibration images are run at most. */
enum { FIT_IMAGES = 32 };

/* Everything is borrowed; the ranges found become fixed ones of `points`. */
typedef struct fit_job {
    const graph *g;
    quant_points *points;
    const ranges *r; /* calibrated ranges, for the candidates */
    const dataset *data;
    int image_size;
    int batch_size;
    int n_images; /* at most; FIT_IMAGES at most */
} fit_job;

/* The layer of a quantizer that needs it, or NULL when none does. */
const char *fit_needed_by(const quant_points *points);

/* *report becomes [{layers[], role, amax, error, calibrated_amax, calibrated_error}] of what was
 * learned: the squared error of the outputs relative to their squares. PTQ_USAGE when one range is
 * fixed for one layer and learned for another. */
PTQ_CHECKED ptq_status fit_ranges(const fit_job *job, const ptq_env *env, json_t **report,
                                  ptq_error *err);

/* The two halves of it. */
PTQ_CHECKED ptq_status fit_slices(const fit_job *job, const ptq_env *env, ptq_error *err);
PTQ_CHECKED ptq_status fit_learned(const fit_job *job, const ptq_env *env, json_t *report,
                                   ptq_error *err);

#endif
