/* SPDX-License-Identifier: Apache-2.0 */
/* eval/fidelity.h — how like a network's detections are to another's: mAP@.5:.95 with the other's
 * detections as labels. Nothing is run again, and no labels are needed.
 */
#ifndef EVAL_FIDELITY_H
#define EVAL_FIDELITY_H

#include "eval/evaluator.h"

/* Detections with at least this score become labels. */
#define FIDELITY_SCORE 0.25f

/* Judges the detections of `r` by those of `reference`, and replaces its labels. Both are records
 * of the same images in the same order (PTQ_INTERNAL otherwise); they may be one. */
PTQ_CHECKED ptq_status fidelity_judge(const eval_records *reference, eval_records *r,
                                      ptq_error *err);

/* mAP@.5:.95 of the records as they are judged. */
PTQ_CHECKED ptq_status records_map(const eval_records *r, double *map, ptq_error *err);

#endif
