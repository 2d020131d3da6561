/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/dataset_path.h"

/* The fixture is a temporary folder; tests name files below it. */
static int set_up(void **state)
{
    char *dir = malloc(512);
    assert_non_null(dir);
    *state = (void *)(uintptr_t)test_temp_dir(dir);
    return 0;
}

static int tear_down(void **state)
{
    test_temp_remove(*state);
    free(*state);
    return 0;
}

static char *make_file(const char *dir, const char *name)
{
    ptq_error err;
    char *path = path_join(dir, name), *folder = path_dir(path);
    assert_ok(file_make_dirs(folder, &err));
    assert_ok(file_write(path, "x", 1, &err));
    mem_free(folder);
    return path;
}

static void assert_found(const path_rules *rules, const char *name, const char *want)
{
    ptq_error err;
    char *path;
    bool found;
    assert_ok(path_find(rules, name, &path, &found, &err));
    assert_true(found);
    assert_string_equal(path, want);
    mem_free(path);
}

static void bases_are_tried_in_order(void **state)
{
    const char *dir = *state;
    char *first = path_join(dir, "first"), *second = path_join(dir, "second");
    char *a = make_file(first, "a.jpg"), *also_a = make_file(second, "a.jpg");
    char *b = make_file(second, "sub/b c.jpg");
    path_rules rules = {{first, second}, 2, NULL};
    assert_found(&rules, "a.jpg", a);
    assert_found(&rules, "./a.jpg", a);
    assert_found(&rules, "sub/b c.jpg", b);
    assert_found(&rules, ".\\sub\\b c.jpg", b);
    assert_found(&rules, b, b);
    ptq_error err;
    char *path;
    bool found;
    assert_ok(path_find(&rules, "none.jpg", &path, &found, &err));
    assert_false(found);
    assert_true(str_starts_with(path, first));
    mem_free(path);
    mem_free(a), mem_free(also_a), mem_free(b), mem_free(first), mem_free(second);
}

static void the_data_root_replaces_a_foreign_prefix(void **state)
{
    const char *dir = *state;
    char *longer = make_file(dir, "coco/images/\xc3\xa4 1.jpg");
    char *shorter = make_file(dir, "images/2.jpg");
    path_rules rules = {{"/nowhere"}, 1, dir};
    assert_found(&rules, "D:\\data\\coco\\images\\\xc3\xa4 1.jpg", longer);
    assert_found(&rules, "/home/me/coco/images/\xc3\xa4 1.jpg", longer);
    assert_found(&rules, "d:/images/2.jpg", shorter);
    assert_found(&rules, "elsewhere/images/2.jpg", shorter);
    ptq_error err;
    char *path;
    bool found;
    assert_ok(path_find(&rules, "D:\\", &path, &found, &err));
    assert_false(found);
    mem_free(path);
    mem_free(longer), mem_free(shorter);
}

static void assert_labels_at(const char *image, const char *want)
{
    ptq_error err;
    char *path;
    assert_ok(label_path_of(image, &path, &err));
    assert_string_equal(path, want);
    mem_free(path);
}

static void labels_stand_where_yolov7_looks(void **state)
{
    const char *dir = *state;
    assert_labels_at("/d/images/val/a.b.jpeg", "/d/labels/val/a.b.txt");
    assert_labels_at("/d/pictures/a.jpg", "/d/pictures/a.txt");
    assert_labels_at("/d/images/x/images/a.jpg", "/d/labels/x/images/a.txt");
    char *image = path_join(dir, "images/x/images/a.jpg");
    char *label = make_file(dir, "images/x/labels/a.txt");
    assert_labels_at(image, label);
    mem_free(image), mem_free(label);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bases_are_tried_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_data_root_replaces_a_foreign_prefix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(labels_stand_where_yolov7_looks, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("dataset_path", tests, NULL, NULL);
}
