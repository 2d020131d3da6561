/* SPDX-License-Identifier: Apache-2.0 */
/* Counts worked by hand after the rules of YOLOv7's ConfusionMatrix.process_batch. */
#include "test.h"

#include "eval/confusion.h"

static ptq_error err;

enum { N = 3, NOTHING = N };

static int at(const confusion *c, int truth, int found)
{
    return c->counts[truth * (N + 1) + found];
}

static int total(const confusion *c)
{
    int sum = 0;
    for (int i = 0; i < (N + 1) * (N + 1); i++)
        sum += c->counts[i];
    return sum;
}

static void every_kind_of_error_has_its_cell(void **state)
{
    (void)state;
    confusion c;
    truth_box truths[] = {{0, 0, 10, 10, 0}, {20, 0, 30, 10, 1}, {40, 0, 50, 10, 2}};
    detection dets[] = {
        {0, 0, 10, 10, 0.9f, 0},   /* right */
        {20, 0, 30, 10, 0.8f, 2},  /* class 1 taken for 2 */
        {70, 0, 80, 10, 0.7f, 1},  /* nothing is there */
        {40, 0, 50, 10, 0.25f, 2}, /* not above the score: the label is missed */
    };
    assert_ok(confusion_create(N, &c, &err));
    assert_ok(confusion_add(&c, dets, 4, truths, 3, &err));
    assert_int_equal(at(&c, 0, 0), 1);
    assert_int_equal(at(&c, 1, 2), 1);
    assert_int_equal(at(&c, NOTHING, 1), 1);
    assert_int_equal(at(&c, 2, NOTHING), 1);
    assert_int_equal(total(&c), 4);
    confusion_clear(&c);
}

/* Of two on one label the larger overlap wins, whatever the score; the other is a false alarm. */
static void a_label_has_one_detection(void **state)
{
    (void)state;
    confusion c;
    truth_box truth = {0, 0, 10, 10, 1};
    detection dets[] = {{0, 0, 10, 8, 0.9f, 0}, {0, 0, 10, 10, 0.5f, 1}};
    assert_ok(confusion_create(N, &c, &err));
    assert_ok(confusion_add(&c, dets, 2, &truth, 1, &err));
    assert_int_equal(at(&c, 1, 1), 1);
    assert_int_equal(at(&c, NOTHING, 0), 1);
    assert_int_equal(total(&c), 2);
    confusion_clear(&c);
}

/* IoU 0.4 is below the threshold, 0.5 above. */
static void overlap_counts_above_the_threshold(void **state)
{
    (void)state;
    confusion c;
    truth_box truths[] = {{0, 0, 10, 10, 0}, {20, 0, 30, 10, 0}};
    detection dets[] = {{0, 0, 10, 4, 0.9f, 0}, {20, 0, 30, 5, 0.8f, 0}};
    assert_ok(confusion_create(N, &c, &err));
    assert_ok(confusion_add(&c, dets, 2, truths, 2, &err));
    assert_int_equal(at(&c, 0, NOTHING), 1);
    assert_int_equal(at(&c, NOTHING, 0), 1);
    assert_int_equal(at(&c, 0, 0), 1);
    confusion_clear(&c);
}

/* Records of two images, of which the labels are fractions of the picture. */
static void records_are_added_image_by_image(void **state)
{
    (void)state;
    confusion c;
    label labels[] = {{2, 0.5f, 0.5f, 0.5f, 0.5f}};
    image_item items[] = {{.width = 100, .height = 40},
                          {.width = 100, .height = 40, .labels = labels, .n_labels = 1}};
    dataset d = {.n_classes = N, .items = items, .n_items = 2};
    detection dets[] = {{25, 10, 75, 30, 0.9f, 2}, {0, 0, 5, 5, 0.9f, 1}};
    image_record images[] = {{.item = 1, .n_dets = 1}, {.item = 0, .n_dets = 1, .first_det = 1}};
    eval_records r = {.images = images, .n_images = 2, .dets = dets, .n_dets = 2};
    assert_ok(confusion_of_records(&d, &r, &c, &err));
    assert_int_equal(at(&c, 2, 2), 1);
    assert_int_equal(at(&c, NOTHING, 1), 1);
    assert_int_equal(total(&c), 2);
    confusion_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_error_has_its_cell),
        cmocka_unit_test(a_label_has_one_detection),
        cmocka_unit_test(overlap_counts_above_the_threshold),
        cmocka_unit_test(records_are_added_image_by_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
