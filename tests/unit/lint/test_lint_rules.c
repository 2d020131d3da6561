/* SPDX-License-Identifier: Apache-2.0 */
/* Each rule breaks on one graph made for it and keeps still on its twin. Severities, node names and
 * words are worked out by hand from the rules of the targets (spec algorithms.md §3 and §4, the
 * ONNX parser of TensorRT); what is said of ONNX Runtime was tried on release 1.30. */
#include "lint_graphs.h"

/* ---- every rule ---- */

#define TRT10 LINT_TENSORRT10
#define TRT11 LINT_TENSORRT11
#define ORT LINT_ONNXRUNTIME

typedef struct rule_case {
    lint_rule rule;
    lint_target target;
    void (*bad)(file *f);
    void (*good)(file *f);
    const char *node;  /* that the finding names */
    const char *words; /* in its message */
} rule_case;

static const rule_case CASES[] = {
    {RULE_OPSET_OUT_OF_RANGE, TRT10, opset_old, start_pair, "", "opset 8; tensorrt10 reads 9 to"},
    {RULE_OPSET_OUT_OF_RANGE, TRT11, opset_new, start_pair, "", "opset 26"},
    {RULE_OPSET_TOO_LOW, TRT10, axis_in_opset_10, start_pair, "a.weight_dq", "needs opset 13"},
    {RULE_OPSET_TOO_LOW, ORT, int16_in_opset_13, int16_in_opset_21, "a.in.q", "needs opset 21"},
    {RULE_UNSUPPORTED_OP, TRT10, operator_unknown, plugin, "a", "no operator Det"},
    {RULE_UNSUPPORTED_OP, ORT, operator_nowhere, operator_unknown, "a", "Quuxify"},
    {RULE_UNSUPPORTED_OP, ORT, plugin, start_pair, "a", "EfficientNMS_TRT"},
    {RULE_UNSUPPORTED_ATTRIBUTE, TRT10, pool_dilated, pool_plain, "pool", "dilations"},
    {RULE_INTEGER_OPERATOR, TRT10, qlinear, start_pair, "n0", "TensorRT wants MatMul between"},
    {RULE_DYNAMIC_QUANTIZATION, TRT11, dynamic, start_pair, "n0", "DynamicQuantizeLinear"},
    {RULE_MISSING_VALUE, ORT, dangling, start_pair, "b", "'nowhere'"},
    {RULE_UNREADABLE_CONSTANT, TRT10, external_lost, start_pair, "a.in.q", "'a.in.scale'"},
    {RULE_NO_QUANTIZERS, TRT10, float_only, start_pair, "", "no QuantizeLinear"},
    {RULE_SUBGRAPH_NOT_CHECKED, TRT10, with_if, start_pair, "branch", "If holds a graph"},
    {RULE_FLOAT32_GRAPH, TRT11, start_pair, all_half, "", "2 of 2 layers take float32"},
    {RULE_SCALE_NOT_POSITIVE, TRT10, scale_zero, start_pair, "b.in.q", "the first is 0"},
    {RULE_SCALE_NOT_POSITIVE, ORT, scale_nan, start_pair, "a.weight_dq", "1 of 16 scales"},
    {RULE_SCALE_NOT_NORMAL, TRT11, half_subnormal, half_smallest, "b.in.q", "2.998"},
    {RULE_SCALE_TYPE, TRT11, half_graph_float_scale, all_half, "a.in.q", "is float, what it"},
    {RULE_SCALE_NOT_CONSTANT, TRT10, scale_computed, start_pair, "a.in.q", "'scale'"},
    {RULE_ZERO_POINT_NOT_ZERO, TRT10, zero_not_zero, start_pair, "a.in.q", "input of 'a'"},
    {RULE_ZERO_POINT_NOT_CONSTANT, TRT10, zero_computed, start_pair, "a.in.q", "'zero'"},
    {RULE_ZERO_POINT_MISSING, TRT10, zero_missing, start_pair, "a.in.q", "TensorRT to int8"},
    {RULE_ZERO_POINT_SHAPE, TRT10, zero_shape, start_pair, "a.weight_dq", "16 scales and 15 zero"},
    {RULE_UNSIGNED_TYPE, TRT10, unsigned_codes, start_pair, "a.in.q", "unsigned codes (uint8)"},
    {RULE_SIXTEEN_BIT_TYPE, TRT11, int16_in_opset_21, start_pair, "a.in.q", "int16"},
    {RULE_SUB_BYTE_TYPE, TRT10, int4_activation, start_pair, "a.in.q", "int4; only weights"},
    {RULE_SUB_BYTE_TYPE, TRT10, int4_odd, int4_even, "w.dq", "odd last dimension"},
    {RULE_FLOAT8_TYPE, TRT10, float8_other, float8_e4m3, "a.in.q", "float8e5m2"},
    {RULE_QUANTIZED_BIAS, TRT10, bias_codes, bias_float, "a.bias_dq", "bias of 'a'"},
    {RULE_PER_CHANNEL_ACTIVATION, TRT10, channel_activation, start_pair, "b.in.q", "16 scales"},
    {RULE_BLOCK_QUANTIZED, TRT10, blocks, start_pair, "a.weight_dq", "blocks of int8"},
    {RULE_AXIS_MISSING, TRT10, axis_missing, start_pair, "a.weight_dq", "TensorRT reads 0"},
    {RULE_AXIS_WRONG, TRT10, axis_mismatch, start_pair, "a.weight_dq", "8 channels on axis 0"},
    {RULE_AXIS_WRONG, ORT, axis_outside, start_pair, "a.weight_dq", "on axis 4"},
    {RULE_AXIS_NOT_OUTPUT, TRT10, axis_input, axis_of_transposed, "a.weight_dq", "are on axis 0"},
    {RULE_PER_TENSOR_WEIGHT, TRT10, tensor_weight, start_pair, "a.weight_dq", "16 output"},
    {RULE_PAIR_MISMATCH, ORT, pair_differs, start_pair, "a.in.dq", "scale 0.1 against 0.3"},
    {RULE_QUANTIZE_ALONE, ORT, codes_raw, codes_moved, "a.in.q", "(Conv) reads the codes"},
    {RULE_DEQUANTIZE_ALONE, TRT10, codes_given, start_pair, "a.in.dq", "the input of the network"},
    {RULE_WEIGHT_NOT_CONSTANT, TRT10, weight_given, start_pair, "a", "computed by the network"},
    {RULE_WEIGHT_NOT_QUANTIZED, TRT10, weight_float, start_pair, "a", "the layer runs in float"},
    {RULE_INPUT_NOT_QUANTIZED, TRT10, input_float, start_pair, "a", "its input 'images'"},
    {RULE_RUNS_IN_FLOAT, ORT, relu_before_int8, no_relu, "a", "(Relu) stands before"},
    {RULE_SPLITS_FUSION, TRT10, split_relu, start_pair, "s.q", "before 'relu' (Relu)"},
    {RULE_SPLITS_FUSION, TRT10, split_silu, whole_silu, "s.q", "(Sigmoid)"},
    {RULE_RESIDUAL_NOT_QUANTIZED, TRT10, residual_float, residual_codes, "add", "'r' comes in"},
    {RULE_CAST_AT_QUANTIZER, TRT10, cast_between, cast_of_input, "b.in.q", "'cast' (Cast)"},
    {RULE_CONCAT_SCALE_CLASH, TRT10, concat_clash, concat_shared, "concat", "(2.50 times)"},
    {RULE_REQUANTIZE, TRT10, two_scales, one_scale, "relu", "'r' has scale 0."},
    {RULE_REFORMAT, TRT10, two_forms, start_pair, "relu", "in float by"},
    {RULE_FEW_CHANNELS, TRT10, few_channels, enough_channels, "a", "3 input and 12 output"},
    {RULE_BOXES_AND_SCORES, ORT, decode_coarse, decode_fine, "late.q", "below 2.52 becomes code 0"},
    {RULE_BOXES_AND_SCORES, TRT10, decode_levels, decode_scores, "late.q", "'joint' joins boxes"},
    {RULE_QUANTIZED_DECODE, TRT10, decode_coarse, decode_float, "late.q", "no layer with weights"},
    {RULE_QUANTIZED_HEAD, TRT10, start_pair, head_float, "b", "output layer"},
};

