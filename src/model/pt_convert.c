/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pt_convert.h"

#include <string.h>

#include "base/half.h"
#include "base/mem.h"

void pt_swap_bytes(void *bytes, size_t element_bytes, size_t n)
{
    unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++, p += element_bytes)
        for (size_t a = 0, b = element_bytes - 1; a < b; a++, b--) {
            unsigned char byte = p[a];
            p[a] = p[b];
            p[b] = byte;
        }
}

/* Shifting a float16's bits into a float's places leaves the exponent 112 too small; the product
 * with 2^112 mends it, for subnormals too, and without a branch that would stop vectorising. */
static void convert_f16(const uint16_t *src, size_t n, float *dst)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t h = src[i], magnitude = (h & 0x7fff) << 13, bits;
        float f;
        memcpy(&f, &magnitude, sizeof f);
        f *= 0x1p112f;
        memcpy(&bits, &f, sizeof bits);
        bits |= (h & 0x7c00) == 0x7c00 ? 0x7f800000 : 0; /* infinity, or a NaN stays one */
        bits |= (h & 0x8000) << 16;
        memcpy(&dst[i], &bits, sizeof bits);
    }
}

static void convert_bf16(const uint16_t *src, size_t n, float *dst)
{
    for (size_t i = 0; i < n; i++)
        dst[i] = bfloat_to_float(src[i]);
}

#define CONVERT(name, type)                                                                        \
    static void name(const type *src, size_t n, float *dst)                                        \
    {                                                                                              \
        for (size_t i = 0; i < n; i++)                                                             \
            dst[i] = (float)src[i];                                                                \
    }
CONVERT(convert_f64, double)
CONVERT(convert_i64, int64_t)
CONVERT(convert_i32, int32_t)
CONVERT(convert_i16, int16_t)
CONVERT(convert_i8, int8_t)
CONVERT(convert_u8, uint8_t)

/* `src` must be aligned for its element type. */
static ptq_status convert(pickle_element e, const void *src, size_t n, float *dst, ptq_error *err)
{
    switch (e) {
    case PICKLE_ELEMENT_F32:
        memcpy(dst, src, n * sizeof *dst);
        return PTQ_OK;
    case PICKLE_ELEMENT_F16:
        convert_f16(src, n, dst);
        return PTQ_OK;
    case PICKLE_ELEMENT_BF16:
        convert_bf16(src, n, dst);
        return PTQ_OK;
    case PICKLE_ELEMENT_F64:
        convert_f64(src, n, dst);
        return PTQ_OK;
    case PICKLE_ELEMENT_I64:
        convert_i64(src, n, dst);
        return PTQ_OK;
    case PICKLE_ELEMENT_I32:
        convert_i32(src, n, dst);
        return PTQ_OK;
    case PICKLE_ELEMENT_I16:
        convert_i16(src, n, dst);
        return PTQ_OK;
    case PICKLE_ELEMENT_I8:
        convert_i8(src, n, dst);
        return PTQ_OK;
    case PICKLE_ELEMENT_U8:
    case PICKLE_ELEMENT_BOOL:
        convert_u8(src, n, dst);
        return PTQ_OK;
    default:
        return error_set(err, PTQ_UNSUPPORTED, "complex numbers are not supported");
    }
}

static bool is_contiguous(const pickle_tensor *t)
{
    int64_t expected = 1;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->size[i] != 1 && t->stride[i] != expected)
            return false;
        expected *= t->size[i];
    }
    return true;
}

/* Copies the elements in row-major order, one by one. */
static void gather_bytes(const pickle_tensor *t, const char *storage, size_t bytes, char *dst)
{
    int64_t at[PICKLE_MAX_RANK] = {0}, stride[PICKLE_MAX_RANK] = {0};
    int64_t index = t->offset;
    for (int k = 0; k < t->rank; k++)
        stride[k] = t->size[k] > 1 ? t->stride[k] : 0; /* unused, so any number may stand there */
    for (int64_t i = 0; i < t->n_elements; i++, dst += bytes) {
        memcpy(dst, storage + (size_t)index * bytes, bytes);
        for (int k = t->rank - 1; k >= 0; k--) {
            index += stride[k];
            if (++at[k] < t->size[k])
                break;
            index -= t->size[k] * stride[k];
            at[k] = 0;
        }
    }
}

ptq_status pt_gather(const pickle_tensor *t, const void *storage, float *values, ptq_error *err)
{
    size_t bytes = pickle_element_bytes(t->element), n = (size_t)t->n_elements, total;
    if (n == 0)
        return PTQ_OK;
    if (is_contiguous(t))
        return convert(t->element, (const char *)storage + (size_t)t->offset * bytes, n, values,
                       err);
    if (!mem_mul(n, bytes, &total))
        return error_set(err, PTQ_LIMIT, "a tensor of %zu elements", n);
    char *dense = mem_alloc(total);
    if (!dense)
        return error_no_memory(err, total, "a tensor");
    gather_bytes(t, storage, bytes, dense);
    ptq_status status = convert(t->element, dense, n, values, err);
    mem_free(dense);
    return status;
}

bool pt_all_finite(const float *values, size_t n)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    return largest < 0x7f800000;
}
