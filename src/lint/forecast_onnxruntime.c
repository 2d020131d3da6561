/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX Runtime makes an integer operator of a layer whose inputs come from DequantizeLinear and
 * whose one reader is a QuantizeLinear (matmuls also without it). Conditions as release 1.30 has
 * them on x86-64, CPU provider, where it makes signed codes unsigned first: types may be mixed
 * there. */
#include "lint/forecast.h"

#include <math.h>

#include "model/onnx_tensor.h"

/* Data movement through which ONNX Runtime carries a dequantizer to its reader. */
static bool carries_codes(const net_node *node)
{
    return net_is(node, "MaxPool") || net_is(node, "Reshape") || net_is(node, "Transpose") ||
           net_is(node, "Squeeze") || net_is(node, "Unsqueeze") || net_is(node, "Slice");
}

static const quantizer *dequantizer_before(const lint *l, uint32_t value)
{
    const net_node *p = net_producer(l->net, value);
    for (int steps = 0; steps < 16 && carries_codes(p); steps++)
        p = net_producer(l->net, net_input(p, 0));
    const quantizer *q = quantizer_at(l, p);
    return q && !q->is_q ? q : NULL;
}

static bool is_8bit(const quantizer *q)
{
    return q->code_type == TYPE_INT8 || q->code_type == TYPE_UINT8;
}

/* The values that codes stand for reach from *low to *high. */
static void code_limits(const quantizer *q, float *low, float *high)
{
    bool is_signed = q->code_type == TYPE_INT8;
    *low = (float)((is_signed ? -128 : 0) - q->zero_point) * q->scales[0];
    *high = (float)((is_signed ? 127 : 255) - q->zero_point) * q->scales[0];
}

/* Relu and Clip do nothing that the quantizer behind them does not do as well. */
static bool is_redundant(const lint *l, const net_node *clip, const quantizer *q)
{
    float low = 0, high = INFINITY, min, max;
    if (!is_8bit(q) || !quantizer_is_plain(q))
        return false;
    if (net_is(clip, "Clip")) {
        if (net_input(clip, 1) == NET_NONE || !scalar_read(l->net, net_input(clip, 1), &low))
            return false;
        if (net_input(clip, 2) != NET_NONE && !scalar_read(l->net, net_input(clip, 2), &high))
            return false;
    }
    code_limits(q, &min, &max);
    return min >= low && max <= high;
}

/* The quantizer that alone reads the result, perhaps behind a Relu; else why there is none. */
static const quantizer *quantizer_after(lint *l, const net_node *node, const char **why)
{
    const net *n = l->net;
    uint32_t y = node->n_outputs ? node->outputs[0] : NET_NONE;
    const net_value *v = y == NET_NONE ? NULL : &n->values[y];
    *why = "its result is an output of the network";
    if (!v || v->is_output || v->n_readers == 0)
        return NULL;
    const net_node *reader = &n->nodes[v->readers[0]];
    *why = lint_text(l, "'%s' (%s) reads its result, not a QuantizeLinear alone", reader->name,
                     reader->op);
    const quantizer *q = v->n_readers == 1 ? quantizer_at(l, reader) : NULL;
    if (q && q->is_q)
        return q;
    if (v->n_readers != 1 || !(net_is(reader, "Relu") || net_is(reader, "Clip")) ||
        reader->n_outputs < 1 || reader->outputs[0] == NET_NONE)
        return NULL;
    v = &n->values[reader->outputs[0]];
    q = v->n_readers == 1 && !v->is_output ? quantizer_at(l, &n->nodes[v->readers[0]]) : NULL;
    if (!q || !q->is_q || is_redundant(l, reader, q))
        return q && q->is_q ? q : NULL;
    *why = lint_text(l,
                     "'%s' (%s) stands before its quantizer, whose codes reach below zero; ONNX "
                     "Runtime drops it only with a zero point at the lowest code",
                     reader->name, reader->op);
    return NULL;
}

/* ONNX Runtime quantizes a float weight itself, when it is a constant of a Conv or Gemm. */
static bool will_be_quantized(const lint *l, const layer *a)
{
    uint32_t w = net_input(a->node, 1);
    return !net_is(a->node, "MatMul") && w != NET_NONE && l->net->values[w].tensor &&
           l->net->values[w].type == TYPE_FLOAT;
}

static const char *input_obstacle(lint *l, const layer *a, const quantizer *x, const quantizer *w)
{
    if (!x && !w)
        return "not quantized";
    if (!x)
        return "no DequantizeLinear stands before its input";
    if (!w && !will_be_quantized(l, a))
        return "no DequantizeLinear stands before its weight";
    if (x->scale.count != 1 && !net_is(a->node, "MatMul"))
        return "its input has a scale per channel";
    if (!is_8bit(x) || (w && !is_8bit(w)))
        return lint_text(l, "codes of %s and %s", onnx_type_name(x->code_type),
                         onnx_type_name(w ? w->code_type : TYPE_INT8));
    return NULL;
}

/* An integer operator takes the bias in steps of input scale times weight scale; ONNX Runtime 1.30
 * wants them within 1 %. */
static bool has_bias_scale(const quantizer *bias, const quantizer *x, const quantizer *w)
{
    if (!w || bias->scale.count != w->scale.count)
        return false;
    if (!bias->scale.is_readable || !x->scale.is_readable || !w->scale.is_readable)
        return true;
    for (size_t i = 0; i < w->scale.count; i++) {
        float wanted = x->scales[0] * w->scales[i];
        if (!(fabsf(bias->scales[i] - wanted) <= 0.01f * fabsf(wanted)))
            return false;
    }
    return true;
}

/* A bias: none, int32 codes, or a constant that ONNX Runtime quantizes itself. */
static const char *bias_obstacle(lint *l, const layer *a, bool may_be_float)
{
    uint32_t bias = net_input(a->node, 2);
    const quantizer *x = dequantizer_before(l, net_input(a->node, 0));
    const quantizer *w = dequantizer_before(l, net_input(a->node, 1));
    const quantizer *q = quantizer_at(l, net_producer(l->net, bias));
    if (bias == NET_NONE)
        return NULL;
    if (!q || q->is_q) {
        bool is_written = l->net->values[bias].is_constant && !net_producer(l->net, bias);
        return may_be_float && is_written ? NULL : "its bias is float";
    }
    if (q->code_type != TYPE_INT32)
        return "the codes of its bias are not int32";
    return has_bias_scale(q, x, w)
               ? NULL
               : "the scale of its bias is not that of its input times that of its weight";
}

const char *onnxruntime_obstacle(lint *l, const layer *a)
{
    bool is_conv = net_is(a->node, "Conv"), is_matmul = net_is(a->node, "MatMul");
    if (!is_conv && !is_matmul && !net_is(a->node, "Gemm"))
        return lint_text(l, "ONNX Runtime has no integer %s", a->node->op);
    const quantizer *x = dequantizer_before(l, net_input(a->node, 0));
    const quantizer *w = dequantizer_before(l, net_input(a->node, 1));
    const char *without_output, *why = input_obstacle(l, a, x, w);
    bool has_output = quantizer_after(l, a->node, &without_output) != NULL;
    if (!why && !has_output && (is_conv || !w))
        why = w ? without_output : "its weight is not quantized";
    if (!why && !is_matmul)
        why = bias_obstacle(l, a, has_output);
    return why;
}
