/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "graph/graph.h"

typedef struct fixture {
    graph *g;
    tensor_id x;
    node_id id;
} fixture;

/* A graph whose input is [1,4,6,8], and one node over it and constants. */
static void setup(fixture *f)
{
    ptq_error err;
    shape s = shape4(1, 4, 6, 8);
    assert_ok(graph_create(&f->g, &err));
    assert_ok(graph_add_tensor(f->g, "x", DTYPE_F32, &s, &f->x, &err));
    assert_ok(graph_add_input(f->g, f->x, &err));
}

static tensor_id floats(graph *g, const char *name, int n, const float *values)
{
    ptq_error err;
    tensor_id t;
    shape s = shape_make(n != 1, (int64_t[]){n});
    assert_ok(graph_add_const_copy(g, name, DTYPE_F32, &s, values, &t, &err));
    return t;
}

static tensor_id ints(graph *g, const char *name, int n, const int64_t *values)
{
    ptq_error err;
    tensor_id t;
    shape s = shape_make(1, (int64_t[]){n});
    assert_ok(graph_add_const_copy(g, name, DTYPE_I64, &s, values, &t, &err));
    return t;
}

static const node *add(fixture *f, node desc, int n_inputs, tensor_id *inputs)
{
    ptq_error err;
    tensor_id outputs[2];
    shape unknown = shape_make(1, (int64_t[]){-1});
    desc.name = "n";
    desc.inputs = inputs;
    desc.n_inputs = n_inputs;
    desc.outputs = outputs;
    for (int i = 0; i < desc.n_outputs; i++) {
        const char *name = graph_unique_name(f->g, "y");
        assert_ok(graph_add_tensor(f->g, name, DTYPE_F32, &unknown, &outputs[i], &err));
    }
    assert_ok(graph_add_node(f->g, &desc, &f->id, &err));
    return graph_node_const(f->g, f->id);
}

static void clip_takes_its_bounds(void **state)
{
    (void)state;
    ptq_error err;
    fixture f;
    setup(&f);
    tensor_id in[3] = {f.x, TENSOR_NONE, floats(f.g, "six", 1, (float[]){6})};
    node desc = {
        .op = GRAPH_OP_CLIP, .n_outputs = 1, .attr.clip = {.min = -INFINITY, .max = INFINITY}};
    const node *n = add(&f, desc, 3, in);
    assert_ok(node_absorb_constants(f.g, f.id, &err));
    assert_int_equal(n->n_inputs, 1);
    assert_true(isinf(n->attr.clip.min));
    assert_true(n->attr.clip.max == 6.0f);
    graph_destroy(f.g);
}

static void resize_takes_scales_or_sizes(void **state)
{
    (void)state;
    ptq_error err;
    fixture f;
    setup(&f);
    tensor_id in[4] = {f.x, TENSOR_NONE, floats(f.g, "s", 4, (float[]){1, 1, 2, 3}), TENSOR_NONE};
    const node *n = add(&f, (node){.op = GRAPH_OP_RESIZE, .n_outputs = 1}, 3, in);
    assert_ok(node_absorb_constants(f.g, f.id, &err));
    assert_int_equal(n->n_inputs, 1);
    assert_true(n->attr.resize.scale[0] == 2 && n->attr.resize.scale[1] == 3);
    assert_ok(node_infer(f.g, f.id, &err));
    shape want = shape4(1, 4, 12, 24);
    assert_true(shape_equal(&graph_tensor(f.g, n->outputs[0])->shape, &want));

    in[2] = floats(f.g, "none", 0, NULL);
    in[3] = ints(f.g, "sizes", 4, (int64_t[]){1, 4, 3, 5});
    n = add(&f, (node){.op = GRAPH_OP_RESIZE, .n_outputs = 1}, 4, in);
    assert_ok(node_absorb_constants(f.g, f.id, &err));
    assert_ok(node_infer(f.g, f.id, &err));
    want = shape4(1, 4, 3, 5);
    assert_true(shape_equal(&graph_tensor(f.g, n->outputs[0])->shape, &want));

    in[3] = ints(f.g, "channels", 4, (int64_t[]){1, 8, 3, 5});
    add(&f, (node){.op = GRAPH_OP_RESIZE, .n_outputs = 1}, 4, in);
    assert_status(node_absorb_constants(f.g, f.id, &err), PTQ_UNSUPPORTED);
    in[3] = ints(f.g, "zero", 2, (int64_t[]){0, 5});
    add(&f, (node){.op = GRAPH_OP_RESIZE, .n_outputs = 1}, 4, in);
    assert_status(node_absorb_constants(f.g, f.id, &err), PTQ_FORMAT);
    graph_destroy(f.g);
}

static void split_and_squeeze_take_their_lists(void **state)
{
    (void)state;
    ptq_error err;
    fixture f;
    setup(&f);
    tensor_id in[2] = {f.x, ints(f.g, "parts", 2, (int64_t[]){1, 3})};
    node desc = {.op = GRAPH_OP_SPLIT, .n_outputs = 2, .attr.axis.axis = 1};
    const node *n = add(&f, desc, 2, in);
    assert_ok(node_absorb_constants(f.g, f.id, &err));
    assert_int_equal(n->n_inputs, 1);
    assert_int_equal(n->attr.axis.n_splits, 2);
    assert_ok(node_infer(f.g, f.id, &err));
    assert_int_equal(graph_tensor(f.g, n->outputs[1])->shape.dim[1], 3);

    in[1] = ints(f.g, "axes", 2, (int64_t[]){0, -1});
    n = add(&f, (node){.op = GRAPH_OP_UNSQUEEZE, .n_outputs = 1}, 2, in);
    assert_ok(node_absorb_constants(f.g, f.id, &err));
    assert_int_equal(n->attr.perm.rank, 2);
    assert_int_equal(n->attr.perm.perm[1], -1);
    in[1] = ints(f.g, "far", 1, (int64_t[]){INT64_MAX});
    add(&f, (node){.op = GRAPH_OP_SQUEEZE, .n_outputs = 1}, 2, in);
    assert_status(node_absorb_constants(f.g, f.id, &err), PTQ_SHAPE);
    graph_destroy(f.g);
}

static void what_is_computed_stays_an_input(void **state)
{
    (void)state;
    ptq_error err;
    fixture f;
    setup(&f);
    tensor_id in[2] = {f.x, f.x};
    const node *n = add(&f, (node){.op = GRAPH_OP_UNSQUEEZE, .n_outputs = 1}, 2, in);
    assert_ok(node_absorb_constants(f.g, f.id, &err));
    assert_int_equal(n->n_inputs, 2);
    graph_destroy(f.g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clip_takes_its_bounds),
        cmocka_unit_test(resize_takes_scales_or_sizes),
        cmocka_unit_test(split_and_squeeze_take_their_lists),
        cmocka_unit_test(what_is_computed_stays_an_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
