/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <jansson.h>

#include "data/letterbox.h"

/* Expected: letterbox() of YOLOv7, recorded (new_shape, shape, result). */
static void borders_are_split_as_in_yolov7(void **state)
{
    (void)state;
    /* 640 x 480 into 640 x 640. */
    letterbox box = letterbox_fit(640, 480, &(letterbox_options){.width = 640, .height = 640});
    assert_int_equal(box.top, 80);
    assert_int_equal(box.left, 0);
    assert_float_equal(box.pad_y, 80, 0);
    /* 21 pixels of border: 10 at the left, 11 at the right. */
    box = letterbox_fit(300, 640, &(letterbox_options){.width = 321, .height = 640});
    assert_float_equal(box.pad_x, 10.5, 0);
    assert_int_equal(box.left, 10);
    assert_int_equal(box.width, 321);
    /* Not enlarged unless asked for; 375 * 1.28 = 480. */
    box = letterbox_fit(500, 375, &(letterbox_options){.width = 640, .height = 640});
    assert_int_equal(box.inner_width, 500);
    assert_int_equal(box.left, 70);
    box = letterbox_fit(500, 375,
                        &(letterbox_options){.width = 640, .height = 640, .scale_up = true});
    assert_int_equal(box.inner_width, 640);
    assert_int_equal(box.inner_height, 480);
    assert_float_equal(box.ratio, 1.28, 0);
    /* auto=True: 160 % 32 = 0, 166 % 32 = 6. */
    box = letterbox_fit(
        640, 474,
        &(letterbox_options){.width = 640, .height = 640, .scale_up = true, .stride = 32});
    assert_int_equal(box.height, 480);
    assert_int_equal(box.top, 3);
    /* 5 * 0.5 = 2.5 and 7 * 0.5 = 3.5: half to even. */
    box = letterbox_fit(5, 8, &(letterbox_options){.width = 9, .height = 4});
    assert_int_equal(box.inner_width, 2);
    box = letterbox_fit(7, 8, &(letterbox_options){.width = 9, .height = 4});
    assert_int_equal(box.inner_width, 4);
    /* A hair of a picture keeps one pixel. */
    box = letterbox_fit(10000, 1, &(letterbox_options){.width = 640, .height = 640});
    assert_int_equal(box.inner_height, 1);
}

static void planes_are_red_green_blue(void **state)
{
    (void)state;
    ptq_error err;
    unsigned char pixels[] = {1, 2, 3, 4, 5, 6}, planes[3 * 3 * 2];
    image two = {2, 1, pixels};
    letterbox box = letterbox_fit(2, 1, &(letterbox_options){.width = 3, .height = 2});
    assert_ok(letterbox_draw(&box, &two, planes, &err));
    /* Borders of one pixel: round(0.4) = 0 before, round(0.6) = 1 after. */
    static const unsigned char want[] = {1,   4,   114, 114, 114, 114, 2,   5,   114,
                                         114, 114, 114, 3,   6,   114, 114, 114, 114};
    assert_memory_equal(planes, want, sizeof want);
}

static void check_recorded(const json_t *r)
{
    const json_t *hw = json_object_get(r, "hw"), *shape = json_object_get(r, "batch_shape");
    const json_t *pad = json_object_get(r, "pad");
    letterbox_options options = {
        .width = (int)json_integer_value(json_array_get(shape, 1)),
        .height = (int)json_integer_value(json_array_get(shape, 0)),
    };
    int width = (int)json_integer_value(json_array_get(hw, 1));
    int height = (int)json_integer_value(json_array_get(hw, 0));
    letterbox box = letterbox_fit(width, height, &options);
    assert_int_equal(box.inner_width, width);
    assert_int_equal(box.inner_height, height);
    assert_int_equal(box.width, options.width);
    assert_int_equal(box.height, options.height);
    assert_float_equal(box.pad_x, json_real_value(json_array_get(pad, 0)), 0);
    assert_float_equal(box.pad_y, json_real_value(json_array_get(pad, 1)), 0);
}

static void recorded_borders_are_equal(void **state)
{
    (void)state;
    char path[512];
    json_t *list = json_load_file(test_shared("shapes/golden/preproc/info.json", path), 0, NULL);
    assert_int_equal(json_array_size(list), 30);
    for (size_t i = 0; i < json_array_size(list); i++)
        check_recorded(json_array_get(list, i));
    json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(borders_are_split_as_in_yolov7),
        cmocka_unit_test(planes_are_red_green_blue),
        cmocka_unit_test(recorded_borders_are_equal),
    };
    return cmocka_run_group_tests_name("letterbox", tests, NULL, NULL);
}
