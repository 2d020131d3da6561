/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"

#include "passes/passes.h"

static ptq_error err;

static double sigmoid_code(double x)
{
    return rint((double)(float)(1 / (1 + exp(-x))) / (double)(1.0f / 255));
}

/* y = q(x * q(sigmoid(x))) with steps of 1/255 in between, and only where both sides are codes. */
static void the_sigmoid_becomes_codes(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_qdq(g, "in", make_input(g, 1), 0.0625f, DTYPE_U8, 100);
    tensor_id silu = make_unary(g, GRAPH_OP_SILU, "act", x);
    tensor_id y = make_qdq(g, "out", silu, 0.03125f, DTYPE_U8, 9);
    make_done(g, make_unary(g, GRAPH_OP_SILU, "free", y));
    assert_ok(pass_spell_silu(g, &err));
    assert_ok(graph_verify(g, &err));
    const node *sigmoid = expect_node(g, "act/sigmoid", GRAPH_OP_SIGMOID);
    const node *mul = expect_node(g, "act", GRAPH_OP_MUL);
    assert_true(sigmoid->inputs[0] == x && mul->inputs[0] == x && mul->outputs[0] == silu);
    assert_true(expect_floats(g, "act/sigmoid.value_scale", 1)[0] == 1.0f / 255);
    expect_node(g, "free", GRAPH_OP_SILU);

    shape s = shape4(1, 1, 16, 16);
    assert_ok(graph_set_input_shape(g, &s, &err));
    double input[256];
    for (int i = 0; i < 256; i++)
        input[i] = (i - 100) * 0.0625;
    graph_values v = graph_eval(g, input);
    for (int i = 0; i < 256; i++) {
        double product = input[i] * (double)((float)sigmoid_code(input[i]) * (1.0f / 255));
        double code = fmin(fmax(rint(product / 0.03125) + 9, 0), 255);
        assert_true(v.of[y][i] == (code - 9) * 0.03125);
    }
    graph_values_free(&v);
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sigmoid_becomes_codes),
    };
    return cmocka_run_group_tests_name("spell_silu", tests, NULL, NULL);
}
