/* SPDX-License-Identifier: Apache-2.0 */
#include "model/model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/sha256.h"

#define DEFAULT_MAX_BYTES ((size_t)4 << 30)
enum { HEAD_BYTES = 512, CHUNK_BYTES = 1 << 20 };

typedef ptq_status (*import_fn)(const char *path, const model_options *options, const ptq_env *env,
                                model *m, ptq_error *err);

/* Size, checksum and first bytes (zeros after the end) in one reading. */
static ptq_status examine(const char *path, size_t max_bytes, model *m,
                          unsigned char head[HEAD_BYTES], ptq_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return error_set(err, PTQ_IO, "cannot read '%s': %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return error_set(err, PTQ_IO, "cannot read '%s': it is a folder, not a model file", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, PTQ_IO, "cannot read '%s': it is not a file on a disk", path);
    if ((uint64_t)st.st_size > max_bytes)
        return error_set(err, PTQ_LIMIT, "'%s' is larger than the limit of %zu bytes", path,
                         max_bytes);
    FILE *f = fopen(path, "rb");
    if (!f)
        return error_set(err, PTQ_IO, "cannot read '%s': %s", path, strerror(errno));
    unsigned char *chunk = mem_alloc(CHUNK_BYTES);
    ptq_status status = chunk ? PTQ_OK : error_no_memory(err, CHUNK_BYTES, "reading a file");
    sha256 sum;
    sha256_init(&sum);
    memset(head, 0, HEAD_BYTES);
    for (size_t n; status == PTQ_OK && (n = fread(chunk, 1, CHUNK_BYTES, f)) > 0;) {
        if (m->file_bytes == 0)
            memcpy(head, chunk, n < HEAD_BYTES ? n : HEAD_BYTES);
        sha256_add(&sum, chunk, n);
        m->file_bytes += n;
    }
    if (status == PTQ_OK && ferror(f))
        status = error_set(err, PTQ_IO, "cannot read '%s': %s", path, strerror(errno));
    if (status == PTQ_OK)
        sha256_hex(&sum, m->sha256);
    fclose(f);
    mem_free(chunk);
    return status;
}

/* Whether a byte can begin an ONNX ModelProto: a tag of one of its fields (onnx.proto). */
static bool is_model_proto_tag(unsigned char byte)
{
    int field = byte >> 3, wire = byte & 7;
    if (field == 1 || field == 5)
        return wire == 0; /* ir_version, model_version: numbers */
    return field >= 2 && field <= 8 && wire == 2;
}

/* Spec: checkpoint.md §1. */
static ptq_status sniff(const char *path, const unsigned char *head, size_t size, import_fn *import,
                        ptq_error *err)
{
    static const char lfs[] = "version https://git-lfs";
    static const unsigned char legacy[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                           0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
    if (size == 0)
        return error_set(err, PTQ_FORMAT, "'%s' is empty", path);
    if (memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0) {
        *import = pt_import;
        return PTQ_OK;
    }
    if (memcmp(head, lfs, sizeof lfs - 1) == 0)
        return error_set(err, PTQ_FORMAT,
                         "'%s' is a Git LFS pointer, not the file itself; run 'git lfs pull'",
                         path);
    if (memcmp(head, legacy, sizeof legacy) == 0 || memcmp(head + 257, "ustar", 5) == 0)
        return error_set(err, PTQ_UNSUPPORTED,
                         "'%s' is a checkpoint in the format of PyTorch before 1.6; load it with a "
                         "newer PyTorch and torch.save() it again",
                         path);
    if (!is_model_proto_tag(head[0]))
        return error_set(err, PTQ_FORMAT,
                         "'%s' is neither a PyTorch checkpoint nor an ONNX file; give a .pt or "
                         ".onnx model",
                         path);
    *import = onnx_import;
    return PTQ_OK;
}

static ptq_status identify(model *m, const model_options *options, const ptq_env *env,
                           import_fn *import, ptq_error *err)
{
    unsigned char head[HEAD_BYTES];
    size_t max_bytes = options && options->max_bytes ? options->max_bytes : DEFAULT_MAX_BYTES;
    PTQ_TRY(examine(m->path, max_bytes, m, head, err));
    PTQ_TRY(env_check_cancel(env, err));
    PTQ_TRY(sniff(m->path, head, m->file_bytes, import, err));
    m->format = *import == onnx_import ? MODEL_ONNX : MODEL_PT;
    return PTQ_OK;
}

static ptq_status load(model *m, const model_options *options, const ptq_env *env, ptq_error *err)
{
    import_fn import = NULL;
    PTQ_TRY(identify(m, options, env, &import, err));
    if (import == onnx_import && options && (options->cfg || options->weights))
        return error_set(err, PTQ_USAGE,
                         "'%s' is an ONNX file: --cfg and --weights are for checkpoints", m->path);
    return import(m->path, options, env, m, err);
}

static ptq_status model_named(const char *path, model **out, ptq_error *err)
{
    model *m = mem_zalloc(sizeof *m);
    if (m)
        m->path = mem_strdup(path);
    if (!m || !m->path) {
        model_destroy(m);
        return error_no_memory(err, sizeof *m, "a model");
    }
    *out = m;
    return PTQ_OK;
}

ptq_status model_load(const char *path, const model_options *options, const ptq_env *env,
                      model **out, ptq_error *err)
{
    model *m = NULL;
    PTQ_TRY(model_named(path, &m, err));
    ptq_status status = load(m, options, env, err);
    if (status == PTQ_OK)
        *out = m;
    else
        model_destroy(m);
    return status;
}

ptq_status model_identify(const char *path, const model_options *options, const ptq_env *env,
                          model **out, ptq_error *err)
{
    model *m = NULL;
    import_fn import = NULL;
    PTQ_TRY(model_named(path, &m, err));
    ptq_status status = identify(m, options, env, &import, err);
    if (status == PTQ_OK)
        *out = m;
    else
        model_destroy(m);
    return status;
}

void model_destroy(model *m)
{
    if (!m)
        return;
    graph_destroy(m->graph);
    for (int i = 0; m->class_names && i < m->n_classes; i++)
        mem_free(m->class_names[i]);
    mem_free(m->class_names);
    for (int i = 0; m->metadata && m->metadata[i]; i++)
        mem_free(m->metadata[i]);
    mem_free(m->metadata);
    mem_free(m->path);
    mem_free(m);
}
