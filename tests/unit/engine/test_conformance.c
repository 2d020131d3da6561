/* SPDX-License-Identifier: Apache-2.0 */
/* The ONNX backend suite (Debian: libonnx-testdata): one model per operator variant with recorded
 * inputs and outputs. Each model we can import is run by the reference kernels and by the fastest
 * ones; both must give the recorded output. Inputs but the first become constants, because the
 * engine asks for constant shapes, bounds and scales. */
#include "test.h"

#include <dirent.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine.h"
#include "formats/onnx.pb-c.h"
#include "kernels/strided_view.h"
#include "model/model.h"
#include "model/onnx_tensor.h"

#define SUITE "/usr/include/onnx/backend/test/data/node"

static ptq_error err;

static Onnx__TensorProto *read_tensor(const char *folder, const char *kind, size_t i)
{
    char path[600];
    char *data;
    size_t size;
    snprintf(path, sizeof path, "%s/test_data_set_0/%s_%zu.pb", folder, kind, i);
    if (file_read(path, 0, &data, &size, &err) != PTQ_OK)
        return NULL;
    Onnx__TensorProto *t = onnx__tensor_proto__unpack(NULL, size, (const uint8_t *)data);
    mem_free(data);
    return t;
}

/* Writes the model with all inputs but the first as initializers. */
static bool write_model(const char *folder, const char *path)
{
    char from[600];
    char *data;
    size_t size;
    snprintf(from, sizeof from, "%s/model.onnx", folder);
    if (file_read(from, 0, &data, &size, &err) != PTQ_OK)
        return false;
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, size, (const uint8_t *)data);
    mem_free(data);
    if (!m)
        return false;
    Onnx__GraphProto *g = m->graph;
    bool is_ok = g->n_input > 0 && g->n_initializer == 0;
    Onnx__TensorProto **more = calloc(g->n_input + 1, sizeof *more);
    for (size_t i = 1; is_ok && i < g->n_input; i++) {
        more[i - 1] = read_tensor(folder, "input", i);
        is_ok = more[i - 1] && more[i - 1]->name && more[i - 1]->name[0];
    }
    if (is_ok) {
        Onnx__TensorProto **own = g->initializer;
        uint8_t *packed;
        g->initializer = more;
        g->n_initializer = g->n_input - 1;
        packed = malloc(onnx__model_proto__get_packed_size(m));
        size = onnx__model_proto__pack(m, packed);
        is_ok = file_write(path, packed, size, &err) == PTQ_OK;
        free(packed);
        g->initializer = own;
        g->n_initializer = 0;
    }
    for (size_t i = 0; more[i]; i++)
        onnx__tensor_proto__free_unpacked(more[i], NULL);
    free(more);
    onnx__model_proto__free_unpacked(m, NULL);
    return is_ok;
}

static bool read_values(const char *folder, const char *kind, size_t i, onnx_values *out)
{
    Onnx__TensorProto *t = read_tensor(folder, kind, i);
    bool is_ok = t && onnx_tensor_read(t, folder, 1 << 26, out, &err) == PTQ_OK;
    if (t)
        onnx__tensor_proto__free_unpacked(t, NULL);
    return is_ok;
}

static bool agrees(const char *name, const tensor_view *got, const onnx_values *want)
{
    size_t count, bytes = view_type_bytes(got->type);
    char a_text[128], b_text[128];
    if (!shape_equal(&got->shape, &want->shape) || got->type != want->type) {
        print_error("%s: %s %s instead of %s %s\n", name, dtype_name(got->type),
                    shape_text(&got->shape, a_text), dtype_name(want->type),
                    shape_text(&want->shape, b_text));
        return false;
    }
    assert_true(shape_count(&want->shape, &count));
    for (size_t i = 0; i < count; i++) {
        double a = view_load((const char *)got->data + i * bytes, got->type);
        double b = view_load((const char *)blob_data(want->data) + i * bytes, got->type);
        bool is_close = a == b || (a != a && b != b) || fabs(a - b) <= 1e-5 + 1e-4 * fabs(b);
        if (!is_close) {
            print_error("%s: element %zu is %.9g instead of %.9g\n", name, i, a, b);
            return false;
        }
    }
    return true;
}

