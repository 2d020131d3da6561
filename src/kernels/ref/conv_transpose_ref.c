/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernel_list.h"

static double load4(const view *v, int64_t i, int64_t j, int64_t k, int64_t l)
{
    int64_t offset = i * v->stride[0] + j * v->stride[1] + k * v->stride[2] + l * v->stride[3];
    return view_load(v->data + offset * (int64_t)view_type_bytes(v->type), v->type);
}

/* The input row that reaches output row `out` through kernel row `k`, or -1. */
static int64_t source(const deconv_param *p, int axis, int64_t out, int64_t k, int64_t n)
{
    int64_t at = out + p->pad[axis] - k * p->dilation[axis];
    if (at < 0 || at % p->stride[axis] != 0 || at / p->stride[axis] >= n)
        return -1;
    return at / p->stride[axis];
}

/* One output element: the gather form of the scatter that defines the operator. */
static double output_sum(const kernel_args *a, const int64_t at[4])
{
    const view *x = &a->t[0], *weight = &a->t[1];
    const deconv_param *p = &a->p.deconv;
    int64_t ic = x->dim[1] / p->groups, oc = weight->dim[1];
    int64_t group = at[1] / oc;
    double sum = 0;
    for (int64_t i = 0; i < weight->dim[2]; i++) {
        int64_t y = source(p, 0, at[2], i, x->dim[2]);
        if (y < 0)
            continue;
        for (int64_t j = 0; j < weight->dim[3]; j++) {
            int64_t column = source(p, 1, at[3], j, x->dim[3]);
            if (column < 0)
                continue;
            for (int64_t c = group * ic; c < (group + 1) * ic; c++)
                sum += load4(x, at[0], c, y, column) * load4(weight, c, at[1] % oc, i, j);
        }
    }
    return sum;
}

void conv_transpose_ref(const kernel_args *a, int part, int n_parts)
{
    const view *bias = &a->t[2], *y = &a->t[3];
    int64_t begin, end;
    kernel_share(view_count(y), part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        int64_t at[4], rest = i, offset = 0;
        for (int k = 3; k >= 0; k--) {
            at[k] = rest % y->dim[k];
            rest /= y->dim[k];
            offset += at[k] * y->stride[k];
        }
        double sum = output_sum(a, at);
        if (bias->data)
            sum += view_load(bias->data +
                                 at[1] * bias->stride[0] * (int64_t)view_type_bytes(bias->type),
                             bias->type);
        view_store(y->data + offset * (int64_t)view_type_bytes(y->type), y->type,
                   unary_apply(&a->p.deconv.act, sum));
    }
}
