/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/points.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "graph/slices.h"
#include "quant/default_map.h"
#include "quant/head_region.h"
#include "quant/residual.h"
#include "quant/share.h"

void quant_options_init(quant_options *o)
{
    *o = (quant_options){.method = AMAX_MSE, .percentile = 99.99};
}

bool quant_option(int in_file, bool option, bool overrules)
{
    return in_file < 0 || overrules ? option : in_file > 0;
}

const char *quant_kept_text(quant_kept k)
{
    static const char *const texts[] = {
        "",
        ("output layer: the answers come straight from it, no layer evens out its errors "
         "(--quantize-head)"),
        "behind the output convolutions: it works on decoded boxes or scores",
        "excluded",
        "its type stays float",
        "disabled in the settings",
        "ONNX Runtime has no transposed convolution on codes: its input would only be rounded",
        "moves the answers more than others"};
    return texts[k];
}

bool quant_point_has_input(const quant_point *p)
{
    return p->kept == QUANT_NOT_KEPT && descriptor_is_on(&p->input_desc);
}

bool quant_point_has_weight(const quant_point *p)
{
    return p->kept == QUANT_NOT_KEPT && p->weight != TENSOR_NONE &&
           descriptor_is_on(&p->weight_desc);
}

/* ---------------------------------------------------------------- one point */

typedef struct point_builder {
    const graph *g;
    const quant_config *config;
    const quant_options *options;
    pattern_list exclude;
    head_region region;
    graph *sized; /* `g` at some input size, to know ranks; NULL until it is needed */
    quant_points points;
    size_t capacity;
} point_builder;

/* What is asked of one place beside the settings for its type and layer. */
typedef struct point_request {
    node_id node;
    int input_index;
    tensor_id tensor;
    bool is_extra;
    const descriptor_patch *patch; /* or NULL */
} point_request;

static ptq_status in_layer(const quant_point *p, const char *role, ptq_status st, ptq_error *err)
{
    if (st != PTQ_OK)
        error_context(err, "layer '%s', %s quantizer", p->layer, role);
    return st;
}

/* The shape of a tensor. In a network of any size heights and widths are those of an example. */
static ptq_status shape_of(point_builder *b, tensor_id id, shape *out, ptq_error *err)
{
    enum { EXAMPLE_PX = 640 };
    const tensor *input = graph_tensor_const(b->g, graph_input(b->g, 0));
    *out = graph_tensor_const(b->g, id)->shape;
    if (shape_known(out) || input->shape.rank != 4)
        return PTQ_OK;
    if (!b->sized) {
        int64_t channels = input->shape.dim[1] > 0 ? input->shape.dim[1] : 3;
        shape s = shape4(1, channels, EXAMPLE_PX, EXAMPLE_PX);
        PTQ_TRY(graph_copy(b->g, &b->sized, err));
        PTQ_TRY(graph_set_input_shape(b->sized, &s, err));
    }
    *out = graph_tensor_const(b->sized, id)->shape;
    return PTQ_OK;
}

/* The axes of a descriptor in a tensor, and whether its list of ranges has their number. */
static ptq_status resolve_axes(point_builder *b, const descriptor *d, tensor_id id, uint32_t *axes,
                               ptq_error *err)
{
    shape s;
    *axes = 0;
    PTQ_TRY(descriptor_check(d, err));
    if (d->n_axis == 0)
        return PTQ_OK;
    PTQ_TRY(shape_of(b, id, &s, err));
    PTQ_TRY(descriptor_axes(d, s.rank, axes, err));
    bool is_sure = shape_known(&graph_tensor_const(b->g, id)->shape) || *axes == 1u << 1;
    size_t n = slices_count(&s, *axes);
    if (is_sure && d->n_amax > 1 && n != (size_t)d->n_amax)
        return error_set(err, PTQ_USAGE, "amax lists %d ranges for %zu slices", d->n_amax, n);
    return PTQ_OK;
}

