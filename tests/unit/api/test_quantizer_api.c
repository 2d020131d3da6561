/* SPDX-License-Identifier: Apache-2.0 */
/* The public quantizer; expected values are algorithms.md §1's worked numbers. What it does in full
 * is held in tests/unit/quant/test_tensor_quantizer.c. */
#include "ptq/ptq.h"
#include "test.h"

static ptq_error err;

static void defaults_and_states(void **state)
{
    (void)state;
    ptq_quant_desc d;
    ptq_quant_desc_init(&d);
    assert_int_equal(d.num_bits, 8);
    assert_true(d.fake_quant && !d.learn_amax && !d.is_unsigned && !d.narrow_range);
    assert_int_equal(d.n_axis + d.n_amax, 0);
    assert_int_equal(d.calib_method, PTQ_CALIB_METHOD_MAX);
    assert_null(d.name);
    ptq_quantizer *q;
    assert_ok(ptq_quantizer_create(NULL, &q, &err));
    ptq_quantizer_state s = ptq_quantizer_get_state(q);
    assert_true(!s.disabled && s.if_quant && !s.if_clip && !s.if_calib);
    assert_string_equal(ptq_quantizer_text(q),
                        "8bit fake per-tensor amax=dynamic calibrator=MaxCalibrator quant");
    assert_int_equal(ptq_quantizer_amax(q, NULL), 0);
    assert_int_equal(ptq_quantizer_step_size(q, NULL), 0);
    ptq_quantizer_destroy(q);
    d.learn_amax = true; /* the clip that learns is on */
    assert_ok(ptq_quantizer_create(&d, &q, &err));
    assert_true(ptq_quantizer_get_state(q).if_clip);
    const float *amax;
    assert_int_equal(ptq_quantizer_amax(q, &amax), 1);
    assert_float_equal(amax[0], 1, 0);
    ptq_quantizer_destroy(q);
}

static void calibrate_then_quantize(void **state)
{
    (void)state;
    static const float x[10] = {.9817f, .8796f, .9921f, .4611f, .0832f,
                                .1784f, .3674f, .5676f, .3376f, .2119f};
    static const float want[10] = {.984288f, .882735f, .9921f,   .460897f, .08593f,
                                   .179672f, .367155f, .570262f, .335908f, .210919f};
    static const int64_t dims[2] = {2, 5};
    float y[10];
    ptq_quantizer *q;
    assert_ok(ptq_quantizer_create(NULL, &q, &err));
    ptq_quantizer_set_state(q, (ptq_quantizer_state){.if_calib = true});
    assert_ok(ptq_quantizer_run(q, x, dims, 2, y, &err));
    assert_memory_equal(x, y, sizeof x);
    assert_ok(ptq_quantizer_load_calib(q, PTQ_CALIB_MAX, 0, &err));
    ptq_quantizer_set_state(q, (ptq_quantizer_state){.if_quant = true});
    assert_ok(ptq_quantizer_run(q, x, dims, 2, y, &err));
    assert_true(test_max_abs(y, want, 10) < 1e-6);
    const float *step, *scale;
    assert_int_equal(ptq_quantizer_step_size(q, &step), 1);
    assert_int_equal(ptq_quantizer_scale(q, &scale), 1);
    assert_float_equal(step[0], .9921f / 127, 0);
    assert_float_equal(scale[0], 127 / .9921f, 0);
    assert_ok(ptq_quantizer_set_amax(q, NULL, 0, &err));
    assert_status(ptq_quantizer_run(q, x, dims, -1, y, &err), PTQ_USAGE);
    assert_status(ptq_quantizer_run(q, x, (int64_t[]){-2, 5}, 2, y, &err), PTQ_USAGE);
    ptq_quantizer_destroy(q);
}

static void contradictions_are_named(void **state)
{
    (void)state;
    ptq_quantizer *q = NULL;
    ptq_quant_desc d;
    ptq_quant_desc_init(&d);
    d.num_bits = 1;
    assert_status(ptq_quantizer_create(&d, &q, &err), PTQ_USAGE);
    ptq_quant_desc_init(&d);
    d.n_amax = 2;
    assert_status(ptq_quantizer_create(&d, &q, &err), PTQ_USAGE);
    d.amax = (float[]){1, 2};
    assert_status(ptq_quantizer_create(&d, &q, &err), PTQ_USAGE); /* no axis */
    d.n_axis = 9;
    assert_status(ptq_quantizer_create(&d, &q, &err), PTQ_USAGE);
    d.n_axis = 1;
    assert_ok(ptq_quantizer_create(&d, &q, &err));
    ptq_quantizer_destroy(q);
    d.percentile = 101;
    assert_status(ptq_quantizer_create(&d, &q, &err), PTQ_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_and_states),
        cmocka_unit_test(calibrate_then_quantize),
        cmocka_unit_test(contradictions_are_named),
    };
    return cmocka_run_group_tests_name("quantizer_api", tests, NULL, NULL);
}
