/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever order the schedule allows gives the bits of one step after the other. */
#include "unlucky_order.h"

#include "kernels/strided_view.h"

static ptq_error err;
static const int64_t batches[] = {1, 2};

/* Layers with names of their own. */
typedef struct net {
    graph *g;
    test_rng rng;
    bool is_float;
    char names[64][8];
    int n;
} net;

static const char *new_name(net *n)
{
    assert_true(n->n < (int)(sizeof n->names / sizeof n->names[0]));
    snprintf(n->names[n->n], sizeof n->names[0], "n%d", n->n);
    return n->names[n->n++];
}

static tensor_id constant(net *n, dtype type, shape s, const void *values)
{
    tensor_id id;
    assert_ok(graph_add_const_copy(n->g, new_name(n), type, &s, values, &id, &err));
    return id;
}

static tensor_id op(net *n, graph_op kind, int n_inputs, const tensor_id *inputs, op_attr attr)
{
    tensor_id id;
    assert_ok(graph_add_op(n->g, kind, new_name(n), n_inputs, inputs, &attr, NULL, &id, &err));
    return id;
}

static tensor_id weights(net *n, shape s)
{
    size_t count;
    assert_true(shape_count(&s, &count));
    float *w = malloc(count * sizeof *w);
    int8_t *codes = malloc(count);
    assert_true(w && codes);
    for (size_t i = 0; i < count; i++) {
        w[i] = (float)test_normal(&n->rng) / 8;
        codes[i] = (int8_t)(test_uniform(&n->rng) * 255 - 127);
    }
    tensor_id id = n->is_float ? constant(n, DTYPE_F32, s, w) : constant(n, DTYPE_I8, s, codes);
    free(w);
    free(codes);
    return id;
}

/* 32 channels, on float32 or on codes. */
static tensor_id convolution(net *n, tensor_id x, int window, int stride)
{
    enum { OUT = 32 };
    int64_t in = graph_tensor_const(n->g, x)->shape.dim[1], dims[] = {OUT};
    float scale[OUT];
    op_attr attr = {.conv = {.kernel = {window, window},
                             .stride = {stride, stride},
                             .pad = {window / 2, window / 2, window / 2, window / 2},
                             .dilation = {1, 1},
                             .groups = 1,
                             .act = {ACT_SILU, 0}}};
    tensor_id inputs[3] = {x, weights(n, shape4(OUT, in, window, window))};
    if (n->is_float)
        return op(n, GRAPH_OP_CONV, 2, inputs, attr);
    for (int i = 0; i < OUT; i++)
        scale[i] = 1e-3f;
    inputs[2] = constant(n, DTYPE_F32, shape_make(1, dims), scale);
    attr.conv.x_scale = attr.conv.out_scale = 1.0f / 64;
    tensor_id codes = op(n, GRAPH_OP_QCONV, 3, inputs, attr);
    graph_tensor(n->g, codes)->type = DTYPE_I8;
    return codes;
}

/* A block as YOLOv7 has them: two branches, a chain in one of them, all joined in place; then
 * pooling beside a convolution with stride 2, joined again. */
static net make_net(int64_t batch, bool is_float)
{
    net n = {.rng = {7}, .is_float = is_float};
    assert_ok(graph_create(&n.g, &err));
    shape image = shape4(batch, 16, 40, 48), scalar = {.rank = 0};
    tensor_id x;
    assert_ok(graph_add_tensor(n.g, "images", DTYPE_F32, &image, &x, &err));
    assert_ok(graph_add_input(n.g, x, &err));
    op_attr axis = {.axis = {.axis = 1}};
    float scale = 1.0f / 64;
    int8_t zero = 0;
    if (!is_float) {
        tensor_id q[] = {x, constant(&n, DTYPE_F32, scalar, &scale),
                         constant(&n, DTYPE_I8, scalar, &zero)};
        x = op(&n, GRAPH_OP_QUANTIZE_LINEAR, 3, q, axis);
    }
    x = convolution(&n, x, 3, 1);
    tensor_id parts[4] = {convolution(&n, x, 1, 1), convolution(&n, x, 1, 1)};
    parts[2] = convolution(&n, convolution(&n, parts[1], 3, 1), 3, 1);
    parts[3] = convolution(&n, convolution(&n, parts[2], 3, 1), 3, 1);
    tensor_id cat = op(&n, GRAPH_OP_CONCAT, 4, parts, axis);
    op_attr half = {.pool = {.kernel = {2, 2}, .stride = {2, 2}, .dilation = {1, 1}}};
    tensor_id pooled = op(&n, GRAPH_OP_MAX_POOL, 1, &cat, half);
    tensor_id ends[] = {convolution(&n, pooled, 1, 1),
                        convolution(&n, convolution(&n, cat, 1, 1), 3, 2)};
    tensor_id last = convolution(&n, op(&n, GRAPH_OP_CONCAT, 2, ends, axis), 3, 1);
    assert_ok(graph_add_output(n.g, last, &err));
    assert_ok(graph_tidy(n.g, &err));
    assert_ok(graph_verify(n.g, &err));
    return n;
}

static void expect_same_bits(net *n, cpu_level level, int threads)
{
    enum { MAX_STEPS = 64 };
    engine *e;
    engine_step_profile steps[MAX_STEPS];
    engine_options o = {.threads = threads, .level = level};
    shape s = graph_tensor_const(n->g, graph_input(n->g, 0))->shape;
    size_t count;
    assert_true(shape_count(&s, &count));
    float *image = malloc(count * sizeof *image);
    for (size_t i = 0; i < count; i++)
        image[i] = (float)test_normal(&n->rng);
    tensor_view in = {image, DTYPE_F32, s};
    assert_ok(engine_prepare(n->g, &o, &e, &err));
    assert_true(engine_n_steps(e) <= MAX_STEPS);
    assert_ok(engine_profile(e, &in, 1, steps, &err)); /* one step after the other */
    tensor_view out = engine_output(e, 0);
    assert_true(shape_count(&out.shape, &count));
    size_t bytes = count * view_type_bytes(out.type);
    void *want = malloc(bytes);
    memcpy(want, out.data, bytes);
    for (int i = 0; i < 4; i++) {
        run_in_unlucky_order(e, i ? &n->rng : NULL);
        assert_memory_equal(engine_output(e, 0).data, want, bytes);
    }
    if (level >= CPU_AVX512VNNI && threads > 1)
        assert_true(overlap_of_steps(e) > 0.5); /* its kernels tell their rows */
    for (int again = 0; again < 3; again++) {
        assert_ok(engine_run(e, &in, 1, &err));
        assert_memory_equal(engine_output(e, 0).data, want, bytes);
    }
    free(want);
    free(image);
    engine_destroy(e);
}

static void any_legal_order_gives_the_same_bits(void **state)
{
    (void)state;
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++)
        for (int is_float = 0; is_float < 2; is_float++) {
            net n = make_net(batches[b], is_float);
            for (int threads = 1; threads <= 5; threads += 2)
                expect_same_bits(&n, cpu_best(), threads);
            if (cpu_best() > CPU_REF)
                expect_same_bits(&n, CPU_REF + 1, 3);
            graph_destroy(n.g);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_legal_order_gives_the_same_bits),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
