/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/quant_config.h"
#include "test.h"

static ptq_error err;

static ptq_status parse(const char *text, quant_config **out)
{
    return quant_config_parse(text, strlen(text), "quant.yaml", out, &err);
}

/* The example of the contract, with every section. */
static void the_whole_example(void **state)
{
    (void)state;
    static const char text[] =
        "defaults:\n"
        "  input:  {num_bits: 8, axis: null, calib_method: histogram, amax_method: entropy}\n"
        "  weight: {num_bits: 8, axis: 0, calib_method: max}\n"
        "  types:\n"
        "    Linear: {weight: {num_bits: 4, axis: 0, calib_method: max}}\n"
        "float_module_list: [Linear, AvgPool2d]\n"
        "custom_quant_modules:\n"
        "  - {op: Add, inputs: [0, 1]}\n"
        "layers:\n"
        "  - {match: 'model\\.105\\.m\\..*', disabled: true}\n"
        "  - {match: 'model\\.51\\..*', input: {amax_method: percentile, percentile: 99.9}}\n"
        "  - {match: 'model\\.24\\..*', input: {amax: 3.2, scale_amax: 0.98, num_bits: 8, "
        "unsigned: false, narrow_range: true}}\n"
        "share_scales: {concat: true, maxpool: false, resize: true}\n";
    quant_config *c;
    assert_ok(parse(text, &c));
    assert_true(c->is_float[GRAPH_OP_GEMM] && c->is_float[GRAPH_OP_MATMUL]);
    assert_true(c->is_float[GRAPH_OP_AVERAGE_POOL] && !c->is_float[GRAPH_OP_CONV]);
    assert_int_equal(c->n_customs, 1);
    assert_int_equal(c->customs[0].op, GRAPH_OP_ADD);
    assert_int_equal(c->customs[0].inputs[1], 1);
    assert_int_equal(c->share_concat, 1);
    assert_int_equal(c->share_maxpool, 0);
    assert_int_equal(c->share_add, -1);
    assert_null(quant_config_rule(c, "model.10.conv"));
    assert_true(quant_config_rule(c, "model.105.m.0")->disabled);
    descriptor d = descriptor_input(AMAX_MSE, 99.99);
    descriptor_apply(&d, &c->defaults.input);
    assert_int_equal(descriptor_method(&d), AMAX_ENTROPY);
    const quant_rule *rule = quant_config_rule(c, "model.51.cv1.conv");
    descriptor_apply(&d, &rule->patches.input);
    assert_int_equal(descriptor_method(&d), AMAX_PERCENTILE);
    assert_true(d.percentile > 99.89 && d.percentile < 99.91);
    assert_true(descriptor_patch_has_range(&rule->patches.input));
    rule = quant_config_rule(c, "model.24.conv");
    descriptor_apply(&d, &rule->patches.input);
    assert_true(d.has_amax && d.narrow_range && !d.is_unsigned);
    assert_float_equal(d.amax * d.scale_amax, 3.136f, 1e-6f);
    d = descriptor_weight(0);
    descriptor_apply(&d, &c->types[GRAPH_OP_MATMUL].weight);
    assert_int_equal(d.num_bits, 4);
    assert_int_equal(descriptor_method(&d), AMAX_MAX);
    quant_config_destroy(c);
}

static void the_first_rule_that_matches_counts(void **state)
{
    (void)state;
    quant_config *c;
    assert_ok(parse("layers:\n"
                    "  - {match: 'model\\.1\\.', disabled: true}\n"
                    "  - {match: 'model', disabled: false}\n"
                    "  - {match: '.*conv$', disabled: true}\n",
                    &c));
    assert_true(quant_config_rule(c, "model.1.conv")->disabled);
    assert_false(quant_config_rule(c, "model.10.conv")->disabled);
    assert_true(quant_config_rule(c, "neck.conv")->disabled);
    assert_null(quant_config_rule(c, "a.model.1.act"));
    quant_config_destroy(c);
}

