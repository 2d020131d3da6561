/* SPDX-License-Identifier: Apache-2.0 */
/* From messages to nodes and values: names become indices, readers are counted, nodes ordered. */
#include "lint/net.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/strmap.h"

typedef struct net_builder {
    net *n;
    const Onnx__GraphProto *src;
    arena *arena;
    strmap *names;     /* of values */
    strmap *layers;    /* names that layers have taken */
    strmap *functions; /* that the file defines: "domain:name" */
    const ptq_env *env;
} net_builder;

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static bool is_constant_node(const Onnx__NodeProto *n)
{
    return onnx_is_default_domain(n->domain) && strcmp(text_or_empty(n->op_type), "Constant") == 0;
}

bool net_type_is_float(int type)
{
    return type == TYPE_FLOAT || type == TYPE_FLOAT16 || type == TYPE_BFLOAT16 ||
           type == TYPE_DOUBLE;
}

/* ---- kinds ---- */

static const struct {
    const char *op;
    unsigned kind;
} KINDS[] = {
    {"QuantizeLinear", NET_Q},
    {"DequantizeLinear", NET_DQ},
    {"Conv", NET_WEIGHTED | NET_CONV},
    {"ConvTranspose", NET_WEIGHTED | NET_CONV},
    {"Gemm", NET_WEIGHTED},
    {"MatMul", NET_WEIGHTED},
    {"Concat", NET_MOVES},
    {"MaxPool", NET_MOVES | NET_DATA_ONLY},
    {"Transpose", NET_MOVES | NET_DATA_ONLY},
    {"Reshape", NET_MOVES | NET_DATA_ONLY},
    {"Flatten", NET_MOVES | NET_DATA_ONLY},
    {"Squeeze", NET_MOVES | NET_DATA_ONLY},
    {"Unsqueeze", NET_MOVES | NET_DATA_ONLY},
    {"Slice", NET_MOVES | NET_DATA_ONLY},
    {"Split", NET_MOVES | NET_DATA_ONLY},
    {"Gather", NET_MOVES | NET_DATA_ONLY},
    {"Expand", NET_MOVES | NET_DATA_ONLY},
    {"Identity", NET_MOVES | NET_DATA_ONLY},
    {"Dropout", NET_MOVES | NET_DATA_ONLY},
    {"DepthToSpace", NET_MOVES | NET_DATA_ONLY},
    {"SpaceToDepth", NET_MOVES | NET_DATA_ONLY},
    {"Resize", NET_MOVES | NET_DATA_ONLY}, /* nearest only: kind_of() */
    {"Upsample", NET_MOVES | NET_DATA_ONLY},
    {"Relu", NET_ACTIVATION},
    {"LeakyRelu", NET_ACTIVATION},
    {"PRelu", NET_ACTIVATION},
    {"Clip", NET_ACTIVATION},
    {"Elu", NET_ACTIVATION},
    {"Gelu", NET_ACTIVATION},
    {"HardSwish", NET_ACTIVATION},
    {"Mish", NET_ACTIVATION},
    {"Softplus", NET_ACTIVATION},
    {"Tanh", NET_ACTIVATION},
    {"Sigmoid", NET_ACTIVATION | NET_UNIT},
    {"HardSigmoid", NET_ACTIVATION | NET_UNIT},
    {"Softmax", NET_UNIT},
    {"If", NET_SUBGRAPH},
    {"Loop", NET_SUBGRAPH},
    {"Scan", NET_SUBGRAPH},
};

/* ONNX Runtime's own Q and DQ: the standard ones, with 16-bit types before opset 21. */
static bool is_standard(const Onnx__NodeProto *src, const char *op)
{
    return onnx_is_default_domain(src->domain) ||
           (strcmp(src->domain, "com.microsoft") == 0 &&
            (strcmp(op, "QuantizeLinear") == 0 || strcmp(op, "DequantizeLinear") == 0));
}

/* "domain:name" of an operator, or NULL when out of memory. */
static const char *full_name(const net_builder *b, const char *domain, const char *name)
{
    return arena_printf(b->arena, "%s:%s", text_or_empty(domain), text_or_empty(name));
}

