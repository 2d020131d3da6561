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

static const char TRUTH[] =
    "{\"info\":{\"year\":[1,{\"a\":null}]},\"annotations\":["
    "{\"id\":1,\"image_id\":37,\"category_id\":2,\"bbox\":[1,2,3,4],\"area\":5,\"iscrowd\":1,"
    "\"segmentation\":[[1,2,3]]},"
    "{\"id\":2,\"image_id\":99,\"category_id\":2,\"bbox\":[1,2,3,4]},"
    "{\"id\":3,\"image_id\":5.0,\"category_id\":9,\"bbox\":[1,2,3,4],\"iscrowd\":false}],"
    "\"images\":[{\"id\":37,\"file_name\":\"x/0001.jpg\"},{\"id\":5,\"file_name\":\"cat.png\"},"
    "{\"id\":6,\"file_name\":\"a/same.jpg\"},{\"id\":7,\"file_name\":\"b/same.jpg\"},{\"id\":8}],"
    "\"categories\":[{\"id\":9,\"name\":\"b\"},{\"id\":2,\"name\":\"a\"}]}";

static coco_truth *read_truth(const char *text)
{
    ptq_error err;
    coco_truth *t;
    char *path = write_file("truth.json", text);
    assert_ok(coco_truth_read(path, NULL, &t, &err));
    mem_free(path);
    return t;
}

static void ids_become_indices(void **state)
{
    (void)state;
    coco_truth *t = read_truth(TRUTH);
    assert_int_equal(t->n_images, 5);
    assert_int_equal(t->n_categories, 2);
    assert_int_equal(t->category_ids[0], 2);
    assert_int_equal(t->n_boxes, 2); /* image 99 is not listed */
    assert_int_equal(t->image_ids[t->boxes[0].image], 37);
    assert_int_equal(t->boxes[0].category, 0);
    assert_true(t->boxes[0].is_crowd && t->boxes[0].area == 5);
    assert_true(!t->boxes[1].is_crowd && t->boxes[1].area == 12);
    assert_int_equal(t->image_ids[coco_truth_image_named(t, "0001")], 37); /* name before number */
    assert_int_equal(t->image_ids[coco_truth_image_named(t, "cat")], 5);
    assert_int_equal(t->image_ids[coco_truth_image_named(t, "0008")], 8);
    assert_int_equal(coco_truth_image_named(t, "same"), -1);
    assert_int_equal(coco_truth_image_named(t, "dog"), -1);
    assert_int_equal(coco_truth_category(t, 3), -1);
    coco_truth_destroy(t);
}

static void bad_annotations_are_refused(void **state)
{
    (void)state;
    ptq_error err;
    coco_truth *t;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"[]", "expected an object"},
        {"{\"images\":[{\"id\":1}],\"annotations\":[]}", "no categories; an instances file has"},
        {"{\"categories\":[{\"id\":1}]}", "no images"},
        {"{\"images\":[{\"file_name\":\"a\"}]}", "image 1 has no \"id\""},
        {"{\"images\":[{\"id\":\"a\"}]}", "expected a number"},
        {"{\"annotations\":[{\"image_id\":1,\"category_id\":1}]}", "annotation 1 has no \"bbox\""},
        {"{\"annotations\":[{\"bbox\":[1,2,3]}]}", "expected 4 numbers, found 3"},
        {"{\"annotations\":[{\"bbox\":[1,2,3,4,5]}]}", "expected 4 numbers, found more"},
        {"{\"annotations\":[{\"bbox\":[1,2,3,\"4\"]}]}", "expected a number, found '\"'"},
        {"{\"images\":[{\"id\":1}", "expected ',' or ']', the file ends here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = write_file("bad.json", cases[i].text);
        assert_int_not_equal(coco_truth_read(path, NULL, &t, &err), PTQ_OK);
        if (!strstr(err.message, cases[i].words))
            fail_msg("'%s' gave: %s", cases[i].text, err.message);
        mem_free(path);
    }
    assert_status(coco_truth_read("/no/such.json", NULL, &t, &err), PTQ_IO);
}

static void bad_detections_are_refused(void **state)
{
    (void)state;
    ptq_error err;
    coco_truth *t = read_truth(TRUTH);
    coco_det *dets;
    size_t n;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"{}", "expected an array"},
        {"[{\"image_id\":1,\"category_id\":1,\"bbox\":[1,2,3,4],\"score\":1}]",
         "no image with the id 1; they must belong"},
        {"[{\"image_id\":\"horse\"}]", "no image 'horse'"},
        {"[{\"image_id\":37,\"category_id\":2,\"bbox\":[1,2,3,4]}]",
         "detection 1 has no \"score\""},
        {"[{\"category_id\":2,\"bbox\":[1,2,3,4],\"score\":1}]", "has no \"image_id\""},
        {"[{\"image_id\":37,\"category_id\":2,\"bbox\":[1,2,3,4],\"score\":NaN}]",
         "expected a number, found 'N'"},
        {"[] 1", "expected the end of the file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *path = write_file("bad.json", cases[i].text);
        assert_int_not_equal(coco_results_read(path, t, NULL, &dets, &n, &err), PTQ_OK);
        if (!strstr(err.message, cases[i].words))
            fail_msg("'%s' gave: %s", cases[i].text, err.message);
        mem_free(path);
    }
    coco_truth_destroy(t);
}

