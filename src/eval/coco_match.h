/* SPDX-License-Identifier: Apache-2.0 */
/* eval/coco_match.h — COCOeval's computeIoU and evaluateImg: the detections of one category in one
 * image against its boxes, for all overlaps and area ranges. Inner part of coco_eval.
 */
#ifndef EVAL_COCO_MATCH_H
#define EVAL_COCO_MATCH_H

#include "eval/coco_eval.h"
#include "eval/radix_sort.h"

enum { COCO_OVERLAPS = 10, COCO_AREAS = 4, COCO_MAX_DETS = 100 };

/* Bit t of each: at overlap t. */
typedef struct coco_flags {
    uint16_t matched[COCO_AREAS];
    uint16_t ignored[COCO_AREAS];
} coco_flags;

/* Scratch of one thread, for images with at most n_boxes boxes of a category. */
typedef struct coco_matcher {
    double *ious; /* [detection, box] */
    int *order;   /* boxes, the ignored ones last */
    bool *ignored;
    uint16_t *taken;
} coco_matcher;

PTQ_CHECKED ptq_status coco_matcher_init(coco_matcher *m, size_t n_boxes, ptq_error *err);
void coco_matcher_clear(coco_matcher *m);

/* Items give the indices of the image's boxes and of its best COCO_MAX_DETS detections at most, in
 * order. n_wanted[a] grows by the boxes that count in area range a. */
typedef struct coco_group {
    const coco_box *all_boxes;
    const coco_det *all_dets;
    const sort_item *boxes, *dets;
    size_t n_boxes, n_dets;
} coco_group;

void coco_match(coco_matcher *m, const coco_group *g, coco_flags *flags,
                size_t n_wanted[COCO_AREAS]);

#endif
