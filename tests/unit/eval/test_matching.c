/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "eval/matching.h"

enum { ALL = (1 << N_OVERLAPS) - 1 };

static void run(const detection *dets, int n_dets, const truth_box *truths, int n_truths,
                uint16_t *correct)
{
    unsigned char taken[16];
    memset(taken, 1, sizeof taken);
    assert_true(n_truths <= 16);
    match_detections(&(match_input){dets, n_dets, truths, n_truths, taken}, correct);
}

/* Two labels of 10 x 10 that overlap by 8 of 12 columns (IoU 2/3): the second detection's best
 * label is taken by the first, and it does not get the other one. By hand, after test.py. */
static void a_taken_label_gives_no_second_choice(void **state)
{
    (void)state;
    truth_box truths[] = {{0, 0, 10, 10, 1}, {2, 0, 12, 10, 1}};
    detection dets[] = {
        {0.25f, 0, 10.25f, 10, 0.9f, 1}, /* IoU 9.75 / 10.25 = 0.951 with the first */
        {0, 0, 10, 10, 0.8f, 1},         /* IoU 1 with the first, 2/3 with the second */
        {2, 0, 12, 10, 0.7f, 1},         /* IoU 1 with the second */
        {2, 0, 12, 10, 0.6f, 2},         /* no label of this class */
    };
    uint16_t correct[4];
    run(dets, 4, truths, 2, correct);
    assert_int_equal(correct[0], ALL);
    assert_int_equal(correct[1], 0);
    assert_int_equal(correct[2], ALL);
    assert_int_equal(correct[3], 0);
}

/* Thresholds are exclusive: IoU of exactly 0.5 is wrong, of exactly 0.75 right up to 0.70. */
static void thresholds_are_exclusive(void **state)
{
    (void)state;
    truth_box truths[] = {{0, 0, 8, 8, 0}, {100, 0, 108, 8, 0}};
    detection dets[] = {{0, 0, 8, 4, 0.9f, 0}, {100, 0, 108, 6, 0.8f, 0}};
    uint16_t correct[2];
    run(dets, 2, truths, 2, correct);
    assert_int_equal(correct[0], 0);
    assert_int_equal(correct[1], 0x1f);
}

static void empty_boxes_match_nothing(void **state)
{
    (void)state;
    truth_box truths[] = {{5, 5, 5, 5, 0}, {0, 0, 4, 4, 0}};
    detection dets[] = {{5, 5, 5, 5, 0.9f, 0}, {0, 0, 4, 4, 0.5f, 0}, {NAN, 0, 4, 4, 0.4f, 0}};
    uint16_t correct[3] = {9, 9, 9};
    run(dets, 3, truths, 2, correct);
    assert_int_equal(correct[0], 0);
    assert_int_equal(correct[1], ALL);
    assert_int_equal(correct[2], 0);
    run(dets, 3, truths, 0, correct);
    assert_int_equal(correct[1], 0);
    run(dets, 0, truths, 2, correct);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_taken_label_gives_no_second_choice),
        cmocka_unit_test(thresholds_are_exclusive),
        cmocka_unit_test(empty_boxes_match_nothing),
    };
    return cmocka_run_group_tests_name("matching", tests, NULL, NULL);
}
