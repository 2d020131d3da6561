/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/mem.h"
#include "quant/ranges.h"
#include "test.h"

static ptq_error err;

static void fill(range_tensor *t, bool is_compat, const char *name, double spread)
{
    enum { N = 5000 };
    static float x[N];
    test_rng rng = {7};
    for (int i = 0; i < N; i++)
        x[i] = (float)(test_normal(&rng) * spread);
    histogram_pool *pool;
    assert_ok(histogram_pool_create(1, cpu_best(), &pool, &err));
    assert_ok(histogram_init(&t->values, is_compat, &err));
    value_rows rows = {x, 1, N, N};
    assert_ok(histogram_add(&t->values, pool, &rows, &err));
    histogram_pool_destroy(pool);
    t->name = mem_strdup(name);
    t->has_histogram = true;
    assert_ok(range_tensor_add_layer(t, "first", &err));
    assert_ok(range_tensor_add_layer(t, name, &err));
}

static ranges *collected(bool is_compat)
{
    ranges *r;
    assert_ok(ranges_create(2, is_compat, &r, &err));
    fill(&r->items[0], is_compat, "a", 1);
    fill(&r->items[1], is_compat, "b", 3.7);
    r->n_images = 5;
    r->image_size = 320;
    assert_ok(ranges_solve(r, 99.9, 2, &err));
    return r;
}

static void write_file(const char *path, json_t *json)
{
    assert_non_null(json);
    assert_int_equal(json_dump_file(json, path, JSON_INDENT(1)), 0);
    json_decref(json);
}

static void assert_equal_tensors(const range_tensor *a, const range_tensor *b)
{
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->n_layers, b->n_layers);
    assert_string_equal(a->layers[1], b->layers[1]);
    assert_int_equal(a->n_values, b->n_values);
    assert_memory_equal(a->amax, b->amax, sizeof a->amax);
    assert_int_equal(histogram_used_bins(&a->values), histogram_used_bins(&b->values));
    assert_int_equal(a->values.exponent, b->values.exponent);
    assert_true(a->low == b->low && a->high == b->high && a->low < 0 && a->high > 0);
    assert_true(a->values.low == b->low && b->values.high == b->high);
    assert_true(a->values.max == b->values.max);
    size_t n = (size_t)histogram_used_bins(&a->values);
    assert_memory_equal(a->values.counts, b->values.counts, n * sizeof *a->values.counts);
    if (a->values.is_compat)
        assert_memory_equal(a->values.edges, b->values.edges, (n + 1) * sizeof *a->values.edges);
}

static void a_file_keeps_every_bit(void **state)
{
    (void)state;
    char dir[512];
    test_temp_dir(dir);
    char *path = path_join(dir, "ranges.json");
    for (int compat = 0; compat < 2; compat++) {
        ranges *r = collected(compat != 0);
        write_file(path, ranges_write_json(r, true));
        ranges *back;
        assert_ok(ranges_read(path, &back, &err));
        assert_int_equal(back->n, 2);
        assert_int_equal(back->n_images, 5);
        assert_int_equal(back->image_size, 320);
        assert_int_equal(back->is_compat, compat);
        assert_true(back->percentile > 99.89 && back->percentile < 99.91);
        for (int i = 0; i < 2; i++)
            assert_equal_tensors(&r->items[i], &back->items[i]);
        ranges_destroy(back);
        json_t *document =
            json_pack("{s:i,s:o}", "schema", 1, "result", ranges_write_json(r, false));
        write_file(path, document);
        assert_ok(ranges_read(path, &back, &err));
        assert_false(back->items[1].has_histogram);
        assert_memory_equal(back->items[1].amax, r->items[1].amax, sizeof r->items[1].amax);
        ranges_destroy(back);
        ranges_destroy(r);
    }
    mem_free(path);
    test_temp_remove(dir);
}

