/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever a graph looks like, lowering keeps its meaning. With scales that are powers of
 * two every sum is exact, so integer execution equals simulation bit for bit. */
#include "graph_eval.h"
#include "test_plan.h"

#include "engine/engine.h"
#include "passes/passes.h"

static ptq_error err;

enum { MAX_VALUES = 64, SIZE = 16 };

typedef struct value {
    tensor_id id;
    int64_t channels;
    int size; /* height and width */
} value;

/* A random graph while it grows. */
typedef struct maker {
    graph *g;
    test_rng rng;
    value values[MAX_VALUES];
    int n;
    test_plan plan;
    char names[MAX_VALUES][16]; /* the plan borrows them */
    int n_names;
    bool all_quantized; /* every convolution reads codes of 8 bits */
} maker;

static int draw(maker *m, int n)
{
    return (int)(test_uniform(&m->rng) * n);
}

static const char *new_name(maker *m, const char *kind)
{
    char *name = m->names[m->n_names];
    snprintf(name, sizeof m->names[0], "%s%d", kind, m->n_names++);
    return name;
}

static void add_value(maker *m, tensor_id id, int64_t channels, int size)
{
    m->values[m->n++] = (value){id, channels, size};
}

/* Recent values more often, so that chains grow. */
static value pick(maker *m)
{
    int recent = m->n < 6 ? m->n : 6;
    return m->values[draw(m, 3) ? m->n - 1 - draw(m, recent) : draw(m, m->n)];
}

static float power(int exponent)
{
    return 127 * ldexpf(1, exponent);
}

/* A pair that the graph has from elsewhere, as other quantizers write them. */
static void add_foreign(maker *m)
{
    value x = pick(m);
    dtype type = draw(m, 2) ? DTYPE_U8 : DTYPE_I8;
    int zero = draw(m, 2) ? 0 : type == DTYPE_U8 ? 117 : -9;
    float scale = ldexpf(1, -1 - draw(m, 2));
    add_value(m, make_qdq(m->g, new_name(m, "q"), x.id, scale, type, zero), x.channels, x.size);
}

static bool is_dequantized(const maker *m, tensor_id x)
{
    node_id p = graph_producer(m->g, x);
    return p != NODE_NONE && graph_node(m->g, p)->op == GRAPH_OP_DEQUANTIZE_LINEAR;
}

static void add_conv(maker *m)
{
    value x = pick(m);
    make_conv_desc d = {.name = new_name(m, "conv"),
                        .x = x.id,
                        .c_in = x.channels,
                        .c_out = 2 + 2 * draw(m, 2),
                        .kernel = draw(m, 2) ? 3 : 1,
                        .stride = x.size >= 8 ? 1 + draw(m, 2) : 1,
                        .random_bias = draw(m, 2),
                        .rng = &m->rng};
    tensor_id y = make_conv(m->g, &d);
    static const graph_op acts[3] = {GRAPH_OP_RELU, GRAPH_OP_LEAKY_RELU, GRAPH_OP_IDENTITY};
    int act = draw(m, 4);
    if (act < 3)
        y = make_unary(m->g, acts[act], new_name(m, "act"), y);
    add_value(m, y, d.c_out, x.size / d.stride);
    if (!draw(m, 6) && !m->all_quantized)
        return; /* stays float */
    float w[4];
    for (int i = 0; i < 4; i++)
        w[i] = power(-4 - draw(m, 3));
    bool per_tensor = !draw(m, 4);
    qplan_entry *e = plan_layer(&m->plan, d.name, power(-1 - draw(m, 2)), per_tensor ? -1 : 0,
                                per_tensor ? 1 : (int)d.c_out, w);
    e->input.enabled = !is_dequantized(m, x.id);
    e->input.is_unsigned = !draw(m, 5);
    e->input.num_bits = draw(m, 12) || m->all_quantized ? 8 : 5;
    if (e->input.is_unsigned)
        e->input.amax[0] = 255 * ldexpf(1, -2);
    if (e->input.num_bits == 5)
        e->input.amax[0] = e->input.is_unsigned ? 31 : 15;
}

static void add_pair(maker *m)
{
    value a = pick(m), b = pick(m);
    for (int tries = 0; tries < 20 && (a.size != b.size || a.channels != b.channels); tries++)
        b = pick(m);
    if (a.size != b.size)
        return;
    tensor_id parts[2] = {a.id, b.id};
    if (a.channels == b.channels && draw(m, 2)) {
        const char *name = new_name(m, "add");
        add_value(m, make_binary(m->g, GRAPH_OP_ADD, name, a.id, b.id), a.channels, a.size);
        if (!is_dequantized(m, a.id) && !is_dequantized(m, b.id) && draw(m, 2))
            plan_extra(&m->plan, name, draw(m, 2), power(-1));
    } else if (a.channels + b.channels <= 8) {
        tensor_id y = make_concat(m->g, new_name(m, "cat"), 2, parts);
        add_value(m, y, a.channels + b.channels, a.size);
    }
}

