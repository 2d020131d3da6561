/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "quant/histogram.h"
#include "test.h"
#include "test_npz.h"

static ptq_error err;

static void add(histogram *h, int threads, const float *x, size_t n)
{
    histogram_pool *pool;
    assert_ok(histogram_pool_create(threads, cpu_best(), &pool, &err));
    value_rows rows = {x, 1, n, n};
    assert_ok(histogram_add(h, pool, &rows, &err));
    histogram_pool_destroy(pool);
}

static float *values(size_t n)
{
    test_rng rng = {5};
    float *x = malloc(n * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        double v = test_normal(&rng);
        x[i] = (float)(i % 7 == 0 ? 0 : i % 1000 == 1 ? v * 40 : v);
    }
    return x;
}

static void assert_same(const histogram *a, const histogram *b)
{
    assert_int_equal(a->n_values, b->n_values);
    assert_float_equal(a->max, b->max, 0);
    assert_true(a->low == b->low && a->high == b->high);
    assert_int_equal(a->exponent, b->exponent);
    assert_memory_equal(a->counts, b->counts, (size_t)a->n_bins * sizeof *a->counts);
}

/* By definition: bin = floor(|x| / 2^e) with the smallest e that fits the maximum. */
static void exact_counts_are_what_they_say(void **state)
{
    (void)state;
    enum { N = 20011 };
    float *x = values(N);
    histogram h;
    assert_ok(histogram_init(&h, false, &err));
    add(&h, 1, x, N);
    uint64_t *want = calloc(HISTOGRAM_EXACT_BINS, sizeof *want);
    float max = 0, low = 0, high = 0;
    for (int i = 0; i < N; i++) {
        max = fmaxf(max, fabsf(x[i]));
        low = fminf(low, x[i]);
        high = fmaxf(high, x[i]);
        want[(int)floor(fabs((double)x[i]) / ldexp(1, h.exponent))]++;
    }
    assert_float_equal(h.max, max, 0);
    assert_true(h.low == low && h.high == high && low < 0);
    assert_true((double)max < ldexp(HISTOGRAM_EXACT_BINS, h.exponent));
    assert_true((double)max >= ldexp(HISTOGRAM_EXACT_BINS / 2, h.exponent));
    assert_memory_equal(h.counts, want, HISTOGRAM_EXACT_BINS * sizeof *want);
    assert_true(histogram_edge(&h, histogram_used_bins(&h)) > max);
    assert_true(histogram_edge(&h, histogram_used_bins(&h) - 1) <= max);
    free(want);
    free(x);
    histogram_clear(&h);
}

static void exact_counts_ignore_order_batches_and_threads(void **state)
{
    (void)state;
    enum { N = 100003 };
    float *x = values(N);
    histogram whole;
    assert_ok(histogram_init(&whole, false, &err));
    add(&whole, 1, x, N);
    for (int threads = 1; threads <= 3; threads++) {
        histogram parts;
        histogram reversed;
        histogram pooled;
        assert_ok(histogram_init(&parts, false, &err));
        for (size_t i = 0; i < N; i += 9001)
            add(&parts, threads, x + i, N - i < 9001 ? N - i : 9001);
        assert_same(&parts, &whole);
        assert_ok(histogram_init(&reversed, false, &err));
        for (size_t i = N; i > 0; i -= i < 13007 ? i : 13007)
            add(&reversed, threads, x + (i < 13007 ? 0 : i - 13007), i < 13007 ? i : 13007);
        assert_same(&reversed, &whole);
        assert_ok(histogram_init(&pooled, false, &err));
        histogram half;
        assert_ok(histogram_init(&half, false, &err));
        add(&pooled, threads, x + N / 2, N - N / 2);
        add(&half, threads, x, N / 2);
        assert_ok(histogram_merge(&pooled, &half, &err));
        assert_same(&pooled, &whole);
        histogram_clear(&parts);
        histogram_clear(&reversed);
        histogram_clear(&half);
        histogram_clear(&pooled);
    }
    histogram_clear(&whole);
    free(x);
}

