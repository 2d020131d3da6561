/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "base/mem.h"
#include "data/same_pictures.h"
#include "test.h"

static ptq_error err;

static void names_do_not_matter_contents_do(void **state)
{
    (void)state;
    char dir[512];
    test_temp_dir(dir);
    static const char *const names[] = {"a.jpg", "b.jpg", "c.jpg"};
    static const char *const contents[] = {"one", "two", "one"};
    image_item items[4] = {{0}};
    for (int i = 0; i < 3; i++) {
        items[i].path = path_join(dir, names[i]);
        assert_ok(file_write(items[i].path, contents[i], 3, &err));
    }
    items[3].path = path_join(dir, "absent.jpg");
    dataset a = {.items = items, .n_items = 1}, b = {.items = items + 1, .n_items = 3};
    int n;
    const char *first;
    assert_ok(same_pictures(&a, &b, &n, &first, &err));
    assert_int_equal(n, 1);
    assert_ptr_equal(first, items[2].path);
    b.n_items = 1;
    assert_ok(same_pictures(&a, &b, &n, &first, &err));
    assert_int_equal(n, 0);
    assert_null(first);
    for (int i = 0; i < 4; i++)
        mem_free(items[i].path);
    test_temp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_do_not_matter_contents_do)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
