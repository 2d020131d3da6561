/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/graph.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/strmap.h"
#include "graph/graph_impl.h"
#include "graph/op_table.h"

enum { MAX_ITEMS = 1 << 20 }; /* nodes or tensors: far above any detector, far below an overflow */

ptq_status graph_create(graph **out, ptq_error *err)
{
    graph *g = mem_zalloc(sizeof *g);
    if (!g)
        return error_no_memory(err, sizeof *g, "a graph");
    g->detector.family = DETECTOR_YOLOV7;
    g->arena = arena_create(0);
    g->tensor_names = strmap_create();
    g->node_names = strmap_create();
    if (!g->arena || !g->tensor_names || !g->node_names) {
        graph_destroy(g);
        return error_no_memory(err, sizeof *g, "a graph");
    }
    *out = g;
    return PTQ_OK;
}

void graph_destroy(graph *g)
{
    if (!g)
        return;
    for (int i = 0; i < g->n_tensors; i++)
        blob_unref(&g->tensors[i].data);
    mem_free(g->tensors);
    mem_free(g->nodes);
    mem_free(g->producers);
    mem_free(g->inputs);
    mem_free(g->outputs);
    strmap_destroy(g->tensor_names);
    strmap_destroy(g->node_names);
    arena_destroy(g->arena);
    mem_free(g);
}

/* Makes room for one more element in an array of `size`-byte elements. */
static ptq_status grow(void **array, int n, int *cap, size_t size, ptq_error *err)
{
    if (n < *cap)
        return PTQ_OK;
    if (n >= MAX_ITEMS)
        return error_set(err, PTQ_LIMIT, "the graph has more than %d nodes or tensors", MAX_ITEMS);
    int wanted = *cap ? *cap * 2 : 64;
    void *grown = mem_resize(*array, (size_t)wanted, size);
    if (!grown)
        return error_no_memory(err, (size_t)wanted * size, "a graph");
    *array = grown;
    *cap = wanted;
    return PTQ_OK;
}

const char *graph_intern(graph *g, const char *text)
{
    return arena_strdup(g->arena, text);
}

static bool name_taken(const graph *g, const char *name)
{
    int64_t id;
    return strmap_get(g->tensor_names, name, &id) || strmap_get(g->node_names, name, &id);
}

const char *graph_unique_name(graph *g, const char *base)
{
    if (!name_taken(g, base))
        return graph_intern(g, base);
    for (int i = 1; i < MAX_ITEMS; i++) {
        const char *name = arena_printf(g->arena, "%s_%d", base, i);
        if (!name || !name_taken(g, name))
            return name;
    }
    return NULL;
}

static ptq_status add_tensor(graph *g, const tensor *desc, tensor_id *out, ptq_error *err)
{
    int64_t other;
    if (strmap_get(g->tensor_names, desc->name, &other))
        return error_set(err, PTQ_FORMAT, "two tensors are named '%s'", desc->name);
    int old_cap = g->cap_tensors;
    PTQ_TRY(grow((void **)&g->tensors, g->n_tensors, &g->cap_tensors, sizeof *g->tensors, err));
    if (g->cap_tensors != old_cap) {
        node_id *producers = mem_resize(g->producers, (size_t)g->cap_tensors, sizeof *g->producers);
        if (!producers)
            return error_no_memory(err, (size_t)g->cap_tensors * sizeof *producers, "a graph");
        g->producers = producers;
    }
    tensor t = *desc;
    t.name = graph_intern(g, desc->name);
    if (!t.name || !strmap_put(g->tensor_names, t.name, g->n_tensors))
        return error_no_memory(err, strlen(desc->name), "a tensor name");
    t.data = blob_ref(desc->data);
    g->producers[g->n_tensors] = NODE_NONE;
    g->tensors[g->n_tensors] = t;
    *out = (tensor_id)g->n_tensors++;
    return PTQ_OK;
}

ptq_status graph_add_tensor(graph *g, const char *name, dtype type, const shape *s, tensor_id *out,
                            ptq_error *err)
{
    tensor t = {.name = name, .type = type, .shape = *s, .is_dynamic = !shape_known(s)};
    return add_tensor(g, &t, out, err);
}

