/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/code_tensors.h"

#include "base/mem.h"

typedef struct finder {
    const graph *g;
    const quant_points *points;
    bool share_concat;
    bool *is_coded; /* per tensor */
    bool *is_made;  /* per tensor: a quantized layer makes it, so it must be coded */
    bool *is_read;  /* per tensor: a quantized layer reads it */
    int *parent;    /* per tensor: union-find */
    int *number;    /* per tensor that is a root: its group, -1 for none yet */
} finder;

/* ---------------------------------------------------------------- what exists on codes */

static bool joins_or_adds(const graph *g, const node *n)
{
    for (int i = 0; i < n->n_inputs; i++)
        if (graph_is_const(g, n->inputs[i]))
            return false;
    return true;
}

static bool runs_on_codes(const graph *g, const node *n)
{
    switch (n->op) {
    case GRAPH_OP_SIGMOID:
    case GRAPH_OP_SILU:
    case GRAPH_OP_LEAKY_RELU:
    case GRAPH_OP_AVERAGE_POOL:
    case GRAPH_OP_GLOBAL_AVERAGE_POOL:
        return true;
    case GRAPH_OP_ADD:
    case GRAPH_OP_MUL:
    case GRAPH_OP_CONCAT:
        return joins_or_adds(g, n);
    default:
        return node_moves_values(n);
    }
}

/* The inputs that carry values; the others say where values go. */
static int n_value_inputs(const node *n)
{
    bool many = n->op == GRAPH_OP_ADD || n->op == GRAPH_OP_MUL || n->op == GRAPH_OP_CONCAT;
    return many ? n->n_inputs : 1;
}

/* A Relu that alone reads a tensor is part of the quantizer behind it: codes end at zero. */
static tensor_id behind_relu(const graph *g, tensor_id id)
{
    node_id reader;
    if (graph_is_output(g, id) || graph_consumers(g, id, &reader, 1) != 1 ||
        graph_node_const(g, reader)->op != GRAPH_OP_RELU)
        return id;
    return graph_node_const(g, reader)->outputs[0];
}

/* ---------------------------------------------------------------- which tensors */

static void mark_points(finder *f)
{
    for (int i = 0; i < f->points->n; i++) {
        const quant_point *p = &f->points->items[i];
        if (!quant_point_has_input(p) || p->input_index == QPLAN_OUTPUT)
            continue;
        f->is_coded[p->tensor] = f->is_read[p->tensor] = true;
        bool is_integer = quant_point_has_weight(p);
        tensor_id y = behind_relu(f->g, graph_node_const(f->g, p->node)->outputs[0]);
        if (is_integer && !graph_is_output(f->g, y))
            f->is_coded[y] = f->is_made[y] = true;
    }
}

static int count_coded_inputs(const finder *f, const node *n)
{
    int coded = 0;
    for (int i = 0; i < n_value_inputs(n); i++)
        coded += f->is_coded[n->inputs[i]];
    return coded;
}

/* What is computed from codes becomes codes; a Concat that a layer reads brings its other inputs
 * along. */
static void mark_forward(finder *f, const node *n)
{
    if (!runs_on_codes(f->g, n))
        return;
    int coded = count_coded_inputs(f, n);
    if (n->op == GRAPH_OP_CONCAT && coded > 0 && f->is_read[n->outputs[0]])
        for (int i = 0; i < n->n_inputs; i++)
            f->is_coded[n->inputs[i]] = true;
    else if (coded < n_value_inputs(n))
        return;
    for (int i = 0; i < n->n_outputs; i++) {
        tensor_id y = behind_relu(f->g, n->outputs[i]);
        if (!graph_is_output(f->g, y))
            f->is_coded[y] = true;
    }
}

static bool makes_codes(const finder *f, const node *n)
{
    for (int i = 0; i < n->n_outputs; i++)
        if (f->is_coded[behind_relu(f->g, n->outputs[i])])
            return true;
    return false;
}

/* Codes that nothing computes on would only be rounded: their tensor stays float. */
static ptq_status drop_unread(finder *f, const node *n, ptq_error *err)
{
    for (int i = 0; i < n->n_outputs; i++) {
        tensor_id y = n->outputs[i];
        if (!f->is_coded[y] || f->is_made[y] || f->is_read[y])
            continue;
        int n_readers = graph_consumers(f->g, y, NULL, 0);
        node_id *readers = mem_array((size_t)n_readers, sizeof *readers);
        if (!readers)
            return error_no_memory(err, (size_t)n_readers * sizeof *readers, "a list of nodes");
        graph_consumers(f->g, y, readers, n_readers);
        bool is_used = false;
        for (int k = 0; k < n_readers && !is_used; k++) {
            const node *reader = graph_node_const(f->g, readers[k]);
            is_used = runs_on_codes(f->g, reader) && makes_codes(f, reader);
        }
        f->is_coded[y] = is_used;
        mem_free(readers);
    }
    return PTQ_OK;
}

