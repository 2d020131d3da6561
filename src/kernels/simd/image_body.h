/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/simd/image_body.h — pools, nearest resizing and the YOLO head on channels-last images.
 * The including file defines NAME(x), and IMAGE_SIGMOID_ROW(to, from, n). */
#include "kernels/kernel_list.h"
#include "kernels/simd/simd_row.h"
#include "kernels/simd/stream.h"

/* Window positions inside the image, as [begin, end) of the kernel's taps. */
static inline void tap_range(int64_t at, int taps, int dilation, int64_t n, int *begin, int *end)
{
    *begin = 0;
    *end = taps;
    while (*begin < taps && at + (int64_t)*begin * dilation < 0)
        ++*begin;
    while (*end > *begin && at + (int64_t)(*end - 1) * dilation >= n)
        --*end;
}

/* bf16 as integers in the order of their values; its own inverse. */
static inline int16_t bf16_order(int16_t v)
{
    return (int16_t)(v ^ ((v >> 15) & 0x7fff));
}

/* Pixels whose maximum is taken: `rows` x `columns` of them, steps in bytes. */
typedef struct pool_window {
    const char *first;
    int64_t row_step, column_step;
    int rows, columns;
} pool_window;

/* MAX_BLOCK(name, element type, smallest value, order): y[k] = max over the window of x[k] for n <=
 * 64 bytes of channels, which stay in a register meanwhile. */
#define MAX_BLOCK(name, ctype, lowest, order)                                                      \
    static inline void name(char *to, const pool_window *w, int64_t bytes)                         \
    {                                                                                              \
        enum { BLOCK = 64 / sizeof(ctype) };                                                       \
        int64_t n = bytes / (int64_t)sizeof(ctype);                                                \
        ctype best[BLOCK], *y = (ctype *)(void *)to;                                               \
        for (int k = 0; k < BLOCK; k++)                                                            \
            best[k] = (lowest);                                                                    \
        for (int i = 0; i < w->rows; i++)                                                          \
            for (int j = 0; j < w->columns; j++) {                                                 \
                const void *p = w->first + i * w->row_step + j * w->column_step;                   \
                const ctype *x = p;                                                                \
                if (n == BLOCK) {                                                                  \
                    for (int k = 0; k < BLOCK; k++)                                                \
                        best[k] = order(x[k]) > best[k] ? order(x[k]) : best[k];                   \
                } else {                                                                           \
                    for (int k = 0; k < n; k++)                                                    \
                        best[k] = order(x[k]) > best[k] ? order(x[k]) : best[k];                   \
                }                                                                                  \
            }                                                                                      \
        for (int k = 0; k < n; k++)                                                                \
            y[k] = order(best[k]);                                                                 \
    }
#define SAME(v) (v)
MAX_BLOCK(max_block_f32, float, -__builtin_inff(), SAME)
MAX_BLOCK(max_block_i8, int8_t, INT8_MIN, SAME)
MAX_BLOCK(max_block_u8, uint8_t, 0, SAME)
MAX_BLOCK(max_block_bf16, int16_t, INT16_MIN, bf16_order)
#undef SAME
#undef MAX_BLOCK

enum { MAX_POOL_WIDTH = 512 };

static inline void max_block(dtype type, char *to, const pool_window *w, int64_t bytes)
{
    if (type == DTYPE_F32)
        max_block_f32(to, w, bytes);
    else if (type == DTYPE_I8)
        max_block_i8(to, w, bytes);
    else if (type == DTYPE_U8)
        max_block_u8(to, w, bytes);
    else
        max_block_bf16(to, w, bytes);
}

/* One row of the output and where it comes from. */
typedef struct pool_row {
    const kernel_args *a;
    const char *from; /* first input row under the window, column 0 */
    char *to;
    int rows;                            /* of the window inside the image */
    int64_t in_row, in_pixel, out_pixel; /* bytes */
} pool_row;

/* Columns of the window of output column x that are inside the image: first column, count. */
static inline int64_t pool_columns(const pool_row *r, int64_t x, int *count)
{
    const pool_param *p = &r->a->p.pool;
    int64_t left = x * p->stride[1] - p->pad[1];
    int begin, end;
    tap_range(left, p->kernel[1], p->dilation[1], r->a->t[0].dim[3], &begin, &end);
    *count = end - begin;
    return left + begin * p->dilation[1];
}

