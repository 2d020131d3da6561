/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kernels/kernel_list.h"

/* y[i..., j..., k...] = x[i..., indices[j...], k...]: the output's dimensions are those of x with
 * the axis replaced by the dimensions of the indices. An index outside gives zeros. */
void gather_ref(const kernel_args *a, int part, int n_parts)
{
    const view *x = &a->t[0], *indices = &a->t[1], *y = &a->t[2];
    int axis = a->p.axis;
    size_t bytes = view_type_bytes(y->type), index_bytes = view_type_bytes(indices->type);
    int64_t begin, end;
    kernel_share(view_count(y), part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        int64_t rest = i, from = 0, to = 0, index_at = 0;
        for (int k = y->rank - 1; k >= 0; k--) {
            int64_t at = rest % y->dim[k];
            rest /= y->dim[k];
            to += at * y->stride[k];
            if (k < axis)
                from += at * x->stride[k];
            else if (k < axis + indices->rank)
                index_at += at * indices->stride[k - axis];
            else
                from += at * x->stride[k - indices->rank + 1];
        }
        const char *index_data = indices->data + index_at * (int64_t)index_bytes;
        int64_t index = (int64_t)view_load(index_data, indices->type);
        index += index < 0 ? x->dim[axis] : 0;
        char *target = y->data + to * (int64_t)bytes;
        if (index < 0 || index >= x->dim[axis])
            memset(target, 0, bytes);
        else
            memcpy(target, x->data + (from + index * x->stride[axis]) * (int64_t)bytes, bytes);
    }
}
