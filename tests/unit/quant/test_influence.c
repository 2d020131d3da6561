/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/influence.h"
#include "test.h"

static ptq_error err;

enum { RIGHT = (1 << N_OVERLAPS) - 1 };

/* One class, 4 labels; by score: right, wrong, right, wrong. Precisions 1, 1/2, 2/3, 1/2: the best
 * from each rank on is 1, 2/3, 2/3, 1/2. AP = (1 + 2/3) / 4. Worked by hand. */
static void one_more_detection_is_worth_the_derivative(void **state)
{
    (void)state;
    detection dets[] = {{.score = 0.9f}, {.score = 0.8f}, {.score = 0.7f}, {.score = 0.6f}};
    uint16_t correct[] = {RIGHT, 0, RIGHT, 0};
    int truths[] = {0, 0, 0, 0};
    image_record image = {.n_dets = 4, .n_truths = 4};
    eval_records r = {.images = &image,
                      .dets = dets,
                      .correct = correct,
                      .truths = truths,
                      .n_images = 1,
                      .n_dets = 4,
                      .n_truths = 4};
    influence *f;
    assert_ok(influence_create(&r, &f, &err));
    static const struct {
        float score;
        uint16_t correct;
        double worth;
    } cases[] = {
        {0.95f, 0, -(1 + 2.0 / 9) / 4},    /* before both: 1/1 and (2/3)/3 */
        {0.85f, 0, -(2.0 / 9) / 4},        /* before the second */
        {0.65f, 0, 0},                     /* behind both */
        {0.85f, RIGHT, (1 + 1.0 / 9) / 4}, /* found at precision 2/2, lifts 2/3 by (1/3)/3 */
        {0.5f, RIGHT, 0.6 / 4},            /* found at 3/5 */
        {0.5f, RIGHT >> 5, 0.3 / 4},       /* at half of the overlaps */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        detection d = {.score = cases[i].score};
        assert_true(fabs(influence_sum(f, &d, &cases[i].correct, 1) - cases[i].worth) < 1e-6);
    }
    detection other = {.score = 0.95f, .cls = 3}; /* no label of that class: not judged */
    assert_true(influence_sum(f, &other, &cases[0].correct, 1) == 0);
    influence_destroy(f);
}

static void without_labels_nothing_is_worth_anything(void **state)
{
    (void)state;
    eval_records none = {0};
    influence *f;
    assert_ok(influence_create(&none, &f, &err));
    detection d = {.score = 0.5f};
    uint16_t right = RIGHT;
    assert_true(influence_sum(f, &d, &right, 1) == 0);
    influence_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_more_detection_is_worth_the_derivative),
        cmocka_unit_test(without_labels_nothing_is_worth_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
