/* SPDX-License-Identifier: Apache-2.0 */
/* The file as a whole: its opset, its operators, what is missing in it. */
#include <string.h>

#include "lint/check.h"
#include "lint/operators.h"
#include "model/onnx_tensor.h"

/* TensorRT: its ONNX parser's list of operators, 10.15 and 11; ONNX Runtime: release 1.30. */
static const struct {
    int low, high;
} OPSETS[] = {{9, 24}, {9, 25}, {7, 26}};

static void check_opset(lint *l)
{
    int opset = l->net->file.opset, low = OPSETS[l->target].low, high = OPSETS[l->target].high;
    if (opset < low || opset > high)
        lint_add(l, (lint_place){RULE_OPSET_OUT_OF_RANGE, NULL, NULL},
                 "the file needs ONNX opset %d; %s reads %d to %d", opset,
                 lint_target_name(l->target), low, high);
}

/* ---- operators ---- */

static bool is_plugin(const net_node *node)
{
    size_t n = strlen(node->op);
    return n > 4 && strcmp(node->op + n - 4, "_TRT") == 0;
}

static const char *domain_of(const net_node *node)
{
    return node->src->domain ? node->src->domain : "";
}

static void check_foreign(lint *l, const net_node *node)
{
    const char *domain = domain_of(node);
    bool is_microsoft = strncmp(domain, "com.microsoft", 13) == 0;
    bool is_dynamic =
        strncmp(node->op, "Dynamic", 7) == 0 || strcmp(node->op, "MatMulIntegerToFloat") == 0;
    bool is_integer = strncmp(node->op, "QLinear", 7) == 0 || strcmp(node->op, "QGemm") == 0;
    if (is_microsoft && is_dynamic)
        lint_add(l, (lint_place){RULE_DYNAMIC_QUANTIZATION, node, NULL},
                 "%s:%s quantizes its input while the network runs", domain, node->op);
    else if (is_microsoft && is_integer)
        lint_add(l, (lint_place){RULE_INTEGER_OPERATOR, node, NULL},
                 "%s:%s is ONNX Runtime's own operator on integers", domain, node->op);
    else if (is_tensorrt(l) ? !is_plugin(node)
                            : !is_microsoft && strncmp(domain, "ai.onnx", 7) != 0)
        lint_add(l, (lint_place){RULE_UNSUPPORTED_OP, node, NULL},
                 "%s has no operator %s:%s; a plugin would have to bring it",
                 lint_target_name(l->target), domain, node->op);
}

static void check_operator(lint *l, const net_node *node)
{
    operator_support support = operator_of(node->op);
    if (support == OPERATOR_DYNAMIC)
        lint_add(l, (lint_place){RULE_DYNAMIC_QUANTIZATION, node, NULL},
                 "%s belongs to dynamic quantization: its scale is found while the network runs",
                 node->op);
    else if (support == OPERATOR_INTEGER)
        lint_add(l, (lint_place){RULE_INTEGER_OPERATOR, node, NULL},
                 "%s takes integers; TensorRT wants %s between DequantizeLinear and QuantizeLinear",
                 node->op, node->op + strlen("QLinear"));
    else if (is_tensorrt(l) ? support != OPERATOR_OK && !is_plugin(node)
                            : support == OPERATOR_UNKNOWN)
        lint_add(l, (lint_place){RULE_UNSUPPORTED_OP, node, NULL}, "%s has no operator %s%s",
                 lint_target_name(l->target), node->op,
                 is_tensorrt(l) ? "; a plugin would have to bring it" : "");
}

/* ---- attributes that TensorRT's parser refuses ---- */

static bool has_other_than_one(const net_node *node, const char *name)
{
    const Onnx__AttributeProto *a = onnx_attr(node->src, name);
    for (size_t i = 0; a && i < a->n_ints; i++)
        if (a->ints[i] != 1)
            return true;
    return false;
}

