/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "eval/coco_results.h"
#include "golden.h"

static char dir[512];

static char *write_file(const char *name, const char *text)
{
    ptq_error err;
    char *path = path_join(dir, name);
    assert_ok(file_write(path, text, strlen(text), &err));
    return path;
}

static void check_twelve(const coco_scores *got, const double want[12], double tolerance)
{
    const double *values = &got->ap;
    assert_int_equal(sizeof *got, 12 * sizeof *values);
    for (int i = 0; i < 12; i++)
        if (!(fabs(values[i] - want[i]) <= tolerance))
            fail_msg("number %d is %.17g, expected %.17g", i, values[i], want[i]);
}

/* Two images and categories; a crowd that swallows two detections, a box with the id 0, equal
 * scores across images, areas on the borders of the ranges. Expected: COCOeval's loops written in
 * numpy 1.24 after the specification. */
static void small_case_equals_cocoeval(void **state)
{
    (void)state;
    ptq_error err;
    char *truth = write_file(
        "g.json",
        "{\"categories\":[{\"id\":7},{\"id\":3}],\"images\":[{\"id\":20,\"file_name\":\"b/"
        "two.jpg\"},"
        "{\"id\":10,\"file_name\":\"one.jpg\"}],\"annotations\":["
        "{\"id\":1,\"image_id\":10,\"category_id\":3,\"bbox\":[0,0,20,20],\"area\":300,\"iscrowd\":"
        "0},"
        "{\"id\":2,\"image_id\":10,\"category_id\":3,\"bbox\":[10,0,20,20],\"area\":400,"
        "\"iscrowd\":0},"
        "{\"id\":3,\"image_id\":10,\"category_id\":3,\"bbox\":[100,100,200,200],\"area\":40000,"
        "\"iscrowd\":1},"
        "{\"id\":0,\"image_id\":20,\"category_id\":3,\"bbox\":[50,50,40,40],\"area\":1024,"
        "\"iscrowd\":0},"
        "{\"id\":5,\"image_id\":20,\"category_id\":7,\"bbox\":[0,0,100,100],\"area\":9216,"
        "\"iscrowd\":0}]}");
    char *dets = write_file(
        "d.json", "[{\"image_id\":10,\"category_id\":3,\"bbox\":[1,0,20,20],\"score\":0.9},"
                  "{\"image_id\":10,\"category_id\":3,\"bbox\":[9,1,20,20],\"score\":0.5},"
                  "{\"image_id\":20,\"category_id\":3,\"bbox\":[50,50,40,40],\"score\":0.5},"
                  "{\"image_id\":10,\"category_id\":3,\"bbox\":[120,120,30,30],\"score\":0.8},"
                  "{\"image_id\":10,\"category_id\":3,\"bbox\":[150,150,30,30],\"score\":0.8},"
                  "{\"image_id\":20,\"category_id\":7,\"bbox\":[0,0,100,95],\"score\":0.25},"
                  "{\"image_id\":10,\"category_id\":7,\"bbox\":[5,5,30,30],\"score\":0.75}]");
    static const double want[12] = {0.5158415841584159,
                                    0.5816831683168316,
                                    0.5816831683168316,
                                    0.5316831683168317,
                                    0.4999999999999999,
                                    0.9999999999999998,
                                    0.65,
                                    0.7666666666666667,
                                    0.7666666666666667,
                                    0.5333333333333333,
                                    0.5,
                                    1.0};
    coco_scoring got;
    assert_ok(coco_score_files(dets, truth, NULL, &got, &err));
    check_twelve(&got.scores, want, 1e-15);
    assert_int_equal(got.n_detections, 7);
    assert_int_equal(got.n_images, 2);
    mem_free(truth);
    mem_free(dets);
}

