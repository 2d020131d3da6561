/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/quant_plan.h"

#include <string.h>

#include "base/mem.h"
#include "graph/slices.h"
#include "quant/fake_quant.h"
#include "quant/group_range.h"
#include "quant/weight_range.h"

typedef struct plan_builder {
    const graph *g;
    const quant_points *points;
    const ranges *r;
    const quant_options *options;
    float *group_amax; /* per group, scale_amax included */
} plan_builder;

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
    group_source source = {b->g, b->points, b->r};
    for (int group = 0; group < b->points->n_groups; group++)
        PTQ_TRY(group_range(&source, group, &b->group_amax[group], err));
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
