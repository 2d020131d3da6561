/* SPDX-License-Identifier: Apache-2.0 */
/* eval/boxes.h — from the pixels of the network's input back to those of the image file:
 * YOLOv7's scale_coords with ratio_pad, for detections and for labels. Spec: eval.md §3, §4.
 *
 * Labels take the long way of the original (fractions -> letterboxed pixels -> fractions of the
 * padded image -> pixels -> image), in float32 with its roundings, because a detection may lie
 * within an ulp of an IoU threshold.
 */
#ifndef EVAL_BOXES_H
#define EVAL_BOXES_H

#include "data/dataset.h"
#include "data/picture.h"
#include "eval/detect.h"

/* A labelled box in pixels of the image. */
typedef struct truth_box {
    float x1, y1, x2, y2;
    int cls;
} truth_box;

/* In place: minus the padding, divided by the height's ratio (for x too), clipped to the image. */
void boxes_to_image(detection *dets, int n, const placement *place);

/* The labels of an image that was placed in an input of padded_width x padded_height. */
void boxes_of_labels(const label *labels, int n, const placement *place, int padded_width,
                     int padded_height, truth_box *out);

/* Intersection over union in float32; NaN when both boxes are empty. */
float boxes_iou(const detection *a, const truth_box *b);

#endif
