/* SPDX-License-Identifier: Apache-2.0 */
/* Execution order, pruning and the invariants of graph.h. */
#include <string.h>

#include "base/mem.h"
#include "graph/graph.h"
#include "graph/graph_impl.h"
#include "graph/op_table.h"

/* Drops dead nodes and rebuilds producers and names. */
static ptq_status compact(graph *g, ptq_error *err)
{
    strmap *names = strmap_create();
    if (!names)
        return error_no_memory(err, 0, "node names");
    int kept = 0;
    for (int i = 0; i < g->n_tensors; i++)
        g->producers[i] = NODE_NONE;
    for (int i = 0; i < g->n_nodes; i++) {
        if (g->nodes[i].is_dead)
            continue;
        g->nodes[kept] = g->nodes[i];
        for (int j = 0; j < g->nodes[kept].n_outputs; j++)
            g->producers[g->nodes[kept].outputs[j]] = (node_id)kept;
        if (!strmap_put(names, g->nodes[kept].name, kept)) {
            strmap_destroy(names);
            return error_no_memory(err, 0, "node names");
        }
        kept++;
    }
    g->n_nodes = kept;
    strmap_destroy(g->node_names);
    g->node_names = names;
    return PTQ_OK;
}

typedef enum visit { NEW, OPEN, PLACED } visit;

/* First producer of node `i` that is not placed yet, or NODE_NONE. */
static node_id missing_producer(const graph *g, int i, const visit *seen)
{
    for (int j = 0; j < g->nodes[i].n_inputs; j++) {
        node_id p = graph_producer(g, g->nodes[i].inputs[j]);
        if (p != NODE_NONE && seen[p] != PLACED)
            return p;
    }
    return NODE_NONE;
}

/* Depth first with an explicit stack (files decide how deep a graph is), taking nodes in their
 * present order, so that sorting a sorted graph changes nothing. Returns the node a cycle goes
 * through, or NODE_NONE. `stack` has room for every node. */
static node_id topological(const graph *g, visit *seen, int *stack, node *sorted)
{
    int n_sorted = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        int depth = 0;
        if (seen[i] == NEW)
            stack[depth++] = i;
        while (depth) {
            int top = stack[depth - 1];
            seen[top] = OPEN;
            node_id missing = missing_producer(g, top, seen);
            if (missing == NODE_NONE) {
                seen[top] = PLACED;
                sorted[n_sorted++] = g->nodes[top];
                depth--;
            } else if (seen[missing] == OPEN) {
                return missing;
            } else {
                stack[depth++] = (int)missing;
            }
        }
    }
    return NODE_NONE;
}

static ptq_status sort_nodes(graph *g, ptq_error *err)
{
    size_t n = (size_t)g->n_nodes;
    visit *seen = mem_array(n, sizeof *seen);
    int *stack = mem_array(n, sizeof *stack);
    node *sorted = mem_array(n, sizeof *sorted);
    ptq_status status = PTQ_OK;
    if (!seen || !stack || !sorted) {
        status = error_no_memory(err, n * sizeof *sorted, "sorting a graph");
        goto done;
    }
    node_id cycle = topological(g, seen, stack, sorted);
    if (cycle != NODE_NONE)
        status = error_set(err, PTQ_FORMAT, "the graph has a cycle through node '%s' (%s)",
                           g->nodes[cycle].name, graph_op_name(g->nodes[cycle].op));
    else if (n)
        memcpy(g->nodes, sorted, n * sizeof *sorted);
done:
    mem_free(seen);
    mem_free(stack);
    mem_free(sorted);
    return status;
}

ptq_status graph_tidy(graph *g, ptq_error *err)
{
    PTQ_TRY(compact(g, err));
    PTQ_TRY(sort_nodes(g, err));
    return compact(g, err);
}

ptq_status graph_prune(graph *g, ptq_error *err)
{
    PTQ_TRY(graph_tidy(g, err));
    bool *needed = mem_array((size_t)g->n_tensors, sizeof *needed);
    if (!needed)
        return error_no_memory(err, (size_t)g->n_tensors, "pruning a graph");
    for (int i = 0; i < g->n_outputs; i++)
        needed[g->outputs[i]] = true;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        node *n = &g->nodes[i];
        bool used = false;
        for (int j = 0; j < n->n_outputs; j++)
            used = used || needed[n->outputs[j]];
        for (int j = 0; used && j < n->n_inputs; j++)
            if (n->inputs[j] != TENSOR_NONE)
                needed[n->inputs[j]] = true;
        n->is_dead = !used;
    }
    for (int i = 0; i < g->n_tensors; i++) /* constants nothing reads give their memory back */
        if (!needed[i] && g->tensors[i].data)
            blob_unref(&g->tensors[i].data);
    mem_free(needed);
    return compact(g, err);
}

static ptq_status verify_node(const graph *g, node_id id, const bool *made, ptq_error *err)
{
    const node *n = &g->nodes[id];
    const op_rule *rule = op_rule_of(n->op);
    if (n->n_inputs < rule->min_inputs || (rule->max_inputs >= 0 && n->n_inputs > rule->max_inputs))
        return error_set(err, PTQ_INTERNAL, "node '%s' (%s) has %d inputs", n->name, rule->name,
                         n->n_inputs);
    for (int j = 0; j < n->n_inputs; j++) {
        tensor_id t = n->inputs[j];
        if (t == TENSOR_NONE && j >= rule->min_inputs)
            continue;
        if (t >= (tensor_id)g->n_tensors || !made[t])
            return error_set(err, PTQ_FORMAT,
                             "node '%s' (%s) reads input %d before anything makes it", n->name,
                             rule->name, j);
    }
    for (int j = 0; j < n->n_outputs; j++)
        if (made[n->outputs[j]] || g->producers[n->outputs[j]] != id)
            return error_set(err, PTQ_FORMAT, "tensor '%s' has two producers",
                             g->tensors[n->outputs[j]].name);
    return PTQ_OK;
}

ptq_status graph_verify(const graph *g, ptq_error *err)
{
    bool *made = mem_array((size_t)g->n_tensors, sizeof *made);
    if (!made)
        return error_no_memory(err, (size_t)g->n_tensors, "checking a graph");
    for (int i = 0; i < g->n_tensors; i++)
        made[i] = g->tensors[i].data != NULL;
    for (int i = 0; i < g->n_inputs; i++)
        made[g->inputs[i]] = true;
    ptq_status status = PTQ_OK;
    for (int i = 0; i < g->n_nodes && status == PTQ_OK; i++) {
        if (g->nodes[i].is_dead)
            continue;
        status = verify_node(g, (node_id)i, made, err);
        for (int j = 0; status == PTQ_OK && j < g->nodes[i].n_outputs; j++)
            made[g->nodes[i].outputs[j]] = true;
    }
    for (int i = 0; i < g->n_outputs && status == PTQ_OK; i++)
        if (!made[g->outputs[i]])
            status = error_set(err, PTQ_FORMAT, "nothing makes the graph output '%s'",
                               g->tensors[g->outputs[i]].name);
    mem_free(made);
    return status;
}
