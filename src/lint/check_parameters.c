/* SPDX-License-Identifier: Apache-2.0 */
/* What each quantizer says: scale, zero point, type of the codes, axis, and the opset they need. */
#include <math.h>

#include "lint/check.h"
#include "model/onnx_tensor.h"

#define SMALLEST_NORMAL_HALF 0x1p-14f /* 6.10e-05 */

/* "input of 'model.0.conv'", or the tensor when no layer reads the codes. */
static const char *subject(lint *l, const quantizer *q)
{
    static const char *const roles[] = {"input", "weight", "bias"};
    if (q->layer && (q->layer_input != 1 || q->is_of_constant))
        return lint_text(l, "%s of '%s'", roles[q->layer_input], q->layer->name);
    if (q->layer)
        return lint_text(l, "second input of '%s'", q->layer->name);
    return lint_text(l, "tensor '%s'", q->x == NET_NONE ? "" : l->net->values[q->x].name);
}

/* A dequantizer repeats what its quantizer says; telling it once is enough. */
static bool is_repeated(const lint *l, const quantizer *q)
{
    const quantizer *before = q->is_q ? NULL : quantizer_at(l, net_producer(l->net, q->x));
    return before && before->is_q && quantizer_same(before, q);
}

static lint_place at(lint_rule rule, const quantizer *q)
{
    return (lint_place){rule, q->node, NULL};
}

/* ---- scales ---- */

static const char *range_line(lint *l, const quantizer *q, const char *range)
{
    return q->layer && q->layer_input == 0 ? lint_layer_line(l, q->layer->name, range) : NULL;
}

static void check_scale_values(lint *l, const quantizer *q)
{
    size_t n_bad = 0, n_small = 0;
    float bad = 0, small = 0;
    for (size_t i = 0; i < q->scale.count; i++) {
        float s = q->scales[i];
        bool is_good = s > 0 && isfinite(s);
        if (!is_good && n_bad++ == 0)
            bad = s;
        if (is_good && s < SMALLEST_NORMAL_HALF && n_small++ == 0)
            small = s;
    }
    if (n_bad)
        lint_add(
            l,
            (lint_place){RULE_SCALE_NOT_POSITIVE, q->node, range_line(l, q, "input: {amax: 1.0}")},
            "%zu of %zu scales for the %s: the first is %g; a scale must be above 0", n_bad,
            q->scale.count, subject(l, q), (double)bad);
    if (n_small && q->scale.type == TYPE_FLOAT16)
        lint_add(
            l,
            (lint_place){RULE_SCALE_NOT_NORMAL, q->node, range_line(l, q, "input: {amax: 0.008}")},
            "%zu of %zu float16 scales for the %s: the first is %g, below 6.104e-05 float16 "
            "loses digits, below 5.96e-08 it is 0",
            n_small, q->scale.count, subject(l, q), (double)small);
}

static void check_scale(lint *l, const quantizer *q)
{
    if (q->scale.value == NET_NONE)
        lint_add(l, at(RULE_UNREADABLE_CONSTANT, q), "the quantizer of the %s has no scale",
                 subject(l, q));
    else if (!q->scale.is_constant)
        lint_add(l, at(RULE_SCALE_NOT_CONSTANT, q), "the scale '%s' for the %s is computed",
                 l->net->values[q->scale.value].name, subject(l, q));
    else if (q->scale.is_readable)
        check_scale_values(l, q);
    else if (net_constant_behind(l->net, q->scale.value) != NET_NONE)
        lint_add(l, at(RULE_UNREADABLE_CONSTANT, q), "the scale '%s' for the %s cannot be read",
                 l->net->values[q->scale.value].name, subject(l, q));
    int x_type = q->is_q && q->x != NET_NONE ? l->net->values[q->x].type : TYPE_UNKNOWN;
    bool both = net_type_is_float(x_type) && net_type_is_float(q->scale.type);
    bool is_cast = is_tensorrt(l) && l->net->file.opset < 19; /* its parser adds a Cast then */
    if (both && x_type != q->scale.type && l->net->file.opset < 23 && !is_cast)
        lint_add(l, at(RULE_SCALE_TYPE, q), "the scale for the %s is %s, what it quantizes is %s",
                 subject(l, q), onnx_type_name(q->scale.type), onnx_type_name(x_type));
}

/* ---- zero points ---- */

