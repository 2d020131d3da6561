/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two networks, and everything that depends on it. Nodes are told by the name
 * of their first output; quantizers belong to the inputs they feed. */
#include <string.h>

#include "base/mem.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

typedef struct cut {
    const graph *base;
    graph *g;
    bool *is_changed; /* per node of g */
    bool *is_kept;    /* per node of g */
    bool *is_taken;   /* per tensor of g: computed before the cut, read behind it */
    tensor_id *taken; /* ids in base, in the order of the suffix's further inputs */
    int n_taken;
} cut;

/* A part of a quantizer. */
static bool is_quantizer(const node *n)
{
    return n->op == GRAPH_OP_QUANTIZE_LINEAR || n->op == GRAPH_OP_DEQUANTIZE_LINEAR ||
           (n->op == GRAPH_OP_CLIP && n->attr.clip.of_quantizer);
}

static const node *quantizer_of(const graph *g, tensor_id id)
{
    node_id p = id == TENSOR_NONE ? NODE_NONE : graph_producer(g, id);
    return p != NODE_NONE && is_quantizer(graph_node_const(g, p)) ? graph_node_const(g, p) : NULL;
}

/* Equal constants are made one: packed weights are shared by their address. */
static bool same_constant(cut *c, tensor_id base_id, tensor_id id)
{
    const tensor *a = graph_tensor_const(c->base, base_id);
    tensor *b = graph_tensor(c->g, id);
    if (a->data == b->data)
        return true;
    if (a->type != b->type || !shape_equal(&a->shape, &b->shape) ||
        blob_size(a->data) != blob_size(b->data) ||
        memcmp(blob_data(a->data), blob_data(b->data), blob_size(a->data)) != 0)
        return false;
    blob_unref(&b->data);
    b->data = blob_ref(a->data);
    return true;
}

static bool same_source(cut *c, tensor_id base_id, tensor_id id)
{
    if (base_id == TENSOR_NONE || id == TENSOR_NONE)
        return base_id == id;
    bool is_const = graph_is_const(c->g, id);
    if (is_const || graph_is_const(c->base, base_id))
        return is_const && graph_is_const(c->base, base_id) && same_constant(c, base_id, id);
    node_id producer = graph_producer(c->g, id);
    return (producer == NODE_NONE || !c->is_changed[producer]) &&
           strcmp(graph_tensor_const(c->base, base_id)->name, graph_tensor_const(c->g, id)->name) ==
               0;
}

static bool same_quantizer(cut *c, const node *a, const node *b)
{
    if (a->op != b->op || a->n_inputs != b->n_inputs)
        return false;
    if (a->op == GRAPH_OP_CLIP)
        return a->attr.clip.min == b->attr.clip.min && a->attr.clip.max == b->attr.clip.max;
    if (a->op == GRAPH_OP_QUANTIZE_LINEAR && a->attr.axis.from_half != b->attr.axis.from_half)
        return false;
    for (int i = 1; i < a->n_inputs; i++)
        if (!same_source(c, a->inputs[i], b->inputs[i]))
            return false;
    return true;
}

/* Whether both inputs hold the same values: from one source through equal quantizers. */
static bool same_input(cut *c, tensor_id base_id, tensor_id id)
{
    for (;;) {
        const node *a = quantizer_of(c->base, base_id);
        const node *b = quantizer_of(c->g, id);
        if (!a && !b)
            return same_source(c, base_id, id);
        if (!a || !b || !same_quantizer(c, a, b))
            return false;
        base_id = a->inputs[0];
        id = b->inputs[0];
    }
}

static bool is_same(cut *c, const node *n)
{
    tensor_id at = graph_find_tensor(c->base, graph_tensor_const(c->g, n->outputs[0])->name);
    node_id id = at == TENSOR_NONE ? NODE_NONE : graph_producer(c->base, at);
    if (id == NODE_NONE)
        return false;
    const node *base = graph_node_const(c->base, id);
    bool same = base->op == n->op && base->n_inputs == n->n_inputs;
    /* no early end: every equal constant is to be shared */
    for (int i = 0; i < n->n_inputs && i < base->n_inputs; i++)
        same = same_input(c, base->inputs[i], n->inputs[i]) && same;
    return same;
}

/* Keeps the quantizers of an input and finds where it comes from. */
static void take_input(cut *c, tensor_id id)
{
    const node *q;
    while ((q = quantizer_of(c->g, id)) != NULL) {
        c->is_kept[graph_producer(c->g, id)] = true;
        id = q->inputs[0];
    }
    node_id producer = id == TENSOR_NONE ? NODE_NONE : graph_producer(c->g, id);
    if (producer != NODE_NONE && !c->is_changed[producer])
        c->is_taken[id] = true;
}

