/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "passes/passes.h"
#include "quant/code_plan.h"
#include "quant/quant_plan.h"
#include "test.h"
#include "test_net.h"

static ptq_error err;

typedef struct fixture {
    graph *g;
    quant_config *config;
    quant_options options;
    quant_points points;
    code_tensors codes;
    ranges *r;
    qplan plan;
} fixture;

static void fill(range_tensor *t, const char *name, float low, float high)
{
    float x[3] = {low, 0, high};
    histogram_pool *pool;
    assert_ok(histogram_pool_create(1, cpu_best(), &pool, &err));
    assert_ok(histogram_init(&t->values, false, &err));
    value_rows rows = {x, 1, 3, 3};
    assert_ok(histogram_add(&t->values, pool, &rows, &err));
    histogram_pool_destroy(pool);
    t->name = mem_strdup(name);
    t->has_histogram = true;
}

static ptq_status build(fixture *f, const char *yaml)
{
    quant_plan_clear(&f->plan);
    quant_points_clear(&f->points);
    code_tensors_clear(&f->codes);
    quant_config_destroy(f->config);
    assert_ok(yaml ? quant_config_parse(yaml, strlen(yaml), "q.yaml", &f->config, &err)
                   : quant_config_load(NULL, &f->config, &err));
    assert_ok(quant_points_find(f->g, f->config, &f->options, &f->points, &err));
    assert_ok(code_tensors_find(f->g, &f->points, true, &f->codes, &err));
    assert_ok(quant_plan_build(f->g, &f->points, f->r, &f->options, &f->plan, &err));
    code_plan_job job = {f->g, &f->points, &f->codes, f->r, &f->options};
    return code_plan_complete(&job, &f->plan, &err);
}

static fixture start(void)
{
    static const struct {
        const char *name;
        float low, high;
    } tensors[] = {
        {"images", 0, 1},      {"c0", -20, 12},       {"c0.act", -0.25f, 6}, {"c1", -2, 3},
        {"c1.act", -0.25f, 3}, {"c2", -5, 1},         {"c2.act", -0.25f, 2}, {"add", -0.5f, 8},
        {"c3", -1, 1},         {"c3.act", -0.25f, 1}, {"cat", -0.5f, 8},     {"c4", 0, 0},
        {"c5", -9, 9},         {"c5.act", -0.25f, 9}, {"pool", 0, 9},        {"c6", -30, 30},
        {"c6.act", -0.25f, 4}, {"up", -0.25f, 4},     {"cat2", -0.25f, 9}};
    enum { N = sizeof tensors / sizeof *tensors };
    fixture f = {.g = test_net(3)};
    quant_options_init(&f.options);
    f.options.method = AMAX_MAX;
    assert_ok(ranges_create(N, false, &f.r, &err));
    for (int i = 0; i < N; i++)
        fill(&f.r->items[i], tensors[i].name, tensors[i].low, tensors[i].high);
    assert_ok(ranges_solve(f.r, 99.99, 1, &err));
    return f;
}

static void stop(fixture *f)
{
    quant_plan_clear(&f->plan);
    quant_points_clear(&f->points);
    code_tensors_clear(&f->codes);
    quant_config_destroy(f->config);
    ranges_destroy(f->r);
    graph_destroy(f->g);
}

static const quantizer *of_tensor(const fixture *f, const char *name)
{
    for (int i = 0; i < f->plan.n_tensors; i++)
        if (strcmp(f->plan.tensors[i].tensor, name) == 0)
            return &f->plan.tensors[i].codes;
    fail_msg("no quantizer on '%s'", name);
    return NULL;
}

static const qplan_entry *of_layer(const fixture *f, const char *name)
{
    for (int i = 0; i < f->plan.n_entries; i++)
        if (strcmp(f->plan.entries[i].layer, name) == 0)
            return &f->plan.entries[i];
    fail_msg("no entry for '%s'", name);
    return NULL;
}

static void assert_range(const quantizer *q, float low, float high)
{
    assert_true(q->enabled && q->is_unsigned && q->num_bits == 8 && q->axis == -1);
    assert_float_equal(q->low, low, 0);
    assert_float_equal(q->amax[0], high, 0);
}

/* From the smallest to the largest value; what goes into a SiLU ends at -6.5, where its sigmoid is
 * less than half of 1/255: 1/(1+e^6.5) = 0.0015. */
