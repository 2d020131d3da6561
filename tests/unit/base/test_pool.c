/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

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

static void parts_wait_for_what_they_need(void **state)
{
    (void)state;
    int needs[MAX_PARTS];
    pool *p = pool_create(4);
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < MAX_PARTS; i++) /* none, all before, or some */
            needs[i] = round % 3 == 0 ? i : round % 3 == 1 ? i / 2 : i - i % (2 + round % 5);
        chain c = {.needs = needs};
        pool_run_ordered(p, MAX_PARTS, needs, do_link, &c);
        assert_int_equal(atomic_load(&c.n_early), 0);
        for (int i = 0; i < MAX_PARTS; i++)
            assert_int_equal(atomic_load(&c.ended[i]), 1);
    }
    pool_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_runs_once),
        cmocka_unit_test(no_parts_are_no_work),
        cmocka_unit_test(parts_wait_for_what_they_need),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
