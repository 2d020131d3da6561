/* SPDX-License-Identifier: Apache-2.0 */
/* A matrix product of pixels is a 1x1 convolution: Transpose to [N,H,W,C], MatMul, Add of the bias,
 * Transpose back to [N,C,H,W]. */
#include "passes/passes.h"
#include "passes/rewrite.h"

static const int channels_last[4] = {0, 2, 3, 1}, channels_first[4] = {0, 3, 1, 2};

/* The constant's matrix [rows,columns] turned; `s` is its new shape. */
static ptq_status turn_weight(graph *g, tensor_id *id, size_t rows, size_t columns, const shape *s,
                              ptq_error *err)
{
    const float *from = blob_data(graph_tensor_const(g, *id)->data);
    blob *data = blob_create(rows * columns * sizeof *from);
    if (!data)
        return error_no_memory(err, rows * columns * sizeof *from, "weights");
    float *to = blob_data(data);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            to[j * rows + i] = from[i * columns + j];
    ptq_status status = const_replace(g, *id, DTYPE_F32, data, id, err);
    if (status == PTQ_OK)
        graph_tensor(g, *id)->shape = *s;
    blob_unref(&data);
    return status;
}

typedef struct product {
    const node *last; /* the Transpose at its end */
    const char *name;
    tensor_id x, weight, bias; /* bias TENSOR_NONE: none */
    size_t n_in, n_out;
} product;

/* Transpose(Add(MatMul(Transpose(x), weight), bias)), the Add if there is one. */
static bool product_read(const graph *g, node_id id, product *p)
{
    const node *last = graph_node_const(g, id);
    if (last->is_dead || !node_turns(last, 4, channels_first))
        return false;
    *p = (product){.last = last, .bias = TENSOR_NONE};
    tensor_id y = last->inputs[0];
    node_id sum = producer_if(g, y, GRAPH_OP_ADD);
    if (sole_consumer(g, y) == NODE_NONE ||
        (sum != NODE_NONE && !split_operands(g, graph_node_const(g, sum), &y, &p->bias)))
        return false;
    node_id matmul = producer_if(g, y, GRAPH_OP_MATMUL);
    if (matmul == NODE_NONE || sole_consumer(g, y) == NODE_NONE)
        return false;
    const node *m = graph_node_const(g, matmul);
    node_id first = producer_if(g, m->inputs[0], GRAPH_OP_TRANSPOSE);
    if (first == NODE_NONE || !node_turns(graph_node_const(g, first), 4, channels_last))
        return false;
    p->name = m->name;
    p->x = graph_node_const(g, first)->inputs[0];
    p->weight = m->inputs[1];
    return true;
}

/* Whether weight [C,N] and bias [N] are float constants. */
static bool product_measure(const graph *g, product *p)
{
    const shape *w = &graph_tensor_const(g, p->weight)->shape;
    if (w->rank != 2 || !const_floats(g, p->weight, const_count(g, p->weight)))
        return false;
    p->n_in = (size_t)w->dim[0];
    p->n_out = (size_t)w->dim[1];
    return p->bias == TENSOR_NONE ||
           (const_floats(g, p->bias, p->n_out) && graph_tensor_const(g, p->bias)->shape.rank == 1);
}

static ptq_status make_conv(graph *g, node_id id, const product *p, ptq_error *err)
{
    tensor_id inputs[3] = {p->x, p->weight, p->bias};
    tensor_id output = p->last->outputs[0];
    shape s = shape4((int64_t)p->n_out, (int64_t)p->n_in, 1, 1);
    node conv = {.name = p->name, .op = GRAPH_OP_CONV, .n_outputs = 1};
    conv.n_inputs = p->bias == TENSOR_NONE ? 2 : 3;
    conv.inputs = inputs;
    conv.outputs = &output;
    conv.attr.conv = (conv_attr){
        .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1, .act.kind = ACT_NONE};
    PTQ_TRY(turn_weight(g, &inputs[1], p->n_in, p->n_out, &s, err));
    return node_replace(g, id, &conv, err);
}

ptq_status pass_recognise_products(graph *g, ptq_error *err)
{
    int n = graph_n_nodes(g);
    product p;
    for (int i = 0; i < n; i++)
        if (product_read(g, (node_id)i, &p) && product_measure(g, &p))
            PTQ_TRY(make_conv(g, (node_id)i, &p, err));
    return graph_prune(g, err);
}
