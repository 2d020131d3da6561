/* SPDX-License-Identifier: Apache-2.0 */
/* quant/pseudo_labels.h — a data set whose truth is what a network itself detected.
 *
 * Evaluating another network on it tells how faithful that network is to the first; no labels are
 * needed.
 */
#ifndef QUANT_PSEUDO_LABELS_H
#define QUANT_PSEUDO_LABELS_H

#include "eval/fidelity.h"

/* Detections of FIDELITY_SCORE and more become labels. Paths, sizes and class names are borrowed
 * from `d`. */
PTQ_CHECKED ptq_status pseudo_labels_create(const dataset *d, const eval_records *r, dataset **out,
                                            ptq_error *err);
void pseudo_labels_destroy(dataset *d); /* NULL allowed */

#endif
