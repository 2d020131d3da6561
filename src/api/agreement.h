/* SPDX-License-Identifier: Apache-2.0 */
/* api/agreement.h — classifiers: how often two networks name the same class (top-1 agreement). */
#ifndef API_AGREEMENT_H
#define API_AGREEMENT_H

#include "api/measure.h"

/* Whether the one output is a row of scores per image, [N,classes] or [N,classes,1,1]. */
bool model_is_classifier(const ptq_model *m);

/* PTQ_UNSUPPORTED for a classifier, where boxes are what is judged or shown. */
PTQ_CHECKED ptq_status model_check_boxes(const ptq_model *m, ptq_error *err);

/* The class of every image of the protocol's data set: classes[n_items]. */
PTQ_CHECKED ptq_status agreement_classify(const protocol *p, session *s, const ptq_env *env,
                                          int64_t *classes, ptq_error *err);
double agreement_of(const int64_t *a, const int64_t *b, int n); /* 0 ... 1 */

#endif
