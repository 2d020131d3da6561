/* SPDX-License-Identifier: Apache-2.0 */
#include "model/onnx_tensor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/half.h"
#include "base/mem.h"

const char *onnx_type_name(int code)
{
    static const char *const names[] = {
        "undefined",      "float",    "uint8",        "int8",           "uint16",
        "int16",          "int32",    "int64",        "string",         "bool",
        "float16",        "double",   "uint32",       "uint64",         "complex64",
        "complex128",     "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
        "float8e5m2fnuz", "uint4",    "int4",         "float4e2m1",     "float8e8m0",
        "uint2",          "int2"};
    return code >= 0 && (size_t)code < sizeof names / sizeof *names ? names[code] : "unknown";
}

ptq_status onnx_graph_type(int code, dtype *type, ptq_error *err)
{
    dtype t;
    if (!dtype_from_onnx(code, &t))
        return error_set(err, PTQ_UNSUPPORTED, "the element type %s (%d) is not supported",
                         onnx_type_name(code), code);
    bool is_float = t == DTYPE_F16 || t == DTYPE_BF16 || t == DTYPE_F64;
    *type = is_float ? DTYPE_F32 : t;
    return PTQ_OK;
}

ptq_status onnx_tensor_shape(const Onnx__TensorProto *t, shape *s, ptq_error *err)
{
    if (t->n_dims > SHAPE_MAX_RANK)
        return error_set(err, PTQ_UNSUPPORTED, "%zu dimensions are more than %d", t->n_dims,
                         SHAPE_MAX_RANK);
    shape made = {.rank = (int)t->n_dims};
    for (int i = 0; i < made.rank; i++) {
        made.dim[i] = t->dims[i];
        if (made.dim[i] < 0)
            return error_set(err, PTQ_FORMAT, "dimension %d is %" PRId64, i, made.dim[i]);
    }
    *s = made;
    return PTQ_OK;
}

/* What a tensor must hold. */
typedef struct wanted {
    dtype stored; /* in the file */
    dtype type;   /* in the graph */
    bool is_4bit; /* two codes in a byte, the even one in the low half (spec algorithms.md §3) */
    shape shape;
    size_t count;
    size_t stored_bytes;
} wanted;

bool onnx_is_4bit(const Onnx__TensorProto *t)
{
    return t->data_type == ONNX_UINT4 || t->data_type == ONNX_INT4;
}

static ptq_status examine_type(const Onnx__TensorProto *t, wanted *w, ptq_error *err)
{
    w->is_4bit = onnx_is_4bit(t);
    if (w->is_4bit) {
        w->type = w->stored = t->data_type == ONNX_INT4 ? DTYPE_I8 : DTYPE_U8;
        return PTQ_OK;
    }
    PTQ_TRY(onnx_graph_type(t->data_type, &w->type, err));
    if (!dtype_from_onnx(t->data_type, &w->stored))
        return error_set(err, PTQ_UNSUPPORTED, "element type %d is not supported", t->data_type);
    return PTQ_OK;
}

static ptq_status examine(const Onnx__TensorProto *t, wanted *w, ptq_error *err)
{
    PTQ_TRY(examine_type(t, w, err));
    PTQ_TRY(onnx_tensor_shape(t, &w->shape, err));
    char text[128];
    if (!shape_count(&w->shape, &w->count) ||
        !mem_mul(w->count, dtype_bytes(w->stored), &w->stored_bytes))
        return error_set(err, PTQ_LIMIT, "the shape %s is too large", shape_text(&w->shape, text));
    if (w->is_4bit)
        w->stored_bytes = w->count / 2 + w->count % 2;
    if (t->segment)
        return error_set(err, PTQ_UNSUPPORTED, "tensors in segments are not supported");
    return PTQ_OK;
}

static ptq_status allocate(const wanted *w, blob **data, ptq_error *err)
{
    size_t bytes;
    if (!mem_mul(w->count, dtype_bytes(w->type), &bytes))
        return error_set(err, PTQ_LIMIT, "it is too large");
    *data = blob_create_unset(bytes);
    return *data ? PTQ_OK : error_no_memory(err, bytes, "a tensor");
}

/* Element by element from the stored type into the graph's. `raw` need not be aligned. */
static void widen(const wanted *w, const unsigned char *raw, float *out)
{
    for (size_t i = 0; i < w->count; i++) {
        uint16_t half;
        double wide;
        if (w->stored == DTYPE_F64) {
            memcpy(&wide, raw + i * sizeof wide, sizeof wide);
            out[i] = (float)wide;
        } else {
            memcpy(&half, raw + i * sizeof half, sizeof half);
            out[i] = w->stored == DTYPE_F16 ? half_to_float(half) : bfloat_to_float(half);
        }
    }
}

