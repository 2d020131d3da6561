/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

enum {
    SPINS = 2000, /* looks this many times before sleeping: about 50 microseconds */
    CACHE_LINE = 64,
    MOST_PIECES = 256 /* of a job without marks of its own */
};

enum mark { FREE, TAKEN, ENDED }; /* of a part */

/* All parts below n_ended have ended; the next one is in the group [begin, end), or behind it. */
typedef struct progress {
    int n_ended, begin, end;
} progress;

typedef struct member {
    _Alignas(CACHE_LINE) atomic_bool is_busy; /* looks at the job, if there is one */
    int index;
    progress seen; /* of the job, by this member */
    pool *p;
    pthread_t thread; /* of a worker */
} member;

/* A job is there while the pool is open. Closing it and then waiting until no member is busy, the
 * caller knows that nobody looks at the job any more. */
struct pool {
    const pool_job *job;
    atomic_bool is_open;
    atomic_uint n_jobs;    /* so far */
    atomic_int n_sleeping; /* until there is a job */
    atomic_int n_waiting;  /* for other members */
    atomic_bool is_closing;
    pthread_mutex_t lock; /* only for sleeping */
    pthread_cond_t work, change;
    atomic_uchar *marks; /* of pool_run() */
    int n_members;       /* the caller is the first */
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

static void wake(pool *p, pthread_cond_t *sleepers)
{
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(sleepers);
    pthread_mutex_unlock(&p->lock);
}

/* Something has changed that others may wait for. */
static void tell(pool *p)
{
    if (atomic_load(&p->n_waiting) > 0)
        wake(p, &p->change);
}

typedef bool condition_fn(member *self, int n);

/* Sleeps when it takes long: who is waited for may have no processor, and a thread that only yields
 * its own gets it back late. */
static void wait_until(member *self, condition_fn *holds, int n)
{
    pool *p = self->p;
    for (int i = 0; i < SPINS; i++) {
        if (holds(self, n))
            return;
        relax();
    }
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->n_waiting, 1);
    while (!holds(self, n))
        pthread_cond_wait(&p->change, &p->lock);
    atomic_fetch_sub(&p->n_waiting, 1);
    pthread_mutex_unlock(&p->lock);
}

/* ---------------------------------------------------------------- marks */

/* Every member's parts have cache lines of their own. */
static size_t marks_of_member(int n_parts)
{
    return ((size_t)n_parts + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
}

size_t pool_n_marks(const pool *p, int n_parts)
{
    return marks_of_member(n_parts) * (size_t)p->n_members;
}

static atomic_uchar *mark_of(const pool *p, int owner, int part)
{
    return p->job->marks + (size_t)owner * marks_of_member(p->job->n_parts) + part;
}

static int group_end(const pool_job *job, int part)
{
    return job->group_end ? job->group_end[part] : job->n_parts;
}

/* Where the stretch of member `index` begins in the group [begin, end). */
static int stretch_begin(const pool *p, int index, int begin, int end)
{
    return begin + (int)((long long)(end - begin) * index / p->n_members);
}

/* The member in whose stretch a part of the group lies. */
static int owner_of(const pool *p, int part, int begin, int end)
{
    return (int)(((long long)(part - begin + 1) * p->n_members - 1) / (end - begin));
}

/* Whether all parts below n have ended. */
static bool have_ended(member *self, int n)
{
    const pool *p = self->p;
    progress *seen = &self->seen;
    for (; seen->n_ended < n; seen->n_ended++) {
        int part = seen->n_ended;
        if (part == seen->end) {
            seen->begin = part;
            seen->end = group_end(p->job, part);
        }
        int owner = owner_of(p, part, seen->begin, seen->end);
        if (atomic_load(mark_of(p, owner, part)) != ENDED)
            return false;
    }
    return true;
}

/* ---------------------------------------------------------------- running */

/* Runs what nobody has taken of the owner's stretch of the group [begin, end). */
static void run_stretch(member *self, int owner, int begin, int end)
{
    pool *p = self->p;
    const pool_job *job = p->job;
    int last = stretch_begin(p, owner + 1, begin, end);
    for (int part = stretch_begin(p, owner, begin, end); part < last; part++) {
        atomic_uchar *mark = mark_of(p, owner, part);
        unsigned char was = atomic_load(mark); /* first: trying takes the line from its owner */
        if (was != FREE || !atomic_compare_exchange_strong(mark, &was, TAKEN))
            continue;
        if (job->needs)
            wait_until(self, have_ended, job->needs[part]);
        job->fn(job->context, part);
        atomic_store(mark, ENDED);
        tell(p);
    }
}

/* A member goes on to the next group when all parts of this one are taken, and the caller takes
 * them in order: so it never waits for a part that nobody has, and nobody waits forever. */
static void run_parts(member *self)
{
    const pool *p = self->p;
    self->seen = (progress){0};
    for (int begin = 0, end; begin < p->job->n_parts; begin = end) {
        end = group_end(p->job, begin);
        for (int i = 0; i < p->n_members; i++)
            run_stretch(self, (self->index + i) % p->n_members, begin, end);
    }
}

/* Returns when a job other than number `seen` is there, or the pool is closing. */
static void wait_for_job(pool *p, unsigned seen)
{
    for (int i = 0; i < SPINS; i++) {
        if (atomic_load(&p->n_jobs) != seen || atomic_load(&p->is_closing))
            return;
        relax();
    }
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->n_sleeping, 1);
    while (atomic_load(&p->n_jobs) == seen && !atomic_load(&p->is_closing))
        pthread_cond_wait(&p->work, &p->lock);
    atomic_fetch_sub(&p->n_sleeping, 1);
    pthread_mutex_unlock(&p->lock);
}

