/* SPDX-License-Identifier: Apache-2.0 */
/* eval/coco_eval.h — pycocotools' COCOeval for boxes: its twelve numbers, to the last digits.
 * Spec: eval.md §8.
 *
 * One category after the other: match within each image, for every area range and overlap at once;
 * then order the category's detections by score and follow the precision. Categories are
 * independent and run in parallel; the result does not depend on the number of threads.
 */
#ifndef EVAL_COCO_EVAL_H
#define EVAL_COCO_EVAL_H

#include "eval/coco_data.h"

typedef struct coco_det {
    double x, y, w, h, score;
    int image, category; /* indices of the truth */
} coco_det;

typedef struct coco_input {
    const coco_truth *truth;
    const coco_det *dets; /* in the file's order, which decides between equal scores */
    size_t n_dets;
    const bool *is_judged; /* per image of the truth; NULL: all of them */
    int threads;           /* 0: 1 */
} coco_input;

/* Fractions; -1 where nothing is to be found (no object of that size). */
typedef struct coco_scores {
    double ap, ap50, ap75, ap_small, ap_medium, ap_large;
    double ar1, ar10, ar100, ar_small, ar_medium, ar_large;
} coco_scores;

PTQ_CHECKED ptq_status coco_evaluate(const coco_input *in, coco_scores *out, ptq_error *err);

#endif