static void add_split(maker *m, value x)
{
    const char *name = new_name(m, "split");
    shape unknown = shape4(-1, -1, -1, -1);
    tensor_id parts[2];
    for (int i = 0; i < 2; i++)
        assert_ok(
            graph_add_tensor(m->g, new_name(m, "part"), DTYPE_F32, &unknown, &parts[i], &err));
    node n = {.name = name, .op = GRAPH_OP_SPLIT, .n_inputs = 1, .n_outputs = 2};
    n.inputs = &x.id;
    n.outputs = parts;
    n.attr.axis.axis = 1;
    assert_ok(graph_add_node(m->g, &n, NULL, &err));
    for (int i = 0; i < 2; i++)
        add_value(m, parts[i], x.channels / 2, x.size);
}

static void add_mover(maker *m)
{
    value x = pick(m);
    op_attr perm = {.perm = {4, {0, 1, 3, 2}}}, space = {.space = {.block = 2}};
    switch (draw(m, 6)) {
    case 0:
        add_value(m, make_max_pool(m->g, new_name(m, "pool"), x.id, 3, 1), x.channels, x.size);
        break;
    case 1:
        if (x.size >= 8)
            add_value(m, make_max_pool(m->g, new_name(m, "mp"), x.id, 2, 2), x.channels,
                      x.size / 2);
        break;
    case 2:
        if (x.size < SIZE)
            add_value(m, make_upsample(m->g, new_name(m, "up"), x.id), x.channels, x.size * 2);
        break;
    case 3:
        if (x.channels >= 2)
            add_split(m, x);
        break;
    case 4:
        add_value(m, make_op(m->g, GRAPH_OP_TRANSPOSE, new_name(m, "turn"), 1, &x.id, &perm),
                  x.channels, x.size);
        break;
    default:
        if (x.channels == 2 && x.size >= 8)
            add_value(m,
                      make_op(m->g, GRAPH_OP_SPACE_TO_DEPTH, new_name(m, "s2d"), 1, &x.id, &space),
                      8, x.size / 2);
    }
}

/* Everything nothing reads is an output, and now and then something that is read. */
static void finish(maker *m)
{
    for (int i = 1; i < m->n; i++)
        if (!graph_consumers(m->g, m->values[i].id, NULL, 0) || !draw(m, 12))
            assert_ok(graph_add_output(m->g, m->values[i].id, &err));
    assert_ok(graph_tidy(m->g, &err));
    assert_ok(graph_verify(m->g, &err));
}

static void make_random(maker *m, uint64_t seed, bool all_quantized)
{
    *m = (maker){.rng = {seed * 977 + 1}, .all_quantized = all_quantized};
    m->plan.plan.float_weights = seed % 2;
    assert_ok(graph_create(&m->g, &err));
    add_value(m, make_input(m->g, 4), 4, SIZE);
    add_conv(m);
    for (int i = 0; i < 18; i++) {
        int kind = draw(m, 11);
        if (kind < 4)
            add_conv(m);
        else if (kind < 6)
            add_pair(m);
        else if (kind < 8)
            add_foreign(m);
        else
            add_mover(m);
    }
    finish(m);
}

static graph_values run(graph *g, double *input)
{
    shape s = shape4(1, 4, SIZE, SIZE);
    assert_ok(graph_set_input_shape(g, &s, &err));
    return graph_eval(g, input);
}

/* Runs `g` lowered and compares every output with `want`, the run of `ref`. */
static void expect_same_meaning(const graph *ref, const graph_values *want, const lower_options *o,
                                double *input)
{
    graph *g;
    assert_ok(graph_copy(ref, &g, &err));
    const char *const *keep = o->keep;
    assert_ok(pass_lower(g, o, &err));
    assert_ok(graph_verify(g, &err));
    graph_values got = run(g, input);
    assert_int_equal(graph_n_outputs(g), graph_n_outputs(ref));
    for (int i = 0; i < graph_n_outputs(ref); i++) {
        tensor_id a = graph_output(ref, i), b = graph_output(g, i);
        size_t n;
        assert_string_equal(graph_tensor_const(ref, a)->name, graph_tensor_const(g, b)->name);
        assert_true(shape_count(&graph_tensor_const(ref, a)->shape, &n));
        assert_true(eval_max_abs(want->of[a], got.of[b], n) == 0);
    }
    for (int i = 0; keep && keep[i]; i++) {
        tensor_id a = graph_find_tensor(ref, keep[i]), b = graph_find_tensor(g, keep[i]);
        size_t n;
        assert_true(graph_producer(g, b) != NODE_NONE);
        assert_true(shape_count(&graph_tensor_const(ref, a)->shape, &n));
        assert_true(eval_max_abs(want->of[a], got.of[b], n) == 0);
    }
    graph_values_free(&got);
    graph_destroy(g);
}

