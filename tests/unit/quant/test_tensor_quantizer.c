/* SPDX-License-Identifier: Apache-2.0 */
/* Expected values: algorithms.md §1 and §2.10, the worked numbers of pytorch-quantization. */
#include "quant/tensor_quantizer.h"
#include "test.h"

static ptq_error err;

static tensor_quantizer *make(descriptor d, bool fake)
{
    tensor_quantizer *q = NULL;
    assert_ok(tensor_quantizer_create(&d, fake, &q, &err));
    return q;
}

static void run(tensor_quantizer *q, int rank, const int64_t *dims, const float *x, float *y)
{
    shape s = shape_make(rank, dims);
    assert_ok(tensor_quantizer_run(q, &s, x, y, &err));
}

static void assert_text(const tensor_quantizer *q, const char *want)
{
    str text = STR_INIT;
    tensor_quantizer_print(&text, q);
    assert_string_equal(str_text(&text), want);
    str_clear(&text);
}

static const float GUIDE_X[] = {.9817f, .8796f, .9921f, .4611f, .0832f,
                                .1784f, .3674f, .5676f, .3376f, .2119f};
static const float GUIDE_Y[] = {.984288f, .882735f, .9921f,   .460897f, .08593f,
                                .179672f, .367155f, .570262f, .335908f, .210919f};
static const float GUIDE_CODES[] = {126, 113, 127, 59, 11, 23, 47, 73, 43, 27};

/* QuantDescriptor() and TensorQuantizer(): the keyword defaults that §1 lists. */
static void the_defaults(void **state)
{
    (void)state;
    descriptor d = descriptor_plain();
    assert_int_equal(d.num_bits, 8);
    assert_int_equal(d.n_axis, 0);
    assert_int_equal(d.n_amax, 0);
    assert_false(d.learn_amax || d.is_unsigned || d.narrow_range);
    assert_float_equal(d.scale_amax, 1, 0);
    assert_int_equal(descriptor_method(&d), AMAX_MAX);
    assert_true(!d.disabled && d.if_quant && !d.if_clip);
    d.if_calib = false;
    tensor_quantizer *q = make(d, true);
    assert_text(q, "8bit fake per-tensor amax=dynamic calibrator=MaxCalibrator quant");
    /* no range: that of the values. The largest of the guide's vector is its amax, .9921 */
    float y[10];
    run(q, 1, (int64_t[]){10}, GUIDE_X, y);
    assert_true(test_max_abs(y, GUIDE_Y, 10) < 1e-6);
    /* full range: -128 is a code */
    d.n_amax = 1;
    d.amax = 127;
    tensor_quantizer_destroy(q);
    q = make(d, true);
    run(q, 1, (int64_t[]){1}, (float[]){-200}, y);
    assert_float_equal(y[0], -128, 0);
    tensor_quantizer_destroy(q);
}

/* amax .9921: step .9921/127, scale 127/.9921; codes when fake_quant is off. */
static void ranges_can_be_read(void **state)
{
    (void)state;
    descriptor d = descriptor_plain();
    d.n_amax = 1;
    d.amax = .9921f;
    d.if_calib = false;
    tensor_quantizer *q = make(d, true);
    assert_int_equal(q->n_amax, 1);
    assert_float_equal(q->amax[0], .9921f, 0);
    assert_float_equal(q->step[0], .9921f / 127, 0);
    assert_float_equal(q->scale[0], 127 / .9921f, 0);
    assert_text(q, "8bit fake per-tensor amax=0.9921 calibrator=MaxCalibrator quant");
    tensor_quantizer_destroy(q);
    q = make(d, false);
    float y[10];
    run(q, 1, (int64_t[]){10}, GUIDE_X, y);
    assert_memory_equal(y, GUIDE_CODES, sizeof GUIDE_CODES);
    /* the original does not hand narrow_range on there: -127 */
    run(q, 1, (int64_t[]){1}, (float[]){-9}, y);
    assert_float_equal(y[0], -127, 0);
    tensor_quantizer_destroy(q);
    /* scale_amax multiplies at use: .9921 is given as twice .49605 */
    d.amax = .49605f;
    d.scale_amax = 2;
    q = make(d, true);
    run(q, 1, (int64_t[]){10}, GUIDE_X, y);
    assert_true(test_max_abs(y, GUIDE_Y, 10) < 1e-6);
    assert_float_equal(q->step[0], .9921f / 127, 1e-9f);
    assert_text(q, "8bit fake per-tensor amax=0.4961 *2 calibrator=MaxCalibrator quant");
    tensor_quantizer_destroy(q);
}

