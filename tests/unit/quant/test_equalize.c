/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/equalize.h"

#include "base/mem.h"
#include "model/model.h"
#include "passes/passes.h"
#include "quant/calibrate.h"
#include "quant/quant_plan.h"
#include "test.h"

static ptq_error err;

enum { N_IMAGES = 6, IMAGE_SIZE = 128, CHANNEL = 3 };
#define SPOILED 30.0f

/* algorithms.md, section 8: W1 rows reach to 4 and 1/4, W2 columns to 1 and 16. */
static void factors_are_those_of_the_worked_example(void **state)
{
    (void)state;
    static const float first[] = {4, 0.25f, 0}, second[] = {1, 16, 5};
    float factors[3];
    equalize_factors(first, second, 3, factors);
    assert_true(factors[0] == 2 && factors[1] == 0.125f && factors[2] == 1);
}

/* Multiplies one channel of a convolution's result, and divides it where it is read. */
static void spoil(graph *g, node_id first, node_id reader)
{
    const node *a = graph_node_const(g, first), *b = graph_node_const(g, reader);
    const tensor *wa = graph_tensor_const(g, a->inputs[1]),
                 *wb = graph_tensor_const(g, b->inputs[1]);
    float *wa_data = blob_data(wa->data), *wb_data = blob_data(wb->data);
    size_t row = (size_t)(wa->shape.dim[1] * wa->shape.dim[2] * wa->shape.dim[3]);
    size_t area = (size_t)(wb->shape.dim[2] * wb->shape.dim[3]), in = (size_t)wb->shape.dim[1];
    for (size_t i = 0; i < row; i++)
        wa_data[CHANNEL * row + i] *= SPOILED;
    ((float *)blob_data(graph_tensor_const(g, a->inputs[2])->data))[CHANNEL] *= SPOILED;
    for (size_t o = 0; o < (size_t)wb->shape.dim[0]; o++)
        for (size_t i = 0; i < area; i++)
            wb_data[(o * in + CHANNEL) * area + i] /= SPOILED;
}

typedef struct fixture {
    model *m;
    quant_config *config;
    quant_points points;
    ranges *r;
    qplan plan;
    dataset *data;
    trials *trials;
} fixture;

/* The first two layers of a network with LeakyReLU, the pair between them spoiled. */
static fixture start(const char *path)
{
    static const char settings[] = "layers:\n"
                                   "  - {match: 'model\\.(0|1)\\.conv'}\n"
                                   "  - {match: '.*', disabled: true}\n";
    fixture f = {0};
    char yaml[512];
    quant_options options;
    quant_options_init(&options);
    assert_ok(model_load(path, NULL, NULL, &f.m, &err));
    assert_ok(passes_clean(f.m->graph, &err));
    node_id first = graph_find_node(f.m->graph, "model.0.conv");
    spoil(f.m->graph, first, graph_find_node(f.m->graph, "model.1.conv"));
    assert_ok(quant_config_parse(settings, strlen(settings), "q.yaml", &f.config, &err));
    assert_ok(quant_points_find(f.m->graph, f.config, &options, &f.points, &err));
    dataset_options d = {.split = "train", .limit = N_IMAGES, .list_order = true};
    assert_ok(dataset_open(test_demo("shapes.yaml", yaml), &d, NULL, &f.data, &err));
    calibrate_options c;
    calibrate_options_init(&c);
    c.image_size = IMAGE_SIZE;
    calibrate_job job = {.g = f.m->graph, .points = &f.points, .data = f.data};
    assert_ok(calibrate(&job, &c, NULL, &f.r, &err));
    assert_ok(quant_plan_build(f.m->graph, &f.points, f.r, &options, &f.plan, &err));
    trials_input in = {f.m->graph, f.data, IMAGE_SIZE, N_IMAGES, NULL, NULL};
    assert_ok(trials_create(&in, &f.trials, &err));
    return f;
}

static void stop(fixture *f)
{
    trials_destroy(f->trials);
    dataset_destroy(f->data);
    quant_plan_clear(&f->plan);
    ranges_destroy(f->r);
    quant_points_clear(&f->points);
    quant_config_destroy(f->config);
    model_destroy(f->m);
}

static double movement_of(const fixture *f, const graph *g, const qplan *plan)
{
    graph *lowered;
    double movement;
    assert_ok(trials_lower(f->trials, g, plan, &lowered, &err));
    assert_ok(trials_run(f->trials, lowered, NULL, 0, &movement, &err));
    return movement;
}

static void a_spoiled_channel_is_equalized(void **state)
{
    (void)state;
    char path[512];
    fixture f = start(test_shared("shapes-tiny/yolov7-tiny-shapes.pt", path));
    graph *g;
    json_t *report;
    assert_ok(graph_copy(f.m->graph, &g, &err));
    double before = movement_of(&f, g, &f.plan);
    equalize_input in = {f.trials, &f.points, f.data, IMAGE_SIZE, NULL};
    assert_ok(equalize(&in, g, &f.plan, &report, &err));
    assert_int_equal(json_array_size(report), 1);
    const json_t *one = json_array_get(report, 0);
    assert_string_equal(json_string_value(json_object_get(one, "layer")), "model.0.conv");
    assert_true(json_number_value(json_object_get(one, "highest")) >
                3 * json_number_value(json_object_get(one, "lowest")));
    assert_true(movement_of(&f, g, &f.plan) < 0.7 * before);
    assert_true(movement_of(&f, g, NULL) < 1e-4); /* the float network is what it was */
    json_decref(report);
    graph_destroy(g);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_are_those_of_the_worked_example),
        cmocka_unit_test(a_spoiled_channel_is_equalized),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
