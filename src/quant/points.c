/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/points.h"

#include <string.h>

#include "base/mem.h"
#include "quant/residual.h"
#include "quant/share.h"

void quant_options_init(quant_options *o)
{
    *o = (quant_options){.method = AMAX_MSE, .percentile = 99.99};
}

const char *quant_kept_text(quant_kept k)
{
    static const char *const texts[] = {"", "output of the network", "excluded", "type stays float",
                                        "disabled in the settings"};
    return texts[k];
}

/* ---------------------------------------------------------------- the default map */

/* Axis of the output channels in the weight of a node. */
static int weight_axis(const graph *g, const node *n)
{
    switch (n->op) {
    case GRAPH_OP_CONV_TRANSPOSE:
        return 1;
    case GRAPH_OP_GEMM:
        return n->attr.gemm.trans_b ? 0 : 1;
    case GRAPH_OP_MATMUL:
        return graph_tensor_const(g, n->inputs[1])->shape.rank - 1;
    default:
        return 0;
    }
}

static bool has_weight(graph_op op)
{
    return op == GRAPH_OP_CONV || op == GRAPH_OP_CONV_TRANSPOSE || op == GRAPH_OP_GEMM ||
           op == GRAPH_OP_MATMUL;
}

static bool is_in_default_map(const graph *g, const node *n)
{
    if (n->op == GRAPH_OP_AVERAGE_POOL || n->op == GRAPH_OP_GLOBAL_AVERAGE_POOL)
        return !graph_is_const(g, n->inputs[0]);
    if (!has_weight(n->op) || graph_is_const(g, n->inputs[0]) || !graph_is_const(g, n->inputs[1]))
        return false;
    const tensor *weight = graph_tensor_const(g, n->inputs[1]);
    return weight->type == DTYPE_F32 && weight->shape.rank >= 2;
}

/* ---------------------------------------------------------------- the head */

/* Nodes still to look at, each pushed once. */
typedef struct node_stack {
    const graph *g;
    bool *seen;
    node_id *items;
    size_t n;
} node_stack;

static void push_producer(node_stack *s, tensor_id id)
{
    node_id producer = id == TENSOR_NONE ? NODE_NONE : graph_producer(s->g, id);
    if (producer == NODE_NONE || s->seen[producer])
        return;
    s->seen[producer] = true;
    s->items[s->n++] = producer;
}

/* Marks the weighted nodes that reach a graph output with no other weighted node between. */
static void mark_head(node_stack *s, bool *head)
{
    for (int i = 0; i < graph_n_outputs(s->g); i++)
        push_producer(s, graph_output(s->g, i));
    while (s->n > 0) {
        node_id id = s->items[--s->n];
        const node *n = graph_node_const(s->g, id);
        head[id] = has_weight(n->op) && is_in_default_map(s->g, n);
        for (int i = 0; i < n->n_inputs && !head[id]; i++)
            push_producer(s, n->inputs[i]);
    }
}

/* ---------------------------------------------------------------- one point */

typedef struct point_builder {
    const graph *g;
    const quant_config *config;
    const quant_options *options;
    pattern_list exclude;
    bool *head; /* per node */
    quant_points points;
    int capacity;
} point_builder;

static ptq_status check_descriptors(const point_builder *b, quant_point *p, ptq_error *err)
{
    if (p->input_desc.axis >= 0)
        return error_set(err, PTQ_UNSUPPORTED,
                         "layer '%s': the input quantizer must be per tensor; set axis: null",
                         p->layer);
    if (p->input_desc.enabled && !p->input_desc.is_calibrated && !p->input_desc.has_amax)
        return error_set(err, PTQ_USAGE,
                         "layer '%s': without if_calib the input quantizer needs an amax",
                         p->layer);
    if (p->weight == TENSOR_NONE || p->weight_desc.axis < 0)
        return PTQ_OK;
    int channels = weight_axis(b->g, graph_node_const(b->g, p->node));
    if (p->weight_desc.axis != 0 && p->weight_desc.axis != channels)
        return error_set(err, PTQ_USAGE,
                         "layer '%s': axis %d does not hold the output channels of the weight; "
                         "use 0 (output channels) or null",
                         p->layer, p->weight_desc.axis);
    p->weight_desc.axis = channels;
    return PTQ_OK;
}

