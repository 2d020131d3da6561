/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum {
    SPINS = 2000, /* looks this many times before sleeping: about 50 microseconds */
    CACHE_LINE = 64,
    IDLE = INT32_MAX
};

/* All parts of the job below `at` that this thread took have ended: `at` is the part it runs, 0
 * while it looks for one, IDLE when it takes none. The parts below the lowest `at` have ended. */
typedef struct member {
    _Alignas(CACHE_LINE) atomic_int at;
    pool *p;
    pthread_t thread; /* of a worker */
} member;

/* The ticket holds the number of the job (upper half) and its next free part (lower half). A thread
 * takes a part by raising the ticket it has read. The fields of a job change only while the ticket
 * says that no part is left, so whoever takes a part has read the fields of that very job. */
struct pool {
    _Atomic uint64_t ticket;
    _Atomic(pool_fn *) fn;
    _Atomic(void *) context;
    _Atomic(const int *) needs; /* or NULL */
    atomic_uint n_parts;
    atomic_int n_sleeping; /* until there is a job */
    atomic_int n_waiting;  /* until parts have ended */
    atomic_bool is_closing;
    pthread_mutex_t lock; /* only for sleeping */
    pthread_cond_t work, progress;
    int n_members; /* the caller is the first */
    member members[];
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    sched_yield();
#endif
}

/* Whether all parts below `n_parts` have ended. */
static bool have_ended(const pool *p, int n_parts)
{
    for (int i = 0; i < p->n_members; i++)
        if (atomic_load(&p->members[i].at) < n_parts)
            return false;
    return true;
}

/* Sleeps when it takes long: who is waited for may have no processor, and a thread that only yields
 * its own gets it back late. */
static void wait_for_parts(pool *p, int n_parts)
{
    for (int i = 0; i < SPINS; i++) {
        if (have_ended(p, n_parts))
            return;
        relax();
    }
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->n_waiting, 1);
    while (!have_ended(p, n_parts))
        pthread_cond_wait(&p->progress, &p->lock);
    atomic_fetch_sub(&p->n_waiting, 1);
    pthread_mutex_unlock(&p->lock);
}

static void wake(pool *p, pthread_cond_t *sleepers)
{
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(sleepers);
    pthread_mutex_unlock(&p->lock);
}

/* This thread runs part `at`, or IDLE: those it ran before have ended. */
static void tell(member *self, int at)
{
    atomic_store(&self->at, at);
    if (atomic_load(&self->p->n_waiting) > 0)
        wake(self->p, &self->p->progress);
}

/* Takes and runs one part of the job under way; false when there is none left. */
static bool run_one(member *self)
{
    pool *p = self->p;
    atomic_store(&self->at, 0);
    uint64_t ticket = atomic_load(&p->ticket);
    for (;;) {
        pool_fn *fn = atomic_load(&p->fn);
        void *context = atomic_load(&p->context);
        const int *needs = atomic_load(&p->needs);
        uint32_t part = (uint32_t)ticket;
        if (part >= atomic_load(&p->n_parts)) {
            tell(self, IDLE);
            return false;
        }
        if (atomic_compare_exchange_weak(&p->ticket, &ticket, ticket + 1)) {
            tell(self, (int)part);
            if (needs)
                wait_for_parts(p, needs[part]);
            fn(context, (int)part);
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
        pthread_cond_wait(&p->work, &p->lock);
    atomic_fetch_sub(&p->n_sleeping, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *run_worker(void *argument)
{
    member *self = argument;
    pool *p = self->p;
    uint32_t seen = 0;
    while (!atomic_load(&p->is_closing)) {
        wait_for_job(p, seen);
        seen = job_of(p);
        while (run_one(self))
            continue;
    }
    return NULL;
}

pool *pool_create(int threads)
{
    int n = threads > 1 ? threads : 1;
    pool *p = mem_alloc_aligned(sizeof *p + (size_t)n * sizeof *p->members);
    if (!p)
        return NULL;
    memset(p, 0, sizeof *p + (size_t)n * sizeof *p->members);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->progress, NULL);
    for (int i = 0; i < n; i++) {
        p->members[i].p = p;
        atomic_init(&p->members[i].at, IDLE);
    }
    for (p->n_members = 1; p->n_members < n; p->n_members++) {
        member *next = &p->members[p->n_members];
        if (pthread_create(&next->thread, NULL, run_worker, next) != 0)
            break;
    }
    return p;
}

void pool_destroy(pool *p)
{
    if (!p)
        return;
    atomic_store(&p->is_closing, true);
    wake(p, &p->work);
    for (int i = 1; i < p->n_members; i++)
        pthread_join(p->members[i].thread, NULL);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->progress);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

void pool_run_ordered(pool *p, int n_parts, const int *needs, pool_fn *fn, void *context)
{
    if (n_parts == 1 || p->n_members == 1) {
        for (int part = 0; part < n_parts; part++)
            fn(context, part);
        return;
    }
    uint64_t job = atomic_load(&p->ticket) >> 32;
    atomic_store(&p->ticket, job << 32 | UINT32_MAX); /* no part is left */
    atomic_store(&p->fn, fn);
    atomic_store(&p->context, context);
    atomic_store(&p->needs, needs);
    atomic_store(&p->n_parts, (unsigned)n_parts);
    atomic_store(&p->ticket, (job + 1) << 32);
    if (atomic_load(&p->n_sleeping) > 0)
        wake(p, &p->work);
    while (run_one(&p->members[0]))
        continue;
    wait_for_parts(p, n_parts);
}

void pool_run(pool *p, int n_parts, pool_fn *fn, void *context)
{
    pool_run_ordered(p, n_parts, NULL, fn, context);
}
