/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that move, select or repeat values commute with a quantizer of one positive scale:
 * Q(max(a,b)) = max(Q(a),Q(b)), Q(concat(a,b)) = concat(Q(a),Q(b)), and likewise for DQ. Moving the
 * quantizers towards the convolutions lets everything between two of them run on 8-bit codes, and
 * changes no bit of the result. */
#include <string.h>

#include "base/mem.h"
#include "passes/lower.h"
#include "passes/qnode.h"
#include "passes/rewrite.h"

/* Number of inputs that carry values (the rest says where they go); 0: the node computes. */
static int moved_inputs(const node *n)
{
    return n->op == GRAPH_OP_CONCAT ? n->n_inputs : node_moves_values(n) ? 1 : 0;
}

/* Reads a quantizer that commutes with movement. */
static bool read_plain(const graph *g, node_id id, graph_op op, qnode *out)
{
    return id != NODE_NONE && !graph_node_const(g, id)->is_dead &&
           graph_node_const(g, id)->op == op && qnode_read(g, id, out) && qnode_is_plain(out);
}

/* Whether Q of what DQ makes gives the codes: (n*s)/s is within half an ulp of n, and rounding n*s
 * to float16 moves it by 2^-11 at most. */
static bool gives_back(const graph *g, const qnode *dq, const qnode *q)
{
    qnode rounded = *dq;
    rounded.from_half = q->from_half;
    return qnode_equal(g, &rounded, q);
}

/* Codes of `t` with the parameters `q`: what it was dequantized from, what a Q makes of it already,
 * or what a new Q makes. */
static ptq_status codes_of(graph *g, tensor_id t, const qnode *q, tensor_id *out, ptq_error *err)
{
    qnode other;
    node_id dq = graph_producer(g, t), *readers;
    int n;
    if (read_plain(g, dq, GRAPH_OP_DEQUANTIZE_LINEAR, &other) && gives_back(g, &other, q)) {
        *out = graph_node_const(g, dq)->inputs[0];
        return PTQ_OK;
    }
    PTQ_TRY(consumers_list(g, t, &readers, &n, err));
    bool found = false;
    for (int i = 0; i < n && !found; i++)
        if (read_plain(g, readers[i], GRAPH_OP_QUANTIZE_LINEAR, &other) &&
            qnode_equal(g, &other, q)) {
            *out = graph_node_const(g, readers[i])->outputs[0];
            found = true;
        }
    mem_free(readers);
    if (found)
        return PTQ_OK;
    const char *base = graph_tensor_const(g, t)->name;
    const char *name = name_with_suffix(g, base, "_quantize");
    if (!name)
        return error_no_memory(err, strlen(base), "a name");
    return qnode_add(g, &(qnode_desc){GRAPH_OP_QUANTIZE_LINEAR, t, q, name, base, "_q"}, out, err);
}

/* A tensor for the codes of `t`. */
static ptq_status add_code_tensor(graph *g, tensor_id t, dtype type, tensor_id *out, ptq_error *err)
{
    tensor like = *graph_tensor_const(g, t);
    const char *name = name_with_suffix(g, like.name, "_q");
    if (!name)
        return error_no_memory(err, strlen(like.name), "a name");
    PTQ_TRY(graph_add_tensor(g, name, type, &like.shape, out, err));
    graph_tensor(g, *out)->is_dynamic = like.is_dynamic;
    return PTQ_OK;
}

/* The quantizers that read the outputs of one node. */
typedef struct readers {
    node_id *nodes;
    int n;
} readers;

/* Lists the readers of all outputs of `m` when each is a Q that may go; `out->n` 0 otherwise. */
static ptq_status quantizers_after(const graph *g, node_id m, readers *out, ptq_error *err)
{
    const node *n = graph_node_const(g, m);
    int total = 0, at = 0;
    *out = (readers){NULL, 0};
    for (int i = 0; i < n->n_outputs; i++) {
        if (graph_is_output(g, n->outputs[i]))
            return PTQ_OK;
        total += graph_consumers(g, n->outputs[i], NULL, 0);
    }
    node_id *list = mem_array((size_t)total, sizeof *list);
    if (!list)
        return error_no_memory(err, (size_t)total * sizeof *list, "a list of nodes");
    for (int i = 0; i < n->n_outputs; i++)
        at += graph_consumers(g, n->outputs[i], list + at, total - at);
    bool all = total > 0;
    qnode q;
    for (int i = 0; i < total && all; i++)
        all = read_plain(g, list[i], GRAPH_OP_QUANTIZE_LINEAR, &q) &&
              !graph_is_output(g, graph_node_const(g, list[i])->outputs[0]);
    if (all)
        *out = (readers){list, total};
    else
        mem_free(list);
    return PTQ_OK;
}

