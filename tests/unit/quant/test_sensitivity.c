/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/mem.h"
#include "model/model.h"
#include "passes/passes.h"
#include "quant/calibrate.h"
#include "quant/sensitivity_units.h"
#include "test.h"
#include "test_net.h"

static ptq_error err;

/* ---------------------------------------------------------------- units */

/* A plan over names; ranges do not matter here. */
static qplan plan_of(const char *const *layers, int n)
{
    qplan plan = {.entries = mem_array((size_t)n, sizeof *plan.entries), .n_entries = n};
    for (int i = 0; i < n; i++)
        plan.entries[i].layer = mem_strdup(layers[i]);
    return plan;
}

static void layers_of_a_block_are_one_unit(void **state)
{
    (void)state;
    static const char *const layers[] = {"model.0.conv",  "model.2.cv1.conv", "model.2.m.0.cv1",
                                         "model.20.conv", "model.3",          "head"};
    graph *g = test_net(1);
    qplan plan = plan_of(layers, 6);
    sensitivity_job job = {.g = g, .plan = &plan};
    unit_list l;
    assert_ok(units_list(&job, true, &l, &err));
    assert_int_equal(l.n, 5);
    assert_string_equal(l.items[1].name, "model.2");
    assert_string_equal(l.items[1].op, "block");
    assert_string_equal(l.items[2].name, "model.20");
    assert_string_equal(l.items[3].name, "model.3");
    assert_string_equal(l.items[4].name, "head");
    qplan one;
    assert_ok(units_plan(&job, &l, SENSITIVITY_ONLY, 1, &one, &err));
    assert_int_equal(one.n_entries, 2);
    assert_string_equal(one.entries[1].layer, "model.2.m.0.cv1");
    mem_free(one.entries);
    mem_free(one.extras);
    assert_ok(units_plan(&job, &l, SENSITIVITY_ALL_BUT, UNIT_NONE, &one, &err));
    assert_int_equal(one.n_entries, 6);
    mem_free(one.entries);
    mem_free(one.extras);
    units_clear(&l);
    quant_plan_clear(&plan);
    graph_destroy(g);
}

/* The Add of test_net() is fused with c2: without c2 its quantizer goes, without c1 it stays. */
static void a_residual_quantizer_goes_with_its_branch(void **state)
{
    (void)state;
    static const char *const layers[] = {"c1", "c2", "c3"};
    graph *g = test_net(1);
    qplan plan = plan_of(layers, 3);
    plan.extras = mem_array(1, sizeof *plan.extras);
    plan.extras[0].node = mem_strdup("add");
    plan.n_extras = 1;
    sensitivity_job job = {.g = g, .plan = &plan};
    unit_list l;
    assert_ok(units_list(&job, false, &l, &err));
    assert_string_equal(l.items[0].op, "Conv");
    for (int i = 0; i < 3; i++) {
        qplan rest;
        assert_ok(units_plan(&job, &l, SENSITIVITY_ALL_BUT, i, &rest, &err));
        assert_int_equal(rest.n_entries, 2);
        assert_int_equal(rest.n_extras, i == 1 ? 0 : 1);
        mem_free(rest.entries);
        mem_free(rest.extras);
        assert_ok(units_plan(&job, &l, SENSITIVITY_ONLY, i, &rest, &err));
        assert_int_equal(rest.n_entries, 1);
        assert_int_equal(rest.n_extras, 0);
        mem_free(rest.entries);
        mem_free(rest.extras);
    }
    units_clear(&l);
    quant_plan_clear(&plan);
    graph_destroy(g);
}

/* ---------------------------------------------------------------- a ranking */

enum { N_IMAGES = 4, N_LAYERS = 3 };

typedef struct fixture {
    model *m;
    quant_config *config;
    quant_points points;
    qplan plan;
    dataset *data;
    sensitivity_options options;
} fixture;

/* A few layers of the demo's network are ranked. The range of one is made so small that it must
 * come out worst. */
static const char SETTINGS[] = "layers:\n"
                               "  - {match: 'model.3.conv', input: {amax: 0.02}}\n"
                               "  - {match: 'model\\.(0|105\\.m\\.0)', input: {amax: 4}}\n"
                               "  - {match: '.*', disabled: true}\n";

static fixture start(void)
{
    fixture f = {0};
    char path[512];
    quant_options options;
    quant_options_init(&options);
    options.quantize_head = true;
    assert_ok(model_load(test_demo("yolov7-shapes.pt", path), NULL, NULL, &f.m, &err));
    assert_ok(passes_clean(f.m->graph, &err));
    assert_ok(quant_config_parse(SETTINGS, strlen(SETTINGS), "q.yaml", &f.config, &err));
    assert_ok(quant_points_find(f.m->graph, f.config, &options, &f.points, &err));
    ranges none = {0};
    assert_ok(quant_plan_build(f.m->graph, &f.points, &none, &options, &f.plan, &err));
    assert_int_equal(f.plan.n_entries, N_LAYERS);
    dataset_options d = {.split = "val", .limit = N_IMAGES};
    assert_ok(dataset_open(test_demo("shapes.yaml", path), &d, NULL, &f.data, &err));
    sensitivity_options_init(&f.options);
    f.options.load.image_size = 128;
    f.options.n_draws = 50;
    f.options.exhaustive = true;
    f.options.top = 1;
    return f;
}