static ptq_status check_input(point_builder *b, quant_point *p, ptq_error *err)
{
    const descriptor *d = &p->input_desc;
    PTQ_TRY(resolve_axes(b, d, p->tensor, &p->input_axes, err));
    if (p->input_axes & 1)
        return error_set(err, PTQ_USAGE, "axis 0 of an input is the images, which come and go");
    if (!d->if_calib && d->n_amax == 0 && !d->learn_amax)
        return error_set(err, PTQ_USAGE, "without if_calib an amax is needed");
    if (d->n_axis > 0 && d->n_amax == 0 && d->use_histogram)
        return error_set(err, PTQ_USAGE,
                         "a histogram finds one range for the whole tensor; with an axis set "
                         "calib_method: max, or give amax");
    return PTQ_OK;
}

/* Axis 0 of a weight means its output channels, wherever they are. */
static ptq_status check_weight(point_builder *b, quant_point *p, ptq_error *err)
{
    descriptor *d = &p->weight_desc;
    if (d->n_axis == 1 && d->axis[0] == 0)
        d->axis[0] = default_map_weight_axis(b->g, graph_node_const(b->g, p->node));
    return resolve_axes(b, d, p->weight, &p->weight_axes, err);
}

static ptq_status check_descriptors(point_builder *b, quant_point *p, ptq_error *err)
{
    if (quant_point_has_input(p))
        PTQ_TRY(in_layer(p, "input", check_input(b, p, err), err));
    if (quant_point_has_weight(p))
        PTQ_TRY(in_layer(p, "weight", check_weight(b, p, err), err));
    return PTQ_OK;
}

static quant_kept why_kept(const point_builder *b, const quant_point *p, const quant_rule *rule)
{
    bool is_asked = p->is_extra || (rule && rule->has_disabled && !rule->disabled);
    if (rule && rule->disabled)
        return QUANT_KEPT_DISABLED;
    if (pattern_list_find(&b->exclude, p->layer))
        return QUANT_KEPT_EXCLUDED;
    if (is_asked)
        return QUANT_NOT_KEPT;
    if (b->config->is_float.has[p->op])
        return QUANT_KEPT_TYPE;
    if (p->is_head && !b->options->quantize_head)
        return QUANT_KEPT_HEAD;
    if (b->options->on_codes && p->op == GRAPH_OP_CONV_TRANSPOSE)
        return QUANT_KEPT_TARGET;
    return p->is_decode ? QUANT_KEPT_DECODE : QUANT_NOT_KEPT;
}

static void apply_patches(const point_builder *b, quant_point *p, const quant_rule *rule,
                          const descriptor_patch *last)
{
    const quant_tensor_rule *t =
        quant_config_tensor(b->config, graph_tensor_const(b->g, p->tensor)->name);
    const quant_patches *layers[] = {&b->config->defaults, &b->config->types[p->op]};
    p->input_desc = descriptor_input(b->options->method, b->options->percentile);
    p->weight_desc = descriptor_weight(0);
    for (int i = 0; i < 2; i++) {
        descriptor_apply(&p->input_desc, &layers[i]->input);
        descriptor_apply(&p->weight_desc, &layers[i]->weight);
    }
    const descriptor_patch *inputs[] = {t ? &t->patch : NULL, rule ? &rule->patches.input : NULL,
                                        last};
    for (int i = 0; i < 3; i++) {
        if (!inputs[i])
            continue;
        descriptor_apply(&p->input_desc, inputs[i]);
        p->has_range_rule = p->has_range_rule || descriptor_patch_has_range(inputs[i]);
    }
    if (rule)
        descriptor_apply(&p->weight_desc, &rule->patches.weight);
}

