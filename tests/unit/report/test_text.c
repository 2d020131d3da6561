/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts of the eval table come from YOLOv7's test.py (its Python format strings) and from
 * pycocotools' summarize(); the numbers of the COCO case are those that YOLOv7's README prints. */
#include "test.h"

#include "base/mem.h"
#include "report/table.h"
#include "report/text.h"

static void expect(const char *command, const char *json, int width, const char *want)
{
    json_t *document = json_loads(json, 0, NULL);
    assert_non_null(document);
    char *text = report_text(command, document, width);
    assert_non_null(text);
    assert_string_equal(text, want);
    mem_free(text);
    json_decref(document);
}

static void test_eval_as_yolov7(void **state)
{
    (void)state;
    /* python: '%20s' % 'all' + '%12i' * 2 % (5000, 36335) + '%12.3g' * 4 % (...) */
    expect("eval",
           "{\"schema\":1,\"config\":{\"imgsz\":640,\"batch\":1},\"result\":{\"images\":5000,"
           "\"labels\":36335,\"precision\":0.72581,\"recall\":0.63394,\"map50\":0.69412,"
           "\"map50_95\":0.50847,\"speed_ms\":{\"preprocess\":3.14,\"inference\":22.42,"
           "\"nms\":1.9},\"per_class\":[{\"name\":\"person\",\"images\":5000,\"labels\":10777,"
           "\"precision\":0.8,\"recall\":1,\"map50\":0.00012345,\"map50_95\":0}]}}",
           100,
           "               Class      Images      Labels           P           R      mAP@.5"
           "  mAP@.5:.95\n"
           "                 all        5000       36335       0.726       0.634       0.694"
           "       0.508\n"
           "              person        5000       10777         0.8           1    0.000123"
           "           0\n"
           "Speed: 22.4/1.9/24.3 ms inference/NMS/total per 640x640 image, 3.1 ms to"
           " read and letterbox it\n");
}

static void test_eval_as_pycocotools(void **state)
{
    (void)state;
    expect("eval",
           "{\"coco\":{\"ap\":0.51206,\"ap50\":0.69730,\"ap75\":0.55521,\"ap_small\":null,"
           "\"ap_medium\":0.55937,\"ap_large\":0.66693,\"ar1\":0.38453,\"ar10\":0.63765,"
           "\"ar100\":0.68772,\"ar_small\":0.53766,\"ar_medium\":0.73549,\"ar_large\":0.83868}}",
           100,
           " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.512\n"
           " Average Precision  (AP) @[ IoU=0.50      | area=   all | maxDets=100 ] = 0.697\n"
           " Average Precision  (AP) @[ IoU=0.75      | area=   all | maxDets=100 ] = 0.555\n"
           " Average Precision  (AP) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = -1.000\n"
           " Average Precision  (AP) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.559\n"
           " Average Precision  (AP) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.667\n"
           " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=  1 ] = 0.385\n"
           " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets= 10 ] = 0.638\n"
           " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.688\n"
           " Average Recall     (AR) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.538\n"
           " Average Recall     (AR) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.735\n"
           " Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.839\n");
}

static void test_quantize_table(void **state)
{
    (void)state;
    expect("quantize",
           "{\"output\":\"q.onnx\",\"quantized_layers\":88,"
           "\"kept_layers\":[\"model.105.m.0\",{\"name\":\"model.105.m.1\"},\"model.0.conv\"],"
           "\"fp32\":{\"map50_95\":0.5121,\"map50\":0.697,\"fidelity\":0.995,\"latency_ms\":60,"
           "\"mib\":141},"
           "\"bf16\":{\"map50_95\":0.5123,\"map50\":0.697,\"latency_ms\":{\"median\":30}},"
           "\"int8\":{\"map50_95\":0.5081,\"map50\":0.6941,\"change_low\":-0.006,\"change_high\":-"
           "0.002,\"latency_ms\":20,\"mib\":36.25},"
           "\"protocol\":\"square\","
           "\"report\":\"d\",\"verdict\":{\"pass\":false,\"drop\":0.004,\"max_drop\":0.001}}",
           34,
           "                 mAP@.5:.95  mAP@.5  change  fidelity  latency ms  speed-up  size MiB\n"
           "  FP32                51.21   69.70       -    0.9950       60.00         -     141.0\n"
           "  16-bit (bf16)       51.23   69.70   +0.02         -       30.00     2.00x         -\n"
           "  INT8                50.81   69.41   -0.40         -       20.00     3.00x      36.2\n"
           "INT8 changes mAP by -0.60 to -0.20 points (95 %, paired bootstrap)\n"
           "88 layers quantized, 3 kept in 16 bit\n"
           "kept: model.105.m.0 model.105.m.1\n"
           "      model.0.conv\n"
           "protocol: square\n"
           "gate not met: mAP fell by 0.40 points, 0.10 are allowed\n"
           "wrote q.onnx\n"
           "wrote d/index.html and report.json\n");
}

