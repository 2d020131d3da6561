/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/ap.h"
#include "quant/draw.h"
#include "quant/map_resample.h"
#include "test.h"

static ptq_error err;

enum { N_IMAGES = 12, DETS = 40, TRUTHS = 6, CLASSES = 5 };

typedef struct fixture {
    image_record images[N_IMAGES];
    detection dets[N_IMAGES * DETS];
    uint16_t correct[N_IMAGES * DETS];
    int truths[N_IMAGES * TRUTHS];
    eval_records records;
} fixture;

static int by_score(const void *a, const void *b)
{
    float x = ((const detection *)a)->score;
    float y = ((const detection *)b)->score;
    return x > y ? -1 : x < y;
}

/* Random detections, the surer the more often right; class 4 is detected but never labelled. */
static void fill(fixture *f, uint64_t seed)
{
    test_rng rng = {seed};
    for (int i = 0; i < N_IMAGES; i++) {
        f->images[i] = (image_record){i, DETS, TRUTHS, (size_t)i * DETS, (size_t)i * TRUTHS};
        detection *dets = &f->dets[i * DETS];
        for (int d = 0; d < DETS; d++)
            dets[d] = (detection){.score = (float)test_uniform(&rng),
                                  .cls = (int)(test_uniform(&rng) * CLASSES)};
        qsort(dets, DETS, sizeof *dets, by_score);
        for (int d = 0; d < DETS; d++) {
            bool right = test_uniform(&rng) < 0.4 * (double)dets[d].score;
            f->correct[i * DETS + d] =
                (uint16_t)(right ? (1 << (1 + (int)(test_uniform(&rng) * 10))) - 1 : 0);
        }
        for (int t = 0; t < TRUTHS; t++)
            f->truths[i * TRUTHS + t] = (int)(test_uniform(&rng) * (CLASSES - 1));
    }
    f->records = (eval_records){.images = f->images,
                                .dets = f->dets,
                                .correct = f->correct,
                                .truths = f->truths,
                                .n_images = N_IMAGES,
                                .n_dets = (size_t)N_IMAGES * DETS,
                                .n_truths = (size_t)N_IMAGES * TRUTHS};
}

/* The metric of `ptq eval`, which is tested against the official code's numbers. */
static double reference_map(const detection *dets, const uint16_t *correct, size_t n_dets,
                            const int *truths, size_t n_truths)
{
    ap_input in = {
        .dets = dets, .correct = correct, .n_dets = n_dets, .truths = truths, .n_truths = n_truths};
    ap_result out;
    assert_ok(ap_compute(&in, &out, &err));
    double map = out.map50_95;
    ap_result_clear(&out);
    return map;
}

static void weights_of_one_give_the_metric(void **state)
{
    (void)state;
    fixture f;
    int ones[N_IMAGES];
    for (int i = 0; i < N_IMAGES; i++)
        ones[i] = 1;
    for (uint64_t seed = 1; seed < 20; seed++) {
        fill(&f, seed);
        double got;
        assert_ok(map_weighted(&f.records, ones, &got, &err));
        double want =
            reference_map(f.dets, f.correct, f.records.n_dets, f.truths, f.records.n_truths);
        assert_true(want > 0.01);
        assert_true(fabs(got - want) < 1e-12);
    }
}

static void weights_of_zero_leave_images_out(void **state)
{
    (void)state;
    fixture f;
    fill(&f, 3);
    int weights[N_IMAGES] = {1, 1, 1, 1, 1, 1, 1};
    double got;
    assert_ok(map_weighted(&f.records, weights, &got, &err));
    double want = reference_map(f.dets, f.correct, (size_t)7 * DETS, f.truths, (size_t)7 * TRUTHS);
    assert_true(fabs(got - want) < 1e-12);
}

static void draws_are_paired_and_repeatable(void **state)
{
    (void)state;
    fixture f;
    fill(&f, 4);
    double a[50];
    double b[50];
    assert_ok(map_resample(&f.records, 50, 1, a, &err));
    assert_ok(map_resample(&f.records, 50, 2, b, &err));
    assert_memory_equal(a, b, sizeof a);
    int weights[N_IMAGES];
    draw_weights(weights, N_IMAGES, 7);
    int sum = 0;
    for (int i = 0; i < N_IMAGES; i++)
        sum += weights[i];
    assert_int_equal(sum, N_IMAGES);
    double score;
    assert_ok(map_weighted(&f.records, weights, &score, &err));
    assert_true(score == a[7]);
    assert_true(a[7] != a[8]);
}

static void intervals_hold_the_middle(void **state)
{
    (void)state;
    double values[100];
    for (int i = 0; i < 100; i++)
        values[i] = (i * 37) % 100;
    interval t = resample_interval(values, 100, 0.9);
    assert_true(t.low > 3 && t.low < 6 && t.high > 93 && t.high < 96);
    double one = 5;
    t = resample_interval(&one, 1, 0.95);
    assert_true(t.low == 5 && t.high == 5);
    double two[2] = {2, 1};
    t = resample_interval(two, 2, 0.001);
    assert_true(t.low <= t.high);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_one_give_the_metric),
        cmocka_unit_test(weights_of_zero_leave_images_out),
        cmocka_unit_test(draws_are_paired_and_repeatable),
        cmocka_unit_test(intervals_hold_the_middle),
    };
    return cmocka_run_group_tests_name("map_resample", tests, NULL, NULL);
}
