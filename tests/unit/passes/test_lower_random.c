/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever a graph looks like, lowering keeps its meaning. With scales that are powers of
 * two every sum is exact, so integer execution equals simulation bit for bit. */
#include "random_graph.h"

#include "engine/engine.h"

static ptq_error err;

static void lowering_keeps_the_meaning(void **state)
{
    (void)state;
    double input[RANDOM_INPUT];
    random_input(input);
    for (uint64_t seed = 0; seed < 60; seed++) {
        static random_graph m;
        random_graph_make(&m, seed, false);
        assert_ok(pass_insert_qdq(m.g, &m.plan.plan, &err));
        assert_ok(graph_verify(m.g, &err));
        graph_values want = random_graph_run(m.g, input);
        const char *keep[] = {graph_tensor(m.g, m.values[m.n / 2].id)->name, NULL};
        lower_options o = {.precision = PRECISION_FP32};
        expect_same_lowered(m.g, &want, &o, input);
        o.precision = PRECISION_INT8;
        expect_same_lowered(m.g, &want, &o, input);
        o.without = 1 + (unsigned)seed % 63; /* any set of fusions */
        expect_same_lowered(m.g, &want, &o, input);
        o = (lower_options){.precision = PRECISION_INT8, .keep = keep};
        expect_same_lowered(m.g, &want, &o, input);
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
    float x[RANDOM_INPUT];
    shape s = shape4(1, RANDOM_CHANNELS, RANDOM_SIZE, RANDOM_SIZE);
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
    double input[RANDOM_INPUT];
    random_input(input);
    for (uint64_t seed = 1000; seed < 1020; seed++) {
        static random_graph m;
        random_graph_make(&m, seed, true);
        assert_ok(pass_insert_qdq(m.g, &m.plan.plan, &err));
        graph_values want = random_graph_run(m.g, input);
        engine_options o = {.threads = 1, .level = CPU_REF, .exact = true};
        expect_engine(m.g, &want, &o, PRECISION_FP32, input);
        expect_engine(m.g, &want, &o, PRECISION_INT8, input);
        o.level = cpu_best();
        expect_engine(m.g, &want, &o, PRECISION_FP32, input);
        expect_engine(m.g, &want, &o, PRECISION_INT8, input);
        o.without = 1 + (unsigned)seed % 63; /* any set of fusions */
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
