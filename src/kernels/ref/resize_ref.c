/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX Resize, nearest and linear. Positions are computed in float32, as the reference
 * implementations do: in double a position that should be whole may fall just below. */
#include <math.h>

#include "kernels/kernel_list.h"

static float source_position(const resize_param *p, int axis, int64_t at, int64_t in, int64_t out)
{
    float scale = p->scale[axis], x = (float)at;
    switch (p->coord) {
    case RESAMPLE_ASYMMETRIC:
        return x / scale;
    case RESAMPLE_HALF_PIXEL:
        return (x + 0.5f) / scale - 0.5f;
    case RESAMPLE_PYTORCH_HALF_PIXEL:
        return out > 1 ? (x + 0.5f) / scale - 0.5f : 0;
    case RESAMPLE_ALIGN_CORNERS: /* the length before it was rounded down to whole pixels */
        return out > 1 ? x * (float)(in - 1) / ((float)in * scale - 1) : 0;
    default:
        return x;
    }
}

static int64_t inside(int64_t at, int64_t n)
{
    return at < 0 ? 0 : at >= n ? n - 1 : at;
}

int64_t resample_nearest(const resize_param *p, int axis, int64_t i, int64_t n_in, int64_t n_out)
{
    float position = source_position(p, axis, i, n_in, n_out), at = position;
    switch (p->nearest) {
    case RESAMPLE_FLOOR:
        at = floorf(position);
        break;
    case RESAMPLE_CEIL:
        at = ceilf(position);
        break;
    case RESAMPLE_ROUND_PREFER_FLOOR:
        at = ceilf(position - 0.5f);
        break;
    case RESAMPLE_ROUND_PREFER_CEIL:
        at = floorf(position + 0.5f);
        break;
    }
    return inside((int64_t)at, n_in);
}

typedef struct tap {
    int64_t low, high; /* neighbours */
    double part;       /* of `high` */
} tap;

static tap make_tap(const kernel_args *a, int axis, int64_t at)
{
    const resize_param *p = &a->p.resize;
    int64_t in = a->t[0].dim[axis + 2], out = a->t[1].dim[axis + 2];
    if (!p->is_linear) {
        int64_t i = resample_nearest(p, axis, at, in, out);
        return (tap){i, i, 0};
    }
    float position = source_position(p, axis, at, in, out);
    position = position < 0 ? 0 : position > (float)(in - 1) ? (float)(in - 1) : position;
    int64_t low = (int64_t)position;
    return (tap){low, inside(low + 1, in), (double)(position - (float)low)};
}

static double at(const view *v, int64_t base, int64_t y, int64_t x)
{
    int64_t offset = base + y * v->stride[2] + x * v->stride[3];
    return view_load(v->data + offset * (int64_t)view_type_bytes(v->type), v->type);
}

static double sample(const view *v, int64_t base, tap ty, tap tx)
{
    double a = at(v, base, ty.low, tx.low);
    if (ty.part == 0 && tx.part == 0)
        return a;
    double b = at(v, base, ty.low, tx.high);
    double c = at(v, base, ty.high, tx.low), d = at(v, base, ty.high, tx.high);
    double top = a + (b - a) * tx.part, bottom = c + (d - c) * tx.part;
    return top + (bottom - top) * ty.part;
}

void resize_ref(const kernel_args *a, int part, int n_parts)
{
    const view *in = &a->t[0], *out = &a->t[1];
    int64_t begin, end, bytes = (int64_t)view_type_bytes(out->type);
    kernel_share(out->dim[0] * out->dim[2], part, n_parts, &begin, &end);
    for (int64_t row = begin; row < end; row++) {
        int64_t n = row / out->dim[2], y = row % out->dim[2];
        tap ty = make_tap(a, 0, y);
        for (int64_t x = 0; x < out->dim[3]; x++) {
            tap tx = make_tap(a, 1, x);
            for (int64_t c = 0; c < out->dim[1]; c++) {
                int64_t base = n * in->stride[0] + c * in->stride[1];
                int64_t to = n * out->stride[0] + c * out->stride[1] + y * out->stride[2] +
                             x * out->stride[3];
                view_store(out->data + to * bytes, out->type, sample(in, base, ty, tx));
            }
        }
    }
}
