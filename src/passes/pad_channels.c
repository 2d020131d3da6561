/* SPDX-License-Identifier: Apache-2.0 */
/* Zero channels that fill a quantized convolution's input up to whole groups of four, and their
 * removal. */
#include <string.h>

#include "passes/passes.h"
#include "passes/qnode.h"
#include "passes/rewrite.h"

enum { GROUP = 4 };

/* x -> Q -> DQ -> Conv <- DQ <- codes: nobody else reads what stands between. */
typedef struct coded_conv {
    node_id quantize, dequantize, weight_dequantize;
    tensor_id x, codes;
} coded_conv;

static bool is_read_once(const graph *g, tensor_id id)
{
    return sole_consumer(g, id) != NODE_NONE;
}

static bool coded_conv_read(const graph *g, node_id id, coded_conv *c)
{
    const node *n = graph_node_const(g, id);
    if (n->is_dead || n->op != GRAPH_OP_CONV || n->attr.conv.groups != 1)
        return false;
    c->dequantize = producer_if(g, n->inputs[0], GRAPH_OP_DEQUANTIZE_LINEAR);
    c->weight_dequantize = producer_if(g, n->inputs[1], GRAPH_OP_DEQUANTIZE_LINEAR);
    if (c->dequantize == NODE_NONE || c->weight_dequantize == NODE_NONE ||
        !is_read_once(g, n->inputs[0]) || !is_read_once(g, n->inputs[1]))
        return false;
    tensor_id q = graph_node_const(g, c->dequantize)->inputs[0];
    c->quantize = producer_if(g, q, GRAPH_OP_QUANTIZE_LINEAR);
    c->codes = graph_node_const(g, c->weight_dequantize)->inputs[0];
    if (c->quantize == NODE_NONE || !is_read_once(g, q) || !graph_is_const(g, c->codes) ||
        !is_read_once(g, c->codes))
        return false;
    qnode w, x;
    const tensor *codes = graph_tensor_const(g, c->codes);
    c->x = graph_node_const(g, c->quantize)->inputs[0];
    return qnode_read(g, c->weight_dequantize, &w) && w.axis <= 0 && w.code_type == DTYPE_I8 &&
           qnode_read(g, c->quantize, &x) && x.axis < 0 && codes->shape.rank == 4;
}

/* The codes with `channels` input channels: cut off, or new ones of 0. */
static ptq_status set_channels(graph *g, tensor_id codes, int64_t channels, ptq_error *err)
{
    tensor *t = graph_tensor(g, codes);
    const shape *s = &t->shape;
    size_t rows = (size_t)s->dim[0], taps = (size_t)(s->dim[2] * s->dim[3]);
    size_t from = (size_t)s->dim[1] * taps, to = (size_t)channels * taps;
    blob *data = blob_create(rows * to);
    if (!data)
        return error_no_memory(err, rows * to, "weights");
    for (size_t i = 0; i < rows; i++)
        memcpy((char *)blob_data(data) + i * to, (const char *)blob_data(t->data) + i * from,
               from < to ? from : to);
    blob_unref(&t->data);
    t->data = data;
    t->shape.dim[1] = channels;
    return PTQ_OK;
}

/* What is not known yet stays for graph_infer_shapes(). */
static ptq_status infer_again(graph *g, const coded_conv *c, ptq_error *err)
{
    const node_id changed[] = {c->quantize, c->dequantize, c->weight_dequantize};
    for (int i = 0; i < 3; i++)
        if (node_inputs_known(g, changed[i]))
            PTQ_TRY(node_infer(g, changed[i], err));
    return PTQ_OK;
}

static ptq_status pad(graph *g, const coded_conv *c, ptq_error *err)
{
    int64_t channels = graph_tensor_const(g, c->codes)->shape.dim[1];
    int64_t amounts[8] = {0}, more = GROUP - channels % GROUP;
    amounts[4 + 1] = more;
    const shape s = shape_make(1, (int64_t[]){8});
    const char *base = graph_tensor_const(g, c->x)->name;
    const char *name = name_with_suffix(g, base, "_pad");
    const char *amounts_name = name_with_suffix(g, base, "_pad_amounts");
    tensor_id inputs[2] = {c->x, TENSOR_NONE}, padded;
    if (!name || !amounts_name)
        return error_no_memory(err, strlen(base), "a name");
    PTQ_TRY(graph_add_const_copy(g, amounts_name, DTYPE_I64, &s, amounts, &inputs[1], err));
    PTQ_TRY(graph_add_op(g, GRAPH_OP_PAD, name, 2, inputs, &(op_attr){.pad = {PAD_CONSTANT}}, NULL,
                         &padded, err));
    graph_node(g, c->quantize)->inputs[0] = padded;
    PTQ_TRY(set_channels(g, c->codes, channels + more, err));
    return infer_again(g, c, err);
}

ptq_status pass_pad_channels(graph *g, ptq_error *err)
{
    int n = graph_n_nodes(g);
    coded_conv c;
    for (int i = 0; i < n; i++)
        if (coded_conv_read(g, (node_id)i, &c) &&
            graph_tensor_const(g, c.codes)->shape.dim[1] < GROUP)
            PTQ_TRY(pad(g, &c, err));
    return graph_tidy(g, err);
}

/* How many channels of 0 a Pad appends, and nothing else; 0: it does something else. */
static int64_t appended_channels(const graph *g, const node *n)
{
    node_padding p;
    bool is_zero = n->n_inputs < 3 || n->inputs[2] == TENSOR_NONE;
    if (n->attr.pad.mode != PAD_CONSTANT || !is_zero || node_pads(g, n, &p, NULL) != PTQ_OK)
        return 0;
    for (int i = 0; i < SHAPE_MAX_RANK; i++)
        if (p.before[i] != 0 || (i != 1 && p.after[i] != 0))
            return 0;
    return p.after[1];
}

ptq_status pass_drop_padded_channels(graph *g, ptq_error *err)
{
    int n = graph_n_nodes(g);
    coded_conv c;
    for (int i = 0; i < n; i++) {
        if (!coded_conv_read(g, (node_id)i, &c) || !is_read_once(g, c.x))
            continue;
        node_id id = producer_if(g, c.x, GRAPH_OP_PAD);
        int64_t more = id == NODE_NONE ? 0 : appended_channels(g, graph_node_const(g, id));
        int64_t channels = graph_tensor_const(g, c.codes)->shape.dim[1] - more;
        if (more < 1 || channels < 1)
            continue;
        graph_node(g, c.quantize)->inputs[0] = graph_node_const(g, id)->inputs[0];
        graph_remove_node(g, id);
        PTQ_TRY(set_channels(g, c.codes, channels, err));
        PTQ_TRY(infer_again(g, &c, err));
    }
    return graph_tidy(g, err);
}
