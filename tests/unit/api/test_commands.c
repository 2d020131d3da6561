/* SPDX-License-Identifier: Apache-2.0 */
/* The calls behind the program's commands, small (the demo at 64 pixels): what must hold of their
 * answers whatever the numbers are, and what they refuse. tests/cli holds the numbers. */
#include "ptq/ptq.h"
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

static ptq_error err;
static char yaml[512], checkpoint[512], dir[512];

enum { SIZE = 64, N_PICTURES = 128 }; /* demo/images, counted with find */

static const char *in_dir(const char *name, char buffer[1024])
{
    snprintf(buffer, 1024, "%s/%s", dir, name);
    return buffer;
}

static int set_up(void **state)
{
    (void)state;
    test_demo("shapes.yaml", yaml);
    test_demo("yolov7-shapes.pt", checkpoint);
    test_temp_dir(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_temp_remove(dir);
    return 0;
}

static ptq_model *load(const char *path)
{
    ptq_model *m = NULL;
    ptq_load_options o = {.keep_unfused = true};
    assert_ok(ptq_model_load(path, &o, NULL, &m, &err));
    return m;
}

static double number(const ptq_result *r, const char *path)
{
    double value = NAN;
    if (!ptq_result_number(r, path, &value))
        print_message("no number '%s'\n", path);
    return value;
}

static bool holds(const char *path, const char *text)
{
    static char content[1 << 22];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(content, 1, sizeof content - 1, f);
    fclose(f);
    content[n] = '\0';
    return strstr(content, text) != NULL;
}

static void save(const ptq_result *r, const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(ptq_result_json(r), f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void lists_name_every_picture(void **state)
{
    (void)state;
    char pictures[512], output[1024], empty[1024];
    ptq_result *r;
    test_demo("images", pictures);
    in_dir("list.txt", output);
    assert_ok(ptq_list(pictures, output, false, NULL, &r, &err));
    assert_true(number(r, "images") == N_PICTURES);
    assert_string_equal(ptq_result_string(r, "output"), output);
    ptq_result_destroy(r);
    assert_true(holds(output, "/demo/images/val2017/000000000152.jpg\n"));
    assert_int_not_equal(ptq_list(pictures, output, false, NULL, &r, &err), PTQ_OK);
    assert_non_null(strstr(err.message, "list.txt"));
    assert_int_equal(mkdir(in_dir("empty", empty), 0777), 0);
    assert_status(ptq_list(empty, output, true, NULL, &r, &err), PTQ_DATA);
    assert_status(ptq_list(in_dir("absent", empty), output, true, NULL, &r, &err), PTQ_IO);
}

static void the_machine_is_what_it_is_told_to_be(void **state)
{
    (void)state;
    const ptq_env env = {.cpu = "ref", .threads = 3}, wrong = {.cpu = "z80"};
    ptq_result *r;
    assert_ok(ptq_info_machine(&env, &r, &err));
    assert_string_equal(ptq_result_string(r, "level"), "ref");
    assert_true(number(r, "threads") == 3);
    assert_non_null(ptq_result_string(r, "kernels.0.kernel"));
    assert_non_null(strstr(ptq_result_text(r), "ref"));
    ptq_result_destroy(r);
    assert_status(ptq_info_machine(&wrong, &r, &err), PTQ_USAGE);
}

/* Saved detections, scored without the model, give what the evaluation gave; the file rounds scores
 * to 5 digits. */
static void detections_score_as_their_model(void **state)
{
    (void)state;
    char found[1024], instances[512];
    double ap[2];
    ptq_model *m = load(checkpoint);
    ptq_eval_options o;
    ptq_result *r;
    ptq_eval_options_init(&o);
    o.data.yaml = yaml;
    o.data.image_size = 96;
    o.coco = o.per_class = true;
    o.save_detections = in_dir("found.json", found);
    assert_ok(ptq_eval(m, &o, NULL, &r, &err));
    assert_true(number(r, "images") == 80);
    assert_string_equal(ptq_result_string(r, "per_class.0.name"), "circle"); /* demo/README.md */
    ap[0] = number(r, "coco.ap");
    ptq_result_destroy(r);
    assert_ok(
        ptq_eval_detections(found, test_demo("instances_val2017.json", instances), NULL, &r, &err));
    ap[1] = number(r, "coco.ap");
    assert_non_null(strstr(ptq_result_text(r), "Average Precision"));
    ptq_result_destroy(r);
    assert_true(ap[0] > 0 && fabs(ap[0] - ap[1]) < 2e-4);
    assert_status(ptq_eval_detections(yaml, instances, NULL, &r, &err), PTQ_FORMAT);
    assert_int_not_equal(ptq_eval(m, &o, NULL, &r, &err), PTQ_OK); /* found.json is there */
    assert_non_null(strstr(err.message, "found.json"));
    ptq_model_destroy(m);
}

static void a_model_equals_itself(void **state)
{
    (void)state;
    char painted[1024], file[1024];
    ptq_model *a = load(checkpoint), *b = load(checkpoint);
    ptq_compare_options o;
    ptq_result *r;
    ptq_compare_options_init(&o);
    o.data.yaml = yaml;
    o.data.image_size = SIZE;
    o.data.limit = 4;
    o.images = in_dir("painted", painted);
    assert_ok(ptq_compare(a, b, &o, NULL, &r, &err));
    assert_true(number(r, "tensors.0.max_abs") == 0 && number(r, "tensors.9.max_abs") == 0);
    assert_true(fabs(number(r, "tensors.0.cosine") - 1) < 1e-12);
    assert_true(number(r, "models.0.map50_95") == number(r, "models.1.map50_95"));
    assert_true(number(r, "models.0.mib") == number(r, "models.1.mib"));
    save(r, in_dir("compared.json", file));
    ptq_result_destroy(r);
    assert_int_equal(access(painted, R_OK), 0);
    assert_ok(ptq_compare_results(file, file, NULL, &r, &err));
    assert_true(number(r, "models.0.map50_95") == number(r, "models.3.map50_95"));
    ptq_result_destroy(r);
    assert_status(ptq_compare_results(file, yaml, NULL, &r, &err), PTQ_DATA);
    o.data.yaml = o.images = NULL;
    assert_status(ptq_compare(a, b, &o, NULL, &r, &err), PTQ_USAGE); /* nothing to compare on */
    ptq_model_destroy(a);
    ptq_model_destroy(b);
}

static void times_are_in_order(void **state)
{
    (void)state;
    const ptq_precision precisions[] = {PTQ_PRECISION_FP32, PTQ_PRECISION_BF16};
    ptq_model *m = load(checkpoint);
    ptq_bench_options o;
    ptq_result *r;
    ptq_bench_options_init(&o);
    o.precisions = precisions;
    o.n_precisions = 2;
    o.image_size = SIZE;
    o.runs = 3;
    o.layers = true;
    assert_ok(ptq_bench(m, &o, NULL, &r, &err));
    double min = number(r, "runs.0.latency_ms.min"), max = number(r, "runs.0.latency_ms.max");
    double median = number(r, "runs.0.latency_ms.median");
    assert_true(min > 0 && min <= median && median <= max);
    assert_string_equal(ptq_result_string(r, "runs.1.precision"), "bf16");
    assert_true(number(r, "runs.0.gop") > 0 && number(r, "runs.0.layers.0.ms") >= 0);
    assert_non_null(strstr(ptq_result_text(r), "bf16"));
    ptq_result_destroy(r);
    o.runs = 0;
    assert_status(ptq_bench(m, &o, NULL, &r, &err), PTQ_USAGE);
    ptq_model_destroy(m);
}

/* The file of a quantization: judged, shown, loaded, compared with the model that it came from. */
static void check_file(ptq_model *m, const char *file)
{
    ptq_lint_options lint;
    ptq_compare_options compare;
    ptq_info_options info;
    ptq_quantize_options again;
    ptq_result *r;
    char other[1024];
    ptq_lint_options_init(&lint);
    assert_ok(ptq_lint(file, &lint, NULL, &r, &err));
    assert_int_equal(ptq_result_verdict(r), PTQ_OK);
    assert_non_null(ptq_result_string(r, "forecast.0.precision"));
    ptq_result_destroy(r);
    lint.target = "tensorrt9";
    assert_status(ptq_lint(file, &lint, NULL, &r, &err), PTQ_USAGE);
    ptq_model *q = load(file);
    assert_true(ptq_n_quantizers(q) > 0);
    ptq_info_options_init(&info);
    info.quant = info.nodes = true;
    assert_ok(ptq_info(q, &info, NULL, &r, &err));
    assert_true(number(r, "ops.QuantizeLinear") > 0);
    assert_non_null(strstr(ptq_result_text(r), "QuantizeLinear"));
    ptq_result_destroy(r);
    ptq_compare_options_init(&compare);
    compare.data.yaml = yaml;
    compare.data.limit = 2;
    assert_ok(ptq_compare(m, q, &compare, NULL, &r, &err));
    assert_true(number(r, "tensors.0.max_abs") > 0); /* rounding moves something */
    ptq_result_destroy(r);
    ptq_quantize_options_init(&again);
    again.data.yaml = yaml;
    again.output = in_dir("again.onnx", other);
    assert_status(ptq_quantize(q, &again, NULL, &r, &err), PTQ_USAGE); /* it has quantizers */
    ptq_model_destroy(q);
}

static void check_page(const char *report_dir)
{
    char json[2048], page[1024];
    ptq_result *r;
    snprintf(json, sizeof json, "%s/report.json", report_dir);
    assert_ok(ptq_report(json, in_dir("page.html", page), false, NULL, &r, &err));
    assert_string_equal(ptq_result_string(r, "output"), page);
    ptq_result_destroy(r);
    assert_true(holds(page, "<!doctype html>") || holds(page, "<!DOCTYPE html>"));
    assert_true(holds(page, "</html>") && holds(page, "<svg"));
    assert_int_not_equal(ptq_report(json, page, false, NULL, &r, &err), PTQ_OK); /* it is there */
    assert_status(ptq_report(yaml, page, true, NULL, &r, &err), PTQ_DATA);
}

static void quantizing_tells_what_it_did(void **state)
{
    (void)state;
    char output[1024], folder[1024];
    ptq_model *m = load(checkpoint);
    ptq_quantize_options o;
    ptq_result *r;
    ptq_quantize_options_init(&o);
    o.data.yaml = yaml;
    o.data.image_size = SIZE;
    o.data.limit = 8;
    o.quant.calib_images = 2;
    o.quant.exclude = (const char *[]){"model\\.(9|10)[0-9]\\.", NULL};
    o.keep16 = 1;
    o.metric = "fidelity";
    o.output = in_dir("q.onnx", output);
    o.report_dir = in_dir("report", folder);
    assert_ok(ptq_quantize(m, &o, NULL, &r, &err));
    assert_string_equal(ptq_result_string(r, "output"), output);
    assert_true(number(r, "quantized_layers") > 20);
    assert_non_null(ptq_result_string(r, "kept_layers.0.reason"));
    assert_true(number(r, "int8.mib") < 0.7 * number(r, "fp32.mib"));
    assert_true(isfinite(number(r, "int8.map50_95")));
    assert_non_null(strstr(ptq_result_text(r), "q.onnx"));
    ptq_result_destroy(r);
    check_file(m, output);
    check_page(folder);
    assert_int_not_equal(ptq_quantize(m, &o, NULL, &r, &err), PTQ_OK); /* q.onnx is there */
    assert_non_null(strstr(err.message, "q.onnx"));
    ptq_model_destroy(m);
}

static void inputs_of_another_runtime_come_back(void **state)
{
    (void)state;
    char inputs[1024], output[1024];
    ptq_model *m = load(checkpoint);
    ptq_eval_options o;
    ptq_run_options run;
    ptq_result *r;
    ptq_eval_options_init(&o);
    o.data.yaml = yaml;
    o.data.image_size = SIZE;
    o.data.limit = 2;
    o.data.rect = false;
    o.data.batch = 1;
    o.save_inputs = in_dir("inputs", inputs);
    assert_ok(ptq_eval(m, &o, NULL, &r, &err));
    ptq_result_destroy(r);
    o.save_inputs = NULL;
    o.from_outputs = inputs; /* holds inputs, no outputs */
    assert_int_not_equal(ptq_eval(m, &o, NULL, &r, &err), PTQ_OK);
    ptq_run_options_init(&run);
    run.input = test_demo("images/val2017/000000000152.jpg", output);
    run.image_size = SIZE;
    char folder[1024];
    run.out_dir = in_dir("tensors", folder);
    run.taps = (const char *[]){"no.such.tensor", NULL};
    assert_status(ptq_run(m, &run, NULL, &r, &err), PTQ_USAGE);
    run.taps = NULL;
    assert_ok(ptq_run(m, &run, NULL, &r, &err));
    assert_int_equal(access(ptq_result_string(r, "outputs.0.file"), R_OK), 0);
    assert_true(number(r, "outputs.0.shape.2") == 5 + 8); /* 8 shapes */
    ptq_result_destroy(r);
    ptq_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_name_every_picture),
        cmocka_unit_test(the_machine_is_what_it_is_told_to_be),
        cmocka_unit_test(detections_score_as_their_model),
        cmocka_unit_test(a_model_equals_itself),
        cmocka_unit_test(times_are_in_order),
        cmocka_unit_test(inputs_of_another_runtime_come_back),
        cmocka_unit_test(quantizing_tells_what_it_did),
    };
    return cmocka_run_group_tests_name("commands", tests, set_up, tear_down);
}