static void test_info_structure(void **state)
{
    (void)state;
    expect("info",
           "{\"schema\":1,\"model\":{\"path\":\"y.pt\",\"mib\":72.13,"
           "\"sha256\":\"0123456789abcdef\"},\"result\":{\"format\":\"pt\","
           "\"inputs\":[{\"name\":\"images\",\"shape\":[1,3,null,640],\"dtype\":\"float32\"}],"
           "\"layers\":415,\"parameters\":37622682,\"parameters_fused\":36907898,"
           "\"gflops\":106.47,\"fused_max_abs_diff\":1.5e-5,\"ops\":{\"Conv\":2,\"Add\":9},"
           "\"quantizers\":[{\"layer\":\"model.0.conv\",\"op\":\"Conv\",\"input\":{\"num_bits\":8,"
           "\"axis\":null,\"amax\":2.64,\"calib_method\":\"histogram\"},\"weight\":{\"num_bits\":8,"
           "\"axis\":0,\"amax\":[0.5,0.25],\"calib_method\":\"max\",\"narrow_range\":true}},"
           "{\"layer\":\"model.9\",\"op\":\"Add\",\"input\":{\"disabled\":true}}]}}",
           100,
           "y.pt  PyTorch checkpoint  72.1 MiB  sha256 0123456789ab\n"
           "  input    images  float32  [1,3,?,640]\n"
           "  before fusing  415  layers  37622682  parameters  106.5  GFLOPs\n"
           "  after fusing     -  layers  36907898  parameters      -\n"
           "  largest difference of an output by fusing: 1.5e-05\n"
           "  ops      Add:9 Conv:2\n"
           "  quantizers of 2 layers\n"
           "  (model): (\n"
           "    (0): (\n"
           "      (conv): QuantConv2d(\n"
           "        (_input_quantizer): TensorQuantizer(8bit fake per-tensor amax=2.6400"
           " calibrator=HistogramCalibrator quant)\n"
           "        (_weight_quantizer): TensorQuantizer(8bit narrow fake axis=0"
           " amax=[0.2500, 0.5000](2) calibrator=MaxCalibrator quant)\n"
           "      )\n"
           "    )\n"
           "    (9): QuantAdd(\n"
           "      (_input_quantizer): TensorQuantizer(disabled)\n"
           "    )\n"
           "  )\n");
}

