/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "passes/passes.h"
#include "quant/quant_plan.h"
#include "test.h"
#include "test_net.h"

static ptq_error err;

typedef struct fixture {
    graph *g;
    quant_config *config;
    quant_options options;
    quant_points points;
    ranges *r;
    qplan plan;
} fixture;

/* Values 0, step, 2*step ... up to `max`: every range is known without a search. */
static void fill(range_tensor *t, const char *name, float max, bool negative)
{
    enum { N = 1000 };
    float x[N];
    for (int i = 0; i < N; i++)
        x[i] = max * (float)(negative && i == 5 ? -i : i) / (N - 1);
    histogram_pool *pool;
    assert_ok(histogram_pool_create(1, cpu_best(), &pool, &err));
    assert_ok(histogram_init(&t->values, false, &err));
    value_rows rows = {x, 1, N, N};
    assert_ok(histogram_add(&t->values, pool, &rows, &err));
    histogram_pool_destroy(pool);
    t->name = mem_strdup(name);
    t->has_histogram = true;
}

static fixture start(void)
{
    static const struct {
        const char *name;
        float max;
    } tensors[] = {{"images", 1}, {"c0.act", 2}, {"c1.act", 3}, {"add", 4},
                   {"cat", 8},    {"pool", 6},   {"up", 7},     {"cat2", 9}};
    enum { N = sizeof tensors / sizeof *tensors };
    fixture f = {.g = test_net(3)};
    quant_options_init(&f.options);
    f.options.method = AMAX_MAX;
    assert_ok(ranges_create(N, false, &f.r, &err));
    for (int i = 0; i < N; i++)
        fill(&f.r->items[i], tensors[i].name, tensors[i].max, i > 0);
    assert_ok(ranges_solve(f.r, 99.99, 1, &err));
    return f;
}

static ptq_status build(fixture *f, const char *yaml)
{
    quant_plan_clear(&f->plan);
    quant_points_clear(&f->points);
    quant_config_destroy(f->config);
    assert_ok(yaml ? quant_config_parse(yaml, strlen(yaml), "q.yaml", &f->config, &err)
                   : quant_config_load(NULL, &f->config, &err));
    assert_ok(quant_points_find(f->g, f->config, &f->options, &f->points, &err));
    return quant_plan_build(f->g, &f->points, f->r, &f->options, &f->plan, &err);
}

static void stop(fixture *f)
{
    quant_plan_clear(&f->plan);
    quant_points_clear(&f->points);
    quant_config_destroy(f->config);
    ranges_destroy(f->r);
    graph_destroy(f->g);
}

static const qplan_entry *entry(const fixture *f, const char *layer)
{
    for (int i = 0; i < f->plan.n_entries; i++)
        if (strcmp(f->plan.entries[i].layer, layer) == 0)
            return &f->plan.entries[i];
    return NULL;
}

static float input_amax(const fixture *f, const char *layer)
{
    return entry(f, layer)->input.amax[0];
}

static void every_layer_gets_the_range_of_its_input(void **state)
{
    (void)state;
    fixture f = start();
    assert_ok(build(&f, NULL));
    assert_int_equal(f.plan.n_entries, 7);
    assert_null(entry(&f, "c7"));
    assert_float_equal(input_amax(&f, "c0"), 1, 0);
    assert_float_equal(input_amax(&f, "c1"), 2, 0);
    assert_float_equal(input_amax(&f, "c4"), 4, 0);
    assert_float_equal(input_amax(&f, "c5"), 8, 0);
    const quantizer *q = &entry(&f, "c1")->input;
    assert_true(q->enabled && q->num_bits == 8 && q->axis == -1 && q->n_amax == 1);
    stop(&f);
}

/* max |w| per output channel, computed here from the definition. */
static void weights_are_ranged_per_output_channel(void **state)
{
    (void)state;
    fixture f = start();
    assert_ok(build(&f, "layers: [{match: c3, weight: {axis: null, scale_amax: 0.5}}, "
                        "{match: c4, weight: {amax: 0.25}}]"));
    const quantizer *q = &entry(&f, "c1")->weight;
    assert_int_equal(q->axis, 0);
    assert_int_equal(q->n_amax, 8);
    const tensor *w = graph_tensor_const(f.g, graph_find_tensor(f.g, "c1.weight"));
    const float *values = blob_data(w->data);
    for (int c = 0; c < 8; c++) {
        float max = 0;
        for (int i = 0; i < 72; i++)
            max = fmaxf(max, fabsf(values[c * 72 + i]));
        assert_float_equal(q->amax[c], max, 0);
    }
    w = graph_tensor_const(f.g, graph_find_tensor(f.g, "c3.weight"));
    values = blob_data(w->data);
    float max = 0;
    for (int i = 0; i < 576; i++)
        max = fmaxf(max, fabsf(values[i]));
    assert_int_equal(entry(&f, "c3")->weight.n_amax, 1);
    assert_float_equal(entry(&f, "c3")->weight.amax[0], max * 0.5f, 0);
    assert_float_equal(entry(&f, "c4")->weight.amax[7], 0.25f, 0);
    assert_ok(build(&f, "defaults: {weight: {calib_method: histogram, amax_method: mse}}"));
    assert_true(entry(&f, "c3")->weight.amax[0] < max);
    stop(&f);
}