static quant_kept why_kept(const point_builder *b, const quant_point *p, const quant_rule *rule)
{
    if (!p->is_extra && b->config->is_float[p->op])
        return QUANT_KEPT_TYPE;
    if (rule && rule->disabled)
        return QUANT_KEPT_DISABLED;
    if (pattern_list_find(&b->exclude, p->layer))
        return QUANT_KEPT_EXCLUDED;
    if (p->is_head && !b->options->quantize_head)
        return QUANT_KEPT_HEAD;
    return QUANT_NOT_KEPT;
}

static ptq_status add_point(point_builder *b, quant_point p, ptq_error *err)
{
    const node *n = graph_node_const(b->g, p.node);
    p.layer = n->name;
    p.op = n->op;
    p.tensor = n->inputs[p.input_index];
    p.is_head = !p.is_extra && b->head[p.node];
    p.input_desc = descriptor_input(b->options->method, b->options->percentile);
    p.weight_desc = descriptor_weight(0);
    const quant_rule *rule = quant_config_rule(b->config, p.layer);
    const quant_patches *layers[] = {&b->config->defaults, &b->config->types[p.op],
                                     rule ? &rule->patches : NULL};
    for (int i = 0; i < 3 && layers[i]; i++) {
        descriptor_apply(&p.input_desc, &layers[i]->input);
        descriptor_apply(&p.weight_desc, &layers[i]->weight);
    }
    p.has_range_rule = rule && descriptor_patch_has_range(&rule->patches.input);
    p.kept = why_kept(b, &p, rule);
    PTQ_TRY(check_descriptors(b, &p, err));
    if (b->points.n == b->capacity) {
        int capacity = b->capacity ? 2 * b->capacity : 64;
        quant_point *items = mem_resize(b->points.items, (size_t)capacity, sizeof *items);
        if (!items)
            return error_no_memory(err, (size_t)capacity * sizeof *items, "quantizers");
        b->points.items = items;
        b->capacity = capacity;
    }
    b->points.items[b->points.n++] = p;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- all points */

static bool has_point(const quant_points *points, node_id id, int input_index)
{
    for (int i = points->n - 1; i >= 0; i--)
        if (points->items[i].node == id && points->items[i].input_index == input_index)
            return true;
    return false;
}

static ptq_status add_customs(point_builder *b, node_id id, ptq_error *err)
{
    const node *n = graph_node_const(b->g, id);
    for (int c = 0; c < b->config->n_customs; c++) {
        const quant_custom *custom = &b->config->customs[c];
        if (custom->op != n->op)
            continue;
        for (int i = 0; i < custom->n_inputs; i++) {
            int index = custom->inputs[i];
            if (index >= n->n_inputs)
                return error_set(err, PTQ_USAGE, "custom_quant_modules: '%s' (%s) has no input %d",
                                 n->name, graph_op_name(n->op), index);
            bool can = n->inputs[index] != TENSOR_NONE && !graph_is_const(b->g, n->inputs[index]);
            if (!can || has_point(&b->points, id, index))
                continue;
            quant_point p = {
                .node = id, .is_extra = true, .input_index = index, .weight = TENSOR_NONE};
            PTQ_TRY(add_point(b, p, err));
        }
    }
    return PTQ_OK;
}

static const quant_point *main_point(const quant_points *points, node_id id)
{
    for (int i = 0; i < points->n; i++)
        if (points->items[i].node == id && !points->items[i].is_extra)
            return &points->items[i];
    return NULL;
}

/* After the main points: an Add counts only when its branch is a quantized convolution. */
static ptq_status add_residual(point_builder *b, node_id id, ptq_error *err)
{
    residual r;
    if (!residual_find(b->g, id, &r))
        return PTQ_OK;
    const quant_point *branch = main_point(&b->points, r.branch);
    if (!branch || branch->kept != QUANT_NOT_KEPT || has_point(&b->points, id, r.identity_input))
        return PTQ_OK;
    quant_point p = {
        .node = id, .is_extra = true, .input_index = r.identity_input, .weight = TENSOR_NONE};
    return add_point(b, p, err);
}

static ptq_status add_node_points(point_builder *b, node_id id, ptq_error *err)
{
    const node *n = graph_node_const(b->g, id);
    if (n->is_dead)
        return PTQ_OK;
    if (n->op == GRAPH_OP_QUANTIZE_LINEAR || n->op == GRAPH_OP_DEQUANTIZE_LINEAR ||
        n->op == GRAPH_OP_QCONV)
        return error_set(err, PTQ_USAGE,
                         "node '%s' is a quantizer: the model is quantized already; start from the "
                         "float model",
                         n->name);
    if (is_in_default_map(b->g, n)) {
        quant_point p = {.node = id, .weight = has_weight(n->op) ? n->inputs[1] : TENSOR_NONE};
        PTQ_TRY(add_point(b, p, err));
    }
    PTQ_TRY(add_customs(b, id, err));
    if (n->op == GRAPH_OP_ADD && b->options->residual && !b->config->is_float[GRAPH_OP_ADD])
        return add_residual(b, id, err);
    return PTQ_OK;
}

static ptq_status build(point_builder *b, ptq_error *err)
{
    size_t n = (size_t)graph_n_nodes(b->g);
    b->head = mem_array(n, sizeof *b->head);
    node_stack stack = {b->g, mem_array(n, sizeof(bool)), mem_array(n, sizeof(node_id)), 0};
    ptq_status st = PTQ_OK;
    if (!b->head || !stack.seen || !stack.items) {
        st = error_no_memory(err, n * sizeof(node_id), "quantizers");
        goto done;
    }
    mark_head(&stack, b->head);
    for (node_id id = 0; id < n && st == PTQ_OK; id++)
        st = add_node_points(b, id, err);
    if (st == PTQ_OK)
        st = share_groups(b->g, b->config, b->options, &b->points, err);
done:
    mem_free(stack.seen);
    mem_free(stack.items);
    return st;
}

ptq_status quant_points_find(const graph *g, const quant_config *config,
                             const quant_options *options, quant_points *out, ptq_error *err)
{
    point_builder b = {.g = g, .config = config, .options = options};
    PTQ_TRY(pattern_list_compile(options->exclude, &b.exclude, err));
    ptq_status st = build(&b, err);
    if (st == PTQ_OK)
        *out = b.points;
    else
        quant_points_clear(&b.points);
    pattern_list_clear(&b.exclude);
    mem_free(b.head);
    return st;
}

void quant_points_clear(quant_points *p)
{
    mem_free(p->items);
    *p = (quant_points){0};
}

int quant_points_n_quantized(const quant_points *p)
{
    int n = 0;
    for (int i = 0; i < p->n; i++)
        n += !p->items[i].is_extra && p->items[i].group >= 0;
    return n;
}

/* ---------------------------------------------------------------- JSON */

static json_t *descriptor_json(const descriptor *d)
{
    return json_pack("{s:i,s:o,s:s,s:s,s:o,s:b,s:b}", "num_bits", d->num_bits, "axis",
                     d->axis < 0 ? json_null() : json_integer(d->axis), "calib_method",
                     d->use_histogram ? "histogram" : "max", "amax_method",
                     amax_method_name(descriptor_method(d)), "amax",
                     d->has_amax ? json_real((double)(d->amax * d->scale_amax)) : json_null(),
                     "unsigned", d->is_unsigned, "narrow_range", d->narrow_range);
}

static json_t *point_json(const graph *g, const quant_point *p)
{
    json_t *o = json_pack("{s:s,s:s,s:s,s:i,s:o}", "layer", p->layer, "op", graph_op_name(p->op),
                          "tensor", graph_tensor_const(g, p->tensor)->name, "group", p->group,
                          "input", p->group >= 0 ? descriptor_json(&p->input_desc) : json_null());
    bool has = p->weight != TENSOR_NONE && p->weight_desc.enabled;
    if (o)
        json_object_set_new(o, "weight", has ? descriptor_json(&p->weight_desc) : json_null());
    return o;
}

json_t *quant_points_write_json(const graph *g, const quant_points *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->n; i++)
        if (p->items[i].kept == QUANT_NOT_KEPT)
            json_array_append_new(list, point_json(g, &p->items[i]));
    return list;
}

json_t *quant_points_write_kept(const quant_points *p)
{
    json_t *list = json_array();
    for (int i = 0; i < p->n; i++)
        if (p->items[i].kept != QUANT_NOT_KEPT && !p->items[i].is_extra)
            json_array_append_new(list, json_pack("{s:s,s:s}", "layer", p->items[i].layer, "reason",
                                                  quant_kept_text(p->items[i].kept)));
    return list;
}
