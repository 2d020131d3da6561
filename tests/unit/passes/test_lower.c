/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"
#include "test_plan.h"

#include "passes/passes.h"

static ptq_error err;

static tensor_id conv_act(graph *g, const char *name, tensor_id x, int64_t channels, test_rng *rng)
{
    char act[64];
    snprintf(act, sizeof act, "%s.act", name);
    make_conv_desc d = {.name = name,
                        .x = x,
                        .c_in = channels,
                        .c_out = 4,
                        .kernel = 3,
                        .random_bias = true,
                        .rng = rng};
    return make_unary(g, GRAPH_OP_LEAKY_RELU, act, make_conv(g, &d));
}

/* images -> a -> {pool -> upsample, b} -> cat -> {c, d} -> sum; c, d share a scale. */
static graph *small_net(void)
{
    test_rng rng = {21};
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id a = conv_act(g, "a", make_input(g, 4), 4, &rng);
    tensor_id parts[2] = {make_upsample(g, "up", make_max_pool(g, "pool", a, 2, 2)),
                          conv_act(g, "b", a, 4, &rng)};
    tensor_id cat = make_concat(g, "cat", 2, parts);
    tensor_id c = conv_act(g, "c", cat, 8, &rng), d = conv_act(g, "d", cat, 8, &rng);
    make_done(g, make_binary(g, GRAPH_OP_ADD, "sum", c, d));
    return g;
}

/* Scales that are powers of two make every sum exact. */
static float power(int exponent)
{
    return 127 * ldexpf(1, exponent);
}

static void plan_net(test_plan *p, int scale_b, int scale_cat)
{
    float w[4] = {power(-7), power(-6), power(-5), power(-7)};
    plan_layer(p, "a", power(-4), 0, 4, w);
    plan_layer(p, "b", power(scale_b), 0, 4, w);
    plan_layer(p, "c", power(scale_cat), 0, 4, w);
    plan_layer(p, "d", power(scale_cat), 0, 4, w);
}

static double *eval_lowered(const graph *g, precision p, const char *const *keep, graph **lowered)
{
    graph *c;
    size_t n;
    assert_ok(graph_copy(g, &c, &err));
    assert_ok(pass_lower(c, &(lower_options){.precision = p, .keep = keep}, &err));
    assert_ok(graph_verify(c, &err));
    double *y = graph_eval_random(c, 8, 5, &n);
    *lowered = c;
    return y;
}

static void float_graphs_fuse_activations(void **state)
{
    (void)state;
    graph *g = small_net(), *h;
    size_t n;
    double *want = graph_eval_random(g, 8, 5, &n);
    const char *keep[] = {"b", "no such tensor", NULL};
    double *got = eval_lowered(g, PRECISION_FP32, keep, &h);
    assert_true(eval_max_abs(want, got, n) == 0);
    assert_int_equal(count_ops(h, GRAPH_OP_LEAKY_RELU), 1); /* the one behind the kept tensor */
    const node *a = expect_node(h, "a", GRAPH_OP_CONV);
    assert_int_equal(a->attr.conv.act.kind, ACT_LEAKY_RELU);
    assert_true(a->attr.conv.act.alpha == 0.125f);
    assert_string_equal(graph_tensor(h, a->outputs[0])->name, "a.act");
    assert_int_equal(expect_node(h, "b", GRAPH_OP_CONV)->attr.conv.act.kind, ACT_NONE);
    free(want);
    free(got);
    graph_destroy(g);
    graph_destroy(h);
}

/* One scale everywhere: all between the first quantizer and the last two convolutions is codes. */
static void integers_run_from_end_to_end(void **state)
{
    (void)state;
    for (int float_weights = 0; float_weights < 2; float_weights++) {
        graph *g = small_net(), *h;
        test_plan p = {0};
        size_t n;
        plan_net(&p, -3, -3);
        p.plan.float_weights = float_weights;
        assert_ok(pass_insert_qdq(g, &p.plan, &err));
        double *want = graph_eval_random(g, 8, 5, &n);
        double *got = eval_lowered(g, PRECISION_INT8, NULL, &h);
        assert_true(eval_max_abs(want, got, n) == 0);
        assert_int_equal(count_ops(h, GRAPH_OP_QCONV), 4);
        assert_int_equal(count_ops(h, GRAPH_OP_CONV), 0);
        assert_int_equal(count_ops(h, GRAPH_OP_QUANTIZE_LINEAR), 1); /* of the image */
        assert_int_equal(count_ops(h, GRAPH_OP_DEQUANTIZE_LINEAR), 0);
        const node *cat = expect_node(h, "cat", GRAPH_OP_CONCAT);
        assert_int_equal(graph_tensor(h, cat->outputs[0])->type, DTYPE_I8);
        const node *a = expect_node(h, "a", GRAPH_OP_QCONV);
        assert_true(a->attr.conv.out_scale == 0.125f && a->attr.conv.x_scale == 0.0625f);
        assert_int_equal(graph_tensor(h, a->outputs[0])->type, DTYPE_I8);
        assert_int_equal(a->attr.conv.act.kind, ACT_LEAKY_RELU);
        assert_true(expect_node(h, "c", GRAPH_OP_QCONV)->attr.conv.out_scale == 0);
        free(want);
        free(got);
        graph_destroy(g);
        graph_destroy(h);
    }
}

