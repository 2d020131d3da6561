/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges found by running images once more, on the demo's network at 96 pixels. Expected values are
 * computed here from what the float and the quantized network give out. */
#include "data/loader.h"
#include "engine/session.h"
#include "model/model.h"
#include "passes/passes.h"
#include "quant/calibrate.h"
#include "quant/fit.h"
#include "quant/quant_plan.h"
#include "test.h"

enum { SIZE = 96, IMAGES = 4 };

static ptq_error err;

typedef struct fixture {
    model *m;
    dataset *data;
    quant_config *config;
    quant_options options;
    quant_points points;
    ranges *r;
    json_t *report;
} fixture;

static fixture start(const char *yaml)
{
    fixture f = {0};
    char path[512];
    dataset_options d = {.split = "train", .limit = IMAGES, .list_order = true};
    assert_ok(model_load(test_demo("yolov7-shapes.pt", path), NULL, NULL, &f.m, &err));
    assert_ok(passes_clean(f.m->graph, &err));
    assert_ok(dataset_open(test_demo("shapes.yaml", path), &d, NULL, &f.data, &err));
    assert_ok(quant_config_parse(yaml, strlen(yaml), "q.yaml", &f.config, &err));
    quant_options_init(&f.options);
    f.options.share_scales = true;
    assert_ok(quant_points_find(f.m->graph, f.config, &f.options, &f.points, &err));
    calibrate_options o;
    calibrate_options_init(&o);
    o.image_size = SIZE;
    calibrate_job job = {.g = f.m->graph, .points = &f.points, .data = f.data};
    assert_ok(calibrate(&job, &o, NULL, &f.r, &err));
    return f;
}

static void stop(fixture *f)
{
    json_decref(f->report);
    ranges_destroy(f->r);
    quant_points_clear(&f->points);
    quant_config_destroy(f->config);
    dataset_destroy(f->data);
    model_destroy(f->m);
}

static ptq_status fit(fixture *f)
{
    fit_job job = {.g = f->m->graph,
                   .points = &f->points,
                   .r = f->r,
                   .data = f->data,
                   .image_size = SIZE,
                   .batch_size = 2,
                   .n_images = IMAGES};
    return fit_ranges(&job, NULL, &f->report, &err);
}

static quant_point *point(const fixture *f, const char *layer)
{
    for (int i = 0; i < f->points.n; i++)
        if (strcmp(f->points.items[i].layer, layer) == 0)
            return &f->points.items[i];
    fail_msg("no layer '%s'", layer);
    return NULL;
}

/* ---------------------------------------------------------------- running by hand */

typedef struct seen {
    const char *name;
    float *values; /* of all images */
    size_t n;
    shape shape;
} seen;

static void keep(void *user, const tap_view *v)
{
    seen *s = user;
    size_t n = 0;
    assert_true(shape_count(&v->shape, &n));
    s->values = realloc(s->values, (s->n + n) * sizeof(float));
    assert_non_null(s->values);
    tap_to_float(v, s->values + s->n);
    s->n += n;
    s->shape = v->shape;
}

/* What tensor `name` of a graph is on the images, one image at a time. */
static seen run(const fixture *f, const graph *g, const char *name)
{
    seen s = {.name = name};
    const char *taps[] = {name, NULL};
    graph *lowered;
    session *run;
    loader *l;
    assert_ok(graph_copy(g, &lowered, &err));
    assert_ok(
        pass_lower(lowered, &(lower_options){.precision = PRECISION_FP32, .keep = taps}, &err));
    session_options options = {.threads = 1, .level = CPU_REF, .taps = taps, .n_taps = 1};
    assert_ok(cpu_level_parse(NULL, &options.level, &err));
    assert_ok(session_create(lowered, &options, &run, &err));
    session_set_tap(run, keep, &s);
    loader_options lo = {.image_size = SIZE, .batch_size = 1, .stride = 32, .threads = 1};
    assert_ok(loader_open(f->data, &lo, NULL, &l, &err));
    for (int i = 0; i < IMAGES; i++) {
        const batch *b;
        assert_ok(loader_next(l, &b, &err));
        tensor_view in = {b->images, DTYPE_F32, shape4(1, 3, SIZE, SIZE)};
        assert_ok(session_run(run, &in, 1, &err));
    }
    loader_close(l);
    session_destroy(run);
    graph_destroy(lowered);
    return s;
}

