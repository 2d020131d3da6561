/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/race.h"
#include "test.h"

static race_unit unit_of(int n, const double *changes, double harm)
{
    race_unit u = {0};
    for (int i = 0; i < n; i++) {
        race_sample s = {.change = changes[i], .harm = harm, .noise = 1, .signal = 100};
        race_add(&u, &s);
    }
    return u;
}

static const race_rules RULES = {.is_only = true, .n_images = 100, .top = 1, .confidence = 0.95};

/* Every image says the same: 100 images lose 100 times that, and nothing is open. */
static void what_all_images_say_is_settled(void **state)
{
    (void)state;
    static const double lost[] = {-0.001, -0.001, -0.001, -0.001}, none[] = {0, 0, 0, 0};
    race_unit units[] = {unit_of(4, none, 1), unit_of(4, lost, 1)}, whole = {.n = 4};
    race_verdict v[2];
    race_judge(units, 2, &whole, &RULES, v);
    assert_true(fabs(v[1].drop - 0.1) < 1e-9 && v[0].drop == 0);
    assert_true(v[0].is_clear && v[1].is_clear);
    assert_true(race_compare(&v[1], &v[0]) < 0);
}

/* Changes that cancel: no order in them, so the one that moves the answers more comes first, and
 * the intervals say that nothing is known. The standard error of 100 x the mean of -0.01, 0.01,
 * -0.01, 0.01 is 100 x 0.01155 / 2 = 0.577; 1.96 of them are 1.13. */
static void noise_decides_nothing(void **state)
{
    (void)state;
    static const double noise[] = {-0.01, 0.01, -0.01, 0.01};
    race_unit units[] = {unit_of(4, noise, 1), unit_of(4, noise, 2), unit_of(4, noise, 1)};
    race_unit whole = unit_of(4, noise, 5);
    race_verdict v[3];
    race_judge(units, 3, &whole, &RULES, v);
    assert_true(race_compare(&v[1], &v[0]) < 0 && race_compare(&v[1], &v[2]) < 0);
    for (int i = 0; i < 3; i++) {
        assert_false(v[i].is_clear);
        assert_true(v[i].low <= v[i].drop && v[i].drop <= v[i].high);
        assert_true(v[i].high > 0.9 && v[i].high < 1.5);
    }
}

/* When single units tell nothing, the network as a whole says what a movement costs. */
static void the_whole_network_gives_the_law(void **state)
{
    (void)state;
    static const double noise[] = {-0.01, 0.01, -0.01, 0.01};
    static const double all[] = {-0.0101, -0.0099, -0.0101, -0.0099};
    race_unit units[] = {unit_of(4, noise, 1), unit_of(4, noise, 3)};
    race_unit whole = unit_of(4, all, 10);
    race_verdict v[2];
    race_judge(units, 2, &whole, &RULES, v);
    /* 100 x 0.01 for a movement of 10 */
    assert_true(fabs(v[0].drop - 0.1) < 0.01 && fabs(v[1].drop - 0.3) < 0.03);
}

static void noise_is_told_in_decibels(void **state)
{
    (void)state;
    static const double none[] = {0, 0, 0};
    race_rules rules = RULES;
    rules.is_sqnr = true;
    race_unit units[] = {unit_of(3, none, 1), unit_of(3, none, 1)}, whole = {.n = 3};
    race_sample louder = {.noise = 10, .signal = 100};
    race_add(&units[1], &louder); /* 13 of 400 */
    race_verdict v[2];
    race_judge(units, 2, &whole, &rules, v);
    assert_true(fabs(v[0].drop - (200 - 20)) < 1e-9);
    assert_true(fabs(v[1].drop - (200 - 10 * log10(400.0 / 13))) < 1e-9);
    assert_true(v[0].low == v[0].high && v[1].low < v[1].drop);
    assert_true(race_sqnr(1, 0) == 200 && race_sqnr(0, 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_all_images_say_is_settled),
        cmocka_unit_test(noise_decides_nothing),
        cmocka_unit_test(the_whole_network_gives_the_law),
        cmocka_unit_test(noise_is_told_in_decibels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