/* a's output is wanted in two scales: two quantizers stay, and the pool runs on codes all the
 * same. */
static void different_scales_stay_apart(void **state)
{
    (void)state;
    graph *g = small_net(), *h;
    test_plan p = {0};
    size_t n;
    plan_net(&p, -4, -3);
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    double *want = graph_eval_random(g, 8, 5, &n);
    double *got = eval_lowered(g, PRECISION_INT8, NULL, &h);
    assert_true(eval_max_abs(want, got, n) == 0);
    assert_int_equal(count_ops(h, GRAPH_OP_QCONV), 4);
    assert_int_equal(count_ops(h, GRAPH_OP_QUANTIZE_LINEAR), 3);
    assert_true(expect_node(h, "a", GRAPH_OP_QCONV)->attr.conv.out_scale == 0);
    assert_true(expect_node(h, "b", GRAPH_OP_QCONV)->attr.conv.out_scale == 0.125f);
    const node *pool = expect_node(h, "pool", GRAPH_OP_MAX_POOL);
    assert_int_equal(graph_tensor(h, pool->outputs[0])->type, DTYPE_I8);
    free(want);
    free(got);
    graph_destroy(g);
    graph_destroy(h);
}

static void kept_tensors_stay_float(void **state)
{
    (void)state;
    graph *g = small_net(), *h;
    test_plan p = {0};
    size_t n;
    plan_net(&p, -3, -3);
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    double *want = graph_eval_random(g, 8, 5, &n);
    const char *keep[] = {"cat", "b.act", NULL};
    double *got = eval_lowered(g, PRECISION_INT8, keep, &h);
    assert_true(eval_max_abs(want, got, n) == 0);
    for (int i = 0; keep[i]; i++) {
        tensor_id t = graph_find_tensor(h, keep[i]);
        assert_true(graph_producer(h, t) != NODE_NONE);
        assert_int_equal(graph_tensor(h, t)->type, DTYPE_F32);
    }
    free(want);
    free(got);
    graph_destroy(g);
    graph_destroy(h);
}

/* As ONNX Runtime's quantizer writes: u8 with a zero point around everything, int32 bias behind
 * DQ, the same pair twice. */
