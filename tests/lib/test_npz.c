/* SPDX-License-Identifier: Apache-2.0 */
#include "test_npz.h"

#include <zip.h>

#include "base/mem.h"
#include "formats/npy.h"
#include "test.h"

float *test_npz(const char *path, const char *name, size_t *count)
{
    char member[256];
    snprintf(member, sizeof member, "%s.npy", name);
    zip_t *archive = zip_open(path, ZIP_RDONLY, NULL);
    zip_stat_t st;
    if (!archive || zip_stat(archive, member, 0, &st) != 0)
        fail_msg("no array '%s' in '%s'", name, path);
    zip_file_t *f = zip_fopen(archive, member, 0);
    assert_non_null(f);
    char *bytes = malloc(st.size + 1);
    assert_non_null(bytes);
    assert_int_equal(zip_fread(f, bytes, st.size), st.size);
    ptq_error err;
    npy_array a;
    assert_ok(npy_parse(bytes, st.size, &a, &err));
    assert_ok(npy_to_f32(&a, &err));
    free(bytes);
    zip_fclose(f);
    zip_discard(archive);
    *count = a.count;
    return a.data;
}

json_t *test_json(const char *path)
{
    json_error_t error;
    json_t *doc = json_load_file(path, 0, &error);
    if (!doc)
        fail_msg("'%s': %s", path, error.text);
    return doc;
}

double test_json_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("no number '%s'", key);
    return json_number_value(value);
}
