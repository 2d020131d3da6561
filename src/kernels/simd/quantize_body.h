/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/simd/quantize_body.h — codes and values; and images that arrive plane by plane. The
 * including file defines NAME(x). */
#include "kernels/kernel_list.h"
#include "kernels/simd/interleave.h"
#include "kernels/simd/simd_row.h"

enum { MAX_PLANES = 4, PLANE_CHUNK = 256 };

/* Scales and zero points of a row of codes; */
typedef struct code_scale {
    const float *scale;
    const float *zero;
    bool is_unsigned;
    bool is_single;
    bool from_half;
} code_scale;

/* rint(x/scale) + zero, saturated, as whole floats. The true division makes the codes equal the
 * reference bit for bit. */
static inline void divide_row(float *y, const float *x, const float *scale, const float *zero,
                              int64_t n, bool is_unsigned)
{
    float low = is_unsigned ? 0.0f : -128.0f, high = is_unsigned ? 255.0f : 127.0f;
    for (int64_t i = 0; i < n; i++) {
        float code = __builtin_rintf(x[i] / scale[i]);
        code = code != code ? 0 : code;
        code += zero[i];
        code = code < low ? low : code;
        y[i] = code > high ? high : code;
    }
}

/* The same with one scale. A product with its reciprocal is within 2^-22 of the quotient, relative,
 * so for codes that do not saturate it rounds the same way unless it lies within 1e-4 of a tie:
 * then, once in some thousand elements, the piece is divided after all. */
static inline void multiply_row(float *y, const float *x, const float *scale, const float *zero,
                                int64_t n, bool is_unsigned)
{
    enum { PIECE = 64 };
    float low = is_unsigned ? 0.0f : -128.0f, high = is_unsigned ? 255.0f : 127.0f;
    float inverse = 1.0f / scale[0], z = zero[0];
    for (int64_t at = 0; at < n; at += PIECE) {
        int64_t end = at + PIECE < n ? at + PIECE : n;
        int near_tie = 0;
        for (int64_t i = at; i < end; i++) {
            float product = x[i] * inverse;
            float code = __builtin_rintf(product);
            near_tie |= !(__builtin_fabsf(product - code) < 0.4999f); /* true for NaN */
            code += z;
            code = code < low ? low : code;
            y[i] = code > high ? high : code;
        }
        if (near_tie)
            divide_row(y + at, x + at, scale + at, zero + at, end - at, is_unsigned);
    }
}

/* `is_single`: scale and zero point are the same for all elements. At most ROW_CHUNK. */
static inline void quantize_row(float *y, const float *x, const code_scale *s, int64_t n)
{
    float rounded[ROW_CHUNK];
    if (s->from_half) {
        row_round_f16(rounded, x, n);
        x = rounded;
    }
    if (s->is_single && s->scale[0] > 1e-30f && s->scale[0] < 1e30f)
        multiply_row(y, x, s->scale, s->zero, n, s->is_unsigned);
    else
        divide_row(y, x, s->scale, s->zero, n, s->is_unsigned);
}

static inline bool is_code(dtype type)
{
    return type == DTYPE_I8 || type == DTYPE_U8;
}

bool NAME(quantize_rows_can)(const kernel_args *a)
{
    bool is_plain = true;
    for (int k = 0; k < 4; k++)
        is_plain = is_plain && row_is_plain(a, k);
    return is_plain && row_is_float(a->t[0].type) && a->t[1].type == DTYPE_F32 &&
           is_code(a->t[2].type) && is_code(a->t[3].type);
}

static inline bool is_one_value(const kernel_args *a, int k)
{
    for (int i = 0; i < a->t[k].rank; i++)
        if (a->t[k].stride[i] != 0 && a->t[k].dim[i] > 1)
            return false;
    return true;
}

/* Rows of few values (a strided part of a concatenation) with one scale: as many as fill a chunk
 * are quantized together. */