static uint8_t code_of_nibble(const wanted *w, unsigned byte, size_t i)
{
    unsigned code = i % 2 ? byte >> 4 & 0xf : byte & 0xf;
    return (uint8_t)(w->type == DTYPE_I8 && code > 7 ? code | 0xf0 : code);
}

static void take_raw(const wanted *w, const unsigned char *raw, blob *data)
{
    uint8_t *codes = blob_data(data);
    for (size_t i = 0; w->is_4bit && i < w->count; i++)
        codes[i] = code_of_nibble(w, raw[i / 2], i);
    if (w->is_4bit)
        return;
    if (w->stored != w->type)
        widen(w, raw, blob_data(data));
    else if (w->stored_bytes)
        memcpy(blob_data(data), raw, w->stored_bytes);
}

/* int32_data holds every integer type up to 32 bits, booleans, and the bits of 16-bit floats. */
static void take_int32(const wanted *w, const int32_t *values, void *out)
{
    for (size_t i = 0; i < w->count; i++) {
        int32_t v = values[w->is_4bit ? i / 2 : i];
        if (w->is_4bit)
            ((uint8_t *)out)[i] = code_of_nibble(w, (uint8_t)v, i);
        else if (w->stored == DTYPE_F16)
            ((float *)out)[i] = half_to_float((uint16_t)v);
        else if (w->stored == DTYPE_BF16)
            ((float *)out)[i] = bfloat_to_float((uint16_t)v);
        else if (dtype_bytes(w->stored) == 1)
            ((uint8_t *)out)[i] = w->stored == DTYPE_BOOL ? v != 0 : (uint8_t)v;
        else if (dtype_bytes(w->stored) == 2)
            ((uint16_t *)out)[i] = (uint16_t)v;
        else
            ((int32_t *)out)[i] = v;
    }
}

static size_t typed_count(const Onnx__TensorProto *t, dtype stored)
{
    switch (stored) {
    case DTYPE_F32:
        return t->n_float_data;
    case DTYPE_F64:
        return t->n_double_data;
    case DTYPE_I64:
        return t->n_int64_data;
    case DTYPE_U32:
    case DTYPE_U64:
        return t->n_uint64_data;
    default:
        return t->n_int32_data;
    }
}

static void take_typed(const wanted *w, const Onnx__TensorProto *t, void *out)
{
    switch (w->stored) {
    case DTYPE_F32:
        memcpy(out, t->float_data, w->stored_bytes);
        break;
    case DTYPE_I64:
        memcpy(out, t->int64_data, w->stored_bytes);
        break;
    case DTYPE_F64:
        for (size_t i = 0; i < w->count; i++)
            ((float *)out)[i] = (float)t->double_data[i];
        break;
    case DTYPE_U64:
        memcpy(out, t->uint64_data, w->stored_bytes);
        break;
    case DTYPE_U32:
        for (size_t i = 0; i < w->count; i++)
            ((uint32_t *)out)[i] = (uint32_t)t->uint64_data[i];
        break;
    default:
        take_int32(w, t->int32_data, out);
        break;
    }
}

typedef struct external {
    char *path;
    uint64_t offset;
    uint64_t length;
} external;

static bool decimal(const char *text, uint64_t *value)
{
    if (!text || strspn(text, "0123456789") != strlen(text) || !*text)
        return false;
    errno = 0;
    *value = strtoull(text, NULL, 10);
    return errno == 0;
}

/* Relative, and no way up. */
static bool stays_inside(const char *location)
{
    if (!*location || *location == '/')
        return false;
    for (const char *part = location; part;) {
        size_t n = strcspn(part, "/");
        if (n == 2 && part[0] == '.' && part[1] == '.')
            return false;
        part = part[n] ? part + n + 1 : NULL;
    }
    return true;
}

static ptq_status locate(const Onnx__TensorProto *t, const char *dir, const wanted *w,
                         external *out, ptq_error *err)
{
    const char *location = NULL;
    out->offset = 0;
    out->length = w->stored_bytes;
    bool numbers = true;
    for (size_t i = 0; i < t->n_external_data; i++) {
        const Onnx__StringStringEntryProto *e = t->external_data[i];
        if (!e->key)
            continue;
        if (strcmp(e->key, "location") == 0)
            location = e->value;
        else if (strcmp(e->key, "offset") == 0)
            numbers = numbers && decimal(e->value, &out->offset);
        else if (strcmp(e->key, "length") == 0)
            numbers = numbers && decimal(e->value, &out->length);
    }
    if (!location || !numbers)
        return error_set(err, PTQ_FORMAT, "its external data has no %s",
                         location ? "proper offset and length" : "location");
    if (!stays_inside(location))
        return error_set(err, PTQ_FORMAT,
                         "its external data '%s' is outside the model's folder; that is refused",
                         location);
    if (out->length != w->stored_bytes)
        return error_set(err, PTQ_FORMAT, "its external data has %" PRIu64 " bytes, not %zu",
                         out->length, w->stored_bytes);
    out->path = path_join(dir, location);
    return out->path ? PTQ_OK : error_no_memory(err, strlen(location), "a path");
}

