/* SPDX-License-Identifier: Apache-2.0 */
/* quant/ranges.h — the result of a calibration: for every tensor a quantizer may sit on, what was
 * seen there and the range by each method.
 *
 * As a file it is the JSON of `ptq calibrate`. Files carry the histograms too, so that any
 * percentile and any sharing of scales can be decided later; a file without them still serves the
 * methods it lists.
 */
#ifndef QUANT_RANGES_H
#define QUANT_RANGES_H

#include <jansson.h>

#include "quant/calibrate_amax.h"

typedef struct range_tensor {
    char *name;
    char **layers; /* the nodes that read it */
    int n_layers;
    uint64_t n_values;
    float low; /* smallest and largest value, and 0 */
    float high;
    float amax[AMAX_METHODS]; /* 8 bits signed */
    bool has_histogram;
    histogram values;
} range_tensor;

/* The calibration after so many images (coverage.h). */
typedef struct range_step {
    int n_images;
    double moved[AMAX_METHODS]; /* since the step before; NaN for the first */
} range_step;

typedef struct ranges {
    range_tensor *items;
    int n;
    range_step *steps; /* none in what was read from a file */
    int n_steps;
    int n_images;
    int image_size;
    bool is_compat;
    double percentile; /* of amax[AMAX_PERCENTILE] */
} ranges;

/* `n` tensors without names and values. */
PTQ_CHECKED ptq_status ranges_create(int n, bool is_compat, ranges **out, ptq_error *err);
void ranges_destroy(ranges *r); /* NULL allowed */
PTQ_CHECKED ptq_status range_tensor_add_layer(range_tensor *t, const char *layer, ptq_error *err);

/* Fills every amax, low, high and n_values from the histograms. */
PTQ_CHECKED ptq_status ranges_solve(ranges *r, double percentile, int threads, ptq_error *err);

/* The tensor of that name, else the one `layer` reads, else NULL. */
const range_tensor *ranges_find(const ranges *r, const char *tensor, const char *layer);

/* {images, image_size, compat, percentile, tensors[{name, layers, low, high, amax{max, percentile,
 * entropy, mse}, count, histogram{...}}]}. NULL when out of memory. */
json_t *ranges_write_json(const ranges *r, bool with_histograms);
/* The same from a file: the object itself or a document with it under "result". Everything in it
 * is checked. */
PTQ_CHECKED ptq_status ranges_read(const char *path, ranges **out, ptq_error *err);

#endif