/* The same values seen through a channels-last layout with gaps between pixels. */
static void strided_rows_are_gathered(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1000, 3, 8}, {37, 64, 80}, {5, 5003, 6000}, {1, 7, 9}};
    float *x = values(40000);
    histogram_pool *pool;
    assert_ok(histogram_pool_create(2, cpu_best(), &pool, &err));
    for (int compat = 0; compat < 2; compat++)
        for (size_t k = 0; k < 4; k++) {
            size_t n = shapes[k][0];
            size_t row = shapes[k][1];
            size_t stride = shapes[k][2];
            float *dense = malloc(n * row * sizeof *dense);
            for (size_t i = 0; i < n; i++)
                memcpy(dense + i * row, x + i * stride, row * sizeof *x);
            histogram a;
            histogram b;
            assert_ok(histogram_init(&a, compat != 0, &err));
            assert_ok(histogram_init(&b, compat != 0, &err));
            value_rows rows = {x, n, row, stride};
            assert_ok(histogram_add(&a, pool, &rows, &err));
            add(&b, 1, dense, n * row);
            assert_same(&a, &b);
            histogram_clear(&a);
            histogram_clear(&b);
            free(dense);
        }
    histogram_pool_destroy(pool);
    free(x);
}

static void values_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    histogram_pool *pool;
    assert_ok(histogram_pool_create(1, cpu_best(), &pool, &err));
    for (int compat = 0; compat < 2; compat++) {
        histogram h;
        assert_ok(histogram_init(&h, compat != 0, &err));
        float bad[2][2] = {{1, NAN}, {-INFINITY, 2}};
        for (int i = 0; i < 2; i++) {
            value_rows rows = {bad[i], 1, 2, 2};
            assert_status(histogram_add(&h, pool, &rows, &err), PTQ_DATA);
        }
        assert_int_equal(h.n_values, 0);
        float good[2] = {3.4e38f, -1};
        value_rows rows = {good, 1, 2, 2};
        assert_ok(histogram_add(&h, pool, &rows, &err));
        assert_int_equal(h.counts[histogram_used_bins(&h) - 1], 1);
        histogram_clear(&h);
    }
    histogram_pool_destroy(pool);
}

static void only_values_below_zero_are_negative(void **state)
{
    (void)state;
    static const float runs[3][3] = {{0, -0.0f, 1}, {2, 0, 0x1p-140f}, {0, -0x1p-140f, 1}};
    for (int compat = 0; compat < 2; compat++) {
        histogram h;
        assert_ok(histogram_init(&h, compat != 0, &err));
        for (int i = 0; i < 3; i++) {
            add(&h, 1, runs[i], 3);
            assert_true(h.low == (i == 2 ? -0x1p-140f : 0));
            assert_true(h.high == (i == 0 ? 1 : 2));
        }
        histogram_clear(&h);
    }
}

static void compat_growth_has_a_limit(void **state)
{
    (void)state;
    histogram_pool *pool;
    assert_ok(histogram_pool_create(1, cpu_best(), &pool, &err));
    histogram h;
    assert_ok(histogram_init(&h, true, &err));
    float small[3] = {0, 1e-6f, 0};
    float large = 1000;
    add(&h, 1, small, 3);
    value_rows rows = {&large, 1, 1, 1};
    assert_status(histogram_add(&h, pool, &rows, &err), PTQ_LIMIT);
    assert_int_equal(h.n_values, 3);
    assert_int_equal(h.n_bins, HISTOGRAM_COMPAT_BINS);
    histogram_clear(&h);
    histogram_pool_destroy(pool);
}