static void ranges_hold_what_was_seen(void **state)
{
    (void)state;
    fixture f = start();
    assert_ok(build(&f, NULL));
    assert_range(of_tensor(&f, "images"), 0, 1);
    assert_range(of_tensor(&f, "c0"), -6.5f, 12);
    assert_range(of_tensor(&f, "c0.act"), -0.25f, 6);
    assert_range(of_tensor(&f, "c1"), -2, 3);
    assert_range(of_tensor(&f, "cat"), -0.5f, 8);
    assert_range(of_tensor(&f, "c3.act"), -0.5f, 8);
    assert_range(of_tensor(&f, "pool"), -0.25f, 9);
    assert_range(of_tensor(&f, "c4"), 0, 0);
    assert_range(&of_layer(&f, "c5")->input, -0.5f, 8);
    assert_int_equal(of_layer(&f, "c5")->weight.n_amax, 8);
    assert_true(f.plan.integer_bias);
    stop(&f);
}

static void settings_decide_over_what_was_seen(void **state)
{
    (void)state;
    fixture f = start();
    assert_ok(build(&f, "layers: [{match: c5, input: {amax: 3, scale_amax: 0.5}}]"));
    assert_range(of_tensor(&f, "cat"), -0.5f, 1.5f);
    assert_range(of_tensor(&f, "add"), -0.5f, 1.5f);
    assert_range(&of_layer(&f, "c5")->input, -0.5f, 1.5f);
    assert_ok(build(&f, "layers: [{match: c1, input: {amax: 0.125}}]"));
    assert_range(of_tensor(&f, "c0.act"), -0.125f, 0.125f);
    assert_status(build(&f, "layers: [{match: c1, input: {num_bits: 4}}]"), PTQ_UNSUPPORTED);
    assert_non_null(strstr(err.message, "'c1'"));
    stop(&f);
}

static void a_tensor_without_a_range_is_named(void **state)
{
    (void)state;
    fixture f = start();
    f.r->items[5].name[1] = 'x'; /* c2 */
    assert_status(build(&f, NULL), PTQ_DATA);
    assert_non_null(strstr(err.message, "'c2'"));
    stop(&f);
}

/* Ranges from a file without histograms: the table of the method, cut to what was seen. */
static void ranges_without_histograms_serve(void **state)
{
    (void)state;
    fixture f = start();
    for (int i = 0; i < f.r->n; i++) {
        f.r->items[i].has_histogram = false;
        f.r->items[i].amax[AMAX_MSE] = 5;
    }
    f.options.method = AMAX_MSE;
    assert_ok(build(&f, NULL));
    assert_range(of_tensor(&f, "c0.act"), -0.25f, 5);
    assert_range(of_tensor(&f, "c0"), -5, 5);
    assert_range(of_tensor(&f, "c3"), -1, 1);
    stop(&f);
}

/* A bias of 1000 beside weights of 1e-12: 1000 / (step * amax/127) must stay below 2^30. */
static void a_bias_fits_into_32_bits(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    shape s = shape4(1, 1, 4, 4), ws = shape4(1, 1, 1, 1), bs = shape_make(1, (int64_t[]){1});
    tensor_id in[3], y, z;
    assert_ok(graph_add_tensor(g, "images", DTYPE_F32, &s, &in[0], &err));
    assert_ok(graph_add_input(g, in[0], &err));
    assert_ok(graph_add_const_copy(g, "c.weight", DTYPE_F32, &ws, &(float){1e-12f}, &in[1], &err));
    assert_ok(graph_add_const_copy(g, "c.bias", DTYPE_F32, &bs, &(float){1000}, &in[2], &err));
    op_attr attr = {.conv = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1}};
    assert_ok(graph_add_op(g, GRAPH_OP_CONV, "c", 3, in, &attr, NULL, &y, &err));
    z = test_net_conv(g, "y", y, 1, 1, 3);
    assert_ok(graph_add_output(g, z, &err));
    assert_ok(graph_tidy(g, &err));
    fixture f = {.g = g};
    quant_options_init(&f.options);
    f.options.method = AMAX_MAX;
    assert_ok(ranges_create(2, false, &f.r, &err));
    fill(&f.r->items[0], "images", 0, 255);
    fill(&f.r->items[1], "c", 999, 1001);
    assert_ok(ranges_solve(f.r, 99.99, 1, &err));
    assert_ok(build(&f, NULL));
    assert_float_equal(of_layer(&f, "c")->weight.amax[0], 1000 / 0x1p30 * 127, 1e-9);
    assert_ok(pass_insert_qdq(g, &f.plan, &err));
    const tensor *bias = graph_tensor_const(g, graph_find_tensor(g, "c.bias"));
    assert_int_equal(bias->type, DTYPE_I32);
    assert_int_equal(*(const int32_t *)blob_data(bias->data), 1 << 30);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_hold_what_was_seen),
        cmocka_unit_test(settings_decide_over_what_was_seen),
        cmocka_unit_test(a_tensor_without_a_range_is_named),
        cmocka_unit_test(ranges_without_histograms_serve),
        cmocka_unit_test(a_bias_fits_into_32_bits),
    };
    return cmocka_run_group_tests_name("code_plan", tests, NULL, NULL);
}
