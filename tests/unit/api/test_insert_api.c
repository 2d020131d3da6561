/* SPDX-License-Identifier: Apache-2.0 */
/* Quantizers put into a model in memory by settings made in C, and taken away again, on the demo at
 * 96 pixels. */
#include "ptq/ptq.h"
#include "test.h"

static ptq_error err;

static ptq_model *load(void)
{
    char path[512];
    ptq_model *m;
    assert_ok(ptq_model_load(test_demo("yolov7-shapes.pt", path), NULL, NULL, &m, &err));
    return m;
}

static ptq_insert_options options(char yaml[512], const ptq_quant_config *settings)
{
    ptq_insert_options o;
    ptq_insert_options_init(&o);
    o.data.yaml = test_demo("shapes.yaml", yaml);
    o.data.image_size = 96;
    o.quant.calib_images = 4;
    o.quant.settings = settings;
    return o;
}

static void insert(ptq_model *m, const ptq_quant_config *settings)
{
    char yaml[512];
    ptq_insert_options o = options(yaml, settings);
    ptq_result *r;
    assert_ok(ptq_insert_quantizers(m, &o, NULL, &r, &err));
    assert_non_null(strstr(ptq_result_text(r), "model.105.m.0"));
    ptq_result_destroy(r);
}

/* The network's output on a picture, as bytes. */
static float *forward(ptq_model *m, size_t *n)
{
    char image[512], dir[512], file[600];
    ptq_run_options o;
    ptq_result *r;
    int rank;
    int64_t dims[8];
    ptq_run_options_init(&o);
    o.input = test_demo("images/val2017/000000000152.jpg", image);
    o.image_size = 96;
    o.out_dir = test_temp_dir(dir);
    o.precision = PTQ_PRECISION_FP32;
    assert_ok(ptq_run(m, &o, NULL, &r, &err));
    ptq_result_destroy(r);
    snprintf(file, sizeof file, "%s/output.npy", dir);
    float *values = test_npy(file, &rank, dims, n);
    test_temp_remove(dir);
    return values;
}

static double difference(const float *a, ptq_model *m)
{
    size_t n;
    float *b = forward(m, &n);
    double d = test_max_abs(a, b, n);
    free(b);
    return d;
}

static void in_switched_and_out_again(void **state)
{
    (void)state;
    ptq_model *m = load();
    size_t n;
    float *plain = forward(m, &n);
    insert(m, NULL);
    /* 89 layers, each with two quantizers */
    assert_int_equal(ptq_n_quantizers(m), 178);
    assert_true(difference(plain, m) > 0);
    char yaml[512];
    ptq_insert_options again = options(yaml, NULL);
    ptq_result *r;
    assert_status(ptq_insert_quantizers(m, &again, NULL, &r, &err), PTQ_USAGE);
    ptq_layers all = {.match = ".*"}, none = {.path = "model.999"};
    int changed;
    assert_ok(ptq_enable_quantizers(m, &all, PTQ_INPUT, false, &changed, &err));
    assert_int_equal(changed, 89);
    assert_ok(ptq_enable_quantizers(m, &all, PTQ_WEIGHT, false, NULL, &err));
    assert_true(difference(plain, m) == 0);
    ptq_quantizer *q;
    ptq_quantizer_place place;
    assert_ok(ptq_get_quantizer(m, 0, &place, &q, &err));
    assert_true(ptq_quantizer_get_state(q).disabled);
    ptq_quantizer_destroy(q);
    assert_ok(ptq_enable_quantizers(m, &all, PTQ_INPUT, true, NULL, &err));
    assert_status(ptq_enable_quantizers(m, &none, PTQ_INPUT, true, NULL, &err), PTQ_USAGE);
    assert_true(difference(plain, m) > 0);
    assert_ok(ptq_remove_quantizers(m, &err));
    assert_int_equal(ptq_n_quantizers(m), 0);
    assert_true(difference(plain, m) == 0);
    assert_status(ptq_remove_quantizers(m, &err), PTQ_USAGE);
    free(plain);
    ptq_model_destroy(m);
}

