/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/rows.h — how pointwise kernels walk their operands: row by row of the innermost
 * dimension, which view_coalesce() made as long and dense as it can be.
 *
 *     rows r = rows_begin(a, part, n_parts);
 *     while (rows_next(&r))
 *         ... r.n elements; operand k starts at r.p[k], its stride is a->t[k].stride[rank-1]
 */
#ifndef KERNELS_ROWS_H
#define KERNELS_ROWS_H

#include "kernels/kernel.h"

typedef struct rows {
    char *p[KERNEL_MAX_OPERANDS];
    int64_t n; /* elements in this row (or the part of a row that is ours) */
    const kernel_args *a;
    int64_t index[VIEW_MAX_RANK]; /* of the next row */
    int64_t left;                 /* rows */
    int64_t column;               /* first element of each row */
} rows;

static inline rows rows_begin(const kernel_args *a, int part, int n_parts)
{
    const view *out = &a->t[a->n - 1];
    int64_t n_rows = 1;
    for (int i = 0; i < out->rank - 1; i++)
        n_rows *= out->dim[i];
    rows r = {.a = a};
    int64_t begin, end;
    if (n_rows >= 4 * n_parts) { /* else rows are few: share the columns of each */
        kernel_share(n_rows, part, n_parts, &begin, &end);
        r.left = end - begin;
        r.n = out->dim[out->rank - 1];
        for (int i = out->rank - 2; i >= 0; i--) {
            r.index[i] = begin % out->dim[i];
            begin /= out->dim[i];
        }
    } else {
        kernel_share(out->dim[out->rank - 1], part, n_parts, &begin, &end);
        r.left = n_rows;
        r.n = end - begin;
        r.column = begin;
    }
    return r;
}

static inline bool rows_next(rows *r)
{
    if (r->left <= 0 || r->n <= 0)
        return false;
    r->left--;
    int inner = r->a->t[0].rank - 1;
    for (int k = 0; k < r->a->n; k++) {
        const view *v = &r->a->t[k];
        int64_t offset = r->column * v->stride[inner];
        for (int i = 0; i < inner; i++)
            offset += r->index[i] * v->stride[i];
        r->p[k] = v->data + offset * (int64_t)view_type_bytes(v->type);
    }
    const view *out = &r->a->t[r->a->n - 1];
    for (int i = inner - 1; i >= 0 && ++r->index[i] == out->dim[i]; i--)
        r->index[i] = 0;
    return true;
}

/* Bytes between neighbours of operand k inside a row. */
static inline int64_t rows_step(const rows *r, int k)
{
    const view *v = &r->a->t[k];
    return v->stride[v->rank - 1] * (int64_t)view_type_bytes(v->type);
}

#endif
