/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/qnode.h"

#include <math.h>
#include <string.h>

#include "passes/rewrite.h"

bool code_range_of(dtype type, code_range *out)
{
    switch (type) {
    case DTYPE_I8:
        *out = (code_range){INT8_MIN, INT8_MAX};
        return true;
    case DTYPE_U8:
        *out = (code_range){0, UINT8_MAX};
        return true;
    case DTYPE_I16:
        *out = (code_range){INT16_MIN, INT16_MAX};
        return true;
    case DTYPE_U16:
        *out = (code_range){0, UINT16_MAX};
        return true;
    case DTYPE_I32: /* biases: only ever dequantized */
        *out = (code_range){INT32_MIN, INT32_MAX};
        return true;
    default:
        return false;
    }
}

static int32_t code_at(const tensor *t, size_t i)
{
    const void *data = blob_data(t->data);
    switch (t->type) {
    case DTYPE_I8:
        return ((const int8_t *)data)[i];
    case DTYPE_U8:
        return ((const uint8_t *)data)[i];
    case DTYPE_I16:
        return ((const int16_t *)data)[i];
    case DTYPE_U16:
        return ((const uint16_t *)data)[i];
    default:
        return ((const int32_t *)data)[i];
    }
}

static void put_code(void *data, dtype t, size_t i, int32_t code)
{
    switch (t) {
    case DTYPE_I8:
        ((int8_t *)data)[i] = (int8_t)code;
        break;
    case DTYPE_U8:
        ((uint8_t *)data)[i] = (uint8_t)code;
        break;
    case DTYPE_I16:
        ((int16_t *)data)[i] = (int16_t)code;
        break;
    case DTYPE_U16:
        ((uint16_t *)data)[i] = (uint16_t)code;
        break;
    default:
        ((int32_t *)data)[i] = code;
    }
}

/* Type inference needs shapes, which may not be known yet; the zero point decides, as in ONNX. */
static dtype code_type_of(const graph *g, const node *n, tensor_id zero)
{
    if (zero != TENSOR_NONE)
        return graph_tensor_const(g, zero)->type;
    if (n->op == GRAPH_OP_QUANTIZE_LINEAR)
        return DTYPE_U8;
    dtype t = graph_tensor_const(g, n->inputs[0])->type;
    return t == DTYPE_F32 ? DTYPE_U8 : t;
}

bool qnode_read(const graph *g, node_id id, qnode *out)
{
    if (id == NODE_NONE)
        return false;
    const node *n = graph_node_const(g, id);
    if (n->op != GRAPH_OP_QUANTIZE_LINEAR && n->op != GRAPH_OP_DEQUANTIZE_LINEAR)
        return false;
    qnode q = {.axis = -1, .scale_id = node_input(n, 1), .zero_id = node_input(n, 2)};
    q.n_scales = const_count(g, q.scale_id);
    q.scale = const_floats(g, q.scale_id, q.n_scales);
    if (!q.scale || (q.zero_id != TENSOR_NONE && const_count(g, q.zero_id) != q.n_scales))
        return false;
    code_range range;
    q.code_type = code_type_of(g, n, q.zero_id);
    q.from_half = n->op == GRAPH_OP_QUANTIZE_LINEAR && n->attr.axis.from_half;
    if (!code_range_of(q.code_type, &range))
        return false;
    if (q.n_scales > 1) {
        int rank = graph_tensor_const(g, n->inputs[0])->shape.rank;
        q.axis = n->attr.axis.axis + (n->attr.axis.axis < 0 ? rank : 0);
        if (q.axis < 0 || graph_tensor_const(g, q.scale_id)->shape.rank != 1)
            return false;
    }
    *out = q;
    return true;
}

int32_t qnode_zero(const graph *g, const qnode *q, size_t channel)
{
    return q->zero_id == TENSOR_NONE ? 0 : code_at(graph_tensor_const(g, q->zero_id), channel);
}

bool qnode_is_plain(const qnode *q)
{
    return q->n_scales == 1 && q->scale[0] > 0 && isfinite(q->scale[0]) &&
           (q->code_type == DTYPE_I8 || q->code_type == DTYPE_U8);
}

bool qnode_equal(const graph *g, const qnode *a, const qnode *b)
{
    if (a->n_scales != b->n_scales || a->axis != b->axis || a->code_type != b->code_type ||
        a->from_half != b->from_half ||
        memcmp(a->scale, b->scale, a->n_scales * sizeof *a->scale) != 0)
        return false;
    for (size_t i = 0; i < a->n_scales; i++)
        if (qnode_zero(g, a, i) != qnode_zero(g, b, i))
            return false;
    return true;
}

