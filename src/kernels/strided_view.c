/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/strided_view.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/half.h"

#define DTYPE_BYTES(name, bytes, onnx, numpy) [DTYPE_##name] = bytes,
static const unsigned char type_bytes[DTYPE_COUNT] = {DTYPE_LIST(DTYPE_BYTES)};
#undef DTYPE_BYTES

size_t view_type_bytes(dtype type)
{
    return type_bytes[type];
}

view view_dense(dtype type, int rank, const int64_t *dim)
{
    view v = {.type = type, .rank = rank};
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        v.dim[i] = dim[i];
        v.stride[i] = stride;
        stride *= dim[i];
    }
    return v;
}

view view_nhwc(dtype type, const int64_t dim[4], int64_t pixel_stride)
{
    view v = {.type = type, .rank = 4};
    memcpy(v.dim, dim, 4 * sizeof *dim);
    v.stride[0] = dim[2] * dim[3] * pixel_stride;
    v.stride[1] = 1;
    v.stride[2] = dim[3] * pixel_stride;
    v.stride[3] = pixel_stride;
    return v;
}

int64_t view_count(const view *v)
{
    int64_t n = 1;
    for (int i = 0; i < v->rank; i++)
        n *= v->dim[i];
    return n;
}

bool view_is_dense(const view *v)
{
    int64_t stride = 1;
    for (int i = v->rank - 1; i >= 0; i--) {
        if (v->dim[i] != 1 && v->stride[i] != stride)
            return false;
        stride *= v->dim[i];
    }
    return true;
}

bool view_is_nhwc(const view *v, int64_t *pixel_stride)
{
    if (v->rank != 4)
        return false;
    /* The innermost spatial dimension that is not 1 tells the distance of pixels. */
    int64_t n = v->dim[0], c = v->dim[1], h = v->dim[2], w = v->dim[3];
    int64_t ps = w > 1 ? v->stride[3] : h > 1 ? v->stride[2] / w : n > 1 ? v->stride[0] / h / w : c;
    if (ps < c || (c > 1 && v->stride[1] != 1) || (h > 1 && v->stride[2] != w * ps) ||
        (n > 1 && v->stride[0] != h * w * ps))
        return false;
    if (pixel_stride)
        *pixel_stride = ps;
    return true;
}

bool view_is_packed(const view *v)
{
    int64_t pixel_stride;
    return view_is_nhwc(v, &pixel_stride) && pixel_stride == v->dim[1];
}

bool view_same_dims(const view *a, const view *b)
{
    return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim) == 0;
}

bool view_broadcast(const view *v, int rank, const int64_t *dim, view *out)
{
    if (v->rank > rank)
        return false;
    view b = {.data = v->data, .type = v->type, .rank = rank};
    for (int i = 0; i < rank; i++) {
        int j = i - (rank - v->rank);
        int64_t own = j < 0 ? 1 : v->dim[j];
        if (own != dim[i] && own != 1)
            return false;
        b.dim[i] = dim[i];
        b.stride[i] = own == dim[i] && j >= 0 ? v->stride[j] : 0;
    }
    *out = b;
    return true;
}

view view_slice(const view *v, int axis, int64_t from, int64_t length)
{
    assert(from >= 0 && length >= 0 && from + length <= v->dim[axis]);
    view part = *v;
    part.dim[axis] = length;
    if (part.data)
        part.data += from * v->stride[axis] * (int64_t)type_bytes[v->type];
    return part;
}

static void drop_dim(view *operands, int n, int i)
{
    for (int k = 0; k < n; k++) {
        view *v = &operands[k];
        size_t rest = (size_t)(v->rank - i - 1) * sizeof *v->dim;
        memmove(v->dim + i, v->dim + i + 1, rest);
        memmove(v->stride + i, v->stride + i + 1, rest);
        v->rank--;
    }
}

/* Gives new dimensions [from, to) of `out` the strides of old dimensions that make one run whose
 * innermost stride is `stride`. */
static void split_run(view *out, int from, int to, int64_t stride)
{
    for (int i = to - 1; i >= from; i--) {
        out->stride[i] = stride;
        stride *= out->dim[i];
    }
}

bool view_reshape(const view *v, int rank, const int64_t *dim, view *out)
{
    view old[1] = {*v}, made = {.data = v->data, .type = v->type, .rank = rank};
    for (int i = old->rank - 1; i >= 0; i--)
        if (old->dim[i] == 1)
            drop_dim(old, 1, i);
    for (int i = 0; i < rank; i++)
        made.dim[i] = dim[i];
    int from = 0, to = 0;
    for (int i = 0; i < old->rank; from = to) {
        /* The shortest run of old dimensions that holds as many elements as a run of new ones. */
        int last = i;
        int64_t n_old = old->dim[i], n_new = 1;
        while (n_new != n_old) {
            if (n_new < n_old) {
                if (to == rank)
                    return false;
                n_new *= dim[to++];
            } else {
                if (++last == old->rank ||
                    old->stride[last - 1] != old->stride[last] * old->dim[last])
                    return false;
                n_old *= old->dim[last];
            }
        }
        split_run(&made, from, to, old->stride[last]);
        i = last + 1;
    }
    split_run(&made, from, rank, 1); /* ones */
    *out = made;
    return true;
}