/* Three batches through pytorch-quantization's HistogramCalibrator (torch), step by step. */
static void compat_collects_as_the_original(void **state)
{
    (void)state;
    char path[512];
    histogram h;
    assert_ok(histogram_init(&h, true, &err));
    for (int k = 0; k < 3; k++) {
        char name[128];
        int rank;
        int64_t dims[8];
        size_t n;
        size_t n_bins;
        size_t n_edges;
        snprintf(name, sizeof name, "yolov5n/golden/calib/collect_model.24.m.2_x%d.npy", k);
        float *x = test_npy(test_shared(name, path), &rank, dims, &n);
        add(&h, 2, x, n);
        snprintf(name, sizeof name, "yolov5n/golden/calib/collect_model.24.m.2_torch_hist%d.npy",
                 k);
        float *counts = test_npy(test_shared(name, path), &rank, dims, &n_bins);
        snprintf(name, sizeof name, "yolov5n/golden/calib/collect_model.24.m.2_torch_edges%d.npy",
                 k);
        float *edges = test_npy(test_shared(name, path), &rank, dims, &n_edges);
        assert_int_equal(h.n_bins, n_bins);
        for (size_t i = 0; i < n_bins; i++)
            assert_int_equal(h.counts[i], (uint64_t)counts[i]);
        assert_memory_equal(h.edges, edges, n_edges * sizeof *edges);
        free(x);
        free(counts);
        free(edges);
    }
    histogram_clear(&h);
}

/* The largest value of every batch is recorded for 60 layers; one such value per batch gives the
 * same growth, and so the recorded edges to the last bit. */
static void compat_edges_grow_as_the_original(void **state)
{
    (void)state;
    char path[512];
    json_t *doc = test_json(test_shared("yolov5n/golden/amax.json", path));
    test_shared("yolov5n/golden/calib/histograms_all.npz", path);
    const char *layer;
    json_t *maxima;
    json_object_foreach(json_object_get(doc, "batch_max"), layer, maxima)
    {
        histogram h;
        assert_ok(histogram_init(&h, true, &err));
        for (size_t i = 0; i < json_array_size(maxima); i++) {
            float x = (float)json_number_value(json_array_get(maxima, i));
            add(&h, 1, &x, 1);
        }
        char name[256];
        size_t n;
        snprintf(name, sizeof name, "%s.edges", layer);
        float *edges = test_npz(path, name, &n);
        assert_int_equal(h.n_bins + 1, n);
        assert_memory_equal(h.edges, edges, n * sizeof *edges);
        mem_free(edges);
        histogram_clear(&h);
    }
    json_decref(doc);
}

static void compat_merge_pools_counts(void **state)
{
    (void)state;
    float *x = values(5000);
    float zeros[3] = {0};
    histogram a;
    histogram b;
    assert_ok(histogram_init(&a, true, &err));
    assert_ok(histogram_init(&b, true, &err));
    add(&a, 1, zeros, 3);
    add(&b, 1, x, 5000);
    float max = b.max;
    assert_ok(histogram_merge(&a, &b, &err));
    assert_ok(histogram_merge(&b, &a, &err));
    assert_int_equal(b.n_values, 10003);
    assert_float_equal(b.max, max, 0);
    uint64_t sum = 0;
    for (int i = 0; i < b.n_bins; i++)
        sum += b.counts[i];
    assert_int_equal(sum, 10003);
    histogram_clear(&a);
    histogram_clear(&b);
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_counts_are_what_they_say),
        cmocka_unit_test(exact_counts_ignore_order_batches_and_threads),
        cmocka_unit_test(strided_rows_are_gathered),
        cmocka_unit_test(values_that_are_not_finite_are_refused),
        cmocka_unit_test(only_values_below_zero_are_negative),
        cmocka_unit_test(compat_growth_has_a_limit),
        cmocka_unit_test(compat_collects_as_the_original),
        cmocka_unit_test(compat_edges_grow_as_the_original),
        cmocka_unit_test(compat_merge_pools_counts),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
