/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pt_file.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "formats/zip_archive.h"
#include "model/pt_convert.h"

enum { MAX_PICKLE_BYTES = 256 << 20 };

struct pt_file {
    zip_archive *zip;
    pickle_doc *doc;
    char *root; /* what stands before "data.pkl", with its '/' */
    bool is_big_endian;
    size_t bytes_left; /* that may still be read */
    int n_bad_checksums;
    int held;    /* the record whose bytes `bytes` are; -1: none */
    char *bytes; /* the archive's */
};

/* The shortest name that ends with "data.pkl". */
static ptq_status find_root(pt_file *f, int *index, ptq_error *err)
{
    static const char pkl[] = "data.pkl";
    const char *best = NULL;
    for (int i = 0; i < zip_archive_n_records(f->zip); i++) {
        const char *name = zip_archive_name(f->zip, i);
        const char *slash = strrchr(name, '/');
        if (strcmp(slash ? slash + 1 : name, pkl) == 0 && (!best || strlen(name) < strlen(best))) {
            best = name;
            *index = i;
        }
    }
    if (!best)
        return error_set(err, PTQ_FORMAT,
                         "a zip archive without 'data.pkl' is no PyTorch checkpoint");
    f->root = mem_strndup(best, strlen(best) - (sizeof pkl - 1));
    return f->root ? PTQ_OK : error_no_memory(err, strlen(best), "a record name");
}

/* Of record `<root><folder><name>`; -1: absent. */
static ptq_status find_record(const pt_file *f, const char *folder, const char *name, int *index,
                              ptq_error *err)
{
    str full = STR_INIT;
    str_addf(&full, "%s%s%s", f->root, folder, name);
    bool ok = str_ok(&full);
    if (ok)
        *index = zip_archive_find(f->zip, str_text(&full));
    str_clear(&full);
    return ok ? PTQ_OK : error_no_memory(err, strlen(name), "a record name");
}

static ptq_status read_byte_order(pt_file *f, ptq_error *err)
{
    int index;
    char *order;
    PTQ_TRY(find_record(f, "", "byteorder", &index, err));
    if (index < 0)
        return PTQ_OK;
    PTQ_TRY(zip_archive_read(f->zip, index, 64, &order, NULL, err));
    f->is_big_endian = strncmp(order, "big", 3) == 0;
    return PTQ_OK;
}

static ptq_status read_pickle(pt_file *f, int index, size_t max_depth, ptq_error *err)
{
    char *data;
    PTQ_TRY(zip_archive_read(f->zip, index, MAX_PICKLE_BYTES, &data, NULL, err));
    pickle_limits limits = {.max_depth = max_depth < INT_MAX ? (int)max_depth : INT_MAX};
    ptq_status status =
        pickle_parse(data, (size_t)zip_archive_size(f->zip, index), &limits, NULL, &f->doc, err);
    if (status != PTQ_OK)
        error_context(err, "%s", zip_archive_name(f->zip, index));
    return status;
}

static ptq_status open_records(pt_file *f, const char *path, size_t max_depth, ptq_error *err)
{
    int index = -1, script;
    PTQ_TRY(zip_archive_open(path, &f->zip, err));
    PTQ_TRY(find_root(f, &index, err));
    PTQ_TRY(find_record(f, "", "constants.pkl", &script, err));
    if (script >= 0)
        return error_set(err, PTQ_UNSUPPORTED,
                         "this is a TorchScript archive, not a checkpoint; give the checkpoint it "
                         "was made from, or an ONNX file");
    PTQ_TRY(read_byte_order(f, err));
    return read_pickle(f, index, max_depth, err);
}

ptq_status pt_file_open(const char *path, size_t max_bytes, size_t max_depth, pt_file **out,
                        ptq_error *err)
{
    pt_file *f = mem_zalloc(sizeof *f);
    if (!f)
        return error_no_memory(err, sizeof *f, "a checkpoint");
    f->held = -1;
    f->bytes_left = max_bytes;
    ptq_status status = open_records(f, path, max_depth, err);
    if (status == PTQ_OK)
        *out = f;
    else
        pt_file_close(f);
    return status;
}

void pt_file_close(pt_file *f)
{
    if (!f)
        return;
    pickle_doc_destroy(f->doc);
    zip_archive_destroy(f->zip);
    mem_free(f->root);
    mem_free(f);
}

const pickle_value *pt_file_root(const pt_file *f)
{
    return pickle_doc_root(f->doc);
}

int pt_file_n_bad_checksums(const pt_file *f)
{
    return f->n_bad_checksums;
}

/* Makes f->bytes the storage's bytes. */
static ptq_status hold_storage(pt_file *f, const pickle_storage *s, ptq_error *err)
{
    int index;
    PTQ_TRY(find_record(f, "data/", s->key, &index, err));
    if (index < 0)
        return error_set(err, PTQ_FORMAT, "its record '%sdata/%s' is missing", f->root, s->key);
    uint64_t needed = (uint64_t)s->n_elements * pickle_element_bytes(s->element);
    if (zip_archive_size(f->zip, index) != needed)
        return error_set(err, PTQ_FORMAT,
                         "its record '%sdata/%s' has %" PRIu64 " bytes instead of %" PRIu64,
                         f->root, s->key, zip_archive_size(f->zip, index), needed);
    if (index == f->held)
        return PTQ_OK;
    char *bytes;
    bool crc_matches;
    f->held = -1;
    PTQ_TRY(zip_archive_read(f->zip, index, f->bytes_left, &bytes, &crc_matches, err));
    f->bytes_left -= (size_t)needed;
    f->n_bad_checksums += !crc_matches;
    f->bytes = bytes;
    f->held = index;
    if (f->is_big_endian)
        pt_swap_bytes(bytes, pickle_element_bytes(s->element), (size_t)s->n_elements);
    return PTQ_OK;
}

ptq_status pt_file_read_tensor(pt_file *f, const pickle_tensor *t, float *values, ptq_error *err)
{
    PTQ_TRY(hold_storage(f, t->storage, err));
    return pt_gather(t, f->bytes, values, err);
}