/* Elements between two neighbours on the channel axis; 0 when the scales do not fit the shape. */
static size_t axis_stride(const shape *s, const qnode *q)
{
    size_t stride = 1;
    if (q->axis < 0)
        return 1;
    if (q->axis >= s->rank || s->dim[q->axis] != (int64_t)q->n_scales)
        return 0;
    for (int d = q->axis + 1; d < s->rank; d++)
        stride *= (size_t)s->dim[d];
    return stride;
}

static ptq_status misfit(const graph *g, tensor_id x, ptq_error *err)
{
    return error_set(err, PTQ_SHAPE, "type or shape of the constant '%s' do not fit its quantizer",
                     graph_tensor_const(g, x)->name);
}

ptq_status qnode_quantize(const graph *g, tensor_id x, const qnode *q, code_range range, blob **out,
                          ptq_error *err)
{
    const tensor *t = graph_tensor_const(g, x);
    size_t n = const_count(g, x), stride = axis_stride(&t->shape, q);
    if (!n || !stride || t->type != DTYPE_F32)
        return misfit(g, x, err);
    blob *data = blob_create(n * dtype_bytes(q->code_type));
    if (!data)
        return error_no_memory(err, n, t->name);
    const float *values = blob_data(t->data);
    for (size_t i = 0; i < n; i++) {
        size_t channel = i / stride % q->n_scales;
        double code = (double)rintf(values[i] / q->scale[channel]) + qnode_zero(g, q, channel);
        /* written so that NaN becomes the lowest code */
        int32_t saturated = code >= range.high ? range.high
                            : code > range.low ? (int32_t)code
                                               : range.low;
        put_code(blob_data(data), q->code_type, i, saturated);
    }
    *out = data;
    return PTQ_OK;
}

ptq_status qnode_dequantize(const graph *g, tensor_id codes, const qnode *q, blob **out,
                            ptq_error *err)
{
    const tensor *t = graph_tensor_const(g, codes);
    size_t n = const_count(g, codes), stride = axis_stride(&t->shape, q);
    if (!n || !stride || t->type != q->code_type)
        return misfit(g, codes, err);
    blob *data = blob_create(n * sizeof(float));
    if (!data)
        return error_no_memory(err, n * sizeof(float), t->name);
    float *values = blob_data(data);
    for (size_t i = 0; i < n; i++) {
        size_t channel = i / stride % q->n_scales;
        int64_t code = (int64_t)code_at(t, i) - qnode_zero(g, q, channel);
        values[i] = (float)code * q->scale[channel];
    }
    *out = data;
    return PTQ_OK;
}

ptq_status qnode_fold(graph *g, node_id id, bool *folded, ptq_error *err)
{
    const node *n = graph_node_const(g, id);
    tensor_id x = n->inputs[0], y = n->outputs[0];
    bool is_q = n->op == GRAPH_OP_QUANTIZE_LINEAR;
    qnode q;
    code_range all;
    blob *values;
    *folded = false;
    if (!graph_is_const(g, x) || graph_is_output(g, y) || !qnode_read(g, id, &q) ||
        !code_range_of(q.code_type, &all))
        return PTQ_OK;
    if (is_q)
        PTQ_TRY(qnode_quantize(g, x, &q, all, &values, err));
    else
        PTQ_TRY(qnode_dequantize(g, x, &q, &values, err));
    ptq_status status = const_replace(g, x, is_q ? q.code_type : DTYPE_F32, values, &x, err);
    blob_unref(&values);
    PTQ_TRY(status);
    graph_replace_uses(g, y, x);
    graph_remove_node(g, id);
    *folded = true;
    return PTQ_OK;
}

ptq_status qnode_add(graph *g, const qnode_desc *d, tensor_id *out, ptq_error *err)
{
    const char *name = graph_unique_name(g, d->name);
    const char *output = name_with_suffix(g, d->output_base, d->output_suffix);
    if (!name || !output)
        return error_no_memory(err, strlen(d->name), "a name");
    tensor_id inputs[3] = {d->x, d->like->scale_id, d->like->zero_id};
    op_attr attr = {.axis = {.axis = d->like->axis < 0 ? 1 : d->like->axis,
                             .from_half = d->op == GRAPH_OP_QUANTIZE_LINEAR && d->like->from_half}};
    int n_inputs = d->like->zero_id == TENSOR_NONE ? 2 : 3;
    PTQ_TRY(graph_add_op(g, d->op, name, n_inputs, inputs, &attr, output, out, err));
    if (d->op == GRAPH_OP_QUANTIZE_LINEAR)
        graph_tensor(g, *out)->type = d->like->code_type;
    return PTQ_OK;
}