/* Small windows: every pixel under the window for each output pixel. */
static inline void pool_row_direct(const pool_row *r, int64_t channel_bytes)
{
    const pool_param *p = &r->a->p.pool;
    for (int64_t x = 0; x < r->a->t[1].dim[3]; x++) {
        pool_window w = {.row_step = r->in_row, .column_step = p->dilation[1] * r->in_pixel};
        w.rows = r->rows;
        const char *from = r->from + pool_columns(r, x, &w.columns) * r->in_pixel;
        for (int64_t c = 0; c < channel_bytes; c += 64) {
            int64_t bytes = channel_bytes - c < 64 ? channel_bytes - c : 64;
            w.first = from + c;
            max_block(r->a->t[0].type, r->to + x * r->out_pixel + c, &w, bytes);
        }
    }
}

/* Large windows: the maximum of each column of the window first, then of those. */
static inline void pool_row_separable(const pool_row *r, int64_t channel_bytes)
{
    const pool_param *p = &r->a->p.pool;
    dtype type = r->a->t[0].type;
    int64_t width = r->a->t[0].dim[3];
    char columns[MAX_POOL_WIDTH][64] __attribute__((aligned(64)));
    for (int64_t c = 0; c < channel_bytes; c += 64) {
        int64_t bytes = channel_bytes - c < 64 ? channel_bytes - c : 64;
        for (int64_t x = 0; x < width; x++) {
            pool_window w = {r->from + x * r->in_pixel + c, r->in_row, 0, r->rows, 1};
            max_block(type, columns[x], &w, bytes);
        }
        for (int64_t x = 0; x < r->a->t[1].dim[3]; x++) {
            pool_window w = {.column_step = 64 * p->dilation[1], .rows = 1};
            w.first = columns[pool_columns(r, x, &w.columns)];
            max_block(type, r->to + x * r->out_pixel + c, &w, bytes);
        }
    }
}

bool NAME(max_pool_nhwc_can)(const kernel_args *a)
{
    return row_is_number(a->t[0].type) && view_is_nhwc(&a->t[0], NULL) &&
           view_is_nhwc(&a->t[1], NULL);
}

void NAME(max_pool_nhwc)(const kernel_args *a, int part, int n_parts)
{
    const pool_param *p = &a->p.pool;
    const view *in = &a->t[0], *out = &a->t[1];
    int64_t bytes = (int64_t)view_type_bytes(in->type), begin, end;
    pool_row r = {.a = a,
                  .in_row = p->dilation[0] * in->stride[2] * bytes,
                  .in_pixel = in->stride[3] * bytes,
                  .out_pixel = out->stride[3] * bytes};
    bool is_large = p->kernel[0] * p->kernel[1] > 9 && in->dim[3] <= MAX_POOL_WIDTH;
    kernel_share(out->dim[0] * out->dim[2], part, n_parts, &begin, &end);
    for (int64_t row = begin; row < end; row++) {
        int64_t n = row / out->dim[2], y = row % out->dim[2];
        int64_t top = y * p->stride[0] - p->pad[0];
        int first, last;
        tap_range(top, p->kernel[0], p->dilation[0], in->dim[2], &first, &last);
        r.rows = last - first;
        top += first * p->dilation[0];
        r.from = in->data + (n * in->stride[0] + top * in->stride[2]) * bytes;
        r.to = out->data + (n * out->stride[0] + y * out->stride[2]) * bytes;
        if (is_large)
            pool_row_separable(&r, in->dim[1] * bytes);
        else
            pool_row_direct(&r, in->dim[1] * bytes);
    }
}

bool NAME(resize_nhwc_can)(const kernel_args *a)
{
    return !a->p.resize.is_linear && view_is_nhwc(&a->t[0], NULL) && view_is_nhwc(&a->t[1], NULL);
}

/* Nearest: pixels are copied whole. */
void NAME(resize_nhwc)(const kernel_args *a, int part, int n_parts)
{
    const resize_param *p = &a->p.resize;
    const view *in = &a->t[0], *out = &a->t[1];
    int64_t bytes = (int64_t)view_type_bytes(in->type), begin, end;
    size_t pixel = (size_t)(in->dim[1] * bytes);
    kernel_share(out->dim[0] * out->dim[2], part, n_parts, &begin, &end);
    for (int64_t row = begin; row < end; row++) {
        int64_t n = row / out->dim[2], y = row % out->dim[2];
        int64_t source = resample_nearest(p, 0, y, in->dim[2], out->dim[2]);
        const char *from = in->data + (n * in->stride[0] + source * in->stride[2]) * bytes;
        char *to = out->data + (n * out->stride[0] + y * out->stride[2]) * bytes;
        for (int64_t x = 0; x < out->dim[3]; x++) {
            int64_t at = resample_nearest(p, 1, x, in->dim[3], out->dim[3]);
            memcpy(to + x * out->stride[3] * bytes, from + at * in->stride[3] * bytes, pixel);
        }
    }
}

