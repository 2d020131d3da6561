/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/image_body.h — pools, nearest resizing and the YOLO head on channels-last images. The
 * including file defines NAME(x). */
#include "kernels/kernel_list.h"
#include "kernels/x86/simd_row.h"

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

/* What one output pixel takes the maximum of. */
typedef struct pool_window {
    const char *first;             /* pixel under the first tap inside the image */
    int64_t row_step, column_step; /* bytes between taps */
    int rows, columns;
} pool_window;

/* MAX_PIXEL(name, element type, smallest value, order): y[c] = max over the window of x[c]. The
 * maximum of 64 bytes of channels stays in a register. */
#define MAX_PIXEL(name, ctype, lowest, order)                                                      \
    static inline void name(char *to, const pool_window *w, int64_t channels)                      \
    {                                                                                              \
        enum { BLOCK = 64 / sizeof(ctype) };                                                       \
        for (int64_t c = 0; c < channels; c += BLOCK) {                                            \
            int64_t n = channels - c < BLOCK ? channels - c : BLOCK;                               \
            ctype best[BLOCK];                                                                     \
            for (int k = 0; k < BLOCK; k++)                                                        \
                best[k] = (lowest);                                                                \
            for (int i = 0; i < w->rows; i++)                                                      \
                for (int j = 0; j < w->columns; j++) {                                             \
                    const void *p = w->first + i * w->row_step + j * w->column_step;               \
                    const ctype *x = (const ctype *)p + c;                                         \
                    if (n == BLOCK) {                                                              \
                        for (int k = 0; k < BLOCK; k++)                                            \
                            best[k] = order(x[k]) > best[k] ? order(x[k]) : best[k];               \
                    } else {                                                                       \
                        for (int k = 0; k < n; k++)                                                \
                            best[k] = order(x[k]) > best[k] ? order(x[k]) : best[k];               \
                    }                                                                              \
                }                                                                                  \
            ctype *y = (ctype *)(void *)to + c;                                                    \
            for (int k = 0; k < n; k++)                                                            \
                y[k] = order(best[k]);                                                             \
        }                                                                                          \
    }
#define SAME(v) (v)
MAX_PIXEL(max_pixel_f32, float, -__builtin_inff(), SAME)
MAX_PIXEL(max_pixel_i8, int8_t, INT8_MIN, SAME)
MAX_PIXEL(max_pixel_u8, uint8_t, 0, SAME)
MAX_PIXEL(max_pixel_bf16, int16_t, INT16_MIN, bf16_order)
#undef SAME
#undef MAX_PIXEL

bool NAME(max_pool_nhwc_can)(const kernel_args *a)
{
    return row_is_number(a->t[0].type) && view_is_nhwc(&a->t[0], NULL) &&
           view_is_nhwc(&a->t[1], NULL);
}

static inline void max_pixel(dtype type, char *to, const pool_window *w, int64_t channels)
{
    if (type == DTYPE_F32)
        max_pixel_f32(to, w, channels);
    else if (type == DTYPE_I8)
        max_pixel_i8(to, w, channels);
    else if (type == DTYPE_U8)
        max_pixel_u8(to, w, channels);
    else
        max_pixel_bf16(to, w, channels);
}

void NAME(max_pool_nhwc)(const kernel_args *a, int part, int n_parts)
{
    const pool_param *p = &a->p.pool;
    const view *in = &a->t[0], *out = &a->t[1];
    int64_t bytes = (int64_t)view_type_bytes(in->type), begin, end;
    kernel_share(out->dim[0] * out->dim[2], part, n_parts, &begin, &end);
    for (int64_t row = begin; row < end; row++) {
        int64_t n = row / out->dim[2], y = row % out->dim[2];
        int64_t top = y * p->stride[0] - p->pad[0];
        int i0, i1;
        tap_range(top, p->kernel[0], p->dilation[0], in->dim[2], &i0, &i1);
        for (int64_t x = 0; x < out->dim[3]; x++) {
            int64_t left = x * p->stride[1] - p->pad[1];
            int j0, j1;
            tap_range(left, p->kernel[1], p->dilation[1], in->dim[3], &j0, &j1);
            int64_t from = n * in->stride[0] + (top + i0 * p->dilation[0]) * in->stride[2] +
                           (left + j0 * p->dilation[1]) * in->stride[3];
            int64_t to = n * out->stride[0] + y * out->stride[2] + x * out->stride[3];
            pool_window w = {in->data + from * bytes, p->dilation[0] * in->stride[2] * bytes,
                             p->dilation[1] * in->stride[3] * bytes, i1 - i0, j1 - j0};
            max_pixel(in->type, out->data + to * bytes, &w, in->dim[1]);
        }
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

enum { MAX_HEAD = 2048 };

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
        to[2 + k] = 4 * s[2 + k] * s[2 + k] * size[k * anchors->stride[1]];
    }
    memcpy(to + 4, s + 4, (size_t)(a->p.decode.n_values - 4) * sizeof *s);
}

void NAME(decode_nhwc)(const kernel_args *a, int part, int n_parts)
{
    const view *in = &a->t[0], *out = &a->t[2];
    int64_t ny = in->dim[2], nx = in->dim[3], values = a->p.decode.n_values, begin, end;
    int64_t bytes = (int64_t)view_type_bytes(in->type), channels = in->dim[1];
    float room[MAX_HEAD], s[MAX_HEAD];
    kernel_share(in->dim[0] * ny * nx, part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / (ny * nx), cell[2] = {i % nx, i / nx % ny};
        int64_t from = n * in->stride[0] + cell[1] * in->stride[2] + cell[0] * in->stride[3];
        const float *raw = row_load(in->data + from * bytes, in->type, 1, channels, room);
        for (int64_t k = 0; k < channels; k++)
            s[k] = row_sigmoid(raw[k]);
        for (int64_t k = 0; k < a->p.decode.n_anchors; k++) {
            int64_t row = (k * ny + cell[1]) * nx + cell[0];
            float *to = (float *)(void *)out->data + n * out->stride[0] + row * out->stride[1];
            decode_row(to, s + k * values, a, k, cell);
        }
    }
}
