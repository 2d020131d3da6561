/* SPDX-License-Identifier: Apache-2.0 */
/* quant/causes.h — why a layer loses: what its ranges, channels and weights look like, what could
 * be done about it, and what that is predicted to bring.
 *
 * The prediction is the signal-to-noise ratio of the layer's operands: that of its input, quantized
 * (from the histogram), and of its weight, as if their noise added up. It is computed, not run;
 * what a decibel is worth at the outputs differs from layer to layer.
 */
#ifndef QUANT_CAUSES_H
#define QUANT_CAUSES_H

#include <jansson.h>

#include "base/env.h"
#include "data/dataset.h"
#include "graph/qparams.h"
#include "quant/points.h"
#include "quant/ranges.h"

enum { CAUSES_LAYERS = 10 };

/* Everything is borrowed. */
typedef struct cause_job {
    const graph *g;        /* the cleaned float graph */
    const graph *deployed; /* with the weights that are quantized; NULL: g */
    const quant_points *points;
    const ranges *r;
    const qplan *plan;     /* the ranges in use */
    const dataset *images; /* a few of them are run to see channels; NULL: channels stay unknown */
    int image_size;
    const char *const
        *layers;         /* layers, or blocks of them, of which the noisiest layer is taken; */
    const double *drops; /* and what each costs, or NULL */
    int n_layers;        /* 0: the noisiest of all */
    const ptq_env *env;
} cause_job;

/* [{layer, tensor, sqnr_db, input_sqnr_db, weight_sqnr_db, amax, clipped_share, shared_with,
 * channels{n, ratio, dead, outlier} or null, findings[{cause, value, remedy, gain_db, gain}]}];
 * findings by gain, after those that can be remedied in 8 bits the plain fact that input or weights
 * are coarse. `gain` is the share of the drop that the noise taken away stands for. The caller's
 * reference. */
PTQ_CHECKED ptq_status causes_find(const cause_job *job, json_t **out, ptq_error *err);

#endif