/* The relative squared error of a layer's output when one quantizer has the range `amax`. */
static double error_with(const fixture *f, const char *layer, bool is_weight, float amax)
{
    quantizer z = {.enabled = true, .num_bits = 8, .axis = -1, .n_amax = 1, .amax = &amax};
    qplan_entry e = {.layer = (char *)(uintptr_t)layer};
    *(is_weight ? &e.weight : &e.input) = z;
    qplan plan = {.entries = &e, .n_entries = 1};
    const graph *g = f->m->graph;
    const char *output =
        graph_tensor_const(g, graph_node_const(g, graph_find_node(g, layer))->outputs[0])->name;
    graph *q;
    assert_ok(graph_copy(g, &q, &err));
    assert_ok(pass_insert_qdq(q, &plan, &err));
    seen a = run(f, g, output), b = run(f, q, output);
    double difference = 0, square = 0;
    for (size_t i = 0; i < a.n; i++) {
        difference += (double)(a.values[i] - b.values[i]) * (double)(a.values[i] - b.values[i]);
        square += (double)a.values[i] * (double)a.values[i];
    }
    free(a.values);
    free(b.values);
    graph_destroy(q);
    return difference / square;
}

/* ---------------------------------------------------------------- tests */

static void nothing_is_run_when_nothing_asks_for_it(void **state)
{
    (void)state;
    fixture f = start("layers: []");
    assert_null(fit_needed_by(&f.points));
    assert_ok(fit(&f));
    assert_int_equal(json_array_size(f.report), 0);
    assert_int_equal(point(&f, "model.2.conv")->input_desc.n_amax, 0);
    stop(&f);
}

/* The range that is learned: ranges beside it, and the calibrated one, make a larger error. */
static void the_output_error_decides(void **state)
{
    (void)state;
    fixture f = start("layers:\n"
                      "  - layer: model.2.conv\n"
                      "    input: {learn_amax: true, amax: 1, scale_amax: 0.5}\n"
                      "    weight: {learn_amax: true, axis: null}\n");
    assert_string_equal(fit_needed_by(&f.points), "model.2.conv");
    assert_ok(fit(&f));
    const quant_point *p = point(&f, "model.2.conv");
    assert_int_equal(json_array_size(f.report), 2);
    for (int weight = 0; weight < 2; weight++) {
        const descriptor *d = weight ? &p->weight_desc : &p->input_desc;
        const json_t *u = json_array_get(f.report, (size_t)weight);
        assert_int_equal(d->n_amax, 1);
        assert_float_equal(d->scale_amax, 1, 0);
        assert_string_equal(json_string_value(json_object_get(u, "role")),
                            weight ? "weight" : "input");
        double best = error_with(&f, p->layer, weight, d->amax);
        double told = json_number_value(json_object_get(u, "error"));
        assert_true(fabs(told - best) < 1e-3 * best);
        assert_true(best < error_with(&f, p->layer, weight, d->amax * 1.3f));
        assert_true(best < error_with(&f, p->layer, weight, d->amax / 1.3f));
        float calibrated = (float)json_number_value(json_object_get(u, "calibrated_amax"));
        double other = error_with(&f, p->layer, weight, calibrated);
        assert_true(best <= other * (1 + 1e-9));
        told = json_number_value(json_object_get(u, "calibrated_error"));
        assert_true(fabs(told - other) < 1e-3 * other);
    }
    stop(&f);
}

