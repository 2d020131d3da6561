/* SPDX-License-Identifier: Apache-2.0 */
/* quant/pseudo_labels.h — a data set whose truth is what a network itself detected.
 *
 * Evaluating another network on it tells how faithful that network is to the first; no labels are
 * needed.
 */
#ifndef QUANT_PSEUDO_LABELS_H
#define QUANT_PSEUDO_LABELS_H

#include "eval/evaluator.h"

/* Detections with at least this score become labels. */
#define PSEUDO_LABEL_SCORE 0.25f

/* Paths, sizes and class names are borrowed from `d`. */
PTQ_CHECKED ptq_status pseudo_labels_create(const dataset *d, const eval_records *r, dataset **out,
                                            ptq_error *err);
/* Judges the network that made the labels by them: its detections that became labels are right at
 * every overlap, all others wrong. Replaces correct and truths. */
PTQ_CHECKED ptq_status pseudo_labels_judge(eval_records *r, ptq_error *err);
void pseudo_labels_destroy(dataset *d); /* NULL allowed */

#endif
