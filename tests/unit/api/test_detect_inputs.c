/* SPDX-License-Identifier: Apache-2.0 */
/* Which pictures the words of a command line name, and how their copies are called. */
#include "test.h"

#include <sys/stat.h>

#include "api/detect_inputs.h"

static ptq_error err;
static char dir[512];

static const char *path(const char *name)
{
    static char paths[8][600];
    static int next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof paths[0], "%s/%s", dir, name);
    return p;
}

static void touch(const char *name, const char *text)
{
    FILE *f = fopen(path(name), "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int set_up(void **state)
{
    (void)state;
    test_temp_dir(dir);
    assert_int_equal(mkdir(path("deep"), 0700), 0);
    touch("b.jpg", "");
    touch("a.png", "");
    touch("notes.doc", "");
    touch("deep/b.jpg", "");
    touch("list.txt", "./b.jpg\n./deep/b.jpg\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_temp_remove(dir);
    return 0;
}

static void expect(const char *const *words, const char *const *want)
{
    image_list found;
    int n = 0;
    assert_ok(detect_inputs_find(words, &found, &err));
    for (; want[n]; n++) {
        assert_true(n < found.n);
        const char *tail = found.paths[n] + strlen(found.paths[n]) - strlen(want[n]);
        assert_string_equal(tail, want[n]);
    }
    assert_int_equal(found.n, n);
    image_list_clear(&found);
}

static void folders_patterns_and_lists_name_pictures(void **state)
{
    (void)state;
    expect((const char *[]){dir, NULL}, (const char *[]){"/a.png", "/b.jpg", "/deep/b.jpg", NULL});
    expect((const char *[]){path("*.jpg"), NULL}, (const char *[]){"/b.jpg", NULL});
    expect((const char *[]){path("list.txt"), NULL},
           (const char *[]){"/b.jpg", "/deep/b.jpg", NULL});
    expect((const char *[]){path("b.jpg"), path("a.png"), path("*.jpg"), NULL},
           (const char *[]){"/b.jpg", "/a.png", NULL}); /* each once */
}

static void nothing_is_told(void **state)
{
    (void)state;
    image_list found;
    const char *absent[] = {path("c*.jpg"), NULL}, *none[] = {NULL};
    assert_status(detect_inputs_find(absent, &found, &err), PTQ_IO);
    assert_non_null(strstr(err.message, "c*.jpg"));
    assert_status(detect_inputs_find(none, &found, &err), PTQ_IO);
}

/* Two pictures of one name get two copies; a copy never replaces its picture. */
static void copies_have_names_of_their_own(void **state)
{
    (void)state;
    image_list found;
    char **copies;
    const char *words[] = {dir, NULL};
    assert_ok(detect_inputs_find(words, &found, &err));
    assert_ok(detect_outputs(&found, "/out", false, &copies, &err));
    assert_string_equal(copies[0], "/out/a.png");
    assert_string_equal(copies[1], "/out/b.jpg");
    assert_string_equal(copies[2], "/out/b-2.jpg");
    detect_outputs_free(copies, found.n);
    assert_status(detect_outputs(&found, dir, true, &copies, &err), PTQ_IO);
    assert_non_null(strstr(err.message, "is the picture itself"));
    image_list_clear(&found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_patterns_and_lists_name_pictures),
        cmocka_unit_test(nothing_is_told),
        cmocka_unit_test(copies_have_names_of_their_own),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