static void stop(fixture *f)
{
    dataset_destroy(f->data);
    quant_plan_clear(&f->plan);
    quant_points_clear(&f->points);
    quant_config_destroy(f->config);
    model_destroy(f->m);
}

static ptq_status rank(const fixture *f, const ptq_env *env, sensitivity **out)
{
    sensitivity_job job = {f->m->graph, &f->points, &f->plan, f->data};
    static const ptq_env one_thread = {.threads = 1};
    return sensitivity_rank(&job, &f->options, env ? env : &one_thread, out, &err);
}

static void assert_sound(const sensitivity *s, int n)
{
    assert_int_equal(s->n_layers, n);
    assert_int_equal(s->n_images, N_IMAGES);
    for (int i = 0; i < n; i++) {
        assert_true(s->layers[i].low <= s->layers[i].score);
        assert_true(s->layers[i].score <= s->layers[i].high);
        assert_true(i == 0 || s->layers[i - 1].drop >= s->layers[i].drop);
    }
}

static void the_spoiled_layer_is_worst_by_every_metric(void **state)
{
    (void)state;
    fixture f = start();
    static const sensitivity_metric metrics[] = {SENSITIVITY_MAP, SENSITIVITY_FIDELITY,
                                                 SENSITIVITY_SQNR};
    for (int i = 0; i < 3; i++) {
        sensitivity *s;
        f.options.metric = metrics[i];
        assert_ok(rank(&f, NULL, &s));
        assert_sound(s, N_LAYERS);
        assert_string_equal(s->layers[0].name, "model.3.conv");
        assert_true(s->layers[0].sqnr_db < s->layers[1].sqnr_db - 10);
        assert_true(s->baseline > (i == 0 ? 0.05 : 0.9));
        for (int k = 0; k < N_LAYERS && i < 2; k++)
            assert_true(fabs(s->baseline - s->layers[k].score - s->layers[k].drop) < 1e-12);
        sensitivity_destroy(s);
    }
    stop(&f);
}

static void leaving_the_spoiled_layer_out_helps_most(void **state)
{
    (void)state;
    fixture f = start();
    f.options.mode = SENSITIVITY_ALL_BUT;
    f.options.by_block = true;
    sensitivity *s;
    assert_ok(rank(&f, NULL, &s));
    assert_sound(s, 3);
    assert_string_equal(s->layers[0].name, "model.3");
    assert_true(s->layers[0].drop > 0);
    json_t *json = sensitivity_write_json(s, 2);
    assert_int_equal(json_array_size(json_object_get(json, "top")), 2);
    assert_int_equal(json_array_size(json_object_get(json, "layers")), 3);
    json_decref(json);
    sensitivity_destroy(s);
    stop(&f);
}

/* ---------------------------------------------------------------- the race */

/* Running only what comes behind a layer gives the outputs of the whole network: on the same images
 * the signal-to-noise ratio is that of the exhaustive ranking, in which whole networks run. */
static void a_race_measures_what_whole_networks_do(void **state)
{
    (void)state;
    fixture f = start();
    for (int mode = 0; mode < 2; mode++) {
        sensitivity *whole, *part;
        f.options.mode = mode == 0 ? SENSITIVITY_ONLY : SENSITIVITY_ALL_BUT;
        f.options.metric = SENSITIVITY_SQNR;
        f.options.exhaustive = true;
        assert_ok(rank(&f, NULL, &whole));
        f.options.exhaustive = false;
        f.options.memory_bytes = mode == 0 ? SENSITIVITY_MEMORY : 1; /* 1: one unit at a time */
        assert_ok(rank(&f, NULL, &part));
        assert_sound(part, N_LAYERS);
        assert_true(fabs(whole->baseline - part->baseline) < 1e-3);
        for (int i = 0; i < N_LAYERS; i++) {
            assert_string_equal(part->layers[i].name, whole->layers[i].name);
            assert_true(fabs(part->layers[i].score - whole->layers[i].score) < 1e-3);
            assert_int_equal(part->layers[i].evaluations, N_IMAGES);
        }
        sensitivity_destroy(whole);
        sensitivity_destroy(part);
    }
    stop(&f);
}

static void a_race_finds_the_spoiled_layer(void **state)
{
    (void)state;
    fixture f = start();
    f.options.exhaustive = false;
    for (int i = 0; i < 4; i++) {
        sensitivity *s;
        f.options.metric = i % 2 ? SENSITIVITY_FIDELITY : SENSITIVITY_MAP;
        f.options.mode = i < 2 ? SENSITIVITY_ONLY : SENSITIVITY_ALL_BUT;
        f.options.by_block = i == 3;
        assert_ok(rank(&f, NULL, &s));
        assert_sound(s, N_LAYERS);
        assert_true(strncmp(s->layers[0].name, "model.3", 7) == 0);
        assert_true(s->layers[0].movement > 4 * s->layers[1].movement);
        sensitivity_destroy(s);
    }
    stop(&f);
}

