/* SPDX-License-Identifier: Apache-2.0 */
/* The file as written: values, types, order, names; and what is no graph is refused. */
#include "lint_build.h"

#include "lint/net.h"

static net read_back(file *f)
{
    net n;
    net_limits limits = {0};
    save(f);
    assert_ok(net_read(f->path, &limits, NULL, &n, &err));
    return n;
}

static const net_value *value_of(const net *n, const char *name)
{
    for (uint32_t v = 0; v < n->n_values; v++)
        if (strcmp(n->values[v].name, name) == 0)
            return &n->values[v];
    fail_msg("no value '%s'", name);
    return NULL;
}

static const net_node *net_node_of(const net *n, const char *name)
{
    for (uint32_t i = 0; i < n->n_nodes; i++)
        if (strcmp(n->nodes[i].name, name) == 0)
            return &n->nodes[i];
    fail_msg("no node '%s'", name);
    return NULL;
}

static void test_values(void **state)
{
    (void)state;
    file f;
    start_pair(&f);
    net n = read_back(&f);
    const net_value *r = value_of(&n, "r"), *w = value_of(&n, "a.weight");
    assert_int_equal(n.n_nodes, 9);
    assert_true(value_of(&n, "images")->is_input && value_of(&n, "output")->is_output);
    assert_true(w->is_constant && w->has_shape && !r->is_constant);
    assert_int_equal(w->shape.dim[3], 3);
    assert_int_equal(r->n_readers, 1);
    assert_string_equal(net_producer(&n, (uint32_t)(r - n.values))->op, "Relu");
    assert_true(value_of(&n, "a.w")->is_constant);
    assert_int_equal(net_constant_behind(&n, (uint32_t)(value_of(&n, "a.w") - n.values)),
                     w - n.values);
    assert_int_equal(net_constant_behind(&n, (uint32_t)(r - n.values)), NET_NONE);
    net_close(&n);
    finish(&f);
}

static void test_types(void **state)
{
    (void)state;
    file f;
    start_pair(&f);
    op(&f, "Shape", "r", "numbers");
    attr_int(&f, op(&f, "Cast", "r", "half"), "to", FLOAT16);
    op(&f, "Greater", "half half", "truth");
    op(&f, "TopK", "half numbers", "best which");
    net n = read_back(&f);
    assert_int_equal(value_of(&n, "r")->type, TYPE_FLOAT);
    assert_int_equal(value_of(&n, "a.in.codes")->type, TYPE_INT8);
    assert_int_equal(value_of(&n, "numbers")->type, TYPE_INT64);
    assert_int_equal(value_of(&n, "half")->type, TYPE_FLOAT16);
    assert_int_equal(value_of(&n, "truth")->type, TYPE_BOOL);
    assert_int_equal(value_of(&n, "best")->type, TYPE_FLOAT16);
    assert_int_equal(value_of(&n, "which")->type, TYPE_INT64);
    net_close(&n);
    finish(&f);
}

/* Nodes may stand in any order in a file; they are walked in the order of execution. */
static void test_order(void **state)
{
    (void)state;
    file f;
    start_pair(&f);
    Onnx__NodeProto *first = f.nodes[0];
    f.nodes[0] = f.nodes[8];
    f.nodes[8] = first;
    net n = read_back(&f);
    bool is_made[16] = {false};
    for (uint32_t at = 0; at < n.n_nodes; at++) {
        const net_node *at_node = &n.nodes[n.order[at]];
        for (uint32_t k = 0; k < at_node->n_inputs; k++)
            if (net_producer(&n, at_node->inputs[k]))
                assert_true(is_made[n.values[at_node->inputs[k]].producer]);
        is_made[n.order[at]] = true;
    }
    net_close(&n);
    finish(&f);
}

static void refuse(file *f, ptq_status status, const char *words)
{
    net n;
    net_limits limits = {0};
    save(f);
    assert_status(net_read(f->path, &limits, NULL, &n, &err), status);
    assert_non_null(strstr(err.message, words));
    assert_non_null(strstr(err.message, "m.onnx"));
    finish(f);
}

static void test_no_graph(void **state)
{
    (void)state;
    file f;
    start_pair(&f);
    set_input(&f, "a.in.q", 0, "r");
    refuse(&f, PTQ_FORMAT, "cycle");
    start_pair(&f);
    node_of(&f, "relu")->output[0] = arena_strdup(f.a, "y");
    refuse(&f, PTQ_FORMAT, "two values are named 'y'");
    start_pair(&f);
    f.outputs[0]->name = arena_strdup(f.a, "");
    refuse(&f, PTQ_FORMAT, "output 0 has no name");
    start_pair(&f);
    f.model.graph = NULL;
    refuse(&f, PTQ_FORMAT, "no graph");
}

static void test_absent_inputs(void **state)
{
    (void)state;
    file f;
    start_pair(&f);
    op(&f, "Clip", "output - -", "clipped");
    net n = read_back(&f);
    const net_node *clip = net_node_of(&n, "n9");
    assert_int_equal(net_input(clip, 1), NET_NONE);
    assert_int_equal(net_input(clip, 7), NET_NONE);
    assert_int_equal(net_input(NULL, 0), NET_NONE);
    net_close(&n);
    finish(&f);
}

/* Layers are called as the importer calls them, so that quant.yaml takes the names a lint prints.
 */
static void same_names(const char *path)
{
    net n;
    model *m;
    net_limits limits = {0};
    int n_layers = 0;
    assert_ok(net_read(path, &limits, NULL, &n, &err));
    assert_ok(model_load(path, NULL, NULL, &m, &err));
    for (uint32_t i = 0; i < n.n_nodes; i++)
        if (net_is_kind(&n.nodes[i], NET_WEIGHTED)) {
            if (graph_find_node(m->graph, n.nodes[i].name) == NODE_NONE)
                fail_msg("%s: the importer has no layer '%s'", path, n.nodes[i].name);
            n_layers++;
        }
    assert_true(n_layers >= 60);
    net_close(&n);
    model_destroy(m);
}

static void test_names_yolov8n(void **state)
{
    (void)state;
    char path[512];
    same_names(test_shared("qdq/yolov8n-640-qdq-ort.onnx", path));
}

static void test_names_yolov5n(void **state)
{
    (void)state;
    char path[512];
    same_names(test_shared("yolov5n/yolov5n-decoded.onnx", path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),        cmocka_unit_test(test_types),
        cmocka_unit_test(test_order),         cmocka_unit_test(test_no_graph),
        cmocka_unit_test(test_absent_inputs), cmocka_unit_test(test_names_yolov8n),
        cmocka_unit_test(test_names_yolov5n),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
