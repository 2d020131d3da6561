/* SPDX-License-Identifier: Apache-2.0 */
/* base/pool.h — threads that share the parts of one job at a time.
 *
 * The parts of a job form groups, one group after the other. Every thread, the caller too, has its
 * stretch of each group, always the same share of it, so that what it wrote in one group is in its
 * own cache when it reads it in the next; done with its stretch it helps the others. When the other
 * threads get no processor, the caller does their parts. Between jobs the threads look for work for
 * a few microseconds, then sleep, so a busy machine is not made busier.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdatomic.h>
#include <stddef.h>

typedef struct pool pool;
typedef void pool_fn(void *context, int part);

typedef struct pool_job {
    pool_fn *fn; /* called with `context` and every part in [0, n_parts) */
    void *context;
    int n_parts;
    const int *group_end; /* [n_parts] the end of the part's group; NULL: one group */
    const int *needs;     /* [n_parts] part i begins when all below needs[i], which is at most i,
                             have ended; NULL: none waits */
    atomic_uchar *marks;  /* [pool_n_marks()] for the pool alone */
} pool_job;

/* `threads` with the caller counted. Fewer when the system gives no more; NULL: out of memory. */
pool *pool_create(int threads);
void pool_destroy(pool *p); /* NULL allowed */

/* How many marks a job of so many parts takes. */
size_t pool_n_marks(const pool *p, int n_parts);

/* Returns when all parts are done. One job at a time; neither allocates nor fails. */
void pool_run_job(pool *p, const pool_job *job);

/* Parts in any order. */
void pool_run(pool *p, int n_parts, pool_fn *fn, void *context);

#endif