static void a_race_goes_on_from_its_journal(void **state)
{
    (void)state;
    fixture f = start();
    char dir[512];
    test_temp_dir(dir);
    char *path = path_join(dir, "journal.json");
    f.options.metric = SENSITIVITY_SQNR;
    f.options.exhaustive = false;
    f.options.journal = path;
    sensitivity *first, *second;
    assert_ok(rank(&f, NULL, &first));
    json_t *doc = json_load_file(path, 0, NULL);
    json_t *images = json_object_get(doc, "measured");
    assert_int_equal(json_object_size(images), N_IMAGES);
    /* as if killed after two images; the first one's signal is changed: it is not measured again */
    json_object_del(images, "image 2");
    json_object_del(images, "image 3");
    json_t *image = json_object_get(images, "image 0");
    double signal = json_number_value(json_object_get(image, "signal"));
    json_object_set_new(image, "signal", json_real(signal * 100));
    assert_int_equal(json_dump_file(doc, path, 0), 0);
    json_decref(doc);
    assert_ok(rank(&f, NULL, &second));
    for (int i = 0; i < N_LAYERS; i++)
        assert_true(second->layers[i].sqnr_db > first->layers[i].sqnr_db + 5);
    sensitivity_destroy(first);
    sensitivity_destroy(second);
    mem_free(path);
    test_temp_remove(dir);
    stop(&f);
}

/* ---------------------------------------------------------------- the journal */

typedef struct interruption {
    volatile int cancel;
    size_t after;
} interruption;

static void interrupt(void *user, const char *what, size_t done, size_t total)
{
    (void)what, (void)total;
    interruption *i = user;
    if (done == i->after)
        i->cancel = 1;
}

static void an_interrupted_ranking_goes_on(void **state)
{
    (void)state;
    fixture f = start();
    char dir[512];
    test_temp_dir(dir);
    char *path = path_join(dir, "journal.json");
    f.options.metric = SENSITIVITY_SQNR;
    sensitivity *want;
    assert_ok(rank(&f, NULL, &want));
    f.options.journal = path;
    interruption i = {.after = 2};
    ptq_env env = {.threads = 1, .progress = interrupt, .user = &i, .cancel = &i.cancel};
    sensitivity *s = NULL;
    assert_status(rank(&f, &env, &s), PTQ_CANCELLED);
    assert_null(s);
    json_t *doc = json_load_file(path, 0, NULL);
    json_t *layers = json_object_get(doc, "measured");
    assert_int_equal(json_object_size(layers), 2);
    /* a changed score shows that finished layers are not measured again */
    json_object_set_new(json_object_get(layers, "model.0.conv"), "score", json_real(-5));
    assert_int_equal(json_dump_file(doc, path, 0), 0);
    json_decref(doc);
    assert_ok(rank(&f, NULL, &s));
    for (int k = 0; k < N_LAYERS; k++) {
        assert_string_equal(s->layers[k].name, want->layers[k].name);
        bool is_changed = strcmp(s->layers[k].name, "model.0.conv") == 0;
        assert_true(is_changed ? s->layers[k].score == -5
                               : s->layers[k].score == want->layers[k].score);
    }
    sensitivity_destroy(s);
    f.options.confidence = 0.9;
    assert_status(rank(&f, NULL, &s), PTQ_USAGE);
    assert_non_null(strstr(err.message, "belongs to a ranking of another"));
    assert_ok(file_write(path, "{}", 2, &err));
    assert_status(rank(&f, NULL, &s), PTQ_FORMAT);
    sensitivity_destroy(want);
    mem_free(path);
    test_temp_remove(dir);
    stop(&f);
}

static void a_journal_serves_one_ranking_at_a_time(void **state)
{
    (void)state;
    fixture f = start();
    char dir[512];
    test_temp_dir(dir);
    char *path = path_join(dir, "journal.json");
    f.options.journal = path;
    sensitivity *s = NULL;
    file_lock theirs;
    assert_ok(file_lock_take(&theirs, path, &err));
    assert_status(rank(&f, NULL, &s), PTQ_IO);
    assert_non_null(strstr(err.message, "journal.json' is in use by another run"));
    assert_false(file_exists(path));
    file_lock_release(&theirs);
    mem_free(path);
    test_temp_remove(dir);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_of_a_block_are_one_unit),
        cmocka_unit_test(a_residual_quantizer_goes_with_its_branch),
        cmocka_unit_test(the_spoiled_layer_is_worst_by_every_metric),
        cmocka_unit_test(leaving_the_spoiled_layer_out_helps_most),
        cmocka_unit_test(a_race_measures_what_whole_networks_do),
        cmocka_unit_test(a_race_finds_the_spoiled_layer),
        cmocka_unit_test(a_race_goes_on_from_its_journal),
        cmocka_unit_test(an_interrupted_ranking_goes_on),
        cmocka_unit_test(a_journal_serves_one_ranking_at_a_time),
    };
    return cmocka_run_group_tests_name("sensitivity", tests, NULL, NULL);
}
