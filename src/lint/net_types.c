/* SPDX-License-Identifier: Apache-2.0 */
/* Element types, the shapes of constants, and what is constant: from what is written, along the
 * nodes in execution order. Declared types are believed. */
#include <string.h>

#include "lint/net.h"
#include "model/onnx_tensor.h"

static void read_constant(net_value *v)
{
    if (v->tensor) {
        v->type = v->tensor->data_type;
        v->has_shape = onnx_tensor_shape(v->tensor, &v->shape, NULL) == PTQ_OK;
        return;
    }
    if (!v->numbers)
        return;
    bool is_float = v->numbers->has_f || v->numbers->n_floats;
    size_t count = v->numbers->n_floats + v->numbers->n_ints;
    v->type = is_float ? TYPE_FLOAT : TYPE_INT64;
    v->has_shape = true;
    v->shape = count ? shape_make(1, (int64_t[]){(int64_t)count}) : (shape){.rank = 0};
}

static bool gives_numbers(const net_node *node)
{
    return net_is(node, "Shape") || net_is(node, "Size") || net_is(node, "ArgMax") ||
           net_is(node, "ArgMin") || net_is(node, "NonZero") || net_is(node, "NonMaxSuppression");
}

static bool gives_truth(const net_node *node)
{
    return net_is(node, "Equal") || net_is(node, "Greater") || net_is(node, "Less") ||
           net_is(node, "GreaterOrEqual") || net_is(node, "LessOrEqual") || net_is(node, "Not") ||
           net_is(node, "And") || net_is(node, "Or") || net_is(node, "Xor") ||
           net_is(node, "IsNaN") || net_is(node, "IsInf");
}

static int type_of(const net *n, uint32_t value)
{
    return value == NET_NONE ? TYPE_UNKNOWN : n->values[value].type;
}

/* The type a quantizer writes: its zero point's, else what output_dtype says, else ONNX's default.
 */
static int quantizer_type(const net *n, const net_node *node)
{
    int named = (int)net_attr_int(node, "output_dtype", TYPE_UNKNOWN);
    if (node->kind & NET_DQ)
        return named ? named : type_of(n, net_input(node, 1));
    int zero = type_of(n, net_input(node, 2));
    return zero ? zero : named ? named : TYPE_UINT8;
}

static int fill_type(const net_node *node)
{
    const Onnx__AttributeProto *a = onnx_attr(node->src, "value");
    return a && a->t ? a->t->data_type : TYPE_FLOAT;
}

static int result_type(const net *n, const net_node *node, uint32_t output)
{
    if (node->kind & (NET_FOREIGN | NET_FUNCTION | NET_SUBGRAPH))
        return TYPE_UNKNOWN;
    if (node->kind & (NET_Q | NET_DQ))
        return quantizer_type(n, node);
    if (net_is(node, "Cast"))
        return (int)net_attr_int(node, "to", TYPE_UNKNOWN);
    if (gives_numbers(node) || (net_is(node, "TopK") && output == 1))
        return TYPE_INT64;
    if (gives_truth(node))
        return TYPE_BOOL;
    if (net_is(node, "ConstantOfShape"))
        return fill_type(node);
    if (net_is(node, "Where"))
        return type_of(n, net_input(node, 1));
    return type_of(n, net_input(node, 0));
}

/* Shapes only where a constant passes on its way to a layer: weights and their codes. */
static void pass_shape(net *n, const net_node *node)
{
    bool keeps =
        net_is_kind(node, NET_Q | NET_DQ) || net_is(node, "Cast") || net_is(node, "Identity");
    uint32_t x = net_input(node, 0), y = node->n_outputs ? node->outputs[0] : NET_NONE;
    if (!keeps || x == NET_NONE || y == NET_NONE || n->values[y].has_shape)
        return;
    n->values[y].has_shape = n->values[x].has_shape;
    n->values[y].shape = n->values[x].shape;
}

static bool makes_constants(const net *n, const net_node *node)
{
    if (node->kind & (NET_FOREIGN | NET_FUNCTION | NET_SUBGRAPH) || node->n_inputs == 0 ||
        strncmp(node->op, "Random", 6) == 0)
        return false;
    for (uint32_t i = 0; i < node->n_inputs; i++)
        if (node->inputs[i] != NET_NONE && !n->values[node->inputs[i]].is_constant)
            return false;
    return true;
}

void net_find_types(net *n)
{
    for (uint32_t v = 0; v < n->n_values; v++)
        if (n->values[v].is_constant)
            read_constant(&n->values[v]);
    for (uint32_t at = 0; at < n->n_nodes; at++) {
        const net_node *node = &n->nodes[n->order[at]];
        bool is_constant = makes_constants(n, node);
        for (uint32_t k = 0; k < node->n_outputs; k++) {
            net_value *y = node->outputs[k] == NET_NONE ? NULL : &n->values[node->outputs[k]];
            if (!y)
                continue;
            y->is_constant = is_constant;
            if (y->type == TYPE_UNKNOWN)
                y->type = result_type(n, node, k);
        }
        pass_shape(n, node);
    }
}
