/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <jansson.h>

#include "base/file.h"
#include "data/batch_plan.h"

/* Many equal values: multiples of 1/8 below `mod`/8. */
static double *make_values(int n, uint64_t mod)
{
    double *values = malloc((size_t)n * sizeof *values);
    assert_non_null(values);
    uint64_t state = 12345;
    for (int i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        values[i] = (double)((state >> 33) % mod) / 8;
    }
    return values;
}

/* Expected: FNV-1a over the indices that numpy 1.24's argsort gives for the same values. */
static void assert_order(const double *values, int n, uint64_t want)
{
    int *order = malloc((size_t)n * sizeof *order);
    assert_non_null(order);
    argsort_quick(values, n, order);
    uint64_t hash = 1469598103934665603u;
    for (int i = 0; i < n; i++)
        hash = (hash ^ (uint64_t)order[i]) * 1099511628211u;
    assert_int_equal(hash, want);
    free(order);
}

static void equal_values_come_in_numpys_order(void **state)
{
    (void)state;
    static const struct {
        int n;
        uint64_t mod, hash;
    } cases[] = {
        {17, 3, 0x8af1413542faaa01},
        {40, 4, 0x47aa61d73d6202eb},
        {300, 7, 0x4cc323bb65efa537},
        {5000, 50, 0x114e1b55ad83197b},
    };
    for (int c = 0; c < 4; c++) {
        double *values = make_values(cases[c].n, cases[c].mod);
        assert_order(values, cases[c].n, cases[c].hash);
        free(values);
    }
}

/* Rising, then falling: partitions so uneven that heapsort takes over. */
static void organ_pipes_come_in_numpys_order(void **state)
{
    (void)state;
    enum { N = 65536 };
    double *values = malloc(N * sizeof *values);
    assert_non_null(values);
    for (int i = 0; i < N; i++)
        values[i] = i < N - i ? i : N - i;
    assert_order(values, N, 0x94bef01d1170f553);
    for (int i = 0; i < 1024; i++)
        values[i] = i < 1024 - i ? i : 1024 - i;
    assert_order(values, 1024, 0x858310ff6903abc7);
    free(values);
}

static dataset *open_set(const char *yaml)
{
    ptq_error err;
    char path[512];
    dataset *d;
    assert_ok(
        dataset_open(test_shared(yaml, path), &(dataset_options){.split = "val"}, NULL, &d, &err));
    return d;
}

static batch_plan make_plan(const dataset *d, int size)
{
    ptq_error err;
    loader_options options = {
        .image_size = size, .batch_size = 4, .stride = 32, .pad = 0.5, .rect = true};
    batch_plan plan;
    assert_ok(batch_plan_make(d, &options, &plan, &err));
    return plan;
}

static const char *file_at(const dataset *d, const batch_plan *p, size_t position)
{
    return path_base(d->items[p->order[position]].path);
}

static void assert_shape(const batch_shape *b, const json_t *hw)
{
    assert_int_equal(b->height, json_integer_value(json_array_get(hw, 0)));
    assert_int_equal(b->width, json_integer_value(json_array_get(hw, 1)));
}

static void recorded_rectangles_are_equal(void **state)
{
    (void)state;
    static const int sizes[] = {320, 640};
    dataset *d = open_set("shapes/data.yaml");
    for (int s = 0; s < 2; s++) {
        char path[512], name[128];
        snprintf(name, sizeof name, "shapes/golden/preproc/rect_order_%d.json", sizes[s]);
        json_t *list = json_load_file(test_shared(name, path), 0, NULL);
        batch_plan p = make_plan(d, sizes[s]);
        assert_int_equal(json_array_size(list), p.n_images);
        for (size_t i = 0; i < json_array_size(list); i++) {
            const json_t *r = json_array_get(list, i);
            const image_item *item = &d->items[p.order[i]];
            assert_string_equal(file_at(d, &p, i), json_string_value(json_object_get(r, "file")));
            assert_int_equal(item->width, json_number_value(json_object_get(r, "w")));
            assert_int_equal(item->height, json_number_value(json_object_get(r, "h")));
            json_int_t at = json_integer_value(json_object_get(r, "batch"));
            assert_int_equal(at, i / 4);
            assert_shape(&p.batches[at], json_object_get(r, "batch_shape_hw"));
        }
        batch_plan_clear(&p);
        json_decref(list);
    }
    dataset_destroy(d);
}

