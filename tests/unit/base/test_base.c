/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/arena.h"
#include "base/blob.h"
#include "base/file.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/strmap.h"

#include <sys/stat.h>
#include <unistd.h>

static void error_context_goes_in_front(void **state)
{
    (void)state;
    ptq_error err;
    assert_int_equal(error_set(&err, PTQ_FORMAT, "byte %d is wrong", 7), PTQ_FORMAT);
    error_context(&err, "cannot load '%s'", "x.pt");
    assert_string_equal(err.message, "cannot load 'x.pt': byte 7 is wrong");
    assert_int_equal(ptq_status_exit_code(PTQ_FORMAT), 4);
    assert_int_equal(error_set(NULL, PTQ_IO, "nobody listens"), PTQ_IO);
}

/* Expected values: IEEE 754 binary16. */
static void half_is_exact(void **state)
{
    (void)state;
    assert_float_equal(half_to_float(0x3c00), 1.0f, 0);
    assert_float_equal(half_to_float(0x0001), 0x1p-24f, 0);
    assert_float_equal(half_to_float(0x7bff), 65504.0f, 0);
    for (uint32_t h = 0; h < 0x10000; h++) {
        if ((h & 0x7c00) == 0x7c00 && (h & 0x3ff))
            continue; /* NaN payloads are not kept */
        assert_int_equal(half_from_float(half_to_float((uint16_t)h)), h);
        assert_int_equal(bfloat_from_float(bfloat_to_float((uint16_t)(h & 0xff7f))), h & 0xff7f);
    }
    assert_int_equal(half_from_float(65520.0f), 0x7c00);
    assert_int_equal(half_from_float(65519.0f), 0x7bff);
    assert_int_equal(half_from_float(1.0f + 0x1p-11f), 0x3c00); /* tie to even */
    assert_int_equal(half_from_float(1.0f + 0x3p-11f), 0x3c02);
    assert_int_equal(bfloat_from_float(1.0f + 0x1p-8f), 0x3f80);
}

