/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/kernel_list.h"

/* Offsets of line `i` (all positions but the axis, row-major) in the input and the output. */
static void line_offsets(const kernel_args *a, int64_t i, int64_t offset[2])
{
    const view *in = &a->t[0], *out = &a->t[1];
    offset[0] = offset[1] = 0;
    for (int k = in->rank - 1; k >= 0; k--) {
        if (k == a->p.axis)
            continue;
        offset[0] += i % in->dim[k] * in->stride[k];
        offset[1] += i % in->dim[k] * out->stride[k];
        i /= in->dim[k];
    }
}

static double load(const view *v, int64_t offset)
{
    return view_load(v->data + offset * (int64_t)view_type_bytes(v->type), v->type);
}

void softmax_ref(const kernel_args *a, int part, int n_parts)
{
    const view *in = &a->t[0], *out = &a->t[1];
    int64_t length = in->dim[a->p.axis], sx = in->stride[a->p.axis], sy = out->stride[a->p.axis];
    int64_t begin, end, bytes = (int64_t)view_type_bytes(out->type);
    kernel_share(length ? view_count(in) / length : 0, part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        int64_t offset[2];
        line_offsets(a, i, offset);
        double top = -INFINITY, sum = 0;
        for (int64_t j = 0; j < length; j++)
            top = fmax(top, load(in, offset[0] + j * sx));
        for (int64_t j = 0; j < length; j++)
            sum += exp(load(in, offset[0] + j * sx) - top);
        for (int64_t j = 0; j < length; j++)
            view_store(out->data + (offset[1] + j * sy) * bytes, out->type,
                       exp(load(in, offset[0] + j * sx) - top) / sum);
    }
}