/* The tensor that holds the codes of output `y` in the new node: the output of the first quantizer
 * like `q` that reads it; the others' readers are sent there. */
static ptq_status take_over_output(graph *g, tensor_id y, const qnode *q, const readers *r,
                                   tensor_id *out, ptq_error *err)
{
    qnode other;
    tensor_id codes = TENSOR_NONE;
    for (int i = 0; i < r->n; i++) {
        if (!read_plain(g, r->nodes[i], GRAPH_OP_QUANTIZE_LINEAR, &other) ||
            graph_node_const(g, r->nodes[i])->inputs[0] != y || !qnode_equal(g, &other, q))
            continue;
        tensor_id made = graph_node_const(g, r->nodes[i])->outputs[0];
        graph_remove_node(g, r->nodes[i]);
        if (codes == TENSOR_NONE)
            codes = made;
        else
            graph_replace_uses(g, made, codes);
    }
    if (codes == TENSOR_NONE)
        return add_code_tensor(g, y, q->code_type, out, err);
    graph_tensor(g, codes)->type = q->code_type;
    *out = codes;
    return PTQ_OK;
}

/* A twin of the removed node `m` on codes like `q`, which takes over the quantizers `r` of that
 * kind. */
static ptq_status add_twin(graph *g, const node *m, const qnode *q, const readers *r,
                           ptq_error *err)
{
    size_t n_in = (size_t)m->n_inputs, n_out = (size_t)m->n_outputs;
    tensor_id *ports = mem_array(n_in + n_out, sizeof *ports);
    if (!ports)
        return error_no_memory(err, (n_in + n_out) * sizeof *ports, "a node");
    node twin = *m;
    twin.inputs = ports;
    twin.outputs = ports + n_in;
    memcpy(twin.inputs, m->inputs, n_in * sizeof *ports);
    ptq_status status = PTQ_OK;
    for (int i = 0; status == PTQ_OK && i < moved_inputs(m); i++)
        status = codes_of(g, m->inputs[i], q, &twin.inputs[i], err);
    for (int i = 0; status == PTQ_OK && i < m->n_outputs; i++)
        status = take_over_output(g, m->outputs[i], q, r, &twin.outputs[i], err);
    if (status == PTQ_OK)
        status = graph_add_node(g, &twin, NULL, err);
    mem_free(ports);
    return status;
}

/* m -> Q... becomes Q -> m, once for each kind of quantizer behind it. */
static ptq_status raise_quantizers(graph *g, node_id id, bool *changed, ptq_error *err)
{
    node m = *graph_node_const(g, id);
    readers r;
    qnode q, first;
    PTQ_TRY(quantizers_after(g, id, &r, err));
    if (!r.n)
        return PTQ_OK;
    bool one_kind = true;
    for (int i = 0; i < r.n && one_kind; i++) {
        one_kind = qnode_read(g, r.nodes[i], &q) && (i == 0 || qnode_equal(g, &q, &first));
        first = i == 0 ? q : first;
    }
    ptq_status status = PTQ_OK;
    bool moves = one_kind || m.n_outputs == 1; /* parts of a Split stay together */
    for (int i = 0; moves && i < r.n && status == PTQ_OK; i++) {
        if (!read_plain(g, r.nodes[i], GRAPH_OP_QUANTIZE_LINEAR, &q))
            continue; /* taken over by an earlier twin */
        graph_remove_node(g, id);
        status = m.name ? add_twin(g, &m, &q, &r, err) : error_no_memory(err, 0, "a name");
        m.name = graph_unique_name(g, m.name); /* of a further twin */
        *changed = true;
    }
    mem_free(r.nodes);
    return status;
}