static void tensors_are_found_by_name_or_layer(void **state)
{
    (void)state;
    ranges *r = collected(false);
    assert_ptr_equal(ranges_find(r, "b", "first"), &r->items[1]);
    assert_ptr_equal(ranges_find(r, "other", "b"), &r->items[1]);
    assert_ptr_equal(ranges_find(r, "other", "first"), &r->items[0]);
    assert_null(ranges_find(r, "other", "none"));
    ranges_destroy(r);
}

static void what_a_file_says_is_checked(void **state)
{
    (void)state;
#define T(rest) "{\"tensors\":[{\"name\":\"a\",\"layers\":[\"l\"],\"count\":3," rest "}]}"
#define AMAX "\"amax\":{\"max\":1,\"percentile\":1,\"entropy\":1,\"mse\":1}"
#define ENDS AMAX ",\"low\":0,\"high\":1"
    static const char *const cases[][2] = {
        {"", "line"},
        {"[1", "line 1"},
        {"{}", "no list 'tensors'"},
        {"{\"tensors\":{}}", "no list 'tensors'"},
        {"{\"tensors\":[1]}", "tensors[0]: 'name' is missing"},
        {"{\"tensors\":[{\"name\":\"a\"}]}", "'layers' must be a list"},
        {"{\"tensors\":[{\"name\":\"a\",\"layers\":[1]}]}", "list of names"},
        {"{\"tensors\":[{\"name\":\"a\",\"layers\":[],\"count\":-3}]}", "'count'"},
        {T("\"amax\":{\"max\":1}"), "'amax.percentile' must be a number"},
        {T("\"amax\":{\"max\":-1}"), "'amax.max' must be a number from 0"},
        {T("\"amax\":{\"max\":1e300}"), "'amax.max' must be a number from 0"},
        {T(AMAX ",\"high\":1"), "'low' must be"},
        {T(AMAX ",\"low\":1,\"high\":1"), "'low' must be"},
        {T(AMAX ",\"low\":-1e300,\"high\":1"), "'low' must be"},
        {T(AMAX ",\"low\":-1"), "'high' must be"},
        {T(ENDS ",\"histogram\":{}"), "'counts' is missing"},
        {T(ENDS ",\"histogram\":{\"counts\":[3]}"), "'exponent'"},
        {T(ENDS ",\"histogram\":{\"counts\":[-3],\"exponent\":0}"), "'counts'"},
        {T(ENDS ",\"histogram\":{\"counts\":[3],\"exponent\":999}"), "'exponent'"},
        {T(AMAX ",\"low\":-9999,\"high\":1,\"histogram\":{\"counts\":[3],\"exponent\":0}"),
         "'low' and 'high' do not"},
        {T(ENDS ",\"histogram\":{\"counts\":[2],\"exponent\":0}"), "do not add up"},
        {T(ENDS ",\"histogram\":{\"exponent\":0,\"counts\":[9223372036854775807,"
                "9223372036854775807,9223372036854775807]}"),
         "64 bits"},
        {"{\"compat\":true,\"tensors\":[{\"name\":\"a\",\"layers\":[],\"count\":3," ENDS
         ",\"histogram\":{\"counts\":[1,2],\"edges\":[0,1]}}]}",
         "'edges' must have one"},
        {"{\"compat\":true,\"tensors\":[{\"name\":\"a\",\"layers\":[],\"count\":3," ENDS
         ",\"histogram\":{\"counts\":[1,2],\"edges\":[0,1,1]}}]}",
         "ascending"},
    };
    char dir[512];
    test_temp_dir(dir);
    char *path = path_join(dir, "ranges.json");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ranges *r = NULL;
        assert_ok(file_write(path, cases[i][0], strlen(cases[i][0]), &err));
        assert_status(ranges_read(path, &r, &err), PTQ_FORMAT);
        if (!strstr(err.message, cases[i][1]) || !strstr(err.message, path))
            fail_msg("'%s' gave '%s'", cases[i][0], err.message);
        assert_null(r);
    }
    mem_free(path);
    test_temp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_keeps_every_bit),
        cmocka_unit_test(tensors_are_found_by_name_or_layer),
        cmocka_unit_test(what_a_file_says_is_checked),
    };
    return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
