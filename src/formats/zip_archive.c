/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/zip_archive.h"

#include <inttypes.h>
#include <limits.h>
#include <zip.h>

#include "base/mem.h"

typedef struct record {
    const char *name; /* owned by libzip */
    uint64_t size;
    bool is_stored; /* not packed */
} record;

struct zip_archive {
    zip_t *zip;
    char *path;
    record *records;
    int n_records;
    char *bytes; /* of the record read last; NULL: none yet */
    size_t capacity;
};

static ptq_status read_directory(zip_archive *z, ptq_error *err)
{
    zip_int64_t n = zip_get_num_entries(z->zip, 0);
    if (n < 0 || n > INT_MAX)
        return error_set(err, PTQ_FORMAT, "'%s' has %" PRId64 " records", z->path, (int64_t)n);
    z->records = mem_array((size_t)n, sizeof *z->records);
    if (!z->records)
        return error_no_memory(err, (size_t)n * sizeof *z->records, "a zip directory");
    for (z->n_records = 0; z->n_records < n; z->n_records++) {
        zip_stat_t st;
        zip_stat_init(&st);
        const zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
        if (zip_stat_index(z->zip, (zip_uint64_t)z->n_records, 0, &st) != 0 ||
            (st.valid & needed) != needed)
            return error_set(err, PTQ_FORMAT, "record %d of '%s' has no name or size", z->n_records,
                             z->path);
        z->records[z->n_records] = (record){st.name, st.size, st.comp_method == ZIP_CM_STORE};
    }
    return PTQ_OK;
}

ptq_status zip_archive_open(const char *path, zip_archive **out, ptq_error *err)
{
    zip_archive *z = mem_zalloc(sizeof *z);
    if (z)
        z->path = mem_strdup(path);
    if (!z || !z->path) {
        zip_archive_destroy(z);
        return error_no_memory(err, sizeof *z, "a zip archive");
    }
    int code;
    ptq_status status;
    z->zip = zip_open(path, ZIP_RDONLY, &code);
    if (z->zip) {
        status = read_directory(z, err);
    } else {
        zip_error_t e;
        zip_error_init_with_code(&e, code);
        bool is_io = code == ZIP_ER_OPEN || code == ZIP_ER_READ || code == ZIP_ER_NOENT;
        status = error_set(err, is_io ? PTQ_IO : PTQ_FORMAT,
                           "'%s' is not a whole zip archive: %s%s", path, zip_error_strerror(&e),
                           is_io ? "" : "; was it copied or downloaded to the end?");
        zip_error_fini(&e);
    }
    if (status == PTQ_OK)
        *out = z;
    else
        zip_archive_destroy(z);
    return status;
}

void zip_archive_destroy(zip_archive *z)
{
    if (!z)
        return;
    if (z->zip)
        zip_discard(z->zip);
    mem_free(z->bytes);
    mem_free(z->records);
    mem_free(z->path);
    mem_free(z);
}

int zip_archive_n_records(const zip_archive *z)
{
    return z->n_records;
}

const char *zip_archive_name(const zip_archive *z, int i)
{
    return z->records[i].name;
}

int zip_archive_find(const zip_archive *z, const char *name)
{
    zip_int64_t i = zip_name_locate(z->zip, name, 0);
    return i < 0 || i >= z->n_records ? -1 : (int)i;
}

uint64_t zip_archive_size(const zip_archive *z, int i)
{
    return z->records[i].size;
}

typedef enum read_result { READ_WHOLE, READ_BAD_CRC, READ_FAILED } read_result;

/* libzip compares the checksum at the read that finds the end: the bytes are all there by then. */
static read_result read_bytes(zip_archive *z, int i, char *buffer)
{
    zip_file_t *f = zip_fopen_index(z->zip, (zip_uint64_t)i, 0);
    if (!f)
        return READ_FAILED;
    uint64_t size = z->records[i].size, done = 0;
    zip_int64_t n;
    do {
        n = zip_fread(f, buffer + done, size - done + 1);
        if (n > 0)
            done += (uint64_t)n;
    } while (n > 0 && done <= size);
    bool is_bad_crc = n < 0 && zip_error_code_zip(zip_file_get_error(f)) == ZIP_ER_CRC;
    zip_fclose(f);
    if (done != size)
        return READ_FAILED;
    return n == 0 ? READ_WHOLE : is_bad_crc ? READ_BAD_CRC : READ_FAILED;
}

ptq_status zip_archive_read(zip_archive *z, int i, size_t max_bytes, char **data, bool *crc_matches,
                            ptq_error *err)
{
    const record *r = &z->records[i];
    if (r->size > max_bytes || r->size > SIZE_MAX - 1)
        return error_set(err, PTQ_LIMIT,
                         "record '%s' of '%s' has %" PRIu64 " bytes, more than the limit of %zu",
                         r->name, z->path, r->size, max_bytes);
    char *buffer = mem_grow(z->bytes, &z->capacity, (size_t)r->size + 1, 1);
    if (!buffer)
        return error_no_memory(err, r->size, r->name);
    z->bytes = buffer;
    read_result result = read_bytes(z, i, buffer);
    bool is_bad_crc = result == READ_BAD_CRC;
    if (result == READ_FAILED || (is_bad_crc && !r->is_stored))
        return error_set(err, PTQ_FORMAT,
                         "record '%s' of '%s' cannot be read: %s; get the file again", r->name,
                         z->path, is_bad_crc ? "its checksum differs" : "it is damaged or cut off");
    buffer[r->size] = '\0';
    if (crc_matches)
        *crc_matches = !is_bad_crc;
    *data = buffer;
    return PTQ_OK;
}
