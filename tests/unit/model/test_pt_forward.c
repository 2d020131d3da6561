/* SPDX-License-Identifier: Apache-2.0 */
/* The graph of a checkpoint computes what the official code computed: decoded outputs within 2e-3
 * absolute or 1e-4 of the largest value once fused, and every layer's sums before that. */
#include "test.h"

#include <jansson.h>

#include "base/mem.h"
#include "engine/session.h"
#include "model/model.h"
#include "passes/passes.h"

typedef struct forward {
    const char *pt;
    const char *input;  /* uint8 CHW */
    const char *output; /* [1,rows,5+classes] */
} forward;

static const forward FORWARDS[] = {
    {"yolov5n/yolov5n.pt", "yolov5n/golden/wide_u8.npy", "yolov5n/golden/wide_decoded.npy"},
    {"shapes/yolov7-shapes.pt", "shapes/golden/img0_u8.npy", "shapes/golden/img0_pred.npy"},
    {"shapes-tiny/yolov7-tiny-shapes.pt", "shapes-tiny/golden/img0_u8.npy",
     "shapes-tiny/golden/img0_pred.npy"},
};

/* The network's input: [1,3,h,w], values / 255. */
static tensor_view load_input(const char *relative)
{
    char path[512];
    int rank;
    int64_t dims[8];
    size_t count;
    float *values = test_npy(test_shared(relative, path), &rank, dims, &count);
    for (size_t i = 0; i < count; i++)
        values[i] /= 255.0f;
    return (tensor_view){values, DTYPE_F32,
                         shape4(1, dims[rank - 3], dims[rank - 2], dims[rank - 1])};
}

static void check_fused_output(const forward *f)
{
    ptq_error err;
    char path[512];
    model *m;
    session *s;
    assert_ok(model_load(test_shared(f->pt, path), NULL, NULL, &m, &err));
    assert_ok(passes_clean(m->graph, &err));
    const session_options options = {.threads = 2, .level = cpu_best()};
    assert_ok(session_create(m->graph, &options, &s, &err));
    tensor_view input = load_input(f->input);
    assert_ok(session_run(s, &input, 1, &err));
    tensor_view got = engine_output(session_engine(s), 0);
    int rank;
    int64_t dims[8];
    size_t count, n_got;
    float *want = test_npy(test_shared(f->output, path), &rank, dims, &count);
    assert_true(shape_count(&got.shape, &n_got));
    assert_int_equal(n_got, count);
    double largest = 0, difference = test_max_abs(got.data, want, count);
    for (size_t i = 0; i < count; i++)
        if (fabs((double)want[i]) > largest)
            largest = fabs((double)want[i]);
    if (!(difference <= 2e-3 || difference <= 1e-4 * largest))
        fail_msg("%s: the outputs differ by %g", f->pt, difference);
    free(want);
    free(input.data);
    session_destroy(s);
    model_destroy(m);
}

static void fused_outputs_are_the_official_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof FORWARDS / sizeof *FORWARDS; i++)
        check_fused_output(&FORWARDS[i]);
}

typedef struct layer_check {
    const json_t *layers;
    int n_seen;
} layer_check;

/* Compares "model.<i>" with entry i: shape, sum, sum of magnitudes. */
static void check_layer(void *user, const tap_view *view)
{
    layer_check *c = user;
    long i = strtol(strchr(view->name, '.') + 1, NULL, 10);
    const json_t *want = json_array_get(c->layers, (size_t)i);
    size_t count;
    assert_true(shape_count(&view->shape, &count));
    for (int k = 0; k < view->shape.rank; k++)
        assert_int_equal(
            json_integer_value(json_array_get(json_object_get(want, "shape"), (size_t)k)),
            view->shape.dim[k]);
    float *values = mem_array(count, sizeof *values);
    tap_to_float(view, values);
    double sum = 0, magnitudes = 0;
    for (size_t k = 0; k < count; k++) {
        sum += (double)values[k];
        magnitudes += fabs((double)values[k]);
    }
    double scale = json_number_value(json_object_get(want, "abssum"));
    if (fabs(sum - json_number_value(json_object_get(want, "sum"))) > 1e-5 * scale ||
        fabs(magnitudes - scale) > 1e-5 * scale)
        fail_msg("%s: sum %.9g, magnitudes %.9g", view->name, sum, magnitudes);
    mem_free(values);
    c->n_seen++;
}

static void check_layers(const char *pt, const char *input, const char *golden, int n_layers)
{
    ptq_error err;
    char path[512], names[128][32];
    const char *taps[128];
    json_error_t e;
    model *m;
    session *s;
    layer_check check = {json_load_file(test_shared(golden, path), 0, &e), 0};
    assert_non_null(check.layers);
    assert_ok(model_load(test_shared(pt, path), NULL, NULL, &m, &err));
    for (int i = 0; i < n_layers; i++) {
        snprintf(names[i], sizeof names[i], "model.%d", i);
        taps[i] = names[i];
    }
    const session_options options = {
        .threads = 2, .level = cpu_best(), .taps = taps, .n_taps = n_layers};
    assert_ok(session_create(m->graph, &options, &s, &err));
    session_set_tap(s, check_layer, &check);
    tensor_view x = load_input(input);
    assert_ok(session_run(s, &x, 1, &err));
    assert_int_equal(check.n_seen, n_layers);
    free(x.data);
    session_destroy(s);
    model_destroy(m);
    json_decref((json_t *)(uintptr_t)check.layers);
}

static void layers_are_the_official_ones(void **state)
{
    (void)state;
    check_layers("shapes/yolov7-shapes.pt", "shapes/golden/img0_u8.npy",
                 "shapes/golden/img0_layers.json", 105);
    check_layers("shapes-tiny/yolov7-tiny-shapes.pt", "shapes-tiny/golden/img0_u8.npy",
                 "shapes-tiny/golden/img0_layers.json", 77);
    check_layers("yolov5n/yolov5n.pt", "yolov5n/golden/wide_u8.npy",
                 "yolov5n/golden/wide_layers.json", 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fused_outputs_are_the_official_ones),
        cmocka_unit_test(layers_are_the_official_ones),
    };
    return cmocka_run_group_tests_name("pt_forward", tests, NULL, NULL);
}
