/* SPDX-License-Identifier: Apache-2.0 */
/* eval/ap.h — precision, recall and average precision as YOLOv7 reports them: ap_per_class and
 * compute_ap in float64, with the meaning of numpy's interp and trapz. Spec: eval.md §5.
 *
 * Ties between equal scores keep their order (numpy's unstable sort leaves it open).
 */
#ifndef EVAL_AP_H
#define EVAL_AP_H

#include <stdbool.h>

#include "eval/matching.h"

/* All images one after the other. */
typedef struct ap_input {
    const detection *dets; /* only score and cls are read */
    const uint16_t *correct;
    size_t n_dets;
    const int *truths; /* the class of every label */
    size_t n_truths;
    bool v5_metric; /* end the curve at recall 1 instead of 0.01 beyond the last recall */
} ap_input;

/* One class that occurs in the labels. */
typedef struct ap_class {
    int cls;
    size_t n_truths, n_dets;
    double precision, recall, f1; /* at the common confidence */
    double ap[N_OVERLAPS];
    double ap_mean;
} ap_class;

typedef struct ap_result {
    ap_class *classes; /* ascending; classes without labels are not judged */
    int n_classes;
    double confidence;                         /* where the mean F1 is largest */
    double precision, recall, map50, map50_95; /* means over the classes; 0 when nothing is right */
} ap_result;

PTQ_CHECKED ptq_status ap_compute(const ap_input *in, ap_result *out, ptq_error *err);
/* Index in classes, or -1 when the class has no labels. */
int ap_find_class(const ap_result *r, int cls);
void ap_result_clear(ap_result *r);

#endif