static void mark(cut *c)
{
    for (int i = 0; i < graph_n_nodes(c->g); i++) {
        const node *n = graph_node_const(c->g, (node_id)i);
        if (!n->is_dead && !is_quantizer(n))
            c->is_changed[i] = c->is_kept[i] = !is_same(c, n);
    }
    for (int i = 0; i < graph_n_nodes(c->g); i++)
        for (int k = 0; c->is_changed[i] && k < graph_node_const(c->g, (node_id)i)->n_inputs; k++)
            take_input(c, graph_node_const(c->g, (node_id)i)->inputs[k]);
}

static ptq_status keep_changed_outputs(cut *c, ptq_error *err)
{
    int n = graph_n_outputs(c->g);
    tensor_id *outputs = mem_array((size_t)n, sizeof *outputs);
    if (!outputs)
        return error_no_memory(err, (size_t)n * sizeof *outputs, "a suffix");
    for (int i = 0; i < n; i++)
        outputs[i] = graph_output(c->g, i);
    graph_clear_outputs(c->g);
    ptq_status st = PTQ_OK;
    for (int i = 0; i < n && st == PTQ_OK; i++) {
        node_id producer = graph_producer(c->g, outputs[i]);
        if (producer != NODE_NONE && c->is_changed[producer])
            st = graph_add_output(c->g, outputs[i], err);
    }
    mem_free(outputs);
    return st;
}

/* Images come in as the engine stores them, channels-last: turning them round moves nothing. */
static ptq_status add_image_input(graph *g, tensor_id id, ptq_error *err)
{
    tensor t = *graph_tensor_const(g, id);
    shape s = shape4(t.shape.dim[0], t.shape.dim[2], t.shape.dim[3], t.shape.dim[1]);
    const char *name = name_with_suffix(g, t.name, ".nhwc");
    if (!name)
        return error_no_memory(err, 0, "a name");
    tensor_id input;
    PTQ_TRY(graph_add_tensor(g, name, t.type, &s, &input, err));
    graph_tensor(g, input)->is_dynamic = t.is_dynamic;
    PTQ_TRY(graph_add_input(g, input, err));
    node turn = {.name = name,
                 .op = GRAPH_OP_TRANSPOSE,
                 .n_inputs = 1,
                 .n_outputs = 1,
                 .inputs = &input,
                 .outputs = &id,
                 .attr.perm = {.rank = 4, .perm = {0, 3, 1, 2}}};
    node_id made;
    return graph_add_node(g, &turn, &made, err);
}

static ptq_status take(cut *c, int n_tensors, ptq_error *err)
{
    for (int i = 0; i < n_tensors; i++) {
        tensor_id id = (tensor_id)i;
        if (!c->is_taken[i])
            continue;
        tensor t = *graph_tensor_const(c->g, id);
        c->taken[c->n_taken++] = graph_find_tensor(c->base, t.name);
        bool is_image = t.shape.rank == 4;
        PTQ_TRY(is_image ? add_image_input(c->g, id, err) : graph_add_input(c->g, id, err));
    }
    return PTQ_OK;
}

static ptq_status cut_graph(cut *c, ptq_error *err)
{
    int n_nodes = graph_n_nodes(c->g), n_tensors = graph_n_tensors(c->g);
    mark(c);
    PTQ_TRY(keep_changed_outputs(c, err));
    for (int i = 0; i < n_nodes; i++)
        if (!c->is_kept[i] && !graph_node_const(c->g, (node_id)i)->is_dead)
            graph_remove_node(c->g, (node_id)i);
    PTQ_TRY(take(c, n_tensors, err));
    return graph_prune(c->g, err);
}

ptq_status pass_cut_suffix(graph *g, const graph *base, tensor_id **taken, int *n_taken,
                           ptq_error *err)
{
    size_t n_nodes = (size_t)graph_n_nodes(g), n_tensors = (size_t)graph_n_tensors(g);
    cut c = {.base = base, .g = g};
    c.is_changed = mem_array(n_nodes, sizeof *c.is_changed);
    c.is_kept = mem_array(n_nodes, sizeof *c.is_kept);
    c.is_taken = mem_array(n_tensors, sizeof *c.is_taken);
    c.taken = mem_array(n_tensors, sizeof *c.taken);
    ptq_status st = c.is_changed && c.is_kept && c.is_taken && c.taken
                        ? cut_graph(&c, err)
                        : error_no_memory(err, n_tensors * sizeof *c.taken, "a suffix");
    mem_free(c.is_changed);
    mem_free(c.is_kept);
    mem_free(c.is_taken);
    if (st == PTQ_OK) {
        *taken = c.taken;
        *n_taken = c.n_taken;
    } else {
        mem_free(c.taken);
    }
    return st;
}