static const char *bad_attribute(const net_node *node)
{
    bool is_pool = net_is(node, "MaxPool") || net_is(node, "AveragePool") || net_is(node, "LpPool");
    if (is_pool && has_other_than_one(node, "dilations"))
        return "dilations other than 1";
    if (net_is(node, "MaxPool") && node->n_outputs > 1 && node->outputs[1] != NET_NONE)
        return "the output Indices";
    if (net_is(node, "Resize") && net_attr_is(node, "mode", "cubic"))
        return "mode cubic";
    if (net_is(node, "Resize") &&
        net_attr_is(node, "coordinate_transformation_mode", "tf_crop_and_resize"))
        return "coordinate_transformation_mode tf_crop_and_resize";
    if (net_is(node, "Resize") && net_attr_int(node, "antialias", 0))
        return "antialias";
    if (net_is(node, "TopK") && !net_attr_int(node, "sorted", 1))
        return "sorted = 0";
    if (net_is(node, "ScatterND") && onnx_attr(node->src, "reduction") &&
        !net_attr_is(node, "reduction", "none"))
        return "a reduction";
    return NULL;
}

/* ---- values ---- */

static void check_inputs(lint *l, const net_node *node)
{
    for (uint32_t i = 0; i < node->n_inputs; i++) {
        const net_value *v = node->inputs[i] == NET_NONE ? NULL : &l->net->values[node->inputs[i]];
        if (v && v->producer == NET_NONE && !v->is_constant && !v->is_input)
            lint_add(l, (lint_place){RULE_MISSING_VALUE, node, NULL},
                     "%s reads '%s', which nothing in the file makes", node->op, v->name);
    }
}

static void check_node(lint *l, const net_node *node)
{
    check_inputs(l, node);
    if (node->kind & NET_SUBGRAPH)
        lint_add(l, (lint_place){RULE_SUBGRAPH_NOT_CHECKED, node, NULL},
                 "%s holds a graph; what is inside was not looked at", node->op);
    if (node->kind & NET_FUNCTION)
        lint_add(l, (lint_place){RULE_SUBGRAPH_NOT_CHECKED, node, NULL},
                 "%s is a function of the file; what is inside was not looked at", node->op);
    else if (node->kind & NET_FOREIGN)
        check_foreign(l, node);
    else
        check_operator(l, node);
    const char *attribute = bad_attribute(node);
    if (attribute)
        lint_add(l, (lint_place){RULE_UNSUPPORTED_ATTRIBUTE, node, NULL},
                 "TensorRT's %s does not take %s", node->op, attribute);
}

/* A strongly typed network computes as the graph is typed. */
static void check_float32(lint *l)
{
    uint32_t n_layers = 0, n_float32 = 0;
    for (uint32_t i = 0; i < l->net->n_nodes; i++) {
        uint32_t x = net_input(&l->net->nodes[i], 0);
        if (!net_is_kind(&l->net->nodes[i], NET_WEIGHTED) || x == NET_NONE)
            continue;
        n_layers++;
        n_float32 += l->net->values[x].type == TYPE_FLOAT;
    }
    if (n_float32)
        lint_add(l, (lint_place){RULE_FLOAT32_GRAPH, NULL, NULL},
                 "%u of %u layers take float32 values; what is not int8 there runs in float32",
                 n_float32, n_layers);
}

static bool has_integer_form(const lint *l)
{
    for (uint32_t i = 0; i < l->net->n_nodes; i++) {
        const net_node *node = &l->net->nodes[i];
        if (operator_of(node->op) == OPERATOR_INTEGER ||
            operator_of(node->op) == OPERATOR_DYNAMIC || (node->kind & NET_FOREIGN))
            return true;
    }
    return false;
}

void check_file(lint *l)
{
    check_opset(l);
    for (uint32_t i = 0; i < l->net->n_nodes; i++)
        check_node(l, &l->net->nodes[i]);
    check_float32(l);
    if (l->n_quantizers == 0 && !has_integer_form(l))
        lint_add(l, (lint_place){RULE_NO_QUANTIZERS, NULL, NULL},
                 "the file has no QuantizeLinear and no DequantizeLinear node: every layer runs in "
                 "float");
}
