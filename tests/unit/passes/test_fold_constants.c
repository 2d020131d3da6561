/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"

#include "passes/passes.h"

static ptq_error err;

static tensor_id longs(graph *g, const char *name, int rank, int64_t n, const int64_t *values)
{
    tensor_id id;
    shape s = {.rank = rank, .dim = {n}};
    assert_ok(graph_add_const_copy(g, name, DTYPE_I64, &s, values, &id, &err));
    return id;
}

static tensor_id floats(graph *g, const char *name, int rows, int columns, const float *values)
{
    shape s = {.rank = 2, .dim = {rows, columns}};
    return make_const(g, name, &s, values);
}

static tensor_id op2(graph *g, graph_op op, const char *name, tensor_id a, tensor_id b, int axis)
{
    op_attr attr = {.axis = {.axis = axis}};
    return make_op(g, op, name, 2, (tensor_id[]){a, b}, &attr);
}

static graph *start(void)
{
    graph *g;
    assert_ok(graph_create(&g, &err));
    return g;
}

/* What an expression of constants is worth: made an output and folded. */
static const tensor *folded(graph *g, tensor_id id, const char *want_shape)
{
    char text[128];
    assert_ok(graph_add_output(g, id, &err));
    assert_ok(pass_fold_constants(g, &err));
    assert_ok(graph_verify(g, &err));
    const tensor *t = graph_tensor(g, id);
    assert_non_null(t->data);
    assert_string_equal(shape_text(&t->shape, text), want_shape);
    return t;
}

static void is_floats(graph *g, tensor_id id, const char *want_shape, const float *want)
{
    const tensor *t = folded(g, id, want_shape);
    size_t n;
    assert_int_equal(t->type, DTYPE_F32);
    assert_true(shape_count(&t->shape, &n));
    assert_memory_equal(blob_data(t->data), want, n * sizeof *want);
    graph_destroy(g);
}

static void is_longs(graph *g, tensor_id id, const char *want_shape, const int64_t *want)
{
    const tensor *t = folded(g, id, want_shape);
    size_t n;
    assert_int_equal(t->type, DTYPE_I64);
    assert_true(shape_count(&t->shape, &n));
    assert_memory_equal(blob_data(t->data), want, n * sizeof *want);
    graph_destroy(g);
}

/* What torch writes for x.view(x.shape[0], 2, 3, -1): Shape, Gather, Unsqueeze, Concat, Reshape. */
static graph *view_graph(tensor_id x, graph *g)
{
    tensor_id s = make_unary(g, GRAPH_OP_SHAPE, "shape", x);
    tensor_id batch =
        op2(g, GRAPH_OP_GATHER, "gather", s, longs(g, "zero", 0, 0, (int64_t[]){0}), 0);
    tensor_id axes = longs(g, "axes", 1, 1, (int64_t[]){0});
    tensor_id first = op2(g, GRAPH_OP_UNSQUEEZE, "unsqueeze", batch, axes, 0);
    tensor_id rest = longs(g, "rest", 1, 3, (int64_t[]){2, 3, -1});
    tensor_id target = op2(g, GRAPH_OP_CONCAT, "concat", first, rest, 0);
    tensor_id y = op2(g, GRAPH_OP_RESHAPE, "view", x, target, 0);
    assert_ok(graph_add_output(g, y, &err));
    return g;
}

static void shape_arithmetic_disappears(void **state)
{
    (void)state;
    graph *g = start();
    shape in = shape4(5, 6, 4, 4), want = shape4(5, 2, 3, 16);
    tensor_id x = make_input(g, 6);
    view_graph(x, g);
    graph_tensor(g, x)->shape = in;
    graph_tensor(g, x)->is_dynamic = false;
    assert_ok(pass_fold_constants(g, &err));
    assert_ok(graph_verify(g, &err));
    assert_int_equal(graph_n_nodes(g), 1);
    const node *n = expect_node(g, "view", GRAPH_OP_RESHAPE);
    assert_true(graph_is_const(g, n->inputs[1]));
    assert_true(shape_equal(&graph_tensor(g, n->outputs[0])->shape, &want));
    graph_destroy(g);
}

