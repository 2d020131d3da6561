/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/dataset.h"

#define PICTURE "tests/golden/images/jpeg420.jpg" /* 37 x 23 */
#define TWO_CLASSES "nc: 2\nnames: [cat, dog]\n"

/* A temporary folder with a data set in it, and the warnings that reading it gave. */
typedef struct fixture {
    char dir[512];
    char *yaml;
    int n_warnings;
    char warnings[4096];
    ptq_env env;
} fixture;

static void on_log(void *user, ptq_log_level level, const char *message)
{
    fixture *f = user;
    if (level != PTQ_LOG_WARNING)
        return;
    f->n_warnings++;
    size_t used = strlen(f->warnings);
    snprintf(f->warnings + used, sizeof f->warnings - used, "%s\n", message);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->yaml = path_join(test_temp_dir(f->dir), "data.yaml");
    f->env = (ptq_env){.log = on_log, .user = f};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    test_temp_remove(f->dir);
    mem_free(f->yaml);
    free(f);
    return 0;
}

static void put(const fixture *f, const char *name, const char *data, size_t size)
{
    ptq_error err;
    char *path = path_join(f->dir, name), *folder = path_dir(path);
    assert_ok(file_make_dirs(folder, &err));
    assert_ok(file_write(path, data, size, &err));
    mem_free(folder);
    mem_free(path);
}

static void put_text(const fixture *f, const char *name, const char *text)
{
    put(f, name, text, strlen(text));
}

static void put_picture(const fixture *f, const char *name, const char *source)
{
    ptq_error err;
    char *bytes;
    size_t size;
    assert_ok(file_read(source, 0, &bytes, &size, &err));
    put(f, name, bytes, size);
    mem_free(bytes);
}

static dataset *open_val(fixture *f, dataset_options options)
{
    ptq_error err;
    dataset *d = NULL;
    options.split = options.split ? options.split : "val";
    assert_ok(dataset_open(f->yaml, &options, &f->env, &d, &err));
    return d;
}

static void assert_fails(fixture *f, dataset_options options, const char *what)
{
    ptq_error err;
    dataset *d = NULL;
    options.split = options.split ? options.split : "val";
    assert_status(dataset_open(f->yaml, &options, &f->env, &d, &err), PTQ_DATA);
    assert_null(d);
    if (!strstr(err.message, what))
        fail_msg("'%s' is not in: %s", what, err.message);
}

static void assert_item(const dataset *d, int i, const char *end)
{
    if (!str_ends_with(d->items[i].path, end))
        fail_msg("item %d is '%s', not '%s'", i, d->items[i].path, end);
}

static void folders_are_searched_and_sorted(void **state)
{
    fixture *f = *state;
    put_text(f, "data.yaml", "val: images\nnc: 2\nnames: {1: dog, 0: cat}\n");
    put_picture(f, "images/val/b.JPG", PICTURE);
    put_picture(f, "images/a.png", "tests/golden/images/rgba.png");
    put_picture(f, "images/val/a.jpeg", PICTURE);
    put_picture(f, "images/.hidden/c.jpg", PICTURE);
    put_picture(f, "images/.d.jpg", PICTURE);
    put_text(f, "images/notes.txt", "no picture");
    put_text(f, "labels/val/a.txt", "1 .5 .5 .1 .1\n0 .5 .5 .2 .2\n");
    put_text(f, "labels/a.txt", "");
    char *link = path_join(f->dir, "images/val/loop");
    char *target = path_join(f->dir, "images");
    assert_int_equal(symlink(target, link), 0);
    dataset *d = open_val(f, (dataset_options){0});
    assert_int_equal(d->n_items, 3);
    assert_item(d, 0, "images/a.png");
    assert_item(d, 1, "images/val/a.jpeg");
    assert_item(d, 2, "images/val/b.JPG");
    assert_int_equal(d->items[0].width, 37);
    assert_int_equal(d->items[0].height, 23);
    assert_int_equal(d->n_labels, 2);
    assert_int_equal(d->items[1].labels[0].cls, 1);
    assert_int_equal(d->n_missing, 1);
    assert_int_equal(d->n_empty, 1);
    assert_string_equal(d->class_names[1], "dog");
    assert_null(d->annotations);
    assert_int_equal(f->n_warnings, 0);
    mem_free(link), mem_free(target);
    dataset_destroy(d);
}

