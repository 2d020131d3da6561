/* SPDX-License-Identifier: Apache-2.0 */
#include "model/onnx_file.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "formats/protobuf_check.h"

/* protobuf-c's allocator over an arena: what it frees lives until the file is closed. */
static void *arena_take(void *user, size_t size)
{
    return arena_alloc(user, size, 1);
}

static void arena_leave(void *user, void *pointer)
{
    (void)user, (void)pointer;
}

/* A message takes more room in memory than in the file: an empty list element of two bytes becomes
 * a structure. Anything beyond this factor is an attack, not a network. */
static size_t arena_limit(size_t file_bytes, size_t max_bytes)
{
    const size_t slack = (size_t)64 << 20;
    size_t by_size, by_cap;
    if (!mem_mul(file_bytes, 64, &by_size) || by_size > SIZE_MAX - slack)
        by_size = SIZE_MAX - slack;
    if (!mem_mul(max_bytes, 4, &by_cap) || by_cap > SIZE_MAX - slack)
        by_cap = SIZE_MAX - slack;
    return slack + (by_size < by_cap ? by_size : by_cap);
}

static ptq_status unpack(const char *data, size_t size, const onnx_limits *limits, onnx_file *f,
                         ptq_error *err)
{
    if (size == 0)
        return error_set(err, PTQ_FORMAT, "the file is empty");
    PTQ_TRY(protobuf_check(data, size, &onnx__model_proto__descriptor, limits->max_depth, err));
    f->arena = arena_create(arena_limit(size, limits->max_bytes));
    if (!f->arena)
        return error_no_memory(err, size, "an ONNX file");
    ProtobufCAllocator allocator = {arena_take, arena_leave, f->arena};
    f->model = onnx__model_proto__unpack(&allocator, size, (const uint8_t *)data);
    if (!f->model)
        return error_set(err, PTQ_LIMIT,
                         "its messages cannot be unpacked within %zu bytes of memory",
                         arena_limit(size, limits->max_bytes));
    return PTQ_OK;
}

bool onnx_is_default_domain(const char *domain)
{
    return !domain || !*domain || strcmp(domain, "ai.onnx") == 0;
}

static ptq_status check_model(onnx_file *f, const onnx_limits *limits, ptq_error *err)
{
    const Onnx__ModelProto *m = f->model;
    if (!m->graph || !m->has_ir_version)
        return error_set(err, PTQ_FORMAT, "it is no ONNX model: it has no %s",
                         m->graph ? "IR version" : "graph");
    int64_t opset = 0;
    for (size_t i = 0; i < m->n_opset_import; i++)
        if (onnx_is_default_domain(m->opset_import[i]->domain))
            opset = m->opset_import[i]->version;
    if (opset == 0)
        return error_set(err, PTQ_FORMAT, "it does not say which ONNX opset it needs");
    bool is_in_range = opset >= ONNX_MIN_OPSET && opset <= ONNX_MAX_OPSET;
    if (!is_in_range && !(limits->any_opset && opset > 0 && opset < 1000))
        return error_set(err, PTQ_UNSUPPORTED,
                         "ONNX opset %" PRId64 " is not supported, only %d to %d; export the model "
                         "again with opset 13",
                         opset, ONNX_MIN_OPSET, ONNX_MAX_OPSET);
    f->opset = (int)opset;
    return PTQ_OK;
}

ptq_status onnx_file_open(const char *path, const onnx_limits *limits, onnx_file *out,
                          ptq_error *err)
{
    char *data;
    size_t size;
    PTQ_TRY(file_read(path, limits->max_bytes, &data, &size, err));
    onnx_file f = {0};
    ptq_status status = unpack(data, size, limits, &f, err);
    mem_free(data);
    if (status == PTQ_OK)
        status = check_model(&f, limits, err);
    if (status != PTQ_OK) {
        onnx_file_close(&f);
        return status;
    }
    *out = f;
    return PTQ_OK;
}

void onnx_file_close(onnx_file *f)
{
    arena_destroy(f->arena);
    f->arena = NULL;
    f->model = NULL;
}

const Onnx__AttributeProto *onnx_attr(const Onnx__NodeProto *n, const char *name)
{
    for (size_t i = 0; i < n->n_attribute; i++)
        if (n->attribute[i]->name && strcmp(n->attribute[i]->name, name) == 0)
            return n->attribute[i];
    return NULL;
}

static ptq_status wrong_kind(const char *name, const char *wanted, ptq_error *err)
{
    return error_set(err, PTQ_FORMAT, "attribute '%s' is not %s", name, wanted);
}

ptq_status onnx_attr_int(const Onnx__NodeProto *n, const char *name, int64_t fallback, int64_t *out,
                         ptq_error *err)
{
    const Onnx__AttributeProto *a = onnx_attr(n, name);
    if (a && !a->has_i)
        return wrong_kind(name, "an integer", err);
    *out = a ? a->i : fallback;
    return PTQ_OK;
}

ptq_status onnx_attr_float(const Onnx__NodeProto *n, const char *name, float fallback, float *out,
                           ptq_error *err)
{
    const Onnx__AttributeProto *a = onnx_attr(n, name);
    if (a && (!a->has_f || a->f != a->f))
        return wrong_kind(name, "a number", err);
    *out = a ? a->f : fallback;
    return PTQ_OK;
}

ptq_status onnx_attr_ints(const Onnx__NodeProto *n, const char *name, int max, int64_t *values,
                          int *n_values, ptq_error *err)
{
    const Onnx__AttributeProto *a = onnx_attr(n, name);
    if (a && a->has_type && a->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS)
        return wrong_kind(name, "a list of integers", err);
    size_t count = a ? a->n_ints : 0;
    if (count > (size_t)max)
        return error_set(err, PTQ_UNSUPPORTED, "attribute '%s' has %zu values, at most %d", name,
                         count, max);
    for (size_t i = 0; i < count; i++)
        values[i] = a->ints[i];
    *n_values = (int)count;
    return PTQ_OK;
}

ptq_status onnx_attr_choice(const Onnx__NodeProto *n, const char *name, const char *const *choices,
                            int fallback, int *out, ptq_error *err)
{
    const Onnx__AttributeProto *a = onnx_attr(n, name);
    *out = fallback;
    if (!a)
        return PTQ_OK;
    if (!a->has_s)
        return wrong_kind(name, "a string", err);
    for (int i = 0; choices[i]; i++)
        if (strlen(choices[i]) == a->s.len && memcmp(choices[i], a->s.data, a->s.len) == 0) {
            *out = i;
            return PTQ_OK;
        }
    return error_set(err, PTQ_UNSUPPORTED, "%s '%.*s' is not supported", name,
                     (int)(a->s.len > 40 ? 40 : a->s.len), (const char *)a->s.data);
}