static void a_dynamic_input_is_fixed_first(void **state)
{
    (void)state;
    graph *g = start();
    view_graph(make_input(g, 6), g);
    assert_ok(pass_fold_constants(g, &err));
    assert_int_equal(count_ops(g, GRAPH_OP_SHAPE), 1);
    shape in = shape4(1, 6, 2, 4), want = shape4(1, 2, 3, 8), other = shape4(1, 6, 4, 4);
    assert_ok(pass_fix_input_shape(g, &in, &err));
    assert_int_equal(graph_n_nodes(g), 1);
    assert_true(shape_equal(&graph_tensor(g, graph_output(g, 0))->shape, &want));
    assert_status(pass_fix_input_shape(g, &other, &err), PTQ_SHAPE);
    graph_destroy(g);
}

/* Expected values: numpy. */
static void values_move_as_in_numpy(void **state)
{
    (void)state;
    static const float ramp[6] = {0, 1, 2, 3, 4, 5};
    graph *g = start();
    op_attr perm = {.perm = {.rank = 2, .perm = {1, 0}}};
    tensor_id a = floats(g, "a", 2, 3, ramp);
    is_floats(g, make_op(g, GRAPH_OP_TRANSPOSE, "t", 1, &a, &perm), "[3,2]",
              (float[]){0, 3, 1, 4, 2, 5});

    g = start();
    a = floats(g, "a", 2, 3, ramp); /* a[:, ::-2] */
    tensor_id bounds[5] = {a, longs(g, "starts", 1, 1, (int64_t[]){-1}),
                           longs(g, "ends", 1, 1, (int64_t[]){INT64_MIN}),
                           longs(g, "axes", 1, 1, (int64_t[]){-1}),
                           longs(g, "steps", 1, 1, (int64_t[]){-2})};
    is_floats(g, make_op(g, GRAPH_OP_SLICE, "s", 5, bounds, NULL), "[2,2]", (float[]){2, 0, 5, 3});

    g = start();
    a = floats(g, "a", 2, 3, ramp);
    tensor_id at = longs(g, "at", 1, 2, (int64_t[]){-1, 0});
    is_floats(g, op2(g, GRAPH_OP_GATHER, "g", a, at, 1), "[2,2]", (float[]){2, 0, 5, 3});

    g = start();
    a = floats(g, "a", 2, 3, ramp);
    is_floats(g, op2(g, GRAPH_OP_CONCAT, "c", a, a, 1), "[2,6]",
              (float[]){0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5});

    g = start();
    a = floats(g, "a", 1, 3, ramp);
    tensor_id to = longs(g, "to", 1, 3, (int64_t[]){2, 2, 1});
    is_floats(g, op2(g, GRAPH_OP_EXPAND, "e", a, to, 0), "[2,2,3]",
              (float[]){0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2});
}

static void split_gives_every_part(void **state)
{
    (void)state;
    graph *g = start();
    shape unknown = {.rank = 1, .dim = {-1}};
    tensor_id in[2] = {floats(g, "a", 2, 3, (float[]){0, 1, 2, 3, 4, 5}),
                       longs(g, "parts", 1, 2, (int64_t[]){1, 2})};
    tensor_id out[2];
    assert_ok(graph_add_tensor(g, "p", DTYPE_F32, &unknown, &out[0], &err));
    assert_ok(graph_add_tensor(g, "q", DTYPE_F32, &unknown, &out[1], &err));
    node split = {.name = "split", .op = GRAPH_OP_SPLIT, .n_inputs = 2, .n_outputs = 2};
    split.inputs = in;
    split.outputs = out;
    split.attr.axis.axis = -1;
    assert_ok(graph_add_node(g, &split, NULL, &err));
    assert_ok(graph_add_output(g, out[0], &err));
    is_floats(g, out[1], "[2,2]", (float[]){1, 2, 4, 5});
}

/* The grid of a decode as torch writes it: (Range -> Cast) - 0.5, times the stride. */
static void grids_are_computed(void **state)
{
    (void)state;
    graph *g = start();
    tensor_id r[3] = {longs(g, "start", 0, 0, (int64_t[]){0}),
                      longs(g, "limit", 0, 0, (int64_t[]){4}),
                      longs(g, "delta", 0, 0, (int64_t[]){1})};
    tensor_id steps = make_op(g, GRAPH_OP_RANGE, "range", 3, r, NULL);
    op_attr to_float = {.cast = {DTYPE_F32}};
    tensor_id cast = make_op(g, GRAPH_OP_CAST, "cast", 1, &steps, &to_float);
    tensor_id moved =
        op2(g, GRAPH_OP_SUB, "sub", cast, floats(g, "half", 1, 1, (float[]){0.5f}), 0);
    tensor_id y = op2(g, GRAPH_OP_MUL, "mul", moved, floats(g, "s", 2, 1, (float[]){8, 0.1f}), 0);
    is_floats(g, y, "[2,4]", /* numpy float32 */
              (float[]){-4, 4, 12, 20, -0.05f, 0.05f, 0.15f, 0.25f});
}

