/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"
#include "test_plan.h"

#include "graph/slices.h"
#include "passes/passes.h"

static ptq_error err;

/* W = 0.3-0.017i [2,2,3,3] and its exact ranges on axis 0 and 1. */
static float weight36[36];
static const float amax2[2] = {0x1.333334p-2f, 0x1.2e147cp-2f};

static graph *one_conv(bool is_transpose)
{
    graph *g;
    assert_ok(graph_create(&g, &err));
    make_ramp(weight36, 36, 0.3f, -0.017f);
    make_conv_desc d = {.name = "c",
                        .x = make_input(g, 2),
                        .c_in = 2,
                        .c_out = 2,
                        .kernel = 3,
                        .is_transpose = is_transpose,
                        .weight = weight36};
    make_done(g, make_unary(g, GRAPH_OP_SILU, "act", make_conv(g, &d)));
    return g;
}

static void expect_codes(const graph *g, const int8_t want[36])
{
    const tensor *t = graph_tensor_const(g, graph_find_tensor(g, "c.weight"));
    assert_int_equal(t->type, DTYPE_I8);
    assert_memory_equal(blob_data(t->data), want, 36);
}

/* Expected values: numpy 1.24 in float32, clip(rint(W/(amax/127)), -128, 127). */
static void weights_become_codes(void **state)
{
    (void)state;
    static const int8_t rows[36] = {127, 120, 113, 105, 98,  91,  84,  77,  69,   62,   55,   48,
                                    41,  33,  26,  19,  12,  5,   -3,  -10, -17,  -25,  -32,  -39,
                                    -46, -54, -61, -68, -76, -83, -90, -98, -105, -112, -120, -127};
    static const int8_t columns[36] = {127, 120, 113, 105, 98,  91,   84,   77,   69,
                                       63,  56,  49,  41,  34,  27,   19,   12,   5,
                                       -3,  -10, -17, -24, -31, -39,  -46,  -53,  -60,
                                       -68, -76, -83, -90, -98, -105, -112, -120, -127};
    for (int transpose = 0; transpose < 2; transpose++) {
        graph *g = one_conv(transpose);
        test_plan p = {0};
        plan_layer(&p, "c", 0.9921f, transpose, 2, amax2);
        assert_ok(pass_insert_qdq(g, &p.plan, &err));
        assert_ok(graph_verify(g, &err));
        expect_codes(g, transpose ? columns : rows);
        const float *scale = expect_floats(g, "c.weight_scale", 2);
        assert_true(scale[0] == 0x1.359e7p-9f && scale[1] == 0x1.307566p-9f);
        assert_true(expect_floats(g, "c.input_scale", 1)[0] == 0.9921f / 127);
        const node *dq = expect_node(g, "c.weight_dequantize", GRAPH_OP_DEQUANTIZE_LINEAR);
        assert_int_equal(dq->attr.axis.axis, transpose);
        assert_true(graph_find_tensor(g, "c.weight_dq") == dq->outputs[0]);
        assert_true(graph_find_tensor(g, "images_q") != TENSOR_NONE);
        assert_int_equal(graph_n_nodes(g), 5);
        graph_destroy(g);
    }
}

/* Expected values: numpy as above with three quarters of the range: 8 bits, 4 bits, narrow. */
static void clipped_weights_saturate(void **state)
{
    (void)state;
    static const int8_t full[36] = {127, 127,  127,  127,  127,  121,  112,  102,  93,
                                    83,  73,   64,   54,   45,   35,   25,   16,   6,
                                    -3,  -13,  -23,  -33,  -42,  -52,  -62,  -72,  -82,
                                    -91, -101, -111, -121, -128, -128, -128, -128, -128};
    static const int8_t four[36] = {7,  7,  7,  7,  7,  7,  6,  6,  5,  5,  4,  4,
                                    3,  2,  2,  1,  1,  0,  0,  -1, -1, -2, -2, -3,
                                    -3, -4, -4, -5, -6, -6, -7, -7, -8, -8, -8, -8};
    for (int kind = 0; kind < 3; kind++) {
        graph *g = one_conv(false);
        test_plan p = {0};
        float amax[2] = {amax2[0] * 0.75f, amax2[1] * 0.75f};
        int8_t want[36];
        memcpy(want, kind == 1 ? four : full, 36);
        qplan_entry *e = plan_layer(&p, "c", 1, 0, 2, amax);
        e->input.enabled = false;
        e->weight.num_bits = kind == 1 ? 4 : 8;
        e->weight.narrow_range = kind == 2;
        for (int i = 31; kind == 2 && i < 36; i++)
            want[i] = -127;
        assert_ok(pass_insert_qdq(g, &p.plan, &err));
        expect_codes(g, want);
        assert_int_equal(count_ops(g, GRAPH_OP_QUANTIZE_LINEAR), 0);
        graph_destroy(g);
    }
}