static void groups_pool_their_values(void **state)
{
    (void)state;
    fixture f = start();
    f.options.share_scales = true;
    f.options.residual = true;
    f.options.quantize_head = true;
    assert_ok(build(&f, NULL));
    assert_float_equal(input_amax(&f, "c4"), 8, 0);
    assert_float_equal(input_amax(&f, "c5"), 8, 0);
    assert_float_equal(input_amax(&f, "c6"), 9, 0);
    assert_int_equal(f.plan.n_extras, 1);
    assert_string_equal(f.plan.extras[0].node, "add");
    assert_int_equal(f.plan.extras[0].input_index, 0);
    assert_float_equal(f.plan.extras[0].input.amax[0], 2, 0);
    /* the median of add (1000 values up to 4) and cat (1000 up to 8) pooled: v/4 + v/8 = 1 */
    f.options.method = AMAX_PERCENTILE;
    f.options.percentile = 50;
    assert_ok(build(&f, NULL));
    assert_float_equal(input_amax(&f, "c4"), 8.0f / 3, 0.02f);
    assert_float_equal(input_amax(&f, "c5"), 8.0f / 3, 0.02f);
    stop(&f);
}

static void a_fixed_range_holds_for_its_group(void **state)
{
    (void)state;
    fixture f = start();
    f.options.share_scales = true;
    assert_ok(build(&f, "layers: [{match: c5, input: {amax: 3.2, scale_amax: 0.5}}]"));
    assert_float_equal(input_amax(&f, "c4"), 1.6f, 0);
    assert_float_equal(input_amax(&f, "c5"), 1.6f, 0);
    assert_ok(build(&f, "layers: [{match: 'c[45]', input: {amax: 3.2}}]"));
    assert_status(build(&f, "layers: [{match: c4, input: {amax: 3}}, {match: c5, input: {amax: "
                            "4}}]"),
                  PTQ_USAGE);
    assert_non_null(strstr(err.message, "'c4' and 'c5'"));
    /* a rule for one layer decides the method of its group */
    assert_ok(build(&f, "layers: [{match: c5, input: {percentile: 50}}]"));
    assert_float_equal(input_amax(&f, "c4"), 8.0f / 3, 0.02f);
    f.options.share_scales = false;
    assert_ok(build(&f, "layers: [{match: c4, input: {amax: 3}}, {match: c5, input: {amax: 4}}]"));
    assert_float_equal(input_amax(&f, "c4"), 3, 0);
    assert_float_equal(input_amax(&f, "c5"), 4, 0);
    stop(&f);
}

static void ranges_that_do_not_fit_are_named(void **state)
{
    (void)state;
    fixture f = start();
    assert_ok(build(&f, "layers: [{match: c0, input: {unsigned: true}}]"));
    assert_true(entry(&f, "c0")->input.is_unsigned);
    assert_status(build(&f, "layers: [{match: c1, input: {unsigned: true}}]"), PTQ_USAGE);
    assert_non_null(strstr(err.message, "has negative values"));
    f.r->items[1].name[0] = 'x';
    assert_status(build(&f, NULL), PTQ_DATA);
    assert_non_null(strstr(err.message, "'c0.act'"));
    stop(&f);
}

/* A file without histograms serves the methods it lists, groups by their largest range. */
static void a_table_serves_without_histograms(void **state)
{
    (void)state;
    fixture f = start();
    for (int i = 0; i < f.r->n; i++)
        f.r->items[i].has_histogram = i == 3;
    f.options.share_scales = true;
    f.options.method = AMAX_MSE;
    assert_ok(build(&f, NULL));
    assert_float_equal(input_amax(&f, "c0"), f.r->items[0].amax[AMAX_MSE], 0);
    assert_float_equal(input_amax(&f, "c4"), f.r->items[4].amax[AMAX_MSE], 0);
    f.options.method = AMAX_PERCENTILE;
    f.options.percentile = 99;
    assert_status(build(&f, NULL), PTQ_USAGE);
    assert_non_null(strstr(err.message, "calibrate again"));
    stop(&f);
}

/* A tensor that several quantizers read counts once: "add" is read by c4 and, through a rule, by
 * cat; the median of the pooled values is that of add and cat together. */