ptq_status graph_add_const(graph *g, const char *name, dtype type, const shape *s, blob *data,
                           tensor_id *out, ptq_error *err)
{
    size_t count, bytes;
    char text[128];
    if (!shape_count(s, &count) || !mem_mul(count, dtype_bytes(type), &bytes) ||
        bytes > blob_size(data))
        return error_set(err, PTQ_SHAPE, "constant '%s' of shape %s does not fit its %zu bytes",
                         name, shape_text(s, text), blob_size(data));
    tensor t = {.name = name, .type = type, .shape = *s, .data = data};
    return add_tensor(g, &t, out, err);
}

ptq_status graph_add_const_copy(graph *g, const char *name, dtype type, const shape *s,
                                const void *values, tensor_id *out, ptq_error *err)
{
    size_t count, bytes;
    if (!shape_count(s, &count) || !mem_mul(count, dtype_bytes(type), &bytes))
        return error_set(err, PTQ_SHAPE, "constant '%s' has an impossible shape", name);
    blob *data = blob_copy_of(values, bytes);
    if (!data)
        return error_no_memory(err, bytes, name);
    ptq_status status = graph_add_const(g, name, type, s, data, out, err);
    blob_unref(&data);
    return status;
}

static ptq_status check_new_node(const graph *g, const node *n, ptq_error *err)
{
    const op_rule *rule = op_rule_of(n->op);
    if (n->n_inputs < rule->min_inputs || (rule->max_inputs >= 0 && n->n_inputs > rule->max_inputs))
        return error_set(err, PTQ_FORMAT, "node '%s' (%s) has %d inputs", n->name, rule->name,
                         n->n_inputs);
    if (n->n_outputs < 1)
        return error_set(err, PTQ_FORMAT, "node '%s' (%s) has no output", n->name, rule->name);
    for (int i = 0; i < n->n_inputs; i++) {
        if (n->inputs[i] == TENSOR_NONE && i >= rule->min_inputs)
            continue;
        if (n->inputs[i] >= (tensor_id)g->n_tensors)
            return error_set(err, PTQ_FORMAT, "node '%s' (%s) misses its input %d", n->name,
                             rule->name, i);
    }
    for (int i = 0; i < n->n_outputs; i++) {
        tensor_id id = n->outputs[i];
        if (id >= (tensor_id)g->n_tensors)
            return error_set(err, PTQ_FORMAT, "node '%s' (%s) misses its output %d", n->name,
                             rule->name, i);
        if (g->producers[id] != NODE_NONE || g->tensors[id].data)
            return error_set(err, PTQ_FORMAT, "tensor '%s' has two producers; the second is '%s'",
                             g->tensors[id].name, n->name);
    }
    return PTQ_OK;
}

ptq_status graph_add_node(graph *g, const node *desc, node_id *out, ptq_error *err)
{
    PTQ_TRY(check_new_node(g, desc, err));
    PTQ_TRY(grow((void **)&g->nodes, g->n_nodes, &g->cap_nodes, sizeof *g->nodes, err));
    node n = *desc;
    n.is_dead = false;
    n.name = graph_intern(g, desc->name);
    size_t n_in = (size_t)desc->n_inputs, n_out = (size_t)desc->n_outputs;
    n.inputs = arena_alloc(g->arena, n_in, sizeof *n.inputs);
    n.outputs = arena_alloc(g->arena, n_out, sizeof *n.outputs);
    if (!n.name || !n.inputs || !n.outputs || !strmap_put(g->node_names, n.name, g->n_nodes))
        return error_no_memory(err, n_in + n_out, "a node");
    if (n_in)
        memcpy(n.inputs, desc->inputs, n_in * sizeof *n.inputs);
    memcpy(n.outputs, desc->outputs, n_out * sizeof *n.outputs);
    for (int i = 0; i < n.n_outputs; i++)
        g->producers[n.outputs[i]] = (node_id)g->n_nodes;
    g->nodes[g->n_nodes] = n;
    if (out)
        *out = (node_id)g->n_nodes;
    g->n_nodes++;
    return PTQ_OK;
}

