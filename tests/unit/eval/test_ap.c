/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "eval/ap.h"
#include "golden.h"

/* Classes 0 (two labels), 2 and 5 (one each, 5 never predicted); class 7 has no label.
 * Expected: ap_per_class written in numpy 1.24 with a stable sort. */
static void small_case_equals_numpy(void **state)
{
    (void)state;
    ptq_error err;
    static const detection dets[] = {
        {.score = 0.9f, .cls = 0}, {.score = 0.8f, .cls = 0}, {.score = 0.8f, .cls = 0},
        {.score = 0.6f, .cls = 2}, {.score = 0.3f, .cls = 2}, {.score = 0.3f, .cls = 7},
    };
    static const uint16_t correct[] = {0x3ff, 0, 0x3f, 1, 0, 0};
    static const int truths[] = {0, 5, 0, 2};
    ap_input in = {dets, correct, 6, truths, 4, false};
    ap_result r;
    assert_ok(ap_compute(&in, &r, &err));
    assert_int_equal(r.n_classes, 3);
    assert_int_equal(r.classes[2].cls, 5);
    assert_int_equal(r.classes[0].n_truths, 2);
    assert_int_equal(r.classes[0].n_dets, 3);
    assert_float_equal(r.precision, 0.5553330976520295, 1e-15);
    assert_float_equal(r.recall, 0.6666666666666666, 1e-15);
    assert_float_equal(r.map50, 0.6097222222222222, 1e-15);
    assert_float_equal(r.map50_95, 0.26602777777777775, 1e-15);
    assert_float_equal(r.confidence, 0.5995995995995996, 1e-15);
    assert_float_equal(r.classes[0].ap[6], 0.49833333333333333, 1e-15);
    assert_float_equal(r.classes[2].ap_mean, 0, 0);
    ap_result_clear(&r);
    in.v5_metric = true;
    assert_ok(ap_compute(&in, &r, &err));
    assert_float_equal(r.map50, 0.6077777777777778, 1e-15);
    assert_float_equal(r.map50_95, 0.2761666666666666, 1e-15);
    ap_result_clear(&r);
}

static void nothing_right_is_zero(void **state)
{
    (void)state;
    ptq_error err;
    static const detection dets[] = {{.score = 0.9f, .cls = 0}};
    static const uint16_t correct[] = {0};
    static const int truths[] = {0, 0, 3};
    ap_result r;
    assert_ok(ap_compute(&(ap_input){dets, correct, 1, truths, 3, false}, &r, &err));
    assert_int_equal(r.n_classes, 2);
    assert_int_equal(r.classes[0].n_truths, 2);
    assert_true(r.map50_95 == 0 && r.precision == 0 && r.recall == 0);
    ap_result_clear(&r);
    assert_ok(ap_compute(&(ap_input){dets, correct, 1, NULL, 0, false}, &r, &err));
    assert_int_equal(r.n_classes, 0);
    ap_result_clear(&r);
    assert_ok(ap_compute(&(ap_input){NULL, NULL, 0, truths, 3, false}, &r, &err));
    assert_true(r.map50 == 0);
    ap_result_clear(&r);
    assert_ok(ap_compute(&(ap_input){0}, &r, &err));
    ap_result_clear(&r);
}

/* What ap_per_class was given, as recorded. */
typedef struct recorded {
    detection *dets;
    uint16_t *correct;
    int *truths;
    ap_input in;
} recorded;

static recorded read_recorded(const char *name)
{
    char path[512];
    npy_array tp, conf, cls, target;
    test_shared(name, path);
    golden_npz(path, "tp.npy", &tp);
    golden_npz(path, "conf.npy", &conf);
    golden_npz(path, "pred_cls.npy", &cls);
    golden_npz(path, "target_cls.npy", &target);
    size_t n = conf.count, n_truths = target.count;
    recorded r = {
        .dets = calloc(n, sizeof *r.dets),
        .correct = calloc(n, sizeof *r.correct),
        .truths = calloc(n_truths, sizeof *r.truths),
    };
    assert_true(r.dets && r.correct && r.truths);
    for (size_t i = 0; i < n; i++) {
        r.dets[i].score = ((float *)conf.data)[i];
        r.dets[i].cls = (int)((float *)cls.data)[i];
        for (unsigned t = 0; t < N_OVERLAPS; t++)
            r.correct[i] |= (uint16_t)((unsigned)((uint8_t *)tp.data)[i * N_OVERLAPS + t] << t);
    }
    for (size_t i = 0; i < n_truths; i++)
        r.truths[i] = (int)((double *)target.data)[i];
    r.in = (ap_input){r.dets, r.correct, n, r.truths, n_truths, false};
    npy_clear(&tp);
    npy_clear(&conf);
    npy_clear(&cls);
    npy_clear(&target);
    return r;
}

