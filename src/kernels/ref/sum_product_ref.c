/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernel_list.h"

static int64_t step_bytes(const view *v, int axis)
{
    return v->stride[axis] * (int64_t)view_type_bytes(v->type);
}

/* The sum over all axes from `axis` on of the product of the inputs there. */
static double sum_from(const kernel_args *a, int axis, const char *const at[2])
{
    int n_in = a->n - 1;
    double sum = 0;
    if (axis == a->t[0].rank) {
        sum = view_load(at[0], a->t[0].type);
        return n_in > 1 ? sum * view_load(at[1], a->t[1].type) : sum;
    }
    const char *here[2] = {at[0], at[1]};
    for (int64_t i = 0; i < a->t[0].dim[axis]; i++) {
        sum += sum_from(a, axis + 1, here);
        for (int k = 0; k < n_in; k++)
            here[k] += step_bytes(&a->t[k], axis);
    }
    return sum;
}

/* All views have the axes of the output, then those that are summed over. */
void sum_product_ref(const kernel_args *a, int part, int n_parts)
{
    int n_in = a->n - 1, n_kept = a->p.axis;
    view y = a->t[n_in];
    y.rank = n_kept;
    int64_t begin, end, at[VIEW_MAX_RANK];
    kernel_share(view_count(&y), part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        char *to = y.data + view_position(&y, i, at) * (int64_t)view_type_bytes(y.type);
        const char *from[2] = {a->t[0].data, a->t[n_in - 1].data};
        for (int k = 0; k < n_in; k++)
            for (int d = 0; d < n_kept; d++)
                from[k] += at[d] * step_bytes(&a->t[k], d);
        view_store(to, y.type, sum_from(a, n_kept, from));
    }
}
