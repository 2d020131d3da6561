/* SPDX-License-Identifier: Apache-2.0 */
#include "base/env.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void env_log(const ptq_env *env, ptq_log_level level, const char *format, ...)
{
    if (!env || !env->log)
        return;
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    env->log(env->user, level, message);
}

void env_progress(const ptq_env *env, const char *what, size_t done, size_t total)
{
    if (env && env->progress)
        env->progress(env->user, what, done, total);
}

ptq_status env_check_cancel(const ptq_env *env, ptq_error *err)
{
    if (env && env->cancel && __atomic_load_n(env->cancel, __ATOMIC_RELAXED))
        return error_set(err, PTQ_CANCELLED, "interrupted");
    return PTQ_OK;
}

int env_n_ranks(const ptq_env *env)
{
    return env && env->gather && env->n_ranks > 1 ? env->n_ranks : 1;
}

int env_rank(const ptq_env *env)
{
    return env_n_ranks(env) > 1 ? env->rank : 0;
}

ptq_status env_gather(const ptq_env *env, const void *mine, size_t bytes, void *all, ptq_error *err)
{
    if (env_n_ranks(env) == 1)
        memcpy(all, mine, bytes);
    else if (env->gather(env->ranks, mine, bytes, all) != 0)
        return error_set(err, PTQ_IO, "the other ranks could not be reached");
    return PTQ_OK;
}

int env_threads(const ptq_env *env)
{
    if (env && env->threads > 0)
        return env->threads;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}