static void recorded_free(recorded *r)
{
    free(r->dets);
    free(r->correct);
    free(r->truths);
}

static void check_classes(const ap_result *r, const json_t *want)
{
    const json_t *classes = json_object_get(want, "per_class");
    assert_int_equal(json_object_size(classes), r->n_classes);
    void *i = json_object_iter(json_object_get(want, "per_class"));
    for (int c = 0; c < r->n_classes; c++) { /* recorded in ascending order too */
        const json_t *one = json_object_iter_value(i);
        assert_int_equal(r->classes[c].n_truths, (size_t)golden_number(one, "labels"));
        assert_float_equal(r->classes[c].precision, golden_number(one, "P"), 1e-12);
        assert_float_equal(r->classes[c].recall, golden_number(one, "R"), 1e-12);
        assert_float_equal(r->classes[c].ap_mean, golden_number(one, "AP"), 1e-12);
        for (size_t t = 0; t < N_OVERLAPS; t++)
            assert_float_equal(r->classes[c].ap[t],
                               json_number_value(json_array_get(json_object_get(one, "ap10"), t)),
                               1e-12);
        i = json_object_iter_next(json_object_get(want, "per_class"), i);
    }
}

/* Expected: metrics.json, the official code's numbers from the same arrays. */
static void recorded_runs_equal_the_official_numbers(void **state)
{
    (void)state;
    ptq_error err;
    static const char *const sets[] = {"yolov5n/golden/coco128", "yolov5n/golden/cocoval"};
    for (size_t s = 0; s < 2; s++) {
        char name[64], path[512];
        snprintf(name, sizeof name, "%s/ap_inputs.npz", sets[s]);
        recorded r = read_recorded(name);
        snprintf(name, sizeof name, "%s/metrics.json", sets[s]);
        json_t *want = golden_json(test_shared(name, path));
        ap_result got;
        assert_ok(ap_compute(&r.in, &got, &err));
        assert_float_equal(got.precision, golden_number(want, "P"), 1e-14);
        assert_float_equal(got.recall, golden_number(want, "R"), 1e-14);
        assert_float_equal(got.map50, golden_number(want, "mAP50"), 1e-14);
        assert_float_equal(got.map50_95, golden_number(want, "mAP"), 1e-14);
        check_classes(&got, want);
        ap_result_clear(&got);
        r.in.v5_metric = true;
        assert_ok(ap_compute(&r.in, &got, &err));
        assert_float_equal(got.map50_95, golden_number(want, "v5_metric.mAP"), 1e-14);
        ap_result_clear(&got);
        json_decref(want);
        recorded_free(&r);
    }
}

/* Hardly anything right, at tiny confidences, with many ties. Expected: ap_per_class written in
 * numpy 1.24 with a stable sort, from the same arrays. */
static void a_hopeless_run_equals_numpy(void **state)
{
    (void)state;
    ptq_error err;
    recorded r = read_recorded("shapes/golden/test320/ap_inputs.npz");
    ap_result got;
    assert_ok(ap_compute(&r.in, &got, &err));
    assert_float_equal(got.precision, 0.0007431808985775034, 1e-17);
    assert_float_equal(got.recall, 0.09317343884980872, 1e-15);
    assert_float_equal(got.map50, 0.0003315545254637825, 1e-17);
    assert_float_equal(got.map50_95, 6.52734025815497e-05, 1e-18);
    ap_result_clear(&got);
    recorded_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_case_equals_numpy),
        cmocka_unit_test(nothing_right_is_zero),
        cmocka_unit_test(recorded_runs_equal_the_official_numbers),
        cmocka_unit_test(a_hopeless_run_equals_numpy),
    };
    return cmocka_run_group_tests_name("ap", tests, NULL, NULL);
}
