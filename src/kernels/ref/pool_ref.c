/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/kernel_list.h"

typedef struct window {
    int64_t y, x; /* top left corner in the input, padding counted as negative */
} window;

static const char *element(const view *v, int64_t n, int64_t c, int64_t y, int64_t x)
{
    int64_t offset = n * v->stride[0] + c * v->stride[1] + y * v->stride[2] + x * v->stride[3];
    return v->data + offset * (int64_t)view_type_bytes(v->type);
}

static bool is_inside(const view *v, int64_t y, int64_t x)
{
    return y >= 0 && y < v->dim[2] && x >= 0 && x < v->dim[3];
}

static double window_max(const kernel_args *a, int64_t n, int64_t c, window w)
{
    const pool_param *p = &a->p.pool;
    const view *in = &a->t[0];
    double best = -INFINITY;
    for (int i = 0; i < p->kernel[0]; i++)
        for (int j = 0; j < p->kernel[1]; j++) {
            int64_t y = w.y + i * p->dilation[0], x = w.x + j * p->dilation[1];
            if (!is_inside(in, y, x))
                continue;
            double value = view_load(element(in, n, c, y, x), in->type);
            best = value > best ? value : best;
        }
    return best;
}

/* With count_pad the divisor is the part of the window inside the padded image (in ceil mode a
 * window may reach beyond even that). */
static double window_mean(const kernel_args *a, int64_t n, int64_t c, window w)
{
    const pool_param *p = &a->p.pool;
    const view *in = &a->t[0];
    double sum = 0;
    int count = 0;
    for (int i = 0; i < p->kernel[0]; i++)
        for (int j = 0; j < p->kernel[1]; j++) {
            int64_t y = w.y + i * p->dilation[0], x = w.x + j * p->dilation[1];
            if (is_inside(in, y, x)) {
                sum += view_load(element(in, n, c, y, x), in->type);
                count++;
            } else if (p->count_pad) {
                count += y < in->dim[2] + p->pad[2] && x < in->dim[3] + p->pad[3];
            }
        }
    return count ? sum / count : 0;
}

typedef double window_fn(const kernel_args *a, int64_t n, int64_t c, window w);

static void pool(const kernel_args *a, int part, int n_parts, window_fn *fn)
{
    const pool_param *p = &a->p.pool;
    const view *out = &a->t[1];
    int64_t begin, end;
    kernel_share(out->dim[0] * out->dim[2], part, n_parts, &begin, &end);
    for (int64_t row = begin; row < end; row++) {
        int64_t n = row / out->dim[2], y = row % out->dim[2];
        for (int64_t c = 0; c < out->dim[1]; c++)
            for (int64_t x = 0; x < out->dim[3]; x++) {
                window w = {y * p->stride[0] - p->pad[0], x * p->stride[1] - p->pad[1]};
                view_store((char *)element(out, n, c, y, x), out->type, fn(a, n, c, w));
            }
    }
}

void max_pool_ref(const kernel_args *a, int part, int n_parts)
{
    pool(a, part, n_parts, window_max);
}

void average_pool_ref(const kernel_args *a, int part, int n_parts)
{
    pool(a, part, n_parts, window_mean);
}

/* Counts elements of x in row-major order; the first of equal ones wins. */
static double window_index(const kernel_args *a, int64_t n, int64_t c, window w)
{
    const pool_param *p = &a->p.pool;
    const view *in = &a->t[0];
    double best = 0;
    int64_t row = -1, column = 0;
    for (int i = 0; i < p->kernel[0]; i++)
        for (int j = 0; j < p->kernel[1]; j++) {
            int64_t y = w.y + i * p->dilation[0], x = w.x + j * p->dilation[1];
            double value = is_inside(in, y, x) ? view_load(element(in, n, c, y, x), in->type) : 0;
            if (!is_inside(in, y, x) || (row >= 0 && !(value > best)))
                continue;
            best = value;
            row = y;
            column = x;
        }
    int64_t map = (n * in->dim[1] + c) * in->dim[2] * in->dim[3];
    row = row < 0 ? 0 : row;
    return (double)(map +
                    (p->column_major ? column * in->dim[2] + row : row * in->dim[3] + column));
}

void max_pool_indices_ref(const kernel_args *a, int part, int n_parts)
{
    pool(a, part, n_parts, window_index);
}