static void lists_from_windows_are_read(void **state)
{
    fixture *f = *state;
    put_text(f, "data.yaml",
             "path: .\nval: [lists/val.txt, lists\\more.txt]\n" TWO_CLASSES
             "annotations: instances.json\n");
    put_text(
        f, "lists/val.txt",
        "\xef\xbb\xbf./images/b.jpg\r\n.\\images\\a b.jpg\r\n\r\nlists/images/\xc3\xa4.jpg  \r\n"
        "./images/b.jpg\r\nreadme.md\r\n");
    put_text(f, "lists/more.txt", "E:\\sets\\mine\\images\\d.jpg");
    put_picture(f, "lists/images/a b.jpg", PICTURE);
    put_picture(f, "lists/images/b.jpg", PICTURE);
    put_picture(f, "lists/images/\xc3\xa4.jpg", PICTURE);
    put_picture(f, "root/mine/images/d.jpg", PICTURE);
    char *root = path_join(f->dir, "root");
    dataset *d = open_val(f, (dataset_options){.data_root = root, .list_order = true});
    assert_int_equal(d->n_items, 4);
    assert_item(d, 0, "/lists/images/b.jpg");
    assert_item(d, 1, "/lists/images/a b.jpg");
    assert_item(d, 2, "/lists/images/\xc3\xa4.jpg");
    assert_item(d, 3, "root/mine/images/d.jpg");
    assert_true(str_ends_with(d->annotations, "/instances.json"));
    dataset_destroy(d);
    /* The first two of the list, then sorted. */
    d = open_val(f, (dataset_options){.data_root = root, .limit = 2});
    assert_int_equal(d->n_items, 2);
    assert_item(d, 0, "a b.jpg");
    assert_item(d, 1, "b.jpg");
    dataset_destroy(d);
    mem_free(root);
}

static void unusable_images_are_left_out_with_a_warning(void **state)
{
    fixture *f = *state;
    put_text(f, "data.yaml", "val: val.txt\n" TWO_CLASSES);
    put_text(f, "val.txt",
             "./images/broken.jpg\n./images/gone.jpg\n./images/good.jpg\n./images/nan.jpg\n"
             "./images/page.jpg\n./images/tiny.jpg\n");
    put_text(f, "images/broken.jpg", "\xff\xd8\xff\xe0 and then nothing of use");
    put_text(f, "images/page.jpg", "<html>404</html>");
    put_picture(f, "images/good.jpg", PICTURE);
    put_picture(f, "images/nan.jpg", PICTURE);
    put_picture(f, "images/tiny.jpg", "tests/golden/images/turned.png"); /* 12 x 8, turned */
    put_text(f, "labels/nan.txt", "0 .5 .5 nan .1\n");
    put_text(f, "labels/good.txt", "0 .5 .5 .1 .1\n");
    dataset *d = open_val(f, (dataset_options){.need_labels = true});
    assert_int_equal(d->n_items, 1);
    assert_item(d, 0, "good.jpg");
    assert_int_equal(d->n_corrupt, 5);
    assert_int_equal(f->n_warnings, 6); /* each, and their number */
    assert_non_null(strstr(f->warnings, "gone.jpg"));
    assert_non_null(strstr(f->warnings, "nan.txt' line 1"));
    assert_non_null(strstr(f->warnings, "tiny.jpg' has 8 x 12"));
    assert_non_null(strstr(f->warnings, "5 of 6 images are left out"));
    dataset_destroy(d);
}

static void turned_pictures_swap_sides_for_6_and_8_alone(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"1", "3", "5", "6", "7", "8"};
    char source[128], name[128];
    put_text(f, "data.yaml", "val: images\n" TWO_CLASSES);
    for (int i = 0; i < 6; i++) {
        snprintf(source, sizeof source, "tests/golden/images/exif%s.jpg", names[i]);
        snprintf(name, sizeof name, "images/%s.jpg", names[i]);
        put_picture(f, name, source);
    }
    dataset *d = open_val(f, (dataset_options){0});
    assert_int_equal(d->n_items, 6);
    for (int i = 0; i < 6; i++) {
        bool is_swapped = names[i][0] == '6' || names[i][0] == '8';
        assert_int_equal(d->items[i].width, is_swapped ? 12 : 16);
        assert_int_equal(d->items[i].height, is_swapped ? 16 : 12);
    }
    dataset_destroy(d);
}

