/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "graph/graph.h"

static ptq_error err;

static tensor_id add_input(graph *g)
{
    shape s = shape4(-1, 3, -1, -1);
    tensor_id x;
    assert_ok(graph_add_tensor(g, "images", DTYPE_F32, &s, &x, &err));
    assert_ok(graph_add_input(g, x, &err));
    return x;
}

static tensor_id add_conv(graph *g, const char *name, tensor_id x, int64_t c_in, int64_t c_out,
                          int stride)
{
    char weight[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    float *zeros = calloc((size_t)(c_out * c_in * 9), sizeof *zeros);
    shape s = shape4(c_out, c_in, 3, 3);
    tensor_id w, y;
    assert_ok(graph_add_const_copy(g, weight, DTYPE_F32, &s, zeros, &w, &err));
    free(zeros);
    op_attr attr = {.conv = {.kernel = {3, 3},
                             .stride = {stride, stride},
                             .pad = {1, 1, 1, 1},
                             .dilation = {1, 1},
                             .groups = 1}};
    tensor_id in[2] = {x, w};
    assert_ok(graph_add_op(g, GRAPH_OP_CONV, name, 2, in, &attr, NULL, &y, &err));
    return y;
}

static tensor_id add_unary(graph *g, graph_op op, const char *name, tensor_id x)
{
    tensor_id y;
    assert_ok(graph_add_op(g, op, name, 1, &x, NULL, NULL, &y, &err));
    return y;
}

static void shapes_follow_the_input(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id y = add_conv(g, "a", add_input(g), 3, 8, 2);
    tensor_id z = add_unary(g, GRAPH_OP_SILU, "act", y);
    assert_ok(graph_add_output(g, z, &err));
    assert_ok(graph_tidy(g, &err));
    assert_ok(graph_verify(g, &err));
    shape in = shape4(2, 3, 64, 33), want = shape4(2, 8, 32, 17);
    assert_ok(graph_set_input_shape(g, &in, &err));
    assert_true(shape_equal(&graph_tensor(g, z)->shape, &want));
    assert_true(graph_macs(g) == 2.0 * 8 * 32 * 17 * 27);
    shape bad = shape4(1, 4, 64, 64);
    assert_status(graph_set_input_shape(g, &bad, &err), PTQ_SHAPE);
    assert_non_null(strstr(err.message, "node 'a' (Conv)"));
    graph_destroy(g);
}

/* Nodes behind a dynamic input wait for its shape. */
static void unknown_shapes_wait(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id y = add_conv(g, "b", add_conv(g, "a", add_input(g), 3, 8, 2), 8, 4, 2);
    assert_false(shape_known(&graph_tensor(g, y)->shape));
    assert_ok(graph_add_output(g, y, &err));
    shape in = shape4(1, 3, 64, 64), want = shape4(1, 4, 16, 16);
    assert_ok(graph_set_input_shape(g, &in, &err));
    assert_true(shape_equal(&graph_tensor(g, y)->shape, &want));
    graph_destroy(g);
}

static void pruning_keeps_what_outputs_need(void **state)
{
    (void)state;
    graph *g, *c;
    assert_ok(graph_create(&g, &err));
    tensor_id x = add_input(g);
    tensor_id y = add_conv(g, "a", x, 3, 8, 1);
    add_conv(g, "unused", x, 3, 8, 1);
    assert_ok(graph_add_output(g, add_unary(g, GRAPH_OP_RELU, "r", y), &err));
    assert_ok(graph_copy(g, &c, &err));
    assert_ok(graph_prune(g, &err));
    assert_int_equal(graph_n_nodes(g), 2);
    assert_int_equal(graph_find_node(g, "unused"), NODE_NONE);
    assert_int_equal(graph_n_nodes(c), 3); /* the copy is its own graph */
    assert_string_equal(graph_node(c, graph_find_node(c, "unused"))->name, "unused");
    node_id readers[4];
    assert_int_equal(graph_consumers(c, graph_find_tensor(c, "images"), readers, 4), 2);
    graph_destroy(g);
    graph_destroy(c);
}

static void order_is_found_and_cycles_are_named(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id x = add_input(g);
    tensor_id a = add_unary(g, GRAPH_OP_RELU, "first", x);
    tensor_id b = add_unary(g, GRAPH_OP_RELU, "second", a);
    assert_ok(graph_add_output(g, b, &err));
    /* "late" is appended last but runs between the two. */
    tensor_id late = add_unary(g, GRAPH_OP_SIGMOID, "late", a);
    graph_node(g, graph_find_node(g, "second"))->inputs[0] = late;
    assert_ok(graph_tidy(g, &err));
    assert_ok(graph_verify(g, &err));
    assert_string_equal(graph_node(g, 1)->name, "late");
    graph_node(g, graph_find_node(g, "first"))->inputs[0] = b;
    assert_status(graph_tidy(g, &err), PTQ_FORMAT);
    assert_non_null(strstr(err.message, "cycle through node"));
    graph_destroy(g);
}

static void two_producers_are_refused(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    tensor_id x = add_input(g);
    tensor_id y = add_unary(g, GRAPH_OP_RELU, "r", x), again;
    node n = {.name = "r2",
              .op = GRAPH_OP_RELU,
              .n_inputs = 1,
              .n_outputs = 1,
              .inputs = &x,
              .outputs = &y};
    assert_status(graph_add_node(g, &n, NULL, &err), PTQ_FORMAT);
    shape s = shape4(1, 1, 1, 1);
    assert_status(graph_add_tensor(g, "images", DTYPE_F32, &s, &again, &err), PTQ_FORMAT);
    int64_t huge[3] = {INT64_MAX / 2, 8, 8};
    shape big = shape_make(3, huge);
    float one = 1;
    assert_status(graph_add_const_copy(g, "big", DTYPE_F32, &big, &one, &again, &err), PTQ_SHAPE);
    graph_destroy(g);
}

/* Shapes of numpy: np.zeros((2,10,7))[:, 8:1:-3, -3:] is (2,3,3). */
static void slices_count_as_numpy(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    shape s = shape_make(3, (int64_t[]){2, 10, 7}), four = shape_make(1, (int64_t[]){2});
    tensor_id in[5], y;
    assert_ok(graph_add_tensor(g, "x", DTYPE_F32, &s, &in[0], &err));
    const int64_t values[4][2] = {{8, -3}, {1, INT64_MAX}, {1, 2}, {-3, 1}};
    const char *names[4] = {"starts", "ends", "axes", "steps"};
    for (int i = 0; i < 4; i++)
        assert_ok(graph_add_const_copy(g, names[i], DTYPE_I64, &four, values[i], &in[i + 1], &err));
    assert_ok(graph_add_op(g, GRAPH_OP_SLICE, "slice", 5, in, NULL, NULL, &y, &err));
    shape want = shape_make(3, (int64_t[]){2, 3, 3});
    assert_true(shape_equal(&graph_tensor(g, y)->shape, &want));
    const int64_t wrong[2][2] = {{1, (1LL << 32) + 2}, {1, -2}};
    for (int i = 0; i < 2; i++) {
        assert_ok(graph_add_const_copy(g, graph_unique_name(g, "wrong"), DTYPE_I64, &four, wrong[i],
                                       &in[3], &err));
        assert_status(graph_add_op(g, GRAPH_OP_SLICE, "slice", 5, in, NULL, NULL, &y, &err),
                      PTQ_SHAPE);
    }
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_follow_the_input),
        cmocka_unit_test(unknown_shapes_wait),
        cmocka_unit_test(pruning_keeps_what_outputs_need),
        cmocka_unit_test(order_is_found_and_cycles_are_named),
        cmocka_unit_test(two_producers_are_refused),
        cmocka_unit_test(slices_count_as_numpy),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