static void check_zero(lint *l, const quantizer *q)
{
    bool is_float = q->code_type >= TYPE_FLOAT8E4M3FN && q->code_type <= TYPE_FLOAT8E5M2FNUZ;
    if (q->zero.value == NET_NONE) {
        if (q->is_q && q->code_type == TYPE_UINT8 && !onnx_attr(q->node->src, "output_dtype"))
            lint_add(l, at(RULE_ZERO_POINT_MISSING, q),
                     "no zero point for the %s: ONNX rounds it to uint8, TensorRT to int8",
                     subject(l, q));
        return;
    }
    if (!q->zero.is_constant)
        lint_add(l, at(RULE_ZERO_POINT_NOT_CONSTANT, q),
                 "the zero point '%s' of the %s is computed", l->net->values[q->zero.value].name,
                 subject(l, q));
    else if (q->zero.is_readable && !q->is_zero && !is_float)
        lint_add(l, at(RULE_ZERO_POINT_NOT_ZERO, q),
                 "the %s has a zero point that is not 0; %s quantizes symmetrically only",
                 subject(l, q), lint_target_name(l->target));
    else if (!q->zero.is_readable && net_constant_behind(l->net, q->zero.value) != NET_NONE)
        lint_add(l, at(RULE_UNREADABLE_CONSTANT, q), "the zero point '%s' of the %s cannot be read",
                 l->net->values[q->zero.value].name, subject(l, q));
    if (q->zero.is_constant && q->scale.is_constant && q->zero.count != q->scale.count)
        lint_add(l, at(RULE_ZERO_POINT_SHAPE, q), "the %s has %zu scales and %zu zero points",
                 subject(l, q), q->scale.count, q->zero.count);
}

/* ---- types of codes ---- */

static bool is_sub_byte(int type)
{
    return type == TYPE_INT4 || type == TYPE_UINT4 || type > TYPE_INT4;
}

/* TensorRT: int4 for weights of matmuls, an even last dimension. */
static void check_sub_byte(lint *l, const quantizer *q)
{
    const char *type = onnx_type_name(q->code_type);
    if (!q->is_of_constant)
        lint_add(l, at(RULE_SUB_BYTE_TYPE, q), "the %s is quantized to %s; only weights can be",
                 subject(l, q), type);
    else if (!is_tensorrt(l) || q->code_type != TYPE_INT4)
        lint_add(l, at(RULE_SUB_BYTE_TYPE, q), "the %s has codes of type %s", subject(l, q), type);
    else if (net_is_kind(q->layer, NET_CONV))
        lint_add(l, at(RULE_SUB_BYTE_TYPE, q),
                 "the %s has int4 codes; TensorRT takes them for matmuls only", subject(l, q));
    else if (net_dim(l->net, q->x, -1) % 2 == 1)
        lint_add(l, at(RULE_SUB_BYTE_TYPE, q),
                 "the %s has int4 codes and an odd last dimension, which cannot be packed",
                 subject(l, q));
}

static void check_type(lint *l, const quantizer *q)
{
    int type = q->code_type;
    const char *name = onnx_type_name(type);
    if (type == TYPE_UINT8 && q->zero.value == NET_NONE && q->is_q)
        return; /* TensorRT reads it as int8: zero-point-missing */
    if (type == TYPE_UINT8)
        lint_add(l, at(RULE_UNSIGNED_TYPE, q),
                 "the %s is quantized to unsigned codes (uint8); TensorRT has int8 only",
                 subject(l, q));
    else if (type == TYPE_UINT16 || type == TYPE_INT16)
        lint_add(l, at(RULE_SIXTEEN_BIT_TYPE, q), "the %s is quantized to %s", subject(l, q), name);
    else if (type == TYPE_INT32)
        lint_add(l, at(RULE_QUANTIZED_BIAS, q),
                 "the %s is stored as int32 codes; TensorRT wants it in float", subject(l, q));
    else if (is_sub_byte(type))
        check_sub_byte(l, q);
    else if (type >= TYPE_FLOAT8E4M3FN && (type > TYPE_FLOAT8E4M3FN || !is_tensorrt(l)))
        lint_add(l, at(RULE_FLOAT8_TYPE, q), "the %s is quantized to %s", subject(l, q), name);
}

/* ---- axis ---- */

/* Axis of the output channels in a weight of known rank; -1 when there is no such axis. */
static int64_t output_axis(const net *n, const quantizer *q)
{
    if (!q->layer || q->layer_input != 1 || !q->is_of_constant || q->y == NET_NONE ||
        net_input(q->layer, 1) == NET_NONE)
        return -1;
    const net_node *p = net_producer(n, net_input(q->layer, 1));
    bool is_direct = p && net_is_kind(p, NET_DQ);
    if (!is_direct || !n->values[q->x].has_shape)
        return -1;
    if (net_is(q->layer, "ConvTranspose"))
        return 1;
    if (net_is(q->layer, "Gemm"))
        return net_attr_int(q->layer, "transB", 0) ? 0 : 1;
    return net_is(q->layer, "MatMul") ? n->values[q->x].shape.rank - 1 : 0;
}