static void bad_yamls_say_what_is_wrong(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *yaml, *what;
    } cases[] = {
        {"val: images\nnc: 3\nnames: [cat, dog]\n", "line 3: 'names' has 2 entries, but 'nc' is 3"},
        {"val: images\nnc: x\nnames: [cat, dog]\n", "line 2: 'nc'"},
        {"val: images\n", "neither 'nc' nor 'names'"},
        {"val: images\nnames: {0: cat, 2: dog}\n", "it has '2'"},
        {"val: images\nnames: {0: cat, 0: dog}\n", "line 2"},
        {"val: images\nnames: [[cat]]\n", "class name"},
        {"val: images\nnames: 7\n", "'names' should list"},
        {"train: images\n" TWO_CLASSES, "no 'val' set"},
        {"val:\n" TWO_CLASSES, "no 'val' set"},
        {"val: {a: b}\n" TWO_CLASSES, "line 1: 'val' should name"},
        {"val: nowhere.txt\n" TWO_CLASSES, "does not exist; correct the path or give --data-root"},
        {"val: empty\n" TWO_CLASSES, "holds no image"},
        {"val: empty.txt\n" TWO_CLASSES, "holds no image"},
        {"val: gone.txt\n" TWO_CLASSES, "none of the 2 images"},
        {"val: zero.txt\n" TWO_CLASSES, "zero byte"},
        {"val: images\npath: [a]\n" TWO_CLASSES, "'path' should be"},
        {"val: images\nannotations: [a]\n" TWO_CLASSES, "'annotations' should"},
        {"- a\n- b\n", "not a data yaml"},
        {"val: [images\n", "line"},
        {"val: images\nnc: 1\n", "class 1, but the data set has 1 classes"},
    };
    put_picture(f, "images/a.jpg", PICTURE);
    put_text(f, "labels/a.txt", "1 .5 .5 .1 .1\n");
    put_text(f, "empty/readme", "");
    put_text(f, "empty.txt", "\n\n");
    put_text(f, "gone.txt", "D:\\coco\\images\\1.jpg\nD:\\coco\\images\\2.jpg\n");
    put(f, "zero.txt", "a.jpg\0b.jpg", 11);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_text(f, "data.yaml", cases[i].yaml);
        assert_fails(f, (dataset_options){0}, cases[i].what);
    }
    assert_fails(f, (dataset_options){.data_root = "/nowhere", .split = "test"}, "no 'test' set");
    put_text(f, "data.yaml", "val: images\nnc: 1\n");
    dataset *d = open_val(f, (dataset_options){.single_class = true});
    assert_string_equal(d->class_names[0], "0");
    dataset_destroy(d);
    put_text(f, "data.yaml", "val: unlabelled\nnc: 1\n");
    put_picture(f, "unlabelled/a.jpg", PICTURE);
    assert_fails(f, (dataset_options){.need_labels = true}, "unlabelled/a.txt");
}

static void a_missing_yaml_is_an_io_error(void **state)
{
    (void)state;
    ptq_error err;
    dataset *d;
    assert_status(dataset_open("/no/such.yaml", &(dataset_options){.split = "val"}, NULL, &d, &err),
                  PTQ_IO);
}

/* Every fourth picture is for evaluating, the others for calibration: no picture serves both. */
static void a_folder_stands_for_a_data_set(void **state)
{
    fixture *f = *state;
    ptq_error err;
    static const char *const names[] = {"a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"};
    for (int i = 0; i < 5; i++)
        put_picture(f, names[i], PICTURE);
    dataset *d;
    dataset_options options = {.split = "train", .n_classes = 7};
    assert_ok(dataset_open(f->dir, &options, NULL, &d, &err));
    assert_int_equal(d->n_items, 4);
    assert_int_equal(d->n_classes, 7);
    assert_string_equal(d->class_names[6], "class 6"); /* neither folder nor model names any */
    assert_item(d, 3, "e.jpg");
    dataset_destroy(d);
    options.class_names = (char *[7]){"a", "b", "c", "d", "e", "f", "g"};
    assert_ok(dataset_open(f->dir, &options, NULL, &d, &err));
    assert_string_equal(d->class_names[6], "g");
    dataset_destroy(d);
    options.split = "val";
    assert_ok(dataset_open(f->dir, &options, NULL, &d, &err));
    assert_int_equal(d->n_items, 1);
    assert_item(d, 0, "d.jpg");
    dataset_destroy(d);
}

