/* SPDX-License-Identifier: Apache-2.0 */
#include "random_graph.h"

static ptq_error err;

typedef random_graph maker;
typedef random_value value;

/* 0 ... n-1: the next byte, or from the seed. */
static int draw(maker *m, int n)
{
    if (m->bytes)
        return m->n_bytes > 0 ? (m->n_bytes--, *m->bytes++ % n) : 0;
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
        if (x.size < RANDOM_SIZE)
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

/* A convolution, and then 18 steps of everything; of bytes until they end. */
static void grow(maker *m)
{
    assert_ok(graph_create(&m->g, &err));
    add_value(m, make_input(m->g, RANDOM_CHANNELS), RANDOM_CHANNELS, RANDOM_SIZE);
    add_conv(m);
    for (int i = 0; i < 18 && (!m->bytes || m->n_bytes > 0); i++) {
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

void random_graph_make(random_graph *m, uint64_t seed, bool all_quantized)
{
    *m = (maker){.rng = {seed * 977 + 1}, .all_quantized = all_quantized};
    m->plan.plan.float_weights = seed % 2;
    grow(m);
}

void random_graph_from(random_graph *m, const uint8_t *bytes, size_t n)
{
    *m = (maker){.rng = {1}, .bytes = bytes, .n_bytes = n};
    m->plan.plan.float_weights = draw(m, 2);
    m->all_quantized = draw(m, 2);
    grow(m);
}

void random_input(double *x)
{
    test_rng rng = {99};
    for (size_t i = 0; i < RANDOM_INPUT; i++)
        x[i] = (floor(test_uniform(&rng) * 256) - 128) / 16;
}

graph_values random_graph_run(graph *g, const double *input)
{
    shape s = shape4(1, RANDOM_CHANNELS, RANDOM_SIZE, RANDOM_SIZE);
    assert_ok(graph_set_input_shape(g, &s, &err));
    return graph_eval(g, input);
}

/* Whether tensor `a` of `ref` and `b` of `g` have the same values. */
static void expect_equal(const graph *ref, tensor_id a, const graph_values *want, const double *got,
                         const char *what)
{
    size_t n;
    assert_true(shape_count(&graph_tensor_const(ref, a)->shape, &n));
    if (eval_max_abs(want->of[a], got, n) != 0)
        fail_msg("'%s' %s differs", graph_tensor_const(ref, a)->name, what);
}

void expect_same_outputs(const graph *ref, const graph_values *want, const graph *g,
                         const graph_values *got)
{
    assert_int_equal(graph_n_outputs(g), graph_n_outputs(ref));
    for (int i = 0; i < graph_n_outputs(ref); i++) {
        tensor_id a = graph_output(ref, i), b = graph_output(g, i);
        assert_string_equal(graph_tensor_const(ref, a)->name, graph_tensor_const(g, b)->name);
        expect_equal(ref, a, want, got->of[b], "(an output)");
    }
}

void expect_same_lowered(const graph *ref, const graph_values *want, const lower_options *o,
                         const double *input)
{
    graph *g;
    const char *const *keep = o->keep;
    assert_ok(graph_copy(ref, &g, &err));
    assert_ok(pass_lower(g, o, &err));
    assert_ok(graph_verify(g, &err));
    graph_values got = random_graph_run(g, input);
    expect_same_outputs(ref, want, g, &got);
    for (int i = 0; keep && keep[i]; i++) {
        tensor_id a = graph_find_tensor(ref, keep[i]), b = graph_find_tensor(g, keep[i]);
        assert_true(graph_producer(g, b) != NODE_NONE);
        expect_equal(ref, a, want, got.of[b], "(kept)");
    }
    graph_values_free(&got);
    graph_destroy(g);
}
