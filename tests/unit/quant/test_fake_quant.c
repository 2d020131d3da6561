/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "quant/fake_quant.h"
#include "test.h"
#include "test_npz.h"

static ptq_error err;

static float one(quantizer q, float amax, float x)
{
    q.axis = -1;
    q.n_amax = 1;
    q.amax = &amax;
    shape s = shape_make(0, NULL);
    float y;
    assert_ok(fake_quant(&q, &s, &x, &y, &err));
    return y;
}

/* algorithms.md §1, "Worked": codes and values of NVIDIA's user guide. */
static void the_documented_vector(void **state)
{
    (void)state;
    float x[] = {.9817f, .8796f, .9921f, .4611f, .0832f, .1784f, .3674f, .5676f, .3376f, .2119f};
    float want[] = {.984288f, .882735f, .9921f,   .460897f, .08593f,
                    .179672f, .367155f, .570262f, .335908f, .210919f};
    float amax = .9921f;
    quantizer q = {.num_bits = 8, .axis = -1, .n_amax = 1, .amax = &amax};
    shape s = shape_make(1, (int64_t[]){10});
    float y[10];
    assert_ok(fake_quant(&q, &s, x, y, &err));
    assert_true(test_max_abs(y, want, 10) < 1e-6);
}

/* algorithms.md §1, "Worked" rounding and clipping, in code units (scale 0.5). */
static void rounding_is_half_to_even_then_clamped(void **state)
{
    (void)state;
    static const float full[][2] = {{.5f, 0},        {1.5f, 2},       {2.5f, 2},     {-.5f, 0},
                                    {-1.5f, -2},     {-2.5f, -2},     {126.5f, 126}, {127.5f, 127},
                                    {-127.5f, -128}, {-127.6f, -128}, {-200, -128}};
    quantizer q = {.num_bits = 8};
    for (size_t i = 0; i < sizeof full / sizeof *full; i++)
        assert_float_equal(one(q, 63.5f, full[i][0] * .5f), full[i][1] * .5f, 0);
    q.narrow_range = true;
    assert_float_equal(one(q, 63.5f, -127.5f * .5f), -63.5f, 0);
    assert_float_equal(one(q, 63.5f, -128.5f * .5f), -63.5f, 0);
    /* the product x * (127 / amax) decides near a tie, not the quotient x / (amax / 127) */
    q.narrow_range = false;
    static const float ties[][3] = {{12.110719680786133f, 8.916159629821777f, 93},
                                    {2.9036941528320312f, 1.4975744485855103f, 65},
                                    {7.4368414878845215f, 2.8400537967681885f, 49}};
    for (int i = 0; i < 3; i++)
        assert_float_equal(rintf(one(q, ties[i][0], ties[i][1]) * (127 / ties[i][0])), ties[i][2],
                           0);
}

static void odd_ranges(void **state)
{
    (void)state;
    quantizer q = {.num_bits = 8};
    assert_float_equal(one(q, 0x1p-24f, 1), 0, 0);
    assert_true(one(q, 0x1.000002p-24f, 0x1p-24f) > 0);
    q.is_unsigned = true;
    assert_float_equal(one(q, 255, 254.4f), 254, 0);
    float amax = -1;
    float x = -1;
    q.amax = &amax;
    q.axis = -1;
    q.n_amax = 1;
    shape s = shape_make(0, NULL);
    q.is_unsigned = false;
    assert_status(fake_quant(&q, &s, &x, &x, &err), PTQ_USAGE);
    amax = 1;
    q.is_unsigned = true;
    assert_status(fake_quant(&q, &s, &x, &x, &err), PTQ_USAGE);
    q.axis = 0;
    assert_status(fake_quant(&q, &s, &x, &x, &err), PTQ_USAGE);
}

static void check_golden(const char *path, const char *names[3], int axis)
{
    size_t n;
    size_t n_amax;
    float *x = test_npz(path, names[0], &n);
    float *amax = test_npz(path, names[1], &n_amax);
    float *want = test_npz(path, names[2], &n);
    quantizer q = {.num_bits = 8, .axis = axis, .n_amax = (int)n_amax, .amax = amax};
    shape s = shape_make(2, (int64_t[]){(int64_t)n_amax, (int64_t)(n / n_amax)});
    assert_ok(fake_quant(&q, &s, x, x, &err));
    assert_memory_equal(x, want, n * sizeof *x);
    mem_free(x);
    mem_free(amax);
    mem_free(want);
}

/* Inputs and outputs recorded from pytorch-quantization 2.2.1. */
static void equals_the_original(void **state)
{
    (void)state;
    char path[512];
    test_shared("yolov5n/golden/calib/fakequant.npz", path);
    check_golden(path, (const char *[]){"x", "amax", "y"}, -1);
    check_golden(path, (const char *[]){"w", "w_amax", "wq"}, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_vector),
        cmocka_unit_test(rounding_is_half_to_even_then_clamped),
        cmocka_unit_test(odd_ranges),
        cmocka_unit_test(equals_the_original),
    };
    return cmocka_run_group_tests_name("fake_quant", tests, NULL, NULL);
}
