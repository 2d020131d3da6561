/* SPDX-License-Identifier: Apache-2.0 */
/* base/threads.h — one function on several threads at once, for long work that shares itself out.
 *
 * For many short jobs see base/pool.h.
 */
#ifndef BASE_THREADS_H
#define BASE_THREADS_H

enum { THREADS_MOST = 64 };

typedef void threads_fn(void *user, int index);

/* fn(user, 0) in the caller's thread and fn(user, i) for 0 < i < n, at most THREADS_MOST, in
 * others, which take no signals: an interrupt belongs to the caller. Returns when all have. Where
 * the system gives fewer threads, the last indices are left out. */
void threads_run(int n, threads_fn *fn, void *user);

#endif
