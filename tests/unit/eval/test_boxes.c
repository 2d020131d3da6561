/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "eval/boxes.h"
#include "golden.h"

/* The image 000000000187.jpg of the shapes set at 320: 459 x 344 resized to 320 x 239, placed in
 * 352 x 256. */
static const placement PLACE = {
    .height0 = 344,
    .width0 = 459,
    .height = 239,
    .width = 320,
    .ratio_h = 239.0 / 344.0,
    .ratio_w = 320.0 / 459.0,
    .pad_x = 16.0,
    .pad_y = 8.5,
};

/* 640 x 480 in 640 x 640, not resized. */
static const placement SQUARE = {
    .height0 = 480, .width0 = 640, .ratio_h = 1, .ratio_w = 1, .pad_x = 0, .pad_y = 80};

/* Expected: the steps of YOLOv7's loader and test.py written in numpy 1.24, float32 arrays. */
static void labels_take_the_originals_roundings(void **state)
{
    (void)state;
    label labels[] = {{3, 0.552288f, 0.710756f, 0.128540f, 0.174419f},
                      {5, 0.01f, 0.98f, 0.05f, 0.1f}};
    static const float want[2][4] = {
        {0x1.c18c5ap+7f, 0x1.acfffep+7f, 0x1.1bfa54p+8f, 0x1.12800ap+8f},
        {0, 0x1.3feb86p+8f, 0x1.01ed96p+4f, 344},
    };
    truth_box out[2];
    boxes_of_labels(labels, 2, &PLACE, 352, 256, out);
    for (int i = 0; i < 2; i++) {
        assert_memory_equal(&out[i], want[i], sizeof want[i]);
        assert_int_equal(out[i].cls, labels[i].cls);
    }
}

/* Expected: YOLOv7's scale_coords on the same rows, exactly. */
static void golden_detections_return_to_the_image(void **state)
{
    (void)state;
    const struct {
        const char *name;
        const placement *place;
    } cases[] = {
        {"shapes/golden/img0", &PLACE},
        {"shapes/golden/img2", &SQUARE},
    };
    for (int c = 0; c < 2; c++) {
        char name[64], path[512];
        int rank;
        int64_t dims[8];
        size_t count;
        snprintf(name, sizeof name, "%s_nms.npy", cases[c].name);
        float *rows = test_npy(test_shared(name, path), &rank, dims, &count);
        snprintf(name, sizeof name, "%s_nms_native.npy", cases[c].name);
        float *want = test_npy(test_shared(name, path), &rank, dims, &count);
        for (int64_t i = 0; i < dims[0]; i++) {
            detection d = {.score = rows[6 * i + 4]};
            memcpy(&d, rows + 6 * i, 4 * sizeof(float));
            boxes_to_image(&d, 1, cases[c].place);
            assert_memory_equal(&d, want + 6 * i, 4 * sizeof(float));
        }
        free(rows);
        free(want);
    }
}

static void overlap_is_over_the_union(void **state)
{
    (void)state;
    detection a = {0, 0, 10, 10, 1, 0};
    truth_box b = {5, 0, 15, 10, 0}, far = {20, 20, 30, 30, 0};
    assert_float_equal(boxes_iou(&a, &b), 1.0f / 3.0f, 0);
    assert_float_equal(boxes_iou(&a, &far), 0, 0);
    detection nothing = {5, 5, 5, 5, 1, 0};
    truth_box none = {5, 5, 5, 5, 0};
    assert_true(isnan(boxes_iou(&nothing, &none)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_take_the_originals_roundings),
        cmocka_unit_test(golden_detections_return_to_the_image),
        cmocka_unit_test(overlap_is_over_the_union),
    };
    return cmocka_run_group_tests_name("boxes", tests, NULL, NULL);
}
