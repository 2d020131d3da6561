/* SPDX-License-Identifier: Apache-2.0 */
/* api/measure.h — the accuracy of one graph in one precision on one data set, by one protocol.
 *
 * The protocol is opened once and used for every model of a table, so that a table never mixes
 * image sizes or ways of batching.
 */
#ifndef API_MEASURE_H
#define API_MEASURE_H

#include "api/model_handle.h"
#include "api/result.h"
#include "eval/evaluate.h"

typedef struct protocol {
    ptq_data_options options; /* with rect and batch as they are really used */
    int image_size;
    bool is_static; /* the graph has one input size */
    dataset *data;
    evaluator_options evaluator;
    picture_form pictures;
    tape *kept; /* what a run that was stopped has measured; or NULL */
} protocol;

/* Opens the data set. `is_static` forces squares of `image_size`. PTQ_DATA when the model's class
 * count is known and differs from the data set's. */
PTQ_CHECKED ptq_status protocol_open(protocol *p, const ptq_data_options *options,
                                     const ptq_model *m, const ptq_env *env, ptq_error *err);
void protocol_close(protocol *p);
/* "206 images of val, 640x640 squares, conf 0.001, IoU 0.65" in `text`; returns text. */
const char *protocol_text(const protocol *p, char *text, size_t size);

/* {images, split, data_hash, imgsz, rect, batch, stride, pad, conf, iou, single_class}: runs can be
 * set side by side when all of it is equal. */
json_t *protocol_json(const protocol *p);

/* How its batches are read. */
loader_options protocol_loader(const protocol *p, const ptq_env *env);

/* Runs `s` over the data set. */
PTQ_CHECKED ptq_status measure_session(const protocol *p, session *s, const ptq_env *env,
                                       evaluation **out, ptq_error *err);
/* The same for any network. */
PTQ_CHECKED ptq_status measure_with(const protocol *p, predict_fn *predict, void *user,
                                    const ptq_env *env, evaluation **out, ptq_error *err);

/* The keys of `ptq eval` into `result`. */
void evaluation_json(const evaluation *e, bool per_class, json_t *result);

#endif
