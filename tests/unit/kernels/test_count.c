/* SPDX-License-Identifier: Apache-2.0 */
/* Counting of magnitudes: every instruction set against the reference. */
#include "test.h"

#include "kernels/count.h"

enum { N_BINS = 64, MOST = 1300 };

static void fill(test_rng *rng, float *x, size_t n, float largest)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(test_uniform(rng) * 2 - 1) * largest;
        if (test_uniform(rng) < 0.3)
            x[i] = 0; /* equal neighbours, as after ReLU */
    }
}

static void sum_lanes(const uint32_t *lanes, uint32_t *sums)
{
    for (int i = 0; i < N_BINS; i++) {
        sums[i] = 0;
        for (int lane = 0; lane < COUNT_LANES; lane++)
            sums[i] += lanes[lane * N_BINS + i];
    }
}

static void implementations_agree(void **state)
{
    (void)state;
    test_rng rng = {21};
    count_kernel ref = count_choose(CPU_REF);
    float x[MOST + 1];
    for (int level = CPU_REF + 1; level <= (int)cpu_best(); level++)
        for (size_t n = 0; n <= MOST; n += n < 40 ? 1 : 139) {
            uint32_t lanes[2][COUNT_LANES * N_BINS] = {{0}}, sums[2][N_BINS];
            count_kernel k = count_choose((cpu_level)level);
            fill(&rng, x + 1, n, 15.99f); /* not aligned */
            count_extent a = ref.extent(x + 1, n), b = k.extent(x + 1, n);
            assert_int_equal(a.high, b.high);
            assert_int_equal(a.low, b.low);
            count_extent seen[2] = {{0, 0}, {0, 0}};
            assert_int_equal(ref.magnitudes(lanes[0], N_BINS, 4, x + 1, n, &seen[0]), n);
            assert_int_equal(k.magnitudes(lanes[1], N_BINS, 4, x + 1, n, &seen[1]), n);
            assert_memory_equal(&seen[0], &a, sizeof a);
            assert_memory_equal(&seen[1], &a, sizeof a);
            sum_lanes(lanes[0], sums[0]);
            sum_lanes(lanes[1], sums[1]);
            assert_memory_equal(sums[0], sums[1], sizeof sums[0]);
        }
}

/* Worked by hand. */
static void counts_are_right(void **state)
{
    (void)state;
    const float x[] = {0, -0.25f, 0.5f, -3.75f, 3.5f};
    uint32_t lanes[COUNT_LANES * N_BINS] = {0}, sums[N_BINS];
    count_kernel k = count_choose(cpu_best());
    count_extent e = k.extent(x, 5);
    float high = 3.5f, low = 3.75f;
    assert_memory_equal(&e.high, &high, sizeof high);
    assert_memory_equal(&e.low, &low, sizeof low);
    count_extent seen = {0, 0};
    assert_int_equal(k.magnitudes(lanes, N_BINS, 2, x, 5, &seen), 5);
    sum_lanes(lanes, sums);
    assert_int_equal(sums[0], 2);
    assert_int_equal(sums[1], 1);
    assert_int_equal(sums[7], 2);
}

/* What has no bin ends the counting, at most a block before it; what was seen tells of it. */
static void values_without_a_bin_end_it(void **state)
{
    (void)state;
    static const float odd[] = {16, -16, 1e30f, INFINITY, -INFINITY, NAN};
    test_rng rng = {22};
    float x[MOST];
    for (int level = CPU_REF; level <= (int)cpu_best(); level++)
        for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
            for (size_t at = 0; at < MOST; at += 117) {
                uint32_t lanes[COUNT_LANES * N_BINS] = {0}, sums[N_BINS];
                count_kernel k = count_choose((cpu_level)level);
                count_extent seen = {0, 0};
                size_t sum = 0;
                fill(&rng, x, MOST, 15.99f);
                x[at] = odd[i];
                size_t n = k.magnitudes(lanes, N_BINS, 4, x, MOST, &seen);
                sum_lanes(lanes, sums);
                for (int b = 0; b < N_BINS; b++)
                    sum += sums[b];
                assert_int_equal(sum, n);
                assert_true(n <= at && at - n < 512);
                assert_true(seen.high >= 0x41800000 || seen.low >= 0x41800000); /* 16 */
            }
}

static void not_finite_comes_out_on_top(void **state)
{
    (void)state;
    const float x[] = {1, -INFINITY, NAN};
    for (int level = CPU_REF; level <= (int)cpu_best(); level++) {
        count_kernel k = count_choose((cpu_level)level);
        assert_true(k.extent(x, 2).low >= 0x7f800000);
        assert_true(k.extent(x + 2, 1).high >= 0x7f800000 || k.extent(x + 2, 1).low >= 0x7f800000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(implementations_agree),
        cmocka_unit_test(counts_are_right),
        cmocka_unit_test(values_without_a_bin_end_it),
        cmocka_unit_test(not_finite_comes_out_on_top),
    };
    return cmocka_run_group_tests_name("count", tests, NULL, NULL);
}
