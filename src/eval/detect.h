/* SPDX-License-Identifier: Apache-2.0 */
/* eval/detect.h — from decoded predictions to detections: YOLOv7's non_max_suppression and
 * scale_coords. Spec: eval.md §2, §3.
 */
#ifndef EVAL_DETECT_H
#define EVAL_DETECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct detection {
    float x1, y1, x2, y2; /* pixels */
    float score;
    int cls;
} detection;

typedef struct nms_options {
    float conf; /* 0.001 for evaluation */
    double iou; /* 0.65 */
    bool multi_label;
    bool agnostic;
    int max_det; /* 300 */
    int max_nms; /* 30000 */
} nms_options;

typedef struct nms nms; /* scratch memory, reused between images */

PTQ_CHECKED ptq_status nms_create(nms **out, ptq_error *err);
void nms_destroy(nms *n);
/* pred [n_rows, 5+n_classes] decoded -> at most max_det detections, best first; *dets is borrowed
 * until the next call. */
PTQ_CHECKED ptq_status nms_run(nms *n, const float *pred, int n_rows, int n_classes,
                               const nms_options *options, const detection **dets, int *n_dets,
                               ptq_error *err);

#endif
