/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "quant/calibrate_amax.h"
#include "quant/fake_quant.h"
#include "test.h"
#include "test_npz.h"

static ptq_error err;

static const uint64_t TINY[16] = {40, 30, 22, 16, 12, 9, 6, 4, 3, 2, 1, 1, 0, 0, 0, 1};

static amax_bins tiny_bins(float edges[17])
{
    for (int i = 0; i <= 16; i++)
        edges[i] = 0.5f * (float)i;
    return (amax_bins){TINY, edges, 16};
}

/* algorithms.md §2.7, first table: every candidate's cost. */
static void worked_example_of_sixteen_bins(void **state)
{
    (void)state;
    static const double entropy[13] = {.160686885, .116028964, .077750056, .057717586, .029541311,
                                       .025202656, .022453395, .021746507, .019486999, INFINITY,
                                       INFINITY,   INFINITY,   .044833640};
    static const double mse[12] = {6.1328125,   4.279513889, 3.159722222, 2.61328125,
                                   2.525607639, 2.59765625,  2.640625,    2.856336806,
                                   3.168836806, 3.671875,    4.307725694, 4.860677083};
    float edges[17];
    amax_bins b = tiny_bins(edges);
    amax_options o;
    amax_options_init(&o);
    o.num_bits = 3;
    o.start_bin = 4;
    int bin;
    double costs[13];
    assert_ok(amax_entropy_bin(&b, &o, &bin, costs, &err));
    assert_int_equal(bin, 12);
    for (int i = 0; i < 13; i++)
        assert_true(isinf(entropy[i]) ? isinf(costs[i]) : fabs(costs[i] - entropy[i]) < 1e-9);
    assert_ok(amax_mse_bin(&b, &o, &bin, costs, &err));
    assert_int_equal(bin, 8);
    assert_float_equal(amax_centre(&b, bin), 4.25f, 0);
    for (int i = 0; i < 12; i++)
        assert_true(fabs(costs[i] - mse[i]) < 1e-9);
    static const double percentiles[5][2] = {{50, 2}, {90, 6}, {99, 11}, {99.9, 15}, {100, 15}};
    for (int i = 0; i < 5; i++)
        assert_int_equal(amax_percentile_bin(&b, percentiles[i][0]), (int)percentiles[i][1]);
}

/* The generator of algorithms.md §2.7 (D1): 65536 almost normal values, four outliers. */
static float *worked_values(void)
{
    enum { N = 65536 };
    float *x = malloc(N * sizeof *x);
    assert_non_null(x);
    uint32_t s = 12345;
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int k = 0; k < 12; k++) {
            s = s * 1664525u + 1013904223u;
            sum += s / 4294967296.0;
        }
        x[i] = (float)(sum - 6);
    }
    x[0] = 9;
    x[97] = -11.25f;
    x[194] = 13.5f;
    x[291] = -15.75f;
    return x;
}

static void add(histogram *h, const float *x, size_t n)
{
    histogram_pool *pool;
    assert_ok(histogram_pool_create(2, cpu_best(), &pool, &err));
    value_rows rows = {x, 1, n, n};
    assert_ok(histogram_add(h, pool, &rows, &err));
    histogram_pool_destroy(pool);
}

static float amax_of(const histogram *h, amax_method m, double percentile, int stride)
{
    amax_options o;
    amax_options_init(&o);
    o.percentile = percentile;
    o.stride = stride;
    float amax;
    assert_ok(histogram_amax(h, m, &o, &amax, &err));
    return amax;
}

/* algorithms.md §2.7, D1 and D2. */
static void worked_example_of_full_size(void **state)
{
    (void)state;
    float *x = worked_values();
    assert_float_equal(x[1], 1.4944714307785034f, 0);
    histogram h;
    assert_ok(histogram_init(&h, true, &err));
    add(&h, x, 65536);
    assert_int_equal(h.counts[0], 379);
    assert_int_equal(h.counts[3], 376);
    assert_float_equal(amax_of(&h, AMAX_MAX, 0, 1), 15.75f, 0);
    assert_float_equal(amax_of(&h, AMAX_PERCENTILE, 99, 1), 2.5224609375f, 1e-6);
    assert_float_equal(amax_of(&h, AMAX_PERCENTILE, 99.9, 1), 3.1761474609375f, 1e-6);
    assert_float_equal(amax_of(&h, AMAX_PERCENTILE, 99.99, 1), 3.8682861328125f, 1e-6);
    assert_float_equal(amax_of(&h, AMAX_PERCENTILE, 99.999, 1), 15.7423095703125f, 1e-6);
    assert_float_equal(amax_of(&h, AMAX_MSE, 0, 1), 12.37005615234375f, 2e-6);
    assert_float_equal(amax_of(&h, AMAX_ENTROPY, 0, 1), 4.014404296875f, 1e-6);
    assert_float_equal(amax_of(&h, AMAX_ENTROPY, 0, 8), 3.8759765625f, 1e-6);
    histogram_clear(&h);

    assert_ok(histogram_init(&h, true, &err));
    add(&h, x + 32768, 32768);
    assert_float_equal(h.max, 3.8695664405822754f, 0);
    add(&h, x, 32768);
    assert_int_equal(h.n_bins, 8336);
    assert_float_equal(h.edges[8336], 15.750344652682543f, 2e-5);
    assert_float_equal(amax_of(&h, AMAX_PERCENTILE, 99.99, 1), 3.86767700384371f, 1e-5);
    assert_float_equal(amax_of(&h, AMAX_MSE, 0, 1), 12.478784939856268f, 2e-5);
    histogram_clear(&h);
    free(x);
}