static ptq_status take_functions(net_builder *b, ptq_error *err)
{
    const Onnx__ModelProto *m = b->n->file.model;
    for (size_t i = 0; i < m->n_functions; i++) {
        const char *name = full_name(b, m->functions[i]->domain, m->functions[i]->name);
        if (!name || !strmap_put(b->functions, name, 1))
            return error_no_memory(err, 0, "a name");
    }
    return PTQ_OK;
}

static bool is_function(const net_builder *b, const net_node *node)
{
    int64_t ignored;
    if (b->n->file.model->n_functions == 0)
        return false;
    const char *name = full_name(b, node->src->domain, node->op);
    return name && strmap_get(b->functions, name, &ignored);
}

static unsigned kind_of(const net_builder *b, const net_node *node)
{
    if (is_function(b, node))
        return NET_FUNCTION;
    if (!is_standard(node->src, node->op))
        return NET_FOREIGN;
    bool is_resize = strcmp(node->op, "Resize") == 0 || strcmp(node->op, "Upsample") == 0;
    if (is_resize && onnx_attr(node->src, "mode") && !net_attr_is(node, "mode", "nearest"))
        return 0;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        if (strcmp(KINDS[i].op, node->op) == 0)
            return KINDS[i].kind;
    return 0;
}

/* ---- values ---- */

/* Room for every name the file can make or read. */
static bool count_values(const Onnx__GraphProto *g, size_t *count)
{
    size_t n = g->n_initializer + g->n_input + g->n_output;
    for (size_t i = 0; i < g->n_node; i++)
        n += g->node[i]->n_input + g->node[i]->n_output;
    *count = n;
    return n < NET_NONE;
}

static ptq_status value_named(net_builder *b, const char *name, uint32_t *out, ptq_error *err)
{
    int64_t index;
    *out = NET_NONE;
    if (!name || !*name)
        return PTQ_OK;
    if (!strmap_get(b->names, name, &index)) {
        index = b->n->n_values;
        if (!strmap_put(b->names, name, index))
            return error_no_memory(err, strlen(name), "a name");
        b->n->values[b->n->n_values++] = (net_value){.name = name, .producer = NET_NONE};
    }
    *out = (uint32_t)index;
    return PTQ_OK;
}

static void declare(net_value *v, const Onnx__ValueInfoProto *info)
{
    if (!info->type || info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return;
    const Onnx__TypeProto__Tensor *t = info->type->tensor_type;
    if (v->type == TYPE_UNKNOWN)
        v->type = t->elem_type;
    if (v->has_shape || !t->shape || t->shape->n_dim > SHAPE_MAX_RANK)
        return;
    v->has_shape = true;
    v->shape.rank = (int)t->shape->n_dim;
    for (int i = 0; i < v->shape.rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i];
        bool given = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        v->shape.dim[i] = given && d->dim_value >= 0 ? d->dim_value : -1;
    }
}

static ptq_status take_constant(net_builder *b, const char *name, const Onnx__TensorProto *t,
                                const Onnx__AttributeProto *numbers, ptq_error *err)
{
    uint32_t id;
    PTQ_TRY(value_named(b, name, &id, err));
    if (id == NET_NONE)
        return error_set(err, PTQ_FORMAT, "a constant has no name");
    net_value *v = &b->n->values[id];
    if (v->is_constant)
        return error_set(err, PTQ_FORMAT, "two values are named '%s'", name);
    v->is_constant = true;
    v->tensor = t;
    v->numbers = t ? NULL : numbers;
    return PTQ_OK;
}

static ptq_status take_constants(net_builder *b, ptq_error *err)
{
    const Onnx__GraphProto *g = b->src;
    for (size_t i = 0; i < g->n_initializer; i++)
        PTQ_TRY(take_constant(b, g->initializer[i]->name, g->initializer[i], NULL, err));
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__NodeProto *src = g->node[i];
        if (!is_constant_node(src))
            continue;
        if (src->n_output != 1 || src->n_attribute < 1)
            return error_set(err, PTQ_FORMAT, "a Constant node ('%s') has no value",
                             text_or_empty(src->name));
        PTQ_TRY(take_constant(b, src->output[0], src->attribute[0]->t, src->attribute[0], err));
    }
    return PTQ_OK;
}

