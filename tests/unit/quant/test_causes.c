/* SPDX-License-Identifier: Apache-2.0 */
/* Values spread evenly from 0 to the range have a signal of range^2 / 3 and, in 127 steps, a noise
 * of (range / 127)^2 / 12: 48.1 dB. Everything else follows by hand. */
#include "quant/causes.h"

#include "model/model.h"
#include "passes/passes.h"
#include "quant/calibrate.h"
#include "quant/quant_plan.h"
#include "quant_fixture.h"

#define EVEN_DB 48.1

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
    const char *found = json_string_value(json_object_get(o, key));
    return found ? found : "";
}

static const json_t *finding(const json_t *layer, const char *cause)
{
    const json_t *list = json_object_get(layer, "findings");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(text(json_array_get(list, i), "cause"), cause) == 0)
            return json_array_get(list, i);
    return NULL;
}

static qplan_entry *entry_of(qplan *plan, const char *layer)
{
    for (int i = 0; i < plan->n_entries; i++)
        if (strcmp(plan->entries[i].layer, layer) == 0)
            return &plan->entries[i];
    fail_msg("no entry %s", layer);
    return NULL;
}

/* The causes of one layer of test_net(). */
static json_t *explain(const fixture *f, const qplan *plan, const char *layer, double drop)
{
    json_t *out = NULL;
    cause_job job = {.g = f->g,
                     .points = &f->points,
                     .r = f->r,
                     .plan = plan,
                     .layers = &layer,
                     .drops = &drop,
                     .n_layers = 1};
    assert_ok(causes_find(&job, &out, &err));
    assert_int_equal(json_array_size(out), 1);
    assert_string_equal(text(json_array_get(out, 0), "layer"), layer);
    return out;
}

static void ranges_too_wide_or_too_narrow_are_told(void **state)
{
    (void)state;
    fixture f = start("share_scales: {concat: false, maxpool: false, resize: false, add: false}");
    qplan plan;
    assert_ok(quant_plan_build(f.g, &f.points, f.r, &f.options, &plan, &err));
    float *amax = entry_of(&plan, "c1")->input.amax, right = *amax;

    json_t *found = explain(&f, &plan, "c1", 0);
    const json_t *layer = json_array_get(found, 0);
    assert_true(fabs(number(layer, "input_sqnr_db") - EVEN_DB) < 0.2);
    assert_null(finding(layer, "outlier values"));
    assert_null(finding(layer, "clipped values"));
    json_decref(found);

    *amax = right * 8; /* 20 log10(8) = 18.1 dB */
    found = explain(&f, &plan, "c1", 0.01);
    layer = json_array_get(found, 0);
    const json_t *one = finding(layer, "outlier values");
    assert_non_null(one);
    assert_true(fabs(number(layer, "input_sqnr_db") - (EVEN_DB - 18.06)) < 0.3);
    assert_true(fabs(number(one, "value") - 8) < 0.1);
    /* what the noise that goes is of all noise, and so of the drop */
    double share = 1 - pow(10, -number(one, "gain_db") / 10);
    assert_true(fabs(number(one, "gain") - 0.01 * share) < 1e-6);
    json_decref(found);

    *amax = right / 4; /* three of four values lie beyond */
    found = explain(&f, &plan, "c1", 0);
    layer = json_array_get(found, 0);
    one = json_array_get(json_object_get(layer, "findings"), 0);
    assert_true(fabs(number(layer, "clipped_share") - 0.75) < 0.01);
    one = finding(layer, "clipped values");
    assert_non_null(one);
    assert_true(fabs(number(one, "value") - 0.75) < 0.01);
    assert_true(json_is_null(json_object_get(one, "gain"))); /* no drop is known */
    json_decref(found);
    quant_plan_clear(&plan);
    stop(&f);
}

/* "add" reaches to 4 and shares its scale with "cat", which reaches to 8. */
static void a_clash_of_scales_is_told(void **state)
{
    (void)state;
    fixture f = start("share_scales: {concat: true}");
    qplan plan;
    assert_ok(quant_plan_build(f.g, &f.points, f.r, &f.options, &plan, &err));
    const qplan_entry *e = entry_of(&plan, "c4");
    double ratio = (double)e->input.amax[0] / 4;
    assert_true(ratio > 1.9);
    json_t *found = explain(&f, &plan, "c4", 0);
    const json_t *layer = json_array_get(found, 0), *one = finding(layer, "scale clash");
    assert_non_null(one);
    assert_true(number(layer, "shared_with") >= 1);
    assert_true(fabs(number(one, "value") - ratio) < 0.05 * ratio);
    assert_true(fabs(number(layer, "input_sqnr_db") - (EVEN_DB - 20 * log10(ratio))) < 0.5);
    json_decref(found);
    quant_plan_clear(&plan);
    stop(&f);
}

/* A bias of 100 makes one channel of the demo's first activation 100 wide. */
static void an_outlier_channel_is_found(void **state)
{
    (void)state;
    enum { CHANNEL = 5, SIZE = 96 };
    char path[512];
    model *m;
    quant_config *config;
    quant_points points;
    quant_options options;
    dataset *data;
    ranges *r;
    qplan plan;
    json_t *found;
    quant_options_init(&options);
    assert_ok(model_load(test_demo("yolov7-shapes.pt", path), NULL, NULL, &m, &err));
    assert_ok(passes_clean(m->graph, &err));
    const node *n = graph_node_const(m->graph, graph_find_node(m->graph, "model.0.conv"));
    ((float *)blob_data(graph_tensor(m->graph, n->inputs[2])->data))[CHANNEL] = 100;
    assert_ok(quant_config_load(NULL, &config, &err));
    assert_ok(quant_points_find(m->graph, config, &options, &points, &err));
    dataset_options d = {.split = "train", .limit = 2, .list_order = true};
    assert_ok(dataset_open(test_demo("shapes.yaml", path), &d, NULL, &data, &err));
    calibrate_options c;
    calibrate_options_init(&c);
    c.image_size = SIZE;
    calibrate_job work = {.g = m->graph, .points = &points, .data = data};
    assert_ok(calibrate(&work, &c, NULL, &r, &err));
    assert_ok(quant_plan_build(m->graph, &points, r, &options, &plan, &err));
    const char *layer = "model.1"; /* a block of one layer */
    cause_job job = {.g = m->graph,
                     .points = &points,
                     .r = r,
                     .plan = &plan,
                     .images = data,
                     .image_size = SIZE,
                     .layers = &layer,
                     .n_layers = 1};
    assert_ok(causes_find(&job, &found, &err));
    const json_t *one = json_array_get(found, 0), *channels = json_object_get(one, "channels");
    assert_string_equal(text(one, "layer"), "model.1.conv");
    assert_int_equal((int)number(channels, "outlier"), CHANNEL);
    assert_int_equal((int)number(channels, "n"),
                     (int)graph_tensor_const(m->graph, n->inputs[1])->shape.dim[0]);
    const json_t *cause = finding(one, "outlier channel");
    assert_non_null(cause);
    assert_true(number(cause, "gain_db") > 10);
    json_decref(found);
    quant_plan_clear(&plan);
    ranges_destroy(r);
    dataset_destroy(data);
    quant_points_clear(&points);
    quant_config_destroy(config);
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_too_wide_or_too_narrow_are_told),
        cmocka_unit_test(a_clash_of_scales_is_told),
        cmocka_unit_test(an_outlier_channel_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
