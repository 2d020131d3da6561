/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "eval/fidelity.h"
#include "test.h"

static ptq_error err;

enum { EVERYWHERE = (1 << N_OVERLAPS) - 1 };

static eval_records records_of(image_record *image, detection *dets, uint16_t *correct, int n)
{
    *image = (image_record){.n_dets = n};
    return (eval_records){
        .images = image, .dets = dets, .correct = correct, .n_images = 1, .n_dets = (size_t)n};
}

/* The reference has two detections above 0.25; one below, which is no label. The other network
 * finds the first moved by 1 of 10 pixels (IoU 90 / 110 = 0.818: right up to 0.80, 7 of 10
 * overlaps) and the second with another class. */
static void detections_are_judged_by_the_others(void **state)
{
    (void)state;
    detection want[] = {
        {0, 0, 10, 10, 0.9f, 0}, {50, 50, 60, 60, 0.5f, 1}, {80, 80, 90, 90, 0.2f, 1}};
    detection got[] = {{1, 0, 11, 10, 0.8f, 0}, {50, 50, 60, 60, 0.6f, 0}};
    uint16_t correct_want[3], correct_got[2];
    image_record image_want, image_got;
    eval_records a = records_of(&image_want, want, correct_want, 3);
    eval_records b = records_of(&image_got, got, correct_got, 2);
    assert_ok(fidelity_judge(&a, &b, &err));
    assert_int_equal(b.n_truths, 2);
    assert_int_equal(b.images[0].n_truths, 2);
    assert_int_equal(correct_got[0], (1 << 7) - 1);
    assert_int_equal(correct_got[1], 0);
    mem_free(b.truths);
    assert_ok(fidelity_judge(&a, &a, &err)); /* itself */
    assert_int_equal(correct_want[0], EVERYWHERE);
    assert_int_equal(correct_want[1], EVERYWHERE);
    assert_int_equal(correct_want[2], 0);
    double map;
    assert_ok(records_map(&a, &map, &err));
    assert_true(map > 0.99);
    mem_free(a.truths);
}

static void other_images_are_refused(void **state)
{
    (void)state;
    detection one[] = {{0, 0, 10, 10, 0.9f, 0}};
    uint16_t correct[1];
    image_record x, y;
    eval_records a = records_of(&x, one, correct, 1);
    eval_records b = records_of(&y, one, correct, 1);
    y.item = 3;
    assert_status(fidelity_judge(&a, &b, &err), PTQ_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detections_are_judged_by_the_others),
        cmocka_unit_test(other_images_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
