/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/mem.h"
#include "quant/trt_cache.h"
#include "test.h"
#include "test_net.h"

static ptq_error err;

/* As NV_TENSORRT_VERSION of those releases. */
static void versions_are_as_tensorrt_writes_them(void **state)
{
    (void)state;
    int v;
    assert_ok(trt_cache_version("8.6.1", &v, &err));
    assert_int_equal(v, 8601);
    assert_ok(trt_cache_version("10.3.0", &v, &err));
    assert_int_equal(v, 100300);
    assert_ok(trt_cache_version("7.0.0", &v, &err));
    assert_int_equal(v, 7000);
    static const char *const bad[] = {"",      "10",     "10.3",   "10.3.", "10.3.0.1",
                                      "a.b.c", "-8.6.1", "8.6.1x", "11.0.0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_status(trt_cache_version(bad[i], &v, &err), PTQ_USAGE);
    assert_non_null(strstr(err.message, "tensorrt11"));
}

/* python: struct.pack('>f', 1 / 127).hex() is 3c010204; 4000889d is 2.0083382, 127 of them are the
 * range of c0. */
static void scales_are_hexadecimal(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        float amax;
    } tensors[] = {{"images", 1},   {"c0", 255.0589599609375f},
                   {"c0.act", 127}, {"c1", 0},
                   {"c1.act", 127}, {"c2", 127},
                   {"c2.act", 127}, {"add", 127},
                   {"c3", 127},     {"c3.act", 127},
                   {"cat", 254},    {"c4", 127},
                   {"c5", 127},     {"c5.act", 508},
                   {"c6", 127}};
    enum { N = sizeof tensors / sizeof *tensors };
    graph *g = test_net(1);
    quant_config *config;
    quant_options options;
    quant_points points;
    code_tensors codes;
    ranges *r;
    quant_options_init(&options);
    assert_ok(quant_config_load(NULL, &config, &err));
    assert_ok(quant_points_find(g, config, &options, &points, &err));
    assert_ok(code_tensors_find(g, &points, false, &codes, &err));
    assert_ok(ranges_create(N, false, &r, &err));
    for (int i = 0; i < N; i++) {
        r->items[i].name = mem_strdup(tensors[i].name);
        r->items[i].amax[AMAX_ENTROPY] = tensors[i].amax;
    }
    char dir[512];
    test_temp_dir(dir);
    char *path = path_join(dir, "net.cache"), *text;
    size_t size;
    int n;
    trt_cache c = {g, &codes, r, AMAX_ENTROPY, 100300};
    assert_ok(trt_cache_write(&c, path, &n, &err));
    assert_ok(file_read(path, 0, &text, &size, &err));
    static const char begin[] = "TRT-100300-EntropyCalibration2\n"
                                "images: 3c010204\n"
                                "c0: 4000889d\n"
                                "c0.act/sigmoid: 3c010204\n"
                                "c0.act: 3f800000\n"
                                "c1: 3f800000\n";
    assert_memory_equal(text, begin, sizeof begin - 1);
    char *whole = calloc(size + 1, 1);
    memcpy(whole, text, size);
    assert_non_null(strstr(whole, "\ncat: 40000000\n"));
    assert_non_null(strstr(whole, "\npool: 40800000\n")); /* as c5.act */
    free(whole);
    assert_int_equal(n, 16 + 5);
    mem_free(text);
    r->items[1].name[0] = 'x';
    assert_status(trt_cache_write(&c, path, &n, &err), PTQ_DATA);
    mem_free(path);
    test_temp_remove(dir);
    ranges_destroy(r);
    code_tensors_clear(&codes);
    quant_points_clear(&points);
    quant_config_destroy(config);
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_as_tensorrt_writes_them),
        cmocka_unit_test(scales_are_hexadecimal),
    };
    return cmocka_run_group_tests_name("trt_cache", tests, NULL, NULL);
}
