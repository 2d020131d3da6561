/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/npy.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/str.h"

static const char magic[] = "\x93NUMPY";

/* In the order of npy_dtype. */
static const struct {
    char kind;
    size_t size;
} dtypes[] = {{'b', 1}, {'u', 1}, {'i', 1}, {'u', 2}, {'i', 2}, {'u', 4},
              {'i', 4}, {'u', 8}, {'i', 8}, {'f', 2}, {'f', 4}, {'f', 8}};

size_t npy_dtype_size(npy_dtype dtype)
{
    return dtypes[dtype].size;
}

/* What the header says. */
typedef struct npy_header {
    npy_array shape; /* data is NULL */
    bool is_swapped; /* big endian */
    bool is_fortran;
} npy_header;

/* The header is the text of a Python dict with three keys; this is a cursor in it. */
typedef struct cursor {
    const char *p;
    const char *end;
} cursor;

static void skip_space(cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t'))
        c->p++;
}

static bool accept(cursor *c, char wanted)
{
    skip_space(c);
    if (c->p == c->end || *c->p != wanted)
        return false;
    c->p++;
    return true;
}

static bool accept_word(cursor *c, const char *word)
{
    size_t n = strlen(word);
    skip_space(c);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return false;
    c->p += n;
    return true;
}

/* A quoted string without escapes; *text points into the header. */
static bool read_string(cursor *c, const char **text, size_t *n)
{
    skip_space(c);
    if (c->p == c->end || (*c->p != '\'' && *c->p != '"'))
        return false;
    char quote = *c->p++;
    *text = c->p;
    while (c->p < c->end && *c->p != quote)
        c->p++;
    *n = (size_t)(c->p - *text);
    return accept(c, quote);
}

static ptq_status read_descr(cursor *c, npy_header *h, ptq_error *err)
{
    const char *text;
    size_t n;
    if (!read_string(c, &text, &n))
        return error_set(err, PTQ_UNSUPPORTED, "the array's elements are not plain numbers");
    if (n == 3 && strchr("<=>|", text[0]))
        for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++)
            if (text[1] == dtypes[i].kind && (size_t)(text[2] - '0') == dtypes[i].size) {
                h->shape.dtype = (npy_dtype)i;
                h->is_swapped = text[0] == '>';
                return PTQ_OK;
            }
    return error_set(err, PTQ_UNSUPPORTED, "the array's element type '%.*s' is not supported",
                     (int)(n < 40 ? n : 40), text);
}

static bool read_dim(cursor *c, int64_t *value)
{
    skip_space(c);
    const char *start = c->p;
    *value = 0;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9') {
        if (*value > (INT64_MAX - 9) / 10)
            return false;
        *value = *value * 10 + (*c->p++ - '0');
    }
    return c->p > start;
}

static ptq_status read_shape(cursor *c, npy_array *a, ptq_error *err)
{
    if (!accept(c, '('))
        return error_set(err, PTQ_FORMAT, "the .npy header's shape is not a tuple");
    a->rank = 0;
    while (!accept(c, ')')) {
        if (a->rank == NPY_MAX_RANK)
            return error_set(err, PTQ_UNSUPPORTED, "the array has more than %d dimensions",
                             NPY_MAX_RANK);
        if (!read_dim(c, &a->dims[a->rank++]))
            return error_set(err, PTQ_FORMAT, "the .npy header's shape holds no number");
        if (!accept(c, ',')) {
            if (accept(c, ')'))
                break;
            return error_set(err, PTQ_FORMAT, "the .npy header's shape does not end");
        }
    }
    return PTQ_OK;
}

static ptq_status read_entry(cursor *c, npy_header *h, unsigned *seen, ptq_error *err)
{
    const char *key;
    size_t n;
    if (!read_string(c, &key, &n) || !accept(c, ':'))
        return error_set(err, PTQ_FORMAT, "the .npy header is not a dictionary");
    if (n == 5 && memcmp(key, "descr", 5) == 0) {
        *seen |= 1;
        return read_descr(c, h, err);
    }
    if (n == 5 && memcmp(key, "shape", 5) == 0) {
        *seen |= 2;
        return read_shape(c, &h->shape, err);
    }
    if (n == 13 && memcmp(key, "fortran_order", 13) == 0) {
        *seen |= 4;
        h->is_fortran = accept_word(c, "True");
        if (h->is_fortran || accept_word(c, "False"))
            return PTQ_OK;
    }
    return error_set(err, PTQ_FORMAT, "the .npy header has an unexpected entry '%.*s'",
                     (int)(n < 40 ? n : 40), key);
}

