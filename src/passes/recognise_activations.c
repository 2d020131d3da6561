/* SPDX-License-Identifier: Apache-2.0 */
/* Activations that exports spell out in several nodes become one. Silu and HardSwish keep the name
 * of the last node of the pattern, so that writing them out again gives the same file. */
#include <math.h>

#include "passes/passes.h"
#include "passes/rewrite.h"

/* Whether `id` is an f32 constant of one element, equal to `value` in float32. */
static bool is_scalar(const graph *g, tensor_id id, float value)
{
    const float *v = const_floats(g, id, 1);
    return v && fabsf(*v - value) <= 1e-6f * fabsf(value);
}

/* The other input of a two-input node when one is a constant `value`, else TENSOR_NONE. */
static tensor_id other_of_scalar(const graph *g, const node *n, float value)
{
    if (is_scalar(g, n->inputs[1], value))
        return n->inputs[0];
    return is_scalar(g, n->inputs[0], value) ? n->inputs[1] : TENSOR_NONE;
}

/* x of clip(x+3, 0, 6), else TENSOR_NONE. */
static tensor_id shifted_relu6(const graph *g, tensor_id id)
{
    node_id clip = producer_if(g, id, GRAPH_OP_CLIP);
    if (clip == NODE_NONE)
        return TENSOR_NONE;
    const node *c = graph_node_const(g, clip);
    if (c->n_inputs != 1 || c->attr.clip.min != 0.0f || c->attr.clip.max != 6.0f)
        return TENSOR_NONE;
    node_id add = producer_if(g, c->inputs[0], GRAPH_OP_ADD);
    return add == NODE_NONE ? TENSOR_NONE : other_of_scalar(g, graph_node_const(g, add), 3.0f);
}

/* v of v/6 or v*(1/6), else TENSOR_NONE. */
static tensor_id sixth_of(const graph *g, const node *n)
{
    if (n->op == GRAPH_OP_DIV && is_scalar(g, n->inputs[1], 6.0f))
        return n->inputs[0];
    return n->op == GRAPH_OP_MUL ? other_of_scalar(g, n, 1.0f / 6.0f) : TENSOR_NONE;
}

/* x of hardsigmoid(x) = clip(x/6 + 1/2, 0, 1), in any spelling, else TENSOR_NONE. */
static tensor_id hard_sigmoid_of(const graph *g, tensor_id id)
{
    node_id p = graph_producer(g, id);
    if (p == NODE_NONE)
        return TENSOR_NONE;
    const node *n = graph_node_const(g, p);
    if (n->op == GRAPH_OP_HARD_SIGMOID) {
        bool same = fabsf(n->attr.slope.alpha - 1.0f / 6.0f) < 1e-6f && n->attr.slope.beta == 0.5f;
        return same ? n->inputs[0] : TENSOR_NONE;
    }
    tensor_id six = sixth_of(g, n);
    return six == TENSOR_NONE ? TENSOR_NONE : shifted_relu6(g, six);
}

/* Input of a product x*f(x), where `f_of` finds the x of f(x). */
static tensor_id product_with(const graph *g, const node *n,
                              tensor_id (*f_of)(const graph *g, tensor_id id))
{
    for (int i = 0; n->op == GRAPH_OP_MUL && i < 2; i++) {
        tensor_id x = f_of(g, n->inputs[i]);
        if (x != TENSOR_NONE && x == n->inputs[1 - i])
            return x;
    }
    return TENSOR_NONE;
}

static tensor_id sigmoid_of(const graph *g, tensor_id id)
{
    node_id p = producer_if(g, id, GRAPH_OP_SIGMOID);
    return p == NODE_NONE ? TENSOR_NONE : graph_node_const(g, p)->inputs[0];
}

/* x of (x * clip(x+3, 0, 6)) / 6. */
static tensor_id hard_swish_of(const graph *g, const node *n)
{
    node_id product = graph_producer(g, sixth_of(g, n));
    return product == NODE_NONE ? TENSOR_NONE
                                : product_with(g, graph_node_const(g, product), shifted_relu6);
}

static void become(node *n, graph_op op, tensor_id x)
{
    n->op = op;
    n->inputs[0] = x;
    n->n_inputs = 1;
    n->attr = (op_attr){0};
}

ptq_status pass_recognise_activations(graph *g, ptq_error *err)
{
    for (int i = 0; i < graph_n_nodes(g); i++) {
        node *n = graph_node(g, (node_id)i);
        if (n->is_dead || (n->op != GRAPH_OP_MUL && n->op != GRAPH_OP_DIV))
            continue;
        tensor_id silu = product_with(g, n, sigmoid_of);
        tensor_id swish = product_with(g, n, hard_sigmoid_of);
        if (swish == TENSOR_NONE)
            swish = hard_swish_of(g, n);
        if (silu != TENSOR_NONE)
            become(n, GRAPH_OP_SILU, silu);
        else if (swish != TENSOR_NONE)
            become(n, GRAPH_OP_HARD_SWISH, swish);
    }
    return graph_prune(g, err);
}
