/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"

#include <pthread.h>

#include "base/mem.h"
#include "engine/session.h"

static ptq_error err;

static graph *small_net(void)
{
    graph *g;
    test_rng rng = {4};
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_input(g, 3);
    make_conv_desc d = {
        .name = "c", .x = x, .c_in = 3, .c_out = 8, .kernel = 3, .stride = 2, .rng = &rng};
    tensor_id y = make_unary(g, GRAPH_OP_SILU, "act", make_conv(g, &d));
    make_done(g, make_upsample(g, "up", y));
    return g;
}

static tensor_view picture(int64_t n, int64_t h, int64_t w, uint64_t seed)
{
    test_rng rng = {seed};
    size_t count = (size_t)(n * 3 * h * w);
    float *v = malloc(count * sizeof *v);
    for (size_t i = 0; i < count; i++)
        v[i] = (float)test_uniform(&rng);
    return (tensor_view){v, DTYPE_F32, shape4(n, 3, h, w)};
}

static session *start(const graph *g, int max_engines, const char *const *taps, int n_taps)
{
    session *s;
    session_options o = {.threads = 2,
                         .level = cpu_best(),
                         .taps = taps,
                         .n_taps = n_taps,
                         .max_engines = max_engines};
    assert_ok(session_create(g, &o, &s, &err));
    return s;
}

/* The same answer whether its engine is new, kept, or was thrown out in between. */
static void sizes_come_and_go(void **state)
{
    (void)state;
    graph *g = small_net();
    session *s = start(g, 2, NULL, 0);
    graph_destroy(g); /* the session has its own */
    static const int64_t sizes[] = {16, 32, 16, 48, 32, 16, 16};
    float *first = NULL;
    size_t count = 8 * 16 * 16;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        tensor_view in = picture(1, sizes[i], sizes[i], 9);
        assert_ok(session_run(s, &in, 1, &err));
        tensor_view out = engine_output(session_engine(s), 0);
        assert_int_equal(out.shape.dim[3], sizes[i]);
        tensor_id id = graph_output(session_graph(s), 0);
        assert_int_equal(graph_tensor_const(session_graph(s), id)->shape.dim[3], sizes[i]);
        if (sizes[i] == 16 && !first) {
            first = malloc(count * sizeof *first);
            memcpy(first, out.data, count * sizeof *first);
        } else if (sizes[i] == 16) {
            assert_memory_equal(first, out.data, count * sizeof *first);
        }
        free(in.data);
    }
    tensor_view in = picture(1, 16, 16, 9);
    size_t before = mem_count();
    assert_ok(session_run(s, &in, 1, &err));
    assert_int_equal(mem_count(), before); /* a known size allocates nothing */
    free(in.data);
    free(first);
    session_destroy(s);
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    graph *g = small_net();
    session *s = start(g, 0, NULL, 0), *none = NULL;
    tensor_view in = picture(1, 16, 16, 1);
    assert_status(session_run(s, &in, 0, &err), PTQ_SHAPE);
    in.shape = shape4(1, 4, 16, 12); /* four channels */
    assert_status(session_run(s, &in, 1, &err), PTQ_SHAPE);
    in.shape = shape4(1, 3, 16, 16); /* and on with the right ones */
    assert_ok(session_run(s, &in, 1, &err));
    const char *unknown[] = {"no such tensor"};
    session_options o = {.threads = 1, .level = CPU_REF, .taps = unknown, .n_taps = 1};
    assert_status(session_create(g, &o, &none, &err), PTQ_USAGE);
    assert_null(none);
    session_destroy(s);
    session_destroy(NULL);
    free(in.data);
    graph_destroy(g);
}

static void count_tap(void *user, const tap_view *v)
{
    int *n = user;
    assert_true(v->channels_last || v->shape.rank != 4 || v->shape.dim[1] == 3);
    ++*n;
}

static void taps_see_inputs_and_results(void **state)
{
    (void)state;
    graph *g = small_net();
    const char *taps[] = {"act", "images", "c"};
    session *s = start(g, 0, taps, 3);
    int n = 0;
    session_set_tap(s, count_tap, &n);
    for (int64_t size = 16; size <= 32; size += 16) {
        tensor_view in = picture(2, size, size, 3);
        assert_ok(session_run(s, &in, 1, &err));
        free(in.data);
    }
    assert_int_equal(n, 6);
    session_destroy(s);
    graph_destroy(g);
}

typedef struct runner {
    session *s;
    tensor_view in;
    ptq_status status;
    pthread_t thread;
} runner;

static void *run_often(void *user)
{
    runner *r = user;
    ptq_error own;
    r->status = PTQ_OK;
    for (int i = 0; i < 5 && r->status == PTQ_OK; i++)
        r->status = session_run(r->s, &r->in, 1, &own);
    return NULL;
}

/* All prepare at once, some with the same weights for another size. */
static void sessions_beside_one_run_at_the_same_time(void **state)
{
    (void)state;
    enum { N = 4 };
    graph *g = small_net();
    session *first = start(g, 0, NULL, 0);
    graph_destroy(g);
    runner r[N];
    for (int i = 0; i < N; i++) {
        r[i].in = picture(1, i % 2 ? 48 : 16, 16, (uint64_t)i);
        assert_ok(session_create_beside(first, 1 + i / 2, &r[i].s, &err));
        assert_int_equal(pthread_create(&r[i].thread, NULL, run_often, &r[i]), 0);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(pthread_join(r[i].thread, NULL), 0);
    for (int i = 0; i < N; i++) {
        assert_ok(r[i].status);
        assert_ok(session_run(first, &r[i].in, 1, &err));
        tensor_view want = engine_output(session_engine(first), 0);
        tensor_view got = engine_output(session_engine(r[i].s), 0);
        size_t count = (size_t)(8 * 16 * r[i].in.shape.dim[2]);
        assert_memory_equal(got.data, want.data, count * sizeof(float));
        session_destroy(r[i].s);
        free(r[i].in.data);
    }
    session_destroy(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_come_and_go),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(taps_see_inputs_and_results),
        cmocka_unit_test(sessions_beside_one_run_at_the_same_time),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