/* Everything that settings can say, said in C, and read back from what was inserted. */
static void settings_made_in_c(void **state)
{
    (void)state;
    ptq_quant_config *c;
    ptq_quant_desc d;
    assert_ok(ptq_quant_config_create(NULL, &c, &err));
    ptq_quant_desc_init(&d);
    d.num_bits = 6;
    d.calib_method = PTQ_CALIB_METHOD_HISTOGRAM;
    assert_ok(ptq_quant_config_default(c, NULL, PTQ_INPUT, &d, &err));
    d.calib_method = PTQ_CALIB_METHOD_MAX;
    d.num_bits = 5;
    d.n_axis = 1;
    assert_ok(ptq_quant_config_default(c, "Conv2d", PTQ_WEIGHT, &d, &err));
    ptq_layers stem = {.layer = "model.0.conv"}, two = {.path = "model.2"},
               pool = {.type = "MaxPool2d", .match = "model\\.12"};
    ptq_quant_desc fixed;
    ptq_quant_desc_init(&fixed);
    fixed.n_amax = 1;
    fixed.amax = (float[]){0.75f};
    assert_ok(ptq_quant_config_layer(c, &stem, PTQ_INPUT, &fixed, &err));
    assert_ok(ptq_quant_config_disable(c, &two, true, &err));
    assert_ok(ptq_quant_config_add_input(c, &pool, 0, &fixed, &err));
    d.n_axis = 0;
    assert_ok(ptq_quant_config_tensor(c, "output$", &d, &err));
    assert_ok(ptq_quant_config_float_module(c, "Linear", &err));
    assert_ok(ptq_quant_config_float_module(c, "LSTM", &err));
    assert_ok(ptq_quant_config_custom_module(c, "Resize", (int[]){0}, 1, &err));
    assert_ok(ptq_quant_config_share(c, "maxpool", false, &err));
    ptq_model *m = load();
    insert(m, c);
    /* 88 layers, the pool in model.12, two Resize; the output is QPLAN_OUTPUT's */
    assert_int_equal(ptq_n_quantizers(m), 2 * 88 + 1 + 2 + 1);
    ptq_quantizer *q;
    ptq_quantizer_place place;
    const float *amax;
    assert_ok(ptq_get_quantizer(m, 0, &place, &q, &err));
    assert_string_equal(place.layer, "model.0.conv");
    assert_string_equal(place.tensor, "images");
    assert_int_equal(place.role, PTQ_INPUT);
    assert_int_equal(ptq_quantizer_amax(q, &amax), 1);
    assert_float_equal(amax[0], 0.75f, 0);
    assert_non_null(strstr(ptq_quantizer_text(q), "8bit fake per-tensor amax=0.7500"));
    ptq_quantizer_destroy(q);
    assert_ok(ptq_get_quantizer(m, 1, &place, &q, &err));
    assert_int_equal(place.role, PTQ_WEIGHT);
    assert_string_equal(place.op, "Conv");
    assert_non_null(strstr(ptq_quantizer_text(q), "5bit fake axis=0 amax=["));
    ptq_quantizer_destroy(q);
    assert_ok(ptq_get_quantizer(m, 2, &place, &q, &err));
    assert_non_null(strstr(ptq_quantizer_text(q), "6bit fake per-tensor amax="));
    assert_non_null(strstr(ptq_quantizer_text(q), "calibrator=HistogramCalibrator quant"));
    ptq_quantizer_destroy(q);
    assert_ok(ptq_get_quantizer(m, 2 * 88 + 3, &place, &q, &err));
    assert_int_equal(place.role, PTQ_OUTPUT);
    assert_string_equal(place.tensor, "output");
    ptq_quantizer_destroy(q);
    assert_status(ptq_get_quantizer(m, 2 * 88 + 4, &place, &q, &err), PTQ_USAGE);
    /* six bits are simulated, but no file says them */
    ptq_export_options e;
    ptq_result *r;
    char dir[512], file[600];
    ptq_export_options_init(&e);
    snprintf(file, sizeof file, "%s/q.onnx", test_temp_dir(dir));
    e.output = file;
    e.image_size = 96;
    assert_status(ptq_export(m, &e, NULL, &r, &err), PTQ_UNSUPPORTED);
    assert_non_null(strstr(err.message, "fewer than 8 bits"));
    e.remove_quantizers = true;
    assert_ok(ptq_export(m, &e, NULL, &r, &err));
    ptq_result_destroy(r);
    assert_int_equal(ptq_n_quantizers(m), 2 * 88 + 1 + 2 + 1); /* the model keeps them */
    test_temp_remove(dir);
    ptq_model_destroy(m);
    ptq_quant_config_destroy(c);
}

