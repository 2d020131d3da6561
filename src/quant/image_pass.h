/* SPDX-License-Identifier: Apache-2.0 */
/* quant/image_pass.h — a float network run over images while inner tensors are watched. */
#ifndef QUANT_IMAGE_PASS_H
#define QUANT_IMAGE_PASS_H

#include "data/dataset.h"
#include "data/loader.h"
#include "engine/engine.h"
#include "quant/histogram.h"

/* Everything is borrowed. */
typedef struct image_pass {
    const graph *g;
    const char *const *taps; /* names of the watched tensors; NULL-terminated */
    engine_tap_fn *tap;
    /* Called with every batch before it runs; may be NULL. */
    ptq_status (*before)(void *user, const tensor_view *images, ptq_error *err);
    /* Called after it ran: what the taps have to say. */
    ptq_status (*after)(void *user, ptq_error *err);
    void *user;
    const dataset *data;
    int n_images;   /* at most */
    int image_size; /* letterboxed to a square of this size */
    int batch_size;
    const char *what; /* for the progress */
} image_pass;

/* *n_done is the number of images that were run. */
PTQ_CHECKED ptq_status image_pass_run(const image_pass *p, const ptq_env *env, int *n_done,
                                      ptq_error *err);

/* The number of images a graph with a fixed input takes at a time; 0: any. */
int image_pass_fixed_batch(const graph *g);

/* The values of a tap as histograms take them. */
value_rows image_pass_rows(const tap_view *v);

#endif