/* Numbers in order, modules in modules, several quantizers in one, what stays float and why. */
static void test_info_tree(void **state)
{
    (void)state;
    expect("info",
           "{\"quantizers\":["
           "{\"layer\":\"m.10.cv1\",\"op\":\"Conv\",\"input\":{\"unsigned\":true,"
           "\"learn_amax\":true,\"if_clip\":true,\"scale_amax\":0.5,\"amax\":1},"
           "\"weight\":{\"axis\":[0,2],\"num_bits\":4,\"calib_method\":\"max\"}},"
           "{\"layer\":\"m.9\",\"op\":\"Add\",\"input_index\":0,\"input\":{\"amax\":2}},"
           "{\"layer\":\"m.9\",\"op\":\"Add\",\"input_index\":1,\"input\":{\"amax\":3}},"
           "{\"layer\":\"m.10\",\"op\":\"Concat\",\"input_index\":-1,\"input\":{\"amax\":4}},"
           "{\"layer\":\"m.2\",\"op\":\"MatMul\",\"input\":{\"amax\":255,\"amax_lowest\":1,"
           "\"n_scales\":3,\"axis\":1,\"zero_point\":7,\"if_quant\":false}}],"
           "\"kept\":[{\"layer\":\"m.11.a\",\"op\":\"Conv\",\"reason\":\"head\"},"
           "{\"layer\":\"m.11.b\",\"op\":\"Gemm\",\"reason\":\"excluded\"},"
           "{\"layer\":\"m.11.c\",\"op\":\"Conv\",\"reason\":\"head\"}],"
           "\"saved_config\":\"q.yaml\"}",
           100,
           "model\n"
           "  quantizers of 5 layers\n"
           "  (m): (\n"
           "    (2): QuantLinear(\n"
           "      (_input_quantizer): TensorQuantizer(8bit fake axis=1 amax=[1.0000, 255.0000](3)"
           " zero=7 clip)\n"
           "    )\n"
           "    (9): QuantAdd(\n"
           "      (_input0_quantizer): TensorQuantizer(8bit fake per-tensor amax=2.0000 quant)\n"
           "      (_input1_quantizer): TensorQuantizer(8bit fake per-tensor amax=3.0000 quant)\n"
           "    )\n"
           "    (10): QuantConcat(\n"
           "      (_output_quantizer): TensorQuantizer(8bit fake per-tensor amax=4.0000 quant)\n"
           "      (cv1): QuantConv2d(\n"
           "        (_input_quantizer): TensorQuantizer(unsigned 8bit fake per-tensor amax=1.0000"
           " *0.5 learned quant clip)\n"
           "        (_weight_quantizer): TensorQuantizer(4bit fake axis=(0, 2) amax=dynamic"
           " calibrator=MaxCalibrator quant)\n"
           "      )\n"
           "    )\n"
           "    (11): (\n"
           "      (a): Conv2d() # float\n"
           "      (b): Linear() # float\n"
           "      (c): Conv2d() # float\n"
           "    )\n"
           "  )\n"
           "kept: m.11.a m.11.c - head\n"
           "kept: m.11.b - excluded\n"
           "wrote q.yaml\n");
}

static void test_sensitivity_shows_the_top(void **state)
{
    (void)state;
    expect("sensitivity",
           "{\"baseline\":0.3,\"elapsed_ms\":2500,\"top\":[\"a\"],\"layers\":["
           "{\"name\":\"a\",\"op\":\"Conv\",\"score\":0.25,\"drop\":0.05,\"low\":0.24,"
           "\"high\":0.26,\"sqnr_db\":14.25,\"evaluations\":12,\"clear\":true},"
           "{\"name\":\"b\",\"score\":0.3,\"drop\":0,\"clear\":false,\"images_needed\":5000}]}",
           100,
           "all layers float: 0.3000\n"
           "     layer  op       drop   score     low    high  SQNR dB  images\n"
           "  1  a      Conv  +0.0500  0.2500  0.2400  0.2600     14.2      12\n"
           "  ... 1 more layers: --json\n"
           "1 layers cannot be told apart at the cut-off with these images (tie); of them 0 would "
           "be with 1000, 1 with 10000, 1 with 100000 images\n"
           "2 layers ranked in 2.5 s\n");
}

