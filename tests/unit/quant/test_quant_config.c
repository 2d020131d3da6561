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
    assert_true(c->is_float.has[GRAPH_OP_GEMM] && c->is_float.has[GRAPH_OP_MATMUL]);
    assert_true(c->is_float.has[GRAPH_OP_AVERAGE_POOL] && !c->is_float.has[GRAPH_OP_CONV]);
    assert_int_equal(c->n_customs, 1);
    assert_int_equal((int)c->customs[0].ops.has[GRAPH_OP_ADD], 1);
    assert_int_equal(c->customs[0].inputs[1], 1);
    assert_int_equal(c->share_concat, 1);
    assert_int_equal(c->share_maxpool, 0);
    assert_int_equal(c->share_add, -1);
    assert_null(quant_config_rule(c, "model.10.conv", GRAPH_OP_CONV));
    assert_true(quant_config_rule(c, "model.105.m.0", GRAPH_OP_CONV)->disabled);
    descriptor d = descriptor_input(AMAX_MSE, 99.99);
    descriptor_apply(&d, &c->defaults.input);
    assert_int_equal(descriptor_method(&d), AMAX_ENTROPY);
    const quant_rule *rule = quant_config_rule(c, "model.51.cv1.conv", GRAPH_OP_CONV);
    descriptor_apply(&d, &rule->patches.input);
    assert_int_equal(descriptor_method(&d), AMAX_PERCENTILE);
    assert_true(d.percentile > 99.89 && d.percentile < 99.91);
    assert_true(descriptor_patch_has_range(&rule->patches.input));
    rule = quant_config_rule(c, "model.24.conv", GRAPH_OP_CONV);
    descriptor_apply(&d, &rule->patches.input);
    assert_true(d.n_amax == 1 && d.narrow_range && !d.is_unsigned);
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
    assert_true(quant_config_rule(c, "model.1.conv", GRAPH_OP_CONV)->disabled);
    assert_false(quant_config_rule(c, "model.10.conv", GRAPH_OP_CONV)->disabled);
    assert_true(quant_config_rule(c, "neck.conv", GRAPH_OP_CONV)->disabled);
    assert_null(quant_config_rule(c, "a.model.1.act", GRAPH_OP_CONV));
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
        {"layers: [{disabled: true}]", "needs a 'match', a 'layer', a 'path' or a 'type'"},
        {"layers: [{type: Conv2}]", "did you mean 'Conv2d'?"},
        {"layers: [{layer: [a]}]", "a name expected"},
        {"layers: [{match: a, inputs: {x: {}}}]", "an input number from 0"},
        {"layers: [{match: a, inputs: {}}]", "a mapping from 1 to 8 input numbers"},
        {"tensors: [{input: {}}]", "a tensor rule needs a 'match'"},
        {"tensors: [{match: a, weight: {}}]", "'weight' is not known"},
        {"defaults: {types: {Conv1d: {input: {num_bits: 4}}, Conv2d: {input: {num_bits: 8}}}}",
         "'Conv2d' is the operator Conv, which has a descriptor already"},
        {"residual: 2", "true or false"},
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
        {"layers: [{match: a, input: {axis: 8}}]", "a number from -8 to 7"},
        {"layers: [{match: a, input: {axis: []}}]", "a list of 1 to 8 numbers"},
        {"layers: [{match: a, input: {amax: []}}]", "amax is an empty list"},
        {"layers: [{match: a, input: {amax: [1, -1]}}]", "amax must be a number from 0"},
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
    const quant_rule *rule = quant_config_rule(c, "a", GRAPH_OP_CONV);
    descriptor d = descriptor_input(AMAX_MSE, 99);
    descriptor_apply(&d, &rule->patches.input);
    assert_false(descriptor_is_on(&d));
    assert_false(d.if_calib);
    assert_true(d.is_unsigned);
    assert_int_equal(d.n_amax, 0);
    assert_string_equal(d.name, "x");
    assert_float_equal(d.scale_amax, 1, 0);
    assert_int_equal(descriptor_method(&d), AMAX_MAX);
    d = descriptor_weight(0);
    descriptor_apply(&d, &rule->patches.weight);
    assert_true(d.n_axis == 1 && d.axis[0] == 1);
    quant_config_destroy(c);
}

/* Lists, negative axes and the states of a quantizer. */
static void lists_and_states(void **state)
{
    (void)state;
    quant_config *c;
    assert_ok(parse("layers:\n"
                    "  - layer: a\n"
                    "    input: {num_bits: 4, learn_amax: true, if_clip: true, disabled: true,\n"
                    "            if_quant: true}\n"
                    "    weight: {axis: [0, -1], amax: [0.5, 2, 3.25]}\n",
                    &c));
    const quant_rule *rule = quant_config_rule(c, "a", GRAPH_OP_CONV);
    descriptor d = descriptor_input(AMAX_MSE, 99);
    descriptor_apply(&d, &rule->patches.input);
    assert_true(d.num_bits == 4 && d.learn_amax && d.if_clip && d.if_quant);
    assert_false(descriptor_is_on(&d)); /* disabled wins over if_quant */
    assert_true(descriptor_patch_has_range(&rule->patches.input));
    d = descriptor_weight(0);
    descriptor_apply(&d, &rule->patches.weight);
    assert_int_equal(d.n_axis, 2);
    assert_int_equal(d.axis[1], -1);
    assert_int_equal(d.n_amax, 3);
    assert_float_equal(descriptor_amax(&d, 2), 3.25f, 0);
    quant_config_destroy(c);
}