/* x -> a, b, c, d and an Upsample; a and b have one range, c another, d is not in the plan. */
static void equal_scales_share_a_pair(void **state)
{
    (void)state;
    test_rng rng = {1};
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_unary(g, GRAPH_OP_RELU, "x", make_input(g, 2)), parts[5];
    const char *names[4] = {"a", "b", "c", "d"};
    for (int i = 0; i < 4; i++)
        parts[i] = make_conv(
            g, &(make_conv_desc){.name = names[i], .x = x, .c_in = 2, .c_out = 2, .rng = &rng});
    parts[4] = make_binary(g, GRAPH_OP_ADD, "add", parts[0], x);
    make_done(g, make_concat(g, "cat", 5, parts));
    test_plan p = {0};
    plan_layer(&p, "a", 3, -1, 1, &(float){1});
    plan_layer(&p, "b", 3, -1, 1, &(float){1});
    plan_layer(&p, "c", 2, -1, 1, &(float){1});
    plan_extra(&p, "add", 1, 3);
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    assert_ok(graph_verify(g, &err));
    assert_int_equal(count_ops(g, GRAPH_OP_QUANTIZE_LINEAR), 2);
    assert_int_equal(count_ops(g, GRAPH_OP_DEQUANTIZE_LINEAR), 2 + 3);
    tensor_id shared = expect_node(g, "a", GRAPH_OP_CONV)->inputs[0];
    assert_string_equal(graph_tensor(g, shared)->name, "x_dq");
    assert_true(expect_node(g, "b", GRAPH_OP_CONV)->inputs[0] == shared);
    assert_true(expect_node(g, "add", GRAPH_OP_ADD)->inputs[1] == shared);
    assert_true(expect_node(g, "c", GRAPH_OP_CONV)->inputs[0] != shared);
    assert_true(expect_node(g, "d", GRAPH_OP_CONV)->inputs[0] == x);
    graph_destroy(g);
}

/* What a quantizer does to a value, spec algorithms.md §1: rint, saturate, times scale. */
static double fake(double x, float scale, double low, double high)
{
    double code = rint((double)((float)x / scale));
    return (double)(float)(fmin(fmax(code, low), high) * (double)scale);
}

static void activations_are_rounded_and_saturated(void **state)
{
    (void)state;
    static const struct {
        int bits;
        bool is_unsigned, is_narrow;
        float amax, scale;
        double low, high;
    } cases[] = {
        {8, false, false, 2.54f, 2.54f / 127, -128, 127},
        {8, true, false, 2.55f, 2.55f / 255, 0, 255},
        {8, false, true, 2.54f, 2.54f / 127, -127, 127},
        {4, false, false, 2.0f, 2.0f / 7, -8, 7},
        {3, true, false, 2.0f, 2.0f / 7, 0, 7},
        {12, false, false, 2.0f, 2.0f / 2047, -2048, 2047},
        {8, false, false, 0, 1, -128, 127},
        {8, false, false, 0x1p-24f, 1, -128, 127},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        graph *g;
        assert_ok(graph_create(&g, &err));
        float one = 1;
        make_conv_desc d = {
            .name = "c", .x = make_input(g, 1), .c_in = 1, .c_out = 1, .weight = &one};
        make_done(g, make_conv(g, &d));
        size_t n;
        double *x = graph_eval_random(g, 16, 3, &n);
        test_plan p = {0};
        qplan_entry *e = plan_layer(&p, "c", cases[k].amax, 0, 0, NULL);
        e->input.num_bits = cases[k].bits;
        e->input.is_unsigned = cases[k].is_unsigned;
        e->input.narrow_range = cases[k].is_narrow;
        assert_ok(pass_insert_qdq(g, &p.plan, &err));
        double *y = graph_eval_random(g, 16, 3, &n);
        for (size_t i = 0; i < n; i++)
            assert_true(y[i] == fake(x[i], cases[k].scale, cases[k].low, cases[k].high));
        free(x);
        free(y);
        graph_destroy(g);
    }
}

