/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "onnx_build.h"

/* Files that must be refused: with the right status, a sentence, and no crash. */

static void unknown_operators_are_listed_together(void **state)
{
    (void)state;
    file f;
    start_small(&f);
    op(&f, "Foo", "c", "f1");
    op(&f, "Foo", "f1", "f2");
    op(&f, "Relu", "f2", "f3")->domain = "my.ops";
    op(&f, "If", "f3", "f4");
    refused(&f, PTQ_UNSUPPORTED,
            "operators not supported: Foo (2 nodes, first 'n2'), my.ops:Relu (1 node, first 'n4'), "
            "If (1 node, first 'n5')");
    start_small(&f); /* in pytorch-quantization's default map, and refused by name here */
    op(&f, "LSTM", "c", "h");
    refused(&f, PTQ_UNSUPPORTED, "operators not supported: LSTM (1 node, first 'n2')");
}

static void broken_graphs_are_refused(void **state)
{
    (void)state;
    file f;
    start_small(&f);
    op(&f, "Relu", "a", "b");
    op(&f, "Relu", "b", "a");
    refused(&f, PTQ_FORMAT, "cycle");

    start_small(&f);
    op(&f, "Relu", "c", "output");
    refused(&f, PTQ_FORMAT, "two values are named 'output'");

    start_small(&f);
    op(&f, "Relu", "nowhere", "r");
    refused(&f, PTQ_FORMAT, "'n2' (Relu): it reads 'nowhere'");

    start_small(&f);
    output(&f, "missing");
    refused(&f, PTQ_FORMAT, "graph output 'missing'");

    start_small(&f);
    f.graph.n_output = 0;
    refused(&f, PTQ_FORMAT, "no output");

    start_small(&f);
    f.nodes[0]->n_input = 1;
    refused(&f, PTQ_FORMAT, "has 1 inputs");

    start_small(&f);
    op(&f, "DequantizeLinear", "c - c", "d");
    refused(&f, PTQ_FORMAT, "'n2' (DequantizeLinear) misses its input 1");

    start_small(&f);
    f.nodes[0]->n_output = 0;
    refused(&f, PTQ_FORMAT, "no output");

    start_small(&f);
    attr_int(&f, f.nodes[0], "group", 2);
    refused(&f, PTQ_SHAPE, "'model.0.conv' (Conv)");

    start_small(&f);
    attr_int(&f, f.nodes[0], "group", INT64_MIN);
    refused(&f, PTQ_FORMAT, "'group'");

    start_small(&f);
    f.nodes[0]->attribute[0]->ints[1] = INT64_MAX;
    refused(&f, PTQ_FORMAT, "'pads'");
}

static void broken_models_are_refused(void **state)
{
    (void)state;
    file f;
    start_small(&f);
    f.opset.version = 6;
    refused(&f, PTQ_UNSUPPORTED, "opset 6");

    start_small(&f);
    f.model.n_opset_import = 0;
    refused(&f, PTQ_FORMAT, "opset");

    start_small(&f);
    f.model.graph = NULL;
    refused(&f, PTQ_FORMAT, "no graph");
}

static void broken_tensors_are_refused(void **state)
{
    (void)state;
    file f;
    start_small(&f);
    f.initializers[0]->dims[0] = INT64_MAX;
    refused(&f, PTQ_LIMIT, "too large");

    start_small(&f);
    f.initializers[0]->dims[0] = 1 << 30; /* 108 GiB claimed, 432 bytes there */
    refused(&f, PTQ_FORMAT, "constant 'model.0.conv.weight': its shape");

    start_small(&f);
    f.initializers[0]->dims[0] = -4;
    refused(&f, PTQ_FORMAT, "dimension 0 is -4");

    start_small(&f);
    f.initializers[0]->data_type = 8;
    refused(&f, PTQ_UNSUPPORTED, "element type string");

    start_small(&f);
    f.initializers[0]->has_raw_data = 0;
    refused(&f, PTQ_FORMAT, "needs 108 values, but it has 0");

    start_small(&f);
    f.initializers[1]->name = f.initializers[0]->name;
    refused(&f, PTQ_FORMAT, "two values are named 'model.0.conv.weight'");

    start_small(&f);
    longs(&f, "far", 1, (int64_t[]){1LL << 40});
    op(&f, "ConstantOfShape", "far", "big");
    op(&f, "Expand", "big far", "bigger");
    model m;
    assert_ok(import(&f, &m)); /* a shape alone costs nothing */
    drop(&m);
    finish(&f);
}

/* ---- external data ---- */

static Onnx__StringStringEntryProto *entry(file *f, const char *key, const char *text)
{
    Onnx__StringStringEntryProto *e = MAKE(f, StringStringEntryProto, string_string_entry_proto);
    e->key = arena_strdup(f->a, key);
    e->value = arena_strdup(f->a, text);
    return e;
}

static void make_external(file *f, const char *location, const char *offset)
{
    Onnx__TensorProto *t = f->initializers[1];
    t->has_raw_data = 0;
    t->has_data_location = 1;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    t->external_data = arena_alloc(f->a, 2, sizeof *t->external_data);
    t->external_data[0] = entry(f, "location", location);
    t->external_data[1] = entry(f, "offset", offset);
    t->n_external_data = 2;
    char path[700];
    snprintf(path, sizeof path, "%s/w.bin", f->dir);
    assert_ok(file_write(path, (float[]){0, 1, 2, 3, 4, 5}, 24, &err));
}

