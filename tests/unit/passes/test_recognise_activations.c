/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"

#include "passes/passes.h"

static ptq_error err;

static tensor_id number(graph *g, const char *name, float value)
{
    shape scalar = {.rank = 0};
    return make_const(g, name, &scalar, &value);
}

typedef tensor_id spelling(graph *g, tensor_id x);

static tensor_id silu(graph *g, tensor_id x)
{
    return make_binary(g, GRAPH_OP_MUL, "act", x, make_unary(g, GRAPH_OP_SIGMOID, "s", x));
}

static tensor_id silu_turned(graph *g, tensor_id x)
{
    return make_binary(g, GRAPH_OP_MUL, "act", make_unary(g, GRAPH_OP_SIGMOID, "s", x), x);
}

static tensor_id shifted(graph *g, tensor_id x)
{
    tensor_id add = make_binary(g, GRAPH_OP_ADD, "add", x, number(g, "three", 3));
    op_attr clip = {.clip = {.min = 0, .max = 6}};
    return make_op(g, GRAPH_OP_CLIP, "clip", 1, &add, &clip);
}

/* torch: x * relu6(x+3) / 6. */
static tensor_id swish_product_first(graph *g, tensor_id x)
{
    tensor_id product = make_binary(g, GRAPH_OP_MUL, "mul", x, shifted(g, x));
    return make_binary(g, GRAPH_OP_DIV, "act", product, number(g, "six", 6));
}

static tensor_id swish_quotient_first(graph *g, tensor_id x)
{
    tensor_id part = make_binary(g, GRAPH_OP_DIV, "div", shifted(g, x), number(g, "six", 6));
    return make_binary(g, GRAPH_OP_MUL, "act", part, x);
}

static tensor_id swish_by_a_sixth(graph *g, tensor_id x)
{
    tensor_id part =
        make_binary(g, GRAPH_OP_MUL, "part", number(g, "sixth", 1.0f / 6), shifted(g, x));
    return make_binary(g, GRAPH_OP_MUL, "act", x, part);
}

static tensor_id swish_hard_sigmoid(graph *g, tensor_id x)
{
    op_attr slope = {.slope = {1.0f / 6, 0.5f}};
    tensor_id h = make_op(g, GRAPH_OP_HARD_SIGMOID, "h", 1, &x, &slope);
    return make_binary(g, GRAPH_OP_MUL, "act", x, h);
}

static void every_spelling(void **state)
{
    (void)state;
    static spelling *const spellings[] = {silu,
                                          silu_turned,
                                          swish_product_first,
                                          swish_quotient_first,
                                          swish_by_a_sixth,
                                          swish_hard_sigmoid};
    for (int i = 0; i < 6; i++) {
        graph *g;
        size_t n, m;
        assert_ok(graph_create(&g, &err));
        make_done(g, spellings[i](g, make_input(g, 2)));
        double *before = graph_eval_random(g, 8, 1, &n);
        assert_ok(pass_recognise_activations(g, &err));
        assert_ok(graph_verify(g, &err));
        assert_int_equal(graph_n_nodes(g), 1);
        expect_node(g, "act", i < 2 ? GRAPH_OP_SILU : GRAPH_OP_HARD_SWISH);
        double *after = graph_eval_random(g, 8, 1, &m);
        assert_int_equal(n, m);
        assert_true(eval_max_abs(before, after, n) < 1e-6);
        free(before);
        free(after);
        graph_destroy(g);
    }
}

/* The sigmoid is read elsewhere: it stays, the product is still recognised. */
static void a_shared_sigmoid_stays(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_input(g, 2), s = make_unary(g, GRAPH_OP_SIGMOID, "s", x);
    assert_ok(graph_add_output(g, s, &err));
    make_done(g, make_binary(g, GRAPH_OP_MUL, "act", x, s));
    assert_ok(pass_recognise_activations(g, &err));
    assert_int_equal(graph_n_nodes(g), 2);
    expect_node(g, "act", GRAPH_OP_SILU);
    graph_destroy(g);
}

static void look_alikes_stay(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_input(g, 2), a = make_unary(g, GRAPH_OP_RELU, "a", x);
    tensor_id s = make_unary(g, GRAPH_OP_SIGMOID, "s", x);
    assert_ok(graph_add_output(g, make_binary(g, GRAPH_OP_MUL, "gate", a, s), &err));
    op_attr slope = {.slope = {0.2f, 0.5f}}; /* ONNX's default, not hardswish's 1/6 */
    tensor_id h = make_op(g, GRAPH_OP_HARD_SIGMOID, "h", 1, &x, &slope);
    assert_ok(graph_add_output(g, make_binary(g, GRAPH_OP_MUL, "hard", x, h), &err));
    tensor_id five = make_binary(g, GRAPH_OP_DIV, "div", shifted(g, x), number(g, "five", 5));
    make_done(g, make_binary(g, GRAPH_OP_MUL, "fifth", x, five));
    assert_ok(pass_recognise_activations(g, &err));
    assert_int_equal(count_ops(g, GRAPH_OP_SILU) + count_ops(g, GRAPH_OP_HARD_SWISH), 0);
    assert_int_equal(count_ops(g, GRAPH_OP_MUL), 3);
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_spelling),
        cmocka_unit_test(a_shared_sigmoid_stays),
        cmocka_unit_test(look_alikes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
