/* SPDX-License-Identifier: Apache-2.0 */
/* Where bf16 goes. A convolution's input and output may each be f32 or bf16; operators that pass
 * values on take and give one type. A tensor becomes bf16 when it was made by a bf16 convolution,
 * or an integer one with float results, and reaches a bf16 one through such operators; whoever
 * needs f32 of it reads a Cast. What reaches no convolution, the head and its decode, is f32. */
#include <string.h>

#include "base/mem.h"
#include "passes/lower.h"
#include "passes/rewrite.h"

typedef struct carriage {
    graph *g;
    int n_outputs; /* these are f32; a kept tensor may be bf16 */
    bool *wanted;  /* per tensor: reaches a convolution */
} carriage;

/* Number of inputs that carry values in the type of the output; 0: the node needs f32. */
static int carried_inputs(const node *n)
{
    switch (n->op) {
    case GRAPH_OP_ADD:
    case GRAPH_OP_CONCAT:
        return n->n_inputs;
    case GRAPH_OP_RESIZE:
        return n->attr.resize.mode == RESIZE_NEAREST ? 1 : 0;
    case GRAPH_OP_SILU:
    case GRAPH_OP_RELU:
    case GRAPH_OP_LEAKY_RELU:
    case GRAPH_OP_HARD_SWISH:
    case GRAPH_OP_MAX_POOL:
    case GRAPH_OP_RESHAPE:
    case GRAPH_OP_TRANSPOSE:
    case GRAPH_OP_SPLIT:
    case GRAPH_OP_SLICE:
    case GRAPH_OP_SPACE_TO_DEPTH:
        return 1;
    default:
        return 0;
    }
}

static bool is_bf16(const graph *g, tensor_id id)
{
    return graph_tensor_const(g, id)->type == DTYPE_BF16;
}

static bool is_own_output(const carriage *c, tensor_id id)
{
    for (int i = 0; i < c->n_outputs; i++)
        if (graph_output(c->g, i) == id)
            return true;
    return false;
}

static bool wants_outputs(const carriage *c, const node *n)
{
    bool any = false;
    for (int i = 0; i < n->n_outputs; i++) {
        if (is_own_output(c, n->outputs[i]))
            return false;
        any = any || c->wanted[n->outputs[i]];
    }
    return any;
}

static bool is_bf16_conv(const node *n)
{
    return n->op == GRAPH_OP_CONV && n->attr.conv.compute == COMPUTE_BF16;
}

static bool makes_bf16(const node *n)
{
    return is_bf16_conv(n) || (n->op == GRAPH_OP_QCONV && n->attr.conv.out_scale <= 0);
}

/* From the readers back to the makers. */
static void mark_wanted(carriage *c)
{
    for (int i = graph_n_nodes(c->g) - 1; i >= 0; i--) {
        const node *n = graph_node_const(c->g, (node_id)i);
        if (is_bf16_conv(n))
            c->wanted[n->inputs[0]] = true;
        else if (wants_outputs(c, n))
            for (int k = 0; k < carried_inputs(n); k++)
                c->wanted[n->inputs[k]] = true;
    }
}

/* From the makers on to the readers. */
static void set_types(carriage *c)
{
    for (int i = 0; i < graph_n_nodes(c->g); i++) {
        const node *n = graph_node_const(c->g, (node_id)i);
        bool narrow = wants_outputs(c, n) && (makes_bf16(n) || carried_inputs(n) > 0);
        for (int k = 0; k < carried_inputs(n); k++)
            narrow = narrow && is_bf16(c->g, n->inputs[k]);
        for (int k = 0; narrow && k < n->n_outputs; k++)
            graph_tensor(c->g, n->outputs[k])->type = DTYPE_BF16;
    }
}

static bool takes_bf16(const graph *g, const node *n, tensor_id t)
{
    if (is_bf16_conv(n))
        return n->inputs[1] != t;
    return carried_inputs(n) > 0 && is_bf16(g, n->outputs[0]);
}

/* Sends the readers of `t` that need f32 to a Cast. */
static ptq_status add_cast(graph *g, tensor_id t, ptq_error *err)
{
    node_id *readers;
    int n;
    tensor_id wide = TENSOR_NONE;
    PTQ_TRY(consumers_list(g, t, &readers, &n, err));
    ptq_status status = PTQ_OK;
    for (int i = 0; i < n && status == PTQ_OK; i++) {
        if (takes_bf16(g, graph_node_const(g, readers[i]), t))
            continue;
        if (wide == TENSOR_NONE) {
            op_attr attr = {.cast = {DTYPE_F32}};
            const char *name = name_with_suffix(g, graph_tensor_const(g, t)->name, "_f32");
            status = name ? graph_add_op(g, GRAPH_OP_CAST, name, 1, &t, &attr, NULL, &wide, err)
                          : error_no_memory(err, 0, "a name");
        }
        node *reader = graph_node(g, readers[i]);
        for (int k = 0; status == PTQ_OK && k < reader->n_inputs; k++)
            if (reader->inputs[k] == t)
                reader->inputs[k] = wide;
    }
    mem_free(readers);
    return status;
}

ptq_status lower_bf16_tensors(lowering *l, ptq_error *err)
{
    int n_tensors = graph_n_tensors(l->g);
    carriage c = {l->g, l->n_outputs, mem_array((size_t)n_tensors, sizeof *c.wanted)};
    if (!c.wanted)
        return error_no_memory(err, (size_t)n_tensors, "lowering a graph");
    mark_wanted(&c);
    set_types(&c);
    mem_free(c.wanted);
    for (int i = 0; i < n_tensors; i++)
        if (is_bf16(l->g, (tensor_id)i))
            PTQ_TRY(add_cast(l->g, (tensor_id)i, err));
    return graph_tidy(l->g, err);
}