static ptq_status take_ends(net_builder *b, ptq_error *err)
{
    const Onnx__GraphProto *g = b->src;
    net *n = b->n;
    n->graph_outputs = arena_alloc(b->arena, g->n_output, sizeof *n->graph_outputs);
    if (!n->graph_outputs)
        return error_no_memory(err, g->n_output, "graph outputs");
    for (size_t i = 0; i < g->n_input; i++) {
        uint32_t id;
        PTQ_TRY(value_named(b, g->input[i]->name, &id, err));
        if (id == NET_NONE)
            return error_set(err, PTQ_FORMAT, "input %zu has no name", i);
        /* Before IR version 4, initializers are listed as inputs too. */
        n->values[id].is_input = !n->values[id].is_constant;
        declare(&n->values[id], g->input[i]);
    }
    for (size_t i = 0; i < g->n_output; i++) {
        uint32_t id;
        PTQ_TRY(value_named(b, g->output[i]->name, &id, err));
        if (id == NET_NONE)
            return error_set(err, PTQ_FORMAT, "output %zu has no name", i);
        n->values[id].is_output = true;
        n->graph_outputs[n->n_graph_outputs++] = id;
        declare(&n->values[id], g->output[i]);
    }
    return PTQ_OK;
}

/* Declared types and shapes of values inside; those that no node touches are left out. */
static void take_declarations(net_builder *b)
{
    for (size_t i = 0; i < b->src->n_value_info; i++) {
        const Onnx__ValueInfoProto *info = b->src->value_info[i];
        int64_t index;
        if (info->name && strmap_get(b->names, info->name, &index))
            declare(&b->n->values[index], info);
    }
}

/* ---- nodes ---- */

static ptq_status take_node(net_builder *b, size_t at, ptq_error *err)
{
    net *n = b->n;
    const Onnx__NodeProto *src = b->src->node[at];
    net_node *node = &n->nodes[n->n_nodes];
    uint32_t index = n->n_nodes++;
    *node = (net_node){.src = src, .op = text_or_empty(src->op_type), .file_index = (uint32_t)at};
    node->inputs = arena_alloc(b->arena, src->n_input, sizeof *node->inputs);
    node->outputs = arena_alloc(b->arena, src->n_output, sizeof *node->outputs);
    if (!node->inputs || !node->outputs)
        return error_no_memory(err, src->n_input + src->n_output, "a node");
    for (size_t i = 0; i < src->n_input; i++)
        PTQ_TRY(value_named(b, src->input[i], &node->inputs[node->n_inputs++], err));
    for (size_t i = 0; i < src->n_output; i++) {
        uint32_t id;
        PTQ_TRY(value_named(b, src->output[i], &id, err));
        node->outputs[node->n_outputs++] = id;
        if (id == NET_NONE)
            continue;
        net_value *v = &n->values[id];
        if (v->producer != NET_NONE || v->is_constant || v->is_input)
            return error_set(err, PTQ_FORMAT, "two values are named '%s'", v->name);
        v->producer = index;
    }
    node->kind = kind_of(b, node);
    return PTQ_OK;
}

static ptq_status take_nodes(net_builder *b, ptq_error *err)
{
    net *n = b->n;
    n->nodes = arena_alloc(b->arena, b->src->n_node, sizeof *n->nodes);
    if (!n->nodes)
        return error_no_memory(err, b->src->n_node, "nodes");
    for (size_t i = 0; i < b->src->n_node; i++) {
        const Onnx__NodeProto *src = b->src->node[i];
        if (is_constant_node(src))
            continue;
        ptq_status status = take_node(b, i, err);
        if (status != PTQ_OK) {
            error_context(err, "node '%s' (%s)", text_or_empty(src->name),
                          text_or_empty(src->op_type));
            return status;
        }
    }
    return PTQ_OK;
}

static ptq_status take_readers(net_builder *b, ptq_error *err)
{
    net *n = b->n;
    for (uint32_t i = 0; i < n->n_nodes; i++)
        for (uint32_t k = 0; k < n->nodes[i].n_inputs; k++)
            if (n->nodes[i].inputs[k] != NET_NONE)
                n->values[n->nodes[i].inputs[k]].n_readers++;
    for (uint32_t v = 0; v < n->n_values; v++) {
        n->values[v].readers =
            arena_alloc(b->arena, n->values[v].n_readers, sizeof *n->values[v].readers);
        if (!n->values[v].readers)
            return error_no_memory(err, n->values[v].n_readers, "readers");
        n->values[v].n_readers = 0;
    }
    for (uint32_t i = 0; i < n->n_nodes; i++)
        for (uint32_t k = 0; k < n->nodes[i].n_inputs; k++)
            if (n->nodes[i].inputs[k] != NET_NONE) {
                net_value *v = &n->values[n->nodes[i].inputs[k]];
                v->readers[v->n_readers++] = i;
            }
    return PTQ_OK;
}

