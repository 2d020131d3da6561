/* SPDX-License-Identifier: Apache-2.0 */
/* DQ -> Conv <- DQ(constant) becomes QCONV (op.h): the integer sum of codes, scaled once. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "passes/lower.h"
#include "passes/qnode.h"
#include "passes/rewrite.h"

/* What a QCONV is made of. */
typedef struct integer_conv {
    node conv;
    qnode x, w;
    tensor_id x_codes, w_codes; /* before the DQ */
    size_t n_out;
} integer_conv;

/* Reads a convolution whose two inputs come from DQ: codes of 8 bits with one scale, and constant
 * codes with one scale or one per output channel; its bias is a constant or absent. */
static bool read_integer_conv(const graph *g, node_id id, integer_conv *out)
{
    integer_conv c = {.conv = *graph_node_const(g, id)};
    if (c.conv.is_dead || c.conv.op != GRAPH_OP_CONV)
        return false;
    node_id dx = producer_if(g, c.conv.inputs[0], GRAPH_OP_DEQUANTIZE_LINEAR);
    node_id dw = producer_if(g, c.conv.inputs[1], GRAPH_OP_DEQUANTIZE_LINEAR);
    if (!qnode_read(g, dx, &c.x) || !qnode_read(g, dw, &c.w) || !qnode_is_plain(&c.x))
        return false;
    c.x_codes = graph_node_const(g, dx)->inputs[0];
    c.w_codes = graph_node_const(g, dw)->inputs[0];
    if (!const_count(g, c.w_codes) || (c.w.code_type != DTYPE_I8 && c.w.code_type != DTYPE_U8))
        return false;
    c.n_out = (size_t)graph_tensor_const(g, c.w_codes)->shape.dim[0];
    if (c.w.n_scales != 1 && (c.w.axis != 0 || c.w.n_scales != c.n_out))
        return false;
    for (size_t i = 0; i < c.w.n_scales; i++)
        if (!isfinite(c.w.scale[i]))
            return false;
    tensor_id bias = node_input(&c.conv, 2);
    *out = c;
    return bias == TENSOR_NONE || const_floats(g, bias, c.n_out);
}

/* Weight codes as i8 around zero. A zero point is taken off when all differences still fit. */
static ptq_status signed_codes(graph *g, const integer_conv *c, tensor_id *out, bool *fits,
                               ptq_error *err)
{
    bool is_centred = c->w.code_type == DTYPE_I8;
    for (size_t i = 0; i < c->w.n_scales; i++)
        is_centred = is_centred && qnode_zero(g, &c->w, i) == 0;
    *fits = true;
    *out = c->w_codes;
    if (is_centred)
        return PTQ_OK;
    size_t n = const_count(g, c->w_codes), per_scale = n / c->w.n_scales;
    const void *codes = blob_data(graph_tensor_const(g, c->w_codes)->data);
    blob *data = blob_create(n);
    if (!data)
        return error_no_memory(err, n, "weight codes");
    int8_t *to = blob_data(data);
    for (size_t i = 0; i < n && *fits; i++) {
        int code =
            c->w.code_type == DTYPE_I8 ? ((const int8_t *)codes)[i] : ((const uint8_t *)codes)[i];
        int value = code - qnode_zero(g, &c->w, i / per_scale);
        *fits = value >= INT8_MIN && value <= INT8_MAX;
        to[i] = (int8_t)value;
    }
    const char *name = name_with_suffix(g, c->conv.name, ".weight_i8");
    shape s = graph_tensor_const(g, c->w_codes)->shape;
    ptq_status status = PTQ_OK;
    if (!name)
        status = error_no_memory(err, 0, "a name");
    else if (*fits)
        status = graph_add_const(g, name, DTYPE_I8, &s, data, out, err);
    blob_unref(&data);
    return status;
}

/* One scale per output channel. */
static ptq_status channel_scales(graph *g, const integer_conv *c, tensor_id *out, ptq_error *err)
{
    if (c->w.axis == 0 && c->w.n_scales == c->n_out) {
        *out = c->w.scale_id;
        return PTQ_OK;
    }
    float *scales = mem_array(c->n_out, sizeof *scales);
    if (!scales)
        return error_no_memory(err, c->n_out * sizeof *scales, "weight scales");
    for (size_t i = 0; i < c->n_out; i++)
        scales[i] = c->w.scale[0];
    const char *name = name_with_suffix(g, c->conv.name, ".weight_scales");
    ptq_status status = const_add_vector(g, name, scales, c->n_out, out, err);
    mem_free(scales);
    return status;
}

static ptq_status make_integer(graph *g, node_id id, const integer_conv *c, ptq_error *err)
{
    node n = c->conv;
    tensor_id inputs[4] = {c->x_codes, TENSOR_NONE, TENSOR_NONE, node_input(&n, 2)};
    bool fits;
    PTQ_TRY(signed_codes(g, c, &inputs[1], &fits, err));
    if (!fits)
        return PTQ_OK;
    PTQ_TRY(channel_scales(g, c, &inputs[2], err));
    n.op = GRAPH_OP_QCONV;
    n.inputs = inputs;
    n.n_inputs = inputs[3] == TENSOR_NONE ? 3 : 4;
    n.attr.conv.x_scale = c->x.scale[0];
    n.attr.conv.x_zero = qnode_zero(g, &c->x, 0);
    graph_tensor(g, c->x_codes)->type = c->x.code_type;
    return node_replace(g, id, &n, err);
}

ptq_status lower_integer_convs(lowering *l, ptq_error *err)
{
    int n = graph_n_nodes(l->g);
    integer_conv c;
    for (int i = 0; i < n; i++)
        if (read_integer_conv(l->g, (node_id)i, &c))
            PTQ_TRY(make_integer(l->g, (node_id)i, &c, err));
    return graph_prune(l->g, err);
}

ptq_status lower_integer_outputs(lowering *l, ptq_error *err)
{
    graph *g = l->g;
    int n = graph_n_nodes(g);
    qnode q;
    for (int i = 0; i < n; i++) {
        node conv = *graph_node_const(g, (node_id)i);
        if (conv.is_dead || conv.op != GRAPH_OP_QCONV || conv.attr.conv.out_scale > 0)
            continue;
        node_id reader = sole_consumer(g, conv.outputs[0]);
        if (reader == NODE_NONE || graph_node_const(g, reader)->op != GRAPH_OP_QUANTIZE_LINEAR ||
            !qnode_read(g, reader, &q) || !qnode_is_plain(&q))
            continue;
        if (q.from_half && conv.attr.conv.groups > 1) /* which only the reference could do */
            continue;
        conv.attr.conv.out_scale = q.scale[0];
        conv.attr.conv.out_zero = qnode_zero(g, &q, 0);
        conv.attr.conv.out_from_half = q.from_half;
        conv.outputs = graph_node_const(g, reader)->outputs;
        graph_tensor(g, conv.outputs[0])->type = q.code_type;
        graph_remove_node(g, reader);
        PTQ_TRY(node_replace(g, (node_id)i, &conv, err));
    }
    return graph_tidy(g, err);
}
