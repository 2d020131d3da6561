/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/config_write.h"

#include <string.h>

#include "quant/group_range.h"

static const char *flag(bool on)
{
    return on ? "true" : "false";
}

/* A text between single quotes, as YAML reads it back. */
static void write_quoted(str *out, const char *text)
{
    str_add(out, "'");
    for (; *text; text++)
        str_addf(out, *text == '\'' ? "''" : "%c", *text);
    str_add(out, "'");
}

/* ---------------------------------------------------------------- head of the file */

static void write_defaults(str *out, const config_write_job *job, descriptor *input,
                           descriptor *weight)
{
    descriptor plain = descriptor_plain();
    *input = descriptor_input(job->options->method, job->options->percentile);
    *weight = descriptor_weight(0);
    descriptor_apply(input, &job->config->defaults.input);
    descriptor_apply(weight, &job->config->defaults.weight);
    str_add(out, "defaults:\n  input: {");
    descriptor_write(out, input, &plain, true);
    str_add(out, "}\n  weight: {");
    descriptor_write(out, weight, &plain, true);
    str_add(out, "}\n");
}

static void write_sharing(str *out, const config_write_job *job)
{
    const quant_config *c = job->config;
    const int files[] = {c->share_concat, c->share_maxpool, c->share_resize, c->share_move,
                         c->share_add};
    static const char *const names[] = {"concat", "maxpool", "resize", "move", "add"};
    str_add(out, "share_scales: {");
    for (int i = 0; i < 5; i++)
        str_addf(
            out, "%s%s: %s", i ? ", " : "", names[i],
            flag(quant_option(files[i], job->options->share_scales, job->options->overrule_share)));
    str_add(out, "}\nresidual: false # residual inputs stand below, by layer\n");
    str_addf(out, "float_weights: %s\n", flag(job->options->float_weights));
}

/* ---------------------------------------------------------------- layers */

/* The descriptor that holds for a point: in a group the range is found as its leader says. */
static descriptor effective_input(const config_write_job *job, const quant_point *p)
{
    descriptor d = p->input_desc;
    const quant_point *leader = NULL;
    if (p->group < 0 || group_leader(job->points, p->group, &leader, NULL) != PTQ_OK)
        return d;
    const descriptor *from = &leader->input_desc;
    d.n_amax = from->n_amax;
    d.amax = from->amax;
    d.amax_list = from->amax_list;
    d.scale_amax = from->scale_amax;
    d.learn_amax = from->learn_amax;
    d.use_histogram = from->use_histogram;
    d.method = from->method;
    d.percentile = from->percentile;
    return d;
}

static void write_descriptor(str *out, const char *key, const descriptor *d, const descriptor *base)
{
    str_addf(out, ", %s: {", key);
    descriptor_write(out, d, base, true);
    str_add(out, "}");
}

/* "amax 2.64, shared with 'model.8.conv'": a remark behind the rule. */
static void write_remark(str *out, const config_write_job *job, const quant_point *p)
{
    group_source source = {job->g, job->points, job->r};
    float amax;
    int others = 0;
    const char *other = NULL;
    if (p->group < 0)
        return;
    str_addf(out, " # %s", graph_tensor_const(job->g, p->tensor)->name);
    if (job->r && !p->input_axes && group_range(&source, p->group, &amax, NULL) == PTQ_OK)
        str_addf(out, ", amax %.6g", (double)amax);
    for (int i = 0; i < job->points->n; i++) {
        const quant_point *q = &job->points->items[i];
        if (q == p || q->group != p->group)
            continue;
        other = other ? other : q->layer;
        others++;
    }
    if (others > 0)
        str_addf(out, ", one scale with %s", other);
    if (others > 1)
        str_addf(out, " and %d more", others - 1);
}

/* The next point of the same node after `i`; points of a node stand together. */
static int next_of_node(const quant_points *points, int i)
{
    return i + 1 < points->n && points->items[i + 1].node == points->items[i].node ? i + 1 : -1;
}