static void foreign_graphs_run_on_codes(void **state)
{
    (void)state;
    test_rng rng = {4};
    graph *g, *h;
    size_t n;
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_qdq(g, "x", make_input(g, 4), 0.125f, DTYPE_U8, 120);
    tensor_id y = make_conv(
        g, &(make_conv_desc){.name = "c", .x = x, .c_in = 4, .c_out = 4, .kernel = 3, .rng = &rng});
    y = make_qdq(g, "y", make_unary(g, GRAPH_OP_RELU, "relu", y), 0.25f, DTYPE_U8, 3);
    tensor_id parts[2] = {make_max_pool(g, "pool", y, 3, 1), y};
    parts[0] = make_qdq(g, "p", parts[0], 0.25f, DTYPE_U8, 3);
    tensor_id z = make_qdq(g, "z", make_concat(g, "cat", 2, parts), 0.25f, DTYPE_U8, 3);
    tensor_id w =
        make_conv(g, &(make_conv_desc){.name = "d", .x = z, .c_in = 8, .c_out = 2, .rng = &rng});
    make_done(g, make_qdq(g, "out", w, 0.5f, DTYPE_U8, 128));
    test_plan p = {0};
    plan_layer(&p, "c", 0, 0, 4, (float[]){power(-7), power(-7), power(-7), power(-7)});
    plan_layer(&p, "d", 0, -1, 1, &(float){power(-7)});
    p.entries[0].input.enabled = p.entries[1].input.enabled = false;
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    /* the bias of d: int32 codes with the scale of its sums */
    shape two = shape_make(1, (int64_t[]){2});
    tensor_id in[2], bias;
    assert_ok(graph_add_const_copy(g, "d.bias_codes", DTYPE_I32, &two, (int32_t[]){100, -333},
                                   &in[0], &err));
    in[1] = make_const(g, "d.bias_scale", &(shape){.rank = 0}, &(float){0x1p-9f});
    bias = make_op(g, GRAPH_OP_DEQUANTIZE_LINEAR, "d.bias", 2, in, NULL);
    node d = *graph_node(g, graph_find_node(g, "d"));
    tensor_id inputs[3] = {d.inputs[0], d.inputs[1], bias};
    graph_remove_node(g, graph_find_node(g, "d"));
    d.inputs = inputs;
    d.n_inputs = 3;
    assert_ok(graph_add_node(g, &d, NULL, &err));
    assert_ok(graph_tidy(g, &err));

    double *want = graph_eval_random(g, 8, 5, &n);
    double *got = eval_lowered(g, PRECISION_INT8, NULL, &h);
    assert_true(eval_max_abs(want, got, n) == 0);
    assert_int_equal(count_ops(h, GRAPH_OP_QCONV), 2);
    assert_int_equal(count_ops(h, GRAPH_OP_QUANTIZE_LINEAR), 1);
    assert_int_equal(count_ops(h, GRAPH_OP_DEQUANTIZE_LINEAR), 1); /* of the output */
    assert_int_equal(graph_n_nodes(h), 6);
    const node *last = expect_node(h, "d", GRAPH_OP_QCONV);
    assert_int_equal(last->attr.conv.x_zero, 3);
    assert_int_equal(last->attr.conv.out_zero, 128);
    assert_true(expect_floats(h, "d.bias_codes", 2)[1] == -333 * 0x1p-9f);
    free(want);
    free(got);
    graph_destroy(g);
    graph_destroy(h);
}

/* Unsigned weights are shifted where they fit into int8, and stay float where they do not. */
static void weight_zero_points_are_taken_off(void **state)
{
    (void)state;
    static const uint8_t codes[2][3] = {{128, 255, 0}, {128, 255, 3}};
    static const uint8_t zero[2] = {128, 120};
    for (int k = 0; k < 2; k++) {
        graph *g, *h;
        size_t n;
        assert_ok(graph_create(&g, &err));
        tensor_id x = make_qdq(g, "x", make_input(g, 3), 0.125f, DTYPE_I8, 0), w[3], y;
        shape s = shape4(1, 3, 1, 1), scalar = {.rank = 0};
        assert_ok(graph_add_const_copy(g, "w", DTYPE_U8, &s, codes[k], &w[0], &err));
        w[1] = make_const(g, "w_scale", &scalar, &(float){0.25f});
        assert_ok(graph_add_const_copy(g, "w_zero", DTYPE_U8, &scalar, &zero[k], &w[2], &err));
        tensor_id in[2] = {x, make_op(g, GRAPH_OP_DEQUANTIZE_LINEAR, "w_dq", 3, w, NULL)};
        op_attr a = {.conv = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1}};
        y = make_op(g, GRAPH_OP_CONV, "c", 2, in, &a);
        make_done(g, y);
        double *want = graph_eval_random(g, 8, 5, &n);
        double *got = eval_lowered(g, PRECISION_INT8, NULL, &h);
        assert_true(eval_max_abs(want, got, n) == 0);
        assert_int_equal(count_ops(h, GRAPH_OP_QCONV), k == 0);
        assert_int_equal(count_ops(h, GRAPH_OP_DEQUANTIZE_LINEAR), k == 1); /* of x alone */
        assert_ok(
            pass_lower(g, &(lower_options){.precision = PRECISION_INT8, .has_bf16 = true}, &err));
        assert_int_equal(graph_node(g, graph_find_node(g, "c"))->attr.conv.compute, COMPUTE_F32);
        free(want);
        free(got);
        graph_destroy(g);
        graph_destroy(h);
    }
}

