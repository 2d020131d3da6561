/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"

#include "passes/passes.h"

static ptq_error err;

static tensor_id implicit(graph *g, const char *name, int64_t channels, const float *values)
{
    shape s = shape4(1, channels, 1, 1);
    return make_const(g, name, &s, values);
}

/* Expected values: numpy 1.24 in float32 for W = 0.3-0.17i [2,2,1,1], b = 0.05-0.4i,
 * ia = 0.5-0.9i, im = 1.3-0.6i: b' = (b + W.ia)*im, W' = W*im by row. */
static void folds_as_numpy(void **state)
{
    (void)state;
    static const float want_weight[4] = {0x1.8f5c2ap-2f, 0x1.5a1cacp-3f, -0x1.cac07ap-6f,
                                         -0x1.2d0e52p-3f};
    static const float want_bias[2] = {0x1.8a0902p-3f, -0x1.9a0274p-3f};
    float w[4], b[2], ia[2], im[2];
    make_ramp(w, 4, 0.3f, -0.17f);
    make_ramp(b, 2, 0.05f, -0.4f);
    make_ramp(ia, 2, 0.5f, -0.9f);
    make_ramp(im, 2, 1.3f, -0.6f);
    for (int constant_first = 0; constant_first < 2; constant_first++) {
        graph *g;
        assert_ok(graph_create(&g, &err));
        tensor_id x = make_input(g, 2), a = implicit(g, "ia", 2, ia), m = implicit(g, "im", 2, im);
        x = constant_first ? make_binary(g, GRAPH_OP_ADD, "add", a, x)
                           : make_binary(g, GRAPH_OP_ADD, "add", x, a);
        make_conv_desc d = {
            .name = "head.m.0", .x = x, .c_in = 2, .c_out = 2, .weight = w, .bias = b};
        tensor_id y = make_conv(g, &d);
        y = constant_first ? make_binary(g, GRAPH_OP_MUL, "mul", m, y)
                           : make_binary(g, GRAPH_OP_MUL, "mul", y, m);
        make_done(g, y);
        assert_ok(pass_fuse_implicit(g, &err));
        assert_ok(graph_verify(g, &err));
        assert_int_equal(graph_n_nodes(g), 1);
        assert_memory_equal(expect_floats(g, "head.m.0.weight", 4), want_weight, 16);
        assert_memory_equal(expect_floats(g, "head.m.0.bias", 2), want_bias, 8);
        graph_destroy(g);
    }
}

/* Groups, larger windows and either constant alone. */
static void meaning_is_kept(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        test_rng rng = {(uint64_t)kind};
        float ia[4], im[6];
        make_ramp(ia, 4, -0.5f, 0.3f);
        make_ramp(im, 6, 0.7f, 0.2f);
        graph *g;
        assert_ok(graph_create(&g, &err));
        tensor_id y = make_input(g, 4);
        if (kind != 1)
            y = make_binary(g, GRAPH_OP_ADD, "add", y, implicit(g, "ia", 4, ia));
        y = make_conv(g, &(make_conv_desc){.name = "c",
                                           .x = y,
                                           .c_in = 4,
                                           .c_out = 6,
                                           .kernel = kind == 3 ? 3 : 1,
                                           .groups = kind == 2 ? 2 : 1,
                                           .no_pad = true,
                                           .random_bias = kind != 2,
                                           .rng = &rng});
        if (kind != 0)
            y = make_binary(g, GRAPH_OP_MUL, "mul", y, implicit(g, "im", 6, im));
        make_done(g, y);
        size_t n;
        double *before = graph_eval_random(g, 5, 1, &n);
        assert_ok(pass_fuse_implicit(g, &err));
        assert_int_equal(graph_n_nodes(g), 1);
        double *after = graph_eval_random(g, 5, 1, &n);
        assert_true(eval_max_abs(before, after, n) < 1e-5);
        free(before);
        free(after);
        graph_destroy(g);
    }
}

/* Behind padding a constant is not a constant; a full image of constants is none per channel. */
static void what_cannot_be_folded_stays(void **state)
{
    (void)state;
    test_rng rng = {1};
    float ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_binary(g, GRAPH_OP_ADD, "add", make_input(g, 2), implicit(g, "ia", 2, ones));
    make_conv_desc d = {.name = "c", .x = x, .c_in = 2, .c_out = 1, .kernel = 3, .rng = &rng};
    shape image = shape4(1, 1, 3, 3);
    tensor_id y =
        make_binary(g, GRAPH_OP_MUL, "mul", make_conv(g, &d), make_const(g, "image", &image, ones));
    make_done(g, y);
    assert_ok(pass_fuse_implicit(g, &err));
    assert_int_equal(graph_n_nodes(g), 3);
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_as_numpy),
        cmocka_unit_test(meaning_is_kept),
        cmocka_unit_test(what_cannot_be_folded_stays),
    };
    return cmocka_run_group_tests_name("fuse_implicit", tests, NULL, NULL);
}
