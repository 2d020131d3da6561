/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "data/label_file.h"

typedef struct fixture {
    char dir[512];
    char *path;
    arena *memory;
} fixture;

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->path = path_join(test_temp_dir(f->dir), "a.txt");
    f->memory = arena_create(0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    test_temp_remove(f->dir);
    mem_free(f->path);
    arena_destroy(f->memory);
    free(f);
    return 0;
}

static ptq_status read_text(fixture *f, const char *text, label_rules rules, label **labels, int *n,
                            ptq_error *err)
{
    if (file_write(f->path, text, strlen(text), err) != PTQ_OK)
        fail_msg("%s", err->message);
    return label_file_read(f->path, &rules, f->memory, labels, n, err);
}

static void boxes_are_read(void **state)
{
    fixture *f = *state;
    ptq_error err;
    label *labels;
    int n;
    assert_ok(read_text(f, "\n 3 0.5 0.25 1 0\r\n0.0\t1e-1 .2 0.3 4.0E-1  \n\n",
                        (label_rules){8, false}, &labels, &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(labels[0].cls, 3);
    assert_float_equal(labels[0].y, 0.25f, 0);
    assert_float_equal(labels[0].w, 1, 0);
    assert_int_equal(labels[1].cls, 0);
    assert_true(labels[1].x == 0.1f && labels[1].h == 0.4f);
    assert_ok(read_text(f, "", (label_rules){8, false}, &labels, &n, &err));
    assert_int_equal(n, 0);
    assert_ok(read_text(f, " \n\t\n", (label_rules){8, false}, &labels, &n, &err));
    assert_int_equal(n, 0);
}

/* data.md §2: minimum and maximum of the corners, then centre and size. */
static void polygons_become_boxes(void **state)
{
    fixture *f = *state;
    ptq_error err;
    label *labels;
    int n;
    assert_ok(read_text(f, "1 0.2 0.5 0.6 0.25 0.4 0.75 0.3 0.5\n2 0.1 0.2 0.3 0.4\n",
                        (label_rules){8, false}, &labels, &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(labels[0].cls, 1);
    assert_true(labels[0].x == (0.2f + 0.6f) / 2 && labels[0].y == 0.5f);
    assert_true(labels[0].w == 0.6f - 0.2f && labels[0].h == 0.5f);
    /* One long line makes the short one a polygon too: two corners, not centre and size. */
    assert_true(labels[1].x == (0.1f + 0.3f) / 2 && labels[1].h == 0.4f - 0.2f);
    assert_status(read_text(f, "1 .2 .5 .6 .25 .4 .75 .3\n1 .2 .5 .6 .25 .4 .75 .3 .5 .1\n",
                            (label_rules){8, false}, &labels, &n, &err),
                  PTQ_FORMAT);
}

static void spoiled_files_name_the_line(void **state)
{
    fixture *f = *state;
    static const struct {
        const char *text, *where, *what;
    } cases[] = {
        {"0 .5 .5 .1 .1\n0 .5 .5 .1\n", "line 2", "5 columns"},
        {"0 .5 .5 .1 .1 .9\n", "line 1", "5 columns"},
        {"\n\n0 .5 .5 .1 -.1\n", "line 3", "negative"},
        {"-1 .5 .5 .1 .1\n", "line 1", "negative"},
        {"0 .5 .5 .1 1.01\n", "line 1", "above 1"},
        {"0 .5 .5 .1 nan\n", "line 1", "not a number"},
        {"0 .5 .5 .1 inf\n", "line 1", "not a number"},
        {"0 .5 .5 .1 1e999\n", "line 1", "above 1"},
        {"0 .5 .5 .1 0x1\n", "line 1", "not a number"},
        {"0 .5 .5 .1 .1.1\n", "line 1", "not a number"},
        {"cat .5 .5 .1 .1\n", "line 1", "not a number"},
        {"0.5 .5 .5 .1 .1\n", "line 1", "whole"},
        {"0 .5 .5 .1 .1\n\n1 .5 .5 .1 .1\n", "line 2", "5 columns"},
        {"0 .5 .5 .1 .1\n1 .5 .5 .1 .1\n2 .5 .5 0 .1\n0 .50 .5 .1 .1\n2 .5 .5 -0 .1\n", "line 4",
         "twice"},
    };
    ptq_error err;
    label *labels = NULL;
    int n = -1;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_status(read_text(f, cases[i].text, (label_rules){8, false}, &labels, &n, &err),
                      PTQ_FORMAT);
        if (!strstr(err.message, cases[i].where) || !strstr(err.message, cases[i].what))
            fail_msg("case %zu: %s", i, err.message);
        assert_non_null(strstr(err.message, f->path));
    }
    assert_null(labels);
    assert_int_equal(n, -1);
    assert_ok(file_write(f->path, "0 .5\0.5 .1 .1", 13, &err));
    assert_status(label_file_read(f->path, &(label_rules){8, false}, f->memory, &labels, &n, &err),
                  PTQ_FORMAT);
}

static void unknown_classes_stop(void **state)
{
    fixture *f = *state;
    ptq_error err;
    label *labels;
    int n;
    const char *text = "0 .5 .5 .1 .1\n8 .5 .5 .1 .1\n";
    assert_status(read_text(f, text, (label_rules){8, false}, &labels, &n, &err), PTQ_DATA);
    assert_non_null(strstr(err.message, "line 2"));
    assert_non_null(strstr(err.message, "class 8"));
    assert_status(read_text(f, "1e30 .5 .5 .1 .1", (label_rules){8, false}, &labels, &n, &err),
                  PTQ_DATA);
    assert_ok(read_text(f, text, (label_rules){8, true}, &labels, &n, &err));
    assert_int_equal(labels[1].cls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(boxes_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(polygons_become_boxes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spoiled_files_name_the_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_classes_stop, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("label_file", tests, NULL, NULL);
}
