/* SPDX-License-Identifier: Apache-2.0 */
/* Takes a checkpoint apart, lets a test change its records, and writes it again. */
#ifndef PT_EDIT_H
#define PT_EDIT_H

#include <zip.h>

#include "base/mem.h"
#include "formats/zip_archive.h"

typedef struct record {
    char *name; /* without the root folder */
    char *data;
    size_t size;
} record;

typedef struct archive {
    record *records;
    int n;
    char path[600]; /* of the last archive_write() */
} archive;

static inline archive archive_read(const char *path)
{
    ptq_error err;
    zip_archive *z;
    archive a = {0};
    assert_ok(zip_archive_open(path, &z, &err));
    a.n = zip_archive_n_records(z);
    a.records = mem_array((size_t)a.n, sizeof *a.records);
    for (int i = 0; i < a.n; i++) {
        record *r = &a.records[i];
        r->name = mem_strdup(strchr(zip_archive_name(z, i), '/') + 1);
        r->size = (size_t)zip_archive_size(z, i);
        char *bytes;
        assert_ok(zip_archive_read(z, i, SIZE_MAX, &bytes, NULL, &err));
        r->data = mem_alloc(r->size);
        memcpy(r->data, bytes, r->size);
    }
    zip_archive_destroy(z);
    return a;
}

static inline void archive_free(archive *a)
{
    for (int i = 0; i < a->n; i++) {
        mem_free(a->records[i].name);
        mem_free(a->records[i].data);
    }
    mem_free(a->records);
}

static inline record *archive_record(archive *a, const char *name)
{
    for (int i = 0; i < a->n; i++)
        if (strcmp(a->records[i].name, name) == 0)
            return &a->records[i];
    fail_msg("no record '%s'", name);
    return NULL;
}

/* The storage with the most bytes. */
static inline record *archive_longest(archive *a)
{
    record *longest = &a->records[1];
    for (int i = 0; i < a->n; i++)
        if (strncmp(a->records[i].name, "data/", 5) == 0 && a->records[i].size > longest->size)
            longest = &a->records[i];
    return longest;
}

static inline void record_set(record *r, const void *data, size_t size)
{
    char *copy = mem_alloc(size + 1);
    memcpy(copy, data, size);
    mem_free(r->data);
    r->data = copy;
    r->size = size;
}

/* Puts `bytes` in the place of r->data[at .. at+removed). */
static inline void record_splice(record *r, size_t at, size_t removed, const void *bytes,
                                 size_t size)
{
    char *made = mem_alloc(r->size - removed + size + 1);
    memcpy(made, r->data, at);
    memcpy(made + at, bytes, size);
    memcpy(made + at + size, r->data + at + removed, r->size - at - removed);
    mem_free(r->data);
    r->data = made;
    r->size = r->size - removed + size;
}

/* Where `bytes` stand first; the test fails when they do not. */
static inline size_t record_find(const record *r, const void *bytes, size_t size)
{
    for (size_t i = 0; i + size <= r->size; i++)
        if (memcmp(r->data + i, bytes, size) == 0)
            return i;
    fail_msg("the record lacks what the test looks for");
    return 0;
}

/* Writes dir/name, records below `root`; a NULL data leaves a record out. Returns its path. */
static inline const char *archive_write(archive *a, const char *dir, const char *name,
                                        const char *root, bool is_packed)
{
    snprintf(a->path, sizeof a->path, "%s/%s", dir, name);
    zip_t *z = zip_open(a->path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(z);
    for (int i = 0; i < a->n; i++) {
        char full[512];
        const record *r = &a->records[i];
        snprintf(full, sizeof full, "%s/%s", root, r->name);
        if (!r->data)
            continue;
        zip_int64_t at = zip_file_add(z, full, zip_source_buffer(z, r->data, r->size, 0), 0);
        assert_true(at >= 0);
        zip_int32_t method = is_packed ? ZIP_CM_DEFLATE : ZIP_CM_STORE;
        assert_int_equal(zip_set_file_compression(z, (zip_uint64_t)at, method, 0), 0);
    }
    assert_int_equal(zip_close(z), 0);
    return a->path;
}

#endif
