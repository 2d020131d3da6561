/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "eval/evaluate.h"

enum { HEIGHT = 7, WIDTH = 4, VALUES = 3 * HEIGHT * WIDTH, ROWS = VALUES / 7 };

/* A "network" that hands its images on as rows of two classes: [n,3,7,4] -> [n,12,7]. */
static session *make_session(int64_t n, int64_t columns)
{
    ptq_error err;
    graph *g;
    tensor_id in[2], out;
    shape s = shape4(n, 3, n < 0 ? -1 : HEIGHT, n < 0 ? -1 : WIDTH);
    const int64_t three = 3, target[] = {0, -1, columns};
    shape three_values = shape_make(1, &three);
    assert_ok(graph_create(&g, &err));
    assert_ok(graph_add_tensor(g, "images", DTYPE_F32, &s, &in[0], &err));
    assert_ok(graph_add_input(g, in[0], &err));
    assert_ok(graph_add_const_copy(g, "shape", DTYPE_I64, &three_values, target, &in[1], &err));
    assert_ok(graph_add_op(g, GRAPH_OP_RESHAPE, "rows", 2, in, NULL, "output", &out, &err));
    assert_ok(graph_add_output(g, out, &err));
    assert_ok(graph_tidy(g, &err));
    session *made;
    assert_ok(session_create(g, &(session_options){.threads = 1}, &made, &err));
    graph_destroy(g);
    return made;
}

static batch make_batch(int n, float *images)
{
    for (int i = 0; i < n * VALUES; i++)
        images[i] = (float)i;
    return (batch){.n = n, .height = HEIGHT, .width = WIDTH, .images = images};
}

static void check(int64_t fixed, int n)
{
    ptq_error err;
    float images[5 * VALUES];
    batch b = make_batch(n, images);
    session *s = make_session(fixed, 7);
    session_predictor *p;
    predictions out;
    assert_ok(session_predictor_create(s, &p, &err));
    for (int again = 0; again < 2; again++) {
        assert_ok(session_predict(p, &b, &out, &err));
        assert_int_equal(out.n_rows, ROWS);
        assert_int_equal(out.n_classes, 2);
        assert_memory_equal(out.rows, images, (size_t)(n * VALUES) * sizeof(float));
    }
    session_predictor_destroy(p);
    session_destroy(s);
}

static void any_batch_runs_on_any_graph(void **state)
{
    (void)state;
    check(-1, 3); /* dynamic: as it is */
    check(3, 3);
    check(1, 3); /* image by image */
    check(2, 5); /* 2 + 2 + 1 and a zero image */
    check(4, 1);
}

static void other_outputs_are_refused(void **state)
{
    (void)state;
    ptq_error err;
    float images[VALUES];
    batch b = make_batch(1, images);
    session *s = make_session(1, 4); /* no room for a class */
    session_predictor *p;
    predictions out;
    assert_ok(session_predictor_create(s, &p, &err));
    assert_status(session_predict(p, &b, &out, &err), PTQ_UNSUPPORTED);
    b.width = 3;
    assert_status(session_predict(p, &b, &out, &err), PTQ_SHAPE);
    session_predictor_destroy(p);
    session_destroy(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_batch_runs_on_any_graph),
        cmocka_unit_test(other_outputs_are_refused),
    };
    return cmocka_run_group_tests_name("session_predict", tests, NULL, NULL);
}
