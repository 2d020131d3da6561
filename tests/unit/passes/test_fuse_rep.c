/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"

#include "passes/passes.h"

static ptq_error err;

typedef struct rep_case {
    bool has_pointwise, has_identity;
    bool identity_first; /* ADD(identity, ADD(dense, pointwise)) instead of the official order */
    int stride, groups;
} rep_case;

static tensor_id rep_block(graph *g, tensor_id x, int64_t channels, const rep_case *c,
                           test_rng *rng)
{
    make_conv_desc d = {.name = "m.rbr_dense.0",
                        .x = x,
                        .c_in = channels,
                        .c_out = channels,
                        .kernel = 3,
                        .stride = c->stride,
                        .groups = c->groups,
                        .random_bias = true,
                        .rng = rng};
    tensor_id sum = make_conv(g, &d);
    if (c->has_pointwise) {
        d.name = "m.rbr_1x1.0";
        d.kernel = 1;
        sum = make_binary(g, GRAPH_OP_ADD, "m.add", sum, make_conv(g, &d));
    }
    if (c->has_identity) {
        tensor_id identity = make_batch_norm(g, "m.rbr_identity", x, channels, rng);
        sum = c->identity_first ? make_binary(g, GRAPH_OP_ADD, "m.add2", identity, sum)
                                : make_binary(g, GRAPH_OP_ADD, "m.add2", sum, identity);
    }
    return sum;
}

static void all_forms_become_one_convolution(void **state)
{
    (void)state;
    static const rep_case cases[] = {
        {true, false, false, 1, 1}, {true, true, false, 1, 1},  {true, true, true, 1, 1},
        {false, true, false, 1, 1}, {true, false, false, 2, 1}, {true, true, false, 1, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_rng rng = {i};
        graph *g;
        assert_ok(graph_create(&g, &err));
        tensor_id y = rep_block(g, make_input(g, 4), 4, &cases[i], &rng);
        make_done(g, make_unary(g, GRAPH_OP_SILU, "act", y));
        size_t n;
        double *before = graph_eval_random(g, 9, 1, &n);
        assert_ok(pass_fuse_rep(g, &err));
        assert_ok(graph_verify(g, &err));
        assert_int_equal(graph_n_nodes(g), 2);
        expect_node(g, "m.rbr_reparam", GRAPH_OP_CONV);
        expect_floats(g, "m.rbr_reparam.bias", 4);
        double *after = graph_eval_random(g, 9, 1, &n);
        assert_true(eval_max_abs(before, after, n) < 1e-5);
        free(before);
        free(after);
        graph_destroy(g);
    }
}

/* Expected values: numpy 1.24 in float32 for W3 = 0.21-0.013i [2,2,3,3], W1 = -0.4+0.23i,
 * b3 = 0.1+0.2i, b1 = -0.3+0.7i and the BN of test_fuse_batch_norm.c. */
static void sums_as_numpy_to_the_bit(void **state)
{
    (void)state;
    static const float centre[4] = {0x1.2d4a1ap+0f, -0x1.083128p-3f, -0x1.0624fp-6f,
                                    0x1.c133d4p-1f};
    static const float corner[4] = {0x1.ae147ap-3f, 0x1.7ced9p-4f, -0x1.89375p-6f, -0x1.20c49ep-3f};
    static const float want_bias[2] = {-0x1.bc8a14p-1f, 0x1.b69a64p-1f};
    float w3[36], w1[4], b3[2], b1[2], norm[8];
    make_ramp(w3, 36, 0.21f, -0.013f);
    make_ramp(w1, 4, -0.4f, 0.23f);
    make_ramp(b3, 2, 0.1f, 0.2f);
    make_ramp(b1, 2, -0.3f, 0.7f);
    make_ramp(norm, 2, 1.1f, -0.3f);
    make_ramp(norm + 2, 2, -0.2f, 0.7f);
    make_ramp(norm + 4, 2, 0.33f, 0.11f);
    make_ramp(norm + 6, 2, 0.6f, 0.45f);
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_input(g, 2);
    make_conv_desc d = {
        .name = "dense", .x = x, .c_in = 2, .c_out = 2, .kernel = 3, .weight = w3, .bias = b3};
    tensor_id sum = make_conv(g, &d);
    d = (make_conv_desc){.name = "one", .x = x, .c_in = 2, .c_out = 2, .weight = w1, .bias = b1};
    sum = make_binary(g, GRAPH_OP_ADD, "sum", make_conv(g, &d), sum);
    tensor_id identity = make_batch_norm_of(g, "identity", x, 2, norm);
    make_done(g, make_binary(g, GRAPH_OP_ADD, "sum2", sum, identity));
    assert_ok(pass_fuse_rep(g, &err));
    const node *conv = expect_node(g, "dense", GRAPH_OP_CONV); /* no official name: the 3x3's */
    const float *w = blob_data(graph_tensor_const(g, conv->inputs[1])->data);
    const float *b = blob_data(graph_tensor_const(g, conv->inputs[2])->data);
    for (int i = 0; i < 4; i++) {
        assert_true(w[9 * i + 4] == centre[i]);
        assert_true(w[9 * i] == corner[i]);
    }
    assert_memory_equal(b, want_bias, sizeof want_bias);
    graph_destroy(g);
}

/* A residual sum, branches of different tensors, and a padded 1x1 are something else. */
static void other_sums_stay(void **state)
{
    (void)state;
    test_rng rng = {1};
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_input(g, 4);
    make_conv_desc d = {.name = "a", .x = x, .c_in = 4, .c_out = 4, .kernel = 3, .rng = &rng};
    tensor_id a = make_conv(g, &d);
    d.name = "b";
    d.x = a;
    tensor_id residual = make_binary(g, GRAPH_OP_ADD, "residual", a, make_conv(g, &d));
    d.name = "c";
    d.x = residual;
    tensor_id c = make_conv(g, &d);
    d.name = "e";
    d.kernel = 1;
    d.x = x;
    tensor_id e = make_conv(g, &d);
    make_done(g, make_binary(g, GRAPH_OP_ADD, "other", c, e));
    int n = graph_n_nodes(g);
    assert_ok(pass_fuse_rep(g, &err));
    assert_int_equal(graph_n_nodes(g), n);
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_become_one_convolution),
        cmocka_unit_test(sums_as_numpy_to_the_bit),
        cmocka_unit_test(other_sums_stay),
    };
    return cmocka_run_group_tests_name("fuse_rep", tests, NULL, NULL);
}