static void check_bad(const rule_case *c)
{
    const lint_rule_info *rule = lint_rule_of(c->rule);
    file f;
    c->bad(&f);
    lint_report r = judge(&f, c->target);
    const lint_finding *found = find(&r, c->rule, c->node);
    if (!found) {
        for (size_t i = 0; i < r.n_findings; i++)
            print_message("  %s at '%s'\n", lint_rule_of(r.findings[i].rule)->id,
                          r.findings[i].node);
        fail_msg("%s: not found at '%s'", rule->id, c->node);
    }
    if (!strstr(found->message, c->words))
        fail_msg("%s: '%s' does not say '%s'", rule->id, found->message, c->words);
    assert_int_equal(found->severity, rule->severity[c->target]);
    assert_true(strlen(found->fix) > 10);
    lint_report_clear(&r);
}

static void check_good(const rule_case *c)
{
    file f;
    c->good(&f);
    lint_report r = judge(&f, c->target);
    const lint_finding *found = find(&r, c->rule, NULL);
    if (found)
        fail_msg("%s: found where all is well: '%s'", lint_rule_of(c->rule)->id, found->message);
    lint_report_clear(&r);
}

static void test_each_rule(void **state)
{
    (void)state;
    bool is_tested[RULE_COUNT] = {false};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        check_bad(&CASES[i]);
        check_good(&CASES[i]);
        is_tested[CASES[i].rule] = true;
    }
    for (int i = 0; i < RULE_COUNT; i++)
        if (!is_tested[i])
            fail_msg("rule %s has no graph that breaks it", lint_rule_of((lint_rule)i)->id);
}

