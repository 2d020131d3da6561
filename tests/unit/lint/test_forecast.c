/* SPDX-License-Identifier: Apache-2.0 */
/* Precisions. For TensorRT they follow from its rules, by hand; for ONNX Runtime they are what
 * release 1.30 (CPU provider, x86-64) made of the same small graphs: an integer operator or not. */
#include "lint_build.h"

static void expect(file *f, lint_target target, const char *layer, const char *precision,
                   const char *words)
{
    lint_report r = judge(f, target);
    const lint_forecast *found = forecast_of(&r, layer);
    if (strcmp(found->precision, precision) != 0 || !strstr(found->reason, words))
        fail_msg("'%s' is forecast as %s (%s), not %s (%s)", layer, found->precision, found->reason,
                 precision, words);
    lint_report_clear(&r);
}

/* ---- TensorRT ---- */

static void test_int8_in_and_out(void **state)
{
    (void)state;
    file f;
    start_pair(&f);
    expect(&f, LINT_TENSORRT10, "a", "int8", "int8 out, scale 0.2 for 'b'");
    start_pair(&f);
    expect(&f, LINT_TENSORRT10, "b", "int8", "float out, read by the output of the network");
}

static void test_through_movement(void **state)
{
    (void)state;
    file f;
    start_pair(&f);
    attr_ints(&f, op(&f, "MaxPool", "r", "p"), "kernel_shape", 2, (int64_t[]){1, 1});
    set_input(&f, "b.in.q", 0, "p");
    expect(&f, LINT_TENSORRT10, "a", "int8", "int8 out, scale 0.2 for 'b'");
    /* a linear Resize computes: the quantizer stays below it */
    start_pair(&f);
    scales(&f, "factors", 4, 1);
    attr_text(&f, op(&f, "Resize", "r - factors", "p"), "mode", "linear");
    set_input(&f, "b.in.q", 0, "p");
    expect(&f, LINT_TENSORRT10, "a", "int8", "float out, read by 'n9' (Resize)");
}

static void test_float_layers(void **state)
{
    (void)state;
    file f;
    start_small(&f);
    expect(&f, LINT_TENSORRT10, "model.0.conv", "fp16", "fp32 without --fp16");
    start_small(&f);
    expect(&f, LINT_TENSORRT11, "model.0.conv", "fp32", "not quantized");
    start_small(&f);
    f.inputs[0]->type->tensor_type->elem_type = FLOAT16;
    expect(&f, LINT_TENSORRT11, "model.0.conv", "fp16", "not quantized");
    start_pair(&f);
    floats(&f, "b.float", DIMS(16, 16, 3, 3));
    set_input(&f, "b", 1, "b.float");
    expect(&f, LINT_TENSORRT10, "b", "fp16", "its weight is not quantized");
    start_pair(&f);
    set_input(&f, "b", 0, "r");
    expect(&f, LINT_TENSORRT10, "b", "fp16", "its input is not quantized");
}

static void test_odd_codes(void **state)
{
    (void)state;
    file f;
    start_pair(&f);
    set_type(&f, "a.in.zero", UINT8);
    expect(&f, LINT_TENSORRT10, "a", "int8", "once its codes are signed");
    start_pair(&f);
    f.opset.version = 21;
    set_type(&f, "a.in.zero", INT16);
    raw(&f, init_of(&f, "a.in.zero"), NULL, 2);
    expect(&f, LINT_TENSORRT10, "a", "fp16", "no kernel takes int16 with int8");
}

/* A residual block: Conv, activation and Add are one kernel, and its result feeds both. */
static void test_residual(void **state)
{
    (void)state;
    file f;
    start(&f);
    image(&f, "images");
    conv(&f, "images", "a", 0.1f, "r");
    conv(&f, "r", "b", 0.2f, "v");
    op(&f, "Add", "b.in.dq v", "sum");
    conv(&f, "sum", "c", 0.3f, "output");
    output(&f, "output");
    expect(&f, LINT_TENSORRT10, "b", "int8", "int8 out, scale 0.3 for 'c'");
}

/* ---- ONNX Runtime ---- */

/* images -> Conv "a" -> `middle` -> pair "o" -> output */
static void alone(file *f, const char *middle)
{
    start(f);
    image(f, "images");
    conv(f, "images", "a", 0.1f, "y");
    if (middle)
        op(f, middle, "y", "r");
    pair(f, middle ? "r" : "y", "o", 0.2f);
    output(f, "o.dq");
}

static void with_bias(file *f, const char *name)
{
    Onnx__NodeProto *n = node_of(f, "a");
    n->input = words(f, arena_printf(f->a, "a.in.dq a.w %s", name), &n->n_input);
}

static void bias_codes(file *f, float scale)
{
    zeros(f, "a.bias", INT32, DIMS(16));
    scales(f, "a.bias_scale", 16, scale);
    zeros(f, "a.bias_zero", INT32, DIMS(16));
    attr_int(f, op(f, "DequantizeLinear", "a.bias a.bias_scale a.bias_zero", "bias"), "axis", 0);
    with_bias(f, "bias");
}

