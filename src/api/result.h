/* SPDX-License-Identifier: Apache-2.0 */
/* api/result.h — one command's answer: a JSON document, and the text table made from it.
 *
 * An api_call lives for one command: it collects warnings on their way to the caller's log, holds
 * "config" and "result" while they are filled, and becomes a ptq_result at the end.
 */
#ifndef API_RESULT_H
#define API_RESULT_H

#include <jansson.h>

#include "base/env.h"
#include "model/model.h"
#include "ptq/ptq.h"

typedef struct api_call {
    const char *command;
    const ptq_env *caller; /* may be NULL */
    ptq_env env;           /* the caller's, with a log that also collects warnings */
    json_t *config;
    json_t *result;
    json_t *warnings;
    ptq_status verdict; /* PTQ_OK or PTQ_NO */
    double started_ms;
} api_call;

PTQ_CHECKED ptq_status api_begin(api_call *call, const char *command, const ptq_env *env,
                                 ptq_error *err);
/* Ends the call. With `status` PTQ_OK the document is made; otherwise everything is released and
 * `status` returned. `m` may be NULL. */
PTQ_CHECKED ptq_status api_end(api_call *call, ptq_status status, const model *m, ptq_result **out,
                               ptq_error *err);

/* Setters that never store NaN or infinity (null instead) and ignore NULL objects. */
void put_real(json_t *object, const char *key, double value);
void put_int(json_t *object, const char *key, int64_t value);
void put_bool(json_t *object, const char *key, bool value);
void put_text(json_t *object, const char *key, const char *value); /* NULL: null */
void put(json_t *object, const char *key, json_t *value);          /* takes the reference */
json_t *shape_json(const shape *s);

#endif
