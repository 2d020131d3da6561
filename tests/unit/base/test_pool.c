/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/pool.h"

enum { MAX_PARTS = 64 };

typedef struct job {
    atomic_int times[MAX_PARTS];
    int round;
    int sum[MAX_PARTS]; /* written without atomics: the pool orders memory */
} job;

static void do_part(void *context, int part)
{
    job *j = context;
    atomic_fetch_add(&j->times[part], 1);
    j->sum[part] += j->round * part;
}

static void every_part_runs_once(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        pool *p = pool_create(threads);
        assert_non_null(p);
        job j = {0};
        int n_rounds = 3000, sum = 0;
        for (j.round = 0; j.round < n_rounds; j.round++) {
            pool_run(p, 1 + j.round % MAX_PARTS, do_part, &j);
            sum += j.round % MAX_PARTS == MAX_PARTS - 1 ? j.round * (MAX_PARTS - 1) : 0;
        }
        assert_int_equal(j.sum[MAX_PARTS - 1], sum);
        for (int part = 0; part < MAX_PARTS; part++) {
            int want = 0;
            for (int round = 0; round < n_rounds; round++)
                want += round % MAX_PARTS >= part;
            assert_int_equal(atomic_load(&j.times[part]), want);
        }
        pool_destroy(p);
    }
    pool_destroy(NULL);
}

static void count_part(void *context, int part)
{
    atomic_int *counts = context;
    atomic_fetch_add(&counts[part], 1);
}

static void no_parts_are_no_work(void **state)
{
    (void)state;
    pool *p = pool_create(3);
    job j = {0};
    pool_run(p, 0, do_part, &j);
    assert_int_equal(atomic_load(&j.times[0]), 0);
    pool_destroy(p);
}

typedef struct chain {
    const int *needs;
    atomic_int ended[MAX_PARTS];
    atomic_int n_early;
} chain;

static void do_link(void *context, int part)
{
    chain *c = context;
    for (int i = 0; i < c->needs[part]; i++)
        if (!atomic_load(&c->ended[i]))
            atomic_fetch_add(&c->n_early, 1);
    for (volatile int spin = 0; spin < part % 7 * 50; spin++)
        continue;
    atomic_store(&c->ended[part], 1);
}

/* A pool's job with marks of its own. */
static void run_marked(pool *p, pool_job j)
{
    j.marks = malloc(pool_n_marks(p, j.n_parts));
    assert_non_null(j.marks);
    pool_run_job(p, &j);
    free(j.marks);
}

static void parts_wait_for_what_they_need(void **state)
{
    (void)state;
    int needs[MAX_PARTS], ends[MAX_PARTS];
    for (int threads = 2; threads <= 5; threads++) {
        pool *p = pool_create(threads);
        for (int round = 0; round < 1000; round++) {
            int group = 1 + round % 11;
            for (int i = 0; i < MAX_PARTS; i++) { /* none, all before, or some */
                needs[i] = round % 3 == 0 ? i : round % 3 == 1 ? i / 2 : i - i % (2 + round % 5);
                int end = i - i % group + group;
                ends[i] = end < MAX_PARTS ? end : MAX_PARTS;
            }
            chain c = {.needs = needs};
            run_marked(p, (pool_job){do_link, &c, MAX_PARTS, round % 2 ? ends : NULL, needs, NULL});
            assert_int_equal(atomic_load(&c.n_early), 0);
            for (int i = 0; i < MAX_PARTS; i++)
                assert_int_equal(atomic_load(&c.ended[i]), 1);
        }
        pool_destroy(p);
    }
}

/* Parts of groups of THREADS that begin together: each thread has one of them. */
enum { THREADS = 3, GROUPS = 20 };
typedef struct meeting {
    atomic_int n_there[GROUPS];
    pthread_t who[GROUPS * THREADS];
} meeting;

static void meet(void *context, int part)
{
    meeting *m = context;
    m->who[part] = pthread_self();
    atomic_fetch_add(&m->n_there[part / THREADS], 1);
    while (atomic_load(&m->n_there[part / THREADS]) < THREADS)
        sched_yield();
}

static void a_thread_has_the_same_share_of_every_group(void **state)
{
    (void)state;
    int ends[GROUPS * THREADS];
    meeting m = {0};
    pool *p = pool_create(THREADS);
    for (int i = 0; i < GROUPS * THREADS; i++)
        ends[i] = i - i % THREADS + THREADS;
    run_marked(p, (pool_job){meet, &m, GROUPS * THREADS, ends, NULL, NULL});
    for (int i = 0; i < GROUPS * THREADS; i++)
        assert_true(pthread_equal(m.who[i], m.who[i % THREADS]));
    assert_true(pthread_equal(m.who[0], pthread_self()));
    pool_destroy(p);
}

/* The caller does what no other thread comes for: here the second one is kept in its first part. */
typedef struct blockade {
    atomic_bool is_taken, is_over;
    atomic_int n_done;
} blockade;

static void block(void *context, int part)
{
    blockade *b = context;
    enum { N = 8 };
    if (part == N / 2) {
        atomic_store(&b->is_taken, true);
        while (!atomic_load(&b->is_over))
            sched_yield();
    } else if (part == 0) {
        while (!atomic_load(&b->is_taken))
            sched_yield();
    }
    if (atomic_fetch_add(&b->n_done, 1) == N - 2)
        atomic_store(&b->is_over, true);
}

static void the_caller_helps_a_thread_that_is_late(void **state)
{
    (void)state;
    pool *p = pool_create(2);
    for (int round = 0; round < 50; round++) {
        blockade b = {0};
        pool_run(p, 8, block, &b);
        assert_int_equal(atomic_load(&b.n_done), 8);
    }
    pool_destroy(p);
}

static void many_parts_run_once_each(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    static atomic_int counts[MANY];
    pool *p = pool_create(3);
    pool_run(p, MANY, count_part, counts);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(atomic_load(&counts[i]), 1);
    pool_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_runs_once),
        cmocka_unit_test(no_parts_are_no_work),
        cmocka_unit_test(parts_wait_for_what_they_need),
        cmocka_unit_test(a_thread_has_the_same_share_of_every_group),
        cmocka_unit_test(the_caller_helps_a_thread_that_is_late),
        cmocka_unit_test(many_parts_run_once_each),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
