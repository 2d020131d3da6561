/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels whose indices name elements one by one. The scattering ones do their work in one part:
 * later updates overrule earlier ones. */
#include <string.h>

#include "kernels/kernel_list.h"

static int64_t bytes_of(const view *v)
{
    return (int64_t)view_type_bytes(v->type);
}

/* The index at this position, counted from the end when it is negative; -1: outside. */
static int64_t index_at(const view *indices, int64_t offset, int64_t length)
{
    int64_t i = (int64_t)view_load(indices->data + offset * bytes_of(indices), indices->type);
    i += i < 0 ? length : 0;
    return i < 0 || i >= length ? -1 : i;
}

/* Adds where the tuple of indices at `offset` points to in `x`, whose axes they are from `first`
 * on; false: outside. */
static bool add_target(const view *indices, int64_t offset, const view *x, int first,
                       int64_t *target)
{
    int last = indices->rank - 1;
    for (int k = 0; k < indices->dim[last]; k++) {
        int64_t i = index_at(indices, offset + k * indices->stride[last], x->dim[first + k]);
        if (i < 0)
            return false;
        *target += i * x->stride[first + k];
    }
    return true;
}

/* y[b..., i..., j...] = x[b..., indices[b..., i..., :], j...]. An index outside gives zeros. */
void gather_nd_ref(const kernel_args *a, int part, int n_parts)
{
    const view *x = &a->t[0], *indices = &a->t[1], *y = &a->t[2];
    int n_batch = a->p.axis, n_own = indices->rank - 1;
    int depth = (int)indices->dim[n_own];
    int64_t begin, end, at[VIEW_MAX_RANK];
    kernel_share(view_count(y), part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        char *to = y->data + view_position(y, i, at) * bytes_of(y);
        int64_t tuple = 0, from = 0;
        for (int k = 0; k < n_own; k++)
            tuple += at[k] * indices->stride[k];
        for (int k = 0; k < n_batch; k++)
            from += at[k] * x->stride[k];
        for (int k = n_own; k < y->rank; k++)
            from += at[k] * x->stride[n_batch + depth + k - n_own];
        if (add_target(indices, tuple, x, n_batch, &from))
            memcpy(to, x->data + from * bytes_of(x), (size_t)bytes_of(y));
        else
            memset(to, 0, (size_t)bytes_of(y));
    }
}

static double combined(scatter_how how, double old, double update)
{
    switch (how) {
    case SCATTER_HOW_ADD:
        return old + update;
    case SCATTER_HOW_MUL:
        return old * update;
    case SCATTER_HOW_MAX:
        return old > update ? old : update;
    case SCATTER_HOW_MIN:
        return old < update ? old : update;
    case SCATTER_HOW_SET:
        break;
    }
    return update;
}

static void put(const view *y, int64_t to, const view *updates, int64_t from, scatter_how how)
{
    char *target = y->data + to * bytes_of(y);
    const char *update = updates->data + from * bytes_of(updates);
    if (how == SCATTER_HOW_SET)
        memcpy(target, update, (size_t)bytes_of(y));
    else
        view_store(target, y->type,
                   combined(how, view_load(target, y->type), view_load(update, updates->type)));
}

static void copy(const view *x, const view *y)
{
    int64_t at[VIEW_MAX_RANK];
    for (int64_t i = 0; i < view_count(y); i++) {
        char *to = y->data + view_position(y, i, at) * bytes_of(y);
        memcpy(to, x->data + view_offset(x, at) * bytes_of(x), (size_t)bytes_of(y));
    }
}

void scatter_elements_ref(const kernel_args *a, int part, int n_parts)
{
    const view *indices = &a->t[1], *updates = &a->t[2], *y = &a->t[3];
    int axis = a->p.scatter.axis;
    int64_t at[VIEW_MAX_RANK];
    (void)n_parts;
    if (part > 0)
        return;
    copy(&a->t[0], y);
    for (int64_t i = 0; i < view_count(updates); i++) {
        int64_t from = view_position(updates, i, at);
        int64_t index = index_at(indices, view_offset(indices, at), y->dim[axis]);
        at[axis] = index;
        if (index >= 0)
            put(y, view_offset(y, at), updates, from, a->p.scatter.how);
    }
}

void scatter_nd_ref(const kernel_args *a, int part, int n_parts)
{
    const view *indices = &a->t[1], *updates = &a->t[2], *y = &a->t[3];
    int n_own = indices->rank - 1;
    int depth = (int)indices->dim[n_own];
    int64_t at[VIEW_MAX_RANK];
    (void)n_parts;
    if (part > 0)
        return;
    copy(&a->t[0], y);
    for (int64_t i = 0; i < view_count(updates); i++) {
        int64_t from = view_position(updates, i, at), tuple = 0, to = 0;
        for (int k = 0; k < n_own; k++)
            tuple += at[k] * indices->stride[k];
        for (int k = n_own; k < updates->rank; k++)
            to += at[k] * y->stride[depth + k - n_own];
        if (add_target(indices, tuple, y, 0, &to))
            put(y, to, updates, from, a->p.scatter.how);
    }
}
