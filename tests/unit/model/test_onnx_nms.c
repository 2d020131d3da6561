/* SPDX-License-Identifier: Apache-2.0 */
/* End-to-end files: written with a NonMaxSuppression, read up to what it suppresses. */
#include "graph_eval.h"

#include "base/env.h"
#include "base/file.h"
#include "base/mem.h"
#include "formats/onnx.pb-c.h"
#include "model/model.h"
#include "passes/passes.h"

static ptq_error err;

/* images [1,2,8,8] -> head -> boxes and scores [1, 2*8*8, 5 + nc]. */
static graph *detector(int64_t nc)
{
    graph *g;
    test_rng rng = {3};
    assert_ok(graph_create(&g, &err));
    make_conv_desc head = {
        .name = "head", .x = make_input(g, 2), .c_in = 2, .c_out = 2 * (5 + nc), .rng = &rng};
    shape two = shape_make(2, (int64_t[]){2, 2});
    tensor_id in[2] = {make_conv(g, &head),
                       make_const(g, "anchors", &two, (float[]){10, 13, 16, 30})};
    op_attr a = {.decode = {.n_anchors = 2, .n_values = 5 + (int)nc, .stride = 8}};
    make_done(g, make_op(g, GRAPH_OP_YOLO_DECODE, "output", 2, in, &a));
    return g;
}

static onnx_export_options options(void)
{
    return (onnx_export_options){.opset = 13,
                                 .image_size = 8,
                                 .batch = 1,
                                 .head = HEAD_NMS,
                                 .nms = {.conf = 0.25f, .iou = 0.45f, .max_det = 50}};
}

static size_t count_type(const Onnx__ModelProto *m, const char *type)
{
    size_t n = 0;
    for (size_t i = 0; i < m->graph->n_node; i++)
        n += strcmp(m->graph->node[i]->op_type, type) == 0;
    return n;
}

static Onnx__ModelProto *unpack(const char *path)
{
    char *bytes;
    size_t n;
    assert_ok(file_read(path, 0, &bytes, &n, &err));
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, n, (const uint8_t *)bytes);
    mem_free(bytes);
    assert_non_null(m);
    return m;
}

static void pack(Onnx__ModelProto *m, const char *path)
{
    size_t n = onnx__model_proto__get_packed_size(m);
    uint8_t *bytes = malloc(n);
    onnx__model_proto__pack(m, bytes);
    assert_ok(file_write(path, (const char *)bytes, n, &err));
    free(bytes);
    onnx__model_proto__free_unpacked(m, NULL);
}

static void same_bytes(const char *a, const char *b)
{
    char *x, *y;
    size_t n, m;
    assert_ok(file_read(a, 0, &x, &n, &err));
    assert_ok(file_read(b, 0, &y, &m, &err));
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    mem_free(x);
    mem_free(y);
}

static void what_is_suppressed_is_the_graph(void **state)
{
    (void)state;
    char dir[512], first[600], second[600];
    test_temp_dir(dir);
    snprintf(first, sizeof first, "%s/first.onnx", dir);
    snprintf(second, sizeof second, "%s/second.onnx", dir);
    for (int nc = 1; nc < 4; nc += 2) {
        graph *g = detector(nc);
        onnx_export_options o = options();
        o.batch = nc == 1 ? -1 : 1;
        assert_ok(onnx_export(g, first, &o, NULL, &err));
        Onnx__ModelProto *file = unpack(first);
        assert_int_equal(count_type(file, "NonMaxSuppression"), 1);
        assert_int_equal(file->graph->n_output, 1);
        assert_string_equal(file->graph->output[0]->name, "detections");
        onnx__model_proto__free_unpacked(file, NULL);

        model *m;
        assert_ok(model_load(first, NULL, NULL, &m, &err));
        assert_true(m->has_nms);
        assert_true(m->nms.conf == 0.25f && m->nms.iou == 0.45f && m->nms.max_det == 50);
        assert_ok(passes_clean(m->graph, &err));
        assert_int_equal(graph_n_nodes(m->graph), 2);
        assert_string_equal(graph_tensor(m->graph, graph_output(m->graph, 0))->name, "output");
        o.nms = m->nms;
        assert_ok(onnx_export(m->graph, second, &o, NULL, &err));
        same_bytes(first, second);
        model_destroy(m);
        graph_destroy(g);
    }
    test_temp_remove(dir);
}