/* -0.3 ... 4.8 in 255 steps of 0.02: 0 is code 15, the ends are codes 0 and 255. */
static void a_tensor_of_its_own_is_read_as_codes_by_all(void **state)
{
    (void)state;
    graph *g = one_conv(false);
    tensor_id act = graph_output(g, 0);
    make_done(g, make_unary(g, GRAPH_OP_RELU, "y", act));
    graph_clear_outputs(g);
    assert_ok(graph_add_output(g, graph_find_tensor(g, "y"), &err));
    test_plan p = {0};
    qplan_entry *e = plan_layer(&p, "c", 1, 0, 2, amax2);
    e->input.is_unsigned = true;
    plan_tensor(&p, "images", 0, 1);
    plan_tensor(&p, "c", -0.3f, 4.8f);
    plan_tensor(&p, "act", -0.3f, 4.8f);
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    assert_ok(graph_verify(g, &err));
    assert_int_equal(count_ops(g, GRAPH_OP_QUANTIZE_LINEAR), 3);
    assert_string_equal(graph_tensor(g, expect_node(g, "act", GRAPH_OP_SILU)->inputs[0])->name,
                        "c_dq");
    assert_string_equal(graph_tensor(g, expect_node(g, "c", GRAPH_OP_CONV)->inputs[0])->name,
                        "images_dq");
    assert_float_equal(expect_floats(g, "c.value_scale", 1)[0], 0.02, 1e-8);
    const tensor *zero = graph_tensor(g, graph_find_tensor(g, "c.value_zero"));
    assert_int_equal(zero->type, DTYPE_U8);
    assert_int_equal(*(const uint8_t *)blob_data(zero->data), 15);
    graph_destroy(g);
}

/* bias / (0.5 * scale[c]): worked by hand; with float weights the bias stays float. */
static void biases_become_codes(void **state)
{
    (void)state;
    float weight[2] = {1.27f, -2.54f}, bias[2] = {1.0f, -0.3f}, amax[2] = {1.27f, 2.54f};
    for (int is_float = 0; is_float < 2; is_float++) {
        graph *g;
        assert_ok(graph_create(&g, &err));
        make_conv_desc d = {.name = "c",
                            .x = make_input(g, 1),
                            .c_in = 1,
                            .c_out = 2,
                            .weight = weight,
                            .bias = bias};
        make_done(g, make_conv(g, &d));
        test_plan p = {0};
        plan_layer(&p, "c", 63.5f, 0, 2, amax);
        p.plan.integer_bias = !is_float;
        assert_ok(pass_insert_qdq(g, &p.plan, &err));
        assert_ok(graph_verify(g, &err));
        const tensor *t = graph_tensor(g, graph_find_tensor(g, "c.bias"));
        assert_int_equal(t->type, is_float ? DTYPE_F32 : DTYPE_I32);
        if (!is_float) {
            const int32_t *codes = blob_data(t->data);
            assert_int_equal(codes[0], 200); /* 1 / (0.5 * 0.01) */
            assert_int_equal(codes[1], -30); /* -0.3 / (0.5 * 0.02) */
            expect_node(g, "c.bias_dequantize", GRAPH_OP_DEQUANTIZE_LINEAR);
            expect_floats(g, "c.bias_scale", 2);
            assert_ok(pass_remove_qdq(g, &err));
            assert_float_equal(expect_floats(g, "c.bias", 2)[1], -0.3, 1e-7);
        }
        graph_destroy(g);
    }
}