static bool has_live_extra(const quant_points *points, int i)
{
    for (i = next_of_node(points, i); i >= 0; i = next_of_node(points, i))
        if (points->items[i].kept == QUANT_NOT_KEPT && points->items[i].input_index != QPLAN_OUTPUT)
            return true;
    return false;
}

/* inputs: {0: {...}, 1: {...}} of the extra points from `i` on. */
static void write_inputs(str *out, const config_write_job *job, int i, const descriptor *base)
{
    int n = 0;
    for (; i >= 0; i = next_of_node(job->points, i)) {
        const quant_point *p = &job->points->items[i];
        if (!p->is_extra || p->input_index == QPLAN_OUTPUT || p->kept != QUANT_NOT_KEPT)
            continue;
        descriptor d = effective_input(job, p);
        str_addf(out, "%s%d: {", n++ ? ", " : ", inputs: {", p->input_index);
        descriptor_write(out, &d, base, true);
        str_add(out, "}");
    }
    if (n > 0)
        str_add(out, "}");
}

static void write_main(str *out, const config_write_job *job, const quant_point *p,
                       const descriptor *input, const descriptor *weight)
{
    descriptor d = effective_input(job, p);
    if (p->is_head || p->is_decode || job->config->is_float.has[p->op])
        str_add(out, ", disabled: false");
    write_descriptor(out, "input", &d, input);
    if (p->weight != TENSOR_NONE)
        write_descriptor(out, "weight", &p->weight_desc, weight);
}

static void write_layer(str *out, const config_write_job *job, int i, const descriptor *input,
                        const descriptor *weight)
{
    const quant_point *p = &job->points->items[i];
    str_add(out, "  - {layer: ");
    write_quoted(out, p->layer);
    str_addf(out, ", type: %s", graph_op_name(p->op));
    if (p->kept != QUANT_NOT_KEPT && !has_live_extra(job->points, i)) {
        str_addf(out, ", disabled: true} # %s\n", quant_kept_text(p->kept));
        return;
    }
    if (p->kept != QUANT_NOT_KEPT)
        str_add(out, ", disabled: false, input: {disabled: true}, weight: {disabled: true}");
    else if (!p->is_extra)
        write_main(out, job, p, input, weight);
    write_inputs(out, job, i, input);
    str_add(out, "}");
    write_remark(out, job, p);
    str_add(out, "\n");
}

static bool is_output(const quant_point *p)
{
    return p->input_index == QPLAN_OUTPUT && p->kept == QUANT_NOT_KEPT;
}

static void write_layers(str *out, const config_write_job *job, const descriptor *input,
                         const descriptor *weight)
{
    const quant_points *points = job->points;
    str_add(out, points->n > 0 ? "layers:\n" : "");
    for (int i = 0; i < points->n; i++) {
        const quant_point *p = &points->items[i];
        bool is_first = i == 0 || points->items[i - 1].node != p->node;
        if (is_first && p->input_index != QPLAN_OUTPUT)
            write_layer(out, job, i, input, weight);
    }
    for (int i = 0, n = 0; i < points->n; i++) {
        const quant_point *p = &points->items[i];
        if (!is_output(p))
            continue;
        descriptor d = effective_input(job, p);
        str_addf(out, "%s  - {match: '\\Q", n++ ? "" : "tensors: # outputs of the network\n");
        for (const char *c = graph_tensor_const(job->g, p->tensor)->name; *c; c++)
            str_addf(out, *c == '\'' ? "''" : "%c", *c);
        str_add(out, "\\E$', input: {");
        descriptor_write(out, &d, input, true);
        str_add(out, "}}\n");
    }
}

ptq_status config_write(const config_write_job *job, str *out, ptq_error *err)
{
    descriptor input, weight;
    str_addf(out,
             "# %s\n# Edit it and give it back with --quant-config. Unchanged it makes the same "
             "model from the same ranges.\n",
             job->title);
    write_defaults(out, job, &input, &weight);
    write_sharing(out, job);
    write_layers(out, job, &input, &weight);
    return str_ok(out) ? PTQ_OK : error_no_memory(err, out->len, "quant.yaml");
}
