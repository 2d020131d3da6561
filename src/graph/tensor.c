/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/tensor.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"

typedef struct dtype_info {
    size_t bytes;
    const char *name;
    const char *numpy;
    int onnx;
} dtype_info;

static const char *const names[] = {"f32",  "u8",  "i8",  "u16", "i16", "i32", "i64",
                                    "bool", "f16", "f64", "u32", "u64", "bf16"};

static dtype_info info_of(dtype t)
{
#define DTYPE_INFO(name, bytes, onnx, numpy) {bytes, NULL, numpy, onnx},
    static const dtype_info infos[] = {DTYPE_LIST(DTYPE_INFO)};
#undef DTYPE_INFO
    dtype_info info = infos[t];
    info.name = names[t];
    return info;
}

size_t dtype_bytes(dtype t)
{
    return info_of(t).bytes;
}

const char *dtype_name(dtype t)
{
    return info_of(t).name;
}

const char *dtype_numpy(dtype t)
{
    return info_of(t).numpy;
}

int dtype_onnx(dtype t)
{
    return info_of(t).onnx;
}

bool dtype_from_onnx(int code, dtype *t)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (info_of((dtype)i).onnx == code) {
            *t = (dtype)i;
            return true;
        }
    return false;
}

shape shape_make(int rank, const int64_t *dims)
{
    shape s = {.rank = rank};
    for (int i = 0; i < rank; i++)
        s.dim[i] = dims[i];
    return s;
}

shape shape4(int64_t n, int64_t c, int64_t h, int64_t w)
{
    return (shape){.rank = 4, .dim = {n, c, h, w}};
}

bool shape_equal(const shape *a, const shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

bool shape_known(const shape *s)
{
    for (int i = 0; i < s->rank; i++)
        if (s->dim[i] < 0)
            return false;
    return true;
}

bool shape_count(const shape *s, size_t *count)
{
    size_t n = 1;
    for (int i = 0; i < s->rank; i++)
        if (s->dim[i] < 0 || !mem_mul(n, (size_t)s->dim[i], &n))
            return false;
    *count = n;
    return true;
}

const char *shape_text(const shape *s, char text[128])
{
    int used = snprintf(text, 128, "[");
    for (int i = 0; i < s->rank && used < 100; i++) {
        if (s->dim[i] < 0)
            used += snprintf(text + used, (size_t)(128 - used), "%s?", i ? "," : "");
        else
            used +=
                snprintf(text + used, (size_t)(128 - used), "%s%" PRId64, i ? "," : "", s->dim[i]);
    }
    snprintf(text + used, (size_t)(128 - used), "]");
    return text;
}