static void assert_recorded_run(const char *yaml, const char *folder, int size)
{
    char path[512], name[128];
    dataset *d = open_set(yaml);
    batch_plan p = make_plan(d, size);
    snprintf(name, sizeof name, "%s/image_order.json", folder);
    json_t *order = json_load_file(test_shared(name, path), 0, NULL);
    snprintf(name, sizeof name, "%s/metrics.json", folder);
    json_t *metrics = json_load_file(test_shared(name, path), 0, NULL);
    const json_t *shapes = json_object_get(metrics, "batch_shapes_hw");
    assert_int_equal(json_array_size(order), p.n_images);
    assert_int_equal(json_array_size(shapes), p.n_batches);
    for (size_t i = 0; i < json_array_size(order); i++)
        assert_string_equal(file_at(d, &p, i), json_string_value(json_array_get(order, i)));
    for (size_t i = 0; i < json_array_size(shapes); i++)
        assert_shape(&p.batches[i], json_array_get(shapes, i));
    json_decref(order);
    json_decref(metrics);
    batch_plan_clear(&p);
    dataset_destroy(d);
}

static void recorded_runs_have_the_same_batches(void **state)
{
    (void)state;
    assert_recorded_run("shapes/data.yaml", "shapes/golden/test320", 320);
    assert_recorded_run("shapes/data.yaml", "shapes-tiny/golden/test320", 320);
    assert_recorded_run("yolov5n/coco128/data.yaml", "yolov5n/golden/coco128", 640);
    assert_recorded_run("yolov5n/cocoval/data.yaml", "yolov5n/golden/cocoval", 640);
}

/* data.md §3: 640, pad 0.5: a square gives 672, height / width 0.75 gives 512 x 672. */
static void shapes_follow_the_ratios(void **state)
{
    (void)state;
    image_item items[] = {{.width = 400, .height = 300},
                          {.width = 400, .height = 800},
                          {.width = 100, .height = 100},
                          {.width = 800, .height = 400},
                          {.width = 400, .height = 500}};
    dataset d = {.items = items, .n_items = 5};
    ptq_error err;
    loader_options options = {
        .image_size = 640, .batch_size = 2, .stride = 32, .pad = 0.5, .rect = true};
    batch_plan p;
    assert_ok(batch_plan_make(&d, &options, &p, &err));
    assert_int_equal(p.n_batches, 3);
    assert_int_equal(p.order[0], 3);
    assert_int_equal(p.batches[0].height, 512);
    assert_int_equal(p.batches[0].width, 672);
    assert_int_equal(p.batches[1].height, 672);
    assert_int_equal(p.batches[1].width, 672);
    assert_int_equal(p.batches[2].n, 1);
    assert_int_equal(p.batches[2].height, 672);
    assert_int_equal(p.batches[2].width, 352);
    batch_plan_clear(&p);
    options.rect = false;
    assert_ok(batch_plan_make(&d, &options, &p, &err));
    for (int i = 0; i < 5; i++)
        assert_int_equal(p.order[i], i);
    assert_int_equal(p.batches[2].height, 640);
    batch_plan_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_values_come_in_numpys_order),
        cmocka_unit_test(organ_pipes_come_in_numpys_order),
        cmocka_unit_test(shapes_follow_the_ratios),
        cmocka_unit_test(recorded_rectangles_are_equal),
        cmocka_unit_test(recorded_runs_have_the_same_batches),
    };
    return cmocka_run_group_tests_name("batch_plan", tests, NULL, NULL);
}