/* The file's whole stored bytes into `raw`, which has room for them. */
static ptq_status read_span(const external *e, FILE *f, unsigned char *raw, ptq_error *err)
{
    if (fseeko(f, (off_t)e->offset, SEEK_SET) != 0 ||
        fread(raw, 1, (size_t)e->length, f) != e->length)
        return error_set(err, PTQ_IO, "cannot read %" PRIu64 " bytes at %" PRIu64 " of '%s'",
                         e->length, e->offset, e->path);
    return PTQ_OK;
}

static ptq_status open_external(const external *e, size_t max_bytes, FILE **out, ptq_error *err)
{
    FILE *f = fopen(e->path, "rb");
    if (!f)
        return error_set(err, PTQ_IO, "cannot open its external data '%s': %s", e->path,
                         strerror(errno));
    struct stat st;
    ptq_status status = PTQ_OK;
    if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode))
        status = error_set(err, PTQ_IO, "its external data '%s' is no regular file", e->path);
    else if (e->offset > (uint64_t)st.st_size || e->length > (uint64_t)st.st_size - e->offset)
        status =
            error_set(err, PTQ_FORMAT,
                      "its external data '%s' has %lld bytes, too few for %" PRIu64 " at %" PRIu64,
                      e->path, (long long)st.st_size, e->length, e->offset);
    else if (max_bytes && e->length > max_bytes)
        status = error_set(err, PTQ_LIMIT, "its external data is larger than %zu bytes", max_bytes);
    if (status != PTQ_OK) {
        fclose(f);
        return status;
    }
    *out = f;
    return PTQ_OK;
}

static ptq_status read_external_file(const external *e, const wanted *w, size_t max_bytes,
                                     blob **data, ptq_error *err)
{
    FILE *f = NULL;
    PTQ_TRY(open_external(e, max_bytes, &f, err));
    unsigned char *raw = mem_alloc(w->stored_bytes);
    ptq_status status =
        raw ? read_span(e, f, raw, err) : error_no_memory(err, w->stored_bytes, "external data");
    if (status == PTQ_OK)
        status = allocate(w, data, err);
    if (status == PTQ_OK)
        take_raw(w, raw, *data);
    mem_free(raw);
    fclose(f);
    return status;
}

static ptq_status read_external(const Onnx__TensorProto *t, const char *dir, size_t max_bytes,
                                const wanted *w, blob **data, ptq_error *err)
{
    external e = {0};
    PTQ_TRY(locate(t, dir, w, &e, err));
    ptq_status status = read_external_file(&e, w, max_bytes, data, err);
    mem_free(e.path);
    return status;
}

static ptq_status read_inside(const Onnx__TensorProto *t, const wanted *w, blob **data,
                              ptq_error *err)
{
    char text[128];
    if (t->has_raw_data && t->raw_data.len != w->stored_bytes)
        return error_set(err, PTQ_FORMAT, "its shape %s needs %zu bytes, but it has %zu",
                         shape_text(&w->shape, text), w->stored_bytes, t->raw_data.len);
    size_t typed = typed_count(t, w->stored), values = w->is_4bit ? w->stored_bytes : w->count;
    if (!t->has_raw_data && typed != values)
        return error_set(err, PTQ_FORMAT, "its shape %s needs %zu values, but it has %zu",
                         shape_text(&w->shape, text), values, typed);
    PTQ_TRY(allocate(w, data, err));
    if (t->has_raw_data)
        take_raw(w, t->raw_data.data, *data);
    else if (w->count)
        take_typed(w, t, blob_data(*data));
    return PTQ_OK;
}

ptq_status onnx_tensor_read(const Onnx__TensorProto *t, const char *dir, size_t max_bytes,
                            onnx_values *out, ptq_error *err)
{
    wanted w = {0};
    blob *data = NULL;
    PTQ_TRY(examine(t, &w, err));
    bool is_external =
        t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    if (is_external)
        PTQ_TRY(read_external(t, dir, max_bytes, &w, &data, err));
    else
        PTQ_TRY(read_inside(t, &w, &data, err));
    *out = (onnx_values){w.type, w.shape, data};
    return PTQ_OK;
}