/* By expression, name, module and type, alone and together; the first that fits counts. */
static void layers_are_selected(void **state)
{
    (void)state;
    quant_config *c;
    assert_ok(parse("layers:\n"
                    "  - {path: model.24, type: Conv2d, input: {num_bits: 2}}\n"
                    "  - {layer: model.24, input: {num_bits: 3}}\n"
                    "  - {path: model.24, input: {num_bits: 4}}\n"
                    "  - {match: 'model\\.2', type: Linear, input: {num_bits: 5}}\n"
                    "  - {type: MaxPool, input: {num_bits: 6}}\n",
                    &c));
    static const struct {
        const char *name;
        graph_op op;
        int bits;
    } cases[] = {{"model.24.cv1.conv", GRAPH_OP_CONV, 2}, {"model.24", GRAPH_OP_ADD, 3},
                 {"model.24.add", GRAPH_OP_ADD, 4},       {"model.240.fc", GRAPH_OP_GEMM, 5},
                 {"model.20.fc", GRAPH_OP_MATMUL, 5},     {"x", GRAPH_OP_MAX_POOL, 6}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const quant_rule *rule = quant_config_rule(c, cases[i].name, cases[i].op);
        assert_non_null(rule);
        assert_int_equal(rule->patches.input.value.num_bits, cases[i].bits);
    }
    assert_null(quant_config_rule(c, "model.240.conv", GRAPH_OP_CONV));
    quant_config_destroy(c);
}

/* algorithms.md §1: LSTM and LSTMCell stand in the default map. Float is what they may be. */
static void recurrent_layers_are_refused_by_name(void **state)
{
    (void)state;
    static const char *const texts[] = {"defaults: {types: {LSTM: {input: {num_bits: 8}}}}",
                                        "custom_quant_modules: [{op: LSTMCell}]",
                                        "layers: [{type: LSTM}]"};
    quant_config *c = NULL;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_status(parse(texts[i], &c), PTQ_UNSUPPORTED);
        assert_non_null(strstr(err.message, "'quant.yaml' line 1: LSTM"));
        assert_non_null(strstr(err.message, "is not quantized here"));
    }
    assert_ok(parse("float_module_list: [LSTM, LSTMCell]", &c));
    quant_config_destroy(c);
}

/* What is written is read back as the same descriptor, also where only differences are. */
static void descriptors_are_written(void **state)
{
    (void)state;
    static const float list[] = {0.1f, 1e-7f, 3.4e38f};
    descriptor base = descriptor_input(AMAX_MSE, 99.99);
    descriptor d = base;
    d.num_bits = 4;
    d.n_axis = 2;
    d.axis[0] = -1;
    d.axis[1] = 3;
    d.n_amax = 3;
    d.amax_list = list;
    d.amax = list[0];
    d.is_unsigned = d.narrow_range = d.disabled = true;
    d.if_calib = false;
    d.scale_amax = 0.98f;
    memcpy(d.name, "it's", 5);
    str text = STR_INIT;
    str_add(&text, "layers: [{layer: a, input: {");
    descriptor_write(&text, &d, &base, false);
    str_add(&text, "}}]");
    quant_config *c;
    assert_ok(parse(str_text(&text), &c));
    descriptor read = base;
    descriptor_apply(&read, &c->rules[0].patches.input);
    assert_true(read.num_bits == 4 && read.n_axis == 2 && read.axis[0] == -1 && read.axis[1] == 3);
    assert_true(read.n_amax == 3 && read.is_unsigned && read.narrow_range && read.disabled);
    assert_memory_equal(read.amax_list, list, sizeof list);
    assert_true(!read.if_calib && read.scale_amax == 0.98f && read.if_quant && !read.if_clip);
    assert_string_equal(read.name, "it's");
    quant_config_destroy(c);
    str_clear(&text);
    descriptor_write(&text, &base, &base, false);
    assert_string_equal(str_text(&text), "");
    descriptor_write(&text, &base, &base, true);
    assert_string_equal(str_text(&text), "amax_method: mse");
    str_clear(&text);
    d = descriptor_weight(0);
    descriptor_write(&text, &d, &base, true);
    assert_string_equal(str_text(&text), "axis: 0, calib_method: max");
    str_clear(&text);
    d = descriptor_input(AMAX_PERCENTILE, 99.9);
    descriptor_write(&text, &d, &base, false);
    assert_string_equal(str_text(&text), "amax_method: percentile, percentile: 99.900000000000006");
    str_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_example),
        cmocka_unit_test(the_first_rule_that_matches_counts),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(nothing_changes_nothing),
        cmocka_unit_test(every_field_is_understood),
        cmocka_unit_test(lists_and_states),
        cmocka_unit_test(layers_are_selected),
        cmocka_unit_test(recurrent_layers_are_refused_by_name),
        cmocka_unit_test(descriptors_are_written),
    };
    return cmocka_run_group_tests_name("quant_config", tests, NULL, NULL);
}
