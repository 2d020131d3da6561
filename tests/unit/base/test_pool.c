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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_runs_once),
        cmocka_unit_test(no_parts_are_no_work),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
