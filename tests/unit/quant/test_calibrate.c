/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "model/model.h"
#include "passes/passes.h"
#include "quant/calibrate.h"
#include "test.h"
#include "test_broken.h"
#include "test_npz.h"

static ptq_error err;

typedef struct fixture {
    model *m;
    quant_config *config;
    quant_points points;
} fixture;

static fixture start(const char *path)
{
    fixture f = {0};
    quant_options options;
    quant_options_init(&options);
    assert_ok(model_load(path, NULL, NULL, &f.m, &err));
    assert_ok(passes_clean(f.m->graph, &err));
    assert_ok(quant_config_load(NULL, &f.config, &err));
    assert_ok(quant_points_find(f.m->graph, f.config, &options, &f.points, &err));
    return f;
}

static void stop(fixture *f)
{
    quant_points_clear(&f->points);
    quant_config_destroy(f->config);
    model_destroy(f->m);
}

static ptq_status run(const fixture *f, int limit, const calibrate_options *o, const ptq_env *env,
                      ranges **out)
{
    char path[512];
    dataset *d;
    dataset_options options = {.split = "train", .limit = limit, .list_order = true};
    assert_ok(dataset_open(test_demo("shapes.yaml", path), &options, NULL, &d, &err));
    calibrate_job job = {.g = f->m->graph, .points = &f->points, .data = d};
    static const ptq_env one_thread = {.threads = 1};
    ptq_status st = calibrate(&job, o, env ? env : &one_thread, out, &err);
    dataset_destroy(d);
    return st;
}

static char *as_text(const ranges *r)
{
    json_t *json = ranges_write_json(r, true);
    assert_non_null(json);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    return text;
}

static calibrate_options small_options(void)
{
    calibrate_options o;
    calibrate_options_init(&o);
    o.image_size = 96;
    return o;
}

/* The head too, so that the ranges serve any later settings; a tensor once, with all readers. */
static void every_quantizable_tensor_is_watched_once(void **state)
{
    (void)state;
    char path[512];
    fixture f = start(test_demo("yolov7-shapes.pt", path));
    calibrate_options o = small_options();
    ranges *r;
    assert_ok(run(&f, 2, &o, NULL, &r));
    assert_int_equal(r->n_images, 2);
    int n_layers = 0;
    for (int i = 0; i < r->n; i++) {
        n_layers += r->items[i].n_layers;
        for (int k = 0; k < i; k++)
            assert_string_not_equal(r->items[i].name, r->items[k].name);
    }
    assert_int_equal(n_layers, f.points.n);
    assert_int_equal(n_layers, 92);
    const range_tensor *input = ranges_find(r, "images", "");
    assert_non_null(input);
    assert_string_equal(input->layers[0], "model.0.conv");
    assert_int_equal(input->n_values, 2 * 3 * 96 * 96);
    assert_true(input->amax[AMAX_MAX] <= 1 && input->amax[AMAX_MAX] > 0.5f);
    assert_true(input->values.low == 0 && input->values.high == input->values.max);
    const range_tensor *two = ranges_find(r, "", "model.4.conv");
    assert_ptr_equal(two, ranges_find(r, "", "model.5.conv"));
    assert_non_null(ranges_find(r, "", "model.105.m.0"));
    ranges_destroy(r);
    stop(&f);
}

/* Stops after so many progress reports of a pass. */
typedef struct stopper {
    int left;
    volatile int cancel;
    int n_warnings;
} stopper;

static void count_down(void *user, const char *what, size_t done, size_t total)
{
    stopper *s = user;
    (void)what, (void)total;
    if (done > 0 && --s->left == 0)
        s->cancel = 1;
}

static void count_warnings(void *user, ptq_log_level level, const char *message)
{
    stopper *s = user;
    (void)message;
    s->n_warnings += level == PTQ_LOG_WARNING;
}

static ptq_status run_until(const fixture *f, const calibrate_options *o, int batches, ranges **out)
{
    stopper s = {.left = batches};
    ptq_env env = {.threads = 3,
                   .progress = count_down,
                   .log = count_warnings,
                   .user = &s,
                   .cancel = &s.cancel};
    ptq_status st = run(f, 12, o, &env, out);
    assert_int_equal(s.n_warnings > 0, batches > 0 || file_exists(o->partial));
    return st;
}

static void assert_same(const ranges *a, const ranges *b)
{
    char *x = as_text(a), *y = as_text(b);
    assert_string_equal(x, y);
    free(x), free(y);
    assert_int_equal(a->n_steps, b->n_steps);
    for (int i = 0; i < a->n_steps; i++) {
        assert_int_equal(a->steps[i].n_images, b->steps[i].n_images);
        assert_memory_equal(a->steps[i].moved, b->steps[i].moved, sizeof a->steps[i].moved);
    }
}

