/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/half.h"
#include "kernels/strided_view.h"

#define DIMS(...) ((const int64_t[]){__VA_ARGS__})

static void images_are_recognised(void **state)
{
    (void)state;
    int64_t ps = 0;
    view dense = view_dense(DTYPE_F32, 4, DIMS(2, 3, 4, 5));
    view nhwc = view_nhwc(DTYPE_F32, DIMS(2, 3, 4, 5), 8);
    assert_true(view_is_dense(&dense));
    assert_false(view_is_nhwc(&dense, NULL));
    assert_true(view_is_nhwc(&nhwc, &ps));
    assert_int_equal(ps, 8);
    assert_false(view_is_dense(&nhwc));
    assert_false(view_is_packed(&nhwc));
    view part = view_slice(&nhwc, 1, 1, 2);
    assert_true(view_is_nhwc(&part, &ps));
    assert_int_equal(ps, 8);
    view crop = view_slice(&nhwc, 3, 1, 2);
    assert_false(view_is_nhwc(&crop, NULL));
    view grey = view_dense(DTYPE_F32, 4, DIMS(1, 1, 4, 5)); /* one channel: both at once */
    assert_true(view_is_dense(&grey) && view_is_packed(&grey));
    view pixel = view_dense(DTYPE_F32, 4, DIMS(1, 7, 1, 1));
    assert_true(view_is_packed(&pixel));
}

/* Expected values: numpy's broadcasting rules. */
static void broadcasting_is_numpys(void **state)
{
    (void)state;
    view v = view_dense(DTYPE_F32, 2, DIMS(3, 1)), out;
    assert_true(view_broadcast(&v, 3, DIMS(2, 3, 4), &out));
    assert_int_equal(out.stride[0], 0);
    assert_int_equal(out.stride[1], 1);
    assert_int_equal(out.stride[2], 0);
    assert_false(view_broadcast(&v, 3, DIMS(2, 4, 4), &out));
    assert_false(view_broadcast(&v, 1, DIMS(3), &out));
}

static void reshaping_needs_no_copy_where_runs_stay_whole(void **state)
{
    (void)state;
    /* The head of a detector: [1, 255, ny, nx] stored channels-last as [1, 3, 85, ny, nx]. */
    view head = view_nhwc(DTYPE_F32, DIMS(1, 255, 20, 21), 256), out;
    assert_true(view_reshape(&head, 5, DIMS(1, 3, 85, 20, 21), &out));
    assert_int_equal(out.stride[1], 85);
    assert_int_equal(out.stride[2], 1);
    assert_int_equal(out.stride[3], 21 * 256);
    assert_int_equal(out.stride[4], 256);
    assert_true(view_reshape(&head, 3, DIMS(1, 255, 420), &out)); /* pixels are one run */
    assert_int_equal(out.stride[2], 256);
    assert_false(view_reshape(&head, 1, DIMS(255 * 420), &out));
    assert_false(view_reshape(&head, 2, DIMS(510, 210), &out));
    view dense = view_dense(DTYPE_F32, 3, DIMS(4, 6, 5));
    assert_true(view_reshape(&dense, 4, DIMS(1, 8, 15, 1), &out));
    assert_true(view_is_dense(&out));
    view scalar = view_dense(DTYPE_F32, 0, NULL);
    assert_true(view_reshape(&scalar, 2, DIMS(1, 1), &out));
}

static void coalescing_keeps_the_elements(void **state)
{
    (void)state;
    view v[2] = {view_dense(DTYPE_F32, 4, DIMS(2, 3, 4, 5)),
                 view_dense(DTYPE_F32, 4, DIMS(2, 3, 4, 5))};
    view_coalesce(v, 2);
    assert_int_equal(v[0].rank, 1);
    assert_int_equal(v[1].dim[0], 120);
    v[0] = view_nhwc(DTYPE_F32, DIMS(2, 3, 4, 5), 8);
    v[1] = view_nhwc(DTYPE_F32, DIMS(2, 3, 4, 5), 3);
    view_coalesce(v, 2);
    assert_int_equal(v[0].rank, 2);
    assert_int_equal(v[0].dim[0], 40);
    assert_int_equal(v[0].stride[0], 8);
    assert_int_equal(v[0].dim[1], 3);
    v[0] = v[1] = view_dense(DTYPE_F32, 0, NULL);
    view_coalesce(v, 2);
    assert_int_equal(v[0].rank, 1);
    assert_int_equal(v[0].dim[0], 1);
}

static void numbers_are_stored_as_their_type(void **state)
{
    (void)state;
    static const struct {
        dtype type;
        double in, out;
    } cases[] = {
        {DTYPE_I8, 127.9, 127},      {DTYPE_I8, -1000, -128},       {DTYPE_U8, -3, 0},
        {DTYPE_U8, NAN, 0},          {DTYPE_I32, 3e9, 2147483647},  {DTYPE_I32, -2.9, -2},
        {DTYPE_F32, 0.1, 0.1f},      {DTYPE_BOOL, 0.5, 1},          {DTYPE_F16, 65504, 65504},
        {DTYPE_I64, 0x1p52, 0x1p52}, {DTYPE_BF16, 1.00390625, 1.0}, {DTYPE_U16, 70000, 65535},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char room[8];
        view_store(room, cases[i].type, cases[i].in);
        assert_true(view_load(room, cases[i].type) == cases[i].out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_are_recognised),
        cmocka_unit_test(broadcasting_is_numpys),
        cmocka_unit_test(reshaping_needs_no_copy_where_runs_stay_whole),
        cmocka_unit_test(coalescing_keeps_the_elements),
        cmocka_unit_test(numbers_are_stored_as_their_type),
    };
    return cmocka_run_group_tests_name("strided_view", tests, NULL, NULL);
}
