/* SPDX-License-Identifier: Apache-2.0 */
/* Float16 files: what is written in which type, and that reading it back gives the graph again. */
#include "graph_eval.h"
#include "test_plan.h"

#include "base/file.h"
#include "base/half.h"
#include "base/mem.h"
#include "formats/onnx.pb-c.h"
#include "model/model.h"
#include "passes/passes.h"

static ptq_error err;

typedef struct onnx_text {
    char *bytes;
    Onnx__ModelProto *model;
} onnx_text;

static onnx_text open_file(const char *path)
{
    onnx_text t;
    size_t n;
    assert_ok(file_read(path, 0, &t.bytes, &n, &err));
    t.model = onnx__model_proto__unpack(NULL, n, (const uint8_t *)t.bytes);
    assert_non_null(t.model);
    return t;
}

static void close_file(onnx_text *t)
{
    onnx__model_proto__free_unpacked(t->model, NULL);
    mem_free(t->bytes);
}

static int type_of_constant(const onnx_text *t, const char *name)
{
    for (size_t i = 0; i < t->model->graph->n_initializer; i++)
        if (strcmp(t->model->graph->initializer[i]->name, name) == 0)
            return t->model->graph->initializer[i]->data_type;
    fail_msg("no constant '%s'", name);
    return 0;
}

/* "images>images_f16 ...": every Cast. */
static void assert_casts(const onnx_text *t, const char *want)
{
    char text[512] = "";
    for (size_t i = 0; i < t->model->graph->n_node; i++) {
        const Onnx__NodeProto *n = t->model->graph->node[i];
        if (strcmp(n->op_type, "Cast") == 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s>%s", *text ? " " : "",
                     n->input[0], n->output[0]);
    }
    assert_string_equal(text, want);
}

enum { FLOAT = 1, HALF = 10, INT8 = 3 };

/* images -> a -> silu -> clip -> b -> sigmoid -> mul(gain) -> "out"; what clip makes is "side". */
static graph *network(void)
{
    graph *g;
    test_rng rng = {5};
    const shape scalar = {.rank = 0};
    assert_ok(graph_create(&g, &err));
    tensor_id x = make_input(g, 2);
    make_conv_desc a = {
        .name = "a", .x = x, .c_in = 2, .c_out = 2, .kernel = 3, .random_bias = true, .rng = &rng};
    tensor_id y = make_unary(g, GRAPH_OP_SILU, "silu", make_conv(g, &a));
    op_attr clip = {.clip = {.min = -0.25f, .max = 1.1f}};
    tensor_id side = make_op(g, GRAPH_OP_CLIP, "side", 1, &y, &clip);
    make_conv_desc b = {.name = "b", .x = side, .c_in = 2, .c_out = 1, .rng = &rng};
    y = make_unary(g, GRAPH_OP_SIGMOID, "sigmoid", make_conv(g, &b));
    tensor_id gain = make_const(g, "gain", &scalar, &(float){0.1f});
    y = make_binary(g, GRAPH_OP_MUL, "out", y, gain);
    assert_ok(graph_add_output(g, side, &err));
    make_done(g, y);
    return g;
}

static void quantize(graph *g)
{
    test_plan p = {0};
    float amax[2] = {127 * 0x1p-9f, 127 * 0x1p-8f};
    plan_layer(&p, "a", 127 * 0x1p-7f, 0, 2, amax);
    assert_ok(pass_insert_qdq(g, &p.plan, &err));
    assert_ok(pass_round_half(g, &err));
}