/* Bounds of §1: 2^(b-1+u)-1; 7 and -8 at 4 bits, 255 and 0 unsigned, -127 when narrow. */
static void bits_and_signs(void **state)
{
    (void)state;
    static const struct {
        int bits;
        bool is_unsigned, is_narrow;
        float low, high;
    } cases[] = {{8, false, false, -128, 127}, {8, true, false, 0, 255},
                 {8, false, true, -127, 127},  {4, false, false, -8, 7},
                 {2, false, false, -2, 1},     {16, false, false, -32768, 32767},
                 {16, true, false, 0, 65535},  {4, false, true, -7, 7}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        descriptor d = descriptor_plain();
        d.num_bits = cases[i].bits;
        d.is_unsigned = cases[i].is_unsigned;
        d.narrow_range = cases[i].is_narrow;
        d.if_calib = false;
        d.n_amax = 1;
        d.amax = cases[i].high; /* step 1 */
        tensor_quantizer *q = make(d, true);
        float x[2] = {d.is_unsigned ? 0.4f : -1e6f, 1e6f};
        run(q, 1, (int64_t[]){2}, x, x);
        assert_float_equal(x[0], cases[i].low, 0);
        assert_float_equal(x[1], cases[i].high, 0);
        tensor_quantizer_destroy(q);
    }
}

/* Order of a call: nothing when disabled; then the calibrator, the clip, the quantizer. */
static void states(void **state)
{
    (void)state;
    descriptor d = descriptor_plain();
    tensor_quantizer *q = make(d, true);
    float x[3] = {-1, 2.5f, 0.3f};
    float y[3];
    q->desc.disabled = true;
    run(q, 1, (int64_t[]){3}, x, y);
    assert_memory_equal(x, y, sizeof x);
    assert_text(q, "disabled");
    assert_status(tensor_quantizer_load_calib(q, AMAX_MAX, 99, &err), PTQ_DATA);
    q->desc.disabled = false;
    q->desc.if_quant = false;
    run(q, 1, (int64_t[]){3}, x, y); /* collected, not quantized */
    assert_memory_equal(x, y, sizeof x);
    assert_text(q, "8bit fake per-tensor amax=dynamic calibrator=MaxCalibrator calib");
    run(q, 1, (int64_t[]){3}, (float[]){0, -3, 1}, y);
    assert_ok(tensor_quantizer_load_calib(q, AMAX_MAX, 99, &err));
    assert_float_equal(q->amax[0], 3, 0);
    q->desc.if_quant = true;
    q->desc.if_calib = false;
    run(q, 1, (int64_t[]){3}, (float[]){9, -9, 1.5f}, y);
    /* step 3/127: 127, -128, rint(63.5) = 64 */
    assert_float_equal(y[0], 3, 1e-6f);
    assert_float_equal(y[1], -128 * 3.0f / 127, 1e-6f);
    assert_float_equal(y[2], 64 * 3.0f / 127, 1e-6f);
    assert_ok(tensor_quantizer_set_amax(q, NULL, 0, &err));
    assert_int_equal(q->n_amax, 0);
    q->desc.if_clip = true;
    shape s = shape_make(1, (int64_t[]){3});
    assert_status(tensor_quantizer_run(q, &s, x, y, &err), PTQ_USAGE);
    tensor_quantizer_destroy(q);
}

/* learn_amax: one range, 1.0 at first; the clip comes before the quantizer, so -128 cannot be. */
static void learned_ranges_clip(void **state)
{
    (void)state;
    descriptor d = descriptor_plain();
    d.learn_amax = true;
    d.if_clip = true;
    d.if_calib = false;
    tensor_quantizer *q = make(d, true);
    assert_float_equal(q->amax[0], 1, 0);
    float x[3] = {-3, 0.25f, 3};
    float y[3];
    run(q, 1, (int64_t[]){3}, x, y);
    assert_float_equal(y[0], -1, 1e-7f);
    assert_float_equal(y[1], 32 / 127.0f, 1e-7f); /* .25*127 = 31.75 */
    assert_float_equal(y[2], 1, 1e-7f);
    q->desc.if_quant = false;
    run(q, 1, (int64_t[]){3}, x, y);
    assert_float_equal(y[1], 0.25f, 0);
    assert_float_equal(y[2], 1, 0);
    assert_status(tensor_quantizer_set_amax(q, NULL, 0, &err), PTQ_USAGE);
    tensor_quantizer_destroy(q);
    d.n_axis = 1;
    assert_status(tensor_quantizer_create(&d, true, &q, &err), PTQ_USAGE);
    assert_non_null(strstr(err.message, "learn_amax needs one range"));
    d.n_axis = 0;
    d.learn_amax = false;
    assert_status(tensor_quantizer_create(&d, true, &q, &err), PTQ_USAGE);
}

