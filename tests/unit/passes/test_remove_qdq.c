/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"
#include "test_plan.h"

#include "passes/passes.h"

static ptq_error err;

/* Three convolutions, an Add and a Concat. */
static graph *small_net(void)
{
    test_rng rng = {11};
    graph *g;
    assert_ok(graph_create(&g, &err));
    make_conv_desc d = {.name = "a",
                        .x = make_input(g, 3),
                        .c_in = 3,
                        .c_out = 4,
                        .kernel = 3,
                        .random_bias = true,
                        .rng = &rng};
    tensor_id a = make_unary(g, GRAPH_OP_SILU, "a.act", make_conv(g, &d));
    d = (make_conv_desc){.name = "b", .x = a, .c_in = 4, .c_out = 4, .rng = &rng};
    tensor_id b = make_conv(g, &d);
    tensor_id sum = make_binary(g, GRAPH_OP_ADD, "sum", a, b);
    d = (make_conv_desc){.name = "t", .x = sum, .c_in = 4, .c_out = 4, .kernel = 3};
    d.is_transpose = true;
    d.rng = &rng;
    tensor_id parts[2] = {make_conv(g, &d), sum};
    make_done(g, make_concat(g, "cat", 2, parts));
    return g;
}

static void plan_net(test_plan *p)
{
    static const float amax[4] = {0.9f, 0.8f, 0.7f, 1.0f};
    plan_layer(p, "a", 3.5f, 0, 4, amax);
    plan_layer(p, "b", 2.5f, 0, 4, amax);
    plan_layer(p, "t", 4.5f, 1, 4, amax);
    plan_extra(p, "sum", 0, 2.5f);
}

/* What is behind the attributes of an operator in their union was never set. */
static void expect_same_attributes(const node *a, const node *b)
{
    if (a->op == GRAPH_OP_CONV || a->op == GRAPH_OP_CONV_TRANSPOSE)
        assert_memory_equal(&a->attr.conv, &b->attr.conv, offsetof(conv_attr, out_from_half));
    if (a->op == GRAPH_OP_CONCAT)
        assert_int_equal(a->attr.axis.axis, b->attr.axis.axis);
}

/* Same nodes in the same order, same names, attributes, wiring by name, and constants. */
static void expect_same_graph(const graph *g, const graph *h)
{
    assert_int_equal(graph_n_nodes(g), graph_n_nodes(h));
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *a = graph_node_const(g, (node_id)i), *b = graph_node_const(h, (node_id)i);
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->op, b->op);
        assert_int_equal(a->n_inputs, b->n_inputs);
        expect_same_attributes(a, b);
        for (int k = 0; k < a->n_inputs; k++) {
            const tensor *ta = graph_tensor_const(g, a->inputs[k]);
            const tensor *tb = graph_tensor_const(h, b->inputs[k]);
            assert_string_equal(ta->name, tb->name);
            assert_int_equal(ta->type, tb->type);
            assert_int_equal(ta->data != NULL, tb->data != NULL);
            if (ta->data)
                assert_memory_equal(blob_data(ta->data), blob_data(tb->data), blob_size(ta->data));
        }
    }
}

static void float_weights_give_the_float_graph_back(void **state)
{
    (void)state;
    for (int bits = 4; bits <= 8; bits += 4) {
        graph *g = small_net(), *h = small_net();
        test_plan p = {0};
        plan_net(&p);
        p.plan.float_weights = true;
        p.entries[1].input.num_bits = bits; /* 4 bits: with a Clip */
        assert_ok(pass_insert_qdq(g, &p.plan, &err));
        assert_ok(graph_verify(g, &err));
        assert_int_equal(count_ops(g, GRAPH_OP_CLIP), bits == 4);
        for (int i = 0; i < graph_n_nodes(g); i++) /* a file does not carry the mark */
            if (graph_node(g, (node_id)i)->op == GRAPH_OP_CLIP)
                graph_node(g, (node_id)i)->attr.clip.of_quantizer = false;
        assert_int_equal(count_ops(g, GRAPH_OP_QUANTIZE_LINEAR), 6 + (bits == 4));
        assert_ok(pass_remove_qdq(g, &err));
        assert_ok(graph_verify(g, &err));
        expect_same_graph(g, h);
        graph_destroy(g);
        graph_destroy(h);
    }
}

/* int8 weights come back as code * scale: the same as float weights simulated. */
static void integer_weights_become_float(void **state)
{
    (void)state;
    graph *g = small_net(), *h = small_net();
    test_plan p = {0};
    plan_net(&p);
    for (int i = 0; i < 3; i++)
        p.entries[i].input.enabled = false;
    p.extras[0].input.enabled = false;
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    p.plan.float_weights = true;
    assert_ok(pass_insert_qdq(h, &p.plan, &err));
    size_t n;
    double *simulated = graph_eval_random(h, 6, 1, &n);
    assert_ok(pass_remove_qdq(g, &err));
    assert_int_equal(count_ops(g, GRAPH_OP_DEQUANTIZE_LINEAR), 0);
    assert_int_equal(graph_tensor(g, graph_find_tensor(g, "a.weight"))->type, DTYPE_F32);
    double *restored = graph_eval_random(g, 6, 1, &n);
    assert_true(eval_max_abs(simulated, restored, n) == 0);
    free(simulated);
    free(restored);
    graph_destroy(g);
    graph_destroy(h);
}

/* An output behind Q and DQ keeps its name; a user's own Clip stays. */
static void outputs_keep_their_names(void **state)
{
    (void)state;
    graph *g;
    assert_ok(graph_create(&g, &err));
    op_attr six = {.clip = {.min = 0, .max = 6}};
    tensor_id x = make_input(g, 1);
    x = make_op(g, GRAPH_OP_CLIP, "relu6", 1, &x, &six);
    make_done(g, make_qdq(g, "y", x, 6.0f / 255, DTYPE_U8, 0));
    assert_ok(pass_remove_qdq(g, &err));
    assert_ok(graph_verify(g, &err));
    assert_string_equal(graph_tensor(g, graph_output(g, 0))->name, "y_dq");
    assert_int_equal(graph_n_nodes(g), 2);
    expect_node(g, "relu6", GRAPH_OP_CLIP);
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float_weights_give_the_float_graph_back),
        cmocka_unit_test(integer_weights_become_float),
        cmocka_unit_test(outputs_keep_their_names),
    };
    return cmocka_run_group_tests_name("remove_qdq", tests, NULL, NULL);
}