static void wrong_settings_are_named(void **state)
{
    (void)state;
    ptq_quant_config *c;
    ptq_quant_desc d;
    ptq_layers nothing = {0}, all = {.match = ".*"}, broken = {.match = "a(b"};
    assert_status(ptq_quant_config_create("/no/such.yaml", &c, &err), PTQ_IO);
    assert_ok(ptq_quant_config_create(NULL, &c, &err));
    ptq_quant_desc_init(&d);
    assert_status(ptq_quant_config_layer(c, &nothing, PTQ_INPUT, &d, &err), PTQ_USAGE);
    assert_status(ptq_quant_config_layer(c, &broken, PTQ_INPUT, &d, &err), PTQ_USAGE);
    assert_status(ptq_quant_config_layer(c, &all, 1, &d, &err), PTQ_USAGE);
    assert_status(ptq_quant_config_add_input(c, &all, -1, &d, &err), PTQ_USAGE);
    assert_status(ptq_quant_config_default(c, "Conf2d", PTQ_INPUT, &d, &err), PTQ_USAGE);
    assert_status(ptq_quant_config_default(c, "LSTM", PTQ_INPUT, &d, &err), PTQ_UNSUPPORTED);
    assert_non_null(strstr(err.message, "LSTM"));
    assert_status(ptq_quant_config_custom_module(c, "Add", NULL, 0, &err), PTQ_USAGE);
    assert_status(ptq_quant_config_share(c, "conv", true, &err), PTQ_USAGE);
    d.fake_quant = false;
    assert_status(ptq_quant_config_layer(c, &all, PTQ_INPUT, &d, &err), PTQ_USAGE);
    assert_non_null(strstr(err.message, "only fake quantization is supported"));
    ptq_quant_config_destroy(c);
}

/* Written with float weights, a file can be undone to the bit; with codes it is refused. */
static void a_file_is_undone(void **state)
{
    (void)state;
    char dir[512], file[600], yaml[512];
    ptq_model *m = load(), *loaded;
    size_t n;
    float *plain = forward(m, &n);
    ptq_quantize_options o;
    ptq_result *r;
    ptq_quantize_options_init(&o);
    snprintf(file, sizeof file, "%s/q.onnx", test_temp_dir(dir));
    o.data.yaml = test_demo("shapes.yaml", yaml);
    o.data.image_size = 96;
    o.quant.calib_images = 4;
    o.output = file;
    o.evaluate = false;
    o.effort = "quick"; /* others may keep layers in 16 bit */
    o.force = true;
    for (int is_float = 0; is_float < 2; is_float++) {
        o.quant.float_weights = is_float;
        assert_ok(ptq_quantize(m, &o, NULL, &r, &err));
        ptq_result_destroy(r);
        assert_ok(ptq_model_load(file, NULL, NULL, &loaded, &err));
        assert_int_equal(ptq_n_quantizers(loaded), 178);
        ptq_quantizer *q;
        ptq_quantizer_place place;
        assert_ok(ptq_get_quantizer(loaded, 1, &place, &q, &err));
        assert_string_equal(place.layer, "model.0.conv");
        assert_int_equal(place.role, PTQ_WEIGHT);
        assert_true(ptq_quantizer_amax(q, NULL) > 1);
        ptq_quantizer_destroy(q);
        if (is_float) {
            assert_true(difference(plain, loaded) > 0);
            assert_ok(ptq_remove_quantizers(loaded, &err));
            assert_true(difference(plain, loaded) == 0);
            assert_int_equal(ptq_n_quantizers(loaded), 0);
        } else {
            assert_status(ptq_remove_quantizers(loaded, &err), PTQ_UNSUPPORTED);
            assert_non_null(strstr(err.message, "'model.0.conv.weight' as codes"));
        }
        ptq_model_destroy(loaded);
    }
    test_temp_remove(dir);
    free(plain);
    ptq_model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_switched_and_out_again),
        cmocka_unit_test(settings_made_in_c),
        cmocka_unit_test(wrong_settings_are_named),
        cmocka_unit_test(a_file_is_undone),
    };
    return cmocka_run_group_tests_name("insert_api", tests, NULL, NULL);
}
