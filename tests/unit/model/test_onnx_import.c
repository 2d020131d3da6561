/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "onnx_build.h"

/* ---- real files; counts from the Python package onnx: nodes without Constant, elements of the
 * weights and biases of Conv, Gemm and MatMul ---- */

typedef struct real_file {
    const char *path;
    int n_nodes;
    int64_t n_parameters;
    int n_classes;
    bool has_qdq;
    const char *output;
} real_file;

static void check_real(const real_file *r)
{
    char path[512], text[128];
    model m = {0};
    assert_ok(onnx_import(test_shared(r->path, path), NULL, NULL, &m, &err));
    assert_int_equal(graph_n_nodes(m.graph), r->n_nodes);
    assert_int_equal(m.n_layers, r->n_nodes);
    assert_int_equal(m.n_parameters, r->n_parameters);
    assert_int_equal(m.n_classes, r->n_classes);
    assert_int_equal(m.has_qdq, r->has_qdq);
    assert_int_equal(m.stride, 32);
    assert_true(m.is_static);
    const shape *s = &graph_tensor(m.graph, graph_output(m.graph, 0))->shape;
    assert_string_equal(shape_text(s, text), r->output);
    assert_ok(graph_verify(m.graph, &err));
    drop(&m);
}

static void detectors_load(void **state)
{
    (void)state;
    check_real(
        &(real_file){"shapes/yolov7-shapes-grid640.onnx", 328, 2300053, 8, false, "[1,25200,13]"});
    check_real(
        &(real_file){"yolov5n/yolov5n-decoded.onnx", 236, 1867405, 80, false, "[1,25200,85]"});
    check_real(&(real_file){"qdq/yolov8n-640-qdq-ort.onnx", 607, 3151904, 80, true, "[1,84,8400]"});
    check_real(&(real_file){"yolox_nano/yolox_nano.onnx", 369, 904463, 80, false, "[1,3549,85]"});
}

