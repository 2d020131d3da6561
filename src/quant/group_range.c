/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/group_range.h"

#include "base/mem.h"

static float fixed_range(const quant_point *p)
{
    return p->input_desc.amax * p->input_desc.scale_amax;
}

static ptq_status two_fixed(const quant_point *a, const quant_point *b, ptq_error *err)
{
    return error_set(err, PTQ_USAGE,
                     "layers '%s' and '%s' share one input range, but amax is fixed at %g for the "
                     "one and %g for the other; fix it once or switch share_scales off",
                     a->layer, b->layer, (double)fixed_range(a), (double)fixed_range(b));
}

ptq_status group_leader(const quant_points *points, int group, const quant_point **out,
                        ptq_error *err)
{
    const quant_point *leader = NULL;
    for (int i = 0; i < points->n; i++) {
        const quant_point *p = &points->items[i];
        if (p->group != group)
            continue;
        bool is_fixed = p->input_desc.n_amax > 0;
        bool is_led = leader && leader->input_desc.n_amax > 0;
        if (is_fixed && is_led && fixed_range(p) != fixed_range(leader))
            return two_fixed(leader, p, err);
        if (!leader || (is_fixed && !is_led) ||
            (p->has_range_rule && !leader->has_range_rule && !is_led))
            leader = p;
    }
    if (!leader)
        return error_set(err, PTQ_INTERNAL, "group %d has no quantizer", group);
    *out = leader;
    return PTQ_OK;
}

static ptq_status point_range(const group_source *s, const quant_point *p, const range_tensor **out,
                              ptq_error *err)
{
    const char *name = graph_tensor_const(s->g, p->tensor)->name;
    const range_tensor *t = ranges_find(s->r, name, p->layer);
    if (!t)
        return error_set(
            err, PTQ_DATA,
            "no range was collected for tensor '%s', which layer '%s' reads; calibrate "
            "this model again",
            name, p->layer);
    *out = t;
    return PTQ_OK;
}

/* Whether an earlier point of the group already brought this tensor. */
static bool is_repeated(const group_source *s, int index)
{
    const quant_point *p = &s->points->items[index];
    for (int i = 0; i < index; i++)
        if (s->points->items[i].group == p->group && s->points->items[i].tensor == p->tensor)
            return true;
    return false;
}

/* Without histograms: the largest range of the members. */
static ptq_status range_from_table(const group_source *s, const range_tensor *t,
                                   const descriptor *d, float *amax, ptq_error *err)
{
    amax_method method = descriptor_method(d);
    bool is_listed = method == AMAX_MAX || (d->num_bits == 8 && !d->is_unsigned);
    if (!is_listed || (method == AMAX_PERCENTILE && d->percentile != s->r->percentile))
        return error_set(err, PTQ_USAGE,
                         "the ranges of tensor '%s' come without a histogram and do not tell %s "
                         "%g at %d bits; calibrate again",
                         t->name, amax_method_name(method), d->percentile, d->num_bits);
    if (t->amax[method] > *amax)
        *amax = t->amax[method];
    return PTQ_OK;
}

static ptq_status check_unsigned(const quant_point *p, const range_tensor *t, ptq_error *err)
{
    if (p->input_desc.is_unsigned && t->has_histogram && t->values.low < 0)
        return error_set(err, PTQ_USAGE,
                         "layer '%s': an unsigned input quantizer cannot hold tensor '%s', which "
                         "has negative values",
                         p->layer, t->name);
    return PTQ_OK;
}

ptq_status group_tensors(const group_source *s, int group, const range_tensor **tensors, int *n,
                         ptq_error *err)
{
    *n = 0;
    for (int i = 0; i < s->points->n; i++) {
        const quant_point *p = &s->points->items[i];
        if (p->group != group || is_repeated(s, i))
            continue;
        PTQ_TRY(point_range(s, p, &tensors[*n], err));
        PTQ_TRY(check_unsigned(p, tensors[*n], err));
        (*n)++;
    }
    return PTQ_OK;
}

static bool all_have_histograms(const range_tensor **tensors, int n)
{
    for (int i = 0; i < n; i++)
        if (!tensors[i]->has_histogram)
            return false;
    return true;
}

static ptq_status pool_histograms(const range_tensor **tensors, int n, const descriptor *d,
                                  float *amax, ptq_error *err)
{
    amax_options options;
    amax_options_init(&options);
    options.num_bits = d->num_bits;
    options.is_unsigned = d->is_unsigned;
    options.percentile = d->percentile;
    histogram pooled;
    PTQ_TRY(histogram_init(&pooled, tensors[0]->values.is_compat, err));
    ptq_status st = PTQ_OK;
    for (int i = 0; i < n && st == PTQ_OK; i++)
        st = histogram_merge(&pooled, &tensors[i]->values, err);
    if (st == PTQ_OK)
        st = histogram_amax(&pooled, descriptor_method(d), &options, amax, err);
    histogram_clear(&pooled);
    return st;
}

ptq_status group_pooled_range(const group_source *s, const range_tensor **tensors, int n,
                              const descriptor *d, float *amax, ptq_error *err)
{
    if (all_have_histograms(tensors, n))
        return pool_histograms(tensors, n, d, amax, err);
    float largest = 0;
    for (int i = 0; i < n; i++)
        PTQ_TRY(range_from_table(s, tensors[i], d, &largest, err));
    *amax = largest;
    return PTQ_OK;
}

static ptq_status collected_range(const group_source *s, const quant_point *leader, float *amax,
                                  ptq_error *err)
{
    size_t room = (size_t)s->points->n;
    const range_tensor **tensors = mem_array(room, sizeof *tensors);
    if (!tensors)
        return error_no_memory(err, room * sizeof *tensors, "the plan");
    int n = 0;
    ptq_status st = group_tensors(s, leader->group, tensors, &n, err);
    if (st == PTQ_OK)
        st = group_pooled_range(s, tensors, n, &leader->input_desc, amax, err);
    mem_free(tensors);
    return st;
}

ptq_status group_range(const group_source *s, int group, float *out, ptq_error *err)
{
    const quant_point *leader = NULL;
    PTQ_TRY(group_leader(s->points, group, &leader, err));
    float amax = leader->input_desc.amax;
    if (leader->input_desc.n_amax == 0 && leader->input_axes)
        return error_set(err, PTQ_DATA,
                         "the ranges per slice of layer '%s' were not collected; give calibration "
                         "images, or amax as a list",
                         leader->layer);
    if (leader->input_desc.n_amax == 0)
        PTQ_TRY(collected_range(s, leader, &amax, err));
    *out = amax * leader->input_desc.scale_amax;
    return PTQ_OK;
}