/* [2,2,3]: ranges along axis 0, -1 and both, by hand. */
static void axes(void **state)
{
    (void)state;
    static const float x[12] = {1, -2, 3, 4, 5, -6, 7, 8, 9, -10, 11, 12};
    static const struct {
        int n_axis, axis[2];
        size_t n;
        float amax[6];
    } cases[] = {{1, {0}, 2, {6, 12}},
                 {1, {-1}, 3, {10, 11, 12}},
                 {1, {1}, 2, {9, 12}},
                 {2, {0, 2}, 6, {4, 5, 6, 10, 11, 12}},
                 {2, {-1, -2}, 6, {7, 8, 9, 10, 11, 12}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        descriptor d = descriptor_plain();
        d.n_axis = cases[i].n_axis;
        memcpy(d.axis, cases[i].axis, sizeof cases[i].axis);
        tensor_quantizer *q = make(d, true);
        float y[12];
        run(q, 3, (int64_t[]){2, 2, 3}, x, y);
        assert_ok(tensor_quantizer_load_calib(q, AMAX_MAX, 99, &err));
        assert_int_equal(q->n_amax, cases[i].n);
        assert_memory_equal(q->amax, cases[i].amax, cases[i].n * sizeof(float));
        /* the largest of its slice is a code: it comes back as it was */
        assert_float_equal(y[11], 12, 1e-6f);
        assert_float_equal(y[9], -10, 12.0f / 254 + 1e-6f);
        shape other = shape_make(3, (int64_t[]){3, 3, 4});
        assert_status(tensor_quantizer_run(q, &other, x, y, &err), PTQ_USAGE);
        tensor_quantizer_destroy(q);
    }
    descriptor d = descriptor_plain();
    d.n_axis = 1;
    d.axis[0] = 3;
    tensor_quantizer *q = make(d, true);
    shape s = shape_make(3, (int64_t[]){2, 2, 3});
    float y[12];
    assert_status(tensor_quantizer_run(q, &s, x, y, &err), PTQ_USAGE);
    tensor_quantizer_destroy(q);
    d.use_histogram = true;
    d.axis[0] = 0;
    q = make(d, true);
    assert_status(tensor_quantizer_run(q, &s, x, y, &err), PTQ_UNSUPPORTED);
    tensor_quantizer_destroy(q);
}

/* §2.10: the integers 0...99, percentile 90 -> 89 +- 100/1024; and what a histogram prints. */
static void the_histogram_calibrator(void **state)
{
    (void)state;
    descriptor d = descriptor_plain();
    d.use_histogram = true;
    d.if_quant = false;
    tensor_quantizer *q = make(d, true);
    float x[100];
    for (int i = 0; i < 100; i++)
        x[i] = (float)i;
    run(q, 2, (int64_t[]){4, 25}, x, x);
    assert_ok(tensor_quantizer_load_calib(q, AMAX_PERCENTILE, 90, &err));
    assert_float_equal(q->amax[0], 89, 100.0f / 1024);
    assert_ok(tensor_quantizer_load_calib(q, AMAX_MAX, 90, &err));
    assert_float_equal(q->amax[0], 99, 0);
    assert_text(q, "8bit fake per-tensor amax=99.0000 calibrator=HistogramCalibrator calib");
    tensor_quantizer_destroy(q);
}

/* amax up to 2^-24 counts as zero; a negative one is refused; so is a negative value unsigned. */
static void odd_ranges(void **state)
{
    (void)state;
    descriptor d = descriptor_plain();
    d.if_calib = false;
    d.n_amax = 1;
    d.amax = 0x1p-24f;
    tensor_quantizer *q = make(d, true);
    float y[2];
    run(q, 1, (int64_t[]){2}, (float[]){1, -1}, y);
    assert_true(y[0] == 0 && y[1] == 0);
    assert_float_equal(q->scale[0], 1, 0);
    tensor_quantizer_destroy(q);
    d.amax = -1;
    assert_status(tensor_quantizer_create(&d, true, &q, &err), PTQ_USAGE);
    d.amax = 1;
    d.is_unsigned = true;
    q = make(d, true);
    shape s = shape_make(1, (int64_t[]){2});
    assert_status(tensor_quantizer_run(q, &s, (float[]){1, -1}, y, &err), PTQ_USAGE);
    tensor_quantizer_destroy(q);
    d.num_bits = 17;
    assert_status(tensor_quantizer_create(&d, true, &q, &err), PTQ_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults),
        cmocka_unit_test(ranges_can_be_read),
        cmocka_unit_test(bits_and_signs),
        cmocka_unit_test(states),
        cmocka_unit_test(learned_ranges_clip),
        cmocka_unit_test(axes),
        cmocka_unit_test(the_histogram_calibrator),
        cmocka_unit_test(odd_ranges),
    };
    return cmocka_run_group_tests_name("tensor_quantizer", tests, NULL, NULL);
}