/* Rules that a target does not have are silent there. */
static void test_other_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (int t = 0; t < LINT_N_TARGETS; t++) {
            file f;
            if (lint_rule_of(CASES[i].rule)->severity[t] != LINT_NONE)
                continue;
            CASES[i].bad(&f);
            lint_report r = judge(&f, (lint_target)t);
            assert_null(find(&r, CASES[i].rule, NULL));
            lint_report_clear(&r);
        }
}

/* A file that is as TensorRT likes it has nothing but notes. */
static void test_clean(void **state)
{
    (void)state;
    static void (*const files[])(file *) = {start_pair, whole_silu, residual_codes, concat_shared,
                                            one_scale};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        file f;
        files[i](&f);
        lint_report r = judge(&f, LINT_TENSORRT10);
        assert_int_equal(r.n_of[LINT_ERROR] + r.n_of[LINT_WARNING], 0);
        lint_report_clear(&r);
    }
}

/* The line that mends a finding names the layer, as an expression for it alone. */
static void test_fixes(void **state)
{
    (void)state;
    file f;
    concat_clash(&f);
    lint_report r = judge(&f, LINT_TENSORRT10);
    const char *fix = find(&r, RULE_CONCAT_SCALE_CLASH, "concat")->fix;
    assert_non_null(strstr(fix, "--share-scales"));
    assert_non_null(strstr(fix, "{match: 'c$', input: {amax: 63.5}}")); /* 127 * 0.5 */
    assert_non_null(strstr(fix, "{match: 'd$', input: {amax: 63.5}}"));
    lint_report_clear(&r);
    residual_float(&f);
    r = judge(&f, LINT_TENSORRT10);
    fix = find(&r, RULE_RESIDUAL_NOT_QUANTIZED, "add")->fix;
    assert_non_null(strstr(fix, "custom_quant_modules: [{op: Add, inputs: [0]}]"));
    lint_report_clear(&r);
    start_pair(&f);
    init_of(&f, "b.weight")->name = arena_strdup(f.a, "model.24.m.0.weight");
    set_input(&f, "b.weight_dq", 0, "model.24.m.0.weight");
    r = judge(&f, LINT_TENSORRT10);
    assert_string_equal(find(&r, RULE_QUANTIZED_HEAD, "model.24.m.0")->fix,
                        "layers: [{match: 'model\\.24\\.m\\.0$', disabled: true}]");
    lint_report_clear(&r);
}

/* Errors first; then in the order of the rules. */
static void test_order(void **state)
{
    (void)state;
    file f;
    axis_missing(&f);
    set_byte(&f, "b.in.zero", 1);
    set_type(&f, "a.in.zero", UINT8);
    lint_report r = judge(&f, LINT_TENSORRT10);
    for (size_t i = 1; i < r.n_findings; i++) {
        const lint_finding *a = &r.findings[i - 1], *b = &r.findings[i];
        assert_true(a->severity < b->severity ||
                    (a->severity == b->severity && a->rule <= b->rule));
    }
    assert_int_equal(r.findings[0].rule, RULE_ZERO_POINT_NOT_ZERO);
    assert_int_equal(r.n_of[LINT_ERROR], 2);
    lint_report_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_rule), cmocka_unit_test(test_other_targets),
        cmocka_unit_test(test_clean),     cmocka_unit_test(test_fixes),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
