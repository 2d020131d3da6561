/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/placement.h"

#include "base/mem.h"
#include "quant/default_map.h"
#include "quant/fake_quant.h"

/* Share of the values that round to code 0 when steps are `step` wide. */
static double vanishing_share(const histogram *h, double step)
{
    double n = 0;
    for (int i = 0; i < histogram_used_bins(h); i++)
        if ((double)histogram_edge(h, i + 1) <= step / 2)
            n += (double)h->counts[i];
    return h->n_values > 0 ? n / (double)h->n_values : 0;
}

/* Scores lie below 1: with steps of 2 and more none is left. */
static void warn_decoded(const quant_point *p, const range_tensor *t, float amax,
                         const ptq_env *env)
{
    double step =
        (double)amax / fake_quant_highest(p->input_desc.num_bits, p->input_desc.is_unsigned);
    if (step / 2 < 1) {
        env_log(
            env, PTQ_LOG_WARNING,
            "layer '%s': the quantizer on '%s' sits behind the output convolutions, where boxes "
            "and scores are decoded; that part should stay float",
            p->layer, t->name);
        return;
    }
    env_log(env, PTQ_LOG_WARNING,
            "layer '%s': one scale on '%s' covers boxes up to %.1f and scores up to 1: in steps of "
            "%.3f every value below %.3f becomes 0, all scores with it (%.0f %% of the values); "
            "take this quantizer away",
            p->layer, t->name, (double)t->amax[AMAX_MAX], step, step / 2,
            t->has_histogram ? 100 * vanishing_share(&t->values, step) : 0.0);
}

static ptq_status warn_point(const group_source *s, const quant_point *p, const ptq_env *env,
                             ptq_error *err)
{
    float amax = 0;
    const range_tensor *t = ranges_find(s->r, graph_tensor_const(s->g, p->tensor)->name, p->layer);
    if (!t || p->input_axes)
        return PTQ_OK;
    PTQ_TRY(group_range(s, p->group, &amax, err));
    warn_decoded(p, t, amax, env);
    return PTQ_OK;
}

/* A tensor of a group whose largest value is less than half a step. With a fixed range there may be
 * tensors that no image was run for. */
static ptq_status warn_group(const group_source *s, int group, const range_tensor **tensors,
                             const ptq_env *env, ptq_error *err)
{
    const quant_point *leader;
    float amax = 0;
    int n = 0;
    if (group_tensors(s, group, tensors, &n, NULL) != PTQ_OK || n < 2)
        return PTQ_OK;
    PTQ_TRY(group_leader(s->points, group, &leader, err));
    PTQ_TRY(group_range(s, group, &amax, err));
    const descriptor *d = &leader->input_desc;
    double step = (double)amax / fake_quant_highest(d->num_bits, d->is_unsigned);
    for (int i = 0; i < n; i++) {
        double largest = (double)tensors[i]->amax[AMAX_MAX];
        if (largest > 0 && largest <= step / 2)
            env_log(env, PTQ_LOG_WARNING,
                    "tensor '%s' reaches %g but shares a scale with the input of '%s', in steps of "
                    "%g: all of it becomes 0; take it out with share_scales, or fix amax",
                    tensors[i]->name, largest, leader->layer, step);
    }
    return PTQ_OK;
}

static bool is_activation(graph_op op)
{
    return op == GRAPH_OP_SILU || op == GRAPH_OP_RELU || op == GRAPH_OP_LEAKY_RELU ||
           op == GRAPH_OP_HARD_SWISH || op == GRAPH_OP_SIGMOID || op == GRAPH_OP_TANH;
}

static void warn_unfused(const group_source *s, const quant_point *p, const ptq_env *env)
{
    node_id producer = graph_producer(s->g, p->tensor);
    if (!is_activation(p->op) || producer == NODE_NONE ||
        !default_map_has_weight(graph_node_const(s->g, producer)->op))
        return;
    env_log(env, PTQ_LOG_WARNING,
            "the quantizer at '%s' stands between the convolution '%s' and its activation: they no "
            "longer fuse; put it where the activation's result is read",
            p->layer, graph_node_const(s->g, producer)->name);
}

ptq_status placement_warn(const group_source *s, bool fuses, const ptq_env *env, ptq_error *err)
{
    const quant_points *points = s->points;
    for (int i = 0; i < points->n; i++) {
        const quant_point *p = &points->items[i];
        if (p->group < 0)
            continue;
        if (p->is_decode)
            PTQ_TRY(warn_point(s, p, env, err));
        if (fuses)
            warn_unfused(s, p, env);
    }
    size_t room = (size_t)points->n;
    const range_tensor **tensors = mem_array(room, sizeof *tensors);
    if (!tensors)
        return error_no_memory(err, room * sizeof *tensors, "a check");
    ptq_status st = PTQ_OK;
    for (int group = 0; group < points->n_groups && st == PTQ_OK; group++)
        st = warn_group(s, group, tensors, env, err);
    mem_free(tensors);
    return st;
}