/* Interrupted twice, and by what is no state of it: the ranges and how they moved are the same bits
 * as without. */
static void an_interrupted_calibration_goes_on(void **state)
{
    (void)state;
    char path[512], partial[] = "/tmp/ptq-partial-XXXXXX";
    fixture f = start(test_demo("yolov7-shapes.pt", path));
    int fd = mkstemp(partial);
    assert_true(fd >= 0);
    close(fd);
    for (int compat = 0; compat < 2; compat++) {
        calibrate_options o = small_options();
        o.batch_size = 3;
        o.is_compat = compat;
        ranges *want, *r;
        assert_ok(run(&f, 12, &o, NULL, &want));
        o.partial = partial;
        unlink(partial);
        assert_status(run_until(&f, &o, 1, &r), PTQ_CANCELLED);
        assert_true(file_exists(partial));
        assert_status(run_until(&f, &o, 2, &r), PTQ_CANCELLED);
        assert_ok(run(&f, 12, &o, NULL, &r));
        assert_true(file_exists(partial)); /* the caller's to remove */
        assert_same(r, want);
        ranges_destroy(r);
        for (int i = 0; i < 3; i++) { /* of other images, no state at all, and empty */
            static const char *const TEXTS[] = {"", "{\"fingerprint\":\"x\",\"result\":{}}", ""};
            if (i == 0) {
                calibrate_options other = o;
                other.image_size = 64;
                assert_status(run_until(&f, &other, 1, &r), PTQ_CANCELLED);
            } else {
                assert_ok(file_write(partial, TEXTS[i], strlen(TEXTS[i]), &err));
            }
            assert_ok(run(&f, 12, &o, NULL, &r));
            assert_same(r, want);
            ranges_destroy(r);
        }
        ranges_destroy(want);
    }
    stop(&f);
}

/* Wherever it is stopped while several images are counted at once, whole batches are kept: with a
 * part of one the ranges would be looked at after other numbers of images. */
static void batches_are_kept_whole(void **state)
{
    (void)state;
    char path[512], dir[512], partial[600];
    fixture f = start(test_demo("yolov7-shapes.pt", path));
    snprintf(partial, sizeof partial, "%s/partial", test_temp_dir(dir));
    calibrate_options o = small_options();
    o.image_size = 32;
    o.batch_size = 5;
    ranges *want, *r;
    assert_ok(run(&f, 22, &o, NULL, &want));
    o.partial = partial;
    for (int stops = 2; stops <= 11; stops += 3) {
        stopper s = {.left = stops};
        ptq_env env = {.threads = 2, .progress = count_down, .user = &s, .cancel = &s.cancel};
        unlink(partial);
        assert_status(run(&f, 22, &o, &env, &r), PTQ_CANCELLED);
        assert_ok(run(&f, 22, &o, NULL, &r));
        assert_same(r, want);
        ranges_destroy(r);
    }
    ranges_destroy(want);
    stop(&f);
    test_temp_remove(dir);
}

static void exact_ranges_ignore_threads_batches_and_order(void **state)
{
    (void)state;
    char path[512];
    fixture f = start(test_demo("yolov7-shapes.pt", path));
    calibrate_options o = small_options();
    ptq_env env = {.threads = 1};
    o.batch_size = 1;
    ranges *r;
    assert_ok(run(&f, 4, &o, &env, &r));
    char *want = as_text(r);
    ranges_destroy(r);
    for (int i = 0; i < 2; i++) {
        o.batch_size = i == 0 ? 3 : 1;
        o.n_images = 4;
        o.shuffle = i == 1; /* all four of four, in another order */
        env.threads = 2;
        env.seed = 11;
        assert_ok(run(&f, 4, &o, &env, &r));
        char *got = as_text(r);
        assert_string_equal(got, want);
        free(got);
        ranges_destroy(r);
    }
    free(want);
    stop(&f);
}

