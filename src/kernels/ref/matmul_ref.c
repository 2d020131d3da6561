/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernel_list.h"

static double load(const view *v, int64_t offset)
{
    return view_load(v->data + offset * (int64_t)view_type_bytes(v->type), v->type);
}

/* y = alpha * a b + beta * bias; a, b and bias have been broadcast to the rank of y. */
void matmul_ref(const kernel_args *args, int part, int n_parts)
{
    const view *a = &args->t[0], *b = &args->t[1], *bias = &args->t[2], *y = &args->t[3];
    int rank = y->rank, row_dim = rank - 2, column_dim = rank - 1;
    int64_t n = y->dim[column_dim], depth = a->dim[column_dim], begin, end;
    kernel_share(view_count(y) / (n ? n : 1), part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        int64_t rest = i, at_a = 0, at_b = 0, at_bias = 0, at_y = 0;
        for (int k = row_dim; k >= 0; k--) {
            int64_t at = rest % y->dim[k];
            rest /= y->dim[k];
            at_a += at * a->stride[k];
            at_b += k < row_dim ? at * b->stride[k] : 0;
            at_bias += at * bias->stride[k];
            at_y += at * y->stride[k];
        }
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < depth; k++)
                sum += load(a, at_a + k * a->stride[column_dim]) *
                       load(b, at_b + k * b->stride[row_dim] + j * b->stride[column_dim]);
            sum *= (double)args->p.matmul.alpha;
            if (bias->data)
                sum += (double)args->p.matmul.beta *
                       load(bias, at_bias + j * bias->stride[column_dim]);
            view_store(y->data +
                           (at_y + j * y->stride[column_dim]) * (int64_t)view_type_bytes(y->type),
                       y->type, sum);
        }
    }
}
