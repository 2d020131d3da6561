/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/simd/pointwise_body.h — pointwise kernels on rows; the including file defines NAME(x),
 * which adds the instruction set to a name. */
#include "kernels/kernel_list.h"
#include "kernels/simd/activation_row.h"

bool NAME(copy_rows_can)(const kernel_args *a)
{
    return row_stride(a, 0) == 1 && row_stride(a, 1) == 1 && a->t[0].type == a->t[1].type;
}

void NAME(copy_rows)(const kernel_args *a, int part, int n_parts)
{
    size_t bytes = view_type_bytes(a->t[0].type);
    rows r = rows_begin(a, part, n_parts);
    while (rows_next(&r))
        memcpy(r.p[1], r.p[0], (size_t)r.n * bytes);
}

/* The dimension along which neighbours in the input are neighbours in memory; -1: none, or it is
 * the innermost of the output as well. */
static inline int input_row_dim(const kernel_args *a)
{
    for (int i = 0; i < a->t[0].rank - 1; i++)
        if (a->t[0].stride[i] == 1 && a->t[0].dim[i] > 1)
            return i;
    return -1;
}

bool NAME(copy_blocks_can)(const kernel_args *a)
{
    size_t bytes = view_type_bytes(a->t[0].type);
    return a->t[0].type == a->t[1].type && (bytes == 1 || bytes == 2 || bytes == 4) &&
           row_stride(a, 1) == 1 && input_row_dim(a) >= 0;
}

/* y[i][j] = x[i][j] where x has its neighbours along i and y along j: a transposition, in blocks
 * that touch few cache lines on either side. */
#define TRANSPOSE(name, ctype)                                                                     \
    static inline void name(char *to, const char *from, const int64_t n[2], int64_t y_step,        \
                            int64_t x_step)                                                        \
    {                                                                                              \
        enum { BLOCK = 16 };                                                                       \
        ctype *restrict y = (ctype *)(void *)to;                                                   \
        const ctype *restrict x = (const ctype *)(const void *)from;                               \
        for (int64_t j = 0; j < n[1]; j += BLOCK) {                                                \
            int64_t end = j + BLOCK < n[1] ? j + BLOCK : n[1];                                     \
            for (int64_t i = 0; i < n[0]; i++)                                                     \
                for (int64_t k = j; k < end; k++)                                                  \
                    y[i * y_step + k] = x[i + k * x_step];                                         \
        }                                                                                          \
    }
TRANSPOSE(transpose_1, uint8_t)
TRANSPOSE(transpose_2, uint16_t)
TRANSPOSE(transpose_4, uint32_t)
#undef TRANSPOSE

void NAME(copy_blocks)(const kernel_args *a, int part, int n_parts)
{
    int i = input_row_dim(a), j = a->t[0].rank - 1;
    int64_t n[2] = {a->t[0].dim[i], 0}, y_step = a->t[1].stride[i], x_step = a->t[0].stride[j];
    size_t bytes = view_type_bytes(a->t[0].type);
    kernel_args lines = *a; /* dimension i is done inside */
    lines.t[0].dim[i] = lines.t[1].dim[i] = 1;
    rows r = rows_begin(&lines, part, n_parts);
    while (rows_next(&r)) {
        n[1] = r.n;
        if (bytes == 1)
            transpose_1(r.p[1], r.p[0], n, y_step, x_step);
        else if (bytes == 2)
            transpose_2(r.p[1], r.p[0], n, y_step, x_step);
        else
            transpose_4(r.p[1], r.p[0], n, y_step, x_step);
    }
}

bool NAME(cast_rows_can)(const kernel_args *a)
{
    return row_is_plain(a, 0) && row_is_plain(a, 1) && row_is_number(a->t[0].type) &&
           row_is_float(a->t[1].type);
}

void NAME(cast_rows)(const kernel_args *a, int part, int n_parts)
{
    float room[ROW_CHUNK];
    dtype from = a->t[0].type, to = a->t[1].type;
    rows r = rows_begin(a, part, n_parts);
    while (rows_next(&r))
        for (int64_t i = 0; i < r.n; i += ROW_CHUNK) {
            int64_t n = r.n - i < ROW_CHUNK ? r.n - i : ROW_CHUNK;
            const char *x = r.p[0] + i * rows_step(&r, 0);
            row_store(r.p[1] + i * rows_step(&r, 1), to,
                      row_load(x, from, row_stride(a, 0), n, room), n);
        }
}

bool NAME(unary_rows_can)(const kernel_args *a)
{
    return unary_row_can(a->p.unary.op) && row_is_plain(a, 0) && row_is_plain(a, 1) &&
           row_is_float(a->t[0].type) && row_is_float(a->t[1].type);
}

void NAME(unary_rows)(const kernel_args *a, int part, int n_parts)
{
    float room[2][ROW_CHUNK];
    rows r = rows_begin(a, part, n_parts);
    while (rows_next(&r))
        for (int64_t i = 0; i < r.n; i += ROW_CHUNK) {
            int64_t n = r.n - i < ROW_CHUNK ? r.n - i : ROW_CHUNK;
            char *to = r.p[1] + i * rows_step(&r, 1);
            const float *x =
                row_load(r.p[0] + i * rows_step(&r, 0), a->t[0].type, row_stride(a, 0), n, room[0]);
            float *y = row_room(to, a->t[1].type, room[1]);
            unary_row(&a->p.unary, y, x, n);
            row_store(to, a->t[1].type, y, n);
        }
}

#define BINARY_ROW(expression)                                                                     \
    for (int64_t i = 0; i < n; i++) {                                                              \
        float v = x[i], w = y[i];                                                                  \
        z[i] = (expression);                                                                       \
    }                                                                                              \
    return

static inline void binary_row(binary_op op, float *z, const float *x, const float *y, int64_t n)
{
    switch (op) {
    case BINARY_ADD:
        BINARY_ROW(v + w);
    case BINARY_SUB:
        BINARY_ROW(v - w);
    case BINARY_MUL:
        BINARY_ROW(v * w);
    case BINARY_DIV:
        BINARY_ROW(v / w);
    case BINARY_MAX:
        BINARY_ROW(v > w ? v : w);
    case BINARY_MIN:
        BINARY_ROW(v < w ? v : w);
    default:
        return;
    }
}
#undef BINARY_ROW

bool NAME(binary_rows_can)(const kernel_args *a)
{
    bool is_good = a->p.binary != BINARY_POW && a->p.binary < BINARY_EQUAL;
    for (int k = 0; k < 3; k++)
        is_good = is_good && row_is_plain(a, k) && row_is_float(a->t[k].type);
    return is_good;
}

void NAME(binary_rows)(const kernel_args *a, int part, int n_parts)
{
    float room[3][ROW_CHUNK];
    rows r = rows_begin(a, part, n_parts);
    while (rows_next(&r))
        for (int64_t i = 0; i < r.n; i += ROW_CHUNK) {
            int64_t n = r.n - i < ROW_CHUNK ? r.n - i : ROW_CHUNK;
            const float *in[2];
            for (int k = 0; k < 2; k++)
                in[k] = row_load(r.p[k] + i * rows_step(&r, k), a->t[k].type, row_stride(a, k), n,
                                 room[k]);
            char *to = r.p[2] + i * rows_step(&r, 2);
            float *z = row_room(to, a->t[2].type, room[2]);
            binary_row(a->p.binary, z, in[0], in[1], n);
            row_store(to, a->t[2].type, z, n);
        }
}
