/* SPDX-License-Identifier: Apache-2.0 */
/* ptq/env.h — what the caller lends to a long call: threads, messages, progress, cancelling.
 *
 * Every field may be zero. Callbacks come from the calling thread. `cancel` may be set by a signal
 * handler, or by any thread with an atomic store (`__atomic_store_n(&stop, 1, __ATOMIC_RELAXED)`);
 * the call then returns PTQ_CANCELLED soon, with everything it had written whole.
 */
#ifndef PTQ_ENV_H
#define PTQ_ENV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ptq_log_level { PTQ_LOG_WARNING, PTQ_LOG_INFO, PTQ_LOG_DEBUG } ptq_log_level;

typedef struct ptq_env {
    int threads;         /* 0: all cores */
    const char *cpu;     /* highest instruction set: "ref", "avx2", "avx512", "avx512vnni",
                            "avx512bf16", on aarch64 "ref", "neon", "dotprod"; NULL or "native": all
                            that the machine has */
    const char *without; /* fusions left out: "activation", "requantize", "movement", "concat",
                            "winograd", "decode", separated by commas; NULL: none */
    uint64_t seed;       /* for everything that draws */
    void (*log)(void *user, ptq_log_level level, const char *message);
    void (*progress)(void *user, const char *what, size_t done, size_t total);
    void *user;
    const volatile int *cancel; /* nonzero: stop */
    /* Several processes that make the same call and share its work (ptq_calibrate(),
     * ptq_sensitivity()); all return the same result, only rank 0 writes files. Without `gather`
     * there is one. */
    int rank, n_ranks;
    /* `bytes` bytes of every rank into `all`, in the order of ranks; 0: done. */
    int (*gather)(void *ranks, const void *mine, size_t bytes, void *all);
    void *ranks;
} ptq_env;

#ifdef __cplusplus
}
#endif
#endif
