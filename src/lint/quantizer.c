/* SPDX-License-Identifier: Apache-2.0 */
#include "lint/quantizer.h"

#include <string.h>

#include "model/onnx_tensor.h"

/* A scale may pass these on its way to the quantizer without changing its numbers. */
static uint32_t written_constant(const net *n, uint32_t value)
{
    for (int steps = 0; steps < 8 && value != NET_NONE; steps++) {
        const net_node *p = net_producer(n, value);
        if (!p)
            return n->values[value].is_constant ? value : NET_NONE;
        if (!net_is(p, "Cast") && !net_is(p, "Identity") && !net_is(p, "Reshape") &&
            !net_is(p, "Squeeze") && !net_is(p, "Unsqueeze"))
            return NET_NONE;
        value = net_input(p, 0);
    }
    return NET_NONE;
}

/* Numbers in attributes of a Constant node: value_float, value_floats. */
static float *numbers_of(const Onnx__AttributeProto *a, arena *room, size_t *count)
{
    *count = a->has_f ? 1 : a->n_floats;
    float *out = arena_alloc(room, *count, sizeof *out);
    if (out && *count)
        memcpy(out, a->has_f ? &a->f : a->floats, *count * sizeof *out);
    return out;
}

static ptq_status read_scales(const net *n, uint32_t written, arena *a, quantizer *q,
                              ptq_error *err)
{
    const net_value *v = &n->values[written];
    if (v->numbers) {
        q->scales = numbers_of(v->numbers, a, &q->scale.count);
        q->scale.is_readable = q->scales && q->scale.count > 0;
        return q->scales ? PTQ_OK : error_no_memory(err, v->numbers->n_floats, "scales");
    }
    onnx_values values = {0};
    if (!v->tensor || onnx_tensor_read(v->tensor, n->dir, n->max_bytes, &values, NULL) != PTQ_OK)
        return PTQ_OK;
    ptq_status status = PTQ_OK;
    if (values.type == DTYPE_F32 && shape_count(&values.shape, &q->scale.count)) {
        q->scales = arena_alloc(a, q->scale.count, sizeof *q->scales);
        if (!q->scales)
            status = error_no_memory(err, q->scale.count * sizeof *q->scales, "scales");
        else if (q->scale.count)
            memcpy(q->scales, blob_data(values.data), q->scale.count * sizeof *q->scales);
        q->scale.is_readable = q->scales && q->scale.count > 0;
    }
    blob_unref(&values.data);
    return status;
}

