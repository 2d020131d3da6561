/* SPDX-License-Identifier: Apache-2.0 */
/* eval/evaluate.h — the loop of `ptq eval`: loader -> network -> evaluator.
 *
 * The network is a function, so that the same loop serves a session, a simulation, and outputs
 * another runtime has written to files.
 */
#ifndef EVAL_EVALUATE_H
#define EVAL_EVALUATE_H

#include "engine/session.h"
#include "eval/evaluator.h"

/* Predicts a batch. out->rows is [b->n, n_rows, 5 + n_classes], borrowed until the next call. */
typedef ptq_status predict_fn(void *user, const batch *b, predictions *out, ptq_error *err);

typedef struct evaluate_input {
    const dataset *data;
    loader *loader; /* read once from its beginning */
    predict_fn *predict;
    void *user;
    tape *kept; /* detections are kept there, and taken from there; or NULL */
} evaluate_input;

PTQ_CHECKED ptq_status evaluate(const evaluate_input *in, const evaluator_options *options,
                                const ptq_env *env, evaluation **out, ptq_error *err);

/* A session as a network. Its first output of rank 3, [N, rows, 5 + classes], is taken. A graph
 * with a fixed batch is run as often as it needs; what it lacks to the last one is filled with
 * zeros. */
typedef struct session_predictor session_predictor;

PTQ_CHECKED ptq_status session_predictor_create(session *s, session_predictor **out,
                                                ptq_error *err);
void session_predictor_destroy(session_predictor *p); /* NULL allowed; the session stays */
predict_fn session_predict;                           /* user: the session_predictor */

#endif