static ptq_status add_point(point_builder *b, const point_request *r, ptq_error *err)
{
    const node *n = graph_node_const(b->g, r->node);
    node_id producer = graph_producer(b->g, r->tensor);
    bool has_weight = !r->is_extra && default_map_has_weight(n->op);
    quant_point p = {.node = r->node,
                     .layer = n->name,
                     .op = n->op,
                     .is_extra = r->is_extra,
                     .is_head = !r->is_extra && b->region.is_head[r->node],
                     .is_decode = producer != NODE_NONE && b->region.is_final[producer],
                     .input_index = r->input_index,
                     .tensor = r->tensor,
                     .weight = has_weight ? n->inputs[1] : TENSOR_NONE};
    const quant_rule *rule = quant_config_rule(b->config, p.layer, p.op);
    apply_patches(b, &p, rule, r->patch);
    p.kept = why_kept(b, &p, rule);
    PTQ_TRY(check_descriptors(b, &p, err));
    size_t n_points = (size_t)b->points.n + 1;
    quant_point *items = mem_grow(b->points.items, &b->capacity, n_points, sizeof *items);
    if (!items)
        return error_no_memory(err, n_points * sizeof *items, "quantizers");
    b->points.items = items;
    items[b->points.n++] = p;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- extra points */

static bool has_point(const quant_points *points, node_id id, int input_index)
{
    for (int i = points->n - 1; i >= 0; i--)
        if (points->items[i].node == id && points->items[i].input_index == input_index)
            return true;
    return false;
}

/* A quantizer on an input, unless it has one or is a constant. */
static ptq_status add_extra(point_builder *b, node_id id, int index, const descriptor_patch *patch,
                            ptq_error *err)
{
    tensor_id x = graph_node_const(b->g, id)->inputs[index];
    if (x == TENSOR_NONE || graph_is_const(b->g, x) || has_point(&b->points, id, index))
        return PTQ_OK;
    point_request r = {id, index, x, true, patch};
    return add_point(b, &r, err);
}

static ptq_status no_such_input(const node *n, int index, const char *section, ptq_error *err)
{
    return error_set(err, PTQ_USAGE, "%s: '%s' (%s) has no input %d", section, n->name,
                     graph_op_name(n->op), index);
}

static ptq_status add_customs(point_builder *b, node_id id, ptq_error *err)
{
    const node *n = graph_node_const(b->g, id);
    for (int c = 0; c < b->config->n_customs; c++) {
        const quant_custom *custom = &b->config->customs[c];
        for (int i = 0; custom->ops.has[n->op] && i < custom->n_inputs; i++) {
            if (custom->inputs[i] >= n->n_inputs)
                return no_such_input(n, custom->inputs[i], "custom_quant_modules", err);
            PTQ_TRY(add_extra(b, id, custom->inputs[i], NULL, err));
        }
    }
    return PTQ_OK;
}

/* What `inputs` of the layer's rule asks for, beside the main point. */
static ptq_status add_rule_inputs(point_builder *b, node_id id, const quant_rule *rule,
                                  ptq_error *err)
{
    const node *n = graph_node_const(b->g, id);
    for (int i = 0; i < rule->n_inputs; i++) {
        int index = rule->inputs[i].index;
        if (index >= n->n_inputs)
            return no_such_input(n, index, "layers, inputs", err);
        PTQ_TRY(add_extra(b, id, index, &rule->inputs[i].patch, err));
    }
    return PTQ_OK;
}

/* What `tensors` asks for. */
static ptq_status add_tensors(point_builder *b, node_id id, ptq_error *err)
{
    const node *n = graph_node_const(b->g, id);
    for (int i = 0; i < n->n_inputs; i++) {
        tensor_id t = n->inputs[i];
        if (t != TENSOR_NONE && !graph_is_const(b->g, t) &&
            quant_config_tensor(b->config, graph_tensor_const(b->g, t)->name))
            PTQ_TRY(add_extra(b, id, i, NULL, err));
    }
    for (int i = 0; i < n->n_outputs; i++) {
        tensor_id t = n->outputs[i];
        point_request r = {id, QPLAN_OUTPUT, t, true, NULL};
        if (graph_is_output(b->g, t) &&
            quant_config_tensor(b->config, graph_tensor_const(b->g, t)->name))
            PTQ_TRY(add_point(b, &r, err));
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
    if (!branch || branch->kept != QUANT_NOT_KEPT)
        return PTQ_OK;
    return add_extra(b, id, r.identity_input, NULL, err);
}

/* ---------------------------------------------------------------- all points */

static const descriptor_patch *patch_of_input(const quant_rule *rule, int index)
{
    for (int i = 0; rule && i < rule->n_inputs; i++)
        if (rule->inputs[i].index == index)
            return &rule->inputs[i].patch;
    return NULL;
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
    const quant_rule *rule = quant_config_rule(b->config, n->name, n->op);
    if (default_map_has(b->g, n)) {
        point_request r = {id, 0, n->inputs[0], false, patch_of_input(rule, 0)};
        PTQ_TRY(add_point(b, &r, err));
    }
    if (rule)
        PTQ_TRY(add_rule_inputs(b, id, rule, err));
    PTQ_TRY(add_customs(b, id, err));
    PTQ_TRY(add_tensors(b, id, err));
    const quant_options *o = b->options;
    bool is_on = quant_option(b->config->residual, o->residual, o->overrule_residual);
    if (n->op == GRAPH_OP_ADD && is_on && !b->config->is_float.has[GRAPH_OP_ADD])
        return add_residual(b, id, err);
    return PTQ_OK;
}

static ptq_status build(point_builder *b, ptq_error *err)
{
    PTQ_TRY(head_region_find(b->g, &b->region, err));
    for (int i = 0; i < graph_n_nodes(b->g); i++)
        PTQ_TRY(add_node_points(b, (node_id)i, err));
    return share_groups(b->g, b->config, b->options, &b->points, err);
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
    head_region_clear(&b.region);
    graph_destroy(b.sized);
    return st;
}

void quant_points_clear(quant_points *p)
{
    mem_free(p->items);
    arena_destroy(p->memory);
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

static json_t *axes_json(uint32_t axes)
{
    json_t *list = json_array();
    for (int i = 0; i < SHAPE_MAX_RANK; i++)
        if (axes >> i & 1)
            json_array_append_new(list, json_integer(i));
    if (json_array_size(list) > 1)
        return list;
    json_t *one = json_array_size(list) ? json_incref(json_array_get(list, 0)) : json_null();
    json_decref(list);
    return one;
}

static json_t *amax_json(const descriptor *d)
{
    if (d->n_amax == 0)
        return json_null();
    if (d->n_amax == 1)
        return json_real((double)(d->amax * d->scale_amax));
    json_t *list = json_array();
    for (int i = 0; i < d->n_amax; i++)
        json_array_append_new(list, json_real((double)(d->amax_list[i] * d->scale_amax)));
    return list;
}

/* The whole descriptor, as QuantDescriptor and TensorQuantizer name its fields. */
static json_t *descriptor_json(const descriptor *d, uint32_t axes)
{
    json_t *o = json_pack("{s:i,s:o,s:s,s:s,s:o,s:b,s:b,s:b}", "num_bits", d->num_bits, "axis",
                          axes_json(axes), "calib_method", d->use_histogram ? "histogram" : "max",
                          "amax_method", amax_method_name(descriptor_method(d)), "amax",
                          amax_json(d), "unsigned", d->is_unsigned, "narrow_range", d->narrow_range,
                          "disabled", d->disabled);
    if (!o)
        return NULL;
    if (d->name[0])
        json_object_set_new(o, "name", json_string(d->name));
    if (d->scale_amax != 1)
        json_object_set_new(o, "scale_amax", json_real((double)d->scale_amax));
    json_object_set_new(o, "learn_amax", json_boolean(d->learn_amax));
    json_object_set_new(o, "if_quant", json_boolean(d->if_quant));
    json_object_set_new(o, "if_clip", json_boolean(d->if_clip));
    json_object_set_new(o, "if_calib", json_boolean(d->if_calib));
    return o;
}

static json_t *point_json(const graph *g, const quant_point *p)
{
    json_t *o = json_pack("{s:s,s:s,s:s,s:i}", "layer", p->layer, "op", graph_op_name(p->op),
                          "tensor", graph_tensor_const(g, p->tensor)->name, "group", p->group);
    if (!o)
        return NULL;
    if (p->is_extra)
        json_object_set_new(o, "input_index", json_integer(p->input_index));
    json_object_set_new(o, "input", descriptor_json(&p->input_desc, p->input_axes));
    json_object_set_new(
        o, "weight",
        p->weight == TENSOR_NONE ? json_null() : descriptor_json(&p->weight_desc, p->weight_axes));
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
    for (int i = 0; i < p->n; i++) {
        const quant_point *q = &p->items[i];
        if (q->kept != QUANT_NOT_KEPT && !q->is_extra)
            json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s}", "name", q->layer, "layer",
                                                  q->layer, "op", graph_op_name(q->op), "reason",
                                                  quant_kept_text(q->kept)));
    }
    return list;
}