/* model.4 and model.5 read one tensor: one range for both, which neither may fix. */
static void a_group_learns_together(void **state)
{
    (void)state;
    fixture f = start("layers: [{layer: model.5.conv, input: {learn_amax: true, num_bits: 6}},\n"
                      "         {layer: model.4.conv, input: {num_bits: 6}}]");
    assert_ok(fit(&f));
    const quant_point *a = point(&f, "model.4.conv"), *b = point(&f, "model.5.conv");
    assert_int_equal(a->group, b->group);
    assert_true(a->input_desc.n_amax == 1 && a->input_desc.amax == b->input_desc.amax);
    const json_t *layers = json_object_get(json_array_get(f.report, 0), "layers");
    assert_int_equal(json_array_size(layers), 2);
    stop(&f);
    f = start("layers: [{layer: model.5.conv, input: {learn_amax: true}},\n"
              "         {layer: model.4.conv, input: {amax: 3}}]");
    assert_status(fit(&f), PTQ_USAGE);
    assert_non_null(strstr(err.message, "'model.5.conv' and 'model.4.conv' share one input range"));
    stop(&f);
}

/* A quantizer on an output of the network has no layer behind it: its own error counts. */
static void an_output_learns_by_its_own_error(void **state)
{
    (void)state;
    fixture f = start("tensors: [{match: output, input: {learn_amax: true, num_bits: 6}}]");
    assert_ok(fit(&f));
    const json_t *u = json_array_get(f.report, 0);
    float step = (float)json_number_value(json_object_get(u, "amax")) / 31;
    seen s = run(&f, f.m->graph, "output");
    double difference = 0, square = 0;
    for (size_t i = 0; i < s.n; i++) {
        float code = fminf(fmaxf(rintf(s.values[i] / step), -32), 31);
        difference += pow((double)(code * step - s.values[i]), 2);
        square += (double)s.values[i] * (double)s.values[i];
    }
    double told = json_number_value(json_object_get(u, "error"));
    assert_true(step > 0 && fabs(told - difference / square) < 1e-3 * told);
    free(s.values);
    stop(&f);
}

/* max |x| of every channel, and of every column: counted here. */
static void slices_get_their_largest_values(void **state)
{
    (void)state;
    fixture f = start("layers:\n"
                      "  - {layer: model.2.conv, input: {axis: 1, calib_method: max}}\n"
                      "  - {layer: model.0.conv, input: {axis: [1, -1], calib_method: max}}\n");
    assert_ok(fit(&f));
    const quant_point *p = point(&f, "model.2.conv");
    const char *name = graph_tensor_const(f.m->graph, p->tensor)->name;
    seen s = run(&f, f.m->graph, name);
    int n_channels = (int)s.shape.dim[1];
    size_t plane = (size_t)(s.shape.dim[2] * s.shape.dim[3]);
    assert_int_equal(p->input_desc.n_amax, n_channels);
    for (int c = 0; c < n_channels; c++) {
        float largest = 0;
        for (size_t i = 0; i < s.n; i++)
            if (i / plane % (size_t)n_channels == (size_t)c)
                largest = fmaxf(largest, fabsf(s.values[i]));
        assert_float_equal(descriptor_amax(&p->input_desc, c), largest, largest * 1e-5f);
    }
    free(s.values);
    p = point(&f, "model.0.conv"); /* reads the network's input */
    assert_int_equal(p->input_desc.n_amax, 3 * SIZE);
    qplan plan;
    assert_ok(quant_plan_build(f.m->graph, &f.points, f.r, &f.options, &plan, &err));
    quant_plan_clear(&plan);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_run_when_nothing_asks_for_it),
        cmocka_unit_test(the_output_error_decides),
        cmocka_unit_test(a_group_learns_together),
        cmocka_unit_test(an_output_learns_by_its_own_error),
        cmocka_unit_test(slices_get_their_largest_values),
    };
    return cmocka_run_group_tests_name("fit", tests, NULL, NULL);
}
