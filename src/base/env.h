/* SPDX-License-Identifier: Apache-2.0 */
/* base/env.h — what the caller lends to a long call: threads, messages, progress, cancelling.
 *
 * The library has no global state and prints nothing: this is how words get out. The public
 * definition is ptq_env in ptq/env.h; NULL pointers inside it are allowed everywhere.
 */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include "base/error.h"
#include "ptq/env.h"

void env_log(const ptq_env *env, ptq_log_level level, const char *format, ...) PTQ_PRINTF(3, 4);
void env_progress(const ptq_env *env, const char *what, size_t done, size_t total);
/* PTQ_CANCELLED once the caller has asked to stop. */
PTQ_CHECKED ptq_status env_check_cancel(const ptq_env *env, ptq_error *err);
/* Of the processes that share the work: 0 of 1 when there is only this one. */
int env_rank(const ptq_env *env);
int env_n_ranks(const ptq_env *env);
/* `bytes` of every rank into all[n_ranks][bytes]; every rank must come here. */
PTQ_CHECKED ptq_status env_gather(const ptq_env *env, const void *mine, size_t bytes, void *all,
                                  ptq_error *err);
int env_threads(const ptq_env *env); /* at least 1; all cores when env or its field is 0 */

#endif
