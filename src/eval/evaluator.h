/* SPDX-License-Identifier: Apache-2.0 */
/* eval/evaluator.h — gathers predictions batch by batch, and makes the numbers of them.
 *
 * Whoever runs the network pushes what it predicts for each batch; evaluator_finish() answers with
 * everything `ptq eval` reports. Nothing is lost on the way: every detection is kept with what it
 * matched, image by image, so that other numbers (COCO's, paired tests) need no second run.
 * Results do not depend on the number of threads.
 */
#ifndef EVAL_EVALUATOR_H
#define EVAL_EVALUATOR_H

#include "base/tape.h"
#include "data/loader.h"
#include "eval/ap.h"
#include "eval/coco_eval.h"

typedef struct evaluator_options {
    float conf;                  /* 0.001 */
    double iou;                  /* 0.65 */
    int max_det;                 /* 300 */
    bool v5_metric;              /* YOLOv5's end of the precision curve */
    bool single_class;           /* every label and detection is of class 0 */
    bool coco;                   /* pycocotools' twelve numbers too */
    const char *annotations;     /* instances file; NULL: the data set's, else its labels */
    const char *save_detections; /* COCO results file to write; or NULL */
} evaluator_options;

/* YOLOv7's test.py: 0.001, 0.65, 300, nothing else. */
evaluator_options evaluator_options_default(void);

/* One image, in the order of evaluation. Its detections, by descending score, and labels are runs
 * in the arrays of eval_records. */
typedef struct image_record {
    int item; /* index in dataset->items */
    int n_dets, n_truths;
    size_t first_det, first_truth;
} image_record;

typedef struct eval_records {
    image_record *images;
    detection *dets;   /* in pixels of the image file */
    uint16_t *correct; /* per detection, as match_detections() */
    int *truths;       /* the class of every label */
    size_t n_images, n_dets, n_truths;
    size_t images_cap, dets_cap, correct_cap, truths_cap;
} eval_records;

/* A class that occurs in the labels. */
typedef struct class_score {
    int cls;
    const char *name;   /* borrowed from the data set */
    int images, labels; /* images with such a label */
    double precision, recall, map50, map50_95;
} class_score;

typedef struct evaluation {
    int images, labels;
    double precision, recall, map50, map50_95;
    double confidence; /* where precision and recall are taken */
    class_score *classes;
    int n_classes;
    bool has_coco;
    bool coco_from_labels; /* no annotations: areas are of boxes, and there are no crowds */
    coco_scores coco;
    double preprocess_ms, inference_ms, nms_ms; /* per image */
    eval_records records;
} evaluation;

void evaluation_destroy(evaluation *e); /* NULL allowed */

typedef struct evaluator evaluator;

/* The data set and the strings in `options` are borrowed until evaluator_finish(). Annotations are
 * read now, and the file to save is tried: both fail before the work. */
PTQ_CHECKED ptq_status evaluator_create(const dataset *d, const evaluator_options *options,
                                        const ptq_env *env, evaluator **out, ptq_error *err);
void evaluator_destroy(evaluator *e); /* NULL allowed */

/* The first image's predictions; those of the others follow directly: rows is
 * [b->n, n_rows, 5 + n_classes]. */
PTQ_CHECKED ptq_status evaluator_add(evaluator *e, const batch *b, const predictions *first,
                                     ptq_error *err);

/* What evaluator_add() found in this batch, for a later run. */
void evaluator_keep(const evaluator *e, const batch *b, tape *kept);
/* Adds the batch as a run that was stopped had it, if that is kept: *is_known. */
PTQ_CHECKED ptq_status evaluator_recall(evaluator *e, const batch *b, tape *kept, bool *is_known,
                                        ptq_error *err);

/* The same image by image, for networks that run side by side. `thread` below env_threads(); *dets
 * is borrowed until its next call. Different threads may suppress at the same time. */
PTQ_CHECKED ptq_status evaluator_suppress(evaluator *e, int thread, const predictions *p,
                                          const detection **dets, int *n_dets, ptq_error *err);

typedef struct found_image {
    const placement *place;
    int height, width;     /* of the network's input */
    const detection *dets; /* in its pixels */
    int n_dets;
} found_image;
/* Images are added in the order of evaluation. */
PTQ_CHECKED ptq_status evaluator_add_found(evaluator *e, const found_image *f, ptq_error *err);
void found_keep(const detection *dets, int n_dets, tape *kept);
/* dets: room for options.max_det. */
bool evaluator_recall_found(const evaluator *e, tape *kept, detection *dets, int *n_dets);

/* Computes, and writes options.save_detections. The evaluator can only be destroyed afterwards. */
PTQ_CHECKED ptq_status evaluator_finish(evaluator *e, evaluation **out, ptq_error *err);

#endif