/* FIPS 180-4 examples: "abc" and a million times "a", given in uneven pieces. */
static void sha256_of_examples(void **state)
{
    (void)state;
    sha256 s;
    char hex[65], as[1000];
    sha256_init(&s);
    sha256_add(&s, "abc", 3);
    sha256_hex(&s, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    memset(as, 'a', sizeof as);
    sha256_init(&s);
    for (int i = 0; i < 1000; i++) {
        size_t first = (size_t)(i * 37 % 1000);
        sha256_add(&s, as, first);
        sha256_add(&s, as, sizeof as - first);
    }
    sha256_hex(&s, hex);
    assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void outputs_are_whole_or_absent(void **state)
{
    (void)state;
    ptq_error err;
    char dir[512];
    test_temp_dir(dir);
    char *path = path_join(dir, "a.txt");
    file_out out;
    assert_ok(file_out_open(&out, path, &err));
    fputs("half", out.stream);
    file_out_abort(&out);
    assert_false(file_exists(path));
    assert_ok(file_write(path, "whole", 5, &err));
    char *data;
    size_t size;
    assert_ok(file_read(path, 0, &data, &size, &err));
    assert_int_equal(size, 5);
    assert_string_equal(data, "whole");
    mem_free(data);
    assert_status(file_read(path, 4, &data, &size, &err), PTQ_LIMIT);
    assert_status(file_read("/no/such/file", 0, &data, &size, &err), PTQ_IO);
    assert_status(file_write("/no/such/dir/file", "x", 1, &err), PTQ_IO);
    mem_free(path);
    test_temp_remove(dir);
}

static void links_stay_links(void **state)
{
    (void)state;
    ptq_error err;
    char dir[512];
    struct stat st;
    test_temp_dir(dir);
    char *path = path_join(dir, "a.txt"), *link = path_join(dir, "link");
    char *lost = path_join(dir, "lost");
    assert_ok(file_write(path, "old", 3, &err));
    assert_int_equal(symlink("a.txt", link), 0);
    assert_int_equal(symlink("nowhere", lost), 0);
    assert_ok(file_write(link, "newer", 5, &err));
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISREG(st.st_mode) && st.st_size == 5);
    assert_status(file_write(lost, "x", 1, &err), PTQ_IO);
    assert_non_null(strstr(err.message, "a link that leads nowhere"));
    mem_free(path);
    mem_free(link);
    mem_free(lost);
    test_temp_remove(dir);
}

static void devices_are_not_replaced(void **state)
{
    (void)state;
    ptq_error err;
    struct stat st;
    assert_ok(file_check_writable("/dev/null", &err));
    assert_ok(file_write("/dev/null", "x", 1, &err));
    assert_int_equal(lstat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_status(file_write("/dev/full", "x", 1, &err), PTQ_IO);
    assert_non_null(strstr(err.message, "No space left"));
}

static void a_lock_has_one_holder(void **state)
{
    (void)state;
    ptq_error err;
    char dir[512];
    test_temp_dir(dir);
    char *path = path_join(dir, "work"), *name = path_join(dir, "work.lock");
    assert_true(path && name);
    file_lock mine = {0}, theirs = {0};
    assert_ok(file_lock_take(&mine, path, &err));
    assert_status(file_lock_take(&theirs, path, &err), PTQ_IO);
    assert_non_null(strstr(err.message, "is in use by another run"));
    file_lock_release(&theirs);
    assert_true(file_exists(name));
    file_lock_release(&mine);
    assert_false(file_exists(name));
    assert_ok(file_write(name, "", 0, &err)); /* its holder died */
    assert_ok(file_lock_take(&theirs, path, &err));
    file_lock_release(&theirs);
    assert_status(file_lock_take(&mine, "/no/such/dir/x", &err), PTQ_IO);
    mem_free(path);
    mem_free(name);
    test_temp_remove(dir);
}

static void near_words_are_found(void **state)
{
    (void)state;
    static const char *const words[] = {"quantize", "calibrate", "eval", NULL};
    assert_string_equal(str_nearest("quantise", words), "quantize");
    assert_string_equal(str_nearest("evla", words), "eval");
    assert_null(str_nearest("banana", words));
}

static void maps_and_arenas_keep_what_they_got(void **state)
{
    (void)state;
    strmap *m = strmap_create();
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_true(strmap_put(m, key, i));
    }
    int64_t value;
    assert_true(strmap_get(m, "k777", &value));
    assert_int_equal(value, 777);
    assert_false(strmap_get(m, "k1000", &value));
    strmap_destroy(m);
    arena *a = arena_create(1000);
    assert_non_null(arena_alloc(a, 10, 10));
    assert_null(arena_alloc(a, 10, 100));
    assert_null(arena_alloc(a, SIZE_MAX / 2, 4));
    arena_destroy(a);
}

static void slices_keep_the_whole(void **state)
{
    (void)state;
    assert_int_equal(blob_slice_bytes(0), MEM_PAD);
    assert_int_equal(blob_slice_bytes(1), MEM_PAD + 64);
    blob *whole = blob_create(1000), *first = blob_slice(whole, 0, 10);
    blob *second = blob_slice(whole, blob_slice_bytes(10), 20);
    assert_true(blob_is_shared(whole));
    assert_false(blob_is_shared(first));
    assert_ptr_equal(blob_data(first), blob_data(whole));
    assert_ptr_equal(blob_data(second), (char *)blob_data(whole) + 128);
    assert_int_equal(blob_size(second), 20);
    blob_unref(&first);
    blob_unref(&whole);
    memset(blob_data(second), 7, 20); /* a freed whole would be found by the sanitizer */
    blob_unref(&second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_context_goes_in_front),
        cmocka_unit_test(half_is_exact),
        cmocka_unit_test(sha256_of_examples),
        cmocka_unit_test(outputs_are_whole_or_absent),
        cmocka_unit_test(links_stay_links),
        cmocka_unit_test(devices_are_not_replaced),
        cmocka_unit_test(a_lock_has_one_holder),
        cmocka_unit_test(near_words_are_found),
        cmocka_unit_test(maps_and_arenas_keep_what_they_got),
        cmocka_unit_test(slices_keep_the_whole),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
