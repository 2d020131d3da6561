/* SPDX-License-Identifier: Apache-2.0 */
/* A config with the weights of a checkpoint, by name. */
#include "test.h"

#include "base/file.h"
#include "cfg_tables.h"
#include "model/cfg_network.h"
#include "model/model.h"
#include "pt_edit.h"
#include "state_dict.h"

#define DEMO_CFG "tests/golden/model/yolov7-w025.yaml"

static void collect(void *user, ptq_log_level level, const char *message)
{
    if (level == PTQ_LOG_WARNING)
        str_addf(user, "%s\n", message);
}

/* Loads with a config; the warnings go to `log`. */
static model *load_with(const char *path, const char *cfg, str *log)
{
    ptq_error err;
    model *m;
    ptq_env env = {.log = collect, .user = log};
    const model_options options = {.cfg = cfg};
    assert_ok(model_load(path, &options, &env, &m, &err));
    return m;
}

static const float *constant(const model *m, const char *name, size_t *n)
{
    tensor_id id = graph_find_tensor(m->graph, name);
    if (id == TENSOR_NONE || !graph_is_const(m->graph, id))
        fail_msg("no constant '%s'", name);
    const tensor *t = graph_tensor_const(m->graph, id);
    assert_true(shape_count(&t->shape, n));
    return blob_data(t->data);
}

/* Without the bytes behind the last member, which nothing sets. */
enum {
    CONV_BYTES = offsetof(conv_attr, out_from_half) + sizeof(bool),
    POOL_BYTES = offsetof(pool_attr, column_major) + sizeof(bool)
};

static void same_graphs(const graph *a, const graph *b)
{
    assert_int_equal(graph_n_nodes(a), graph_n_nodes(b));
    assert_int_equal(graph_n_tensors(a), graph_n_tensors(b));
    for (int i = 0; i < graph_n_nodes(a); i++) {
        const node *x = graph_node_const(a, (node_id)i), *y = graph_node_const(b, (node_id)i);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->op, y->op);
        if (x->op == GRAPH_OP_CONV)
            assert_memory_equal(&x->attr.conv, &y->attr.conv, CONV_BYTES);
        if (x->op == GRAPH_OP_MAX_POOL)
            assert_memory_equal(&x->attr.pool, &y->attr.pool, POOL_BYTES);
    }
    for (int i = 0; i < graph_n_tensors(a); i++) {
        const tensor *x = graph_tensor_const(a, (tensor_id)i);
        const tensor *y = graph_tensor_const(b, (tensor_id)i);
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->data != NULL, y->data != NULL);
        if (x->data && memcmp(blob_data(x->data), blob_data(y->data), blob_size(x->data)) != 0)
            fail_msg("the values of '%s' differ", x->name);
    }
}

/* The config of the demo's network gives the graph that the checkpoint's own modules give. */
static void config_and_modules_agree(void **state)
{
    (void)state;
    ptq_error err;
    char path[512];
    str log = STR_INIT;
    model *own;
    assert_ok(model_load(test_demo("yolov7-shapes.pt", path), NULL, NULL, &own, &err));
    model *built = load_with(path, DEMO_CFG, &log);
    assert_string_equal(str_text(&log), "");
    same_graphs(own->graph, built->graph);
    assert_int_equal(built->n_layers, own->n_layers);
    assert_int_equal(built->n_layers_fused, own->n_layers_fused);
    assert_int_equal(built->n_parameters, own->n_parameters);
    assert_int_equal(built->n_parameters_fused, own->n_parameters_fused);
    assert_int_equal(built->stride, 32);
    assert_string_equal(built->class_names[0], own->class_names[0]);
    model_destroy(own);
    model_destroy(built);
    str_clear(&log);
}

/* Renames the head's lists of implicits, so that they are missing and left over. */
static void rename_implicits(record *pkl)
{
    static const char ia[] = "X\x02\x00\x00\x00ia", im[] = "X\x02\x00\x00\x00im";
    pkl->data[record_find(pkl, ia, sizeof ia - 1) + 5] = 'x';
    pkl->data[record_find(pkl, im, sizeof im - 1) + 5] = 'x';
}

/* A deployed checkpoint has no implicits; the training config wants them: neutral values. */
static void missing_implicits_are_neutral(void **state)
{
    (void)state;
    char path[512], dir[512];
    str log = STR_INIT;
    archive a = archive_read(test_demo("yolov7-shapes.pt", path));
    rename_implicits(archive_record(&a, "data.pkl"));
    archive_write(&a, test_temp_dir(dir), "deploy.pt", "archive", false);
    model *m = load_with(a.path, DEMO_CFG, &log);
    size_t n;
    const float *ia = constant(m, "model.105.ia.1.implicit", &n);
    assert_int_equal(n, 128);
    for (size_t i = 0; i < n; i++)
        assert_float_equal(ia[i], 0.0f, 0);
    const float *im = constant(m, "model.105.im.2.implicit", &n);
    assert_int_equal(n, 39);
    for (size_t i = 0; i < n; i++)
        assert_float_equal(im[i], 1.0f, 0);
    assert_non_null(strstr(str_text(&log), "6 implicit parameters are missing"));
    assert_non_null(strstr(str_text(&log), "6 tensors of the checkpoint have no place"));
    assert_non_null(strstr(str_text(&log), "'model.105.xa.0.implicit'"));
    model_destroy(m);
    str_clear(&log);
    archive_free(&a);
    test_temp_remove(dir);
}