static void test_bench_and_small_ones(void **state)
{
    (void)state;
    expect("bench",
           "{\"schema\":1,\"config\":{\"imgsz\":640,\"batch\":1},\"result\":{\"load_ms\":250.4,"
           "\"runs\":["
           "{\"first_run_ms\":99.6,\"precision\":\"int8\",\"threads\":2,\"latency_ms\":{\"min\":9."
           "5,\"median\":10,"
           "\"mean\":10.5,\"p90\":11,\"p99\":12,\"max\":13},\"images_per_s\":95.2,\"gop\":5,"
           "\"peak_fraction\":0.756,\"rss_mib\":120.2,\"layers\":[{\"name\":\"c\",\"op\":\"Conv\","
           "\"kernel\":\"k\",\"precision\":\"int8\",\"ms\":2,\"gop\":1,\"peak_fraction\":0.5}]}]}}",
           100,
           "int8, 2 threads, batch 1, 640x640\n"
           "  latency     min 9.50  median 10.00  mean 10.50  p90 11.00  p99 12.00  max 13.00 ms\n"
           "  throughput  95.2 images/s\n"
           "  compute     5.0 Gop in 500.0 Gop/s, 76 % of the peak measured here\n"
           "  memory      120 MiB\n"
           "  start       loaded in 250 ms, first result 100 ms later\n"
           "  layer  op    kernel  runs in     ms    share  Gop/s  of peak\n"
           "  c      Conv  k       int8     2.000  100.0 %  500.0     50 %\n");
    expect("list", "{\"images\":12,\"output\":\"l.txt\"}", 100, "12 images\nwrote l.txt\n");
    expect("export", "{\"output\":\"f.onnx\",\"opset\":13,\"nodes\":312}", 100,
           "wrote f.onnx\nopset 13, 312 nodes\n");
    expect("run",
           "{\"outputs\":[{\"name\":\"output\",\"shape\":[1,2,13],\"file\":\"d/output.npy\"}],"
           "\"latency_ms\":4.25}",
           100, "output  [1,2,13]  d/output.npy\nlatency 4.2 ms\n");
    expect("unheard-of", "{\"a\":1}", 100, "{\n  \"a\": 1\n}\n");
}

/* Forecast, findings by rule with what mends them once, the sum. */
static void test_lint(void **state)
{
    (void)state;
    expect(
        "lint",
        "{\"schema\":1,\"config\":{\"target\":\"tensorrt10\"},\"result\":{"
        "\"counts\":{\"error\":2,\"warning\":1,\"info\":0},\"forecast\":["
        "{\"node\":\"a\",\"op\":\"Conv\",\"precision\":\"int8\",\"reason\":\"r 1\"},"
        "{\"node\":\"bb\",\"op\":\"Conv\",\"precision\":\"fp16\",\"reason\":\"r2\"},"
        "{\"node\":\"c\",\"op\":\"Conv\",\"precision\":\"int8\",\"reason\":\"r3\"}],"
        "\"findings\":["
        "{\"rule\":\"x\",\"severity\":\"error\",\"node\":\"n1\",\"message\":\"m1\",\"fix\":\"f\"},"
        "{\"rule\":\"x\",\"severity\":\"error\",\"node\":\"n2\",\"message\":\"m2\",\"fix\":\"f\"},"
        "{\"rule\":\"y\",\"severity\":\"warning\",\"node\":\"\",\"message\":\"m3\",\"fix\":\"g\"}"
        "]}}",
        100,
        "  layer  op    precision  why\n"
        "  a      Conv  int8       r 1\n"
        "  bb     Conv  fp16       r2\n"
        "  c      Conv  int8       r3\n"
        "error: x, 2 times\n"
        "  n1\n"
        "    m1\n"
        "  n2\n"
        "    m2\n"
        "  fix: f\n"
        "warning: y\n"
        "  m3\n"
        "  fix: g\n"
        "3 layers: 2 int8, 1 fp16 (a forecast: tensorrt10 was not run)\n"
        "2 errors, 1 warning, 0 notes: tensorrt10 will refuse this file\n");
}

/* Every table of an empty and of an ill-typed document: some text or none, never a crash. */
static void test_nothing_is_required(void **state)
{
    (void)state;
    static const char *const COMMANDS[] = {"info",     "machine", "run",         "list",
                                           "export",   "eval",    "bench",       "calibrate",
                                           "quantize", "compare", "sensitivity", "lint"};
    static const char *const DOCUMENTS[] = {
        "{}",
        "[]",
        "{\"schema\":1,\"result\":{\"inputs\":7,\"outputs\":[3,null,{\"shape\":\"x\"}],\"ops\":[1],"
        "\"quantizers\":[null,{\"input\":3,\"weight\":[]}],\"layers\":[1,{\"ms\":\"x\"}],"
        "\"runs\":[null,{\"latency_ms\":[]}],\"tensors\":[{}],\"models\":[{},{}],\"coco\":3,"
        "\"kept_layers\":[1,{}],\"fp32\":{\"map50_95\":0.5},\"int8\":5,\"top\":{},"
        "\"kernels\":[2]},\"model\":[],\"config\":3}",
    };
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++)
        for (size_t k = 0; k < sizeof DOCUMENTS / sizeof *DOCUMENTS; k++) {
            json_t *document = json_loads(DOCUMENTS[k], 0, NULL);
            assert_non_null(document);
            char *text = report_text(COMMANDS[i], document, 100);
            assert_non_null(text);
            assert_null(strstr(text, "nan"));
            mem_free(text);
            json_decref(document);
        }
}