static ptq_status parse_header(cursor c, npy_header *h, ptq_error *err)
{
    unsigned seen = 0;
    if (!accept(&c, '{'))
        return error_set(err, PTQ_FORMAT, "the .npy header is not a dictionary");
    while (!accept(&c, '}')) {
        PTQ_TRY(read_entry(&c, h, &seen, err));
        if (!accept(&c, ',') && (c.p == c.end || *c.p != '}'))
            return error_set(err, PTQ_FORMAT, "the .npy header does not end");
    }
    if (seen != 7)
        return error_set(err, PTQ_FORMAT,
                         "the .npy header lacks 'descr', 'shape' or 'fortran_order'");
    return PTQ_OK;
}

/* Finds the header text; *data_at is where the elements begin. */
static ptq_status find_header(const unsigned char *bytes, size_t size, cursor *c, size_t *data_at,
                              ptq_error *err)
{
    if (size < 10 || memcmp(bytes, magic, 6) != 0)
        return error_set(err, PTQ_FORMAT, "not a .npy file: it does not begin with \\x93NUMPY");
    if (bytes[6] < 1 || bytes[6] > 3)
        return error_set(err, PTQ_UNSUPPORTED, ".npy format version %d is not supported", bytes[6]);
    size_t start = bytes[6] == 1 ? 10 : 12;
    size_t n = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (start == 12 && size >= 12)
        n |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (size < start || n > size - start)
        return error_set(err, PTQ_FORMAT, "the .npy header is truncated");
    *c = (cursor){(const char *)bytes + start, (const char *)bytes + start + n};
    *data_at = start + n;
    return PTQ_OK;
}

static ptq_status count_elements(npy_array *a, size_t *bytes, ptq_error *err)
{
    a->count = 1;
    for (int i = 0; i < a->rank; i++)
        if (!mem_mul(a->count, (size_t)a->dims[i], &a->count))
            return error_set(err, PTQ_FORMAT, "the array's shape overflows");
    if (!mem_mul(a->count, npy_dtype_size(a->dtype), bytes))
        return error_set(err, PTQ_FORMAT, "the array's size overflows");
    return PTQ_OK;
}

static void copy_swapped(unsigned char *dst, const unsigned char *src, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++)
        for (size_t b = 0; b < size; b++)
            dst[i * size + b] = src[i * size + size - 1 - b];
}

/* Fortran order to C order: the C index runs with the last dimension fastest. */
static void copy_transposed(const npy_array *a, unsigned char *dst, const unsigned char *src)
{
    size_t size = npy_dtype_size(a->dtype), strides[NPY_MAX_RANK] = {0}, index[NPY_MAX_RANK] = {0};
    size_t stride = 1;
    for (int i = 0; i < a->rank; i++) {
        strides[i] = stride;
        stride *= (size_t)a->dims[i];
    }
    size_t at = 0;
    for (size_t i = 0; i < a->count; i++) {
        memcpy(dst + i * size, src + at * size, size);
        for (int d = a->rank - 1; d >= 0; d--) {
            at += strides[d];
            if (++index[d] < (size_t)a->dims[d])
                break;
            at -= strides[d] * (size_t)a->dims[d];
            index[d] = 0;
        }
    }
}

ptq_status npy_parse(const void *bytes, size_t size, npy_array *out, ptq_error *err)
{
    cursor c;
    size_t data_at = 0, n_bytes = 0;
    npy_header h = {0};
    PTQ_TRY(find_header(bytes, size, &c, &data_at, err));
    PTQ_TRY(parse_header(c, &h, err));
    PTQ_TRY(count_elements(&h.shape, &n_bytes, err));
    if (n_bytes > size - data_at)
        return error_set(err, PTQ_FORMAT, "truncated .npy file: %zu bytes of %zu are there",
                         size - data_at, n_bytes);
    const unsigned char *src = (const unsigned char *)bytes + data_at;
    size_t element = npy_dtype_size(h.shape.dtype);
    unsigned char *data = mem_alloc_aligned(n_bytes);
    unsigned char *swapped = h.is_swapped && h.is_fortran ? mem_alloc(n_bytes) : NULL;
    if (!data || (h.is_swapped && h.is_fortran && !swapped)) {
        mem_free(data);
        mem_free(swapped);
        return error_no_memory(err, n_bytes, "an array");
    }
    if (h.is_swapped)
        copy_swapped(swapped ? swapped : data, src, h.shape.count, element);
    if (h.is_fortran)
        copy_transposed(&h.shape, data, swapped ? swapped : src);
    else if (!h.is_swapped)
        memcpy(data, src, n_bytes);
    mem_free(swapped);
    *out = h.shape;
    out->data = data;
    return PTQ_OK;
}

ptq_status npy_read(const char *path, size_t max_bytes, npy_array *out, ptq_error *err)
{
    char *bytes;
    size_t size;
    PTQ_TRY(file_read(path, max_bytes, &bytes, &size, err));
    ptq_status status = npy_parse(bytes, size, out, err);
    mem_free(bytes);
    if (status != PTQ_OK)
        error_context(err, "cannot read '%s'", path);
    return status;
}

