/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/quant_plan.h"

#include <string.h>

#include "base/mem.h"
#include "graph/slices.h"
#include "quant/fake_quant.h"
#include "quant/weight_range.h"

/* ---------------------------------------------------------------- the range of a group */

typedef struct plan_builder {
    const graph *g;
    const quant_points *points;
    const ranges *r;
    const quant_options *options;
    float *group_amax; /* per group, scale_amax included */
} plan_builder;

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

/* Whose descriptor decides: a fixed range first, then a layer rule, then the first in order. */
ptq_status quant_plan_leader(const quant_points *points, int group, const quant_point **out,
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
    *out = leader;
    return PTQ_OK;
}

static ptq_status point_range(const plan_builder *b, const quant_point *p, const range_tensor **out,
                              ptq_error *err)
{
    const char *name = graph_tensor_const(b->g, p->tensor)->name;
    const range_tensor *t = ranges_find(b->r, name, p->layer);
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
static bool is_repeated(const plan_builder *b, int index)
{
    const quant_point *p = &b->points->items[index];
    for (int i = 0; i < index; i++)
        if (b->points->items[i].group == p->group && b->points->items[i].tensor == p->tensor)
            return true;
    return false;
}

/* Without histograms: the largest range of the members. */
static ptq_status range_from_table(const plan_builder *b, const range_tensor *t,
                                   const descriptor *d, float *amax, ptq_error *err)
{
    amax_method method = descriptor_method(d);
    bool is_listed = method == AMAX_MAX || (d->num_bits == 8 && !d->is_unsigned);
    if (!is_listed || (method == AMAX_PERCENTILE && d->percentile != b->r->percentile))
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

/* The ranges of the group's tensors, each tensor once; *has_all: they all carry histograms. */
static ptq_status group_members(const plan_builder *b, const quant_point *leader,
                                const range_tensor **members, int *n, bool *has_all, ptq_error *err)
{
    *n = 0;
    *has_all = true;
    for (int i = 0; i < b->points->n; i++) {
        const quant_point *p = &b->points->items[i];
        if (p->group != leader->group || is_repeated(b, i))
            continue;
        PTQ_TRY(point_range(b, p, &members[*n], err));
        PTQ_TRY(check_unsigned(p, members[*n], err));
        *has_all = *has_all && members[*n]->has_histogram;
        (*n)++;
    }
    return PTQ_OK;
}

static ptq_status pooled_range(const range_tensor **members, int n, bool is_compat,
                               const descriptor *d, float *amax, ptq_error *err)
{
    amax_options options;
    amax_options_init(&options);
    options.num_bits = d->num_bits;
    options.is_unsigned = d->is_unsigned;
    options.percentile = d->percentile;
    histogram pooled;
    PTQ_TRY(histogram_init(&pooled, is_compat, err));
    ptq_status st = PTQ_OK;
    for (int i = 0; i < n && st == PTQ_OK; i++)
        st = histogram_merge(&pooled, &members[i]->values, err);
    if (st == PTQ_OK)
        st = histogram_amax(&pooled, descriptor_method(d), &options, amax, err);
    histogram_clear(&pooled);
    return st;
}

static ptq_status collected_range(const plan_builder *b, const quant_point *leader, float *amax,
                                  ptq_error *err)
{
    size_t room = (size_t)b->points->n;
    const range_tensor **members = mem_array(room, sizeof *members);
    if (!members)
        return error_no_memory(err, room * sizeof *members, "the plan");
    int n;
    bool has_all;
    ptq_status st = group_members(b, leader, members, &n, &has_all, err);
    if (st == PTQ_OK && has_all) {
        st = pooled_range(members, n, b->r->is_compat, &leader->input_desc, amax, err);
    } else if (st == PTQ_OK) {
        *amax = 0;
        for (int i = 0; i < n && st == PTQ_OK; i++)
            st = range_from_table(b, members[i], &leader->input_desc, amax, err);
    }
    mem_free(members);
    return st;
}

static ptq_status solve_group(const plan_builder *b, int group, ptq_error *err)
{
    const quant_point *leader = NULL;
    PTQ_TRY(quant_plan_leader(b->points, group, &leader, err));
    float amax = leader->input_desc.amax;
    if (leader->input_desc.n_amax == 0 && leader->input_axes)
        return error_set(err, PTQ_DATA,
                         "the ranges per slice of layer '%s' were not collected; give calibration "
                         "images, or amax as a list",
                         leader->layer);
    if (leader->input_desc.n_amax == 0)
        PTQ_TRY(collected_range(b, leader, &amax, err));
    b->group_amax[group] = amax * leader->input_desc.scale_amax;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- quantizers */

/* A learned range is cut before it is rounded, which is a narrow range; without rounding it is cut
 * alone. */
static ptq_status fill_quantizer(quantizer *q, const descriptor *d, uint32_t axes, size_t n,
                                 ptq_error *err)
{
    *q = (quantizer){.enabled = true,
                     .only_clips = !d->if_quant,
                     .num_bits = d->num_bits,
                     .is_unsigned = d->is_unsigned,
                     .narrow_range = d->narrow_range || d->if_clip,
                     .n_amax = (int)n};
    quantizer_set_axes(q, axes);
    q->amax = mem_array(n, sizeof *q->amax);
    if (!q->amax)
        return error_no_memory(err, n * sizeof *q->amax, "quantizers");
    return PTQ_OK;
}

static ptq_status fill_input(const plan_builder *b, const quant_point *p, quantizer *q,
                             ptq_error *err)
{
    const descriptor *d = &p->input_desc;
    if (p->group < 0)
        return PTQ_OK;
    size_t n = p->input_axes ? (size_t)d->n_amax : 1;
    PTQ_TRY(fill_quantizer(q, d, p->input_axes, n, err));
    q->amax[0] = b->group_amax[p->group];
    for (size_t i = 0; p->input_axes && i < n; i++)
        q->amax[i] = descriptor_amax(d, (int)i) * d->scale_amax;
    return PTQ_OK;
}

static ptq_status fill_weight(const plan_builder *b, const quant_point *p, quantizer *q,
                              ptq_error *err)
{
    const descriptor *d = &p->weight_desc;
    if (!quant_point_has_weight(p))
        return PTQ_OK;
    const tensor *weight = graph_tensor_const(b->g, p->weight);
    size_t n = slices_count(&weight->shape, p->weight_axes);
    PTQ_TRY(fill_quantizer(q, d, p->weight_axes, n, err));
    if (d->n_amax == 0) {
        ptq_status st = weight_range(weight, d, p->weight_axes, q->amax, err);
        if (st != PTQ_OK) {
            error_context(err, "weights of layer '%s'", p->layer);
            return st;
        }
    }
    for (size_t i = 0; i < n; i++) {
        float amax = d->n_amax == 0 ? q->amax[i] : descriptor_amax(d, d->n_amax > 1 ? (int)i : 0);
        q->amax[i] = amax * d->scale_amax;
    }
    return PTQ_OK;
}

static ptq_status add_entry(const plan_builder *b, const quant_point *p, qplan *plan,
                            ptq_error *err)
{
    qplan_entry *e = &plan->entries[plan->n_entries];
    e->input.axis = e->weight.axis = -1;
    e->layer = mem_strdup(p->layer);
    if (!e->layer)
        return error_no_memory(err, strlen(p->layer), "the plan");
    plan->n_entries++;
    PTQ_TRY(fill_input(b, p, &e->input, err));
    return fill_weight(b, p, &e->weight, err);
}

static ptq_status add_extra(const plan_builder *b, const quant_point *p, qplan *plan,
                            ptq_error *err)
{
    qplan_extra *e = &plan->extras[plan->n_extras];
    bool is_output = p->input_index == QPLAN_OUTPUT;
    e->node = mem_strdup(is_output ? graph_tensor_const(b->g, p->tensor)->name : p->layer);
    if (!e->node)
        return error_no_memory(err, strlen(p->layer), "the plan");
    plan->n_extras++;
    e->input_index = p->input_index;
    return fill_input(b, p, &e->input, err);
}

static ptq_status build_plan(const plan_builder *b, qplan *plan, ptq_error *err)
{
    size_t n = (size_t)b->points->n;
    plan->entries = mem_array(n, sizeof *plan->entries);
    plan->extras = mem_array(n, sizeof *plan->extras);
    if (!plan->entries || !plan->extras)
        return error_no_memory(err, n * sizeof *plan->entries, "the plan");
    plan->float_weights = b->options->float_weights;
    for (int group = 0; group < b->points->n_groups; group++)
        PTQ_TRY(solve_group(b, group, err));
    for (size_t i = 0; i < n; i++) {
        const quant_point *p = &b->points->items[i];
        if (p->kept != QUANT_NOT_KEPT)
            continue;
        PTQ_TRY(p->is_extra ? add_extra(b, p, plan, err) : add_entry(b, p, plan, err));
    }
    return PTQ_OK;
}

ptq_status quant_plan_build(const graph *g, const quant_points *points, const ranges *r,
                            const quant_options *options, qplan *out, ptq_error *err)
{
    plan_builder b = {.g = g, .points = points, .r = r, .options = options};
    qplan plan = {0};
    b.group_amax = mem_array((size_t)points->n_groups, sizeof *b.group_amax);
    if (!b.group_amax)
        return error_no_memory(err, (size_t)points->n_groups * sizeof *b.group_amax, "the plan");
    ptq_status st = build_plan(&b, &plan, err);
    if (st == PTQ_OK)
        *out = plan;
    else
        quant_plan_clear(&plan);
    mem_free(b.group_amax);
    return st;
}

void quant_plan_clear(qplan *plan)
{
    for (int i = 0; i < plan->n_entries; i++) {
        mem_free(plan->entries[i].layer);
        mem_free(plan->entries[i].input.amax);
        mem_free(plan->entries[i].weight.amax);
    }
    for (int i = 0; i < plan->n_extras; i++) {
        mem_free(plan->extras[i].node);
        mem_free(plan->extras[i].input.amax);
    }
    for (int i = 0; i < plan->n_tensors; i++) {
        mem_free(plan->tensors[i].tensor);
        mem_free(plan->tensors[i].codes.amax);
    }
    mem_free(plan->entries);
    mem_free(plan->extras);
    mem_free(plan->tensors);
    *plan = (qplan){0};
}

/* ---------------------------------------------------------------- JSON */

static json_t *amax_json(const quantizer *q)
{
    if (quantizer_axes(q) == 0)
        return json_real((double)q->amax[0]);
    json_t *amax = json_array();
    for (int i = 0; i < q->n_amax; i++)
        json_array_append_new(amax, json_real((double)q->amax[i]));
    return amax;
}

static json_t *axis_json(const quantizer *q)
{
    if (!q->several_axes)
        return q->axis < 0 ? json_null() : json_integer(q->axis);
    json_t *axes = json_array();
    for (int i = 0; i < SHAPE_MAX_RANK; i++)
        if (q->several_axes >> i & 1)
            json_array_append_new(axes, json_integer(i));
    return axes;
}

static json_t *quantizer_json(const quantizer *q)
{
    if (!q->enabled)
        return json_null();
    json_t *o =
        json_pack("{s:i,s:o,s:o,s:b,s:b}", "num_bits", q->num_bits, "axis", axis_json(q), "amax",
                  amax_json(q), "unsigned", q->is_unsigned, "narrow_range", q->narrow_range);
    if (!o || q->only_clips || quantizer_axes(q)) {
        if (o && q->only_clips)
            json_object_set_new(o, "if_quant", json_false());
        return o;
    }
    double highest = fake_quant_highest(q->num_bits, q->is_unsigned);
    double width = (double)(q->amax[0] - q->low);
    double step = width <= (double)FAKE_QUANT_TINY ? 1 : width / highest;
    if (q->low < 0)
        json_object_set_new(o, "low", json_real((double)q->low));
    json_object_set_new(o, "step_size", json_real(step));
    json_object_set_new(o, "scale", json_real(1 / step));
    return o;
}

static const char *op_of(const graph *g, const char *layer)
{
    node_id id = graph_find_node(g, layer);
    return id == NODE_NONE ? "" : graph_op_name(graph_node_const(g, id)->op);
}

json_t *quant_plan_write_json(const graph *g, const qplan *plan)
{
    json_t *list = json_array();
    for (int i = 0; i < plan->n_entries; i++) {
        const qplan_entry *e = &plan->entries[i];
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:o,s:o}", "layer", e->layer, "op",
                                        op_of(g, e->layer), "input", quantizer_json(&e->input),
                                        "weight", quantizer_json(&e->weight)));
    }
    for (int i = 0; i < plan->n_extras; i++) {
        const qplan_extra *e = &plan->extras[i];
        json_array_append_new(list, json_pack("{s:s,s:s,s:i,s:o,s:n}", "layer", e->node, "op",
                                              op_of(g, e->node), "input_index", e->input_index,
                                              "input", quantizer_json(&e->input), "weight"));
    }
    return list;
}
