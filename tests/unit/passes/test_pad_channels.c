/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"
#include "test_plan.h"

#include "passes/passes.h"

static ptq_error err;

/* images -> Q -> DQ -> Conv <- DQ <- codes. */
static graph *small_net(int64_t channels)
{
    test_rng rng = {7};
    graph *g;
    test_plan plan = {0};
    float w[4] = {127.0f / 128, 127.0f / 64, 127.0f / 32, 127.0f / 128};
    assert_ok(graph_create(&g, &err));
    make_conv_desc d = {.name = "a",
                        .x = make_input(g, channels),
                        .c_in = channels,
                        .c_out = 4,
                        .kernel = 3,
                        .random_bias = true,
                        .rng = &rng};
    make_done(g, make_conv(g, &d));
    plan_layer(&plan, "a", 127.0f / 16, 0, 4, w);
    assert_ok(pass_insert_qdq(g, &plan.plan, &err));
    return g;
}

static int64_t weight_channels(const graph *g)
{
    const node *conv = expect_node(g, "a", GRAPH_OP_CONV);
    const node *dq = graph_node_const(g, graph_producer(g, conv->inputs[1]));
    return graph_tensor_const(g, dq->inputs[0])->shape.dim[1];
}

static void expect_padded(int64_t channels, bool is_padded)
{
    graph *g = small_net(channels);
    size_t n, n_padded, n_dropped;
    double *plain = graph_eval_random(g, 6, 3, &n);
    assert_ok(pass_pad_channels(g, &err));
    assert_ok(graph_verify(g, &err));
    assert_int_equal(count_ops(g, GRAPH_OP_PAD), is_padded);
    assert_int_equal(weight_channels(g), is_padded ? 4 : channels);
    double *padded = graph_eval_random(g, 6, 3, &n_padded);
    assert_ok(pass_drop_padded_channels(g, &err));
    assert_ok(graph_verify(g, &err));
    assert_int_equal(count_ops(g, GRAPH_OP_PAD), 0);
    assert_int_equal(weight_channels(g), channels);
    double *dropped = graph_eval_random(g, 6, 3, &n_dropped);
    assert_true(n_padded == n && n_dropped == n);
    assert_memory_equal(plain, padded, n * sizeof *plain);
    assert_memory_equal(plain, dropped, n * sizeof *plain);
    free(plain);
    free(padded);
    free(dropped);
    graph_destroy(g);
}

static void images_are_filled_up_to_four_channels(void **state)
{
    (void)state;
    expect_padded(1, true);
    expect_padded(3, true);
}

static void whole_groups_and_more_channels_stay(void **state)
{
    (void)state;
    expect_padded(4, false);
    expect_padded(6, false);
}

/* A Pad of the picture's edges is nobody's to drop. */
static void other_paddings_stay(void **state)
{
    (void)state;
    graph *g = small_net(3);
    assert_ok(pass_pad_channels(g, &err));
    tensor_id amounts = graph_find_tensor(g, "images_pad_amounts");
    int64_t *values = blob_data(graph_tensor(g, amounts)->data);
    values[2] = 1;
    values[6] = -1;
    assert_ok(pass_drop_padded_channels(g, &err));
    assert_int_equal(count_ops(g, GRAPH_OP_PAD), 1);
    assert_int_equal(weight_channels(g), 4);
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_are_filled_up_to_four_channels),
        cmocka_unit_test(whole_groups_and_more_channels_stay),
        cmocka_unit_test(other_paddings_stay),
    };
    return cmocka_run_group_tests_name("pad_channels", tests, NULL, NULL);
}
