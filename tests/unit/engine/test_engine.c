/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/mem.h"
#include "engine/engine.h"
#include "graph/fusion.h"

static ptq_error err;

/* A graph under construction with what most cases need. */
typedef struct net {
    graph *g;
    test_rng rng;
    int n_consts;
} net;

static net net_create(uint64_t seed)
{
    net n = {.rng = {seed}};
    assert_ok(graph_create(&n.g, &err));
    return n;
}

static tensor_id input(net *n, const char *name, shape s)
{
    tensor_id id;
    assert_ok(graph_add_tensor(n->g, name, DTYPE_F32, &s, &id, &err));
    assert_ok(graph_add_input(n->g, id, &err));
    return id;
}

static tensor_id constant(net *n, dtype type, shape s, const void *values)
{
    char name[32];
    tensor_id id;
    snprintf(name, sizeof name, "c%d", n->n_consts++);
    assert_ok(graph_add_const_copy(n->g, name, type, &s, values, &id, &err));
    return id;
}

static tensor_id random_constant(net *n, shape s, double scale)
{
    size_t count;
    assert_true(shape_count(&s, &count));
    float *v = malloc((count + 1) * sizeof *v);
    for (size_t i = 0; i < count; i++)
        v[i] = (float)(test_normal(&n->rng) * scale);
    tensor_id id = constant(n, DTYPE_F32, s, v);
    free(v);
    return id;
}

static tensor_id op(net *n, graph_op kind, const char *name, int n_inputs, const tensor_id *inputs,
                    op_attr attr)
{
    tensor_id id;
    assert_ok(graph_add_op(n->g, kind, name, n_inputs, inputs, &attr, NULL, &id, &err));
    return id;
}

static op_attr conv_attributes(int kernel, int stride, int pad, act_kind act)
{
    return (op_attr){.conv = {.kernel = {kernel, kernel},
                              .stride = {stride, stride},
                              .pad = {pad, pad, pad, pad},
                              .dilation = {1, 1},
                              .groups = 1,
                              .act = {act, 0.1f}}};
}

static tensor_id conv(net *n, const char *name, tensor_id x, int out, op_attr attr)
{
    int64_t in = graph_tensor_const(n->g, x)->shape.dim[1];
    const conv_attr *c = &attr.conv;
    shape w = shape4(out, in / c->groups, c->kernel[0], c->kernel[1]);
    double scale = 1 / sqrt((double)(w.dim[1] * w.dim[2] * w.dim[3]));
    int64_t dims[] = {out};
    tensor_id inputs[] = {x, random_constant(n, w, scale),
                          random_constant(n, shape_make(1, dims), 0.1)};
    return op(n, GRAPH_OP_CONV, name, 3, inputs, attr);
}

/* A miniature of a detector: stem, two branches concatenated, pool pyramid, upsampling, residual,
 * head decoded at two levels. */
static tensor_id detector(net *n)
{
    tensor_id x = input(n, "images", shape4(2, 3, 32, 48));
    tensor_id stem = conv(n, "stem", x, 16, conv_attributes(3, 2, 1, ACT_SILU));
    tensor_id a = conv(n, "a", stem, 8, conv_attributes(1, 1, 0, ACT_SILU));
    tensor_id b = conv(n, "b", stem, 8, conv_attributes(3, 1, 1, ACT_LEAKY_RELU));
    tensor_id sum = op(n, GRAPH_OP_ADD, "residual", 2, (tensor_id[]){a, b}, (op_attr){0});
    op_attr axis = {.axis = {.axis = 1}};
    tensor_id cat = op(n, GRAPH_OP_CONCAT, "cat", 3, (tensor_id[]){a, sum, stem}, axis);
    tensor_id down = conv(n, "down", cat, 24, conv_attributes(3, 2, 1, ACT_SILU));
    op_attr pool = {
        .pool = {.kernel = {5, 5}, .stride = {1, 1}, .pad = {2, 2, 2, 2}, .dilation = {1, 1}}};
    tensor_id p1 = op(n, GRAPH_OP_MAX_POOL, "p1", 1, &down, pool);
    tensor_id p2 = op(n, GRAPH_OP_MAX_POOL, "p2", 1, &p1, pool);
    tensor_id spp = op(n, GRAPH_OP_CONCAT, "spp", 3, (tensor_id[]){down, p1, p2}, axis);
    tensor_id deep = conv(n, "deep", spp, 16, conv_attributes(1, 1, 0, ACT_NONE));
    deep = op(n, GRAPH_OP_SILU, "act", 1, &deep, (op_attr){0});
    op_attr twice = {.resize = {.scale = {2, 2}}};
    tensor_id up = op(n, GRAPH_OP_RESIZE, "up", 1, &deep, twice);
    tensor_id neck = op(n, GRAPH_OP_CONCAT, "neck", 2, (tensor_id[]){up, cat}, axis);
    int64_t anchor_dims[] = {2, 2};
    tensor_id anchors =
        constant(n, DTYPE_F32, shape_make(2, anchor_dims), (float[]){10, 13, 16, 30});
    tensor_id rows[2];
    for (int i = 0; i < 2; i++) {
        tensor_id head = conv(n, i ? "head1" : "head0", i ? deep : neck, 2 * 7,
                              conv_attributes(1, 1, 0, ACT_NONE));
        op_attr d = {.decode = {.n_anchors = 2, .n_values = 7, .stride = i ? 4 : 2}};
        rows[i] = op(n, GRAPH_OP_YOLO_DECODE, i ? "decode1" : "decode0", 2,
                     (tensor_id[]){head, anchors}, d);
    }
    tensor_id all = op(n, GRAPH_OP_CONCAT, "rows", 2, rows, axis);
    assert_ok(graph_add_output(n->g, all, &err));
    assert_ok(graph_tidy(n->g, &err));
    assert_ok(graph_verify(n->g, &err));
    return all;
}

