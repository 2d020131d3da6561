/* SPDX-License-Identifier: Apache-2.0 */
#include "lint/forecast.h"

#include <string.h>

#include "lint/flow.h"
#include "lint/operators.h"
#include "model/onnx_tensor.h"

static bool is_8bit(const quantizer *q)
{
    return q->code_type == TYPE_INT8 || q->code_type == TYPE_UINT8;
}

static bool is_float8(const quantizer *q)
{
    return q->code_type >= TYPE_FLOAT8E4M3FN && q->code_type <= TYPE_FLOAT8E5M2FNUZ;
}

/* ---- TensorRT ---- */

static const char *float_precision(const lint *l, const layer *a)
{
    if (l->target == LINT_TENSORRT10)
        return "fp16";
    uint32_t x = net_input(a->node, a->data_input);
    int type = x == NET_NONE ? TYPE_UNKNOWN : l->net->values[x].type;
    return type == TYPE_FLOAT16 ? "fp16" : type == TYPE_BFLOAT16 ? "bf16" : "fp32";
}

static const char *reader_of(lint *l, const demand *d)
{
    const net_node *r = d->float_reader;
    return r ? lint_text(l, "'%s' (%s)", r->name, r->op) : "the output of the network";
}

/* In which form the result leaves the kernel. */
static const char *way_out(lint *l, const layer *a)
{
    const net_node *add;
    uint32_t end = layer_end(l, a->node, &add);
    const demand *d = end == NET_NONE ? NULL : &l->demands[end];
    if (!d || (!d->first && !d->in_float))
        return "nothing reads its result";
    if (!d->first)
        return lint_text(l, "float out, read by %s", reader_of(l, d));
    const char *for_whom = d->first->layer ? d->first->layer->name : d->first->node->name;
    if (demand_is_pure(d) && quantizer_is_plain(d->first))
        return lint_text(l, "int8 out, scale %.6g for '%s'", (double)d->first->scales[0], for_whom);
    if (demand_is_pure(d))
        return lint_text(l, "int8 out for '%s'", for_whom);
    if (d->in_float)
        return lint_text(l, "float out for %s, converted to int8 for '%s'", reader_of(l, d),
                         for_whom);
    return lint_text(l, "codes of two scales are made of its result");
}

/* Types that a TensorRT kernel takes together; NULL: it takes them. */
static const char *type_obstacle(lint *l, const layer *a)
{
    bool is_int8 = is_8bit(a->data) && is_8bit(a->weight);
    if (is_int8 || (is_float8(a->data) && is_float8(a->weight)))
        return NULL;
    return lint_text(l, "no kernel takes %s with %s", onnx_type_name(a->data->code_type),
                     onnx_type_name(a->weight->code_type));
}

static void expect_tensorrt(lint *l, const layer *a)
{
    const char *precision = float_precision(l, a);
    const char *flag = l->target == LINT_TENSORRT10 ? "; fp32 without --fp16" : "";
    const char *obstacle = a->is_quantized ? type_obstacle(l, a) : NULL;
    if (obstacle) {
        lint_expect(l, a->node, precision, obstacle);
    } else if (a->is_quantized) {
        bool is_unsigned = a->data->code_type == TYPE_UINT8 || a->weight->code_type == TYPE_UINT8;
        lint_expect(l, a->node, is_float8(a->data) ? "fp8" : "int8",
                    lint_text(l, "%s%s in, %s", is_unsigned ? "once its codes are signed: " : "",
                              is_float8(a->data) ? "fp8" : "int8", way_out(l, a)));
    } else if (a->weight && a->has_weight) {
        lint_expect(l, a->node, precision,
                    lint_text(l, "its input is not quantized, the weight is expanded%s", flag));
    } else if (a->data) {
        lint_expect(l, a->node, precision, lint_text(l, "its weight is not quantized%s", flag));
    } else {
        bool is_output = a->node->n_outputs && a->node->outputs[0] != NET_NONE &&
                         !l->above_weights[a->node->outputs[0]];
        lint_expect(l, a->node, precision,
                    lint_text(l, "not quantized%s%s", is_output ? ", an output layer" : "", flag));
    }
}

/* ---- ONNX Runtime ---- */

static void expect_onnxruntime(lint *l, const layer *a)
{
    const char *obstacle = onnxruntime_obstacle(l, a);
    if (!obstacle) {
        lint_expect(l, a->node, "int8",
                    lint_text(l, "fused with its quantizers to an integer operator"));
        return;
    }
    lint_expect(l, a->node, "fp32", obstacle);
    if (a->weight && a->has_weight && is_8bit(a->weight))
        lint_add(l, (lint_place){RULE_RUNS_IN_FLOAT, a->node, NULL}, "%s runs in float32: %s",
                 a->node->op, obstacle);
}

static bool is_integer_operator(const net_node *node)
{
    static const char *const names[] = {
        "QLinearConv", "QLinearMatMul",        "ConvInteger",          "MatMulInteger",
        "QGemm",       "MatMulIntegerToFloat", "DynamicQuantizeMatMul"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(node->op, names[i]) == 0)
            return true;
    return false;
}

void forecast_layers(lint *l)
{
    for (uint32_t i = 0; i < l->net->n_nodes; i++) {
        const net_node *node = &l->net->nodes[i];
        if (!is_tensorrt(l) && is_integer_operator(node))
            lint_expect(l, node, "int8", "an integer operator");
        if (!net_is_kind(node, NET_WEIGHTED) || net_input(node, 0) == NET_NONE)
            continue;
        layer a = layer_of(l, node);
        uint32_t x = net_input(node, a.data_input);
        if (x != NET_NONE && l->net->values[x].is_constant)
            continue; /* folded away */
        if (is_tensorrt(l))
            expect_tensorrt(l, &a);
        else
            expect_onnxruntime(l, &a);
    }
}
