/* SPDX-License-Identifier: Apache-2.0 */
/* Which tensors are stored channels-last, and which are written in place into the output of the
 * concatenation that reads them. */
#include "engine/build.h"
#include "graph/fusion.h"

static bool is_image_op(graph_op op)
{
    return op == GRAPH_OP_CONV || op == GRAPH_OP_QCONV || op == GRAPH_OP_CONV_TRANSPOSE ||
           op == GRAPH_OP_MAX_POOL || op == GRAPH_OP_AVERAGE_POOL ||
           op == GRAPH_OP_GLOBAL_AVERAGE_POOL || op == GRAPH_OP_RESIZE ||
           op == GRAPH_OP_SPACE_TO_DEPTH;
}

/* Operators whose output has the layout of their inputs. */
static bool keeps_layout(graph_op op)
{
    return (op >= GRAPH_OP_BATCH_NORM && op <= GRAPH_OP_MIN) || op == GRAPH_OP_CONCAT ||
           op == GRAPH_OP_SPLIT || op == GRAPH_OP_SLICE || op == GRAPH_OP_CAST ||
           op == GRAPH_OP_IDENTITY || op == GRAPH_OP_QUANTIZE_LINEAR ||
           op == GRAPH_OP_DEQUANTIZE_LINEAR;
}

/* Operators that make no memory of their own: another view of their input. */
static bool makes_alias(graph_op op)
{
    return op == GRAPH_OP_RESHAPE || op == GRAPH_OP_FLATTEN || op == GRAPH_OP_SQUEEZE ||
           op == GRAPH_OP_UNSQUEEZE || op == GRAPH_OP_IDENTITY || op == GRAPH_OP_SPLIT ||
           op == GRAPH_OP_SLICE || op == GRAPH_OP_TRANSPOSE || op == GRAPH_OP_EXPAND;
}

static bool can_be_image(const builder *b, tensor_id id)
{
    return id != TENSOR_NONE && !graph_is_const(b->g, id) &&
           graph_tensor_const(b->g, id)->shape.rank == 4;
}

static bool is_image(const builder *b, tensor_id id)
{
    return can_be_image(b, id) && b->slots[id].is_image;
}

/* Returns whether anything changed. */
static bool mark(builder *b, tensor_id id)
{
    if (!can_be_image(b, id) || b->slots[id].is_image)
        return false;
    b->slots[id].is_image = true;
    return true;
}

static bool mark_node(builder *b, const node *n)
{
    bool changed = false, any = is_image_op(n->op);
    if (n->op == GRAPH_OP_YOLO_DECODE || n->op == GRAPH_OP_YOLO_RAW)
        return mark(b, n->inputs[0]);
    if (!any && keeps_layout(n->op)) {
        for (int i = 0; i < n->n_inputs; i++)
            any = any || is_image(b, n->inputs[i]);
        for (int i = 0; i < n->n_outputs; i++)
            any = any || is_image(b, n->outputs[i]);
    }
    if (!any)
        return false;
    for (int i = 0; i < n->n_outputs; i++)
        changed = mark(b, n->outputs[i]) || changed;
    int n_inputs = is_image_op(n->op) ? 1 : n->n_inputs;
    for (int i = 0; i < n_inputs; i++)
        changed = mark(b, n->inputs[i]) || changed;
    return changed;
}

/* Whether the node can read or write an image whose pixels have gaps. */
static bool takes_strides(const builder *b, const node *n)
{
    if (n->op != GRAPH_OP_CONV && n->op != GRAPH_OP_QCONV)
        return true;
    conv_desc d = bind_conv_desc(b, n);
    return conv_best(&d, b->options->level)->takes_strides;
}

static bool all_take_strides(const builder *b, tensor_id id)
{
    enum { MAX_CONSUMERS = 16 };
    node_id consumers[MAX_CONSUMERS];
    int n = graph_consumers(b->g, id, consumers, MAX_CONSUMERS);
    bool good =
        n <= MAX_CONSUMERS && takes_strides(b, graph_node_const(b->g, graph_producer(b->g, id)));
    for (int i = 0; good && i < n; i++)
        good = takes_strides(b, graph_node_const(b->g, consumers[i]));
    return good;
}

/* Whether `id` can be computed inside the output of the concatenation `n`. */
static bool fits_in_place(const builder *b, const node *n, tensor_id id, int axis)
{
    const tensor *t = graph_tensor_const(b->g, id);
    const tensor *whole = graph_tensor_const(b->g, n->outputs[0]);
    node_id producer = graph_producer(b->g, id);
    if (producer == NODE_NONE || makes_alias(graph_node_const(b->g, producer)->op))
        return false;
    if (b->slots[id].whole != TENSOR_NONE || t->type != whole->type)
        return false;
    if (b->slots[id].is_image != b->slots[n->outputs[0]].is_image)
        return false;
    return !b->slots[id].is_image || (axis == 1 && all_take_strides(b, id));
}

static void place_parts(builder *b, const node *n)
{
    int axis = bind_axis(n->attr.axis.axis, graph_tensor_const(b->g, n->outputs[0])->shape.rank);
    int64_t from = 0;
    for (int i = 0; i < n->n_inputs; i++) {
        tensor_id id = n->inputs[i];
        if (fits_in_place(b, n, id, axis)) {
            b->slots[id].whole = n->outputs[0];
            b->slots[id].axis = axis;
            b->slots[id].from = from;
        }
        from += graph_tensor_const(b->g, id)->shape.dim[axis];
    }
}

ptq_status layout_decide(builder *b)
{
    int n_nodes = graph_n_nodes(b->g);
    for (int i = 0; i < graph_n_tensors(b->g); i++)
        b->slots[i] = (slot){.first = VALUE_NONE, .whole = TENSOR_NONE};
    for (bool changed = true; changed;) { /* forth and back; marks only grow */
        changed = false;
        for (int i = 0; i < n_nodes; i++)
            changed = mark_node(b, graph_node_const(b->g, (node_id)i)) || changed;
        for (int i = n_nodes - 1; i >= 0; i--)
            changed = mark_node(b, graph_node_const(b->g, (node_id)i)) || changed;
    }
    bool in_place = !(b->options->without & FUSION_CONCAT);
    for (int i = 0; in_place && i < n_nodes; i++) {
        const node *n = graph_node_const(b->g, (node_id)i);
        if (!n->is_dead && n->op == GRAPH_OP_CONCAT)
            place_parts(b, n);
    }
    return PTQ_OK;
}