ptq_status graph_add_op(graph *g, graph_op op, const char *name, int n_inputs,
                        const tensor_id *inputs, const op_attr *attr, const char *output_name,
                        tensor_id *output, ptq_error *err)
{
    const char *unique = graph_unique_name(g, output_name ? output_name : name);
    if (!unique)
        return error_no_memory(err, strlen(name), "a name");
    shape unknown = {.rank = 1, .dim = {-1}};
    tensor_id made;
    PTQ_TRY(graph_add_tensor(g, unique, DTYPE_F32, &unknown, &made, err));
    node desc = {.name = name, .op = op, .n_inputs = n_inputs, .n_outputs = 1};
    desc.inputs = (tensor_id *)(uintptr_t)inputs; /* graph_add_node() only reads and copies them */
    desc.outputs = &made;
    if (attr)
        desc.attr = *attr;
    node_id id;
    PTQ_TRY(graph_add_node(g, &desc, &id, err));
    if (node_inputs_known(g, id))
        PTQ_TRY(node_infer(g, id, err));
    if (output)
        *output = made;
    return PTQ_OK;
}

void graph_remove_node(graph *g, node_id id)
{
    node *n = &g->nodes[id];
    n->is_dead = true;
    for (int i = 0; i < n->n_outputs; i++)
        if (g->producers[n->outputs[i]] == id)
            g->producers[n->outputs[i]] = NODE_NONE;
}

static ptq_status add_port(tensor_id **list, int *n, int *cap, tensor_id id, ptq_error *err)
{
    PTQ_TRY(grow((void **)list, *n, cap, sizeof **list, err));
    (*list)[(*n)++] = id;
    return PTQ_OK;
}

ptq_status graph_add_input(graph *g, tensor_id id, ptq_error *err)
{
    return add_port(&g->inputs, &g->n_inputs, &g->cap_inputs, id, err);
}

ptq_status graph_add_output(graph *g, tensor_id id, ptq_error *err)
{
    return add_port(&g->outputs, &g->n_outputs, &g->cap_outputs, id, err);
}

void graph_clear_outputs(graph *g)
{
    g->n_outputs = 0;
}

void graph_replace_uses(graph *g, tensor_id from, tensor_id to)
{
    for (int i = 0; i < g->n_nodes; i++)
        for (int j = 0; !g->nodes[i].is_dead && j < g->nodes[i].n_inputs; j++)
            if (g->nodes[i].inputs[j] == from)
                g->nodes[i].inputs[j] = to;
    for (int i = 0; i < g->n_outputs; i++)
        if (g->outputs[i] == from)
            g->outputs[i] = to;
}

static ptq_status copy_into(const graph *g, graph *c, ptq_error *err)
{
    tensor_id t;
    c->detector = g->detector;
    for (int i = 0; i < g->n_tensors; i++)
        PTQ_TRY(add_tensor(c, &g->tensors[i], &t, err));
    for (int i = 0; i < g->n_nodes; i++) {
        if (!g->nodes[i].is_dead)
            PTQ_TRY(graph_add_node(c, &g->nodes[i], NULL, err));
    }
    for (int i = 0; i < g->n_inputs; i++)
        PTQ_TRY(graph_add_input(c, g->inputs[i], err));
    for (int i = 0; i < g->n_outputs; i++)
        PTQ_TRY(graph_add_output(c, g->outputs[i], err));
    return PTQ_OK;
}

ptq_status graph_copy(const graph *g, graph **out, ptq_error *err)
{
    graph *c;
    PTQ_TRY(graph_create(&c, err));
    ptq_status status = copy_into(g, c, err);
    if (status != PTQ_OK) {
        graph_destroy(c);
        return status;
    }
    *out = c;
    return PTQ_OK;
}

const detector_form *graph_detector(const graph *g)
{
    return &g->detector;
}

void graph_set_detector(graph *g, const detector_form *form)
{
    g->detector = *form;
}