static void cancelling_stops_the_scan(void **state)
{
    fixture *f = *state;
    ptq_error err;
    dataset *d;
    int stop = 1;
    put_text(f, "data.yaml", "val: images\nnc: 1\n");
    put_picture(f, "images/a.jpg", PICTURE);
    f->env.cancel = &stop;
    assert_status(dataset_open(f->yaml, &(dataset_options){.split = "val"}, &f->env, &d, &err),
                  PTQ_CANCELLED);
}

static void written_lists_are_sorted_and_absolute(void **state)
{
    fixture *f = *state;
    ptq_error err;
    int n;
    char *bytes;
    size_t size;
    put_picture(f, "images/b/x.jpg", PICTURE);
    put_picture(f, "images/a.jpg", PICTURE);
    put_picture(f, "images/b-/x.jpg", PICTURE);
    char *dir = path_join(f->dir, "images/"), *list = path_join(f->dir, "val.txt");
    assert_ok(dataset_write_list(dir, list, &n, &err));
    assert_int_equal(n, 3);
    assert_ok(file_read(list, 0, &bytes, &size, &err));
    char want[2048];
    snprintf(want, sizeof want, "%sa.jpg\n%sb-/x.jpg\n%sb/x.jpg\n", dir, dir, dir);
    assert_string_equal(bytes, want);
    mem_free(bytes);
    /* A relative folder becomes an absolute one. */
    assert_ok(dataset_write_list("./tests/golden/images", list, &n, &err));
    assert_ok(file_read(list, 0, &bytes, &size, &err));
    assert_int_equal(bytes[0], '/');
    *strchr(bytes, '\n') = '\0';
    assert_true(file_exists(bytes));
    mem_free(bytes);
    assert_status(dataset_write_list("/no/such/dir", list, &n, &err), PTQ_IO);
    assert_status(dataset_write_list("src/data", list, &n, &err), PTQ_DATA);
    mem_free(dir), mem_free(list);
}

static void assert_counts(const char *yaml, const char *split, int images, int labels)
{
    ptq_error err;
    char path[512];
    dataset *d;
    dataset_options options = {.split = split};
    assert_ok(dataset_open(test_shared(yaml, path), &options, NULL, &d, &err));
    assert_int_equal(d->n_items, images);
    assert_int_equal(d->n_labels, labels);
    assert_int_equal(d->n_corrupt, 0);
    assert_non_null(d->annotations);
    assert_true(file_exists(d->annotations));
    dataset_destroy(d);
}

/* Expected: check.json (images) and golden metrics.json (labels per class, added up). */
static void golden_sets_have_their_counts(void **state)
{
    (void)state;
    assert_counts("shapes/data.yaml", "val", 308, 1684);
    assert_counts("shapes/data.yaml", "train", 100, 548);
    assert_counts("yolov5n/coco128/data.yaml", "val", 128, 929);
    assert_counts("yolov5n/cocoval/data.yaml", "val", 206, 1683);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(folders_are_searched_and_sorted),
        CASE(lists_from_windows_are_read),
        CASE(unusable_images_are_left_out_with_a_warning),
        CASE(turned_pictures_swap_sides_for_6_and_8_alone),
        CASE(bad_yamls_say_what_is_wrong),
        CASE(a_folder_stands_for_a_data_set),
        CASE(cancelling_stops_the_scan),
        CASE(written_lists_are_sorted_and_absolute),
        cmocka_unit_test(a_missing_yaml_is_an_io_error),
        cmocka_unit_test(golden_sets_have_their_counts),
    };
    return cmocka_run_group_tests_name("dataset", tests, NULL, NULL);
}