static void simulation_folds_weights(void **state)
{
    (void)state;
    graph *g = small_net(), *h;
    test_plan p = {0};
    size_t n;
    plan_net(&p, -3, -4);
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    double *want = graph_eval_random(g, 8, 5, &n);
    double *got = eval_lowered(g, PRECISION_FP32, NULL, &h);
    assert_true(eval_max_abs(want, got, n) == 0);
    assert_int_equal(count_ops(h, GRAPH_OP_CONV), 4);
    assert_int_equal(count_ops(h, GRAPH_OP_DEQUANTIZE_LINEAR), 3);
    for (int i = 0; i < graph_n_nodes(h); i++)
        if (graph_node(h, (node_id)i)->op == GRAPH_OP_CONV)
            assert_true(graph_is_const(h, graph_node(h, (node_id)i)->inputs[1]));
    free(want);
    free(got);
    graph_destroy(g);
    graph_destroy(h);
}

static void half_precisions_mark_convolutions(void **state)
{
    (void)state;
    graph *g = small_net(), *h;
    size_t n;
    double *want = graph_eval_random(g, 8, 5, &n), *got = eval_lowered(g, PRECISION_FP16, NULL, &h);
    assert_int_equal(expect_node(h, "b", GRAPH_OP_CONV)->attr.conv.compute, COMPUTE_F16_SIM);
    double d16 = eval_max_abs(want, got, n);
    assert_true(d16 > 0 && d16 < 0.1);
    graph_destroy(h);
    free(got);
    got = eval_lowered(g, PRECISION_BF16, NULL, &h);
    for (int i = 0; i < graph_n_nodes(h); i++) {
        const node *nd = graph_node(h, (node_id)i);
        dtype type = graph_tensor(h, nd->outputs[0])->type;
        bool is_last = nd->name[0] == 'c' && nd->name[1] != 'a'; /* "c" */
        is_last = is_last || nd->name[0] == 'd' || nd->op == GRAPH_OP_ADD;
        assert_int_equal(type, is_last ? DTYPE_F32 : DTYPE_BF16);
    }
    assert_int_equal(count_ops(h, GRAPH_OP_CAST), 0);
    double d = eval_max_abs(want, got, n);
    assert_true(d > d16 && d < 2);
    free(want);
    free(got);
    graph_destroy(g);
    graph_destroy(h);
}

/* A reader that needs f32 of a bf16 tensor gets one Cast; layers without quantizers compute in
 * bf16 beside integer ones, and only in a quantized graph. */
static void casts_where_types_meet(void **state)
{
    (void)state;
    test_rng rng = {8};
    graph *g, *h;
    assert_ok(graph_create(&g, &err));
    tensor_id a = conv_act(g, "a", make_input(g, 4), 4, &rng), b = conv_act(g, "b", a, 4, &rng);
    tensor_id c = conv_act(g, "c", b, 4, &rng);
    float two[4] = {2, 2, 2, 2};
    shape s = shape4(1, 4, 1, 1);
    tensor_id product = make_binary(g, GRAPH_OP_MUL, "mul", a, make_const(g, "two", &s, two));
    make_done(g, make_binary(g, GRAPH_OP_ADD, "sum", c, product));
    assert_ok(graph_copy(g, &h, &err));
    assert_ok(pass_lower(h, &(lower_options){.precision = PRECISION_INT8, .has_bf16 = true}, &err));
    assert_int_equal(expect_node(h, "a", GRAPH_OP_CONV)->attr.conv.compute, COMPUTE_F32);
    graph_destroy(h);
    test_plan p = {0};
    plan_layer(&p, "c", power(-3), -1, 1, &(float){power(-7)});
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    assert_ok(graph_copy(g, &h, &err));
    assert_ok(
        pass_round_half(h, &err)); /* a float16 file: bf16 would have fewer bits than it says */
    assert_ok(pass_lower(h, &(lower_options){.precision = PRECISION_INT8, .has_bf16 = true}, &err));
    expect_node(h, "c", GRAPH_OP_QCONV);
    assert_int_equal(expect_node(h, "a", GRAPH_OP_CONV)->attr.conv.compute, COMPUTE_F32);
    graph_destroy(h);
    assert_ok(pass_lower(g, &(lower_options){.precision = PRECISION_INT8, .has_bf16 = true}, &err));
    assert_ok(graph_verify(g, &err));
    expect_node(g, "c", GRAPH_OP_QCONV);
    assert_int_equal(expect_node(g, "a", GRAPH_OP_CONV)->attr.conv.compute, COMPUTE_BF16);
    assert_int_equal(graph_tensor(g, graph_find_tensor(g, "a.act"))->type, DTYPE_BF16);
    assert_int_equal(graph_tensor(g, graph_find_tensor(g, "b.act"))->type, DTYPE_F32);
    assert_int_equal(count_ops(g, GRAPH_OP_CAST), 1);
    size_t n;
    free(graph_eval_random(g, 8, 5, &n)); /* types survive shape inference */
    assert_int_equal(graph_tensor(g, graph_find_tensor(g, "a.act"))->type, DTYPE_BF16);
    graph_destroy(g);
}