static bool all_zero(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

/* 8-bit floats and newer types, which nothing else here reads: whether their bytes are zeros. */
static bool exotic_zero(const Onnx__TensorProto *t, bool *is_readable)
{
    *is_readable = t->has_raw_data || t->n_int32_data > 0;
    return all_zero(t->raw_data.data, t->has_raw_data ? t->raw_data.len : 0) &&
           all_zero(t->int32_data, t->n_int32_data * sizeof *t->int32_data);
}

static void read_zeros(const net *n, uint32_t written, quantizer *q)
{
    const net_value *v = &n->values[written];
    onnx_values values = {0};
    if (v->numbers) {
        q->zero.is_readable = true;
        q->is_zero = v->numbers->i == 0 && v->numbers->f == 0;
    } else if (v->tensor && v->tensor->data_type >= TYPE_FLOAT8E4M3FN && !onnx_is_4bit(v->tensor)) {
        q->is_zero = exotic_zero(v->tensor, &q->zero.is_readable);
    } else if (v->tensor &&
               onnx_tensor_read(v->tensor, n->dir, n->max_bytes, &values, NULL) == PTQ_OK) {
        q->zero.is_readable = true;
        q->is_zero = all_zero(blob_data(values.data), blob_size(values.data));
        if (values.type == DTYPE_I8 && blob_size(values.data))
            q->zero_point = *(const int8_t *)blob_data(values.data);
        if (values.type == DTYPE_U8 && blob_size(values.data))
            q->zero_point = *(const uint8_t *)blob_data(values.data);
        blob_unref(&values.data);
    }
}

static quantizer_constant describe(const net *n, const net_node *node, uint32_t input)
{
    quantizer_constant c = {.value = net_input(node, input)};
    if (c.value == NET_NONE)
        return c;
    const net_value *v = &n->values[c.value];
    c.is_constant = v->is_constant;
    c.type = v->type;
    uint32_t written = written_constant(n, c.value);
    const net_value *w = written == NET_NONE ? v : &n->values[written];
    c.shape = w->has_shape ? w->shape : (shape){.rank = 0};
    if (!w->has_shape || !shape_count(&c.shape, &c.count))
        c.count = 1;
    return c;
}

static int type_of_codes(const net *n, const quantizer *q)
{
    int named = (int)net_attr_int(q->node, "output_dtype", TYPE_UNKNOWN);
    if (q->zero.value != NET_NONE && q->zero.type)
        return q->zero.type;
    if (q->is_q)
        return named ? named : TYPE_UINT8;
    return q->x == NET_NONE ? TYPE_UNKNOWN : n->values[q->x].type;
}

/* The first layer with weights behind the codes, through dequantizers and data movement. */
static void find_layer(const net *n, quantizer *q)
{
    enum { MAX_STEPS = 32 };
    uint32_t value = q->y;
    for (int steps = 0; steps < MAX_STEPS && value != NET_NONE; steps++) {
        const net_node *onward = NULL;
        for (uint32_t r = 0; r < n->values[value].n_readers; r++) {
            const net_node *reader = &n->nodes[n->values[value].readers[r]];
            if (net_is_kind(reader, NET_WEIGHTED)) {
                q->layer = reader;
                q->layer_input = net_input(reader, 0) == value   ? 0
                                 : net_input(reader, 1) == value ? 1
                                                                 : 2;
                return;
            }
            if (!onward && net_is_kind(reader, NET_DQ | NET_MOVES))
                onward = reader;
        }
        value = onward && onward->n_outputs ? onward->outputs[0] : NET_NONE;
    }
}

ptq_status quantizer_read(const net *n, const net_node *node, arena *a, quantizer *out,
                          ptq_error *err)
{
    quantizer q = {.node = node, .is_q = net_is_kind(node, NET_Q), .x = net_input(node, 0)};
    q.y = node->n_outputs ? node->outputs[0] : NET_NONE;
    q.scale = describe(n, node, 1);
    q.zero = describe(n, node, 2);
    uint32_t scale = q.scale.value == NET_NONE ? NET_NONE : written_constant(n, q.scale.value);
    uint32_t zero = q.zero.value == NET_NONE ? NET_NONE : written_constant(n, q.zero.value);
    if (scale != NET_NONE)
        PTQ_TRY(read_scales(n, scale, a, &q, err));
    if (zero != NET_NONE)
        read_zeros(n, zero, &q);
    if (q.zero.value == NET_NONE)
        q.is_zero = true;
    q.code_type = type_of_codes(n, &q);
    q.has_axis = onnx_attr(node->src, "axis") != NULL;
    q.axis = net_attr_int(node, "axis", 1);
    q.block_size = net_attr_int(node, "block_size", 0);
    q.is_of_constant = q.x != NET_NONE && n->values[q.x].is_constant;
    find_layer(n, &q);
    *out = q;
    return PTQ_OK;
}

bool scalar_read(const net *n, uint32_t value, float *out)
{
    uint32_t written = value == NET_NONE ? NET_NONE : written_constant(n, value);
    const net_value *v = written == NET_NONE ? NULL : &n->values[written];
    onnx_values values = {0};
    if (v && v->numbers && v->numbers->has_f) {
        *out = v->numbers->f;
        return true;
    }
    if (!v || !v->tensor ||
        onnx_tensor_read(v->tensor, n->dir, n->max_bytes, &values, NULL) != PTQ_OK)
        return false;
    bool is_one = values.type == DTYPE_F32 && blob_size(values.data) == sizeof *out;
    if (is_one)
        memcpy(out, blob_data(values.data), sizeof *out);
    blob_unref(&values.data);
    return is_one;
}

bool quantizer_is_plain(const quantizer *q)
{
    return q->scale.is_readable && q->scale.count == 1 && q->block_size == 0;
}

bool quantizer_same(const quantizer *a, const quantizer *b)
{
    if (a->code_type != b->code_type || a->is_zero != b->is_zero)
        return false;
    if (a->scale.value == b->scale.value)
        return true;
    return a->scale.is_readable && b->scale.is_readable && a->scale.count == b->scale.count &&
           memcmp(a->scales, b->scales, a->scale.count * sizeof *a->scales) == 0;
}
