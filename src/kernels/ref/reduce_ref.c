/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/kernel_list.h"

/* The elements that go into one output: a walk over the reduced axes, row-major. */
typedef struct walk {
    const kernel_args *a;
    int64_t base; /* element offset in x */
    int64_t count;
} walk;

static double element(const walk *w, int64_t i)
{
    const view *x = &w->a->t[0];
    int64_t at = w->base;
    for (int k = x->rank - 1; k >= 0; k--)
        if (w->a->p.reduce.over[k]) {
            at += i % x->dim[k] * x->stride[k];
            i /= x->dim[k];
        }
    return view_load(x->data + at * (int64_t)view_type_bytes(x->type), x->type);
}

static double extreme(const walk *w, double sign)
{
    double best = -INFINITY;
    for (int64_t i = 0; i < w->count; i++) {
        double v = sign * element(w, i);
        best = v > best || v != v ? v : best;
    }
    return sign * best;
}

static double where_extreme(const walk *w, double sign)
{
    int64_t best = 0;
    for (int64_t i = 1; i < w->count; i++) {
        double v = sign * element(w, i), top = sign * element(w, best);
        if (v > top || (v == top && w->a->p.reduce.select_last))
            best = i;
    }
    return (double)best;
}

static double sum_of(const walk *w, reduce_kind kind)
{
    double sum = 0;
    for (int64_t i = 0; i < w->count; i++) {
        double v = element(w, i);
        bool is_square = kind == REDUCE_SUM_SQUARE || kind == REDUCE_L2;
        sum += is_square ? v * v : kind == REDUCE_L1 ? fabs(v) : v;
    }
    return sum;
}

static double product_of(const walk *w)
{
    double product = 1;
    for (int64_t i = 0; i < w->count; i++)
        product *= element(w, i);
    return product;
}

static double log_sum_exp(const walk *w)
{
    double top = extreme(w, 1), sum = 0;
    if (isinf(top))
        return top;
    for (int64_t i = 0; i < w->count; i++)
        sum += exp(element(w, i) - top);
    return top + log(sum);
}

static double reduce(const walk *w)
{
    reduce_kind kind = w->a->p.reduce.kind;
    switch (kind) {
    case REDUCE_MEAN:
        return sum_of(w, kind) / (double)w->count;
    case REDUCE_MAX:
        return extreme(w, 1);
    case REDUCE_MIN:
        return extreme(w, -1);
    case REDUCE_PROD:
        return product_of(w);
    case REDUCE_L2:
        return sqrt(sum_of(w, kind));
    case REDUCE_LOG_SUM:
        return log(sum_of(w, kind));
    case REDUCE_LOG_SUM_EXP:
        return log_sum_exp(w);
    case REDUCE_ARG_MAX:
        return where_extreme(w, 1);
    case REDUCE_ARG_MIN:
        return where_extreme(w, -1);
    default:
        return sum_of(w, kind);
    }
}

void reduce_ref(const kernel_args *a, int part, int n_parts)
{
    const view *x = &a->t[0], *y = &a->t[1];
    walk w = {.a = a, .count = 1};
    for (int k = 0; k < x->rank; k++)
        w.count *= a->p.reduce.over[k] ? x->dim[k] : 1;
    int64_t begin, end, bytes = (int64_t)view_type_bytes(y->type);
    kernel_share(view_count(y), part, n_parts, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        int64_t rest = i, to = 0;
        w.base = 0;
        for (int k = y->rank - 1; k >= 0; k--) {
            int64_t at = rest % y->dim[k];
            rest /= y->dim[k];
            to += at * y->stride[k];
            w.base += a->p.reduce.over[k] ? 0 : at * x->stride[k];
        }
        view_store(y->data + to * bytes, y->type, reduce(&w));
    }
}