static void *run_worker(void *argument)
{
    member *self = argument;
    pool *p = self->p;
    unsigned seen = 0;
    while (!atomic_load(&p->is_closing)) {
        wait_for_job(p, seen);
        seen = atomic_load(&p->n_jobs);
        atomic_store(&self->is_busy, true);
        if (atomic_load(&p->is_open))
            run_parts(self);
        atomic_store(&self->is_busy, false);
        tell(p);
    }
    return NULL;
}

pool *pool_create(int threads)
{
    int n = threads > 1 ? threads : 1;
    pool *p = mem_alloc_aligned(sizeof *p + (size_t)n * sizeof *p->members);
    atomic_uchar *marks = mem_alloc_aligned(marks_of_member(MOST_PIECES) * (size_t)n);
    if (!p || !marks) {
        mem_free(p);
        mem_free(marks);
        return NULL;
    }
    memset(p, 0, sizeof *p + (size_t)n * sizeof *p->members);
    p->marks = marks;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->change, NULL);
    for (int i = 0; i < n; i++) {
        p->members[i].p = p;
        p->members[i].index = i;
    }
    int n_members = 1;
    while (n_members < n) {
        member *next = &p->members[n_members];
        if (pthread_create(&next->thread, NULL, run_worker, next) != 0)
            break;
        n_members++;
    }
    p->n_members = n_members; /* workers read it when they have seen a job */
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
    pthread_cond_destroy(&p->change);
    pthread_mutex_destroy(&p->lock);
    mem_free(p->marks);
    mem_free(p);
}

static bool are_others_idle(member *self, int n)
{
    const pool *p = self->p;
    (void)n;
    for (int i = 1; i < p->n_members; i++)
        if (atomic_load(&p->members[i].is_busy))
            return false;
    return true;
}

void pool_run_job(pool *p, const pool_job *job)
{
    member *self = &p->members[0];
    if (job->n_parts == 1 || p->n_members == 1) {
        for (int part = 0; part < job->n_parts; part++)
            job->fn(job->context, part);
        return;
    }
    size_t n_marks = pool_n_marks(p, job->n_parts);
    for (size_t i = 0; i < n_marks; i++)
        atomic_store_explicit(&job->marks[i], FREE, memory_order_relaxed);
    p->job = job;
    atomic_store(&p->is_open, true);
    atomic_fetch_add(&p->n_jobs, 1);
    if (atomic_load(&p->n_sleeping) > 0)
        wake(p, &p->work);
    run_parts(self);
    atomic_store(&p->is_open, false);
    wait_until(self, are_others_idle, 0);
}

/* ---------------------------------------------------------------- parts in any order */

/* Many parts are taken some at a time, so that the pool's own marks are enough. */
typedef struct pieces {
    pool_fn *fn;
    void *context;
    int n_parts, n_pieces;
} pieces;

static void run_piece(void *context, int piece)
{
    const pieces *all = context;
    int begin = (int)((long long)all->n_parts * piece / all->n_pieces);
    int end = (int)((long long)all->n_parts * (piece + 1) / all->n_pieces);
    for (int part = begin; part < end; part++)
        all->fn(all->context, part);
}

void pool_run(pool *p, int n_parts, pool_fn *fn, void *context)
{
    int n_pieces = n_parts < MOST_PIECES ? n_parts : MOST_PIECES;
    pieces all = {fn, context, n_parts, n_pieces};
    pool_run_job(p, &(pool_job){run_piece, &all, n_pieces, .marks = p->marks});
}
