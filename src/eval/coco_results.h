/* SPDX-License-Identifier: Apache-2.0 */
/* eval/coco_results.h — COCO results files: lists of {image_id, category_id, bbox, score}, written
 * as YOLOv7's save_json writes them, read from anyone. Spec: eval.md §6.
 */
#ifndef EVAL_COCO_RESULTS_H
#define EVAL_COCO_RESULTS_H

#include "eval/coco_eval.h"
#include "eval/detect.h"

/* As it stands in the file: box rounded to 3 decimals, score to 5, exactly as Python's round().
 * What is not a number below 1e9 becomes 0. */
coco_det coco_det_of(const detection *d, int image, int category);

/* How an image is called in the file. */
typedef struct coco_name {
    int64_t id;
    const char *text; /* instead of the number, when there is none */
} coco_name;

typedef struct coco_results {
    const coco_det *dets; /* of coco_det_of(), written in this order */
    size_t n_dets;
    const coco_name *images;     /* by coco_det.image */
    const int64_t *category_ids; /* by coco_det.category */
} coco_results;

PTQ_CHECKED ptq_status coco_results_write(const char *path, const coco_results *r, ptq_error *err);

/* Detections of categories the truth does not know are left out with a warning; an image it does
 * not know is an error. An image_id may also be the file's stem. mem_free(*dets). */
PTQ_CHECKED ptq_status coco_results_read(const char *path, const coco_truth *truth,
                                         const ptq_env *env, coco_det **dets, size_t *n_dets,
                                         ptq_error *err);

/* `ptq eval --detections F --annotations G`: both read, all images of the truth judged. */
typedef struct coco_scoring {
    coco_scores scores;
    size_t n_detections; /* of known categories */
    int n_images;
} coco_scoring;

PTQ_CHECKED ptq_status coco_score_files(const char *detections, const char *annotations,
                                        const ptq_env *env, coco_scoring *out, ptq_error *err);

#endif
