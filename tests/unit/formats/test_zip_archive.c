/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <zip.h>

#include "base/file.h"
#include "base/mem.h"
#include "formats/zip_archive.h"

static const char TEXT[] = "0123456789 0123456789 0123456789 0123456789";

/* Two records of the same bytes, stored and packed. */
static char *make_zip(const char *dir)
{
    char *path = path_join(dir, "t.zip");
    zip_t *z = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(z);
    for (int i = 0; i < 2; i++) {
        zip_int64_t at = zip_file_add(z, i ? "root/packed" : "root/stored",
                                      zip_source_buffer(z, TEXT, sizeof TEXT, 0), 0);
        assert_true(at >= 0);
        assert_int_equal(
            zip_set_file_compression(z, (zip_uint64_t)at, i ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0), 0);
    }
    assert_int_equal(zip_close(z), 0);
    return path;
}

/* Changes the first '3' of the stored record. */
static void spoil(const char *path)
{
    ptq_error err;
    char *data;
    size_t size;
    assert_ok(file_read(path, 0, &data, &size, &err));
    for (size_t i = 0; i + 10 < size; i++)
        if (memcmp(data + i, "0123456789", 10) == 0) {
            data[i + 3] = 'x';
            break;
        }
    assert_ok(file_write(path, data, size, &err));
    mem_free(data);
}

static void cut_in_half(const char *path)
{
    ptq_error err;
    char *data;
    size_t size;
    assert_ok(file_read(path, 0, &data, &size, &err));
    assert_ok(file_write(path, data, size / 2, &err));
    mem_free(data);
}

static void records_are_read(void **state)
{
    (void)state;
    ptq_error err;
    char dir[512], *path = make_zip(test_temp_dir(dir)), *data;
    zip_archive *z;
    bool crc_matches;
    assert_ok(zip_archive_open(path, &z, &err));
    assert_int_equal(zip_archive_n_records(z), 2);
    assert_string_equal(zip_archive_name(z, 0), "root/stored");
    assert_int_equal(zip_archive_find(z, "root/packed"), 1);
    assert_int_equal(zip_archive_find(z, "packed"), -1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(zip_archive_size(z, i), sizeof TEXT);
        assert_ok(zip_archive_read(z, i, sizeof TEXT, &data, &crc_matches, &err));
        assert_true(crc_matches);
        assert_memory_equal(data, TEXT, sizeof TEXT);
    }
    assert_status(zip_archive_read(z, 0, sizeof TEXT - 1, &data, NULL, &err), PTQ_LIMIT);
    zip_archive_destroy(z);
    mem_free(path);
    test_temp_remove(dir);
}

static void damage_is_told(void **state)
{
    (void)state;
    ptq_error err;
    char dir[512], *path = make_zip(test_temp_dir(dir)), *data;
    zip_archive *z;
    bool crc_matches;
    spoil(path);
    assert_ok(zip_archive_open(path, &z, &err));
    assert_ok(zip_archive_read(z, 0, 1000, &data, &crc_matches, &err));
    assert_false(crc_matches);
    assert_memory_equal(data, "012x456789", 10);
    zip_archive_destroy(z);
    cut_in_half(path);
    assert_status(zip_archive_open(path, &z, &err), PTQ_FORMAT);
    assert_non_null(strstr(err.message, path));
    assert_status(zip_archive_open("/no/such.zip", &z, &err), PTQ_IO);
    mem_free(path);
    test_temp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_read),
        cmocka_unit_test(damage_is_told),
    };
    return cmocka_run_group_tests_name("zip_archive", tests, NULL, NULL);
}
