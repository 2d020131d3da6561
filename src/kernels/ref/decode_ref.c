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
    int64_t ny = x->dim[2], nx = x->dim[3], no = a->p.decode.n_values, begin, end;
    int64_t bytes = (int64_t)view_type_bytes(y->type);
    kernel_share(x->dim[0] * y->dim[1], part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / y->dim[1], row = i % y->dim[1];
        int64_t anchor = row / (ny * nx), cell[2] = {row % nx, row / nx % ny};
        int64_t from = n * x->stride[0] + cell[1] * x->stride[2] + cell[0] * x->stride[3];
        int64_t to = n * y->stride[0] + row * y->stride[1];
        for (int64_t o = 0; o < no; o++) {
            double raw = load(x, from + (anchor * no + o) * x->stride[1]);
            view_store(y->data + (to + o * y->stride[2]) * bytes, y->type,
                       decoded(a, raw, o, anchor, cell));
        }
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