static float element_as_float(const npy_array *a, size_t i)
{
    const void *p = (const unsigned char *)a->data + i * npy_dtype_size(a->dtype);
    switch (a->dtype) {
    case NPY_BOOL:
    case NPY_U8:
        return *(const uint8_t *)p;
    case NPY_I8:
        return *(const int8_t *)p;
    case NPY_U16:
        return *(const uint16_t *)p;
    case NPY_I16:
        return *(const int16_t *)p;
    case NPY_U32:
        return (float)*(const uint32_t *)p;
    case NPY_I32:
        return (float)*(const int32_t *)p;
    case NPY_U64:
        return (float)*(const uint64_t *)p;
    case NPY_I64:
        return (float)*(const int64_t *)p;
    case NPY_F16:
        return half_to_float(*(const uint16_t *)p);
    case NPY_F32:
        return *(const float *)p;
    case NPY_F64:
        break;
    }
    return (float)*(const double *)p;
}

ptq_status npy_to_f32(npy_array *a, ptq_error *err)
{
    if (a->dtype == NPY_F32)
        return PTQ_OK;
    size_t bytes;
    float *data = mem_mul(a->count, sizeof *data, &bytes) ? mem_alloc_aligned(bytes) : NULL;
    if (!data)
        return error_no_memory(err, a->count * sizeof *data, "an array");
    for (size_t i = 0; i < a->count; i++)
        data[i] = element_as_float(a, i);
    mem_free(a->data);
    a->data = data;
    a->dtype = NPY_F32;
    return PTQ_OK;
}

ptq_status npy_read_f32(const char *path, size_t max_bytes, npy_array *out, ptq_error *err)
{
    npy_array a;
    PTQ_TRY(npy_read(path, max_bytes, &a, err));
    ptq_status status = npy_to_f32(&a, err);
    if (status == PTQ_OK)
        *out = a;
    else
        npy_clear(&a);
    return status;
}

void npy_clear(npy_array *a)
{
    mem_free(a->data);
    *a = (npy_array){0};
}

/* Magic, length and dict, padded with spaces so that the data begins at a multiple of 64. */
static void make_header(str *s, const npy_array *a)
{
    str dict = STR_INIT;
    size_t size = npy_dtype_size(a->dtype);
    str_addf(&dict, "{'descr': '%c%c%zu', 'fortran_order': False, 'shape': (",
             size == 1 ? '|' : '<', dtypes[a->dtype].kind, size);
    for (int i = 0; i < a->rank; i++)
        str_addf(&dict, "%s%lld%s", i ? ", " : "", (long long)a->dims[i], a->rank == 1 ? "," : "");
    str_add(&dict, "), }");
    size_t n = 10 + dict.len + 1;
    for (size_t pad = (64 - n % 64) % 64; pad > 0; pad--)
        str_add(&dict, " ");
    str_add(&dict, "\n");
    str_add_n(s, magic, 6);
    str_add_n(s, "\x01\0", 2);
    str_add_n(s, (char[]){(char)(dict.len & 0xff), (char)(dict.len >> 8)}, 2);
    str_add_n(s, str_text(&dict), dict.len);
    s->failed |= dict.failed;
    str_clear(&dict);
}

ptq_status npy_write(const char *path, const npy_array *a, ptq_error *err)
{
    npy_array shape = *a;
    size_t bytes;
    PTQ_TRY(count_elements(&shape, &bytes, err));
    str header = STR_INIT;
    make_header(&header, a);
    if (!str_ok(&header)) {
        str_clear(&header);
        return error_no_memory(err, 128, "a .npy header");
    }
    file_out out;
    ptq_status status = file_out_open(&out, path, err);
    if (status == PTQ_OK) {
        /* A short write leaves the stream's error flag set, which commit reports. */
        fwrite(header.data, 1, header.len, out.stream);
        if (bytes)
            fwrite(a->data, 1, bytes, out.stream);
        status = file_out_commit(&out, err);
    }
    str_clear(&header);
    return status;
}

ptq_status npy_write_f32(const char *path, const float *data, int rank, const int64_t *dims,
                         ptq_error *err)
{
    if (rank < 0 || rank > NPY_MAX_RANK)
        return error_set(err, PTQ_UNSUPPORTED, "cannot write '%s': %d dimensions, at most %d fit",
                         path, rank, NPY_MAX_RANK);
    npy_array a = {.dtype = NPY_F32, .rank = rank, .data = (void *)(uintptr_t)data};
    if (rank)
        memcpy(a.dims, dims, (size_t)rank * sizeof *dims);
    return npy_write(path, &a, err);
}
