/* SPDX-License-Identifier: Apache-2.0 */
#include "base/half.h"
#include "quant/half_plan.h"
#include "test.h"
#include "test_plan.h"

static ptq_error err;

/* numpy.float16: 1/127 is 0.00787353515625, 2.54/127 = 0.02 is 0.0200042724609375. Of weights 0.02
 * lies between 10 and 11 times 2^-9. */
static void ranges_are_those_of_rounded_scales(void **state)
{
    (void)state;
    test_plan p = {0};
    qplan_entry *e = plan_layer(&p, "c", 1, 0, 2, (float[]){2.54f, 0});
    qplan_extra *extra = plan_extra(&p, "add", 1, 2.54f);
    json_t *widened;
    assert_ok(half_plan_round(&p.plan, &widened, &err));
    assert_true(e->input.amax[0] / 127 == 0.00787353515625f);
    assert_true(e->weight.amax[0] / 127 == 11 * 0x1p-9f);
    assert_true(e->weight.amax[1] == 0);
    assert_true(extra->input.amax[0] / 127 == 0.0200042724609375f);
    assert_int_equal(json_array_size(widened), 0);
    json_decref(widened);
}

/* 2^-14 is float16's smallest normal number: 127 * 2^-14 = 0.00775. */
static void small_scales_are_raised_and_told(void **state)
{
    (void)state;
    test_plan p = {0};
    qplan_entry *e = plan_layer(&p, "c", 1, 0, 3, (float[]){1, 0.001f, 0.0005f});
    json_t *widened;
    assert_ok(half_plan_round(&p.plan, &widened, &err));
    assert_true(e->weight.amax[1] == 127 * 0x1p-14f && e->weight.amax[2] == 127 * 0x1p-14f);
    assert_int_equal(json_array_size(widened), 1);
    const json_t *w = json_array_get(widened, 0);
    assert_string_equal(json_string_value(json_object_get(w, "layer")), "c");
    assert_string_equal(json_string_value(json_object_get(w, "quantizer")), "weight");
    assert_int_equal(json_integer_value(json_object_get(w, "scales")), 2);
    assert_int_equal(json_integer_value(json_object_get(w, "levels")), 8); /* 0.0005 * 2^14 */
    json_decref(widened);
}

/* What the four bits are for: float16 has every product of a scale and a code. */
static void weights_are_float16_numbers(void **state)
{
    (void)state;
    test_rng rng = {3};
    assert_true(half_weight_scale(0.5f) == 0.5f &&
                half_weight_scale(15 * 0x1p-12f) == 15 * 0x1p-12f);
    assert_true(half_weight_scale(nextafterf(0.5f, 1)) == 9 * 0x1p-4f);
    for (int i = 0; i < 1000; i++) {
        float wanted = (float)exp(test_uniform(&rng) * 9 - 9), s = half_weight_scale(wanted);
        assert_true(s >= wanted && s <= wanted * 1.125f);
        for (int code = -128; code < 128; code++) {
            float w = (float)code * s;
            assert_true(half_to_float(half_from_float(w)) == w);
        }
    }
}

static void a_scale_beyond_float16_is_refused(void **state)
{
    (void)state;
    test_plan p = {0};
    plan_layer(&p, "c", 1e7f, 0, 0, NULL);
    json_t *widened = NULL;
    assert_status(half_plan_round(&p.plan, &widened, &err), PTQ_UNSUPPORTED);
    assert_non_null(strstr(err.message, "'c'"));
    assert_null(widened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_those_of_rounded_scales),
        cmocka_unit_test(small_scales_are_raised_and_told),
        cmocka_unit_test(weights_are_float16_numbers),
        cmocka_unit_test(a_scale_beyond_float16_is_refused),
    };
    return cmocka_run_group_tests_name("half_plan", tests, NULL, NULL);
}