static void check_several_scales(lint *l, const quantizer *q)
{
    const net *n = l->net;
    int64_t axis = !q->has_axis && is_tensorrt(l) ? 0 : q->axis;
    int64_t size = net_dim(n, q->x, axis), output = output_axis(n, q);
    if (!q->is_of_constant) {
        lint_add(l,
                 (lint_place){RULE_PER_CHANNEL_ACTIVATION, q->node,
                              range_line(l, q, "input: {axis: null}")},
                 "the %s has %zu scales; activations take one", subject(l, q), q->scale.count);
        return;
    }
    if (!q->has_axis)
        lint_add(l, at(RULE_AXIS_MISSING, q),
                 "the %s has %zu scales and no axis: ONNX means 1, TensorRT reads 0", subject(l, q),
                 q->scale.count);
    int rank = q->x != NET_NONE && n->values[q->x].has_shape ? n->values[q->x].shape.rank : -1;
    bool is_outside = rank > 0 && (axis >= rank || axis < -rank);
    if (is_outside)
        lint_add(l, at(RULE_AXIS_WRONG, q), "the %s has %d axes, and its scales are on axis %lld",
                 subject(l, q), rank, (long long)axis);
    else if (size >= 0 && (size_t)size != q->scale.count)
        lint_add(l, at(RULE_AXIS_WRONG, q), "the %s has %zu scales, but %lld channels on axis %lld",
                 subject(l, q), q->scale.count, (long long)size, (long long)axis);
    else if (output >= 0 && (axis < 0 ? axis + rank : axis) != output)
        lint_add(l, at(RULE_AXIS_NOT_OUTPUT, q),
                 "the scales for the %s are on axis %lld; its output channels are on axis %lld",
                 subject(l, q), (long long)axis, (long long)output);
}

static void check_axis(lint *l, const quantizer *q)
{
    bool is_block = q->block_size > 0 || q->scale.shape.rank > 1;
    bool is_int8 = q->code_type == TYPE_INT8 || q->code_type == TYPE_UINT8;
    int64_t output = output_axis(l->net, q);
    if (is_block && q->scale.count > 1 && is_int8)
        lint_add(l, at(RULE_BLOCK_QUANTIZED, q), "the %s has %zu scales for blocks of int8 codes",
                 subject(l, q), q->scale.count);
    else if (q->scale.count > 1 && !is_block && q->scale.is_constant && q->code_type != TYPE_INT32)
        check_several_scales(l, q);
    else if (q->scale.count == 1 && is_int8 && output >= 0 && net_dim(l->net, q->x, output) > 1)
        lint_add(l, at(RULE_PER_TENSOR_WEIGHT, q), "the %s has one scale for %lld output channels",
                 subject(l, q), (long long)net_dim(l->net, q->x, output));
}

/* ---- opset ---- */

static void check_opset_of(lint *l, const quantizer *q)
{
    int needs = 10;
    const char *what = "a quantizer";
    if (q->has_axis || q->scale.count > 1) {
        needs = 13;
        what = "an axis";
    }
    if (q->scale.type == TYPE_FLOAT16 || q->scale.type == TYPE_BFLOAT16 ||
        (q->code_type >= TYPE_FLOAT8E4M3FN && q->code_type <= TYPE_FLOAT8E5M2FNUZ)) {
        needs = 19;
        what = q->scale.type == TYPE_FLOAT ? "an 8-bit float" : "a 16-bit scale";
    }
    if (q->code_type == TYPE_UINT16 || q->code_type == TYPE_INT16 || is_sub_byte(q->code_type) ||
        q->block_size || onnx_attr(q->node->src, "output_dtype")) {
        needs = q->code_type >= TYPE_FLOAT4E2M1 ? 23 : 21;
        what = q->block_size ? "a block size" : onnx_type_name(q->code_type);
    }
    if (onnx_is_default_domain(q->node->src->domain) && l->net->file.opset < needs)
        lint_add(l, at(RULE_OPSET_TOO_LOW, q),
                 "the quantizer of the %s has %s, which needs opset %d; the file says %d",
                 subject(l, q), what, needs, l->net->file.opset);
}

void check_parameters(lint *l)
{
    for (uint32_t i = 0; i < l->n_quantizers; i++) {
        const quantizer *q = &l->quantizers[i];
        check_opset_of(l, q);
        if (is_repeated(l, q))
            continue;
        check_scale(l, q);
        check_zero(l, q);
        check_type(l, q);
        check_axis(l, q);
    }
}
