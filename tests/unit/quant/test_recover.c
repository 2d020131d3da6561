/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "model/model.h"
#include "passes/passes.h"
#include "quant/calibrate.h"
#include "quant/keep_search.h"
#include "quant/quant_plan.h"
#include "quant/range_search.h"
#include "quant/recover.h"
#include "test.h"

static ptq_error err;

enum { N_IMAGES = 8, IMAGE_SIZE = 64 };

/* A few layers of the demo's network. */
static const char SETTINGS[] = "layers:\n"
                               "  - {match: 'model\\.(0|2|3|9|11)\\.conv'}\n"
                               "  - {match: '.*', disabled: true}\n";

typedef struct fixture {
    model *m;
    quant_config *config;
    quant_options options;
    quant_points points;
    ranges *ranges;
    qplan plan;
    dataset *data;
    trials *trials;
} fixture;

static fixture start(void)
{
    fixture f = {0};
    char path[512];
    quant_options_init(&f.options);
    assert_ok(model_load(test_demo("yolov7-shapes.pt", path), NULL, NULL, &f.m, &err));
    assert_ok(passes_clean(f.m->graph, &err));
    assert_ok(quant_config_parse(SETTINGS, strlen(SETTINGS), "q.yaml", &f.config, &err));
    assert_ok(quant_points_find(f.m->graph, f.config, &f.options, &f.points, &err));
    dataset_options d = {.split = "train", .limit = N_IMAGES, .list_order = true};
    assert_ok(dataset_open(test_demo("shapes.yaml", path), &d, NULL, &f.data, &err));
    calibrate_options c;
    calibrate_options_init(&c);
    c.image_size = IMAGE_SIZE;
    calibrate_job job = {.g = f.m->graph, .points = &f.points, .data = f.data};
    assert_ok(calibrate(&job, &c, NULL, &f.ranges, &err));
    assert_ok(quant_plan_build(f.m->graph, &f.points, f.ranges, &f.options, &f.plan, &err));
    trials_input in = {f.m->graph, f.data, IMAGE_SIZE, N_IMAGES, NULL, NULL};
    assert_ok(trials_create(&in, &f.trials, &err));
    return f;
}

static void stop(fixture *f)
{
    trials_destroy(f->trials);
    dataset_destroy(f->data);
    quant_plan_clear(&f->plan);
    ranges_destroy(f->ranges);
    quant_points_clear(&f->points);
    quant_config_destroy(f->config);
    model_destroy(f->m);
}

/* What the network with these weights and this plan moves. */
static double movement_of(const fixture *f, const graph *g)
{
    graph *lowered;
    double movement;
    assert_ok(trials_lower(f->trials, g, &f->plan, &lowered, &err));
    assert_ok(trials_run(f->trials, lowered, NULL, 0, &movement, &err));
    return movement;
}

static int entry_of(const fixture *f, const char *layer)
{
    for (int i = 0; i < f->plan.n_entries; i++)
        if (strcmp(f->plan.entries[i].layer, layer) == 0)
            return i;
    fail_msg("no entry %s", layer);
    return -1;
}

static void the_float_network_moves_nothing(void **state)
{
    (void)state;
    fixture f = start();
    graph *base, *same;
    double movement;
    assert_ok(trials_lower(f.trials, f.m->graph, NULL, &base, &err));
    assert_ok(trials_lower(f.trials, f.m->graph, &f.plan, &same, &err));
    trial quantized = {.g = same};
    assert_ok(trials_run(f.trials, base, &quantized, 1, &movement, &err));
    assert_true(movement < 1e-6);
    /* a suffix gives what the whole network gives */
    assert_true(fabs(quantized.movement - movement_of(&f, f.m->graph)) < 1e-3 * quantized.movement);
    stop(&f);
}

static void a_spoiled_range_is_found_again(void **state)
{
    (void)state;
    fixture f = start();
    float *amax = f.plan.entries[entry_of(&f, "model.3.conv")].input.amax, right = *amax;
    *amax = right * 20;
    double before = movement_of(&f, f.m->graph);
    range_input in = {f.trials, f.m->graph, &f.points, f.ranges, &f.options, NULL};
    json_t *report;
    assert_ok(range_search(&in, &f.plan, &report, &err));
    assert_true(json_array_size(report) > 0);
    assert_true(*amax < right * 4 && *amax > right / 4);
    assert_true(movement_of(&f, f.m->graph) < before);
    json_decref(report);
    stop(&f);
}

static void a_spoiled_layer_is_kept_first(void **state)
{
    (void)state;
    fixture f = start();
    f.plan.entries[entry_of(&f, "model.9.conv")].input.amax[0] *= 0.01f;
    keep_input in = {f.trials, f.m->graph, &f.plan, 2, -1, -1, NULL};
    keep_path path;
    assert_ok(keep_search(&in, &path, &err));
    assert_int_equal(path.n_entries, 2);
    assert_string_equal(f.plan.entries[path.entries[0]].layer, "model.9.conv");
    assert_true(path.steps[0].movement < 0.5 * path.movement);
    int n = f.plan.n_entries;
    keep_path_apply(&path, f.m->graph, &f.plan);
    assert_int_equal(f.plan.n_entries, n - 2);
    assert_true(fabs(movement_of(&f, f.m->graph) - path.steps[1].movement) < 1e-3 * path.movement);
    keep_path_clear(&path);
    stop(&f);
}

static void nothing_is_kept_when_it_is_enough(void **state)
{
    (void)state;
    fixture f = start();
    keep_input in = {f.trials, f.m->graph, &f.plan, 2, 0, 1, NULL};
    keep_path path;
    assert_ok(keep_search(&in, &path, &err));
    assert_int_equal(path.n_entries, 0);
    keep_path_clear(&path);
    stop(&f);
}

/* The report speaks of images that nothing was fitted to; the network as a whole moves less. */
static void fitted_weights_move_less(void **state)
{
    (void)state;
    fixture f = start();
    double before = movement_of(&f, f.m->graph);
    graph *better;
    json_t *report;
    assert_ok(graph_copy(f.m->graph, &better, &err));
    recover_input in = {&f.points, f.data, IMAGE_SIZE, N_IMAGES, false, SIZE_MAX, NULL, NULL};
    assert_ok(recover_weights(&in, better, &f.plan, &report, &err));
    assert_int_equal(json_array_size(report), f.plan.n_entries);
    double sum_before = 0, sum_after = 0;
    for (size_t i = 0; i < json_array_size(report); i++) {
        const json_t *l = json_array_get(report, i);
        sum_before += json_number_value(json_object_get(l, "error_before"));
        sum_after += json_is_true(json_object_get(l, "kept"))
                         ? json_number_value(json_object_get(l, "error_after"))
                         : json_number_value(json_object_get(l, "error_before"));
    }
    assert_true(sum_after < sum_before);
    assert_true(movement_of(&f, better) < 1.05 * before);
    json_decref(report);
    graph_destroy(better);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_float_network_moves_nothing),
        cmocka_unit_test(a_spoiled_range_is_found_again),
        cmocka_unit_test(a_spoiled_layer_is_kept_first),
        cmocka_unit_test(nothing_is_kept_when_it_is_enough),
        cmocka_unit_test(fitted_weights_move_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