/* ---- order ---- */

/* A node is ready when nothing it reads is still to be made. */
static void release(const net *n, uint32_t node, uint32_t *missing, uint32_t *n_ordered)
{
    for (uint32_t k = 0; k < n->nodes[node].n_outputs; k++) {
        uint32_t v = n->nodes[node].outputs[k];
        for (uint32_t r = 0; v != NET_NONE && r < n->values[v].n_readers; r++)
            if (--missing[n->values[v].readers[r]] == 0)
                n->order[(*n_ordered)++] = n->values[v].readers[r];
    }
}

static ptq_status order_nodes(net_builder *b, ptq_error *err)
{
    net *n = b->n;
    uint32_t *missing = arena_alloc(b->arena, n->n_nodes, sizeof *missing), n_ordered = 0;
    n->order = arena_alloc(b->arena, n->n_nodes, sizeof *n->order);
    if (!missing || !n->order)
        return error_no_memory(err, n->n_nodes, "ordering nodes");
    for (uint32_t i = 0; i < n->n_nodes; i++) {
        for (uint32_t k = 0; k < n->nodes[i].n_inputs; k++)
            missing[i] += net_producer(n, n->nodes[i].inputs[k]) != NULL;
        if (missing[i] == 0)
            n->order[n_ordered++] = i;
    }
    for (uint32_t at = 0; at < n_ordered; at++)
        release(n, n->order[at], missing, &n_ordered);
    for (uint32_t i = 0; n_ordered < n->n_nodes && i < n->n_nodes; i++)
        if (missing[i] > 0)
            return error_set(err, PTQ_FORMAT, "the graph has a cycle through node '%s' (%s)",
                             text_or_empty(n->nodes[i].src->name), n->nodes[i].op);
    return PTQ_OK;
}

/* ---- names, as model/onnx_import_names.c gives them ---- */

/* The weight's name without its last part; NULL when there is no weight or no dot in its name. */
static const char *layer_name(const net_builder *b, const net_node *node)
{
    uint32_t weight = net_is_kind(node, NET_WEIGHTED) && node->n_inputs >= 2
                          ? net_constant_behind(b->n, node->inputs[1])
                          : NET_NONE;
    if (weight == NET_NONE)
        return NULL;
    const char *name = b->n->values[weight].name, *dot = strrchr(name, '.');
    return dot && dot > name ? arena_strndup(b->arena, name, (size_t)(dot - name)) : NULL;
}

static const char *plain_name(const net_builder *b, const net_node *node)
{
    if (node->src->name && *node->src->name)
        return node->src->name;
    return arena_printf(b->arena, "%s_%u", node->op, node->file_index);
}

static ptq_status name_nodes(net_builder *b, ptq_error *err)
{
    for (uint32_t i = 0; i < b->n->n_nodes; i++) {
        net_node *node = &b->n->nodes[i];
        const char *name = layer_name(b, node);
        int64_t ignored;
        if (name && strmap_get(b->layers, name, &ignored))
            name = NULL;
        else if (name && !strmap_put(b->layers, name, 1))
            return error_no_memory(err, 0, "a name");
        node->name = name ? name : plain_name(b, node);
        if (!node->name)
            return error_no_memory(err, 0, "a name");
    }
    return PTQ_OK;
}

/* ---- the whole ---- */

static ptq_status build(net_builder *b, ptq_error *err)
{
    size_t count;
    if (!count_values(b->src, &count))
        return error_set(err, PTQ_LIMIT, "it has too many values");
    b->n->values = arena_alloc(b->arena, count, sizeof *b->n->values);
    if (!b->n->values || !b->names || !b->layers || !b->functions || !b->n->dir)
        return error_no_memory(err, count, "an ONNX file");
    if (b->src->n_sparse_initializer)
        return error_set(err, PTQ_UNSUPPORTED, "sparse initializers are not supported");
    PTQ_TRY(take_functions(b, err));
    PTQ_TRY(take_constants(b, err));
    PTQ_TRY(take_ends(b, err));
    PTQ_TRY(take_nodes(b, err));
    PTQ_TRY(env_check_cancel(b->env, err));
    take_declarations(b);
    PTQ_TRY(take_readers(b, err));
    PTQ_TRY(order_nodes(b, err));
    PTQ_TRY(name_nodes(b, err));
    net_find_types(b->n);
    return PTQ_OK;
}

