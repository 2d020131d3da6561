/* SPDX-License-Identifier: Apache-2.0 */
/* eval/confusion.h — which class is taken for which: the matrix of YOLOv7's test.py --plots.
 *
 * Only detections above CONFUSION_SCORE count. Each takes the label it overlaps most, whatever its
 * class, when they overlap by more than CONFUSION_IOU; of several on one label the one that
 * overlaps most keeps it.
 */
#ifndef EVAL_CONFUSION_H
#define EVAL_CONFUSION_H

#include "data/dataset.h"
#include "eval/boxes.h"
#include "eval/evaluator.h"

#define CONFUSION_SCORE 0.25F
#define CONFUSION_IOU 0.45F

/* counts[(n + 1) * truth + found]. Row n: found where nothing is labelled; column n: not found. */
typedef struct confusion {
    int n; /* classes */
    int *counts;
} confusion;

PTQ_CHECKED ptq_status confusion_create(int n_classes, confusion *out, ptq_error *err);
void confusion_clear(confusion *c);

/* One image: detections by descending score. Those of classes beyond n are left out. */
PTQ_CHECKED ptq_status confusion_add(confusion *c, const detection *dets, int n_dets,
                                     const truth_box *truths, int n_truths, ptq_error *err);
/* All images of an evaluation on `d`. */
PTQ_CHECKED ptq_status confusion_of_records(const dataset *d, const eval_records *r, confusion *out,
                                            ptq_error *err);

#endif