/* One range per channel with 4 bits, and one per channel and row: no single pair of ONNX says so.
 */
static void slices_have_ranges_of_their_own(void **state)
{
    (void)state;
    static const float amax[8] = {1, 2, 0.5f, 4, 3, 0, 2.5f, 1.5f};
    for (int k = 0; k < 2; k++) {
        graph *g;
        assert_ok(graph_create(&g, &err));
        static const float identity[4] = {1, 0, 0, 1};
        make_conv_desc d = {
            .name = "c", .x = make_input(g, 2), .c_in = 2, .c_out = 2, .weight = identity};
        make_done(g, make_conv(g, &d));
        size_t n;
        double *x = graph_eval_random(g, 4, 3, &n);
        test_plan p = {0};
        qplan_entry *e = plan_layer(&p, "c", 1, 0, 0, NULL);
        quantizer *z = &e->input;
        z->num_bits = 4;
        z->n_amax = k ? 8 : 2;
        z->amax = (float *)(uintptr_t)amax;
        quantizer_set_axes(z, k ? 1u << 1 | 1u << 2 : 1u << 1);
        assert_ok(pass_insert_qdq(g, &p.plan, &err));
        assert_ok(graph_verify(g, &err));
        double *y = graph_eval_random(g, 4, 3, &n);
        for (size_t i = 0; i < n; i++) {
            float range = amax[k ? i / 4 : i / 16];
            assert_true(y[i] == fake(x[i], range > 0 ? range / 7 : 1, -8, 7));
        }
        free(x);
        free(y);
        graph_destroy(g);
    }
}

/* W [2,2,3,3] with a range per pair of channels: simulated values stand in the graph. */
static void weights_with_several_axes_are_simulated(void **state)
{
    (void)state;
    graph *g = one_conv(false);
    test_plan p = {0};
    float amax[4] = {0.25f, 0.3f, 0.2f, 0.4f};
    qplan_entry *e = plan_layer(&p, "c", 1, 0, 4, amax);
    e->input.enabled = false;
    quantizer_set_axes(&e->weight, 1u << 0 | 1u << 1);
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    assert_int_equal(count_ops(g, GRAPH_OP_DEQUANTIZE_LINEAR), 0);
    const tensor *w = graph_tensor_const(g, expect_node(g, "c", GRAPH_OP_CONV)->inputs[1]);
    const float *values = blob_data(w->data);
    for (int i = 0; i < 36; i++)
        assert_true((double)values[i] == fake((double)weight36[i], amax[i / 9] / 127, -128, 127));
    graph_destroy(g);
}

/* if_clip without if_quant: cut, not rounded. */
static void a_clip_alone_cuts(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    float one = 1;
    make_conv_desc d = {.name = "c", .x = make_input(g, 1), .c_in = 1, .c_out = 1, .weight = &one};
    make_done(g, make_conv(g, &d));
    size_t n;
    double *x = graph_eval_random(g, 16, 3, &n);
    test_plan p = {0};
    plan_layer(&p, "c", 1.5f, -1, 1, &(float){0.75f});
    p.entries[0].input.only_clips = p.entries[0].weight.only_clips = true;
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    assert_int_equal(count_ops(g, GRAPH_OP_QUANTIZE_LINEAR), 0);
    double *y = graph_eval_random(g, 16, 3, &n);
    for (size_t i = 0; i < n; i++)
        assert_true(y[i] == 0.75 * fmin(fmax(x[i], -1.5), 1.5));
    free(x);
    free(y);
    graph_destroy(g);
}