/* What an integer convolution gives to one in bf16 alone is rounded as it is stored. */
static void integers_give_bf16_to_its_reader(void **state)
{
    (void)state;
    test_rng rng = {8};
    graph *g;
    test_plan p = {0};
    assert_ok(graph_create(&g, &err));
    tensor_id a = conv_act(g, "a", make_input(g, 4), 4, &rng), b = conv_act(g, "b", a, 4, &rng);
    make_done(g, conv_act(g, "c", b, 4, &rng));
    plan_layer(&p, "a", power(-3), -1, 1, &(float){power(-7)});
    plan_layer(&p, "b", power(-3), -1, 1, &(float){power(-7)});
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    assert_ok(pass_lower(g, &(lower_options){.precision = PRECISION_INT8, .has_bf16 = true}, &err));
    assert_ok(graph_verify(g, &err));
    assert_true(expect_node(g, "a", GRAPH_OP_QCONV)->attr.conv.out_scale > 0);
    assert_int_equal(graph_tensor(g, expect_node(g, "a", GRAPH_OP_QCONV)->outputs[0])->type,
                     DTYPE_I8);
    expect_node(g, "b", GRAPH_OP_QCONV);
    assert_int_equal(graph_tensor(g, graph_find_tensor(g, "b.act"))->type, DTYPE_BF16);
    assert_int_equal(count_ops(g, GRAPH_OP_CAST), 0);
    graph_destroy(g);
}

/* In a float16 graph the quantizers round first, also within the convolutions that they become part
 * of. Biases of 2^-13 make the rounding matter. */
static void float16_quantizers_round_first(void **state)
{
    (void)state;
    graph *g = small_net(), *h;
    test_plan p = {0};
    size_t n;
    plan_net(&p, -3, -3);
    for (int i = 0; i < 2; i++) {
        tensor_id bias = graph_find_tensor(g, i ? "b.bias" : "a.bias");
        float *values = blob_data(graph_tensor(g, bias)->data);
        for (int k = 0; k < 4; k++)
            values[k] = rintf(values[k] * 16) / 16 + 0x1p-13f;
    }
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    double *exact = graph_eval_random(g, 8, 5, &n);
    assert_ok(pass_round_half(g, &err));
    double *want = graph_eval_random(g, 8, 5, &n);
    assert_true(eval_max_abs(exact, want, n) > 0);
    double *got = eval_lowered(g, PRECISION_INT8, NULL, &h);
    assert_true(eval_max_abs(want, got, n) == 0);
    assert_int_equal(count_ops(h, GRAPH_OP_QCONV), 4);
    assert_int_equal(count_ops(h, GRAPH_OP_QUANTIZE_LINEAR), 1); /* of the image */
    assert_int_equal(count_ops(h, GRAPH_OP_DEQUANTIZE_LINEAR), 0);
    assert_true(expect_node(h, "a", GRAPH_OP_QCONV)->attr.conv.out_from_half);
    const node *cat = expect_node(h, "cat", GRAPH_OP_CONCAT);
    assert_int_equal(graph_tensor(h, cat->outputs[0])->type, DTYPE_I8);
    free(exact);
    free(want);
    free(got);
    graph_destroy(g);
    graph_destroy(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float_graphs_fuse_activations),
        cmocka_unit_test(integers_run_from_end_to_end),
        cmocka_unit_test(different_scales_stay_apart),
        cmocka_unit_test(kept_tensors_stay_float),
        cmocka_unit_test(foreign_graphs_run_on_codes),
        cmocka_unit_test(weight_zero_points_are_taken_off),
        cmocka_unit_test(simulation_folds_weights),
        cmocka_unit_test(half_precisions_mark_convolutions),
        cmocka_unit_test(casts_where_types_meet),
        cmocka_unit_test(integers_give_bf16_to_its_reader),
        cmocka_unit_test(float16_quantizers_round_first),
    };
    return cmocka_run_group_tests_name("lower", tests, NULL, NULL);
}
