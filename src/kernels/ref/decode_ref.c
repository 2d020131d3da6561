/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/kernel_list.h"

static double load(const view *v, int64_t offset)
{
    return view_load(v->data + offset * (int64_t)view_type_bytes(v->type), v->type);
}

/* YOLOv5/v7 head: xy = (2s - 0.5 + cell) * stride, wh = (2s)^2 * anchor, the rest s = sigmoid. */
static double decoded(const kernel_args *a, double raw, int64_t value, int64_t anchor,
                      const int64_t cell[2])
{
    double s = 1 / (1 + exp(-raw));
    if (value < 2)
        return (2 * s - 0.5 + (double)cell[value]) * (double)a->p.decode.stride;
    if (value < 4) {
        const view *anchors = &a->t[1];
        double size = load(anchors, anchor * anchors->stride[0] + (value - 2) * anchors->stride[1]);
        return 4 * s * s * size;
    }
    return s;
}

void decode_ref(const kernel_args *a, int part, int n_parts)
{
    const view *x = &a->t[0], *y = &a->t[2];
    const decode_param *p = &a->p.decode;
    int64_t bytes = (int64_t)view_type_bytes(y->type), nx = x->dim[3], begin, end;
    int64_t pixels = x->dim[2] * nx;
    kernel_share(x->dim[0] * pixels * p->n_anchors, part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        int64_t pixel = i % pixels, anchor = i / pixels % p->n_anchors,
                n = i / pixels / p->n_anchors;
        int64_t at = p->first + pixel, cell[2] = {at % p->grid[1], at / p->grid[1]};
        int64_t from = n * x->stride[0] + pixel / nx * x->stride[2] + pixel % nx * x->stride[3];
        int64_t row = anchor * p->grid[0] * p->grid[1] + at;
        int64_t to = n * y->stride[0] + row * y->stride[1];
        for (int64_t o = 0; o < p->n_values; o++) {
            double raw = load(x, from + (anchor * p->n_values + o) * x->stride[1]);
            view_store(y->data + (to + o * y->stride[2]) * bytes, y->type,
                       decoded(a, raw, o, anchor, cell));
        }
    }
}

/* The cell of a row, and its size in pixels: levels of 8, 16 and 32, each row by row. */
static int64_t cell_of(const detections_param *p, int64_t row, int64_t cell[2])
{
    int64_t size = 8;
    for (; size < 32; size *= 2) {
        int64_t cells = (p->height / size) * (p->width / size);
        if (row < cells)
            break;
        row -= cells;
    }
    int64_t columns = p->width / size > 0 ? p->width / size : 1;
    cell[0] = row % columns;
    cell[1] = row / columns;
    return size;
}

/* YOLOX: xy = (o + cell) * size, wh = exp(o) * size. */
static double placed(const detections_param *p, double raw, int64_t row, int64_t value)
{
    int64_t cell[2];
    if (value >= 4)
        return raw;
    double size = (double)cell_of(p, row, cell);
    return value < 2 ? (raw + (double)cell[value]) * size : exp(raw) * size;
}

/* Columns have no objectness: it is 1. */
static double value_of(const kernel_args *a, int64_t n, int64_t row, int64_t value)
{
    const view *x = &a->t[0];
    const detections_param *p = &a->p.detections;
    if (!p->is_columns)
        return placed(p, load(x, n * x->stride[0] + row * x->stride[1] + value * x->stride[2]), row,
                      value);
    if (value == 4)
        return 1;
    int64_t from = value > 4 ? value - 1 : value;
    return load(x, n * x->stride[0] + from * x->stride[1] + row * x->stride[2]);
}

void detections_ref(const kernel_args *a, int part, int n_parts)
{
    const view *y = &a->t[1];
    int64_t begin, end, bytes = (int64_t)view_type_bytes(y->type);
    kernel_share(y->dim[0] * y->dim[1], part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / y->dim[1], row = i % y->dim[1];
        int64_t to = n * y->stride[0] + row * y->stride[1];
        for (int64_t value = 0; value < y->dim[2]; value++)
            view_store(y->data + (to + value * y->stride[2]) * bytes, y->type,
                       value_of(a, n, row, value));
    }
}

void range_ref(const kernel_args *a, int part, int n_parts)
{
    const view *y = &a->t[2];
    double start = load(&a->t[0], 0), step = load(&a->t[1], 0);
    int64_t begin, end;
    kernel_share(y->dim[0], part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        view_store(y->data + i * y->stride[0] * (int64_t)view_type_bytes(y->type), y->type,
                   start + (double)i * step);
}