static inline void quantize_short_rows(const kernel_args *a, rows *r, const code_scale *s)
{
    float x[ROW_CHUNK], y[ROW_CHUNK];
    char codes[ROW_CHUNK], *to[ROW_CHUNK];
    bool is_left = rows_next(r);
    while (is_left) {
        int64_t n = 0, n_rows = 0, length = r->n;
        for (; is_left && n + length <= ROW_CHUNK; n += length, is_left = rows_next(r)) {
            const float *row = row_load(r->p[0], a->t[0].type, 1, length, x + n);
            if (row != x + n)
                memcpy(x + n, row, (size_t)length * sizeof *row);
            to[n_rows++] = r->p[3];
        }
        quantize_row(y, x, s, n);
        row_store(codes, a->t[3].type, y, n);
        for (int64_t i = 0; i < n_rows; i++)
            memcpy(to[i], codes + i * length, (size_t)length);
    }
}

void NAME(quantize_rows)(const kernel_args *a, int part, int n_parts)
{
    enum { SHORT = 128 };
    float room[4][ROW_CHUNK];
    bool is_single = row_stride(a, 1) == 0 && row_stride(a, 2) == 0;
    rows r = rows_begin(a, part, n_parts);
    if (r.n <= SHORT && row_stride(a, 0) == 1 && is_one_value(a, 1) && is_one_value(a, 2)) {
        code_scale s = {row_load(a->t[1].data, a->t[1].type, 0, ROW_CHUNK, room[1]),
                        row_load(a->t[2].data, a->t[2].type, 0, ROW_CHUNK, room[2]),
                        a->t[3].type == DTYPE_U8, true, a->p.from_half};
        quantize_short_rows(a, &r, &s);
        return;
    }
    while (rows_next(&r))
        for (int64_t i = 0; i < r.n; i += ROW_CHUNK) {
            int64_t n = r.n - i < ROW_CHUNK ? r.n - i : ROW_CHUNK;
            const float *in[3];
            for (int k = 0; k < 3; k++)
                in[k] = row_load(r.p[k] + i * rows_step(&r, k), a->t[k].type, row_stride(a, k), n,
                                 room[k]);
            code_scale s = {in[1], in[2], a->t[3].type == DTYPE_U8, is_single, a->p.from_half};
            quantize_row(room[3], in[0], &s, n);
            row_store(r.p[3] + i, a->t[3].type, room[3], n);
        }
}

bool NAME(dequantize_rows_can)(const kernel_args *a)
{
    bool is_plain = true;
    for (int k = 0; k < 4; k++)
        is_plain = is_plain && row_is_plain(a, k);
    return is_plain && is_code(a->t[0].type) && a->t[1].type == DTYPE_F32 &&
           is_code(a->t[2].type) && row_is_float(a->t[3].type);
}

void NAME(dequantize_rows)(const kernel_args *a, int part, int n_parts)
{
    float room[4][ROW_CHUNK];
    rows r = rows_begin(a, part, n_parts);
    while (rows_next(&r))
        for (int64_t i = 0; i < r.n; i += ROW_CHUNK) {
            int64_t n = r.n - i < ROW_CHUNK ? r.n - i : ROW_CHUNK;
            const float *in[3];
            for (int k = 0; k < 3; k++)
                in[k] = row_load(r.p[k] + i * rows_step(&r, k), a->t[k].type, row_stride(a, k), n,
                                 room[k]);
            char *to = r.p[3] + i * rows_step(&r, 3);
            float *y = row_room(to, a->t[3].type, room[3]);
            for (int64_t j = 0; j < n; j++)
                y[j] = (in[0][j] - in[2][j]) * in[1][j];
            row_store(to, a->t[3].type, y, n);
        }
}

/* Images of a few channels that come as planes and leave as pixels: [..., pixels, channels] with
 * the channels innermost in the output and outermost in the input. */

static inline bool is_planar(const kernel_args *a)
{
    const view *x = &a->t[0], *y = &a->t[a->n - 1];
    int last = y->rank - 1;
    return last >= 1 && y->dim[last] <= MAX_PLANES && y->stride[last] == 1 &&
           y->stride[last - 1] == y->dim[last] && x->stride[last - 1] == 1 && x->type == DTYPE_F32;
}