static void test_runtime_conv(void **state)
{
    (void)state;
    file f;
    alone(&f, NULL);
    expect(&f, LINT_ONNXRUNTIME, "a", "int8", "integer operator");
    alone(&f, "Sigmoid");
    expect(&f, LINT_ONNXRUNTIME, "a", "fp32", "(Sigmoid) reads its result");
    start_pair(&f);
    expect(&f, LINT_ONNXRUNTIME, "b", "fp32", "an output of the network");
    alone(&f, NULL);
    floats(&f, "plain", DIMS(16, 16, 3, 3)); /* it quantizes a float weight itself */
    set_input(&f, "a", 1, "plain");
    expect(&f, LINT_ONNXRUNTIME, "a", "int8", "");
    alone(&f, NULL);
    node_of(&f, "a")->op_type = arena_strdup(f.a, "ConvTranspose");
    expect(&f, LINT_ONNXRUNTIME, "a", "fp32", "no integer ConvTranspose");
}

static void test_runtime_relu(void **state)
{
    (void)state;
    file f;
    alone(&f, "Relu");
    expect(&f, LINT_ONNXRUNTIME, "a", "fp32", "(Relu) stands before");
    alone(&f, "Relu");
    set_byte(&f, "o.zero", -128);
    expect(&f, LINT_ONNXRUNTIME, "a", "int8", "");
    alone(&f, "Relu");
    set_type(&f, "o.zero", UINT8);
    expect(&f, LINT_ONNXRUNTIME, "a", "int8", "");
    alone(&f, "Relu");
    set_type(&f, "o.zero", UINT8);
    set_byte(&f, "o.zero", 128);
    expect(&f, LINT_ONNXRUNTIME, "a", "fp32", "(Relu) stands before");
}

static void test_runtime_bias(void **state)
{
    (void)state;
    file f;
    alone(&f, NULL);
    floats(&f, "plain", DIMS(16));
    with_bias(&f, "plain");
    expect(&f, LINT_ONNXRUNTIME, "a", "int8", "");
    alone(&f, NULL);
    bias_codes(&f, 0.1f * 0.01f);
    expect(&f, LINT_ONNXRUNTIME, "a", "int8", "");
    alone(&f, NULL);
    bias_codes(&f, 0.1f * 0.01f * 1.015f); /* within 1 %: yes, beyond: no */
    expect(&f, LINT_ONNXRUNTIME, "a", "fp32", "the scale of its bias");
}

static void test_runtime_movement(void **state)
{
    (void)state;
    file f;
    alone(&f, NULL);
    attr_ints(&f, op(&f, "MaxPool", "a.in.dq", "p"), "kernel_shape", 2, (int64_t[]){1, 1});
    set_input(&f, "a", 0, "p");
    expect(&f, LINT_ONNXRUNTIME, "a", "int8", "");
    alone(&f, NULL);
    attr_int(&f, op(&f, "Concat", "a.in.dq a.in.dq", "p"), "axis", 2);
    set_input(&f, "a", 0, "p");
    expect(&f, LINT_ONNXRUNTIME, "a", "fp32", "before its input");
}

/* x [4,16] and a weight [16,8], both int8; no quantizer behind. */
static void product(file *f, const char *type, const char *bias)
{
    start(f);
    input(f, "x", DIMS(4, 16));
    const char *x = pair(f, "x", "in", 0.1f);
    zeros(f, "fc.weight", INT8, DIMS(16, 8));
    scales(f, "w.scale", 0, 0.01f);
    zeros(f, "w.zero", INT8, 0, NULL);
    floats(f, "bias", DIMS(8));
    op(f, "DequantizeLinear", "fc.weight w.scale w.zero", "w");
    op(f, type, arena_printf(f->a, "%s w%s", x, bias), "output");
    output(f, "output");
}

static void test_runtime_products(void **state)
{
    (void)state;
    file f;
    product(&f, "MatMul", "");
    expect(&f, LINT_ONNXRUNTIME, "fc", "int8", "");
    product(&f, "Gemm", "");
    expect(&f, LINT_ONNXRUNTIME, "fc", "int8", "");
    product(&f, "Gemm", " bias");
    expect(&f, LINT_ONNXRUNTIME, "fc", "fp32", "its bias is float");
    product(&f, "MatMul", "");
    expect(&f, LINT_TENSORRT10, "fc", "int8", "float out");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_int8_in_and_out),  cmocka_unit_test(test_through_movement),
        cmocka_unit_test(test_float_layers),     cmocka_unit_test(test_odd_codes),
        cmocka_unit_test(test_residual),         cmocka_unit_test(test_runtime_conv),
        cmocka_unit_test(test_runtime_relu),     cmocka_unit_test(test_runtime_bias),
        cmocka_unit_test(test_runtime_movement), cmocka_unit_test(test_runtime_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