static double true_mse(const float *x, float amax)
{
    quantizer q = {.num_bits = 8, .axis = -1, .n_amax = 1, .amax = &amax};
    shape s = shape_make(1, (int64_t[]){65536});
    float *y = malloc(65536 * sizeof *y);
    assert_non_null(y);
    assert_ok(fake_quant(&q, &s, x, y, &err));
    double sum = 0;
    for (int i = 0; i < 65536; i++)
        sum += ((double)y[i] - (double)x[i]) * ((double)y[i] - (double)x[i]);
    free(y);
    return sum / 65536;
}

/* Exact histograms: finer bins, so the same choices within a bin of the worked numbers. The mse is
 * flat around its minimum: the error it reaches is compared with the table's. */
static void exact_histograms_choose_the_same(void **state)
{
    (void)state;
    float *x = worked_values();
    histogram h;
    assert_ok(histogram_init(&h, false, &err));
    add(&h, x, 65536);
    float bin = 15.75f / 2048;
    assert_float_equal(amax_of(&h, AMAX_MAX, 0, 1), 15.75f, 0);
    assert_float_equal(amax_of(&h, AMAX_PERCENTILE, 99.99, 1), 3.8682861328125f, bin);
    assert_float_equal(amax_of(&h, AMAX_PERCENTILE, 100, 1), 15.75f, 0);
    assert_float_equal(amax_of(&h, AMAX_ENTROPY, 0, 1), 4.014404296875f, 0.2f);
    assert_true(true_mse(x, 15.75f) > 1.28e-3);
    assert_true(true_mse(x, amax_of(&h, AMAX_MSE, 0, 1)) < 9.824e-4 * 1.002);
    histogram_clear(&h);
    free(x);
}

/* NVIDIA's behavioural tests in words, algorithms.md §2.10. */
static void behaviour_of_the_original(void **state)
{
    (void)state;
    test_rng rng = {1};
    float x[693];
    for (int i = 0; i < 693; i++)
        x[i] = (float)test_uniform(&rng);
    x[3] = 10;
    for (int compat = 0; compat < 2; compat++) {
        histogram h;
        assert_ok(histogram_init(&h, compat != 0, &err));
        add(&h, x, 693);
        assert_true(amax_of(&h, AMAX_ENTROPY, 0, 1) < 1.1f);
        histogram_clear(&h);

        float y[1000];
        for (int i = 0; i < 1000; i++)
            y[i] = 255;
        y[7] = 256;
        assert_ok(histogram_init(&h, compat != 0, &err));
        add(&h, y, 1000);
        float amax = amax_of(&h, AMAX_MSE, 0, 1);
        assert_true(fabsf(amax - 255) < fabsf(amax - 256));
        histogram_clear(&h);

        for (int i = 0; i < 100; i++)
            y[i] = (float)i;
        assert_ok(histogram_init(&h, compat != 0, &err));
        add(&h, y, 100);
        assert_float_equal(amax_of(&h, AMAX_PERCENTILE, 90, 1), 89, 100.0f / 1024);
        histogram_clear(&h);
    }
}

static void degenerate_histograms(void **state)
{
    (void)state;
    amax_options o;
    amax_options_init(&o);
    for (int compat = 0; compat < 2; compat++) {
        histogram h;
        float amax = -1;
        float zeros[5] = {0, 0, -0.0f, 0, 0};
        assert_ok(histogram_init(&h, compat != 0, &err));
        assert_status(histogram_amax(&h, AMAX_MSE, &o, &amax, &err), PTQ_DATA);
        add(&h, zeros, 5);
        for (int m = 0; m < AMAX_METHODS; m++) {
            assert_ok(histogram_amax(&h, (amax_method)m, &o, &amax, &err));
            assert_float_equal(amax, 0, 0);
        }
        float values[3] = {1, -0x1p-140f, 0};
        add(&h, values, 3);
        assert_int_equal(h.n_values, 8);
        for (int m = 0; m < AMAX_METHODS; m++) {
            assert_ok(histogram_amax(&h, (amax_method)m, &o, &amax, &err));
            assert_true(amax >= 0 && amax <= 1);
        }
        o.percentile = 101;
        assert_status(histogram_amax(&h, AMAX_PERCENTILE, &o, &amax, &err), PTQ_USAGE);
        o.percentile = 99.99;
        histogram_clear(&h);
    }
}