static ptq_status mark(finder *f, ptq_error *err)
{
    mark_points(f);
    int n = graph_n_nodes(f->g);
    for (int i = 0; i < n; i++)
        mark_forward(f, graph_node_const(f->g, (node_id)i));
    for (int i = n - 1; i >= 0; i--)
        PTQ_TRY(drop_unread(f, graph_node_const(f->g, (node_id)i), err));
    return PTQ_OK;
}

/* ---------------------------------------------------------------- which share a range */

static int find_root(const finder *f, int i)
{
    while (f->parent[i] != i) {
        f->parent[i] = f->parent[f->parent[i]];
        i = f->parent[i];
    }
    return i;
}

static void unite(finder *f, tensor_id a, tensor_id b)
{
    if (!f->is_coded[a] || !f->is_coded[b])
        return;
    int root_a = find_root(f, (int)a), root_b = find_root(f, (int)b);
    f->parent[root_a > root_b ? root_a : root_b] = root_a > root_b ? root_b : root_a;
}

static void unite_node(finder *f, const node *n)
{
    bool is_concat = n->op == GRAPH_OP_CONCAT && f->share_concat;
    if (!is_concat && !node_moves_values(n))
        return;
    for (int i = 0; i < n_value_inputs(n); i++)
        for (int k = 0; k < n->n_outputs; k++)
            unite(f, n->inputs[i], n->outputs[k]);
}

/* A tensor that only repeats coded tensors of its group. */
static bool is_copy(const finder *f, tensor_id id)
{
    node_id p = graph_producer(f->g, id);
    if (p == NODE_NONE)
        return false;
    const node *n = graph_node_const(f->g, p);
    bool copies = node_moves_values(n) || (n->op == GRAPH_OP_CONCAT && f->share_concat);
    return copies && count_coded_inputs(f, n) == n_value_inputs(n);
}

static void add(finder *f, tensor_id id, code_tensors *out)
{
    if (!f->is_coded[id])
        return;
    int root = find_root(f, (int)id);
    if (f->number[root] < 0)
        f->number[root] = out->n_groups++;
    out->items[out->n++] = (code_tensor){id, f->number[root], !is_copy(f, id)};
}

static ptq_status list(finder *f, code_tensors *out, ptq_error *err)
{
    size_t room = (size_t)graph_n_tensors(f->g);
    out->items = mem_array(room, sizeof *out->items);
    if (!out->items)
        return error_no_memory(err, room * sizeof *out->items, "quantizers");
    for (int i = 0; i < graph_n_nodes(f->g); i++)
        unite_node(f, graph_node_const(f->g, (node_id)i));
    for (int i = 0; i < graph_n_inputs(f->g); i++)
        add(f, graph_input(f->g, i), out);
    for (int i = 0; i < graph_n_nodes(f->g); i++) {
        const node *n = graph_node_const(f->g, (node_id)i);
        for (int k = 0; k < n->n_outputs; k++)
            add(f, n->outputs[k], out);
    }
    return PTQ_OK;
}

ptq_status code_tensors_find(const graph *g, const quant_points *points, bool share_concat,
                             code_tensors *out, ptq_error *err)
{
    size_t n = (size_t)graph_n_tensors(g);
    finder f = {.g = g, .points = points, .share_concat = share_concat};
    code_tensors found = {0};
    f.is_coded = mem_array(n, 3 * sizeof *f.is_coded);
    f.parent = mem_array(n, 2 * sizeof *f.parent);
    ptq_status status = PTQ_OK;
    if (!f.is_coded || !f.parent) {
        status = error_no_memory(err, n * sizeof *f.parent, "quantizers");
        goto done;
    }
    f.is_made = f.is_coded + n;
    f.is_read = f.is_made + n;
    f.number = f.parent + n;
    for (size_t i = 0; i < n; i++) {
        f.parent[i] = (int)i;
        f.number[i] = -1;
    }
    status = mark(&f, err);
    if (status == PTQ_OK)
        status = list(&f, &found, err);
    if (status == PTQ_OK)
        *out = found;
done:
    mem_free(f.is_coded);
    mem_free(f.parent);
    return status;
}

void code_tensors_clear(code_tensors *c)
{
    mem_free(c->items);
    *c = (code_tensors){0};
}
