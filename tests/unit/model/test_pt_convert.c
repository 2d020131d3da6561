/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/half.h"
#include "model/pt_convert.h"

static pickle_tensor vector(pickle_element e, const pickle_storage *s, int64_t n)
{
    return (pickle_tensor){
        .storage = s, .element = e, .rank = 1, .size = {n}, .stride = {1}, .n_elements = n};
}

/* Every float16 there is, also those that are no numbers. */
static void float16_is_exact(void **state)
{
    (void)state;
    ptq_error err;
    enum { N = 65536 };
    uint16_t *halves = malloc(N * sizeof *halves);
    float *values = malloc(N * sizeof *values);
    for (int i = 0; i < N; i++)
        halves[i] = (uint16_t)i;
    pickle_storage s = {"0", PICKLE_ELEMENT_F16, N};
    pickle_tensor t = vector(PICKLE_ELEMENT_F16, &s, N);
    assert_ok(pt_gather(&t, halves, values, &err));
    for (int i = 0; i < N; i++) {
        float want = half_to_float((uint16_t)i);
        if (isnan(want) ? !isnan(values[i]) : memcmp(&want, &values[i], sizeof want) != 0)
            fail_msg("%04x became %a", (unsigned)i, (double)values[i]);
    }
    free(halves);
    free(values);
}

#define CHECK_TYPE(type, element, ...)                                                             \
    do {                                                                                           \
        static const type in[] = {__VA_ARGS__};                                                    \
        enum { N = sizeof in / sizeof *in };                                                       \
        float out[N];                                                                              \
        pickle_storage s = {"0", element, N};                                                      \
        pickle_tensor t = vector(element, &s, N);                                                  \
        assert_ok(pt_gather(&t, in, out, &err));                                                   \
        for (int i = 0; i < N; i++)                                                                \
            assert_float_equal(out[i], (float)in[i], 0);                                           \
    } while (0)

static void all_number_types_are_read(void **state)
{
    (void)state;
    ptq_error err;
    CHECK_TYPE(double, PICKLE_ELEMENT_F64, 0.1, -3e30, 5);
    CHECK_TYPE(float, PICKLE_ELEMENT_F32, 0.1f, -3e30f);
    CHECK_TYPE(int64_t, PICKLE_ELEMENT_I64, 1, -70000000000, 3);
    CHECK_TYPE(int32_t, PICKLE_ELEMENT_I32, 1, -2, 70000);
    CHECK_TYPE(int16_t, PICKLE_ELEMENT_I16, 1, -2, 7000);
    CHECK_TYPE(int8_t, PICKLE_ELEMENT_I8, 1, -2, 127);
    CHECK_TYPE(uint8_t, PICKLE_ELEMENT_U8, 1, 255);
    CHECK_TYPE(uint8_t, PICKLE_ELEMENT_BOOL, 1, 0);
    static const uint16_t bf[] = {0x3f80, 0xc040};
    float out[2];
    pickle_storage s = {"0", PICKLE_ELEMENT_BF16, 2};
    pickle_tensor t = vector(PICKLE_ELEMENT_BF16, &s, 2);
    assert_ok(pt_gather(&t, bf, out, &err));
    assert_float_equal(out[0], 1.0f, 0);
    assert_float_equal(out[1], -3.0f, 0);
    s.element = t.element = PICKLE_ELEMENT_C64;
    assert_status(pt_gather(&t, bf, out, &err), PTQ_UNSUPPORTED);
}

/* Expected order: numpy's np.lib.stride_tricks.as_strided(np.arange(24)[offset:], size, stride). */
static void strides_are_followed(void **state)
{
    (void)state;
    ptq_error err;
    float storage[24], out[12];
    for (int i = 0; i < 24; i++)
        storage[i] = (float)i;
    pickle_storage s = {"0", PICKLE_ELEMENT_F32, 24};
    pickle_tensor t = {.storage = &s,
                       .element = PICKLE_ELEMENT_F32,
                       .offset = 1,
                       .rank = 3,
                       .size = {2, 3, 2},
                       .stride = {12, 1, 4},
                       .n_elements = 12};
    static const float want[12] = {1, 5, 2, 6, 3, 7, 13, 17, 14, 18, 15, 19};
    assert_ok(pt_gather(&t, storage, out, &err));
    assert_memory_equal(out, want, sizeof want);
    /* expanded: every element the same; the stride of a dimension of 1 means nothing */
    pickle_tensor e = {.storage = &s,
                       .element = PICKLE_ELEMENT_F32,
                       .offset = 23,
                       .rank = 2,
                       .size = {1, 12},
                       .stride = {INT64_MAX, 0},
                       .n_elements = 12};
    assert_ok(pt_gather(&e, storage, out, &err));
    for (int i = 0; i < 12; i++)
        assert_float_equal(out[i], 23.0f, 0);
    /* no elements, and a scalar */
    pickle_tensor none = {.storage = &s, .rank = 1, .n_elements = 0, .offset = 99};
    assert_ok(pt_gather(&none, storage, out, &err));
    pickle_tensor scalar = {
        .storage = &s, .element = PICKLE_ELEMENT_F32, .offset = 4, .n_elements = 1};
    assert_ok(pt_gather(&scalar, storage, out, &err));
    assert_float_equal(out[0], 4.0f, 0);
}

static void bytes_are_swapped(void **state)
{
    (void)state;
    unsigned char bytes[] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const unsigned char by2[] = {2, 1, 4, 3, 6, 5, 8, 7}, by4[] = {3, 4, 1, 2, 7, 8, 5, 6};
    pt_swap_bytes(bytes, 2, 4);
    assert_memory_equal(bytes, by2, sizeof by2);
    pt_swap_bytes(bytes, 4, 2);
    assert_memory_equal(bytes, by4, sizeof by4);
}

static void numbers_are_told_from_others(void **state)
{
    (void)state;
    float values[] = {0.0f, -3.4e38f, 1e-45f, 1.0f, 2.0f};
    assert_true(pt_all_finite(values, 5));
    values[3] = -INFINITY;
    assert_false(pt_all_finite(values, 5));
    values[3] = NAN;
    assert_false(pt_all_finite(values, 5));
    assert_true(pt_all_finite(values, 3));
    assert_true(pt_all_finite(values, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float16_is_exact),
        cmocka_unit_test(all_number_types_are_read),
        cmocka_unit_test(strides_are_followed),
        cmocka_unit_test(bytes_are_swapped),
        cmocka_unit_test(numbers_are_told_from_others),
    };
    return cmocka_run_group_tests_name("pt_convert", tests, NULL, NULL);
}
