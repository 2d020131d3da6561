/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"

#include "passes/passes.h"

static ptq_error err;

/* Expected values: numpy 1.24 in float32, W*(gamma/sqrt(var+eps)), beta-(gamma*mean)/sqrt(var+eps),
 * for W = 0.3-0.17i [2,2,1,1], b = 0.05-0.4i, gamma = 1.1-0.3i, beta = -0.2+0.7i,
 * mean = 0.33+0.11i, var = 0.6+0.45i, eps = 1e-3. */
static const float want_weight[4] = {0x1.b3e3c8p-2f, 0x1.79c56ap-3f, -0x1.ff68bcp-6f,
                                     -0x1.4f9cbep-3f};
static const float want_bias[2] = {-0x1.5623aep-1f, 0x1.40cff8p-3f};
static const float want_bias_of_bias[2] = {-0x1.31d0b2p-1f, -0x1.dd1538p-4f};

static graph *conv_and_norm(bool has_bias)
{
    graph *g;
    assert_ok(graph_create(&g, &err));
    float weight[4], bias[2], p[8];
    make_ramp(weight, 4, 0.3f, -0.17f);
    make_ramp(bias, 2, 0.05f, -0.4f);
    make_ramp(p, 2, 1.1f, -0.3f);
    make_ramp(p + 2, 2, -0.2f, 0.7f);
    make_ramp(p + 4, 2, 0.33f, 0.11f);
    make_ramp(p + 6, 2, 0.6f, 0.45f);
    tensor_id y = make_conv(g, &(make_conv_desc){.name = "model.0.conv",
                                                 .x = make_input(g, 2),
                                                 .c_in = 2,
                                                 .c_out = 2,
                                                 .weight = weight,
                                                 .bias = has_bias ? bias : NULL});
    make_done(g, make_batch_norm_of(g, "model.0.bn", y, 2, p));
    return g;
}

static void folds_as_numpy_to_the_bit(void **state)
{
    (void)state;
    for (int has_bias = 0; has_bias < 2; has_bias++) {
        graph *g = conv_and_norm(has_bias);
        assert_ok(pass_fuse_batch_norm(g, &err));
        assert_ok(graph_verify(g, &err));
        assert_int_equal(graph_n_nodes(g), 1);
        expect_node(g, "model.0.conv", GRAPH_OP_CONV);
        assert_memory_equal(expect_floats(g, "model.0.conv.weight", 4), want_weight, 16);
        assert_memory_equal(expect_floats(g, "model.0.conv.bias", 2),
                            has_bias ? want_bias_of_bias : want_bias, 8);
        graph_destroy(g);
    }
}

/* Every kind of convolution keeps its meaning. */
static void meaning_is_kept(void **state)
{
    (void)state;
    test_rng rng = {7};
    for (int kind = 0; kind < 3; kind++) {
        graph *g;
        assert_ok(graph_create(&g, &err));
        make_conv_desc d = {.name = "a",
                            .x = make_input(g, 4),
                            .c_in = 4,
                            .c_out = 6,
                            .kernel = 3,
                            .stride = kind == 2 ? 2 : 1,
                            .groups = kind == 0 ? 1 : 2,
                            .is_transpose = kind == 2,
                            .random_bias = kind == 1,
                            .rng = &rng};
        tensor_id y = make_batch_norm(g, "bn", make_conv(g, &d), 6, &rng);
        make_done(g, make_unary(g, GRAPH_OP_SILU, "act", y));
        size_t n;
        double *before = graph_eval_random(g, 7, 1, &n);
        assert_ok(pass_fuse_batch_norm(g, &err));
        assert_ok(graph_verify(g, &err));
        assert_int_equal(count_ops(g, GRAPH_OP_BATCH_NORM), 0);
        double *after = graph_eval_random(g, 7, 1, &n);
        assert_true(eval_max_abs(before, after, n) < 2e-5);
        free(before);
        free(after);
        graph_destroy(g);
    }
}

/* A norm of the input, and one whose convolution has another reader, stay. */
static void what_cannot_be_folded_stays(void **state)
{
    (void)state;
    test_rng rng = {3};
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_batch_norm(g, "first", make_input(g, 2), 2, &rng);
    tensor_id y =
        make_conv(g, &(make_conv_desc){.name = "a", .x = x, .c_in = 2, .c_out = 2, .rng = &rng});
    tensor_id z = make_batch_norm(g, "second", y, 2, &rng);
    make_done(g, make_binary(g, GRAPH_OP_ADD, "sum", y, z));
    assert_ok(pass_fuse_batch_norm(g, &err));
    assert_ok(graph_verify(g, &err));
    assert_int_equal(count_ops(g, GRAPH_OP_BATCH_NORM), 2);
    assert_int_equal(graph_n_nodes(g), 4);
    graph_destroy(g);
}

/* Two layers with one weight tensor get each its own. */
static void shared_weights_are_not_overwritten(void **state)
{
    (void)state;
    test_rng rng = {5};
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_input(g, 2);
    tensor_id a =
        make_conv(g, &(make_conv_desc){.name = "a", .x = x, .c_in = 2, .c_out = 2, .rng = &rng});
    tensor_id in[2] = {x, graph_find_tensor(g, "a.weight")};
    op_attr attr = graph_node(g, graph_find_node(g, "a"))->attr;
    tensor_id b = make_op(g, GRAPH_OP_CONV, "b", 2, in, &attr);
    a = make_batch_norm(g, "a.bn", a, 2, &rng);
    make_done(g, make_binary(g, GRAPH_OP_ADD, "sum", a, b));
    size_t n;
    double *before = graph_eval_random(g, 4, 1, &n);
    assert_ok(pass_fuse_batch_norm(g, &err));
    double *after = graph_eval_random(g, 4, 1, &n);
    assert_true(eval_max_abs(before, after, n) < 1e-5);
    assert_int_equal(count_ops(g, GRAPH_OP_BATCH_NORM), 0);
    free(before);
    free(after);
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_as_numpy_to_the_bit),
        cmocka_unit_test(meaning_is_kept),
        cmocka_unit_test(what_cannot_be_folded_stays),
        cmocka_unit_test(shared_weights_are_not_overwritten),
    };
    return cmocka_run_group_tests_name("fuse_batch_norm", tests, NULL, NULL);
}
