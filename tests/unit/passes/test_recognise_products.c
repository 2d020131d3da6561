/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"

#include <string.h>

#include "passes/passes.h"

static ptq_error err;

enum { N_IN = 4, N_OUT = 6, SIZE = 5 };

static tensor_id make_transpose(graph *g, const char *name, tensor_id x, int a, int b, int c)
{
    op_attr attr = {.perm = {4, {0, a, b, c}}};
    return make_op(g, GRAPH_OP_TRANSPOSE, name, 1, &x, &attr);
}

/* images [1,4,5,5] -> [1,5,5,4] times [4,6], plus [6] -> [1,6,5,5] */
static graph *product_of_pixels(bool has_bias)
{
    graph *g;
    float weight[N_IN * N_OUT], bias[N_OUT];
    shape w = shape_make(2, (int64_t[]){N_IN, N_OUT}), b = shape_make(1, (int64_t[]){N_OUT});
    make_ramp(weight, N_IN * N_OUT, -1, 0.125f);
    make_ramp(bias, N_OUT, -0.5f, 0.25f);
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_transpose(g, "turned", make_input(g, N_IN), 2, 3, 1);
    x = make_binary(g, GRAPH_OP_MATMUL, "product", x, make_const(g, "weight", &w, weight));
    if (has_bias)
        x = make_binary(g, GRAPH_OP_ADD, "sum", make_const(g, "bias", &b, bias), x);
    make_done(g, make_transpose(g, "back", x, 3, 1, 2));
    return g;
}

static void expect_convolution(bool has_bias)
{
    graph *g = product_of_pixels(has_bias);
    size_t n, n_after;
    double *before = graph_eval_random(g, SIZE, 3, &n);
    assert_ok(pass_recognise_products(g, &err));
    assert_ok(graph_verify(g, &err));
    double *after = graph_eval_random(g, SIZE, 3, &n_after);
    const node *conv = expect_node(g, "product", GRAPH_OP_CONV);
    assert_int_equal(conv->n_inputs, has_bias ? 3 : 2);
    assert_int_equal(count_ops(g, GRAPH_OP_TRANSPOSE), 0);
    assert_int_equal(count_ops(g, GRAPH_OP_MATMUL), 0);
    assert_int_equal(n, N_OUT * SIZE * SIZE);
    assert_int_equal(n_after, n);
    assert_memory_equal(before, after, n * sizeof *before); /* sums of 1/128ths are exact */
    free(before);
    free(after);
    graph_destroy(g);
}

static void a_product_of_pixels_is_a_convolution(void **state)
{
    (void)state;
    expect_convolution(true);
    expect_convolution(false);
}

/* The first node of a kind, to be harmed. */
static node *find(graph *g, graph_op op)
{
    for (int i = 0; i < graph_n_nodes(g); i++)
        if (graph_node(g, (node_id)i)->op == op)
            return graph_node(g, (node_id)i);
    fail_msg("no %s", graph_op_name(op));
    return NULL;
}

static void expect_left_alone(graph *g)
{
    assert_ok(pass_recognise_products(g, &err));
    assert_int_equal(count_ops(g, GRAPH_OP_CONV), 0);
    assert_int_equal(count_ops(g, GRAPH_OP_MATMUL), 1);
    graph_destroy(g);
}

static void other_products_stay(void **state)
{
    (void)state;
    graph *g = product_of_pixels(true); /* not of channels */
    find(g, GRAPH_OP_TRANSPOSE)->attr.perm = (perm_attr){4, {0, 3, 2, 1}};
    expect_left_alone(g);

    g = product_of_pixels(true); /* one bias for all */
    shape one = shape_make(1, (int64_t[]){1});
    tensor_id bias = make_const(g, "one", &one, (float[]){0.5f});
    find(g, GRAPH_OP_ADD)->inputs[0] = bias;
    expect_left_alone(g);

    g = product_of_pixels(true); /* its sums are wanted, too */
    assert_ok(graph_add_output(g, find(g, GRAPH_OP_MATMUL)->outputs[0], &err));
    expect_left_alone(g);

    g = product_of_pixels(true); /* a sum of two variables */
    node *sum = find(g, GRAPH_OP_ADD);
    sum->inputs[0] = sum->inputs[1];
    expect_left_alone(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_product_of_pixels_is_a_convolution),
        cmocka_unit_test(other_products_stay),
    };
    return cmocka_run_group_tests_name("recognise_products", tests, NULL, NULL);
}
