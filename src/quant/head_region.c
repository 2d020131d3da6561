/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/head_region.h"

#include "base/mem.h"
#include "quant/default_map.h"

static bool moves_values(graph_op op)
{
    return op == GRAPH_OP_RESHAPE || op == GRAPH_OP_TRANSPOSE || op == GRAPH_OP_SQUEEZE ||
           op == GRAPH_OP_UNSQUEEZE || op == GRAPH_OP_FLATTEN || op == GRAPH_OP_SLICE ||
           op == GRAPH_OP_SPLIT || op == GRAPH_OP_CONCAT || op == GRAPH_OP_IDENTITY;
}

/* Whether `id` is a Softmax's result, moved at most. */
static bool is_distribution(const graph *g, tensor_id id)
{
    node_id producer = id == TENSOR_NONE ? NODE_NONE : graph_producer(g, id);
    while (producer != NODE_NONE && moves_values(graph_node_const(g, producer)->op)) {
        id = graph_node_const(g, producer)->inputs[0];
        producer = id == TENSOR_NONE ? NODE_NONE : graph_producer(g, id);
    }
    return producer != NODE_NONE && graph_node_const(g, producer)->op == GRAPH_OP_SOFTMAX;
}

static bool is_feature_layer(const graph *g, const node *n)
{
    return default_map_has_weight(n->op) && default_map_has(g, n) &&
           !is_distribution(g, n->inputs[0]);
}

/* Nodes still to look at, each pushed once. */
typedef struct node_stack {
    const graph *g;
    bool *seen;
    node_id *items;
    size_t n;
} node_stack;

static void push_producers(node_stack *s, const tensor_id *inputs, int n)
{
    for (int i = 0; i < n; i++) {
        node_id producer = inputs[i] == TENSOR_NONE ? NODE_NONE : graph_producer(s->g, inputs[i]);
        if (producer == NODE_NONE || s->seen[producer])
            continue;
        s->seen[producer] = true;
        s->items[s->n++] = producer;
    }
}

/* Back from the outputs up to the first layer on every way. */
static void walk_from_outputs(node_stack *s, head_region *r)
{
    for (int i = 0; i < graph_n_outputs(s->g); i++) {
        tensor_id output = graph_output(s->g, i);
        push_producers(s, &output, 1);
    }
    while (s->n > 0) {
        node_id id = s->items[--s->n];
        const node *n = graph_node_const(s->g, id);
        r->is_head[id] = is_feature_layer(s->g, n);
        r->is_final[id] = true;
        if (!r->is_head[id])
            push_producers(s, n->inputs, n->n_inputs);
    }
}

/* What a layer reads is a feature, also when an output hangs on it. */
static void spare_features(node_stack *s, head_region *r)
{
    for (int i = 0; i < graph_n_nodes(s->g); i++) {
        const node *n = graph_node_const(s->g, (node_id)i);
        if (!n->is_dead && is_feature_layer(s->g, n))
            push_producers(s, n->inputs, n->n_inputs);
    }
    while (s->n > 0) {
        node_id id = s->items[--s->n];
        const node *n = graph_node_const(s->g, id);
        r->is_final[id] = false;
        push_producers(s, n->inputs, n->n_inputs);
    }
}

ptq_status head_region_find(const graph *g, head_region *out, ptq_error *err)
{
    size_t n = (size_t)graph_n_nodes(g);
    head_region r = {mem_array(n, sizeof *r.is_head), mem_array(n, sizeof *r.is_final)};
    node_stack back = {g, mem_array(n, sizeof(bool)), mem_array(n, sizeof(node_id)), 0};
    node_stack features = {g, mem_array(n, sizeof(bool)), back.items, 0};
    bool ok = r.is_head && r.is_final && back.seen && back.items && features.seen;
    if (ok) {
        walk_from_outputs(&back, &r);
        spare_features(&features, &r);
        *out = r;
    } else {
        head_region_clear(&r);
    }
    mem_free(back.seen);
    mem_free(back.items);
    mem_free(features.seen);
    return ok ? PTQ_OK : error_no_memory(err, n * sizeof(node_id), "the head");
}

void head_region_clear(head_region *r)
{
    mem_free(r->is_head);
    mem_free(r->is_final);
    *r = (head_region){0};
}