/* ONNX: integer division cuts towards zero, Pow keeps the base's type. */
static void integers_stay_integers(void **state)
{
    (void)state;
    graph *g = start();
    tensor_id a = longs(g, "a", 1, 3, (int64_t[]){7, -7, INT64_MIN});
    tensor_id b = longs(g, "b", 1, 3, (int64_t[]){2, 2, -1});
    is_longs(g, op2(g, GRAPH_OP_DIV, "d", a, b, 0), "[3]", (int64_t[]){3, -3, INT64_MIN});

    g = start();
    a = longs(g, "a", 1, 2, (int64_t[]){3, -2});
    b = longs(g, "b", 1, 1, (int64_t[]){3});
    is_longs(g, op2(g, GRAPH_OP_POW, "p", a, b, 0), "[2]", (int64_t[]){27, -8});

    g = start();
    tensor_id f = floats(g, "f", 1, 4, (float[]){-1.9f, 1.9f, NAN, 1e30f});
    op_attr to_long = {.cast = {DTYPE_I64}};
    is_longs(g, make_op(g, GRAPH_OP_CAST, "c", 1, &f, &to_long), "[1,4]",
             (int64_t[]){-1, 1, 0, INT64_MAX});

    g = start();
    tensor_id n = longs(g, "n", 1, 2, (int64_t[]){2, 1});
    op_attr fill = {.fill = {.value = -3, .type = DTYPE_I64}};
    is_longs(g, make_op(g, GRAPH_OP_CONSTANT_OF_SHAPE, "k", 1, &n, &fill), "[2,1]",
             (int64_t[]){-3, -3});
}

static void some_things_are_left_alone(void **state)
{
    (void)state;
    graph *g = start(); /* a quantized constant */
    tensor_id w = floats(g, "w", 1, 2, (float[]){1, 2});
    tensor_id y = make_qdq(g, "w", w, 0.5f, DTYPE_I8, 0);
    assert_ok(graph_add_output(g, y, &err));
    assert_ok(pass_fold_constants(g, &err));
    assert_int_equal(graph_n_nodes(g), 2);
    graph_destroy(g);

    g = start(); /* division by zero */
    tensor_id a = longs(g, "a", 1, 1, (int64_t[]){7}), b = longs(g, "b", 1, 1, (int64_t[]){0});
    assert_ok(graph_add_output(g, op2(g, GRAPH_OP_DIV, "d", a, b, 0), &err));
    assert_ok(pass_fold_constants(g, &err));
    assert_int_equal(graph_n_nodes(g), 1);
    graph_destroy(g);

    g = start(); /* a gigabyte of ones */
    tensor_id one = floats(g, "one", 1, 1, (float[]){1});
    tensor_id to = longs(g, "to", 1, 2, (int64_t[]){1 << 14, 1 << 14});
    assert_ok(graph_add_output(g, op2(g, GRAPH_OP_EXPAND, "e", one, to, 0), &err));
    assert_ok(pass_fold_constants(g, &err));
    assert_int_equal(graph_n_nodes(g), 1);
    graph_destroy(g);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    graph *g = start();
    tensor_id a = floats(g, "a", 2, 3, (float[]){0, 1, 2, 3, 4, 5});
    tensor_id at = longs(g, "at", 1, 1, (int64_t[]){3});
    assert_ok(graph_add_output(g, op2(g, GRAPH_OP_GATHER, "g", a, at, 1), &err));
    assert_status(pass_fold_constants(g, &err), PTQ_FORMAT);
    assert_non_null(strstr(err.message, "element 3 of 3"));
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_arithmetic_disappears),
        cmocka_unit_test(a_dynamic_input_is_fixed_first),
        cmocka_unit_test(values_move_as_in_numpy),
        cmocka_unit_test(split_gives_every_part),
        cmocka_unit_test(grids_are_computed),
        cmocka_unit_test(integers_stay_integers),
        cmocka_unit_test(some_things_are_left_alone),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
