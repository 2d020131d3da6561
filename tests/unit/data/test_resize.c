/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "data/resize.h"
#include "formats/npy.h"

/* A [height][width][3] array as a picture that borrows its values. */
static image borrow(const npy_array *a)
{
    assert_int_equal(a->dtype, NPY_U8);
    assert_int_equal(a->rank, 3);
    return (image){(int)a->dims[1], (int)a->dims[0], a->data};
}

static void assert_resized(const image *src, const char *want_path, resize_mode mode)
{
    ptq_error err;
    npy_array want;
    image got;
    assert_ok(npy_read(want_path, 0, &want, &err));
    assert_ok(image_resize(src, (int)want.dims[1], (int)want.dims[0], mode, &got, &err));
    for (size_t i = 0; i < want.count; i++)
        if (got.pixels[i] != ((unsigned char *)want.data)[i])
            fail_msg("'%s': value %zu is %d instead of %d", want_path, i, got.pixels[i],
                     ((unsigned char *)want.data)[i]);
    image_clear(&got);
    npy_clear(&want);
}

/* Expected: cv2.resize (tests/golden/resize/regenerate_resize.py). */
static void every_way_equals_opencv(void **state)
{
    (void)state;
    static const char *const sizes[] = {"26x18", "17x10", "10x7", "13x3", "1x9",
                                        "13x1",  "1x1",   "26x5", "5x20", "12x9"};
    static const char *const modes[] = {"linear", "area"};
    ptq_error err;
    char path[128];
    npy_array source;
    assert_ok(npy_read("tests/golden/resize/source.npy", 0, &source, &err));
    image src = borrow(&source);
    for (int m = 0; m < 2; m++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            snprintf(path, sizeof path, "tests/golden/resize/%s_%s.npy", modes[m], sizes[i]);
            assert_resized(&src, path, m ? RESIZE_AREA : RESIZE_LINEAR);
        }
    npy_clear(&source);
}

static void whole_blocks_equal_opencv(void **state)
{
    (void)state;
    static const char *const sizes[] = {"6x4", "4x4", "12x4"};
    static const char *const modes[] = {"linear", "area"};
    ptq_error err;
    char path[128];
    npy_array source;
    unsigned char even[8 * 12 * 3];
    assert_ok(npy_read("tests/golden/resize/source.npy", 0, &source, &err));
    for (int y = 0; y < 8; y++)
        memcpy(even + y * 36, (unsigned char *)source.data + y * 39, 36);
    image src = {12, 8, even};
    for (int m = 0; m < 2; m++)
        for (int i = 0; i < 3; i++) {
            snprintf(path, sizeof path, "tests/golden/resize/%s_even_%s.npy", modes[m], sizes[i]);
            assert_resized(&src, path, m ? RESIZE_AREA : RESIZE_LINEAR);
        }
    npy_clear(&source);
}

static void golden_resizes_are_equal(void **state)
{
    (void)state;
    static const char *const sizes[] = {"100x67",  "173x117", "173x60", "200x135", "346x234",
                                        "519x351", "57x39",   "60x200", "86x58"};
    static const char *const modes[] = {"linear", "area"};
    ptq_error err;
    char path[512], name[128];
    npy_array source;
    assert_ok(npy_read(test_shared("shapes/golden/preproc/rs_src.npy", path), 0, &source, &err));
    image src = borrow(&source);
    for (int m = 0; m < 2; m++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            snprintf(name, sizeof name, "shapes/golden/preproc/rs_%s_%s.npy", modes[m], sizes[i]);
            assert_resized(&src, test_shared(name, path), m ? RESIZE_AREA : RESIZE_LINEAR);
        }
    npy_clear(&source);
}

static void impossible_sizes_are_refused(void **state)
{
    (void)state;
    ptq_error err;
    unsigned char pixel[3] = {1, 2, 3};
    image src = {1, 1, pixel}, out;
    assert_status(image_resize(&src, 0, 4, RESIZE_AREA, &out, &err), PTQ_FORMAT);
    assert_status(image_resize(&src, 1 << 20, 1 << 20, RESIZE_AREA, &out, &err), PTQ_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_equals_opencv),
        cmocka_unit_test(whole_blocks_equal_opencv),
        cmocka_unit_test(golden_resizes_are_equal),
        cmocka_unit_test(impossible_sizes_are_refused),
    };
    return cmocka_run_group_tests_name("resize", tests, NULL, NULL);
}