/* The output keeps its name and comes rounded; who else reads the tensor gets it unrounded. */
static void outputs_can_be_quantized(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_unary(g, GRAPH_OP_IDENTITY, "y", make_input(g, 1));
    tensor_id z = make_unary(g, GRAPH_OP_SIGMOID, "z", x);
    assert_ok(graph_add_output(g, x, &err));
    make_done(g, z);
    size_t n;
    double *before = graph_eval_random(g, 8, 3, &n);
    test_plan p = {0};
    plan_extra(&p, "y", QPLAN_OUTPUT, 2);
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    assert_ok(graph_verify(g, &err));
    assert_int_equal(graph_n_outputs(g), 2);
    assert_string_equal(graph_tensor(g, graph_output(g, 0))->name, "y");
    assert_string_equal(graph_tensor(g, expect_node(g, "z", GRAPH_OP_SIGMOID)->inputs[0])->name,
                        "y_float");
    double *after = graph_eval_random(g, 8, 3, &n);
    for (size_t i = 0; i < n; i++)
        assert_true(after[i] == fake(before[i], 2.0f / 127, -128, 127));
    free(before);
    free(after);
    graph_destroy(g);
}

static void bad_plans_are_named(void **state)
{
    (void)state;
    graph *g = one_conv(false);
    test_plan p = {0};
    qplan_entry *e = plan_layer(&p, "c", 1, 0, 2, amax2);
    e->layer = (char *)(uintptr_t) "nobody";
    assert_status(pass_insert_qdq(g, &p.plan, &err), PTQ_FORMAT);
    assert_non_null(strstr(err.message, "'nobody'"));
    e->layer = (char *)(uintptr_t) "c";
    e->input.amax[0] = NAN;
    assert_status(pass_insert_qdq(g, &p.plan, &err), PTQ_FORMAT);
    e->input.amax[0] = -1;
    assert_status(pass_insert_qdq(g, &p.plan, &err), PTQ_FORMAT);
    e->input.amax[0] = 1;
    e->input.low = -1;
    assert_status(pass_insert_qdq(g, &p.plan, &err), PTQ_FORMAT);
    e->input.low = 0;
    qplan_tensor *own = plan_tensor(&p, "c.weight", 0, 1);
    assert_status(pass_insert_qdq(g, &p.plan, &err), PTQ_FORMAT);
    assert_non_null(strstr(err.message, "'c.weight'"));
    own->tensor = (char *)(uintptr_t) "none";
    assert_status(pass_insert_qdq(g, &p.plan, &err), PTQ_FORMAT);
    p.plan.n_tensors = 0;
    e->input.num_bits = 1;
    assert_status(pass_insert_qdq(g, &p.plan, &err), PTQ_UNSUPPORTED);
    e->input.enabled = false;
    e->weight.n_amax = 1;
    assert_status(pass_insert_qdq(g, &p.plan, &err), PTQ_SHAPE);
    e->weight.n_amax = 2;
    e->weight.axis = 4;
    assert_status(pass_insert_qdq(g, &p.plan, &err), PTQ_SHAPE);
    e->weight.axis = 0;
    e->weight.is_unsigned = true;
    assert_status(pass_insert_qdq(g, &p.plan, &err), PTQ_USAGE);
    assert_non_null(strstr(err.message, "the weight has negative values"));
    e->weight.is_unsigned = false;
    e->input.num_bits = 8;
    e->input.enabled = true;
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    assert_status(pass_insert_qdq(g, &p.plan, &err), PTQ_UNSUPPORTED);
    assert_non_null(strstr(err.message, "quantized already"));
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_become_codes),
        cmocka_unit_test(clipped_weights_saturate),
        cmocka_unit_test(equal_scales_share_a_pair),
        cmocka_unit_test(activations_are_rounded_and_saturated),
        cmocka_unit_test(a_tensor_of_its_own_is_read_as_codes_by_all),
        cmocka_unit_test(biases_become_codes),
        cmocka_unit_test(slices_have_ranges_of_their_own),
        cmocka_unit_test(weights_with_several_axes_are_simulated),
        cmocka_unit_test(a_clip_alone_cuts),
        cmocka_unit_test(outputs_can_be_quantized),
        cmocka_unit_test(bad_plans_are_named),
    };
    return cmocka_run_group_tests_name("insert_qdq", tests, NULL, NULL);
}