static histogram recorded(const char *path, const char *layer)
{
    char name[256];
    size_t n;
    histogram h;
    assert_ok(histogram_init(&h, true, &err));
    snprintf(name, sizeof name, "%s.edges", layer);
    h.edges = test_npz(path, name, &n);
    snprintf(name, sizeof name, "%s.hist", layer);
    float *counts = test_npz(path, name, &n);
    h.n_bins = (int)n;
    h.counts = mem_array(n, sizeof *h.counts);
    for (size_t i = 0; i < n; i++) {
        h.counts[i] = (uint64_t)counts[i];
        h.n_values += h.counts[i];
    }
    h.max = h.edges[n];
    mem_free(counts);
    return h;
}

static void check_layer(const histogram *h, const char *layer, const json_t *methods)
{
    static const struct {
        const char *key;
        amax_method method;
        double percentile;
    } runs[] = {{"percentile", AMAX_PERCENTILE, 99.99},
                {"percentile99.9", AMAX_PERCENTILE, 99.9},
                {"percentile99.999", AMAX_PERCENTILE, 99.999},
                {"entropy", AMAX_ENTROPY, 99.99},
                {"mse", AMAX_MSE, 99.99}};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        const json_t *layers = json_object_get(methods, runs[i].key);
        if (!layers)
            continue;
        float want = (float)test_json_number(layers, layer);
        float got = amax_of(h, runs[i].method, runs[i].percentile, 1);
        if (got != want)
            fail_msg("%s %s: %.9g, expected %.9g", layer, runs[i].key, (double)got, (double)want);
    }
}

/* Histograms and ranges recorded from pytorch-quantization 2.2.1: equal to the last bit. */
static void check_model(const char *amax, const char *histograms)
{
    char path[512];
    json_t *doc = test_json(test_shared(amax, path));
    const json_t *methods = json_object_get(doc, "methods");
    test_shared(histograms, path);
    const char *layer;
    json_t *value;
    json_object_foreach(json_object_get(methods, "mse"), layer, value)
    {
        histogram h = recorded(path, layer);
        check_layer(&h, layer, methods);
        histogram_clear(&h);
    }
    json_decref(doc);
}

static void recorded_histograms_of_yolov5n(void **state)
{
    (void)state;
    check_model("yolov5n/golden/amax.json", "yolov5n/golden/calib/histograms_all.npz");
}

static void recorded_histograms_of_shapes(void **state)
{
    (void)state;
    check_model("shapes/golden/amax.json", "shapes/golden/histograms.npz");
}

static void recorded_histograms_of_shapes_tiny(void **state)
{
    (void)state;
    check_model("shapes-tiny/golden/amax.json", "shapes-tiny/golden/histograms.npz");
}

/* Strides and other start bins: golden/calib/expected.json. */
static void recorded_searches_with_options(void **state)
{
    (void)state;
    char path[512];
    json_t *doc = test_json(test_shared("yolov5n/golden/calib/expected.json", path));
    test_shared("yolov5n/golden/calib/histograms_all.npz", path);
    const char *layer;
    json_t *want;
    json_object_foreach(doc, layer, want)
    {
        histogram h = recorded(path, layer);
        for (int stride = 2; stride <= 8; stride *= 2) {
            char key[32];
            snprintf(key, sizeof key, "entropy_stride%d", stride);
            assert_float_equal(amax_of(&h, AMAX_ENTROPY, 99, stride), test_json_number(want, key),
                               0);
            snprintf(key, sizeof key, "mse_stride%d", stride);
            assert_float_equal(amax_of(&h, AMAX_MSE, 99, stride), test_json_number(want, key), 0);
        }
        assert_float_equal(amax_of(&h, AMAX_PERCENTILE, 100, 1),
                           test_json_number(want, "percentile100"), 0);
        assert_float_equal(amax_of(&h, AMAX_PERCENTILE, 50, 1),
                           test_json_number(want, "percentile50"), 0);
        amax_options o;
        amax_options_init(&o);
        o.start_bin = 512;
        float amax;
        assert_ok(histogram_amax(&h, AMAX_MSE, &o, &amax, &err));
        assert_float_equal(amax, test_json_number(want, "mse_start512"), 0);
        histogram_clear(&h);
    }
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worked_example_of_sixteen_bins),
        cmocka_unit_test(worked_example_of_full_size),
        cmocka_unit_test(exact_histograms_choose_the_same),
        cmocka_unit_test(behaviour_of_the_original),
        cmocka_unit_test(degenerate_histograms),
        cmocka_unit_test(recorded_histograms_of_yolov5n),
        cmocka_unit_test(recorded_histograms_of_shapes),
        cmocka_unit_test(recorded_histograms_of_shapes_tiny),
        cmocka_unit_test(recorded_searches_with_options),
    };
    return cmocka_run_group_tests_name("calibrate_amax", tests, NULL, NULL);
}
