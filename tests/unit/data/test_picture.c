/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <jansson.h>

#include "base/mem.h"
#include "data/picture.h"
#include "formats/npy.h"

static void assert_planes(const unsigned char *got, const char *want_name, int height, int width)
{
    ptq_error err;
    char path[512];
    npy_array want;
    assert_ok(npy_read(test_shared(want_name, path), 0, &want, &err));
    assert_int_equal(want.rank, 3);
    assert_int_equal(want.dims[1], height);
    assert_int_equal(want.dims[2], width);
    assert_memory_equal(got, want.data, want.count);
    npy_clear(&want);
}

static void assert_letterboxed(const char *picture, picture_target target, const char *want)
{
    ptq_error err;
    char path[512];
    placement place;
    unsigned char *planes = malloc((size_t)target.height * (size_t)target.width * 3);
    assert_non_null(planes);
    assert_ok(picture_load(test_shared(picture, path), &target, planes, &place, &err));
    assert_planes(planes, want, target.height, target.width);
    free(planes);
}

/* Expected: recorded inputs of the original evaluation; sizes from golden/images.json. */
static void rectangles_equal_the_golden_ones(void **state)
{
    (void)state;
    assert_letterboxed("shapes/images/val2017/000000000316.jpg",
                       (picture_target){.size = 320, .height = 288, .width = 352},
                       "shapes/golden/preproc/000000000316_320_chw_rgb_u8.npy");
    assert_letterboxed("shapes/images/val2017/000000000316.jpg",
                       (picture_target){.size = 640, .height = 544, .width = 672},
                       "shapes/golden/preproc/000000000316_640_chw_rgb_u8.npy");
    assert_letterboxed("shapes/images/val2017/000000000187.jpg",
                       (picture_target){.size = 320, .height = 256, .width = 352},
                       "shapes/golden/img0_u8.npy");
    assert_letterboxed("shapes/images/val2017/000000000187.jpg",
                       (picture_target){.size = 320, .height = 256, .width = 352},
                       "shapes-tiny/golden/img0_u8.npy");
    assert_letterboxed("yolov5n/cocoval/images/000000417285.jpg",
                       (picture_target){.size = 640, .height = 352, .width = 672},
                       "yolov5n/golden/wide_u8.npy");
}

static void assert_square(const char *picture, int size, const char *want_name)
{
    ptq_error err;
    char path[512];
    placement place;
    float *images;
    npy_array want;
    assert_ok(load_image_square(test_shared(picture, path), size, &(picture_form){0}, &images,
                                &place, &err));
    assert_ok(npy_read(test_shared(want_name, path), 0, &want, &err));
    assert_int_equal(want.count, 3 * size * size);
    for (size_t i = 0; i < want.count; i++)
        if (images[i] != (float)((unsigned char *)want.data)[i] / 255.f)
            fail_msg("'%s': value %zu is %g", want_name, i, (double)images[i]);
    npy_clear(&want);
    mem_free(images);
}

static void squares_equal_the_golden_ones(void **state)
{
    (void)state;
    assert_square("yolov5n/cocoval/images/000000417285.jpg", 640, "yolov5n/golden/wide640_u8.npy");
    assert_square("yolov5n/cocoval/images/000000001584.jpg", 640, "yolov5n/golden/square_u8.npy");
    assert_square("shapes/images/val2017/000000000187.jpg", 320, "shapes/golden/square320_u8.npy");
    assert_square("shapes/images/val2017/000000000187.jpg", 320,
                  "shapes-tiny/golden/square320_u8.npy");
    assert_square("shapes/images/val2017/000000004022.jpg", 640, "shapes/golden/img2_u8.npy");
}

static double number(const json_t *object, const char *key, size_t i)
{
    return json_number_value(json_array_get(json_object_get(object, key), i));
}

static void recorded_placements_are_equal(void **state)
{
    (void)state;
    ptq_error err;
    char path[512], name[128];
    json_t *list = json_load_file(test_shared("shapes/golden/preproc/info.json", path), 0, NULL);
    unsigned char *planes = malloc(672 * 672 * 3);
    assert_non_null(planes);
    assert_int_equal(json_array_size(list), 30);
    for (size_t i = 0; i < 30; i++) {
        const json_t *r = json_array_get(list, i);
        snprintf(name, sizeof name, "shapes/images/val2017/%s",
                 json_string_value(json_object_get(r, "file")));
        picture_target target = {.size = (int)json_integer_value(json_object_get(r, "img_size")),
                                 .height = (int)number(r, "batch_shape", 0),
                                 .width = (int)number(r, "batch_shape", 1)};
        placement p;
        assert_ok(picture_load(test_shared(name, path), &target, planes, &p, &err));
        assert_int_equal(p.height0, number(r, "h0w0", 0));
        assert_int_equal(p.width0, number(r, "h0w0", 1));
        assert_int_equal(p.height, number(r, "hw", 0));
        assert_int_equal(p.width, number(r, "hw", 1));
        assert_float_equal(p.ratio_h, number(r, "ratio", 0), 0);
        assert_float_equal(p.ratio_w, number(r, "ratio", 1), 0);
        assert_float_equal(p.pad_x, number(r, "pad", 0), 0);
        assert_float_equal(p.pad_y, number(r, "pad", 1), 0);
    }
    free(planes);
    json_decref(list);
}

/* An upright picture of 12 x 16 and the same one lying on its side, with EXIF orientation 6. */
static void turned_pictures_are_placed_upright(void **state)
{
    (void)state;
    ptq_error err;
    placement p;
    float *images;
    assert_ok(load_image_square("tests/golden/images/exif6.jpg", 24, &(picture_form){0}, &images,
                                &p, &err));
    assert_int_equal(p.height0, 16);
    assert_int_equal(p.width0, 12);
    assert_int_equal(p.height, 24);
    assert_int_equal(p.width, 18);
    assert_float_equal(p.pad_x, 3, 0);
    assert_float_equal(images[0], 114 / 255.f, 0);
    mem_free(images);
}

static void bytes_become_fractions_by_division(void **state)
{
    (void)state;
    unsigned char bytes[256];
    float values[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)i;
    picture_to_float(bytes, 256, &(picture_form){0}, values);
    for (int i = 0; i < 256; i++)
        assert_true(values[i] == (float)i / 255.f);
}

static void broken_pictures_are_named(void **state)
{
    (void)state;
    ptq_error err;
    placement p;
    float *images;
    assert_status(
        load_image_square("/no/such/picture.jpg", 64, &(picture_form){0}, &images, &p, &err),
        PTQ_IO);
    assert_non_null(strstr(err.message, "/no/such/picture.jpg"));
    assert_status(load_image_square("LICENSE", 64, &(picture_form){0}, &images, &p, &err),
                  PTQ_DATA);
    assert_status(
        load_image_square("tests/golden/images/rgba.png", 0, &(picture_form){0}, &images, &p, &err),
        PTQ_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rectangles_equal_the_golden_ones),
        cmocka_unit_test(squares_equal_the_golden_ones),
        cmocka_unit_test(recorded_placements_are_equal),
        cmocka_unit_test(turned_pictures_are_placed_upright),
        cmocka_unit_test(bytes_become_fractions_by_division),
        cmocka_unit_test(broken_pictures_are_named),
    };
    return cmocka_run_group_tests_name("picture", tests, NULL, NULL);
}
