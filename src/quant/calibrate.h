/* SPDX-License-Identifier: Apache-2.0 */
/* quant/calibrate.h — one pass over the images: every tensor that a quantizer may read is watched,
 * and its values are counted.
 *
 * With exact histograms the result depends only on the images and the model: not on their order,
 * the batch size or (beyond the engine's own float32 rounding) the thread count.
 */
#ifndef QUANT_CALIBRATE_H
#define QUANT_CALIBRATE_H

#include "data/dataset.h"
#include "quant/code_tensors.h"
#include "quant/points.h"
#include "quant/ranges.h"

/* What is calibrated with which images; everything is borrowed. */
typedef struct calibrate_job {
    const graph *g;             /* the cleaned float graph */
    const quant_points *points; /* its points */
    dataset *data;              /* `shuffle` puts its items in another order */
    const code_tensors *codes;  /* further tensors to watch; or NULL */
} calibrate_job;

typedef struct calibrate_options {
    bool is_compat;      /* bins as pytorch-quantization grows them, batch by batch */
    double percentile;   /* of the table in the result */
    int image_size;      /* images are letterboxed to a square of this size */
    int batch_size;      /* 4; compat ranges depend on it, exact ones do not */
    int n_images;        /* 0: all */
    bool shuffle;        /* draw n_images by env->seed */
    const char *partial; /* what is counted is kept there now and then, and the same call goes on
                            from it; whoever has no more use for it removes it. Or NULL. One rank
                            only */
} calibrate_options;

void calibrate_options_init(calibrate_options *o);

/* Watches the tensors of all points, also of those that stay float, so that the result serves any
 * later settings. A tensor read by several layers is watched once. PTQ_DATA when there are no
 * images, or when a tensor is not finite (the message names it). */
PTQ_CHECKED ptq_status calibrate(const calibrate_job *job, const calibrate_options *options,
                                 const ptq_env *env, ranges **out, ptq_error *err);

#endif
