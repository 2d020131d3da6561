/* SPDX-License-Identifier: Apache-2.0 */
/* base/pool.h — threads that share the parts of one job at a time.
 *
 * Parts are handed out one by one, and the caller works too: when the other threads get no
 * processor, the caller does their parts. Between jobs the threads look for work for a few
 * microseconds, then sleep, so a busy machine is not made busier.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

typedef struct pool pool;
typedef void pool_fn(void *context, int part);

/* `threads` with the caller counted. Fewer when the system gives no more; NULL: out of memory. */
pool *pool_create(int threads);
void pool_destroy(pool *p); /* NULL allowed */

/* Calls fn(context, part) for every part in [0, n_parts), in any order, and returns when all are
 * done. One job at a time; neither allocates nor fails. */
void pool_run(pool *p, int n_parts, pool_fn *fn, void *context);

/* The same in ascending order, where parts wait for others: part i begins when all parts below
 * needs[i], which is at most i, have ended. */
void pool_run_ordered(pool *p, int n_parts, const int *needs, pool_fn *fn, void *context);

#endif