static void external_data_stays_below_the_model(void **state)
{
    (void)state;
    file f;
    model m;
    start_small(&f);
    make_external(&f, "w.bin", "8");
    assert_ok(import(&f, &m));
    const tensor *bias = graph_tensor(m.graph, graph_find_tensor(m.graph, "model.0.conv.bias"));
    assert_true(((const float *)blob_data(bias->data))[3] == 5.0f);
    drop(&m);
    finish(&f);

    const char *const outside[] = {"/etc/passwd", "../w.bin", "a/../../w.bin", ""};
    for (int i = 0; i < 4; i++) {
        start_small(&f);
        make_external(&f, outside[i], "0");
        refused(&f, PTQ_FORMAT, "outside the model's folder");
    }
    start_small(&f);
    make_external(&f, "w.bin", "12");
    refused(&f, PTQ_FORMAT, "too few");
    start_small(&f);
    make_external(&f, "w.bin", "18446744073709551615");
    refused(&f, PTQ_FORMAT, "too few");
    start_small(&f);
    make_external(&f, "w.bin", "-4");
    refused(&f, PTQ_FORMAT, "offset");
    start_small(&f);
    make_external(&f, "absent.bin", "0");
    refused(&f, PTQ_IO, "absent.bin");
}

/* ---- bytes ---- */

static ptq_status import_bytes(const char *path, const uint8_t *bytes, size_t n)
{
    model m = {0};
    assert_ok(file_write(path, bytes, n, &err));
    ptq_status status = onnx_import(path, NULL, NULL, &m, &err);
    drop(&m);
    return status;
}

static void garbage_is_refused(void **state)
{
    (void)state;
    file f;
    start(&f);
    test_rng r = {7};
    uint8_t bytes[5000];
    for (int k = 0; k < 50; k++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(test_uniform(&r) * 256);
        assert_int_not_equal(import_bytes(f.path, bytes, sizeof bytes), PTQ_OK);
    }
    assert_int_equal(import_bytes(f.path, bytes, 0), PTQ_FORMAT);
    /* A graph that says it is 2 GiB long. */
    const uint8_t half[] = "\x08\x07\x12\x07pytorch\x3a\xff\xff\xff\x7f";
    assert_int_equal(import_bytes(f.path, half, sizeof half), PTQ_FORMAT);
    assert_non_null(strstr(err.message, "at byte 12"));
    finish(&f);
}

/* TypeProto inside TypeProto inside ...: field 4 (sequence_type) holds field 1 (elem_type). */
static void deep_nesting_is_refused(void **state)
{
    (void)state;
    file f;
    start(&f);
    enum { DEPTH = 20000, ROOM = DEPTH * 10 };
    uint8_t *bytes = mem_alloc(ROOM);
    size_t at = ROOM;
    for (int i = 0; i < DEPTH; i++) {
        size_t length = ROOM - at;
        /* graph(7).input(11).type(2), then elem_type(1) and sequence_type(4) in turn */
        uint8_t key = i == DEPTH - 1   ? 7 << 3 | 2
                      : i == DEPTH - 2 ? 11 << 3 | 2
                      : i == DEPTH - 3 ? 2 << 3 | 2
                      : i % 2 == 0     ? 4 << 3 | 2
                                       : 1 << 3 | 2;
        uint8_t head[8];
        size_t n = 0;
        head[n++] = key;
        do {
            head[n++] = (uint8_t)((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
            length >>= 7;
        } while (length);
        at -= n;
        memcpy(bytes + at, head, n);
    }
    assert_int_equal(import_bytes(f.path, bytes + at, ROOM - at), PTQ_LIMIT);
    assert_non_null(strstr(err.message, "nested"));
    mem_free(bytes);
    finish(&f);
}

/* Every truncation and thousands of damaged bytes: an answer, never a crash. */
static void damage_is_survived(void **state)
{
    (void)state;
    file f;
    model m;
    start_small(&f);
    longs(&f, "to", 2, (int64_t[]){1, -1});
    op(&f, "Reshape", "output to", "flat");
    attr_int(&f, op(&f, "Softmax", "flat", "soft"), "axis", 1);
    output(&f, "soft");
    assert_ok(import(&f, &m));
    drop(&m);
    char *bytes;
    size_t n;
    assert_ok(file_read(f.path, 0, &bytes, &n, &err));
    for (size_t i = 0; i < n; i += 3)
        assert_int_not_equal(import_bytes(f.path, (uint8_t *)bytes, i), PTQ_OK);
    test_rng r = {11};
    for (int k = 0; k < 3000; k++) {
        size_t at = (size_t)(test_uniform(&r) * (double)n);
        char kept = bytes[at];
        bytes[at] = (char)(uint8_t)(test_uniform(&r) * 256);
        (void)import_bytes(f.path, (uint8_t *)bytes, n);
        bytes[at] = kept;
    }
    mem_free(bytes);
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_operators_are_listed_together),
        cmocka_unit_test(broken_graphs_are_refused),
        cmocka_unit_test(broken_models_are_refused),
        cmocka_unit_test(broken_tensors_are_refused),
        cmocka_unit_test(external_data_stays_below_the_model),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(damage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
