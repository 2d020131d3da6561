/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/group_report.h"
#include "quant_fixture.h"

/* algorithms.md §4.3, worked (8): N(0,1) below 4, own scale 4/127: 8.293e-5; shared scale 10/127:
 * 5.169e-4; first the one, then the other: 5.799e-4. The same generator: sums of 12 uniform numbers
 * less 6. */
static void the_worked_requantization(void **state)
{
    (void)state;
    enum { N = 65536 };
    float *x = malloc(N * sizeof *x);
    assert_non_null(x);
    uint32_t s = 12345;
    size_t n = 0;
    for (int i = 0; i < N; i++) {
        double t = 0;
        for (int k = 0; k < 12; k++) {
            s = 1664525u * s + 1013904223u;
            t += s / 4294967296.0;
        }
        float value = (float)(t - 6);
        if (fabsf(value) < 4)
            x[n++] = value;
    }
    histogram h;
    fill(&h, x, n);
    group_errors e = group_errors_of(&h, 4, 10, 127);
    assert_true(fabs(e.own / 8.293e-5 - 1) < 0.01);
    assert_true(fabs(e.shared / 5.169e-4 - 1) < 0.01);
    assert_true(fabs(e.requantized / 5.799e-4 - 1) < 0.01);
    histogram_clear(&h);
    free(x);
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static void groups_tell_what_sharing_costs(void **state)
{
    (void)state;
    fixture f = start("layers: []");
    group_source source = {f.g, &f.points, f.r};
    json_t *groups;
    assert_ok(group_report(&source, &groups, &err));
    assert_int_equal(json_array_size(groups), 1); /* {c1, c3} read one tensor and share nothing */
    const json_t *o = json_array_get(groups, 0);
    assert_float_equal(number(o, "ratio"), 2, 1e-6);
    assert_float_equal(number(o, "amax"), 8, 0);
    const json_t *layers = json_object_get(o, "layers");
    assert_string_equal(json_string_value(json_array_get(layers, 0)), "c4");
    assert_string_equal(json_string_value(json_array_get(layers, 1)), "c5");
    /* uniform values: step^2 / 12 with steps 4/127 and 8/127 */
    const json_t *add = json_array_get(json_object_get(o, "tensors"), 0);
    assert_float_equal(number(add, "error_own"), 16.0 / (127 * 127 * 12), 2e-6);
    assert_float_equal(number(add, "error_shared"), 64.0 / (127 * 127 * 12), 6e-6);
    assert_true(number(add, "error_requantized") > number(add, "error_shared"));
    assert_true(number(o, "error_own") < number(o, "error_shared"));
    json_decref(groups);
    f.r->items[3].has_histogram = false;
    assert_ok(group_report(&source, &groups, &err));
    o = json_array_get(groups, 0);
    assert_true(json_is_null(json_object_get(o, "error_shared")));
    json_decref(groups);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_requantization),
        cmocka_unit_test(groups_tell_what_sharing_costs),
    };
    return cmocka_run_group_tests_name("group_report", tests, NULL, NULL);
}