static void nothing_found_and_nothing_to_find(void **state)
{
    (void)state;
    ptq_error err;
    coco_scoring got;
    char *dets = write_file("none.json", "[]");
    char *truth = write_file("one.json", "{\"images\":[{\"id\":1}],\"categories\":[{\"id\":1}],"
                                         "\"annotations\":[{\"image_id\":1,\"category_id\":1,"
                                         "\"bbox\":[0,0,10,10]}]}");
    static const double nothing[12] = {0, 0, 0, 0, -1, -1, 0, 0, 0, 0, -1, -1};
    assert_ok(coco_score_files(dets, truth, NULL, &got, &err));
    check_twelve(&got.scores, nothing, 0);
    mem_free(truth);
    truth = write_file("empty.json",
                       "{\"images\":[{\"id\":1}],\"categories\":[{\"id\":1}],\"annotations\":[]}");
    static const double undefined[12] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    assert_ok(coco_score_files(dets, truth, NULL, &got, &err));
    check_twelve(&got.scores, undefined, 0);
    mem_free(truth);
    mem_free(dets);
}

/* Expected: pycocotools, six digits. */
static void published_vectors(void **state)
{
    (void)state;
    ptq_error err;
    char dets[512], truth[512], path[512];
    test_shared("cocoeval-vectors/fakebbox100/dets.json", dets);
    test_shared("cocoeval-vectors/fakebbox100/gt.json", truth);
    json_t *expected = golden_json(test_shared("cocoeval-vectors/fakebbox100/expected.json", path));
    static const char *const keys[12] = {"ap",        "ap50",     "ap75",      "ap_small",
                                         "ap_medium", "ap_large", "ar1",       "ar10",
                                         "ar100",     "ar_small", "ar_medium", "ar_large"};
    double want[12];
    for (int i = 0; i < 12; i++)
        want[i] = golden_number(expected, keys[i]);
    coco_scoring got;
    assert_ok(coco_score_files(dets, truth, NULL, &got, &err));
    check_twelve(&got.scores, want, 1e-6);
    json_decref(expected);
}

/* Expected: pycocotools on the same files, all digits; and the same bits for any thread count. */
static void recorded_predictions_score_the_same(void **state)
{
    (void)state;
    ptq_error err;
    static const struct {
        const char *golden, *truth;
    } sets[] = {
        {"yolov5n/golden/cocoval", "yolov5n/cocoval/instances.json"},
        {"yolov5n/golden/coco128", "yolov5n/coco128/instances.json"},
        {"shapes/golden/test320", "shapes/instances_val2017.json"},
        {"shapes-tiny/golden/test320", "shapes/instances_val2017.json"},
    };
    for (size_t s = 0; s < 4; s++) {
        char name[96], path[512], truth[512];
        snprintf(name, sizeof name, "%s/predictions.json.gz", sets[s].golden);
        test_shared(name, path);
        char *dets = path_join(dir, "predictions.json");
        golden_gunzip(path, dets);
        snprintf(name, sizeof name, "%s/metrics.json", sets[s].golden);
        json_t *metrics = golden_json(test_shared(name, path));
        double want[12];
        for (int i = 0; i < 12; i++) {
            snprintf(name, sizeof name, "pycocotools12.%d", i);
            want[i] = golden_number(metrics, name);
        }
        test_shared(sets[s].truth, truth);
        coco_scoring first = {0}, got;
        for (int threads = 1; threads <= 4; threads++) {
            ptq_env env = {.threads = threads};
            assert_ok(coco_score_files(dets, truth, &env, &got, &err));
            check_twelve(&got.scores, want, 1e-14);
            if (threads == 1)
                first = got;
            assert_memory_equal(&first.scores, &got.scores, sizeof got.scores);
        }
        json_decref(metrics);
        mem_free(dets);
    }
}

static int set_up(void **state)
{
    (void)state;
    test_temp_dir(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_temp_remove(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_case_equals_cocoeval),
        cmocka_unit_test(nothing_found_and_nothing_to_find),
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(recorded_predictions_score_the_same),
    };
    return cmocka_run_group_tests_name("coco_eval", tests, set_up, tear_down);
}
