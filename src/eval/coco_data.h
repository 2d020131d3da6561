/* SPDX-License-Identifier: Apache-2.0 */
/* eval/coco_data.h — the ground truth of COCO's evaluation: read from an instances file, or made
 * from the labels of a data set. Spec: eval.md §8.
 *
 * Images and categories are known by index, in ascending order of their ids.
 */
#ifndef EVAL_COCO_DATA_H
#define EVAL_COCO_DATA_H

#include "base/strmap.h"
#include "data/dataset.h"

typedef struct coco_box {
    double x, y, w, h; /* left, top, width, height in pixels */
    double area;       /* of the object, not of the box */
    int image, category;
    bool is_crowd;  /* a region with many objects: detections inside are ignored */
    bool is_silent; /* its id is 0, which pycocotools takes for "not matched" */
} coco_box;

typedef struct coco_truth {
    int64_t *image_ids; /* ascending, each once */
    int n_images;
    int64_t *category_ids; /* ascending, each once */
    int n_categories;
    coco_box *boxes; /* in the file's order */
    size_t n_boxes;
    strmap *stems; /* file name without folder and suffix -> image index, -1: several images */
} coco_truth;

/* Boxes of unknown images or categories are left out, with a warning. An annotation may lack
 * `area` (then width x height), `iscrowd` (0) and `id`. */
PTQ_CHECKED ptq_status coco_truth_read(const char *path, const ptq_env *env, coco_truth **out,
                                       ptq_error *err);
/* Image i is item i, category i is class i (0 for all: single_class); area = width x height, no
 * crowds. */
PTQ_CHECKED ptq_status coco_truth_from_labels(const dataset *d, bool single_class, coco_truth **out,
                                              ptq_error *err);
void coco_truth_destroy(coco_truth *t); /* NULL allowed */

/* All categories become the first. */
void coco_truth_merge_categories(coco_truth *t);

/* Index of an image, or -1. By name: the image file with this stem, else the id the stem spells. */
int coco_truth_image(const coco_truth *t, int64_t id);
int coco_truth_image_named(const coco_truth *t, const char *stem);
int coco_truth_category(const coco_truth *t, int64_t id);

/* The number a stem of digits spells, as YOLOv7 makes image ids of file names. */
bool coco_id_of_stem(const char *stem, int64_t *id);

#endif