/* DQ -> m becomes m -> DQ when all inputs are codes of one kind. */
static ptq_status sink_dequantizers(graph *g, node_id id, bool *changed, ptq_error *err)
{
    node m = *graph_node_const(g, id);
    qnode q = {0}, other;
    for (int i = 0; i < moved_inputs(&m); i++) {
        if (!read_plain(g, graph_producer(g, m.inputs[i]), GRAPH_OP_DEQUANTIZE_LINEAR, &other) ||
            (i > 0 && !qnode_equal(g, &q, &other)))
            return PTQ_OK;
        q = other;
    }
    *changed = true;
    graph_remove_node(g, id);
    node_id twin = (node_id)graph_n_nodes(g);
    PTQ_TRY(add_twin(g, &m, &q, &(readers){NULL, 0}, err));
    for (int i = 0; i < m.n_outputs; i++) {
        tensor_id inputs[3] = {graph_node_const(g, twin)->outputs[i], q.scale_id, q.zero_id};
        const char *base = graph_tensor_const(g, m.outputs[i])->name;
        node dq = {.op = GRAPH_OP_DEQUANTIZE_LINEAR,
                   .name = name_with_suffix(g, base, "_dequantize"),
                   .n_inputs = q.zero_id == TENSOR_NONE ? 2 : 3,
                   .n_outputs = 1,
                   .inputs = inputs,
                   .outputs = &m.outputs[i],
                   .attr = {.axis = {.axis = 1}}};
        if (!dq.name)
            return error_no_memory(err, strlen(base), "a name");
        PTQ_TRY(graph_add_node(g, &dq, NULL, err));
    }
    return PTQ_OK;
}

/* Readers of node `id`'s output read `to`; the node goes. */
static void replace_node(graph *g, node_id id, tensor_id to, bool *changed)
{
    graph_replace_uses(g, graph_node_const(g, id)->outputs[0], to);
    graph_remove_node(g, id);
    *changed = true;
}

static bool is_quantizer(const node *n)
{
    return !n->is_dead &&
           (n->op == GRAPH_OP_QUANTIZE_LINEAR || n->op == GRAPH_OP_DEQUANTIZE_LINEAR);
}

/* Equal quantizers of one tensor become one. */
static void merge_equal(graph *g, bool *changed)
{
    qnode a, b;
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *kept = graph_node_const(g, (node_id)i);
        if (!is_quantizer(kept) || !qnode_read(g, (node_id)i, &a))
            continue;
        for (int j = i + 1; j < graph_n_nodes(g); j++) {
            const node *other = graph_node_const(g, (node_id)j);
            if (is_quantizer(other) && other->op == kept->op &&
                other->inputs[0] == kept->inputs[0] && !graph_is_output(g, other->outputs[0]) &&
                qnode_read(g, (node_id)j, &b) && qnode_equal(g, &a, &b))
                replace_node(g, (node_id)j, kept->outputs[0], changed);
        }
    }
}

/* Q(DQ(codes)) with equal parameters gives the codes. */
static void cancel_pairs(graph *g, bool *changed)
{
    qnode a, b;
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *q = graph_node_const(g, (node_id)i);
        if (!read_plain(g, (node_id)i, GRAPH_OP_QUANTIZE_LINEAR, &a) ||
            graph_is_output(g, q->outputs[0]))
            continue;
        node_id dq = graph_producer(g, q->inputs[0]);
        if (read_plain(g, dq, GRAPH_OP_DEQUANTIZE_LINEAR, &b) && gives_back(g, &b, &a))
            replace_node(g, (node_id)i, graph_node_const(g, dq)->inputs[0], changed);
    }
}

/* One round: backwards for rising, forwards for sinking, so that chains go in one round. */
static ptq_status move_once(graph *g, bool *changed, ptq_error *err)
{
    merge_equal(g, changed);
    for (int i = graph_n_nodes(g) - 1; i >= 0; i--)
        if (!graph_node_const(g, (node_id)i)->is_dead &&
            moved_inputs(graph_node_const(g, (node_id)i)))
            PTQ_TRY(raise_quantizers(g, (node_id)i, changed, err));
    PTQ_TRY(graph_tidy(g, err));
    int n = graph_n_nodes(g);
    for (int i = 0; i < n; i++)
        if (moved_inputs(graph_node_const(g, (node_id)i)))
            PTQ_TRY(sink_dequantizers(g, (node_id)i, changed, err));
    cancel_pairs(g, changed);
    return graph_prune(g, err);
}

/* Ends: every round that changes something makes fewer movers of floats, or fewer quantizers. */
ptq_status lower_movement(lowering *l, ptq_error *err)
{
    bool changed = true;
    while (changed) {
        changed = false;
        PTQ_TRY(move_once(l->g, &changed, err));
    }
    return PTQ_OK;
}