static void a_draw_depends_on_the_seed(void **state)
{
    (void)state;
    char path[512];
    fixture f = start(test_demo("yolov7-shapes.pt", path));
    calibrate_options o = small_options();
    o.n_images = 3;
    o.shuffle = true;
    char *texts[2];
    for (int i = 0; i < 2; i++) {
        ptq_env env = {.threads = 1, .seed = (uint64_t)i};
        ranges *r;
        assert_ok(run(&f, 0, &o, &env, &r));
        assert_int_equal(r->n_images, 3);
        texts[i] = as_text(r);
        ranges_destroy(r);
    }
    assert_string_not_equal(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
    stop(&f);
}

static void cancelling_and_bad_values_stop_it(void **state)
{
    (void)state;
    char path[512];
    fixture f = start(test_demo("yolov7-shapes.pt", path));
    calibrate_options o = small_options();
    volatile int cancel = 1;
    ptq_env env = {.threads = 1, .cancel = &cancel};
    ranges *r = NULL;
    assert_status(run(&f, 2, &o, &env, &r), PTQ_CANCELLED);
    const node *conv = graph_node_const(f.m->graph, graph_find_node(f.m->graph, "model.3.conv"));
    tensor *weight = graph_tensor(f.m->graph, conv->inputs[1]);
    ((float *)blob_data(weight->data))[0] = INFINITY;
    assert_status(run(&f, 2, &o, NULL, &r), PTQ_DATA);
    assert_non_null(strstr(err.message, "not finite"));
    assert_non_null(strstr(err.message, "read by 'model.4.conv'"));
    assert_null(r);
    stop(&f);
}

/* Not that of a later image, though it fails first. */
static void the_first_failure_is_reported(void **state)
{
    (void)state;
    char path[512], dir[512], broken[600];
    fixture f = start(test_demo("yolov7-shapes.pt", path));
    dataset *d;
    dataset_options first = {.split = "train", .limit = 8, .list_order = true};
    assert_ok(dataset_open(test_demo("shapes.yaml", path), &first, NULL, &d, &err));
    snprintf(broken, sizeof broken, "%s/five.png", test_temp_dir(dir));
    test_broken_picture(broken);
    char *own[2] = {d->items[5].path, d->items[6].path};
    d->items[5].path = broken;
    d->items[6].path = (char *)(uintptr_t) "/no/such/six.jpg";
    calibrate_options o = small_options();
    calibrate_job job = {.g = f.m->graph, .points = &f.points, .data = d};
    ptq_env env = {.threads = 3};
    ranges *r = NULL;
    assert_status(calibrate(&job, &o, &env, &r, &err), PTQ_DATA);
    assert_non_null(strstr(err.message, "five.png"));
    assert_null(r);
    d->items[5].path = own[0];
    d->items[6].path = own[1];
    dataset_destroy(d);
    test_temp_remove(dir);
    stop(&f);
}

static void check_method(const ranges *r, json_t *layers, amax_method method, double tolerance)
{
    const char *layer;
    json_t *want;
    json_object_foreach(layers, layer, want)
    {
        const range_tensor *t = ranges_find(r, "", layer);
        if (!t)
            fail_msg("no range for '%s'", layer);
        double amax = json_number_value(want);
        if (fabs((double)t->amax[method] - amax) > tolerance * amax)
            fail_msg("%s %s: %.9g, expected %.9g", layer, amax_method_name(method),
                     (double)t->amax[method], amax);
    }
}

/* golden/amax.json: pytorch-quantization's calibrators on the official network, 100 images in
 * batches of 10. Only the float32 rounding of the network differs, so the chosen bins are equal;
 * a percentile may fall into the next one. */
static void ranges_equal_the_originals_end_to_end(void **state)
{
    (void)state;
    char path[512];
    fixture f = start(test_shared("shapes-tiny/yolov7-tiny-shapes.pt", path));
    dataset *d;
    dataset_options images = {.split = "train", .list_order = true};
    assert_ok(dataset_open(test_shared("shapes/data.yaml", path), &images, NULL, &d, &err));
    calibrate_options o;
    calibrate_options_init(&o);
    o.is_compat = true;
    o.image_size = 320;
    o.batch_size = 10;
    calibrate_job job = {.g = f.m->graph, .points = &f.points, .data = d};
    ptq_env env = {.threads = 1};
    ranges *r;
    assert_ok(calibrate(&job, &o, &env, &r, &err));
    assert_int_equal(r->n_images, 100);
    json_t *doc = test_json(test_shared("shapes-tiny/golden/amax.json", path));
    const json_t *methods = json_object_get(doc, "methods");
    check_method(r, json_object_get(methods, "max"), AMAX_MAX, 1e-5);
    check_method(r, json_object_get(methods, "percentile"), AMAX_PERCENTILE, 2e-3);
    check_method(r, json_object_get(methods, "entropy"), AMAX_ENTROPY, 1e-5);
    check_method(r, json_object_get(methods, "mse"), AMAX_MSE, 1e-5);
    json_decref(doc);
    ranges_destroy(r);
    dataset_destroy(d);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_quantizable_tensor_is_watched_once),
        cmocka_unit_test(an_interrupted_calibration_goes_on),
        cmocka_unit_test(batches_are_kept_whole),
        cmocka_unit_test(exact_ranges_ignore_threads_batches_and_order),
        cmocka_unit_test(a_draw_depends_on_the_seed),
        cmocka_unit_test(cancelling_and_bad_values_stop_it),
        cmocka_unit_test(the_first_failure_is_reported),
        cmocka_unit_test(ranges_equal_the_originals_end_to_end),
    };
    return cmocka_run_group_tests_name("calibrate", tests, NULL, NULL);
}