static void types_and_casts(void **state)
{
    (void)state;
    char dir[512], path[600];
    test_temp_dir(dir);
    snprintf(path, sizeof path, "%s/half.onnx", dir);
    graph *g = network();
    quantize(g);
    onnx_export_options o = {.opset = 19, .image_size = 8, .batch = 1, .half = true};
    assert_ok(onnx_export(g, path, &o, NULL, &err));
    onnx_text t = open_file(path);
    assert_int_equal(t.model->ir_version, 9);
    assert_casts(&t, "images>images_f16 b>b_f32 side_f16>side");
    assert_int_equal(type_of_constant(&t, "a.weight"), INT8);
    assert_int_equal(type_of_constant(&t, "a.weight_scale"), HALF);
    assert_int_equal(type_of_constant(&t, "a.input_scale"), HALF);
    assert_int_equal(type_of_constant(&t, "a.bias"), HALF);
    assert_int_equal(type_of_constant(&t, "b.weight"), HALF);
    assert_int_equal(type_of_constant(&t, "side/max"), HALF);
    assert_int_equal(type_of_constant(&t, "gain"), FLOAT);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(t.model->graph->output[i]->type->tensor_type->elem_type, FLOAT);
    assert_int_equal(t.model->graph->input[0]->type->tensor_type->elem_type, FLOAT);
    close_file(&t);
    o.opset = 18;
    assert_status(onnx_export(g, path, &o, NULL, &err), PTQ_UNSUPPORTED);
    assert_non_null(strstr(err.message, "opset 19"));
    graph_destroy(g);
    test_temp_remove(dir);
}

/* Casts are gone after cleaning, constants are what the graph says, bytes are the same. */
static void reading_back_gives_the_graph(void **state)
{
    (void)state;
    char dir[512], first[600], second[600];
    test_temp_dir(dir);
    snprintf(first, sizeof first, "%s/first.onnx", dir);
    snprintf(second, sizeof second, "%s/second.onnx", dir);
    graph *g = network();
    quantize(g);
    onnx_export_options o = {.opset = 19, .image_size = 8, .batch = 1, .half = true};
    assert_ok(onnx_export(g, first, &o, NULL, &err));
    model *m;
    assert_ok(model_load(first, NULL, NULL, &m, &err));
    assert_true(m->is_half);
    assert_ok(passes_clean(m->graph, &err));
    assert_int_equal(graph_n_nodes(m->graph), graph_n_nodes(g));
    assert_int_equal(count_ops(m->graph, GRAPH_OP_CAST), 0);
    const float *want = expect_floats(g, "b.weight", 2),
                *got = expect_floats(m->graph, "b.weight", 2);
    assert_memory_equal(want, got, 2 * sizeof *want);
    assert_true(
        expect_node(m->graph, "a.input_quantize", GRAPH_OP_QUANTIZE_LINEAR)->attr.axis.from_half);
    assert_ok(onnx_export(m->graph, second, &o, NULL, &err));
    char *a, *b;
    size_t n_a, n_b;
    assert_ok(file_read(first, 0, &a, &n_a, &err));
    assert_ok(file_read(second, 0, &b, &n_b, &err));
    assert_int_equal(n_a, n_b);
    assert_memory_equal(a, b, n_a);
    mem_free(a);
    mem_free(b);
    model_destroy(m);
    graph_destroy(g);
    test_temp_remove(dir);
}

static void what_float16_cannot_hold_is_refused(void **state)
{
    (void)state;
    char dir[512], path[600];
    test_temp_dir(dir);
    snprintf(path, sizeof path, "%s/half.onnx", dir);
    graph *g = network();
    ((float *)blob_data(graph_tensor(g, graph_find_tensor(g, "a.bias"))->data))[0] = 70000;
    onnx_export_options o = {.opset = 13, .image_size = 8, .batch = 1, .half = true};
    assert_status(onnx_export(g, path, &o, NULL, &err), PTQ_UNSUPPORTED);
    assert_non_null(strstr(err.message, "'a.bias'"));
    assert_false(file_exists(path));
    graph_destroy(g);
    test_temp_remove(dir);
}

/* Everything but the tail: values become those of float16 (0.1 is 0.0999755859375 there). */
static void constants_are_rounded_up_to_the_tail(void **state)
{
    (void)state;
    graph *g = network();
    float *bias = blob_data(graph_tensor(g, graph_find_tensor(g, "a.bias"))->data);
    bias[1] = 0.1f;
    assert_ok(pass_round_half(g, &err));
    assert_true(expect_floats(g, "a.bias", 2)[1] == 0.0999755859375f);
    assert_true(expect_floats(g, "gain", 1)[0] == 0.1f);
    graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_and_casts),
        cmocka_unit_test(reading_back_gives_the_graph),
        cmocka_unit_test(what_float16_cannot_hold_is_refused),
        cmocka_unit_test(constants_are_rounded_up_to_the_tail),
    };
    return cmocka_run_group_tests_name("onnx_export_half", tests, NULL, NULL);
}
