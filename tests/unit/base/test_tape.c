/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/tape.h"

static const char OWN[65] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const char OTHER[65] = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

static char path[] = "/tmp/ptq-tape-XXXXXX";

static int begin(void **state)
{
    (void)state;
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    int fd = mkstemp(path);
    return fd < 0 || close(fd);
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static void count_warning(void *user, ptq_log_level level, const char *message)
{
    (void)message;
    *(int *)user += level == PTQ_LOG_WARNING;
}

static tape *open_own(const ptq_env *env)
{
    ptq_error err;
    tape *t = NULL;
    assert_ok(tape_open(path, env, &t, &err));
    return t;
}

static long size_of_file(void)
{
    struct stat st;
    return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

/* Without file_write()'s wait for the disk. */
static void write_file(const char *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

/* Three numbers, as a stopped run leaves them. */
static void keep_three(void)
{
    tape *t = open_own(NULL);
    assert_true(tape_bind(t, "run", OWN));
    for (int i = 1; i <= 3; i++)
        tape_keep(t, "number", &i, sizeof i);
    tape_close(t, false);
}

static void what_was_kept_comes_back_in_order(void **state)
{
    (void)state;
    int warnings = 0, x = 0;
    ptq_env env = {.log = count_warning, .user = &warnings};
    keep_three();
    tape *t = open_own(&env);
    assert_true(tape_bind(t, "run", OWN));
    assert_int_equal(warnings, 1); /* that it goes on */
    for (int i = 1; i <= 3; i++) {
        size_t size = 0;
        assert_false(tape_recall(t, "other", &x, sizeof x));
        assert_false(tape_recall(t, "number", &x, 3));
        assert_true(tape_peek(t, "number", &size));
        assert_int_equal(size, sizeof x);
        assert_true(tape_recall(t, "number", &x, sizeof x));
        assert_int_equal(x, i);
    }
    assert_false(tape_recall(t, "number", &x, sizeof x));
    tape_close(t, true);
    assert_int_equal(size_of_file(), -1);
}

/* A result that is not asked for again: what stands behind it is of no use. */
static void another_result_drops_the_rest(void **state)
{
    (void)state;
    int x = 0, new = 7;
    keep_three();
    tape *t = open_own(NULL);
    assert_true(tape_bind(t, "run", OWN));
    assert_true(tape_recall(t, "number", &x, sizeof x));
    tape_keep(t, "new", &new, sizeof new);
    tape_close(t, false);
    t = open_own(NULL);
    assert_true(tape_bind(t, "run", OWN));
    assert_true(tape_recall(t, "number", &x, sizeof x));
    assert_true(tape_recall(t, "new", &x, sizeof x));
    assert_int_equal(x, 7);
    assert_false(tape_recall(t, "number", &x, sizeof x));
    tape_close(t, true);
}

static void another_run_begins_anew(void **state)
{
    (void)state;
    int warnings = 0, x;
    ptq_env env = {.log = count_warning, .user = &warnings};
    keep_three();
    tape *t = open_own(&env);
    assert_true(tape_find(t, "number", &x, sizeof x));
    assert_int_equal(x, 3);
    assert_false(tape_bind(t, "run", OTHER));
    assert_int_equal(warnings, 1);
    assert_false(tape_recall(t, "number", &x, sizeof x));
    assert_false(tape_holds_results(t));
    tape_close(t, false);
    assert_int_equal(size_of_file(), -1); /* nothing was kept */
}

/* Cut anywhere, and with any byte changed: whole results in front of it, never a wrong one. */
static void a_damaged_tape_gives_no_wrong_result(void **state)
{
    (void)state;
    char *bytes;
    size_t size;
    ptq_error err;
    keep_three();
    assert_ok(file_read(path, 0, &bytes, &size, &err));
    for (size_t i = 0; i < 2 * size; i++) {
        bool is_cut = i >= size;
        char old = bytes[i % size];
        if (!is_cut)
            bytes[i] = (char)(old ^ 0x55);
        write_file(bytes, is_cut ? i - size : size);
        bytes[i % size] = old;
        tape *t = open_own(NULL);
        (void)!tape_bind(t, "run", OWN);
        int x, n = 0;
        while (tape_recall(t, "number", &x, sizeof x))
            assert_int_equal(x, ++n);
        assert_true(n < 3 || !is_cut); /* behind the end of a name any byte will do */
        tape_close(t, false);
    }
    mem_free(bytes);
}

static void a_part_that_is_missing_returns_to_the_first(void **state)
{
    (void)state;
    int x;
    keep_three();
    tape *t = open_own(NULL);
    assert_true(tape_bind(t, "run", OWN));
    int64_t place = tape_place(t);
    assert_true(tape_recall(t, "number", &x, sizeof x));
    tape_return(t, place);
    assert_true(tape_recall(t, "number", &x, sizeof x));
    assert_int_equal(x, 1);
    tape_close(t, true);
}

static void one_run_has_it(void **state)
{
    (void)state;
    ptq_error err;
    tape *mine = open_own(NULL), *theirs = NULL;
    assert_status(tape_open(path, NULL, &theirs, &err), PTQ_IO);
    assert_non_null(strstr(err.message, "in use by another run"));
    tape_close(mine, false);
    assert_status(tape_open("/no/such/dir/x", NULL, &theirs, &err), PTQ_IO);
}

/* /dev/full has no room: the run goes on. */
static void what_cannot_be_written_is_told_once(void **state)
{
    (void)state;
    int warnings = 0, x = 1;
    ptq_env env = {.log = count_warning, .user = &warnings};
    tape *t = NULL;
    ptq_error err;
    unlink(path);
    assert_int_equal(symlink("/dev/full", path), 0);
    assert_ok(tape_open(path, &env, &t, &err));
    assert_true(tape_bind(t, "run", OWN));
    tape_keep(t, "number", &x, sizeof x);
    tape_keep(t, "number", &x, sizeof x);
    assert_int_equal(warnings, 1);
    tape_close(t, true);
}

static void no_tape_keeps_nothing(void **state)
{
    (void)state;
    int x = 1;
    tape_keep(NULL, "number", &x, sizeof x);
    assert_false(tape_recall(NULL, "number", &x, sizeof x));
    assert_true(tape_bind(NULL, "run", OWN));
    assert_false(tape_holds_results(NULL));
    tape_return(NULL, tape_place(NULL));
    tape_close(NULL, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_kept_comes_back_in_order, begin, end),
        cmocka_unit_test_setup_teardown(another_result_drops_the_rest, begin, end),
        cmocka_unit_test_setup_teardown(another_run_begins_anew, begin, end),
        cmocka_unit_test_setup_teardown(a_damaged_tape_gives_no_wrong_result, begin, end),
        cmocka_unit_test_setup_teardown(a_part_that_is_missing_returns_to_the_first, begin, end),
        cmocka_unit_test_setup_teardown(one_run_has_it, begin, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_written_is_told_once, begin, end),
        cmocka_unit_test(no_tape_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
