/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "engine/plan.h"

static ptq_error err;

static bool live_together(const plan_item *a, const plan_item *b)
{
    return a->first <= b->last && b->first <= a->last;
}

static bool overlap(const plan_item *a, const plan_item *b)
{
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* Most bytes alive at one step: no plan can need less. */
static size_t lower_bound(const plan_item *items, int n, int n_steps)
{
    size_t most = 0;
    for (int step = 0; step < n_steps; step++) {
        size_t alive = 0;
        for (int i = 0; i < n; i++)
            if (items[i].first <= step && step <= items[i].last)
                alive += items[i].bytes;
        most = alive > most ? alive : most;
    }
    return most;
}

static void live_buffers_never_overlap(void **state)
{
    (void)state;
    enum { MAX_ITEMS = 60, N_STEPS = 40 };
    test_rng rng = {5};
    for (int round = 0; round < 300; round++) {
        plan_item items[MAX_ITEMS];
        int n = (int)(test_uniform(&rng) * MAX_ITEMS);
        for (int i = 0; i < n; i++) {
            int first = (int)(test_uniform(&rng) * N_STEPS);
            int last = first + (int)(test_uniform(&rng) * 8);
            size_t bytes = (size_t)(test_uniform(&rng) * (i % 7 ? 1000 : 100000));
            items[i] = (plan_item){bytes, first, last < N_STEPS ? last : N_STEPS - 1, 0};
        }
        size_t total = 0;
        assert_ok(plan_memory(items, n, &total, &err));
        for (int i = 0; i < n; i++) {
            assert_int_equal(items[i].offset % PLAN_ALIGN, 0);
            assert_true(items[i].offset + items[i].bytes <= total);
            for (int j = 0; j < i; j++)
                if (live_together(&items[i], &items[j]))
                    assert_false(overlap(&items[i], &items[j]));
        }
        assert_true(total >= lower_bound(items, n, N_STEPS));
        assert_true(total <= lower_bound(items, n, N_STEPS) * 3 / 2 + PLAN_ALIGN);
    }
}

/* A chain needs its two largest neighbours, however long it is. */
static void a_chain_reuses_two_buffers(void **state)
{
    (void)state;
    plan_item items[20];
    size_t total;
    for (int i = 0; i < 20; i++)
        items[i] = (plan_item){1024, i, i + 1, 0};
    assert_ok(plan_memory(items, 20, &total, &err));
    assert_int_equal(total, 2048);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_buffers_never_overlap),
        cmocka_unit_test(a_chain_reuses_two_buffers),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
