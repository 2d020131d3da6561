/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

/* Looks for work this many times before sleeping: about 50 microseconds. */
enum { SPINS = 2000 };

/* The ticket holds the number of the job (upper half) and its next free part (lower half). A thread
 * takes a part by raising the ticket it has read. The fields of a job change only while the ticket
 * says that no part is left, so whoever takes a part has read the fields of that very job. */
struct pool {
    _Atomic uint64_t ticket;
    _Atomic(pool_fn *) fn;
    _Atomic(void *) context;
    atomic_uint n_parts;
    atomic_uint n_done;
    atomic_int n_sleeping;
    atomic_bool is_closing;
    pthread_mutex_t lock; /* only for sleeping */
    pthread_cond_t wake;
    int n_workers;
    pthread_t workers[];
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    sched_yield();
#endif
}

/* Takes and runs one part of the job under way; false when there is none left. */
static bool run_one(pool *p)
{
    uint64_t ticket = atomic_load(&p->ticket);
    for (;;) {
        pool_fn *fn = atomic_load(&p->fn);
        void *context = atomic_load(&p->context);
        uint32_t part = (uint32_t)ticket;
        if (part >= atomic_load(&p->n_parts))
            return false;
        if (atomic_compare_exchange_weak(&p->ticket, &ticket, ticket + 1)) {
            fn(context, (int)part);
            atomic_fetch_add(&p->n_done, 1);
            return true;
        }
    }
}

static uint32_t job_of(const pool *p)
{
    return (uint32_t)(atomic_load(&p->ticket) >> 32);
}

/* Returns when a job other than `seen` is there, or the pool is closing. */
static void wait_for_job(pool *p, uint32_t seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (job_of(p) != seen || atomic_load(&p->is_closing))
            return;
        relax();
    }
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->n_sleeping, 1);
    while (job_of(p) == seen && !atomic_load(&p->is_closing))
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->n_sleeping, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *work(void *argument)
{
    pool *p = argument;
    uint32_t seen = 0;
    while (!atomic_load(&p->is_closing)) {
        wait_for_job(p, seen);
        seen = job_of(p);
        while (run_one(p))
            continue;
    }
    return NULL;
}

pool *pool_create(int threads)
{
    int n = threads > 1 ? threads - 1 : 0;
    pool *p = mem_zalloc(sizeof *p + (size_t)n * sizeof *p->workers);
    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (int i = 0; i < n; i++) {
        if (pthread_create(&p->workers[i], NULL, work, p) != 0)
            break;
        p->n_workers++;
    }
    return p;
}

static void wake_all(pool *p)
{
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

void pool_destroy(pool *p)
{
    if (!p)
        return;
    atomic_store(&p->is_closing, true);
    wake_all(p);
    for (int i = 0; i < p->n_workers; i++)
        pthread_join(p->workers[i], NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

void pool_run(pool *p, int n_parts, pool_fn *fn, void *context)
{
    if (n_parts == 1 || p->n_workers == 0) {
        for (int part = 0; part < n_parts; part++)
            fn(context, part);
        return;
    }
    uint64_t job = atomic_load(&p->ticket) >> 32;
    atomic_store(&p->ticket, job << 32 | UINT32_MAX); /* no part is left */
    atomic_store(&p->fn, fn);
    atomic_store(&p->context, context);
    atomic_store(&p->n_parts, (unsigned)n_parts);
    atomic_store(&p->n_done, 0);
    atomic_store(&p->ticket, (job + 1) << 32);
    if (atomic_load(&p->n_sleeping) > 0)
        wake_all(p);
    while (run_one(p))
        continue;
    for (int i = 0; atomic_load(&p->n_done) < (unsigned)n_parts; i++) {
        if (i < SPINS)
            relax();
        else
            sched_yield();
    }
}
