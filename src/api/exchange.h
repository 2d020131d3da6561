/* SPDX-License-Identifier: Apache-2.0 */
/* api/exchange.h — letterboxed inputs written for another runtime, and its outputs read back.
 *
 * In the folder image k of the evaluation is 000k.npy (six digits), float32 [1,3,H,W]; index.txt
 * lists the files in order. The other runtime writes its output under the same name into a folder
 * of its own, float32 [1,rows,5+classes].
 */
#ifndef API_EXCHANGE_H
#define API_EXCHANGE_H

#include "eval/evaluate.h"

typedef struct exchange exchange;

/* Predicts with `inner` and writes every input into `dir` (created when absent). */
PTQ_CHECKED ptq_status exchange_save(const char *dir, predict_fn *inner, void *inner_user,
                                     exchange **out, ptq_error *err);
/* Predicts by reading outputs from `dir`. */
PTQ_CHECKED ptq_status exchange_read(const char *dir, exchange **out, ptq_error *err);
/* Writes index.txt (save); nothing to do for read. */
PTQ_CHECKED ptq_status exchange_finish(exchange *x, ptq_error *err);
void exchange_destroy(exchange *x); /* NULL allowed */

predict_fn exchange_predict; /* user: the exchange */

#endif