enum {
    MAX_HEAD = 2048,
    STAGE = 2 * MAX_HEAD /* values that are put together before they are stored */
};

bool NAME(decode_nhwc_can)(const kernel_args *a)
{
    return row_is_float(a->t[0].type) && view_is_nhwc(&a->t[0], NULL) &&
           a->t[0].dim[1] <= MAX_HEAD && a->t[2].type == DTYPE_F32 && a->t[2].stride[2] == 1;
}

/* One row of the output from its sigmoids. */
static inline void decode_row(float *restrict to, const float *restrict s, const kernel_args *a,
                              int64_t anchor, const int64_t cell[2])
{
    const view *anchors = &a->t[1];
    const float *size = (const float *)(const void *)anchors->data + anchor * anchors->stride[0];
    float stride = a->p.decode.stride;
    for (int k = 0; k < 2; k++) {
        to[k] = (2 * s[k] - 0.5f + (float)cell[k]) * stride;
        float side = s[2 + k] > 1e-15f ? s[2 + k] : 1e-15f; /* its square is no subnormal */
        to[2 + k] = 4 * side * side * size[k * anchors->stride[1]];
    }
    memcpy(to + 4, s + 4, (size_t)(a->p.decode.n_values - 4) * sizeof *s);
}

/* The rows of `n` pixels side by side, the first of them cell `first`, into
 * stage[anchor][pixel][value]. */
static void decode_pixels(const kernel_args *a, const char *from, int64_t first, int64_t n,
                          float *stage)
{
    const decode_param *p = &a->p.decode;
    const view *in = &a->t[0];
    int64_t size = (int64_t)view_type_bytes(in->type), channels = in->dim[1];
    float room[MAX_HEAD], s[MAX_HEAD];
    for (int64_t i = 0; i < n; i++) {
        int64_t at = first + i, cell[2] = {at % p->grid[1], at / p->grid[1]};
        const float *raw = row_load(from + i * in->stride[3] * size, in->type, 1, channels, room);
        IMAGE_SIGMOID_ROW(s, raw, channels);
        for (int64_t k = 0; k < p->n_anchors; k++)
            decode_row(stage + (k * n + i) * p->n_values, s + k * p->n_values, a, k, cell);
    }
}

static void store_rows(float *to, int64_t distance, const float *from, int64_t values, int64_t n)
{
    int64_t at_once = distance == values ? n : 1;
    for (int64_t i = 0; i < n; i += at_once)
        stream_floats(to + i * distance, from + i * values, (size_t)(at_once * values));
}

void NAME(decode_nhwc)(const kernel_args *a, int part, int n_parts)
{
    const view *in = &a->t[0], *out = &a->t[2];
    const decode_param *p = &a->p.decode;
    int64_t most = STAGE / in->dim[1], nx = in->dim[3], begin, end;
    int64_t pixels = in->dim[2] * nx, size = (int64_t)view_type_bytes(in->type);
    float stage[STAGE];
    kernel_share(in->dim[0] * pixels, part, n_parts, &begin, &end);
    for (int64_t i = begin, some; i < end; i += some) {
        int64_t n = i / pixels, pixel = i % pixels, first = p->first + pixel;
        some = nx - pixel % nx < most ? nx - pixel % nx : most;
        some = some < end - i ? some : end - i;
        int64_t from = n * in->stride[0] + pixel / nx * in->stride[2] + pixel % nx * in->stride[3];
        decode_pixels(a, in->data + from * size, first, some, stage);
        for (int64_t k = 0; k < p->n_anchors; k++) {
            int64_t row = k * p->grid[0] * p->grid[1] + first;
            float *to = (float *)(void *)out->data + n * out->stride[0] + row * out->stride[1];
            store_rows(to, out->stride[1], stage + k * some * p->n_values, p->n_values, some);
        }
    }
    stream_end();
}