/* n pixels from p (in the first plane) to interleaved floats. */
static inline void interleave(float *restrict to, const char *p, const view *x, int64_t n)
{
    int64_t channels = x->dim[x->rank - 1], plane = x->stride[x->rank - 1];
    const float *restrict a = (const float *)(const void *)p;
    if (channels == 3) {
        const float *restrict b = a + plane, *restrict c = b + plane;
        for (int64_t i = 0; i < n; i++) {
            to[3 * i] = a[i];
            to[3 * i + 1] = b[i];
            to[3 * i + 2] = c[i];
        }
        return;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < channels; k++)
            to[channels * i + k] = a[k * plane + i];
}

/* The same from planes of codes. */
static inline void interleave_codes(char *to, char planes[][PLANE_CHUNK], int64_t channels,
                                    int64_t n)
{
    int64_t i = 0;
    for (; channels == 3 && i + 8 <= n; i += 8)
        interleave_eight(to + 3 * i,
                         (const char *const[3]){planes[0] + i, planes[1] + i, planes[2] + i});
    for (; i < n; i++)
        for (int64_t k = 0; k < channels; k++)
            to[channels * i + k] = planes[k][i];
}

/* n pixels from p, quantized where there is a scale. */
static inline void run_pixels(const kernel_args *a, const code_scale *s, const char *p, char *to,
                              int64_t n)
{
    float values[MAX_PLANES * PLANE_CHUNK];
    char codes[MAX_PLANES][PLANE_CHUNK];
    const view *x = &a->t[0], *y = &a->t[a->n - 1];
    int64_t channels = y->dim[y->rank - 1], plane = x->stride[x->rank - 1];
    if (!s) {
        interleave(values, p, x, n);
        row_store(to, y->type, values, n * channels);
        return;
    }
    for (int64_t k = 0; k < channels; k++) {
        quantize_row(values, (const float *)(const void *)p + k * plane, s, n);
        row_store(codes[k], y->type, values, n);
    }
    interleave_codes(to, codes, channels, n);
}

static void run_planes(const kernel_args *a, const code_scale *s, int part, int n_parts)
{
    kernel_args lines = *a; /* rows of pixels of the first plane */
    const view *y = &a->t[a->n - 1];
    lines.n = 2;
    lines.t[1] = *y;
    lines.t[0].rank = lines.t[1].rank = y->rank - 1;
    rows r = rows_begin(&lines, part, n_parts);
    while (rows_next(&r))
        for (int64_t i = 0; i < r.n; i += PLANE_CHUNK) {
            int64_t n = r.n - i < PLANE_CHUNK ? r.n - i : PLANE_CHUNK;
            run_pixels(a, s, r.p[0] + i * rows_step(&r, 0), r.p[1] + i * rows_step(&r, 1), n);
        }
}

bool NAME(copy_planes_can)(const kernel_args *a)
{
    return is_planar(a) && row_is_float(a->t[1].type);
}

void NAME(copy_planes)(const kernel_args *a, int part, int n_parts)
{
    run_planes(a, NULL, part, n_parts);
}

static inline bool is_single(const view *v)
{
    for (int i = 0; i < v->rank; i++)
        if (v->stride[i] != 0 && v->dim[i] != 1)
            return false;
    return true;
}

bool NAME(quantize_planes_can)(const kernel_args *a)
{
    return is_planar(a) && a->t[1].type == DTYPE_F32 && is_code(a->t[2].type) &&
           is_code(a->t[3].type) && is_single(&a->t[1]) && is_single(&a->t[2]);
}

void NAME(quantize_planes)(const kernel_args *a, int part, int n_parts)
{
    float scale[PLANE_CHUNK], zero[PLANE_CHUNK];
    row_load(a->t[1].data, DTYPE_F32, 0, PLANE_CHUNK, scale);
    row_load(a->t[2].data, a->t[2].type, 0, PLANE_CHUNK, zero);
    code_scale s = {scale, zero, a->t[3].type == DTYPE_U8, true, a->p.from_half};
    run_planes(a, &s, part, n_parts);
}
