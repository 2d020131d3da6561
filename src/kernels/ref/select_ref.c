/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that choose which elements go where, and running sums. */
#include <string.h>

#include "kernels/kernel_list.h"

static int64_t bytes_of(const view *v)
{
    return (int64_t)view_type_bytes(v->type);
}

/* An index outside gives zeros. */
void gather_elements_ref(const kernel_args *a, int part, int n_parts)
{
    const view *x = &a->t[0], *indices = &a->t[1], *y = &a->t[2];
    int axis = a->p.axis;
    int64_t begin, end, at[VIEW_MAX_RANK];
    kernel_share(view_count(y), part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        char *target = y->data + view_position(y, i, at) * bytes_of(y);
        const char *p = indices->data + view_offset(indices, at) * bytes_of(indices);
        int64_t index = (int64_t)view_load(p, indices->type);
        index += index < 0 ? x->dim[axis] : 0;
        at[axis] = index;
        if (index < 0 || index >= x->dim[axis])
            memset(target, 0, (size_t)bytes_of(y));
        else
            memcpy(target, x->data + view_offset(x, at) * bytes_of(x), (size_t)bytes_of(y));
    }
}

/* One line of x along the axis. */
typedef struct line {
    const view *x;
    const char *data;
    int64_t step; /* bytes */
    int64_t length;
    bool largest;
} line;

static double line_at(const line *l, int64_t i)
{
    double v = view_load(l->data + i * l->step, l->x->type);
    return l->largest ? v : -v;
}

/* The best element behind (value, index) in the order of the result: better values first, equal
 * ones by their index. `last` < 0: the best of all. */
static int64_t next_best(const line *l, int64_t last)
{
    int64_t best = -1;
    for (int64_t i = 0; i < l->length; i++) {
        double v = line_at(l, i);
        bool is_taken = last >= 0 && (v > line_at(l, last) || (v == line_at(l, last) && i <= last));
        if (!is_taken && (best < 0 || v > line_at(l, best)))
            best = i;
    }
    return best < 0 ? 0 : best;
}

void top_k_ref(const kernel_args *a, int part, int n_parts)
{
    const view *x = &a->t[0], *y = &a->t[1];
    int axis = a->p.top.axis;
    int64_t k = y->dim[axis], begin, end, at[VIEW_MAX_RANK];
    view lines = *y;
    lines.dim[axis] = 1;
    kernel_share(k ? view_count(&lines) : 0, part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        char *to = y->data + view_position(&lines, i, at) * bytes_of(y);
        line l = {.x = x, .length = x->dim[axis], .largest = a->p.top.largest};
        l.data = x->data + view_offset(x, at) * bytes_of(x);
        l.step = x->stride[axis] * bytes_of(x);
        int64_t last = -1;
        for (int64_t j = 0; j < k; j++, to += y->stride[axis] * bytes_of(y)) {
            last = next_best(&l, last);
            if (a->p.top.wants_indices)
                view_store(to, y->type, (double)last);
            else
                memcpy(to, l.data + last * l.step, (size_t)bytes_of(y));
        }
    }
}

/* Where position `at` of the padded axis comes from; -1: from the value. */
static int64_t pad_source(pad_fill fill, int64_t at, int64_t length)
{
    int64_t period = 2 * (length - 1);
    if (at >= 0 && at < length)
        return at;
    switch (fill) {
    case PAD_FILL_EDGE:
        return at < 0 ? 0 : length - 1;
    case PAD_FILL_REFLECT:
        if (period <= 0)
            return 0;
        at = (at % period + period) % period;
        return at < length ? at : period - at;
    case PAD_FILL_WRAP:
        return (at % length + length) % length;
    default:
        return -1;
    }
}

void pad_ref(const kernel_args *a, int part, int n_parts)
{
    const view *x = &a->t[0], *value = &a->t[1], *y = &a->t[2];
    int64_t begin, end, at[VIEW_MAX_RANK];
    kernel_share(view_count(y), part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        char *target = y->data + view_position(y, i, at) * bytes_of(y);
        bool is_inside = view_count(x) > 0;
        for (int k = 0; k < x->rank && is_inside; k++) {
            at[k] = pad_source(a->p.pad.fill, at[k] - a->p.pad.before[k], x->dim[k]);
            is_inside = at[k] >= 0;
        }
        const char *from = is_inside ? x->data + view_offset(x, at) * bytes_of(x) : value->data;
        memcpy(target, from, (size_t)bytes_of(y));
    }
}

void triangle_ref(const kernel_args *a, int part, int n_parts)
{
    const view *x = &a->t[0], *y = &a->t[1];
    int64_t begin, end, at[VIEW_MAX_RANK];
    kernel_share(view_count(y), part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        char *to = y->data + view_position(y, i, at) * bytes_of(y);
        int64_t beyond = at[y->rank - 1] - at[y->rank - 2] - a->p.triangle.diagonal;
        if (a->p.triangle.keep_lower ? beyond <= 0 : beyond >= 0)
            memcpy(to, x->data + view_offset(x, at) * bytes_of(x), (size_t)bytes_of(y));
        else
            memset(to, 0, (size_t)bytes_of(y));
    }
}

void cumulate_ref(const kernel_args *a, int part, int n_parts)
{
    const view *x = &a->t[0], *y = &a->t[1];
    const cumulate_param *p = &a->p.cumulate;
    view lines = *y;
    int64_t begin, end, at[VIEW_MAX_RANK], length = y->dim[p->axis];
    lines.dim[p->axis] = 1;
    kernel_share(length ? view_count(&lines) : 0, part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        double sum = 0;
        char *first = y->data + view_position(&lines, i, at) * bytes_of(y);
        const char *from = x->data + view_offset(x, at) * bytes_of(x);
        for (int64_t j = 0; j < length; j++) {
            int64_t k = p->reverse ? length - 1 - j : j;
            char *to = first + k * y->stride[p->axis] * bytes_of(y);
            double value = view_load(from + k * x->stride[p->axis] * bytes_of(x), x->type);
            view_store(to, y->type, p->exclusive ? sum : sum + value);
            sum += value;
        }
    }
}

/* An index outside marks nothing. */
void one_hot_ref(const kernel_args *a, int part, int n_parts)
{
    const view *indices = &a->t[0], *values = &a->t[1], *y = &a->t[2];
    int axis = a->p.axis;
    int64_t begin, end, at[VIEW_MAX_RANK], depth = y->dim[axis];
    kernel_share(view_count(y), part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        char *to = y->data + view_position(y, i, at) * bytes_of(y);
        int64_t from = 0;
        for (int k = 0; k < y->rank; k++)
            from += k == axis ? 0 : at[k] * indices->stride[k - (k > axis)];
        int64_t hot = (int64_t)view_load(indices->data + from * bytes_of(indices), indices->type);
        hot += hot < 0 ? depth : 0;
        int64_t which = at[axis] == hot ? values->stride[0] : 0;
        memcpy(to, values->data + which * bytes_of(values), (size_t)bytes_of(y));
    }
}
