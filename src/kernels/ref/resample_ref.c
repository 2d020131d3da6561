/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX Resize with a filter: cubic, antialiased, and linear where resize_ref.c has no such
 * coordinates. Separable: the weight of a pixel is that of its row times that of its column. */
#include <math.h>

#include "kernels/kernel_list.h"

/* The pixels of one axis that an output position is made of: base + from ... base + to. */
typedef struct reach {
    double ratio; /* of the way from base to the next pixel, 0 < ratio <= 1 */
    double scale; /* of the filter */
    double total; /* of the weights */
    int64_t base, length;
    int from, to;
    bool is_outside; /* of the region that is cut out */
} reach;

static double source_of(const resample_param *p, int axis, double at, double in, double out)
{
    double scale = (double)p->scale[axis], made = scale * in;
    double low = (double)p->region[axis], high = (double)p->region[axis + 2];
    switch (p->coord) {
    case RESAMPLE_ASYMMETRIC:
        return at / scale;
    case RESAMPLE_PYTORCH_HALF_PIXEL:
        return made > 1 ? (at + 0.5) / scale - 0.5 : -0.5;
    case RESAMPLE_ALIGN_CORNERS:
        return made > 1 ? at * (in - 1) / (made - 1) : 0;
    case RESAMPLE_HALF_PIXEL_SYMMETRIC:
        return in / 2 * (1 - out / made) + (at + 0.5) / scale - 0.5;
    case RESAMPLE_CROP:
        return made > 1 ? low * (in - 1) + at * (high - low) * (in - 1) / (made - 1)
                        : (low + high) * (in - 1) / 2;
    case RESAMPLE_HALF_PIXEL:
        break;
    }
    return (at + 0.5) / scale - 0.5;
}

static double filter(const resample_param *p, double x)
{
    double a = (double)p->cubic_a;
    x = fabs(x);
    if (!p->is_cubic)
        return x < 1 ? 1 - x : 0;
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

static double weight_of(const resample_param *p, const reach *r, int k)
{
    int64_t at = r->base + k;
    if (p->exclude_outside && (at < 0 || at >= r->length))
        return 0;
    return filter(p, (k - r->ratio) * r->scale);
}

static reach reach_of(const kernel_args *a, int axis, int64_t at)
{
    const resample_param *p = &a->p.resample;
    int64_t in = a->t[0].dim[axis + 2], out = a->t[1].dim[axis + 2];
    double x = source_of(p, axis, (double)at, (double)in, (double)out);
    double scale = (double)p->scale[axis];
    reach r = {.length = in, .base = (int64_t)ceil(x) - 1};
    r.ratio = x - (double)r.base;
    r.scale = p->antialias && scale < 1 ? scale : 1;
    r.from = (int)floor((p->is_cubic ? -2 : -1) / r.scale) + 1;
    r.to = 1 - r.from;
    r.is_outside = p->coord == RESAMPLE_CROP && (x < 0 || x > (double)(in - 1));
    for (int k = r.from; k <= r.to; k++)
        r.total += weight_of(p, &r, k);
    return r;
}

/* The edge repeats beyond itself. */
static int64_t inside(const reach *r, int k)
{
    int64_t at = r->base + k;
    return at < 0 ? 0 : at >= r->length ? r->length - 1 : at;
}

static double sample(const kernel_args *a, int64_t base, const reach *rows, const reach *columns)
{
    const view *x = &a->t[0];
    const resample_param *p = &a->p.resample;
    double sum = 0;
    if (rows->is_outside || columns->is_outside)
        return (double)p->outside;
    for (int i = rows->from; i <= rows->to; i++) {
        double row = 0, weight = weight_of(p, rows, i);
        int64_t start = base + inside(rows, i) * x->stride[2];
        for (int j = columns->from; weight != 0 && j <= columns->to; j++) {
            int64_t offset = start + inside(columns, j) * x->stride[3];
            row += weight_of(p, columns, j) *
                   view_load(x->data + offset * (int64_t)view_type_bytes(x->type), x->type);
        }
        sum += weight * row;
    }
    return sum / (rows->total * columns->total);
}

void resample_ref(const kernel_args *a, int part, int n_parts)
{
    const view *x = &a->t[0], *y = &a->t[1];
    int64_t begin, end;
    kernel_share(y->dim[0] * y->dim[2], part, n_parts, &begin, &end);
    for (int64_t row = begin; row < end; row++) {
        int64_t n = row / y->dim[2], i = row % y->dim[2];
        reach rows = reach_of(a, 0, i);
        for (int64_t j = 0; j < y->dim[3]; j++) {
            reach columns = reach_of(a, 1, j);
            for (int64_t c = 0; c < y->dim[1]; c++) {
                int64_t from = n * x->stride[0] + c * x->stride[1];
                int64_t to =
                    n * y->stride[0] + c * y->stride[1] + i * y->stride[2] + j * y->stride[3];
                view_store(y->data + to * (int64_t)view_type_bytes(y->type), y->type,
                           sample(a, from, &rows, &columns));
            }
        }
    }
}