typedef enum verdict { NOT_OURS, RIGHT, WRONG } verdict;

/* NOT_OURS: an operator or a type that is not supported, said in an error. */
static verdict run_graph(const char *folder, const char *name, graph *g, cpu_level level)
{
    onnx_values in = {0}, want = {0};
    engine *e = NULL;
    engine_options o = {.threads = 2, .level = level};
    if (!read_values(folder, "input", 0, &in))
        return NOT_OURS;
    tensor_view x = {blob_data(in.data), in.type, in.shape};
    verdict v = NOT_OURS;
    bool is_done = graph_tensor_const(g, graph_input(g, 0))->type == in.type &&
                   graph_set_input_shape(g, &in.shape, &err) == PTQ_OK &&
                   engine_prepare(g, &o, &e, &err) == PTQ_OK;
    if (is_done) {
        assert_ok(engine_run(e, &x, 1, &err));
        v = RIGHT;
        for (int i = 0; i < graph_n_outputs(g); i++) {
            tensor_view got = engine_output(e, i);
            assert_true(read_values(folder, "output", (size_t)i, &want));
            if (!agrees(name, &got, &want))
                v = WRONG;
            blob_unref(&want.data);
        }
    }
    engine_destroy(e);
    blob_unref(&in.data);
    return v;
}

static verdict run_case(const char *name, const char *model_path)
{
    char folder[512];
    model m = {0};
    verdict v = NOT_OURS;
    snprintf(folder, sizeof folder, "%s/%s", SUITE, name);
    if (!write_model(folder, model_path))
        return NOT_OURS;
    if (onnx_import(model_path, &(model_options){0}, NULL, &m, &err) == PTQ_OK &&
        graph_n_inputs(m.graph) == 1) {
        v = run_graph(folder, name, m.graph, CPU_REF);
        if (v == RIGHT)
            v = run_graph(folder, name, m.graph, cpu_best());
    }
    graph_destroy(m.graph);
    for (int i = 0; m.class_names && i < m.n_classes; i++)
        mem_free(m.class_names[i]);
    mem_free(m.class_names);
    for (int i = 0; m.metadata && m.metadata[i]; i++)
        mem_free(m.metadata[i]);
    mem_free(m.metadata);
    return v;
}

/* Float tensors are float32 here whatever the file says, and Dropout does nothing. */
static bool is_exempt(const char *name)
{
    return str_ends_with(name, "_to_FLOAT16") || str_ends_with(name, "_to_BFLOAT16") ||
           str_ends_with(name, "FLOAT16_expanded") ||
           str_starts_with(name, "test_training_dropout");
}

static void recorded_outputs_come_out(void **state)
{
    (void)state;
    DIR *d = opendir(SUITE);
    if (!d) {
        print_message("SKIPPED: '%s' is absent\n", SUITE);
        skip();
    }
    char dir[512], model_path[600];
    test_temp_dir(dir);
    snprintf(model_path, sizeof model_path, "%s/model.onnx", dir);
    int n_cases = 0, n_right = 0, n_wrong = 0;
    for (struct dirent *entry; (entry = readdir(d));) {
        if (!str_starts_with(entry->d_name, "test_") || is_exempt(entry->d_name))
            continue;
        n_cases++;
        err.message[0] = '\0';
        verdict v = run_case(entry->d_name, model_path);
        n_right += v == RIGHT;
        n_wrong += v == WRONG;
        if (getenv("CONFORMANCE_LIST"))
            print_message("%s: %d %s\n", entry->d_name, (int)v, v ? "" : err.message);
    }
    closedir(d);
    test_temp_remove(dir);
    print_message("%d of %d cases are ours\n", n_right + n_wrong, n_cases);
    assert_int_equal(n_wrong, 0);
    assert_true(n_right >= 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_outputs_come_out),
    };
    return cmocka_run_group_tests_name("conformance", tests, NULL, NULL);
}
