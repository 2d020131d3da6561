/* SPDX-License-Identifier: Apache-2.0 */
/* Random networks of image operators, run at every level of instructions and with every number of
 * threads, against the plain evaluator of tests/lib, tensor by tensor. This is what finds memory
 * shared by two tensors that live together, a concatenation written in the wrong place, or a layout
 * misunderstood. */
#include "graph_eval.h"
#include "unlucky_order.h"

#include "engine/engine.h"

enum { N_GRAPHS = 60, MAX_TENSORS = 24 };

static ptq_error err;

/* The tensors that exist while a network grows; those of one height and width can be joined. */
typedef struct growth {
    graph *g;
    test_rng rng;
    tensor_id tensors[MAX_TENSORS];
    int n;
} growth;

static int below(growth *w, int n)
{
    return (int)(test_uniform(&w->rng) * n);
}

static const shape *shape_of(const growth *w, tensor_id id)
{
    return &graph_tensor_const(w->g, id)->shape;
}

/* A tensor of the same height and width as `like`, often a late one. */
static tensor_id fellow(growth *w, tensor_id like)
{
    for (int tries = 0; tries < 20; tries++) {
        tensor_id id = w->tensors[below(w, w->n)];
        if (shape_of(w, id)->dim[2] == shape_of(w, like)->dim[2])
            return id;
    }
    return like;
}

static tensor_id grow_conv(growth *w, const char *name, tensor_id x)
{
    make_conv_desc d = {.name = name,
                        .x = x,
                        .c_in = shape_of(w, x)->dim[1],
                        .c_out = 1 + below(w, 20),
                        .kernel = below(w, 2) ? 3 : 1,
                        .stride = shape_of(w, x)->dim[2] > 6 && below(w, 4) == 0 ? 2 : 1,
                        .random_bias = true,
                        .rng = &w->rng};
    return make_conv(w->g, &d);
}

static tensor_id grow_split(growth *w, const char *name, tensor_id x)
{
    op_attr a = {.axis = {.axis = 1}};
    char text[2][64];
    shape half = *shape_of(w, x);
    tensor_id parts[2];
    half.dim[1] /= 2;
    for (int i = 0; i < 2; i++) {
        snprintf(text[i], sizeof text[i], "%s_part%d", name, i);
        assert_ok(graph_add_tensor(w->g, text[i], DTYPE_F32, &half, &parts[i], &err));
    }
    node n = {.name = name, .op = GRAPH_OP_SPLIT, .n_inputs = 1, .n_outputs = 2, .attr = a};
    n.inputs = &x;
    n.outputs = parts;
    node_id id;
    assert_ok(graph_add_node(w->g, &n, &id, &err));
    w->tensors[w->n++] = parts[0];
    return parts[1];
}

static tensor_id grow_one(growth *w, int i)
{
    char name[32];
    snprintf(name, sizeof name, "n%d", i);
    tensor_id x = w->tensors[below(w, 3) ? w->n - 1 : below(w, w->n)];
    const shape *s = shape_of(w, x);
    switch (below(w, 10)) {
    case 0:
        return make_unary(w->g, GRAPH_OP_SILU, name, x);
    case 1:
        return make_max_pool(w->g, name, x, 5, 1);
    case 2:
    case 3: {
        tensor_id in[3] = {x, fellow(w, x), fellow(w, x)};
        return make_concat(w->g, name, 2 + below(w, 2), in);
    }
    case 4: {
        tensor_id y = fellow(w, x);
        bool fits = shape_equal(s, shape_of(w, y));
        return fits ? make_binary(w->g, GRAPH_OP_ADD, name, x, y) : grow_conv(w, name, x);
    }
    case 5:
        return s->dim[2] < 17 ? make_upsample(w->g, name, x) : grow_conv(w, name, x);
    case 6:
        return s->dim[1] % 2 == 0 && w->n + 2 < MAX_TENSORS ? grow_split(w, name, x)
                                                            : grow_conv(w, name, x);
    default:
        return grow_conv(w, name, x);
    }
}