static void count_warning(void *user, ptq_log_level level, const char *message)
{
    if (level == PTQ_LOG_WARNING && strstr(message, "NonMaxSuppression"))
        ++*(int *)user;
}

/* A tail of others' is left out too, with a warning: its meaning is not known. */
static void others_suppressions_are_left_out(void **state)
{
    (void)state;
    char dir[512], path[600];
    test_temp_dir(dir);
    snprintf(path, sizeof path, "%s/m.onnx", dir);
    graph *g = detector(3);
    onnx_export_options o = options();
    assert_ok(onnx_export(g, path, &o, NULL, &err));
    Onnx__ModelProto *file = unpack(path);
    for (size_t i = 0; i < file->n_metadata_props; i++)
        file->metadata_props[i]->key[0] = '?';
    pack(file, path);
    int warnings = 0;
    ptq_env env = {.log = count_warning, .user = &warnings, .threads = 1};
    model *m;
    assert_ok(model_load(path, NULL, &env, &m, &err));
    assert_false(m->has_nms);
    assert_int_equal(warnings, 1);
    assert_int_equal(m->n_classes, 3);
    model_destroy(m);
    graph_destroy(g);
    test_temp_remove(dir);
}

/* Boxes and scores straight from two convolutions: nothing before the suppression is one tensor,
 * but the input itself. */
static void without_a_narrow_place_it_is_refused(void **state)
{
    (void)state;
    char dir[512], path[600];
    test_temp_dir(dir);
    snprintf(path, sizeof path, "%s/m.onnx", dir);
    graph *g = detector(3);
    onnx_export_options o = options();
    assert_ok(onnx_export(g, path, &o, NULL, &err));
    Onnx__ModelProto *file = unpack(path);
    for (size_t i = 0; i < file->graph->n_node; i++) {
        Onnx__NodeProto *n = file->graph->node[i];
        if (strcmp(n->op_type, "NonMaxSuppression") == 0) {
            free(n->input[1]);
            n->input[1] = strdup("images");
        }
    }
    pack(file, path);
    model *m;
    assert_status(model_load(path, NULL, NULL, &m, &err), PTQ_UNSUPPORTED);
    assert_non_null(strstr(err.message, "NonMaxSuppression"));
    graph_destroy(g);
    test_temp_remove(dir);
}

static void what_has_no_boxes_is_refused(void **state)
{
    (void)state;
    char dir[512], path[600];
    test_temp_dir(dir);
    snprintf(path, sizeof path, "%s/m.onnx", dir);
    graph *g;
    assert_ok(graph_create(&g, &err));
    test_rng rng = {3};
    make_conv_desc d = {.name = "y", .x = make_input(g, 2), .c_in = 2, .c_out = 8, .rng = &rng};
    make_done(g, make_conv(g, &d));
    onnx_export_options o = options();
    assert_status(onnx_export(g, path, &o, NULL, &err), PTQ_UNSUPPORTED);
    assert_non_null(strstr(err.message, "'y'"));
    assert_false(file_exists(path));
    graph_destroy(g);
    test_temp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_suppressed_is_the_graph),
        cmocka_unit_test(others_suppressions_are_left_out),
        cmocka_unit_test(without_a_narrow_place_it_is_refused),
        cmocka_unit_test(what_has_no_boxes_is_refused),
    };
    return cmocka_run_group_tests_name("onnx_nms", tests, NULL, NULL);
}