ptq_status net_read(const char *path, const net_limits *limits, const ptq_env *env, net *out,
                    ptq_error *err)
{
    size_t depth = limits->max_depth ? limits->max_depth : 1000;
    net n = {.max_bytes = limits->max_bytes ? limits->max_bytes : (size_t)4 << 30};
    onnx_limits file_limits = {
        .max_bytes = n.max_bytes, .max_depth = depth < 100 ? (int)depth : 100, .any_opset = true};
    ptq_status status = onnx_file_open(path, &file_limits, &n.file, err);
    if (status == PTQ_OK) {
        n.dir = path_dir(path);
        net_builder b = {.n = &n,
                         .src = n.file.model->graph,
                         .arena = n.file.arena,
                         .names = strmap_create(),
                         .layers = strmap_create(),
                         .functions = strmap_create(),
                         .env = env};
        status = build(&b, err);
        strmap_destroy(b.names);
        strmap_destroy(b.layers);
        strmap_destroy(b.functions);
    }
    if (status != PTQ_OK) {
        error_context(err, "cannot read '%s' as ONNX", path);
        net_close(&n);
        return status;
    }
    *out = n;
    return PTQ_OK;
}

void net_close(net *n)
{
    mem_free(n->dir);
    if (n->file.arena)
        onnx_file_close(&n->file);
    *n = (net){0};
}

/* ---- questions ---- */

uint32_t net_input(const net_node *node, uint32_t i)
{
    return node && i < node->n_inputs ? node->inputs[i] : NET_NONE;
}

const net_node *net_producer(const net *n, uint32_t value)
{
    uint32_t producer = value == NET_NONE ? NET_NONE : n->values[value].producer;
    return producer == NET_NONE ? NULL : &n->nodes[producer];
}

bool net_is(const net_node *node, const char *op)
{
    return node && !(node->kind & (NET_FOREIGN | NET_FUNCTION)) && strcmp(node->op, op) == 0;
}

bool net_is_kind(const net_node *node, unsigned kind)
{
    return node && (node->kind & kind) != 0;
}

uint32_t net_index(const net *n, const net_node *node)
{
    return (uint32_t)(node - n->nodes);
}

static bool passes_weights(const net_node *node)
{
    return net_is_kind(node, NET_Q | NET_DQ) || net_is(node, "Identity") || net_is(node, "Cast") ||
           net_is(node, "Transpose") || net_is(node, "Reshape") || net_is(node, "Squeeze") ||
           net_is(node, "Unsqueeze");
}

uint32_t net_constant_behind(const net *n, uint32_t value)
{
    for (int steps = 0; steps < 8 && value != NET_NONE; steps++) {
        const net_node *producer = net_producer(n, value);
        if (!producer)
            return n->values[value].is_constant ? value : NET_NONE;
        if (!passes_weights(producer))
            return NET_NONE;
        value = net_input(producer, 0);
    }
    return NET_NONE;
}

int64_t net_dim(const net *n, uint32_t value, int64_t axis)
{
    if (value == NET_NONE || !n->values[value].has_shape)
        return -1;
    const shape *s = &n->values[value].shape;
    int64_t at = axis < 0 ? axis + s->rank : axis;
    return at >= 0 && at < s->rank ? s->dim[at] : -1;
}

int64_t net_attr_int(const net_node *node, const char *name, int64_t fallback)
{
    int64_t value;
    return onnx_attr_int(node->src, name, fallback, &value, NULL) == PTQ_OK ? value : fallback;
}

bool net_attr_is(const net_node *node, const char *name, const char *text)
{
    const Onnx__AttributeProto *a = onnx_attr(node->src, name);
    return a && a->has_s && a->s.len == strlen(text) && memcmp(a->s.data, text, a->s.len) == 0;
}