static engine *prepare(const net *n, cpu_level level, int threads)
{
    engine *e;
    engine_options o = {.threads = threads, .level = level};
    assert_ok(engine_prepare(n->g, &o, &e, &err));
    return e;
}

static tensor_view random_input(net *n, int i)
{
    const tensor *t = graph_tensor_const(n->g, graph_input(n->g, i));
    size_t count;
    assert_true(shape_count(&t->shape, &count));
    float *v = malloc(count * sizeof *v);
    for (size_t k = 0; k < count; k++)
        v[k] = (float)test_uniform(&n->rng);
    return (tensor_view){v, DTYPE_F32, t->shape};
}

static void every_level_agrees_with_the_reference(void **state)
{
    (void)state;
    net n = net_create(1);
    detector(&n);
    tensor_view in = random_input(&n, 0);
    engine *ref = prepare(&n, CPU_REF, 1);
    assert_ok(engine_run(ref, &in, 1, &err));
    tensor_view want = engine_output(ref, 0);
    size_t count;
    assert_true(shape_count(&want.shape, &count));
    assert_int_equal(count, 2 * (2 * 16 * 24 + 2 * 8 * 12) * 7);
    for (int threads = 1; threads <= 3; threads++) {
        engine *e = prepare(&n, cpu_best(), threads);
        assert_ok(engine_run(e, &in, 1, &err));
        tensor_view got = engine_output(e, 0);
        assert_true(shape_equal(&got.shape, &want.shape));
        assert_true(test_max_abs(got.data, want.data, count) < 1e-3); /* of up to 120 pixels */
        engine_destroy(e);
    }
    engine_destroy(ref);
    free(in.data);
    graph_destroy(n.g);
}

static void a_run_allocates_nothing_and_repeats(void **state)
{
    (void)state;
    net n = net_create(2);
    detector(&n);
    tensor_view in = random_input(&n, 0), other = random_input(&n, 0);
    engine *e = prepare(&n, cpu_best(), 2);
    assert_ok(engine_run(e, &in, 1, &err));
    tensor_view out = engine_output(e, 0);
    size_t count, before = mem_count();
    assert_true(shape_count(&out.shape, &count));
    float *first = malloc(count * sizeof *first);
    memcpy(first, out.data, count * sizeof *first);
    assert_ok(engine_run(e, &other, 1, &err));
    assert_true(test_max_abs(first, engine_output(e, 0).data, count) > 0);
    assert_ok(engine_run(e, &in, 1, &err));
    assert_memory_equal(first, engine_output(e, 0).data, count * sizeof *first);
    assert_int_equal(mem_count(), before);
    free(first);
    engine_destroy(e);
    free(in.data);
    free(other.data);
    graph_destroy(n.g);
}

/* Codes in, codes out: equal bits for any number of threads, and within a step of the reference. */
static void integers_do_not_depend_on_threads(void **state)
{
    (void)state;
    net n = net_create(6);
    tensor_id x = input(&n, "images", shape4(1, 3, 40, 36));
    shape scalar = {.rank = 0};
    float scale = 1.0f / 127;
    int8_t zero = 0, weights[32 * 3 * 9];
    float w_scale[32], bias[32];
    for (size_t i = 0; i < sizeof weights; i++)
        weights[i] = (int8_t)(test_uniform(&n.rng) * 255 - 127);
    for (int i = 0; i < 32; i++) {
        w_scale[i] = (float)(0.001 + test_uniform(&n.rng) * 0.002);
        bias[i] = (float)test_normal(&n.rng);
    }
    int64_t channels[] = {32};
    tensor_id q[] = {x, constant(&n, DTYPE_F32, scalar, &scale),
                     constant(&n, DTYPE_I8, scalar, &zero)};
    tensor_id codes = op(&n, GRAPH_OP_QUANTIZE_LINEAR, "q", 3, q, (op_attr){.axis = {.axis = 1}});
    op_attr attr = conv_attributes(3, 1, 1, ACT_SILU);
    attr.conv.x_scale = scale;
    tensor_id in[] = {codes, constant(&n, DTYPE_I8, shape4(32, 3, 3, 3), weights),
                      constant(&n, DTYPE_F32, shape_make(1, channels), w_scale),
                      constant(&n, DTYPE_F32, shape_make(1, channels), bias)};
    tensor_id y = op(&n, GRAPH_OP_QCONV, "conv", 4, in, attr);
    assert_ok(graph_add_output(n.g, y, &err));
    assert_ok(graph_tidy(n.g, &err));
    tensor_view image = random_input(&n, 0);
    engine *one = prepare(&n, cpu_best(), 1), *ref = prepare(&n, CPU_REF, 3);
    assert_ok(engine_run(one, &image, 1, &err));
    assert_ok(engine_run(ref, &image, 1, &err));
    size_t count = 32 * 40 * 36;
    assert_true(test_max_abs(engine_output(one, 0).data, engine_output(ref, 0).data, count) < 1e-5);
    for (int threads = 2; threads < 5; threads++) {
        engine *e = prepare(&n, cpu_best(), threads);
        assert_ok(engine_run(e, &image, 1, &err));
        assert_memory_equal(engine_output(e, 0).data, engine_output(one, 0).data,
                            count * sizeof(float));
        engine_destroy(e);
    }
    engine_step_profile steps[8];
    assert_true(engine_n_steps(one) <= 8);
    assert_ok(engine_profile(one, &image, 1, steps, &err));
    const engine_step_profile *conv_step = NULL;
    for (int i = 0; i < engine_n_steps(one); i++)
        if (strcmp(steps[i].node, "conv") == 0)
            conv_step = &steps[i];
    assert_non_null(conv_step);
    assert_string_equal(conv_step->precision, "int8");
    assert_true(conv_step->macs == 32.0 * 40 * 36 * 27);
    engine_destroy(one);
    engine_destroy(ref);
    free(image.data);
    graph_destroy(n.g);
}

