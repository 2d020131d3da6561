/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/code_plan.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

/* Where sigmoid(x) is code 0 of steps of 1/255, and HardSwish is 0: lower values need no codes. */
#define SILU_FLOOR (-6.5f)
#define HARD_SWISH_FLOOR (-3.0f)

typedef struct code_range_found {
    float low, high;
} code_range_found;

/* ---------------------------------------------------------------- whose settings */

/* The point that decides about a group: a fixed range first, then a layer's rule, then any. */
static const quant_point *leader_of(const code_plan_job *job, int group)
{
    const quant_point *leader = NULL;
    int best = -1;
    for (int i = 0; i < job->codes->n; i++) {
        const code_tensor *c = &job->codes->items[i];
        for (int k = 0; c->group == group && k < job->points->n; k++) {
            const quant_point *p = &job->points->items[k];
            int weight = p->input_desc.n_amax ? 2 : p->has_range_rule ? 1 : 0;
            if (p->tensor != c->tensor || p->kept != QUANT_NOT_KEPT || weight <= best)
                continue;
            leader = p;
            best = weight;
        }
    }
    return leader;
}

static ptq_status settings_of(const code_plan_job *job, int group, descriptor *out, ptq_error *err)
{
    const quant_point *p = leader_of(job, group);
    *out = p ? p->input_desc : descriptor_input(job->options->method, job->options->percentile);
    if (out->num_bits != 8 || out->narrow_range)
        return error_set(err, PTQ_UNSUPPORTED,
                         "layer '%s': the target computes on whole 8-bit codes, not on %d bits%s",
                         p ? p->layer : "?", out->num_bits, out->narrow_range ? ", narrowed" : "");
    return PTQ_OK;
}

const char *code_plan_unknown(const code_plan_job *job)
{
    for (int i = 0; i < job->codes->n; i++) {
        const code_tensor *c = &job->codes->items[i];
        const quant_point *p = leader_of(job, c->group);
        if (!p || p->input_desc.n_amax == 0)
            return graph_tensor_const(job->g, c->tensor)->name;
    }
    return NULL;
}

/* ---------------------------------------------------------------- ranges */

static ptq_status pool_member(const code_plan_job *job, const code_tensor *c, range_tensor *pooled,
                              ptq_error *err)
{
    const char *name = graph_tensor_const(job->g, c->tensor)->name;
    const range_tensor *t = ranges_find(job->ranges, name, "");
    if (!t)
        return error_set(err, PTQ_DATA,
                         "no range was collected for tensor '%s'; calibrate with "
                         "--target onnxruntime",
                         name);
    pooled->low = fminf(pooled->low, t->low);
    pooled->high = fmaxf(pooled->high, t->high);
    for (int m = 0; m < AMAX_METHODS; m++)
        pooled->amax[m] = fmaxf(pooled->amax[m], t->amax[m]);
    if (pooled->has_histogram && t->has_histogram)
        return histogram_merge(&pooled->values, &t->values, err);
    pooled->has_histogram = false;
    return PTQ_OK;
}

/* How far from zero values may be. A range that is almost only above zero has 255 steps there, any
 * other about 127. */
static ptq_status reach(const code_plan_job *job, const range_tensor *pooled, const descriptor *d,
                        float *amax, ptq_error *err)
{
    amax_options o;
    amax_options_init(&o);
    o.percentile = d->percentile;
    o.is_unsigned = -4 * pooled->low <= pooled->high;
    amax_method method = descriptor_method(d);
    if (pooled->has_histogram)
        return histogram_amax(&pooled->values, method, &o, amax, err);
    if (method == AMAX_PERCENTILE && d->percentile != job->ranges->percentile)
        return error_set(err, PTQ_USAGE,
                         "the ranges come without histograms and do not tell percentile %g; "
                         "calibrate again",
                         d->percentile);
    *amax = pooled->amax[method];
    return PTQ_OK;
}

/* What all readers of a tensor make of values below: nothing new. */
static float floor_of(const graph *g, tensor_id id)
{
    node_id readers[2];
    int n = graph_consumers(g, id, readers, 2);
    graph_op op = n == 1 ? graph_node_const(g, readers[0])->op : GRAPH_OP_IDENTITY;
    return op == GRAPH_OP_SILU         ? SILU_FLOOR
           : op == GRAPH_OP_HARD_SWISH ? HARD_SWISH_FLOOR
                                       : -INFINITY;
}

static ptq_status pool_group(const code_plan_job *job, int group, range_tensor *pooled,
                             float *lowest, ptq_error *err)
{
    pooled->has_histogram = true;
    *lowest = INFINITY;
    PTQ_TRY(histogram_init(&pooled->values, job->ranges->is_compat, err));
    for (int i = 0; i < job->codes->n; i++) {
        const code_tensor *c = &job->codes->items[i];
        if (c->group != group)
            continue;
        *lowest = fminf(*lowest, floor_of(job->g, c->tensor));
        if (c->is_source && job->ranges->n > 0)
            PTQ_TRY(pool_member(job, c, pooled, err));
    }
    return PTQ_OK;
}

