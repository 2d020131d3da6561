/* SPDX-License-Identifier: Apache-2.0 */
/* quant/patch_stats.h — second moments of what convolutions see: the patches under their kernels,
 * quantized, over calibration images.
 *
 * Patches are drawn mostly from inside the boxes that the float network detects: the background
 * covers most of a picture and decides nothing. With them the error of any weights at a layer's
 * output is a quadratic form: nothing has to be run to compare roundings. Every fourth image is set
 * apart (CHECK), so that what was fitted on the others can be judged on images it has not seen.
 */
#ifndef QUANT_PATCH_STATS_H
#define QUANT_PATCH_STATS_H

#include "base/env.h"
#include "data/dataset.h"
#include "graph/graph.h"

enum { PATCH_FIT, PATCH_CHECK, PATCH_SETS };

/* Sums over the sampled patches of one set. x: a patch, quantized; f: as it was; e = x - f. The
 * order of a patch is that of a row of the weight: channel, y, x. */
typedef struct patch_sums {
    double n;
    float *xx;  /* [size, size], the upper triangle: x x' */
    float *ex;  /* [size, size]: e x', of CHECK alone. Not diagonal: where a picture is flat,
                   rounding errs the same way everywhere */
    double *x;  /* [size] */
    double *f;  /* [size] */
    double *we; /* [rows of the weight]: (W e)^2, of CHECK alone */
} patch_sums;

/* One convolution and the range of its input quantizer. */
typedef struct patch_layer {
    node_id node;
    float amax;
    int size; /* values in a patch */
    int rows; /* output channels */
    patch_sums sums[PATCH_SETS];
} patch_layer;

typedef struct patch_input {
    const graph *g; /* the cleaned float graph */
    const dataset *images;
    int image_size;
    int n_images; /* at most */
    const ptq_env *env;
} patch_input;

/* Fills size and sums of `n` layers in one pass over the images; patch_layer_clear() them. */
PTQ_CHECKED ptq_status patch_stats_collect(const patch_input *in, patch_layer *layers, int n,
                                           ptq_error *err);
void patch_layer_clear(patch_layer *l);

/* Bytes that the sums of a layer take; SIZE_MAX when its convolution is not of the plain kind (one
 * group, constant weight). */
size_t patch_stats_bytes(const graph *g, node_id id);

#endif