static void test_table_counts_characters(void **state)
{
    (void)state;
    table t = TABLE_INIT("lr");
    table_row(&t, (const char *[]){"k\xc3\xb6ln", "1"});
    table_row(&t, (const char *[]){"bonn!", "22"});
    str out = STR_INIT;
    table_print(&t, &out, 1, 0);
    assert_string_equal(str_text(&out), " k\xc3\xb6ln    1\n bonn!  22\n");
    str_clear(&out);
}

/* The columns that do not fit stand below, each row behind its name; one at least in a line. */
static void test_table_goes_on_below(void **state)
{
    (void)state;
    static const struct {
        int limit;
        const char *text;
    } CASES[] = {
        {0, "  1  layer  10  200\n  2  x       3    4\n"},
        {19, "  1  layer  10  200\n  2  x       3    4\n"},
        {18, "  1  layer  10\n  2  x       3\n  1  layer  200\n  2  x        4\n"},
        {5, "  1  layer  10\n  2  x       3\n  1  layer  200\n  2  x        4\n"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        table t = TABLE_INIT("rlrr");
        table_row(&t, (const char *[]){"1", "layer", "10", "200"});
        table_row(&t, (const char *[]){"2", "x", "3", "4"});
        str out = STR_INIT;
        table_print(&t, &out, 2, CASES[i].limit);
        assert_string_equal(str_text(&out), CASES[i].text);
        str_clear(&out);
    }
}

static size_t widest_line(const char *text)
{
    size_t most = 0;
    while (*text) {
        size_t n = strcspn(text, "\n");
        if (n > most && strncmp(text, "next:", 5) != 0)
            most = n;
        text += n + (text[n] == '\n');
    }
    return most;
}

/* YOLOv7's own columns where there is room for them; sentences are folded, nothing is lost. */
static void test_a_terminal_is_not_overrun(void **state)
{
    (void)state;
    json_t *document =
        json_loads("{\"schema\":1,\"config\":{\"imgsz\":640,\"batch\":1},\"result\":{\"images\":80,"
                   "\"labels\":468,"
                   "\"precision\":0.5,\"recall\":0.25,\"map50\":0.375,\"map50_95\":0.2185,"
                   "\"speed_ms\":{\"preprocess\":1.5,\"inference\":20,\"nms\":1}}}",
                   0, NULL);
    for (int columns = 40; columns <= 120; columns += 20) {
        char *text = report_text_fit("eval", document, columns);
        assert_non_null(text);
        assert_in_range(widest_line(text), 1, columns);
        assert_non_null(strstr(text, columns < 92 ? "0.218" : "       0.375       0.218"));
        assert_non_null(strstr(text, "468"));
        assert_non_null(strstr(text, "letterbox"));
        mem_free(text);
    }
    json_decref(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_goes_on_below),
        cmocka_unit_test(test_a_terminal_is_not_overrun),
        cmocka_unit_test(test_eval_as_yolov7),
        cmocka_unit_test(test_eval_as_pycocotools),
        cmocka_unit_test(test_quantize_table),
        cmocka_unit_test(test_info_structure),
        cmocka_unit_test(test_info_tree),
        cmocka_unit_test(test_sensitivity_shows_the_top),
        cmocka_unit_test(test_bench_and_small_ones),
        cmocka_unit_test(test_lint),
        cmocka_unit_test(test_nothing_is_required),
        cmocka_unit_test(test_table_counts_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