/* Outputs: the last tensor, and sometimes another. */
static growth grow(uint64_t seed)
{
    growth w = {.rng = {seed * 977}};
    shape s = shape4(1 + (int64_t)(seed % 2), 3, 13, 13);
    assert_ok(graph_create(&w.g, &err));
    assert_ok(graph_add_tensor(w.g, "images", DTYPE_F32, &s, &w.tensors[w.n++], &err));
    assert_ok(graph_add_input(w.g, w.tensors[0], &err));
    int n_nodes = 6 + below(&w, 10);
    for (int i = 0; i < n_nodes && w.n < MAX_TENSORS - 2; i++) {
        tensor_id made = grow_one(&w, i);
        w.tensors[w.n++] = made;
    }
    tensor_id other = w.tensors[1 + below(&w, w.n - 2)];
    if (below(&w, 2))
        assert_ok(graph_add_output(w.g, other, &err));
    make_done(w.g, w.tensors[w.n - 1]);
    return w;
}

typedef struct watch {
    const graph_values *want;
    int n_seen;
} watch;

/* Sums cancel, so a small value is only as good as the large ones of its tensor. */
static void check(const double *want, const float *got, size_t count, const char *name)
{
    double largest = 1;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(want[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)got[i] - want[i]) <= 2e-5 * largest))
            fail_msg("tensor '%s', element %zu: %g instead of %g", name, i, (double)got[i],
                     want[i]);
}

static void on_tap(void *user, const tap_view *v)
{
    watch *w = user;
    size_t count;
    assert_true(shape_count(&v->shape, &count));
    float *values = malloc(count * sizeof *values);
    tap_to_float(v, values);
    check(w->want->of[v->id], values, count, v->name);
    free(values);
    w->n_seen++;
}

static void check_outputs(const growth *w, const graph_values *want, const engine *e)
{
    for (int i = 0; i < graph_n_outputs(w->g); i++) {
        tensor_view out = engine_output(e, i);
        size_t count;
        assert_true(shape_count(&out.shape, &count));
        check(want->of[graph_output(w->g, i)], out.data, count, "output");
    }
}

static void run_one(const growth *w, const graph_values *want, const float *input,
                    const engine_options *options)
{
    engine *e;
    watch seen = {.want = want};
    tensor_view in = {(void *)(uintptr_t)input, DTYPE_F32, *shape_of(w, w->tensors[0])};
    assert_ok(engine_prepare(w->g, options, &e, &err));
    engine_set_tap(e, on_tap, &seen);
    for (int again = 0; again < 2; again++)
        assert_ok(engine_run(e, &in, 1, &err));
    assert_int_equal(seen.n_seen, 2 * options->n_taps);
    check_outputs(w, want, e);
    run_in_unlucky_order(e, NULL);
    check_outputs(w, want, e);
    engine_destroy(e);
}

static void random_graphs_compute_what_they_say(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= N_GRAPHS; seed++) {
        growth w = grow(seed);
        size_t count;
        assert_true(shape_count(shape_of(&w, w.tensors[0]), &count));
        float *input = malloc(count * sizeof *input);
        double *exact = malloc(count * sizeof *exact);
        for (size_t i = 0; i < count; i++)
            exact[i] = input[i] = (float)test_normal(&w.rng);
        graph_values want = graph_eval(w.g, exact);
        for (cpu_level level = CPU_REF; level <= cpu_best(); level++) {
            tensor_id taps[MAX_TENSORS];
            int n_taps = 0;
            for (int i = 0; i < w.n; i++) /* pruned ones are not computed */
                if (graph_producer(w.g, w.tensors[i]) != NODE_NONE && below(&w, 2))
                    taps[n_taps++] = w.tensors[i];
            engine_options o = {.threads = 1 + below(&w, 4), .level = level, .taps = taps};
            o.n_taps = level % 2 ? n_taps : 0;
            run_one(&w, &want, input, &o);
        }
        graph_values_free(&want);
        free(input);
        free(exact);
        graph_destroy(w.g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs_compute_what_they_say),
    };
    return cmocka_run_group_tests_name("random_graphs", tests, NULL, NULL);
}