static void count_warning(void *user, ptq_log_level level, const char *message)
{
    assert_int_equal(level, PTQ_LOG_WARNING);
    assert_non_null(strstr(message, "1 of 2 detections have a category"));
    ++*(int *)user;
}

static void foreign_categories_and_names_are_understood(void **state)
{
    (void)state;
    ptq_error err;
    coco_truth *t = read_truth(TRUTH);
    coco_det *dets;
    size_t n;
    int n_warnings = 0;
    ptq_env env = {.log = count_warning, .user = &n_warnings};
    char *path = write_file(
        "d.json",
        "[{\"score\":0.5,\"bbox\":[1,2,3,4],\"category_id\":9,\"image_id\":\"cat\",\"x\":{}},"
        "{\"score\":0.5,\"bbox\":[1,2,3,4],\"category_id\":1,\"image_id\":37}]");
    assert_ok(coco_results_read(path, t, &env, &dets, &n, &err));
    assert_int_equal(n, 1);
    assert_int_equal(n_warnings, 1);
    assert_int_equal(t->image_ids[dets[0].image], 5);
    assert_int_equal(dets[0].category, 1);
    mem_free(dets);
    mem_free(path);
    coco_truth_destroy(t);
}

/* Expected: json.dumps of Python 3.11 with round(x, 3) and round(score, 5). */
static void numbers_are_written_as_python_does(void **state)
{
    (void)state;
    ptq_error err;
    static const detection dets[] = {
        {10.0625f, 0, 268.0625f, 1.5f, 0.87923f, 0},
        {-0.0f, 0.0004f, 31.275f, 8.067f, 0.001f, 1},
        {0.0001f, 5, 0.0001f, 5, 0.123456f, 1},
        {NAN, 0, 1, 1, 1, 0},
    };
    static const coco_name images[] = {{139, NULL}, {0, "a \"b\""}};
    static const int64_t categories[] = {1, 90};
    coco_det rounded[4];
    for (int i = 0; i < 4; i++)
        rounded[i] = coco_det_of(&dets[i], i % 2, dets[i].cls);
    coco_results r = {rounded, 4, images, categories};
    char *path = path_join(dir, "out.json"), *text;
    size_t size;
    assert_ok(coco_results_write(path, &r, &err));
    assert_ok(file_read(path, 0, &text, &size, &err));
    assert_string_equal(
        text,
        "[{\"image_id\": 139, \"category_id\": 1, \"bbox\": [10.062, 0.0, 258.0, 1.5], "
        "\"score\": 0.87923}, "
        "{\"image_id\": \"a \\\"b\\\"\", \"category_id\": 90, \"bbox\": [0.0, 0.0, 31.275, 8.067], "
        "\"score\": 0.001}, "
        "{\"image_id\": 139, \"category_id\": 90, \"bbox\": [0.0, 5.0, 0.0, 0.0], "
        "\"score\": 0.12346}, "
        "{\"image_id\": \"a \\\"b\\\"\", \"category_id\": 1, \"bbox\": [0.0, 0.0, 0.0, 1.0], "
        "\"score\": 1.0}]");
    mem_free(text);
    mem_free(path);
    assert_status(coco_results_write("/no/such/dir/f.json", &r, &err), PTQ_IO);
}

/* What the official code wrote, read and written again, is the same file. */
static void a_recorded_file_is_written_byte_for_byte(void **state)
{
    (void)state;
    ptq_error err;
    char packed[512], truth_path[512];
    test_shared("yolov5n/golden/cocoval/predictions.json.gz", packed);
    test_shared("yolov5n/cocoval/instances.json", truth_path);
    char *want_path = path_join(dir, "want.json"), *got_path = path_join(dir, "got.json");
    golden_gunzip(packed, want_path);
    coco_truth *t;
    coco_results r = {0};
    coco_det *dets;
    assert_ok(coco_truth_read(truth_path, NULL, &t, &err));
    assert_ok(coco_results_read(want_path, t, NULL, &dets, &r.n_dets, &err));
    assert_int_equal(r.n_dets, 53156);
    coco_name *names = calloc((size_t)t->n_images, sizeof *names);
    assert_non_null(names);
    for (int i = 0; i < t->n_images; i++)
        names[i].id = t->image_ids[i];
    r.dets = dets;
    r.images = names;
    r.category_ids = t->category_ids;
    assert_ok(coco_results_write(got_path, &r, &err));
    char *want, *got;
    size_t want_size, got_size;
    assert_ok(file_read(want_path, 0, &want, &want_size, &err));
    assert_ok(file_read(got_path, 0, &got, &got_size, &err));
    assert_int_equal(got_size, want_size);
    assert_memory_equal(got, want, want_size);
    mem_free(want);
    mem_free(got);
    free(names);
    mem_free(dets);
    coco_truth_destroy(t);
    mem_free(want_path);
    mem_free(got_path);
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
        cmocka_unit_test(ids_become_indices),
        cmocka_unit_test(bad_annotations_are_refused),
        cmocka_unit_test(bad_detections_are_refused),
        cmocka_unit_test(foreign_categories_and_names_are_understood),
        cmocka_unit_test(numbers_are_written_as_python_does),
        cmocka_unit_test(a_recorded_file_is_written_byte_for_byte),
    };
    return cmocka_run_group_tests_name("coco_results", tests, set_up, tear_down);
}
