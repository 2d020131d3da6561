/* SPDX-License-Identifier: Apache-2.0 */
/* eval/coco_link.h — how a data set corresponds to COCO's ids, and the detections of a run in
 * COCO's terms: scored, and saved as a results file.
 *
 * Class i is the i-th category by ascending id. An image is the one of the annotations with its
 * file name, else with the id its name spells. Without annotations the labels are the truth, and
 * ids are what YOLOv7 makes them: the number or text of the file's stem, the class itself, or
 * COCO's 91-category ids when the data set is called coco.yaml.
 */
#ifndef EVAL_COCO_LINK_H
#define EVAL_COCO_LINK_H

#include "eval/evaluator.h"

typedef struct coco_link coco_link;

/* annotations NULL: from labels. An image the annotations do not know is called by its stem. */
PTQ_CHECKED ptq_status coco_link_open(const dataset *d, const char *annotations, bool single_class,
                                      const ptq_env *env, coco_link **out, ptq_error *err);
void coco_link_close(coco_link *l); /* NULL allowed */
bool coco_link_is_from_labels(const coco_link *l);

/* PTQ_DATA names the first image without annotations: such a set cannot be scored. */
PTQ_CHECKED ptq_status coco_link_check_images(const coco_link *l, const dataset *d, ptq_error *err);

PTQ_CHECKED ptq_status coco_link_save(const coco_link *l, const eval_records *r, const char *path,
                                      ptq_error *err);
/* Only the images of the records are judged. */
PTQ_CHECKED ptq_status coco_link_score(const coco_link *l, const eval_records *r, int threads,
                                       coco_scores *out, ptq_error *err);

#endif