static void a_tensor_is_pooled_once(void **state)
{
    (void)state;
    fixture f = start();
    f.options.share_scales = true;
    f.options.method = AMAX_PERCENTILE;
    f.options.percentile = 50;
    assert_ok(build(&f, "layers: [{layer: cat, inputs: [0]}]"));
    assert_int_equal(f.plan.n_extras, 1);
    assert_float_equal(f.plan.extras[0].input.amax[0], 8.0f / 3, 0.02f);
    assert_float_equal(input_amax(&f, "c4"), 8.0f / 3, 0.02f);
    stop(&f);
}

/* Lists along an axis, several axes, and what only simulation can do. */
static void every_field_reaches_the_plan(void **state)
{
    (void)state;
    fixture f = start();
    assert_ok(build(&f, "layers:\n"
                        "  - layer: c1\n"
                        "    input: {axis: 1, amax: [1, 2, 3, 4, 5, 6, 7, 8], scale_amax: 0.5}\n"
                        "    weight: {axis: [0, 1], num_bits: 4}\n"
                        "  - layer: c3\n"
                        "    weight: {axis: -3, amax: [8, 7, 6, 5, 4, 3, 2, 1]}\n"
                        "    input: {learn_amax: true, if_clip: true, if_quant: false, amax: 2}\n"
                        "  - {layer: c4, weight: {disabled: true}}\n"));
    const qplan_entry *e = entry(&f, "c1");
    assert_int_equal(e->input.axis, 1);
    assert_int_equal(e->input.n_amax, 8);
    assert_float_equal(e->input.amax[6], 3.5f, 0);
    assert_int_equal(e->weight.several_axes, 3);
    assert_int_equal(e->weight.n_amax, 64);
    const tensor *w = graph_tensor_const(f.g, graph_find_tensor(f.g, "c1.weight"));
    const float *values = blob_data(w->data);
    float max = 0;
    for (int i = 0; i < 9; i++) /* output channel 2, input channel 3 */
        max = fmaxf(max, fabsf(values[(2 * 8 + 3) * 9 + i]));
    assert_float_equal(e->weight.amax[2 * 8 + 3], max, 0);
    e = entry(&f, "c3");
    assert_int_equal(e->weight.axis, 1);
    assert_float_equal(e->weight.amax[7], 1, 0);
    assert_true(e->input.only_clips && e->input.narrow_range);
    assert_float_equal(e->input.amax[0], 2, 0);
    assert_false(entry(&f, "c4")->weight.enabled);
    assert_true(entry(&f, "c4")->input.enabled);
    assert_status(build(&f, "layers: [{layer: c1, input: {axis: 1, calib_method: max}}]"),
                  PTQ_DATA);
    assert_non_null(strstr(err.message, "per slice of layer 'c1' were not collected"));
    stop(&f);
}

static void weights_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    fixture f = start();
    tensor *w = graph_tensor(f.g, graph_find_tensor(f.g, "c3.weight"));
    ((float *)blob_data(w->data))[5] = NAN;
    assert_status(build(&f, NULL), PTQ_DATA);
    assert_non_null(strstr(err.message, "weights of layer 'c3'"));
    stop(&f);
}

static void the_pass_accepts_the_plan(void **state)
{
    (void)state;
    fixture f = start();
    f.options.share_scales = true;
    f.options.residual = true;
    assert_ok(build(&f, NULL));
    graph *q;
    assert_ok(graph_copy(f.g, &q, &err));
    assert_ok(pass_insert_qdq(q, &f.plan, &err));
    assert_ok(graph_verify(q, &err));
    int n_q = 0;
    int n_dq = 0;
    for (int i = 0; i < graph_n_nodes(q); i++) {
        const node *n = graph_node_const(q, (node_id)i);
        n_q += n->op == GRAPH_OP_QUANTIZE_LINEAR;
        n_dq += n->op == GRAPH_OP_DEQUANTIZE_LINEAR;
    }
    /* images, c0.act (c1, c3 and the Add), c1.act, add, cat, pool; 7 weights */
    assert_int_equal(n_q, 6);
    assert_int_equal(n_dq, 13);
    json_t *json = quant_plan_write_json(f.g, &f.plan);
    assert_int_equal(json_array_size(json), 8);
    json_decref(json);
    graph_destroy(q);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_gets_the_range_of_its_input),
        cmocka_unit_test(weights_are_ranged_per_output_channel),
        cmocka_unit_test(groups_pool_their_values),
        cmocka_unit_test(a_fixed_range_holds_for_its_group),
        cmocka_unit_test(ranges_that_do_not_fit_are_named),
        cmocka_unit_test(a_table_serves_without_histograms),
        cmocka_unit_test(a_tensor_is_pooled_once),
        cmocka_unit_test(every_field_reaches_the_plan),
        cmocka_unit_test(weights_that_are_not_finite_are_refused),
        cmocka_unit_test(the_pass_accepts_the_plan),
    };
    return cmocka_run_group_tests_name("quant_plan", tests, NULL, NULL);
}
