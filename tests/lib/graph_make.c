/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"

static ptq_error err;

/* Multiples of 1/16 in [-1,1): sums of products stay exact in float64. */
static float dyadic(test_rng *rng)
{
    return (float)(floor(test_uniform(rng) * 32) - 16) / 16;
}

static const char *joined(char text[128], const char *name, const char *suffix)
{
    snprintf(text, 128, "%s%s", name, suffix);
    return text;
}

tensor_id make_input(graph *g, int64_t channels)
{
    shape s = shape4(-1, channels, -1, -1);
    tensor_id x;
    assert_ok(graph_add_tensor(g, "images", DTYPE_F32, &s, &x, &err));
    assert_ok(graph_add_input(g, x, &err));
    return x;
}

tensor_id make_const(graph *g, const char *name, const shape *s, const float *values)
{
    tensor_id id;
    assert_ok(graph_add_const_copy(g, name, DTYPE_F32, s, values, &id, &err));
    return id;
}

tensor_id make_conv(graph *g, const make_conv_desc *d)
{
    int kernel = d->kernel ? d->kernel : 1, groups = d->groups ? d->groups : 1;
    int stride = d->stride ? d->stride : 1, pad = d->no_pad ? 0 : kernel / 2;
    shape s = d->is_transpose ? shape4(d->c_in, d->c_out / groups, kernel, kernel)
                              : shape4(d->c_out, d->c_in / groups, kernel, kernel);
    size_t n;
    char text[128];
    assert_true(shape_count(&s, &n));
    float *weight = malloc(n * sizeof *weight), *bias = malloc((size_t)d->c_out * sizeof *bias);
    for (size_t i = 0; i < n; i++)
        weight[i] = d->weight ? d->weight[i] : dyadic(d->rng);
    for (int64_t i = 0; i < d->c_out; i++)
        bias[i] = d->bias ? d->bias[i] : d->random_bias ? dyadic(d->rng) : 0;
    tensor_id in[3] = {d->x, make_const(g, joined(text, d->name, ".weight"), &s, weight), 0};
    bool has_bias = d->bias || d->random_bias;
    shape vector = shape_make(1, &d->c_out);
    if (has_bias)
        in[2] = make_const(g, joined(text, d->name, ".bias"), &vector, bias);
    op_attr a = {.conv = {.kernel = {kernel, kernel},
                          .stride = {stride, stride},
                          .pad = {pad, pad, pad, pad},
                          .dilation = {1, 1},
                          .groups = groups}};
    free(weight);
    free(bias);
    return make_op(g, d->is_transpose ? GRAPH_OP_CONV_TRANSPOSE : GRAPH_OP_CONV, d->name,
                   has_bias ? 3 : 2, in, &a);
}

void make_ramp(float *dst, int n, float a, float b)
{
    for (int i = 0; i < n; i++)
        dst[i] = a + b * (float)i;
}

tensor_id make_op(graph *g, graph_op op, const char *name, int n, const tensor_id *inputs,
                  const op_attr *attr)
{
    tensor_id y;
    assert_ok(graph_add_op(g, op, name, n, inputs, attr, NULL, &y, &err));
    return y;
}

tensor_id make_unary(graph *g, graph_op op, const char *name, tensor_id x)
{
    op_attr a = {.slope = {.alpha = 0.125f}};
    return make_op(g, op, name, 1, &x, op == GRAPH_OP_LEAKY_RELU ? &a : NULL);
}

tensor_id make_binary(graph *g, graph_op op, const char *name, tensor_id a, tensor_id b)
{
    tensor_id in[2] = {a, b};
    return make_op(g, op, name, 2, in, NULL);
}

tensor_id make_concat(graph *g, const char *name, int n, const tensor_id *inputs)
{
    op_attr a = {.axis = {.axis = 1}};
    return make_op(g, GRAPH_OP_CONCAT, name, n, inputs, &a);
}