static void small_files_load(void **state)
{
    (void)state;
    const real_file files[] = {
        {"qdq/ort-testdata/conv_qdq_external_ini.onnx", 7, 896, 0, true, "[1,32,26,26]"},
        {"qdq/ort-testdata/layout_transform_const_folding.qdq.onnx", 19, 12, 0, true, "[1,1,2,2]"},
        {"qdq/ort-testdata/mnist.onnx", 12, 5960, 0, false, "[1,10]"},
        {"qdq/ort-testdata/nhwc_resize_sizes_opset18.quant.onnx", 18, 0, 0, true, "[1,3,4,5]"},
        {"qdq/ort-testdata/qdq_with_multi_consumer_dq_nodes.onnx", 39, 123360, 0, true,
         "[1,32,56,56]"},
        {"qdq/ort-testdata/qdq_with_multi_consumer_q_dq_axis.onnx", 18, 3424, 0, true,
         "[16,8,5,5]"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        check_real(&files[i]);
}

static void layers_are_named_by_their_weights(void **state)
{
    (void)state;
    char path[512];
    model m = {0};
    assert_ok(
        onnx_import(test_shared("shapes/yolov7-shapes-grid640.onnx", path), NULL, NULL, &m, &err));
    assert_int_not_equal(graph_find_node(m.graph, "model.0.conv"), NODE_NONE);
    node_id head = graph_find_node(m.graph, "model.105.m.2");
    assert_int_not_equal(head, NODE_NONE);
    const node *n = graph_node(m.graph, head);
    assert_int_equal(n->op, GRAPH_OP_CONV);
    assert_string_equal(graph_tensor(m.graph, n->inputs[1])->name, "model.105.m.2.weight");
    assert_int_not_equal(graph_find_node(m.graph, "/model.105/Split_1"), NODE_NONE);
    drop(&m);

    assert_ok(onnx_import(test_shared("qdq/yolov8n-640-qdq-ort.onnx", path), NULL, NULL, &m, &err));
    assert_int_not_equal(graph_find_node(m.graph, "model.22.cv3.1.0.conv"), NODE_NONE);
    assert_string_equal(m.class_names[79], "toothbrush");
    assert_string_equal(m.metadata[0], "onnx.infer");
    drop(&m);
}

/* ---- small files of our own ---- */

static void a_small_file(void **state)
{
    (void)state;
    file f;
    model m;
    start_small(&f);
    Onnx__StringStringEntryProto *e = MAKE(&f, StringStringEntryProto, string_string_entry_proto);
    e->key = "names";
    e->value = "{0: 'a b', 1: \"it's\", 2: 'c\\'d'}";
    f.model.metadata_props = &e;
    f.model.n_metadata_props = 1;
    assert_ok(import(&f, &m));
    assert_int_equal(m.n_classes, 3);
    assert_string_equal(m.class_names[0], "a b");
    assert_string_equal(m.class_names[1], "it's");
    assert_string_equal(m.class_names[2], "c'd");
    assert_int_equal(m.n_parameters, 4 * 27 + 4);
    const node *n = graph_node(m.graph, 0);
    assert_string_equal(n->name, "model.0.conv");
    assert_int_equal(n->attr.conv.kernel[1], 3); /* from the weight: kernel_shape is absent */
    assert_int_equal(n->attr.conv.pad[3], 1);
    assert_int_equal(n->attr.conv.stride[0], 1);
    drop(&m);
    finish(&f);
}

static void nodes_out_of_order_are_sorted(void **state)
{
    (void)state;
    file f;
    model m;
    start(&f);
    input(&f, "x", IMAGE);
    op(&f, "Relu", "b", "output");
    op(&f, "Sigmoid", "x", "b");
    output(&f, "output");
    assert_ok(import(&f, &m));
    assert_int_equal(graph_node(m.graph, 0)->op, GRAPH_OP_SIGMOID);
    drop(&m);
    finish(&f);
}

/* Values of every kind of storage, each one element 3 (or true). */
static void every_storage_is_read(void **state)
{
    (void)state;
    const int one_byte[] = {2, 3, 9};
    file f;
    model m;
    start(&f);
    input(&f, "x", 1, (int64_t[]){1});
    Onnx__TensorProto *t = constant(&f, "f32", 1, 0, NULL);
    t->n_float_data = 1;
    t->float_data = (float[]){3};
    t = constant(&f, "f64", 11, 0, NULL);
    t->n_double_data = 1;
    t->double_data = (double[]){3};
    t = constant(&f, "f16", 10, 0, NULL);
    t->n_int32_data = 1;
    t->int32_data = (int32_t[]){0x4200};
    raw(&f, constant(&f, "bf16", 16, 0, NULL), (uint16_t[]){0x4040}, 2);
    t = constant(&f, "i64", 7, 0, NULL);
    t->n_int64_data = 1;
    t->int64_data = (int64_t[]){3};
    int32_t three = 3;
    for (int i = 0; i < 3; i++) {
        t = constant(&f, arena_printf(f.a, "b%d", i), one_byte[i], 0, NULL);
        t->n_int32_data = 1;
        t->int32_data = &three;
    }
    op(&f, "Sum", "x f32", "s0");
    op(&f, "Add", "s0 f64", "s1");
    op(&f, "Add", "s1 f16", "s2");
    op(&f, "Add", "s2 bf16", "s3");
    for (int i = 0; i < 3; i++)
        op(&f, "Identity", arena_printf(f.a, "b%d", i), arena_printf(f.a, "o%d", i));
    op(&f, "Identity", "i64", "o3");
    output(&f, "s3");
    assert_ok(import(&f, &m));
    const char *const as_float[] = {"f32", "f64", "f16", "bf16"};
    for (int i = 0; i < 4; i++) {
        const tensor *c = graph_tensor(m.graph, graph_find_tensor(m.graph, as_float[i]));
        assert_int_equal(c->type, DTYPE_F32);
        assert_true(*(const float *)blob_data(c->data) == 3.0f);
    }
    for (int i = 0; i < 3; i++) {
        const tensor *c =
            graph_tensor(m.graph, graph_find_tensor(m.graph, arena_printf(f.a, "b%d", i)));
        assert_int_equal(*(const uint8_t *)blob_data(c->data), i == 2 ? 1 : 3);
    }
    const tensor *c = graph_tensor(m.graph, graph_find_tensor(m.graph, "i64"));
    assert_int_equal(*(const int64_t *)blob_data(c->data), 3);
    drop(&m);
    finish(&f);
}

/* Spec algorithms.md §3: [1,-2,7,-8,3] is 0xE1 0x87 0x03. */
static void four_bit_codes_are_unpacked(void **state)
{
    (void)state;
    file f;
    model m;
    int32_t packed[3] = {0xe1, 0x87, 0x03};
    start(&f);
    input(&f, "x", 1, (int64_t[]){5});
    raw(&f, constant(&f, "raw", 22, 1, (int64_t[]){5}), (uint8_t[]){0xe1, 0x87, 0x03}, 3);
    Onnx__TensorProto *t = constant(&f, "typed", 22, 1, (int64_t[]){5});
    t->n_int32_data = 3;
    t->int32_data = packed;
    floats(&f, "scale", 0, NULL);
    op(&f, "DequantizeLinear", "raw scale", "a");
    op(&f, "DequantizeLinear", "typed scale", "b");
    op(&f, "Sum", "a b", "y");
    output(&f, "y");
    assert_ok(import(&f, &m));
    for (int i = 0; i < 2; i++) {
        const tensor *c = graph_tensor(m.graph, graph_find_tensor(m.graph, i ? "typed" : "raw"));
        assert_int_equal(c->type, DTYPE_I8);
        assert_memory_equal(blob_data(c->data), ((int8_t[]){1, -2, 7, -8, 3}), 5);
    }
    drop(&m);
    finish(&f);

    start(&f);
    input(&f, "x", 1, (int64_t[]){5});
    floats(&f, "scale", 0, NULL);
    raw(&f, constant(&f, "zero", 22, 0, NULL), (uint8_t[]){0}, 1);
    op(&f, "QuantizeLinear", "x scale zero", "y");
    output(&f, "y");
    assert_status(import(&f, &m), PTQ_UNSUPPORTED);
    drop(&m);
    finish(&f);
}

/* auto_pad SAME_UPPER, kernel 3, stride 2, 8 pixels: 4 outputs, total pad 1, at the end. */
static void auto_pad_becomes_pads(void **state)
{
    (void)state;
    file f;
    model m;
    Onnx__NodeProto *conv = start_small(&f);
    conv->n_attribute = 0;
    attr_text(&f, conv, "auto_pad", "SAME_UPPER");
    attr_ints(&f, conv, "strides", 2, (int64_t[]){2, 2});
    assert_ok(import(&f, &m));
    const node *n = graph_node(m.graph, 0);
    assert_int_equal(n->attr.conv.pad[0], 0);
    assert_int_equal(n->attr.conv.pad[2], 1);
    assert_int_equal(graph_tensor(m.graph, n->outputs[0])->shape.dim[2], 4);
    drop(&m);
    finish(&f);
}

/* Before opset 13, Softmax(axis 1) of [1,3,8,8] is over 3*8*8 values. */
static void old_softmax_is_flat(void **state)
{
    (void)state;
    file f;
    model m;
    start(&f);
    f.opset.version = 11;
    input(&f, "x", IMAGE);
    op(&f, "Softmax", "x", "y");
    op(&f, "Relu", "y", "z");
    output(&f, "z");
    assert_ok(import(&f, &m));
    const graph_op want[] = {GRAPH_OP_FLATTEN, GRAPH_OP_SOFTMAX, GRAPH_OP_RESHAPE, GRAPH_OP_RELU};
    assert_int_equal(graph_n_nodes(m.graph), 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(graph_node(m.graph, (node_id)i)->op, want[i]);
    char text[128];
    const shape *s = &graph_tensor(m.graph, graph_output(m.graph, 0))->shape;
    assert_string_equal(shape_text(s, text), "[1,3,8,8]");
    drop(&m);
    finish(&f);
}

static void old_attributes_become_parameters(void **state)
{
    (void)state;
    file f;
    model m;
    char text[128];
    start(&f);
    f.opset.version = 9;
    input(&f, "x", IMAGE);
    Onnx__NodeProto *slice = op(&f, "Slice", "x", "a");
    attr_ints(&f, slice, "starts", 2, (int64_t[]){1, -2});
    attr_ints(&f, slice, "ends", 2, (int64_t[]){3, INT64_MAX});
    attr_ints(&f, slice, "axes", 2, (int64_t[]){1, 3});
    attr_ints(&f, op(&f, "Unsqueeze", "a", "b"), "axes", 1, (int64_t[]){0});
    attr_ints(&f, op(&f, "Split", "b", "c d"), "split", 2, (int64_t[]){1, 0});
    op(&f, "Transpose", "c", "e");
    output(&f, "e");
    assert_ok(import(&f, &m));
    const shape *s = &graph_tensor(m.graph, graph_output(m.graph, 0))->shape;
    assert_string_equal(shape_text(s, text), "[2,8,2,1,1]");
    drop(&m);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detectors_load),
        cmocka_unit_test(small_files_load),
        cmocka_unit_test(layers_are_named_by_their_weights),
        cmocka_unit_test(a_small_file),
        cmocka_unit_test(nodes_out_of_order_are_sorted),
        cmocka_unit_test(every_storage_is_read),
        cmocka_unit_test(four_bit_codes_are_unpacked),
        cmocka_unit_test(auto_pad_becomes_pads),
        cmocka_unit_test(old_softmax_is_flat),
        cmocka_unit_test(old_attributes_become_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
