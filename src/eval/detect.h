/* SPDX-License-Identifier: Apache-2.0 */
/* eval/detect.h — from decoded predictions to detections: YOLOv7's non_max_suppression.
 * Spec: eval.md §2. Boxes are mapped back to the image by eval/boxes.h.
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

/* What the network says about one image. */
typedef struct predictions {
    const float
        *rows; /* [n_rows, 5 + n_classes]: centre x, y, width, height, objectness, classes */
    int n_rows;
    int n_classes;
} predictions;

typedef struct nms_options {
    float conf;       /* lowest score that counts, exclusive: 0.001 for evaluation */
    double iou;       /* more overlap than this suppresses: 0.65; at least 0 */
    bool multi_label; /* a box may count for several classes (evaluation), not only its best */
    bool agnostic;    /* boxes of different classes suppress each other */
    int max_det;      /* 300 */
    int max_nms;      /* 30000: candidates beyond, by score, are dropped first */
} nms_options;

/* YOLOv7's evaluation: 0.001, 0.65, multi-label, 300, 30000. */
nms_options nms_options_evaluation(void);

typedef struct nms nms; /* scratch memory, reused between images; one per thread */

PTQ_CHECKED ptq_status nms_create(nms **out, ptq_error *err);
void nms_destroy(nms *n); /* NULL allowed */
/* At most max_det detections, best first; boxes in the pixels of the network's input. *dets is
 * borrowed until the next call. */
PTQ_CHECKED ptq_status nms_run(nms *n, const predictions *p, const nms_options *options,
                               const detection **dets, int *n_dets, ptq_error *err);

#endif