tensor_id make_max_pool(graph *g, const char *name, tensor_id x, int kernel, int stride)
{
    int pad = stride == 1 ? kernel / 2 : 0;
    op_attr a = {.pool = {.kernel = {kernel, kernel},
                          .stride = {stride, stride},
                          .pad = {pad, pad, pad, pad},
                          .dilation = {1, 1}}};
    return make_op(g, GRAPH_OP_MAX_POOL, name, 1, &x, &a);
}

tensor_id make_upsample(graph *g, const char *name, tensor_id x)
{
    op_attr a = {.resize = {.mode = RESIZE_NEAREST,
                            .coord = RESIZE_ASYMMETRIC,
                            .nearest = RESIZE_FLOOR,
                            .scale = {2, 2}}};
    return make_op(g, GRAPH_OP_RESIZE, name, 1, &x, &a);
}

tensor_id make_batch_norm_of(graph *g, const char *name, tensor_id x, int64_t channels,
                             const float *parameters)
{
    static const char *const parts[4] = {".weight", ".bias", ".running_mean", ".running_var"};
    tensor_id in[5] = {x};
    shape s = shape_make(1, &channels);
    char text[128];
    for (int p = 0; p < 4; p++)
        in[p + 1] = make_const(g, joined(text, name, parts[p]), &s, parameters + p * channels);
    op_attr a = {.batch_norm = {.epsilon = 1e-3f}};
    return make_op(g, GRAPH_OP_BATCH_NORM, name, 5, in, &a);
}

tensor_id make_batch_norm(graph *g, const char *name, tensor_id x, int64_t channels, test_rng *rng)
{
    float *values = malloc((size_t)channels * 4 * sizeof *values);
    for (int64_t i = 0; i < channels * 4; i++)
        values[i] = i >= channels * 3 ? (float)(0.25 + test_uniform(rng)) : (float)test_normal(rng);
    tensor_id y = make_batch_norm_of(g, name, x, channels, values);
    free(values);
    return y;
}

tensor_id make_qdq(graph *g, const char *name, tensor_id x, float scale, dtype type, int zero)
{
    shape scalar = {.rank = 0};
    char text[128];
    int8_t code = (int8_t)(uint8_t)zero;
    tensor_id in[3] = {x, make_const(g, joined(text, name, "_scale"), &scalar, &scale), 0};
    assert_ok(
        graph_add_const_copy(g, joined(text, name, "_zero"), type, &scalar, &code, &in[2], &err));
    op_attr a = {.axis = {.axis = 1}};
    in[0] = make_op(g, GRAPH_OP_QUANTIZE_LINEAR, joined(text, name, "_q"), 3, in, &a);
    return make_op(g, GRAPH_OP_DEQUANTIZE_LINEAR, joined(text, name, "_dq"), 3, in, &a);
}

void make_done(graph *g, tensor_id output)
{
    assert_ok(graph_add_output(g, output, &err));
    assert_ok(graph_tidy(g, &err));
    assert_ok(graph_verify(g, &err));
}

int count_ops(const graph *g, graph_op op)
{
    int n = 0;
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *nd = graph_node_const(g, (node_id)i);
        n += !nd->is_dead && nd->op == op;
    }
    return n;
}

const float *expect_floats(const graph *g, const char *name, size_t count)
{
    tensor_id id = graph_find_tensor(g, name);
    if (id == TENSOR_NONE || !graph_is_const(g, id))
        fail_msg("there is no constant '%s'", name);
    const tensor *t = graph_tensor_const(g, id);
    size_t n;
    assert_int_equal(t->type, DTYPE_F32);
    assert_true(shape_count(&t->shape, &n) && n == count);
    return blob_data(t->data);
}

const node *expect_node(const graph *g, const char *name, graph_op op)
{
    node_id id = graph_find_node(g, name);
    if (id == NODE_NONE)
        fail_msg("there is no node '%s'", name);
    assert_string_equal(graph_op_name(graph_node_const(g, id)->op), graph_op_name(op));
    return graph_node_const(g, id);
}
