/* SPDX-License-Identifier: Apache-2.0 */
/* Models that others' tools wrote: ONNX Runtime's quantizer and the small Q/DQ models of its tests.
 */
#include <dirent.h>

#include "lint_build.h"

static lint_report judge_path(const char *path, lint_target target)
{
    lint_report r;
    lint_options o = {.target = target};
    assert_ok(lint_file(path, &o, NULL, &r, &err));
    return r;
}

static size_t count_rule(const lint_report *r, lint_rule rule)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_findings; i++)
        n += r->findings[i].rule == rule;
    return n;
}

static size_t count_precision(const lint_report *r, const char *precision)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_forecast; i++)
        n += strcmp(r->forecast[i].precision, precision) == 0;
    return n;
}

/* 123 QuantizeLinear to uint8, 63 biases as int32, 64 convolutions (shared/data/INDEX.md and the
 * file's own node counts). */
static void test_yolov8n(void **state)
{
    (void)state;
    char path[512];
    test_shared("qdq/yolov8n-640-qdq-ort.onnx", path);
    lint_report r = judge_path(path, LINT_TENSORRT10);
    assert_int_equal(count_rule(&r, RULE_UNSIGNED_TYPE), 123);
    assert_int_equal(count_rule(&r, RULE_QUANTIZED_BIAS), 63);
    assert_int_equal(r.n_forecast, 64);
    assert_true(count_rule(&r, RULE_CONCAT_SCALE_CLASH) > 0);
    assert_int_equal(count_rule(&r, RULE_BOXES_AND_SCORES), 0); /* its last Concat is float */
    lint_report_clear(&r);
    /* ONNX Runtime 1.30 makes 64 QLinearConv of it */
    r = judge_path(path, LINT_ONNXRUNTIME);
    assert_int_equal(r.n_of[LINT_ERROR] + r.n_of[LINT_WARNING], 0);
    assert_int_equal(count_precision(&r, "int8"), 64);
    lint_report_clear(&r);
}

/* Layers in integers and in float, as ONNX Runtime 1.30 runs them. */
static void test_as_onnxruntime_runs_them(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t n_int8, n_float;
    } MODELS[] = {
        {"conv.int4_weights.qdq", 0, 1},
        {"conv_qdq_external_ini", 1, 0},
        {"conv_qdq_s8s8", 1, 0},
        {"conv_qdq_s8s8_perchannel", 1, 0},
        {"conv_qdq_u8u8", 1, 0},
        {"dynamic_quantize_matmul_int8", 1, 0},
        {"layout_transform_fix_transpose_without_dq.qdq", 0, 1},
        {"layout_transform_reshape.qdq", 1, 0},
        {"mnist", 0, 3},
        {"qdq_with_multi_consumer_dq_nodes", 6, 0},
        {"qdq_with_multi_consumer_q_dq_axis", 0, 2},
        {"transform/qdq_conv", 0, 1},
        {"transform/runtime_optimization/qdq_convs", 0, 3},
    };
    for (size_t i = 0; i < sizeof MODELS / sizeof *MODELS; i++) {
        char path[512], name[256];
        snprintf(name, sizeof name, "qdq/ort-testdata/%s.onnx", MODELS[i].name);
        lint_report r = judge_path(test_shared(name, path), LINT_ONNXRUNTIME);
        if (count_precision(&r, "int8") != MODELS[i].n_int8 ||
            count_precision(&r, "fp32") != MODELS[i].n_float)
            fail_msg("%s: %zu int8 and %zu fp32", MODELS[i].name, count_precision(&r, "int8"),
                     count_precision(&r, "fp32"));
        lint_report_clear(&r);
    }
}

/* Every file below a folder, for every target: judged, or refused in a sentence that names it. */
static int judge_folder(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        size_t length = strlen(e->d_name);
        if (e->d_name[0] != '.' && file_is_dir(path))
            n += judge_folder(path);
        if (length < 5 || strcmp(e->d_name + length - 5, ".onnx") != 0)
            continue;
        for (int t = 0; t < LINT_N_TARGETS; t++) {
            lint_report r = judge_path(path, (lint_target)t);
            assert_true(r.opset > 0);
            lint_report_clear(&r);
        }
        n++;
    }
    closedir(d);
    return n;
}

static void test_all_of_them(void **state)
{
    (void)state;
    char path[512];
    assert_true(judge_folder(test_shared("qdq/ort-testdata", path)) >= 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yolov8n),
        cmocka_unit_test(test_as_onnxruntime_runs_them),
        cmocka_unit_test(test_all_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