/* Every mistake: a usage error with the line, and the word that was meant. */
static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"defaults: {input: {num_bit: 8}}",
         "'quant.yaml' line 1: 'num_bit' is not known; did you mean 'num_bits'?"},
        {"layer:\n  - {match: a}", "did you mean 'layers'?"},
        {"defaults:\n  inputs: {}", "line 2: 'inputs' is not known; did you mean 'input'?"},
        {"float_module_list: [Liner]", "did you mean 'Linear'?"},
        {"custom_quant_modules: [{op: Ad}]", "did you mean 'Add'?"},
        {"custom_quant_modules: [{inputs: [0]}]", "needs an 'op'"},
        {"custom_quant_modules: [{op: Add, inputs: [-1]}]", "an input number from 0"},
        {"layers: [{disabled: true}]", "needs a 'match'"},
        {"layers:\n\n  - {match: 'a(b'}", "'quant.yaml' line 3: expression 'a(b' is wrong"},
        {"layers: [{match: a, input: {amax: -1}}]", "amax must be a number from 0"},
        {"layers: [{match: a, input: {amax: .nan}}]", "amax must be a number from 0"},
        {"layers: [{match: a, input: {percentile: 101}}]", "from 0 to 100"},
        {"layers: [{match: a, input: {num_bits: 1}}]", "num_bits must be an integer"},
        {"layers: [{match: a, input: {num_bits: [4, 3]}}]", "floating point formats"},
        {"layers: [{match: a, input: {calib_method: mse}}]", "'max' or 'histogram'"},
        {"layers: [{match: a, input: {amax_method: kl}}]", "'entropy'"},
        {"layers: [{match: a, input: {fake_quant: false}}]", "fake_quant"},
        {"layers: [{match: a, input: {learn_amax: true, axis: 0}}]", "learn_amax needs axis"},
        {"layers: [{match: a, input: {if_clip: true}}]", "if_clip"},
        {"layers: [{match: a, disabled: maybe}]", "true or false"},
        {"share_scales: {concatenate: true}", "is not known"},
        {"share_scales: [concat]", "must be a mapping"},
        {"- a", "the file must be a mapping"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        quant_config *c = NULL;
        assert_status(parse(cases[i].text, &c), PTQ_USAGE);
        if (!strstr(err.message, cases[i].message))
            fail_msg("'%s' gave '%s'", cases[i].text, err.message);
        assert_null(c);
    }
}

static void nothing_changes_nothing(void **state)
{
    (void)state;
    quant_config *c;
    assert_ok(quant_config_load(NULL, &c, &err));
    assert_int_equal(c->n_rules + c->n_customs, 0);
    assert_int_equal(c->share_concat, -1);
    quant_config_destroy(c);
    assert_ok(parse("{layers: , share_scales: null}", &c));
    quant_config_destroy(c);
    assert_status(quant_config_load("/no/such/file.yaml", &c, &err), PTQ_IO);
}

/* Values and states that need no training may be said, also when they are the default. */
static void every_field_is_understood(void **state)
{
    (void)state;
    quant_config *c;
    assert_ok(parse("layers:\n"
                    "  - match: a\n"
                    "    input: {num_bits: 8, name: x, fake_quant: true, axis: null, amax: null,\n"
                    "            learn_amax: false, scale_amax: null, calib_method: max,\n"
                    "            unsigned: true, narrow_range: false, disabled: false,\n"
                    "            if_quant: false, if_clip: false, if_calib: false}\n"
                    "    weight: {axis: [1]}\n",
                    &c));
    const quant_rule *rule = quant_config_rule(c, "a");
    descriptor d = descriptor_input(AMAX_MSE, 99);
    descriptor_apply(&d, &rule->patches.input);
    assert_false(d.enabled);
    assert_false(d.is_calibrated);
    assert_true(d.is_unsigned);
    assert_false(d.has_amax);
    assert_float_equal(d.scale_amax, 1, 0);
    assert_int_equal(descriptor_method(&d), AMAX_MAX);
    d = descriptor_weight(0);
    descriptor_apply(&d, &rule->patches.weight);
    assert_int_equal(d.axis, 1);
    quant_config_destroy(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_example),
        cmocka_unit_test(the_first_rule_that_matches_counts),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(nothing_changes_nothing),
        cmocka_unit_test(every_field_is_understood),
    };
    return cmocka_run_group_tests_name("quant_config", tests, NULL, NULL);
}
