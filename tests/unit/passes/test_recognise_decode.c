/* SPDX-License-Identifier: Apache-2.0 */
/* On the official `--grid` export of a YOLOv7: what its head computes is known from the checkpoint
 * it was made of (strides 8, 16, 32; the anchors of yolov7.yaml). */
#include "test.h"

#include "model/model.h"
#include "passes/passes.h"

static ptq_error err;

static model *load(void)
{
    char path[512];
    model *m;
    assert_ok(
        model_load(test_shared("shapes/yolov7-shapes-grid640.onnx", path), NULL, NULL, &m, &err));
    assert_ok(pass_fold_constants(m->graph, &err));
    return m;
}

static int count_decodes(const graph *g)
{
    int n = 0;
    for (int i = 0; i < graph_n_nodes(g); i++)
        n += graph_node_const(g, (node_id)i)->op == GRAPH_OP_YOLO_DECODE;
    return n;
}

/* Transposes of four dimensions: the usual decode has those of five. */
static int count_turned_pixels(const graph *g)
{
    int count = 0;
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        count += n->op == GRAPH_OP_TRANSPOSE && n->attr.perm.rank == 4;
    }
    return count;
}

static void assert_recognised(graph *g, bool pixels_first)
{
    static const float strides[3] = {8, 16, 32};
    static const float first_anchors[3][2] = {{12, 16}, {36, 75}, {142, 110}};
    assert_ok(pass_recognise_decode(g, &err));
    assert_ok(graph_verify(g, &err));
    assert_int_equal(count_decodes(g), 3);
    int level = 0;
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        assert_true(n->op != GRAPH_OP_SPLIT && n->op != GRAPH_OP_POW);
        if (n->op != GRAPH_OP_YOLO_DECODE)
            continue;
        const tensor *a = graph_tensor_const(g, n->inputs[1]);
        const float *anchors = blob_data(a->data);
        assert_float_equal(n->attr.decode.stride, strides[level], 0);
        assert_int_equal(n->attr.decode.n_values, 13);
        assert_int_equal(n->attr.decode.pixels_first, pixels_first);
        assert_float_equal(anchors[0], first_anchors[level][0], 1e-4);
        assert_float_equal(anchors[1], first_anchors[level][1], 1e-4);
        level++;
    }
}

static void a_spelled_out_head_is_recognised(void **state)
{
    (void)state;
    model *m = load();
    assert_recognised(m->graph, false);
    model_destroy(m);
}

static void a_head_with_pixels_first_is_recognised(void **state)
{
    (void)state;
    char dir[512], path[600];
    snprintf(path, sizeof path, "%s/pixels.onnx", test_temp_dir(dir));
    model *m = load(), *again;
    assert_recognised(m->graph, false);
    onnx_export_options o = {.opset = 13, .image_size = 640, .batch = 1};
    pass_decode_pixels_first(m->graph);
    assert_ok(onnx_export(m->graph, path, &o, NULL, &err));
    model_destroy(m);
    assert_ok(model_load(path, NULL, NULL, &again, &err));
    assert_ok(pass_fold_constants(again->graph, &err));
    assert_int_equal(count_turned_pixels(again->graph), 12); /* products and decodes, three each */
    assert_ok(pass_recognise_products(again->graph, &err));
    assert_int_equal(count_turned_pixels(again->graph), 6); /* at both ends of the decodes */
    assert_recognised(again->graph, true);
    model_destroy(again);
    test_temp_remove(dir);
}

/* A head that adds another grid is no YOLO decode and must stay what it is. */
static void another_grid_is_left_alone(void **state)
{
    (void)state;
    model *m = load();
    graph *g = m->graph;
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        for (int j = 0; n->op == GRAPH_OP_ADD && j < 2; j++) {
            const tensor *t = graph_tensor_const(g, n->inputs[j]);
            size_t count = 0;
            if (t->data && t->type == DTYPE_F32 && shape_count(&t->shape, &count) &&
                count == (size_t)2 * 40 * 40)
                ((float *)blob_data(t->data))[count / 2] += 1;
        }
    }
    assert_ok(pass_recognise_decode(g, &err));
    assert_int_equal(count_decodes(g), 2);
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spelled_out_head_is_recognised),
        cmocka_unit_test(a_head_with_pixels_first_is_recognised),
        cmocka_unit_test(another_grid_is_left_alone),
    };
    return cmocka_run_group_tests_name("recognise_decode", tests, NULL, NULL);
}
