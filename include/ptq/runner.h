/* SPDX-License-Identifier: Apache-2.0 */
/* ptq/runner.h — a network on the caller's tensors and frames; no files.
 *
 *     ptq_runner *r;
 *     ptq_status st = ptq_runner_create(model, NULL, NULL, &r, &err);
 *     if (st != PTQ_OK)
 *         return st;
 *     const ptq_detection *found;
 *     int n;
 *     while (next_frame(&frame))
 *         if (ptq_runner_detect(r, &frame, NULL, &found, &n, &err) == PTQ_OK)
 *             for (int i = 0; i < n; i++)
 *                 printf("%s %.2f\n", ptq_model_class(model, found[i].cls), found[i].score);
 *     ptq_runner_destroy(r);
 *
 * A model with Q/DQ runs as integers unless `precision` says otherwise. Weights are packed at the
 * first run of an input size; those after it allocate nothing in the network. One call at a time
 * per runner; several runners of one model may run side by side.
 */
#ifndef PTQ_RUNNER_H
#define PTQ_RUNNER_H

#include <stdint.h>

#include "ptq/env.h"
#include "ptq/error.h"
#include "ptq/export.h"
#include "ptq/image.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ptq_model ptq_model;

typedef enum ptq_precision {
    PTQ_PRECISION_AUTO, /* int8 for a Q/DQ model, else fp32 */
    PTQ_PRECISION_FP32, /* a Q/DQ model is simulated */
    PTQ_PRECISION_FP16, /* simulated */
    PTQ_PRECISION_BF16,
    PTQ_PRECISION_INT8
} ptq_precision;

enum { PTQ_MAX_DIMS = 8 };

/* Dense row-major values (NCHW for images). */
typedef struct ptq_tensor {
    const char *name; /* ignored in an input */
    const float *data;
    int64_t dims[PTQ_MAX_DIMS];
    int rank;
} ptq_tensor;

/* Sees a tensor right after it was computed; it is gone afterwards. From the calling thread. */
typedef void ptq_observe_fn(void *user, const ptq_tensor *tensor);

typedef struct ptq_runner_options {
    ptq_precision precision;
    const char *const *watch; /* names of tensors to observe, NULL-terminated, the network's input
                                 among them if it is wanted ('ptq info --nodes' lists them); or
                                 NULL. What is watched is not fused away: it costs time */
    ptq_observe_fn *observe;
    void *user;
} ptq_runner_options;

typedef struct ptq_runner ptq_runner;

/* `options` and `env` may be NULL. The model must outlive the runner, and is not changed by it. */
PTQ_API ptq_status ptq_runner_create(ptq_model *m, const ptq_runner_options *options,
                                     const ptq_env *env, ptq_runner **out, ptq_error *err);
PTQ_API_VOID void ptq_runner_destroy(ptq_runner *r); /* NULL allowed */

/* One forward. PTQ_SHAPE: not what a file with a fixed input takes. */
PTQ_API ptq_status ptq_runner_run(ptq_runner *r, const ptq_tensor *input, ptq_error *err);
PTQ_API_VOID int ptq_runner_n_outputs(const ptq_runner *r);
/* Output i of the last run; its values live until the next one. PTQ_USAGE: nothing was run yet. */
PTQ_API ptq_status ptq_runner_output(ptq_runner *r, int i, ptq_tensor *out, ptq_error *err);

/* A box in pixels of the frame. */
typedef struct ptq_detection {
    float x1, y1, x2, y2;
    float score;
    int cls;
} ptq_detection;

typedef struct ptq_detect_rules {
    int image_size; /* 640; a file with a fixed input has its own */
    double conf;    /* 0.25 */
    double iou;     /* 0.45 */
} ptq_detect_rules;

/* The frame letterboxed to a square, run, and its boxes found as `ptq detect` does; best first.
 * `rules` may be NULL. *found lives until the next call. */
PTQ_API ptq_status ptq_runner_detect(ptq_runner *r, const ptq_image *frame,
                                     const ptq_detect_rules *rules, const ptq_detection **found,
                                     int *n, ptq_error *err);

#ifdef __cplusplus
}
#endif
#endif