static ptq_status solve_group(const code_plan_job *job, int group, code_range_found *out,
                              ptq_error *err)
{
    descriptor d;
    range_tensor pooled = {0};
    float lowest, amax;
    PTQ_TRY(settings_of(job, group, &d, err));
    ptq_status status = pool_group(job, group, &pooled, &lowest, err);
    amax = d.amax;
    if (status == PTQ_OK && d.n_amax == 0)
        status = reach(job, &pooled, &d, &amax, err);
    histogram_clear(&pooled.values);
    PTQ_TRY(status);
    if (d.n_amax && job->ranges->n == 0)
        pooled.low = -INFINITY; /* nothing was seen: as far below zero as above */
    amax *= d.scale_amax;
    out->low = d.is_unsigned ? 0 : fmaxf(fmaxf(pooled.low, -amax), lowest);
    out->high = d.n_amax ? amax : fminf(pooled.high, amax);
    return PTQ_OK;
}

/* ---------------------------------------------------------------- the plan */

static ptq_status fill(quantizer *q, const code_range_found *range, ptq_error *err)
{
    float *amax = mem_array(1, sizeof *amax);
    if (!amax)
        return error_no_memory(err, sizeof *amax, "quantizers");
    mem_free(q->amax);
    *amax = range->high;
    *q = (quantizer){.enabled = true,
                     .num_bits = 8,
                     .is_unsigned = true,
                     .axis = -1,
                     .n_amax = 1,
                     .amax = amax,
                     .low = range->low};
    return PTQ_OK;
}

static const code_range_found *range_of(const code_plan_job *job, const code_range_found *groups,
                                        tensor_id id)
{
    for (int i = 0; i < job->codes->n; i++)
        if (job->codes->items[i].tensor == id)
            return &groups[job->codes->items[i].group];
    return NULL;
}

/* An i32 bias must hold its value in steps of input scale times weight scale: a channel whose
 * weights are next to nothing gets wider ones. */
static void widen_for_bias(const graph *g, const node *n, const quantizer *input, quantizer *weight)
{
    const double most = 0x1p30;
    if (n->n_inputs < 3 || !graph_is_const(g, n->inputs[2]))
        return;
    const tensor *bias = graph_tensor_const(g, n->inputs[2]);
    size_t count;
    if (bias->type != DTYPE_F32 || !shape_count(&bias->shape, &count))
        return;
    const float *b = blob_data(bias->data);
    double step = ((double)input->amax[0] - (double)input->low) / 255;
    for (size_t i = 0; step > 0 && i < count; i++) {
        float *amax = &weight->amax[weight->n_amax == 1 ? 0 : i];
        float least = (float)(fabs((double)b[i]) / (step * most) * 127);
        if (weight->n_amax == 1 || (size_t)weight->n_amax == count)
            *amax = fmaxf(*amax, least);
    }
}

static ptq_status complete_layer(const code_plan_job *job, const code_range_found *groups,
                                 qplan_entry *e, ptq_error *err)
{
    const node *n = graph_node_const(job->g, graph_find_node(job->g, e->layer));
    const code_range_found *range = range_of(job, groups, n->inputs[0]);
    if (!e->input.enabled || !range)
        return PTQ_OK;
    PTQ_TRY(fill(&e->input, range, err));
    if (e->weight.enabled)
        widen_for_bias(job->g, n, &e->input, &e->weight);
    return PTQ_OK;
}

static ptq_status complete_extra(const code_plan_job *job, const code_range_found *groups,
                                 qplan_extra *e, ptq_error *err)
{
    if (e->input_index == QPLAN_OUTPUT)
        return PTQ_OK; /* outputs of the graph have no codes that others read */
    const node *n = graph_node_const(job->g, graph_find_node(job->g, e->node));
    const code_range_found *range = range_of(job, groups, n->inputs[e->input_index]);
    return e->input.enabled && range ? fill(&e->input, range, err) : PTQ_OK;
}

static ptq_status add_tensor(const code_plan_job *job, const code_tensor *c,
                             const code_range_found *range, qplan *plan, ptq_error *err)
{
    const char *name = graph_tensor_const(job->g, c->tensor)->name;
    qplan_tensor *t = &plan->tensors[plan->n_tensors];
    t->tensor = mem_strdup(name);
    if (!t->tensor)
        return error_no_memory(err, strlen(name), "the plan");
    plan->n_tensors++;
    return fill(&t->codes, range, err);
}

static ptq_status complete(const code_plan_job *job, code_range_found *groups, qplan *plan,
                           ptq_error *err)
{
    for (int i = 0; i < job->codes->n_groups; i++)
        PTQ_TRY(solve_group(job, i, &groups[i], err));
    for (int i = 0; i < job->codes->n; i++) {
        const code_tensor *c = &job->codes->items[i];
        PTQ_TRY(add_tensor(job, c, &groups[c->group], plan, err));
    }
    for (int i = 0; i < plan->n_entries; i++)
        PTQ_TRY(complete_layer(job, groups, &plan->entries[i], err));
    for (int i = 0; i < plan->n_extras; i++)
        PTQ_TRY(complete_extra(job, groups, &plan->extras[i], err));
    return PTQ_OK;
}

ptq_status code_plan_complete(const code_plan_job *job, qplan *plan, ptq_error *err)
{
    size_t n = (size_t)job->codes->n;
    code_range_found *groups = mem_array((size_t)job->codes->n_groups, sizeof *groups);
    plan->tensors = mem_array(n, sizeof *plan->tensors);
    ptq_status status = PTQ_OK;
    if (!groups || !plan->tensors)
        status = error_no_memory(err, n * sizeof *plan->tensors, "the plan");
    else
        status = complete(job, groups, plan, err);
    mem_free(groups);
    plan->integer_bias = !plan->float_weights;
    return status;
}
