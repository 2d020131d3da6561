/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/mem.h"
#include "graph/graph.h"
#include "graph/graph_impl.h"

int graph_n_nodes(const graph *g)
{
    return g->n_nodes;
}

node *graph_node(graph *g, node_id id)
{
    return &g->nodes[id];
}

const node *graph_node_const(const graph *g, node_id id)
{
    return &g->nodes[id];
}

int graph_n_tensors(const graph *g)
{
    return g->n_tensors;
}

tensor *graph_tensor(graph *g, tensor_id id)
{
    return &g->tensors[id];
}

const tensor *graph_tensor_const(const graph *g, tensor_id id)
{
    return &g->tensors[id];
}

int graph_n_inputs(const graph *g)
{
    return g->n_inputs;
}

tensor_id graph_input(const graph *g, int i)
{
    return g->inputs[i];
}

int graph_n_outputs(const graph *g)
{
    return g->n_outputs;
}

tensor_id graph_output(const graph *g, int i)
{
    return g->outputs[i];
}

bool graph_is_output(const graph *g, tensor_id id)
{
    for (int i = 0; i < g->n_outputs; i++)
        if (g->outputs[i] == id)
            return true;
    return false;
}

bool graph_is_const(const graph *g, tensor_id id)
{
    return id != TENSOR_NONE && g->tensors[id].data != NULL;
}

node_id graph_producer(const graph *g, tensor_id id)
{
    return id == TENSOR_NONE ? NODE_NONE : g->producers[id];
}

tensor_id graph_find_tensor(const graph *g, const char *name)
{
    int64_t id;
    return strmap_get(g->tensor_names, name, &id) ? (tensor_id)id : TENSOR_NONE;
}

node_id graph_find_node(const graph *g, const char *name)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (!g->nodes[i].is_dead && strcmp(g->nodes[i].name, name) == 0)
            return (node_id)i;
    return NODE_NONE;
}

int graph_consumers(const graph *g, tensor_id id, node_id *consumers, int max)
{
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const node *nd = &g->nodes[i];
        if (nd->is_dead)
            continue;
        for (int j = 0; j < nd->n_inputs; j++)
            if (nd->inputs[j] == id) {
                if (n < max)
                    consumers[n] = (node_id)i;
                n++;
                break;
            }
    }
    return n;
}

bool node_moves_values(const node *n)
{
    switch (n->op) {
    case GRAPH_OP_RESIZE:
        return n->attr.resize.mode == RESIZE_NEAREST;
    case GRAPH_OP_MAX_POOL:
        return n->n_outputs == 1; /* the second says where they were */
    case GRAPH_OP_RESHAPE:
    case GRAPH_OP_FLATTEN:
    case GRAPH_OP_TRANSPOSE:
    case GRAPH_OP_SPLIT:
    case GRAPH_OP_SLICE:
    case GRAPH_OP_SQUEEZE:
    case GRAPH_OP_UNSQUEEZE:
    case GRAPH_OP_IDENTITY:
    case GRAPH_OP_SPACE_TO_DEPTH:
        return true;
    default:
        return false;
    }
}

static bool has_weight(const node *n)
{
    return n->op == GRAPH_OP_CONV || n->op == GRAPH_OP_CONV_TRANSPOSE || n->op == GRAPH_OP_QCONV ||
           n->op == GRAPH_OP_GEMM || n->op == GRAPH_OP_MATMUL;
}

ptq_status graph_mark_tail(const graph *g, bool *is_tail, ptq_error *err)
{
    bool *feeds_weight = mem_array((size_t)g->n_tensors, sizeof *feeds_weight);
    if (!feeds_weight)
        return error_no_memory(err, (size_t)g->n_tensors, "the end of the graph");
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const node *n = &g->nodes[i];
        bool feeds = !n->is_dead && has_weight(n);
        for (int k = 0; k < n->n_outputs; k++)
            feeds = feeds || feeds_weight[n->outputs[k]];
        is_tail[i] = !feeds;
        for (int k = 0; feeds && k < n->n_inputs; k++)
            if (n->inputs[k] != TENSOR_NONE)
                feeds_weight[n->inputs[k]] = true;
    }
    mem_free(feeds_weight);
    return PTQ_OK;
}

static double node_macs(const graph *g, const node *n)
{
    size_t out = 0, weight = 0;
    if (!shape_count(&g->tensors[n->outputs[0]].shape, &out))
        return 0;
    const shape *w = n->n_inputs > 1 ? &g->tensors[n->inputs[1]].shape : NULL;
    if (!w || !shape_count(w, &weight) || !weight)
        return 0;
    switch (n->op) {
    case GRAPH_OP_CONV:
    case GRAPH_OP_QCONV:
        return (double)out * (double)(weight / (size_t)w->dim[0]);
    case GRAPH_OP_CONV_TRANSPOSE: {
        size_t in = 0;
        if (!shape_count(&g->tensors[n->inputs[0]].shape, &in))
            return 0;
        return (double)in * (double)(weight / (size_t)w->dim[0]);
    }
    case GRAPH_OP_GEMM:
    case GRAPH_OP_MATMUL: {
        const shape *x = &g->tensors[n->inputs[0]].shape;
        bool trans = n->op == GRAPH_OP_GEMM && n->attr.gemm.trans_a;
        if (x->rank < 1)
            return 0;
        return (double)out * (double)x->dim[trans ? 0 : x->rank - 1];
    }
    default:
        return 0;
    }
}

double graph_macs(const graph *g)
{
    double macs = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (!g->nodes[i].is_dead)
            macs += node_macs(g, &g->nodes[i]);
    return macs;
}
