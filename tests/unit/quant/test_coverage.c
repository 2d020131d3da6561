/* SPDX-License-Identifier: Apache-2.0 */
/* One tensor whose largest value is known after every image. */
#include "quant/coverage.h"

#include "base/mem.h"
#include "test.h"

static ptq_error err;

typedef struct fixture {
    ranges *r;
    histogram_pool *pool;
    coverage c;
} fixture;

static fixture start(void)
{
    fixture f = {0};
    assert_ok(ranges_create(1, false, &f.r, &err));
    f.r->items[0].name = mem_strdup("x");
    assert_ok(histogram_init(&f.r->items[0].values, false, &err));
    assert_ok(histogram_pool_create(1, cpu_best(), &f.pool, &err));
    assert_ok(coverage_begin(&f.c, f.r, 99.99, 1, &err));
    return f;
}

static void stop(fixture *f)
{
    coverage_clear(&f->c);
    histogram_pool_destroy(f->pool);
    ranges_destroy(f->r);
}

static void see(fixture *f, float largest, int n_images)
{
    float x[2] = {largest / 2, largest};
    value_rows rows = {x, 1, 2, 2};
    assert_ok(histogram_add(&f->r->items[0].values, f->pool, &rows, &err));
    assert_ok(coverage_add(&f->c, n_images, &err));
}

static double number(const json_t *o, const char *key)
{
    assert_true(json_is_number(json_object_get(o, key)));
    return json_number_value(json_object_get(o, key));
}

/* max: 1, then 2 (moved by half), then 2 (not moved): 2 images were enough. */
static void ranges_settle(void **state)
{
    (void)state;
    fixture f = start();
    see(&f, 1, 1);
    see(&f, 2, 1);
    see(&f, 2, 1); /* no doubling yet */
    see(&f, 2, 1);
    assert_ok(coverage_end(&f.c, &err));
    json_t *o = coverage_write_json(f.r, AMAX_MAX);
    const json_t *steps = json_object_get(o, "steps");
    assert_int_equal(json_array_size(steps), 3);
    static const int images[] = {1, 2, 4};
    static const double moved[] = {-1, 0.5, 0};
    for (size_t i = 0; i < 3; i++) {
        const json_t *step = json_array_get(steps, i);
        assert_int_equal((int)number(step, "images"), images[i]);
        if (i > 0)
            assert_true(number(json_object_get(step, "moved"), "max") == moved[i]);
    }
    assert_true(
        json_is_null(json_object_get(json_object_get(json_array_get(steps, 0), "moved"), "max")));
    assert_true(json_is_true(json_object_get(o, "settled")));
    assert_int_equal((int)number(o, "enough"), 2);
    json_decref(o);
    stop(&f);
}

static void ranges_that_still_move_have_not_settled(void **state)
{
    (void)state;
    fixture f = start();
    see(&f, 1, 4);
    see(&f, 2, 4);
    see(&f, 4, 8);
    assert_ok(coverage_end(&f.c, &err));
    json_t *o = coverage_write_json(f.r, AMAX_MAX);
    assert_true(json_is_false(json_object_get(o, "settled")));
    assert_true(json_is_null(json_object_get(o, "enough")));
    json_decref(o);
    stop(&f);
}

/* 8 images, then 3 more: no doubling, so they say nothing. */
static void a_few_images_more_are_no_step(void **state)
{
    (void)state;
    fixture f = start();
    see(&f, 1, 8);
    see(&f, 2, 3);
    assert_ok(coverage_end(&f.c, &err));
    assert_int_equal(f.r->n_steps, 1);
    assert_true(f.r->items[0].amax[AMAX_MAX] == 2);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_settle),
        cmocka_unit_test(ranges_that_still_move_have_not_settled),
        cmocka_unit_test(a_few_images_more_are_no_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