/* What fits neither by name nor by shape is an error that names it. */
static void nothing_stays_random(void **state)
{
    (void)state;
    ptq_error err;
    char path[512], dir[512];
    model *m;
    archive a = archive_read(test_demo("yolov7-shapes.pt", path));
    record *pkl = archive_record(&a, "data.pkl");
    static const char mean[] = "X\x0c\x00\x00\x00running_mean";
    pkl->data[record_find(pkl, mean, sizeof mean - 1) + 5] = 'x';
    archive_write(&a, test_temp_dir(dir), "x.pt", "archive", false);
    const model_options same = {.cfg = DEMO_CFG};
    assert_status(model_load(a.path, &same, NULL, &m, &err), PTQ_FORMAT);
    assert_non_null(strstr(err.message, "'model.0.bn.running_mean'"));

    char *text, *wide = path_join(dir, "wide.yaml");
    size_t size;
    assert_ok(file_read(DEMO_CFG, 0, &text, &size, &err));
    memcpy(strstr(text, "e: 0.25"), "e: 0.50", 7);
    assert_ok(file_write(wide, text, size, &err));
    const model_options wider = {.cfg = wide};
    assert_status(model_load(path, &wider, NULL, &m, &err), PTQ_FORMAT);
    assert_non_null(strstr(err.message, "'model.0.conv.weight' ([8,3,3,3] instead of [16,3,3,3])"));
    mem_free(text);
    mem_free(wide);
    archive_free(&a);
    test_temp_remove(dir);
}

/* ---- every official network, with weights that are all 0.5 ---- */

/* An 8th of the official width is too narrow for the 32 groups of ResX. */
static double narrow(const official *o)
{
    return strstr(o->section, "x50") ? 0.5 : 0.125;
}

/* Rows of the output: model.md §5. */
static void check_built(const official *o, const char *spec, const char *dir)
{
    ptq_error err;
    str log = STR_INIT;
    archive a = {0};
    char *cfg = path_join(dir, "net.yaml");
    table t = make_config(o, spec, narrow(o));
    assert_ok(file_write(cfg, str_text(&t.rows), t.rows.len, &err));
    state_dict_write(cfg, false, &a, dir);
    model *bare = NULL;
    assert_status(model_load(a.path, NULL, NULL, &bare, &err), PTQ_UNSUPPORTED);
    assert_non_null(strstr(err.message, "--cfg"));
    model *m = load_with(a.path, cfg, &log);
    assert_string_equal(str_text(&log), "");
    int strides[] = {8, 16, 32, 64}, rows = 0;
    for (int i = 0; i < o->n_levels; i++)
        rows += 3 * (640 / strides[i]) * (640 / strides[i]);
    shape s = shape4(1, 3, 640, 640), want = {.rank = 3, .dim = {1, rows, 85}};
    assert_ok(graph_set_input_shape(m->graph, &s, &err));
    const tensor *output = graph_tensor_const(m->graph, graph_output(m->graph, 0));
    if (!shape_equal(&output->shape, &want) || m->stride != strides[o->n_levels - 1])
        fail_msg("%s: the output has an unexpected shape", o->section);
    for (int i = 0; i < graph_n_nodes(m->graph); i++)
        if (strstr(graph_node_const(m->graph, (node_id)i)->name, ".m2."))
            fail_msg("%s: the auxiliary head is there", o->section);
    model_destroy(m);
    archive_free(&a);
    mem_free(cfg);
    str_clear(&t.rows);
    str_clear(&log);
}

static void official_networks_become_graphs(void **state)
{
    (void)state;
    ptq_error err;
    char path[512], dir[512], *spec;
    size_t size;
    test_shared("../spec/model_layers.md", path);
    assert_ok(file_read(path, 0, &spec, &size, &err));
    test_temp_dir(dir);
    for (size_t i = 0; i < sizeof OFFICIAL / sizeof *OFFICIAL; i++)
        check_built(&OFFICIAL[i], spec, dir);
    test_temp_remove(dir);
    mem_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(config_and_modules_agree),
        cmocka_unit_test(missing_implicits_are_neutral),
        cmocka_unit_test(nothing_stays_random),
        cmocka_unit_test(official_networks_become_graphs),
    };
    return cmocka_run_group_tests_name("pt_cfg", tests, NULL, NULL);
}