static void expect_equal_outputs(engine *a, engine *b, const tensor_view *in)
{
    size_t count;
    assert_ok(engine_run(a, in, 1, &err));
    assert_ok(engine_run(b, in, 1, &err));
    tensor_view of_a = engine_output(a, 0), of_b = engine_output(b, 0);
    assert_true(shape_count(&of_a.shape, &count));
    assert_memory_equal(of_a.data, of_b.data, count * sizeof(float));
}

/* Whether our own tiles compute the head, which hand on pixels. */
static bool has_float_tiles(void)
{
#if defined(__aarch64__)
    return cpu_best() > CPU_REF;
#else
    return cpu_best() >= CPU_AVX512;
#endif
}

/* The head's convolution and its decode in one step or in two: the same bits. */
static void a_head_hands_its_pixels_to_the_decode(void **state)
{
    (void)state;
    net n = net_create(8);
    detector(&n);
    tensor_view in = random_input(&n, 0);
    cpu_level level = cpu_best();
    engine_options apart = {.threads = 2, .level = level, .without = FUSION_DECODE};
    engine *two;
    assert_ok(engine_prepare(n.g, &apart, &two, &err));
    for (int threads = 1; threads <= 5; threads++) {
        engine *one = prepare(&n, level, threads);
        assert_int_equal(engine_n_steps(two) - engine_n_steps(one), has_float_tiles() ? 2 : 0);
        expect_equal_outputs(one, two, &in);
        engine_destroy(one);
    }
    engine_destroy(two);
    free(in.data);
    graph_destroy(n.g);
}

/* What somebody watches is stored. */
static void a_tapped_head_is_a_step_of_its_own(void **state)
{
    (void)state;
    net n = net_create(8);
    detector(&n);
    tensor_id head = graph_find_tensor(n.g, "head0");
    tensor_view in = random_input(&n, 0);
    engine *plain = prepare(&n, cpu_best(), 2), *tapped;
    engine_options o = {.threads = 2, .level = cpu_best(), .taps = &head, .n_taps = 1};
    assert_ok(engine_prepare(n.g, &o, &tapped, &err));
    assert_int_equal(engine_n_steps(tapped) - engine_n_steps(plain), has_float_tiles());
    expect_equal_outputs(plain, tapped, &in);
    engine_destroy(plain);
    engine_destroy(tapped);
    free(in.data);
    graph_destroy(n.g);
}

static void wrong_inputs_are_refused(void **state)
{
    (void)state;
    net n = net_create(3);
    detector(&n);
    tensor_view in = random_input(&n, 0);
    engine *e = prepare(&n, CPU_REF, 1);
    in.shape.dim[2] = 64;
    assert_status(engine_run(e, &in, 1, &err), PTQ_SHAPE);
    in.shape.dim[2] = 32;
    in.type = DTYPE_U8;
    assert_status(engine_run(e, &in, 1, &err), PTQ_SHAPE);
    in.type = DTYPE_F32;
    assert_status(engine_run(e, &in, 2, &err), PTQ_SHAPE);
    engine_destroy(e);
    free(in.data);
    graph_destroy(n.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_agrees_with_the_reference),
        cmocka_unit_test(a_run_allocates_nothing_and_repeats),
        cmocka_unit_test(integers_do_not_depend_on_threads),
        cmocka_unit_test(a_head_hands_its_pixels_to_the_decode),
        cmocka_unit_test(a_tapped_head_is_a_step_of_its_own),
        cmocka_unit_test(wrong_inputs_are_refused),
    };
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