static double *random_input(void)
{
    static double input[4 * SIZE * SIZE];
    test_rng rng = {99};
    for (size_t i = 0; i < sizeof input / sizeof *input; i++)
        input[i] = (floor(test_uniform(&rng) * 256) - 128) / 16;
    return input;
}

static void lowering_keeps_the_meaning(void **state)
{
    (void)state;
    double *input = random_input();
    for (uint64_t seed = 0; seed < 60; seed++) {
        static maker m;
        make_random(&m, seed, false);
        assert_ok(pass_insert_qdq(m.g, &m.plan.plan, &err));
        assert_ok(graph_verify(m.g, &err));
        graph_values want = run(m.g, input);
        const char *keep[] = {graph_tensor(m.g, m.values[m.n / 2].id)->name, NULL};
        lower_options o = {.precision = PRECISION_FP32};
        expect_same_meaning(m.g, &want, &o, input);
        o.precision = PRECISION_INT8;
        expect_same_meaning(m.g, &want, &o, input);
        o.without = 1 + (unsigned)seed % 31; /* any set of fusions */
        expect_same_meaning(m.g, &want, &o, input);
        o = (lower_options){.precision = PRECISION_INT8, .keep = keep};
        expect_same_meaning(m.g, &want, &o, input);
        graph_values_free(&want);
        graph_destroy(m.g);
    }
}

/* Runs `ref` lowered in the engine and compares every output with `want`. */
static void expect_engine(const graph *ref, const graph_values *want, const engine_options *o,
                          precision p, const double *input)
{
    graph *g;
    engine *e;
    float x[4 * SIZE * SIZE];
    shape s = shape4(1, 4, SIZE, SIZE);
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        x[i] = (float)input[i];
    assert_ok(graph_copy(ref, &g, &err));
    assert_ok(pass_lower(g, &(lower_options){.precision = p, .without = o->without}, &err));
    assert_ok(graph_set_input_shape(g, &s, &err));
    assert_ok(engine_prepare(g, o, &e, &err));
    assert_ok(engine_run(e, &(tensor_view){x, DTYPE_F32, s}, 1, &err));
    for (int i = 0; i < graph_n_outputs(ref); i++) {
        tensor_view y = engine_output(e, i);
        const double *expected = want->of[graph_output(ref, i)];
        size_t n;
        assert_true(shape_count(&y.shape, &n));
        assert_int_equal(y.type, DTYPE_F32);
        for (size_t k = 0; k < n; k++)
            if ((double)((const float *)y.data)[k] != expected[k])
                fail_msg("output %d, element %zu: %g instead of %g", i, k,
                         (double)((const float *)y.data)[k], expected[k]);
    }
    engine_destroy(e);
    graph_destroy(g);
}

/* All codes of 8 bits: the sums are exact in float32 and int32 too, on every level. */
static void the_engine_runs_it_to_the_bit(void **state)
{
    (void)state;
    double *input = random_input();
    for (uint64_t seed = 1000; seed < 1020; seed++) {
        static maker m;
        make_random(&m, seed, true);
        assert_ok(pass_insert_qdq(m.g, &m.plan.plan, &err));
        graph_values want = run(m.g, input);
        engine_options o = {.threads = 1, .level = CPU_REF, .exact = true};
        expect_engine(m.g, &want, &o, PRECISION_FP32, input);
        expect_engine(m.g, &want, &o, PRECISION_INT8, input);
        o.level = cpu_best();
        expect_engine(m.g, &want, &o, PRECISION_FP32, input);
        expect_engine(m.g, &want, &o, PRECISION_INT8, input);
        o.without = 1 + (unsigned)seed % 31; /* any set of fusions */
        expect_engine(m.g, &want, &o, PRECISION_INT8, input);
        graph_values_free(&want);
        graph_destroy(m.g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lowering_keeps_the_meaning),
        cmocka_unit_test(the_engine_runs_it_to_the_bit),
    };
    return cmocka_run_group_tests_name("lower_random", tests, NULL, NULL);
}
