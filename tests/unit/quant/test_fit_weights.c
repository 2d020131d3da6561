/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/fit_weights.h"
#include "test.h"

static ptq_error err;

enum { SIZE = 2 };

typedef struct fixture {
    float xx[PATCH_SETS][SIZE * SIZE], ex[PATCH_SETS][SIZE * SIZE];
    double x[PATCH_SETS][SIZE], f[PATCH_SETS][SIZE], we[PATCH_SETS][1];
    patch_layer layer;
} fixture;

/* Sums over `n` patches (x1, x2) whose noise is e. The weight is needed for (W e)^2 alone. */
static void fill(fixture *t, const float (*x)[SIZE], const float (*e)[SIZE], int n,
                 const float *weight)
{
    *t = (fixture){.layer = {.size = SIZE, .rows = 1}};
    for (int set = 0; set < PATCH_SETS; set++) {
        for (int k = 0; k < n; k++) {
            double out = 0;
            for (int i = 0; i < SIZE; i++) {
                t->x[set][i] += (double)x[k][i];
                t->f[set][i] += (double)(x[k][i] - e[k][i]);
                out += (double)(weight[i] * e[k][i]);
                for (int j = 0; j < SIZE; j++) {
                    t->xx[set][i * SIZE + j] += j >= i ? x[k][i] * x[k][j] : 0;
                    t->ex[set][i * SIZE + j] += e[k][i] * x[k][j];
                }
            }
            t->we[set][0] += out * out;
        }
        t->layer.sums[set] =
            (patch_sums){n, t->xx[set], t->ex[set], t->x[set], t->f[set], t->we[set]};
    }
}

/* Two inputs that are always equal, 2 bits (codes -1, 0, 1), W = (1, 0.4): the output is 1.4 x.
 * Nearest codes with range 1 give 1 x: an error of 0.4^2 of the mean square, which is 2.5. With
 * range 0.7 the codes (1, 1) give exactly 1.4 x. */
static void errors_make_up_for_each_other(void **state)
{
    (void)state;
    static const float x[4][SIZE] = {{1, 1}, {2, 2}, {-1, -1}, {-2, -2}}, none[4][SIZE] = {{0}};
    static const float weight[SIZE] = {1, 0.4f}, amax[1] = {1};
    fixture t;
    fill(&t, x, none, 4, weight);
    fit_input in = {&t.layer, weight, amax, 1, 2, false};
    fitted_weights f;
    assert_ok(fit_weights(&in, &f, &err));
    assert_true(fabs(f.error_before - 0.4) < 1e-6);
    assert_true(f.error_after < 1e-6);
    assert_true(fabs((double)(f.weight[0] + f.weight[1]) - 1.4) < 1e-5);
    fitted_weights_clear(&f);
}

/* For float16 the same with range 0.75, the next of four bits: (1, 1) gives 1.5 x, off by 0.1^2 of
 * the mean square. */
static void scales_of_float16_files_have_four_bits(void **state)
{
    (void)state;
    static const float x[4][SIZE] = {{1, 1}, {2, 2}, {-1, -1}, {-2, -2}}, none[4][SIZE] = {{0}};
    static const float weight[SIZE] = {1, 0.4f}, amax[1] = {1};
    fixture t;
    fill(&t, x, none, 4, weight);
    fit_input in = {&t.layer, weight, amax, 1, 2, true};
    fitted_weights f;
    assert_ok(fit_weights(&in, &f, &err));
    assert_true(f.amax[0] == 0.75f && f.weight[0] == 0.75f && f.weight[1] == 0.75f);
    assert_true(fabs(f.error_after - 0.025) < 1e-6);
    fitted_weights_clear(&f);
}

/* A constant noise of the input is taken out by the bias: x = f + 0.5, W = (1, 1), so the output is
 * 1 too large. */
static void the_bias_takes_the_mean_error(void **state)
{
    (void)state;
    static const float x[4][SIZE] = {{1, 2}, {2, -1}, {-1, 1}, {-2, -2}};
    static const float half[4][SIZE] = {{0.5f, 0.5f}, {0.5f, 0.5f}, {0.5f, 0.5f}, {0.5f, 0.5f}};
    static const float weight[SIZE] = {1, 1}, amax[1] = {1};
    fixture t;
    fill(&t, x, half, 4, weight);
    fit_input in = {&t.layer, weight, amax, 1, 8, false};
    fitted_weights f;
    assert_ok(fit_weights(&in, &f, &err));
    assert_true(fabs((double)f.shift[0] + 1) < 0.02);
    assert_true(fabs(f.error_before - 1) < 1e-5);
    assert_true(f.error_after < 1e-3);
    fitted_weights_clear(&f);
}

/* Input 2 is noise alone (e = x). Without it the output would err less here, but what it carries
 * elsewhere would be lost: it keeps its weight, and there is nothing to gain. */
static void a_noisy_input_keeps_its_weight(void **state)
{
    (void)state;
    static const float x[4][SIZE] = {{3, 1}, {3, -1}, {-3, 1}, {-3, -1}};
    static const float e[4][SIZE] = {{0, 1}, {0, -1}, {0, 1}, {0, -1}};
    static const float weight[SIZE] = {1, 1}, amax[1] = {1};
    fixture t;
    fill(&t, x, e, 4, weight);
    fit_input in = {&t.layer, weight, amax, 1, 8, false};
    fitted_weights f;
    assert_ok(fit_weights(&in, &f, &err));
    assert_true(fabs((double)f.weight[0] - 1) < 0.01 && fabs((double)f.weight[1] - 1) < 0.01);
    assert_true(fabs(f.error_before - 1) < 1e-5 && fabs(f.error_after - 1) < 0.02);
    fitted_weights_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_make_up_for_each_other),
        cmocka_unit_test(scales_of_float16_files_have_four_bits),
        cmocka_unit_test(the_bias_takes_the_mean_error),
        cmocka_unit_test(a_noisy_input_keeps_its_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
