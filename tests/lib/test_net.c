/* SPDX-License-Identifier: Apache-2.0 */
#include "test_net.h"

#include "test.h"

static ptq_error err;

tensor_id test_net_conv(graph *g, const char *name, tensor_id x, int64_t c_in, int64_t c_out,
                        uint64_t seed)
{
    char weight[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    size_t n = (size_t)(c_out * c_in * 9);
    float *values = malloc(n * sizeof *values);
    assert_non_null(values);
    test_rng rng = {seed};
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(test_normal(&rng) / 5);
    shape s = shape4(c_out, c_in, 3, 3);
    tensor_id w;
    tensor_id y;
    assert_ok(graph_add_const_copy(g, weight, DTYPE_F32, &s, values, &w, &err));
    free(values);
    op_attr attr = {.conv = {.kernel = {3, 3},
                             .stride = {1, 1},
                             .pad = {1, 1, 1, 1},
                             .dilation = {1, 1},
                             .groups = 1}};
    tensor_id in[2] = {x, w};
    assert_ok(graph_add_op(g, GRAPH_OP_CONV, name, 2, in, &attr, NULL, &y, &err));
    return y;
}

tensor_id test_net_op(graph *g, graph_op op, const char *name, int n_inputs,
                      const tensor_id *inputs)
{
    op_attr attr = {0};
    if (op == GRAPH_OP_MAX_POOL)
        attr.pool = (pool_attr){
            .kernel = {3, 3}, .stride = {1, 1}, .pad = {1, 1, 1, 1}, .dilation = {1, 1}};
    if (op == GRAPH_OP_CONCAT)
        attr.axis = (axis_attr){.axis = 1};
    if (op == GRAPH_OP_RESIZE)
        attr.resize = (resize_attr){.mode = RESIZE_NEAREST,
                                    .coord = RESIZE_ASYMMETRIC,
                                    .nearest = RESIZE_FLOOR,
                                    .scale = {2, 2}};
    tensor_id y;
    assert_ok(graph_add_op(g, op, name, n_inputs, inputs, &attr, NULL, &y, &err));
    return y;
}

static tensor_id conv_act(graph *g, const char *name, tensor_id x, int64_t c_in, uint64_t seed)
{
    char act[64];
    snprintf(act, sizeof act, "%s.act", name);
    tensor_id y = test_net_conv(g, name, x, c_in, 8, seed);
    return test_net_op(g, GRAPH_OP_SILU, act, 1, &y);
}

graph *test_net(uint64_t seed)
{
    graph *g;
    assert_ok(graph_create(&g, &err));
    shape s = shape4(-1, 3, -1, -1);
    tensor_id x;
    assert_ok(graph_add_tensor(g, "images", DTYPE_F32, &s, &x, &err));
    graph_tensor(g, x)->is_dynamic = true;
    assert_ok(graph_add_input(g, x, &err));
    tensor_id a = conv_act(g, "c0", x, 3, seed);
    tensor_id branch = conv_act(g, "c2", conv_act(g, "c1", a, 8, seed + 1), 8, seed + 2);
    tensor_id sum = test_net_op(g, GRAPH_OP_ADD, "add", 2, (tensor_id[]){a, branch});
    tensor_id side = conv_act(g, "c3", a, 8, seed + 3);
    tensor_id cat = test_net_op(g, GRAPH_OP_CONCAT, "cat", 2, (tensor_id[]){sum, side});
    tensor_id c4 = conv_act(g, "c4", sum, 8, seed + 4);
    tensor_id c5 = conv_act(g, "c5", cat, 16, seed + 5);
    tensor_id pool = test_net_op(g, GRAPH_OP_MAX_POOL, "pool", 1, &c5);
    tensor_id c6 = conv_act(g, "c6", pool, 8, seed + 6);
    tensor_id cat2 = test_net_op(g, GRAPH_OP_CONCAT, "cat2", 2, (tensor_id[]){c4, pool});
    tensor_id c7 = test_net_conv(g, "c7", cat2, 16, 4, seed + 7);
    tensor_id out = test_net_op(g, GRAPH_OP_SIGMOID, "output", 1, &c7);
    tensor_id up = test_net_op(g, GRAPH_OP_RESIZE, "up", 1, &c6);
    tensor_id c8 = test_net_conv(g, "c8", up, 8, 4, seed + 8);
    assert_ok(graph_add_output(g, out, &err));
    assert_ok(graph_add_output(g, c8, &err));
    assert_ok(graph_tidy(g, &err));
    assert_ok(graph_verify(g, &err));
    return g;
}