static void swap_dims(view *operands, int n, int a, int b)
{
    for (int k = 0; k < n; k++) {
        view *v = &operands[k];
        int64_t dim = v->dim[a], stride = v->stride[a];
        v->dim[a] = v->dim[b], v->stride[a] = v->stride[b];
        v->dim[b] = dim, v->stride[b] = stride;
    }
}

/* Whether dimensions i and i+1 walk like one in every operand. */
static bool is_mergeable(const view *operands, int n, int i)
{
    for (int k = 0; k < n; k++)
        if (operands[k].stride[i] != operands[k].stride[i + 1] * operands[k].dim[i + 1])
            return false;
    return true;
}

void view_coalesce(view *operands, int n)
{
    view *last = &operands[n - 1];
    for (int i = last->rank - 1; i >= 0; i--)
        if (last->dim[i] == 1)
            drop_dim(operands, n, i);
    for (int i = 1; i < last->rank; i++) /* insertion sort: at most eight, stable */
        for (int j = i; j > 0 && last->stride[j - 1] < last->stride[j]; j--)
            swap_dims(operands, n, j - 1, j);
    for (int i = last->rank - 2; i >= 0; i--)
        if (is_mergeable(operands, n, i)) {
            for (int k = 0; k < n; k++)
                operands[k].dim[i + 1] *= operands[k].dim[i];
            drop_dim(operands, n, i);
        }
    if (last->rank == 0)
        for (int k = 0; k < n; k++) {
            operands[k].rank = 1;
            operands[k].dim[0] = operands[k].stride[0] = 1;
        }
}

#define LOAD(ctype)                                                                                \
    {                                                                                              \
        ctype value;                                                                               \
        memcpy(&value, p, sizeof value);                                                           \
        return (double)value;                                                                      \
    }

int64_t view_position(const view *v, int64_t i, int64_t at[VIEW_MAX_RANK])
{
    int64_t offset = 0;
    for (int k = v->rank - 1; k >= 0; k--) {
        at[k] = i % v->dim[k];
        i /= v->dim[k];
        offset += at[k] * v->stride[k];
    }
    return offset;
}

int64_t view_offset(const view *v, const int64_t at[VIEW_MAX_RANK])
{
    int64_t offset = 0;
    for (int k = 0; k < v->rank; k++)
        offset += at[k] * v->stride[k];
    return offset;
}

double view_load(const char *p, dtype type)
{
    uint16_t half;
    switch (type) {
    case DTYPE_F32:
        LOAD(float)
    case DTYPE_U8:
    case DTYPE_BOOL:
        LOAD(uint8_t)
    case DTYPE_I8:
        LOAD(int8_t)
    case DTYPE_U16:
        LOAD(uint16_t)
    case DTYPE_I16:
        LOAD(int16_t)
    case DTYPE_I32:
        LOAD(int32_t)
    case DTYPE_I64:
        LOAD(int64_t)
    case DTYPE_F64:
        LOAD(double)
    case DTYPE_U32:
        LOAD(uint32_t)
    case DTYPE_U64:
        LOAD(uint64_t)
    case DTYPE_F16:
        memcpy(&half, p, sizeof half);
        return (double)half_to_float(half);
    case DTYPE_BF16:
        memcpy(&half, p, sizeof half);
        return (double)bfloat_to_float(half);
    case DTYPE_COUNT:
        break;
    }
    return 0;
}
#undef LOAD

static double saturate(double value, double low, double high)
{
    return value != value ? 0 : value < low ? low : value > high ? high : value;
}

#define STORE(ctype, low, high)                                                                    \
    {                                                                                              \
        ctype stored = (ctype)saturate(value, low, high);                                          \
        memcpy(p, &stored, sizeof stored);                                                         \
        return;                                                                                    \
    }

void view_store(char *p, dtype type, double value)
{
    uint16_t half;
    float single;
    switch (type) {
    case DTYPE_F32:
        single = (float)value;
        memcpy(p, &single, sizeof single);
        return;
    case DTYPE_BOOL:
        *p = value != 0;
        return;
    case DTYPE_U8:
        STORE(uint8_t, 0, UINT8_MAX)
    case DTYPE_I8:
        STORE(int8_t, INT8_MIN, INT8_MAX)
    case DTYPE_U16:
        STORE(uint16_t, 0, UINT16_MAX)
    case DTYPE_I16:
        STORE(int16_t, INT16_MIN, INT16_MAX)
    case DTYPE_I32:
        STORE(int32_t, INT32_MIN, INT32_MAX)
    case DTYPE_U32:
        STORE(uint32_t, 0, UINT32_MAX)
    case DTYPE_I64: /* the largest doubles below 2^63 and 2^64 */
        STORE(int64_t, -0x1p63, 0x1.fffffffffffffp62)
    case DTYPE_U64:
        STORE(uint64_t, 0, 0x1.fffffffffffffp63)
    case DTYPE_F64:
        memcpy(p, &value, sizeof value);
        return;
    case DTYPE_F16:
        half = half_from_float((float)value);
        memcpy(p, &half, sizeof half);
        return;
    case DTYPE_BF16:
        half = bfloat_from_float((float)value);
        memcpy(p, &half, sizeof half);
        return;
    case DTYPE_COUNT:
        return;
    }
}
