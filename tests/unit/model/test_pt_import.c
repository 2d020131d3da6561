/* SPDX-License-Identifier: Apache-2.0 */
/* Real checkpoints against what the official code says of them (golden/ of each model). */
#include "test.h"

#include <inttypes.h>
#include <jansson.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/model.h"
#include "model/pt_state.h"
#include "passes/passes.h"

static json_t *load_json(const char *relative)
{
    char path[512];
    json_error_t e;
    json_t *j = json_load_file(test_shared(relative, path), 0, &e);
    if (!j)
        fail_msg("%s: %s", relative, e.text);
    return j;
}

static double number(const json_t *entry, const char *key)
{
    return json_number_value(json_object_get(entry, key));
}

/* Name, shape, sum, sum of magnitudes, smallest and largest value of one tensor. */
static void check_entry(const json_t *want, const float *values, int rank, const int64_t *dims)
{
    const char *name = json_string_value(json_object_get(want, "name"));
    const json_t *sizes = json_object_get(want, "shape");
    size_t count = 1;
    if (json_array_size(sizes) != (size_t)rank)
        fail_msg("%s: rank %d", name, rank);
    for (int i = 0; i < rank; i++) {
        assert_int_equal(json_integer_value(json_array_get(sizes, (size_t)i)), dims[i]);
        count *= (size_t)dims[i];
    }
    double sum = 0, magnitudes = 0, low = (double)values[0], high = (double)values[0];
    for (size_t i = 0; i < count; i++) {
        double v = (double)values[i];
        sum += v;
        magnitudes += fabs(v);
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    double tolerance = 1e-6 * number(want, "abssum") + 1e-12;
    if (fabs(sum - number(want, "sum")) > tolerance ||
        fabs(magnitudes - number(want, "abssum")) > tolerance ||
        fabs(low - number(want, "min")) > 1e-6 * fabs(low) ||
        fabs(high - number(want, "max")) > 1e-6 * fabs(high))
        fail_msg("%s: sum %.9g, magnitudes %.9g, min %.9g, max %.9g", name, sum, magnitudes, low,
                 high);
}

static void check_state_dict(const char *pt, const char *golden, const char *key)
{
    ptq_error err;
    char path[512];
    pt_file *file;
    pt_state *state;
    json_t *json = load_json(golden);
    const json_t *entries = json_object_get(json, key);
    assert_ok(pt_file_open(test_shared(pt, path), SIZE_MAX, 1000, &file, &err));
    assert_ok(pt_state_create(file, pickle_get(pt_file_root(file), "model"), &state, &err));
    size_t n_checked = 0;
    for (int i = 0; i < pt_state_n_entries(state); i++) {
        const json_t *want = json_array_get(entries, n_checked);
        const pt_entry *e = pt_state_entry(state, i);
        if (strcmp(e->name, "model.24.anchor_grid") == 0)
            continue; /* in the file, but the official code of YOLOv5 drops it */
        n_checked++;
        assert_string_equal(e->name, json_string_value(json_object_get(want, "name")));
        float *values = mem_array((size_t)e->tensor->n_elements, sizeof *values);
        assert_ok(pt_state_read(state, e, values, &err));
        check_entry(want, values, e->tensor->rank, e->tensor->size);
        mem_free(values);
    }
    assert_int_equal(n_checked, json_array_size(entries));
    pt_state_destroy(state);
    pt_file_close(file);
    json_decref(json);
}

static void state_dicts_are_equal(void **state)
{
    (void)state;
    check_state_dict("yolov5n/yolov5n.pt", "yolov5n/golden/state_dict.json", "unfused");
    check_state_dict("shapes/yolov7-shapes.pt", "shapes/golden/state_dict.json", "state_dict");
    check_state_dict("shapes-tiny/yolov7-tiny-shapes.pt", "shapes-tiny/golden/state_dict.json",
                     "state_dict");
}

static model *load(const char *pt)
{
    ptq_error err;
    char path[512];
    model *m;
    assert_ok(model_load(test_shared(pt, path), NULL, NULL, &m, &err));
    return m;
}

static void fuse(graph *g)
{
    ptq_error err;
    assert_ok(pass_fuse_batch_norm(g, &err));
    assert_ok(pass_fuse_rep(g, &err));
    assert_ok(pass_fuse_implicit(g, &err));
}

/* After the passes: names and values of the official Model.fuse(). The head's buffers and the
 * implicit parameters, which stay in the official module without use, are not in the graph. */
static void check_fused(const char *pt, const char *golden, const char *key)
{
    json_t *json = load_json(golden);
    const json_t *entries = key ? json_object_get(json, key) : json, *want;
    model *m = load(pt);
    fuse(m->graph);
    size_t i;
    int n_found = 0;
    json_array_foreach((json_t *)(uintptr_t)entries, i, want)
    {
        const char *name = json_string_value(json_object_get(want, "name"));
        if (strstr(name, "anchor") || strstr(name, "implicit"))
            continue;
        tensor_id id = graph_find_tensor(m->graph, name);
        if (id == TENSOR_NONE || !graph_is_const(m->graph, id))
            fail_msg("'%s' is not in the graph", name);
        const tensor *t = graph_tensor_const(m->graph, id);
        check_entry(want, blob_data(t->data), t->shape.rank, t->shape.dim);
        n_found++;
    }
    assert_true(n_found > 100);
    model_destroy(m);
    json_decref(json);
}

static void fused_weights_are_equal(void **state)
{
    (void)state;
    check_fused("yolov5n/yolov5n.pt", "yolov5n/golden/state_dict.json", "fused");
    check_fused("shapes/yolov7-shapes.pt", "shapes/golden/fused_state_dict.json", NULL);
    check_fused("shapes-tiny/yolov7-tiny-shapes.pt", "shapes-tiny/golden/fused_state_dict.json",
                NULL);
}

/* One line of golden/modules.txt, "name<TAB>Conv2d(3, 8, kernel_size=(3, 3), ...)". */
static void conv_line(const node *n, const graph *g, str *line)
{
    const conv_attr *a = &n->attr.conv;
    const int64_t *w = graph_tensor_const(g, n->inputs[1])->shape.dim;
    str_addf(line, "%s\tConv2d(%" PRId64 ", %" PRId64 ", kernel_size=(%d, %d), stride=(%d, %d)",
             n->name, w[1] * a->groups, w[0], a->kernel[0], a->kernel[1], a->stride[0],
             a->stride[1]);
    if (a->pad[0] || a->pad[1])
        str_addf(line, ", padding=(%d, %d)", a->pad[0], a->pad[1]);
}

/* Every line of golden/modules.txt about a convolution, batch normalization or activation is a node
 * with those numbers. */
static void check_modules(const char *pt, const char *golden, bool is_fused)
{
    char path[512], text[512];
    FILE *f = fopen(test_shared(golden, path), "r");
    model *m = load(pt);
    if (is_fused)
        fuse(m->graph);
    int n_lines = 0;
    while (fgets(text, sizeof text, f)) {
        text[strcspn(text, "\n")] = '\0';
        char *tab = strchr(text, '\t');
        assert_non_null(tab);
        const char *what = tab + 1;
        bool is_conv = str_starts_with(what, "Conv2d"), is_norm = str_starts_with(what, "BatchN");
        bool is_act = str_starts_with(what, "SiLU") || str_starts_with(what, "LeakyReLU");
        if (!is_conv && !is_norm && !is_act)
            continue;
        *tab = '\0';
        node_id id = graph_find_node(m->graph, text);
        *tab = '\t';
        if (id == NODE_NONE)
            fail_msg("no node for '%s'", text);
        const node *n = graph_node_const(m->graph, id);
        n_lines++;
        if (is_conv) {
            str line = STR_INIT;
            conv_line(n, m->graph, &line);
            if (n->op != GRAPH_OP_CONV || !str_starts_with(text, str_text(&line)))
                fail_msg("'%s' became '%s'", text, str_text(&line));
            str_clear(&line);
        } else if (is_norm) {
            assert_int_equal(n->op, GRAPH_OP_BATCH_NORM);
            assert_float_equal(n->attr.batch_norm.epsilon, 1e-3f, 0);
            assert_non_null(strstr(what, "eps=0.001"));
        } else {
            bool is_leaky = str_starts_with(what, "LeakyReLU(negative_slope=0.1");
            assert_int_equal(n->op, is_leaky ? GRAPH_OP_LEAKY_RELU : GRAPH_OP_SILU);
            if (is_leaky)
                assert_float_equal(n->attr.slope.alpha, 0.1f, 0);
        }
    }
    assert_true(n_lines > 100);
    fclose(f);
    model_destroy(m);
}

static void modules_are_equal(void **state)
{
    (void)state;
    check_modules("shapes/yolov7-shapes.pt", "shapes/golden/modules.txt", false);
    check_modules("shapes-tiny/yolov7-tiny-shapes.pt", "shapes-tiny/golden/modules.txt", false);
    check_modules("yolov5n/yolov5n.pt", "yolov5n/golden/modules.txt", true);
}

/* Parameters: check.json of each model. Layers: the official model_info for the same structure
 * (model.md §7: training/yolov7 415 and 314, training/yolov7-tiny 263 and 208; YOLOv5 v6.0's log
 * for yolov5n: 270 and 213). */
static void counts_are_the_official_ones(void **state)
{
    (void)state;
    static const struct {
        const char *pt;
        int64_t layers, layers_fused, parameters, parameters_fused;
        int n_classes;
        const char *first_class;
    } cases[] = {
        {"shapes/yolov7-shapes.pt", 415, 314, 2350290, 2300618, 8, "circle"},
        {"shapes-tiny/yolov7-tiny-shapes.pt", 263, 208, 1521530, 1517834, 8, "circle"},
        {"yolov5n/yolov5n.pt", 270, 213, 1872157, 1867405, 80, "person"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        model *m = load(cases[i].pt);
        assert_int_equal(m->format, MODEL_PT);
        assert_int_equal(m->n_layers, cases[i].layers);
        assert_int_equal(m->n_layers_fused, cases[i].layers_fused);
        assert_int_equal(m->n_parameters, cases[i].parameters);
        assert_int_equal(m->n_parameters_fused, cases[i].parameters_fused);
        assert_int_equal(m->n_classes, cases[i].n_classes);
        assert_string_equal(m->class_names[0], cases[i].first_class);
        assert_int_equal(m->stride, 32);
        assert_false(m->is_static);
        assert_int_equal(strlen(m->sha256), 64);
        model_destroy(m);
    }
}

/* Names that taps and reports rely on, and the output's shape (spec model.md §5: 25200 rows). */
static void names_and_shapes_are_as_agreed(void **state)
{
    (void)state;
    ptq_error err;
    model *m = load("shapes/yolov7-shapes.pt");
    const graph *g = m->graph;
    static const char *const nodes[] = {"model.0.conv",
                                        "model.0.bn",
                                        "model.0.act",
                                        "model.10",
                                        "model.12.m",
                                        "model.51.cv1.conv",
                                        "model.51.m.2",
                                        "model.53",
                                        "model.102.rbr_dense.0",
                                        "model.102.rbr_dense.1",
                                        "model.102.rbr_1x1.0",
                                        "model.102.act",
                                        "model.105.ia.0",
                                        "model.105.m.0",
                                        "model.105.im.0",
                                        "model.105.decode.0"};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
        if (graph_find_node(g, nodes[i]) == NODE_NONE)
            fail_msg("no node '%s'", nodes[i]);
    for (int i = 0; i < 105; i++) {
        char name[32];
        snprintf(name, sizeof name, "model.%d", i);
        if (graph_find_tensor(g, name) == TENSOR_NONE)
            fail_msg("no tensor '%s'", name);
    }
    assert_string_equal(graph_tensor_const(g, graph_input(g, 0))->name, "images");
    assert_true(graph_tensor_const(g, graph_input(g, 0))->is_dynamic);
    assert_int_equal(graph_n_outputs(g), 1);
    const tensor *output = graph_tensor_const(g, graph_output(g, 0));
    assert_string_equal(output->name, "output");
    shape s = shape4(2, 3, 640, 640), want = {.rank = 3, .dim = {2, 25200, 13}};
    assert_ok(graph_set_input_shape(m->graph, &s, &err));
    assert_true(shape_equal(&output->shape, &want));
    /* anchors in pixels: the config's 12,16 19,36 40,28 of level 0 */
    tensor_id id = graph_find_tensor(g, "model.105.decode.0.anchors");
    static const float anchors[6] = {12, 16, 19, 36, 40, 28};
    assert_memory_equal(blob_data(graph_tensor_const(g, id)->data), anchors, sizeof anchors);
    model_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(state_dicts_are_equal),
        cmocka_unit_test(fused_weights_are_equal),
        cmocka_unit_test(modules_are_equal),
        cmocka_unit_test(counts_are_the_official_ones),
        cmocka_unit_test(names_and_shapes_are_as_agreed),
    };
    return cmocka_run_group_tests_name("pt_import", tests, NULL, NULL);
}
