/* SPDX-License-Identifier: Apache-2.0 */
/* tests/unit/model/onnx_build.h — small ONNX files, made message by message, for the tests of the
 * importer. start() ... import() ... finish(); what is made lives in the file's arena.
 */
#ifndef ONNX_BUILD_H
#define ONNX_BUILD_H

#include "test.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "formats/onnx.pb-c.h"
#include "model/model.h"

static ptq_error err;

static inline void drop(model *m)
{
    graph_destroy(m->graph);
    for (int i = 0; m->class_names && i < m->n_classes; i++)
        mem_free(m->class_names[i]);
    mem_free(m->class_names);
    for (char **p = m->metadata; p && *p; p++)
        mem_free(*p);
    mem_free(m->metadata);
    *m = (model){0};
}

enum { MAX = 32 };

typedef struct file {
    arena *a;
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opset;
    Onnx__OperatorSetIdProto *opsets[1];
    Onnx__NodeProto *nodes[MAX];
    Onnx__TensorProto *initializers[MAX];
    Onnx__ValueInfoProto *inputs[MAX], *outputs[MAX];
    char dir[512];
    char path[600];
} file;

#define MAKE(f, Type, type) make((f)->a, sizeof(Onnx__##Type), onnx__##type##__init_void)
#define INIT(Type, type)                                                                           \
    static inline void onnx__##type##__init_void(void *p)                                          \
    {                                                                                              \
        onnx__##type##__init(p);                                                                   \
    }
INIT(NodeProto, node_proto)
INIT(TensorProto, tensor_proto)
INIT(ValueInfoProto, value_info_proto)
INIT(AttributeProto, attribute_proto)
INIT(TypeProto, type_proto)
INIT(TypeProto__Tensor, type_proto__tensor)
INIT(TensorShapeProto, tensor_shape_proto)
INIT(TensorShapeProto__Dimension, tensor_shape_proto__dimension)
INIT(StringStringEntryProto, string_string_entry_proto)

static inline void *make(arena *a, size_t size, void (*init)(void *))
{
    void *p = arena_alloc(a, 1, size);
    init(p);
    return p;
}

static inline void start(file *f)
{
    memset(f, 0, sizeof *f);
    f->a = arena_create(0);
    onnx__model_proto__init(&f->model);
    onnx__graph_proto__init(&f->graph);
    onnx__operator_set_id_proto__init(&f->opset);
    f->model.graph = &f->graph;
    f->model.has_ir_version = 1;
    f->model.ir_version = 7;
    f->opset.has_version = 1;
    f->opset.version = 13;
    f->opsets[0] = &f->opset;
    f->model.opset_import = f->opsets;
    f->model.n_opset_import = 1;
    f->graph.node = f->nodes;
    f->graph.initializer = f->initializers;
    f->graph.input = f->inputs;
    f->graph.output = f->outputs;
    test_temp_dir(f->dir);
    snprintf(f->path, sizeof f->path, "%s/m.onnx", f->dir);
}

static inline void finish(file *f)
{
    test_temp_remove(f->dir);
    arena_destroy(f->a);
}

/* Names separated by blanks; "-" is the empty name. */
static inline char **words(file *f, const char *text, size_t *n)
{
    char **list = arena_alloc(f->a, MAX, sizeof *list);
    *n = 0;
    while (*text) {
        size_t length = strcspn(text, " ");
        list[(*n)++] = *text == '-' ? arena_strdup(f->a, "") : arena_strndup(f->a, text, length);
        text += length + (text[length] == ' ');
    }
    return list;
}

static inline Onnx__NodeProto *op(file *f, const char *type, const char *inputs,
                                  const char *outputs)
{
    Onnx__NodeProto *n = MAKE(f, NodeProto, node_proto);
    n->op_type = arena_strdup(f->a, type);
    n->name = arena_printf(f->a, "n%zu", f->graph.n_node);
    n->input = words(f, inputs, &n->n_input);
    n->output = words(f, outputs, &n->n_output);
    n->attribute = arena_alloc(f->a, MAX, sizeof *n->attribute);
    f->nodes[f->graph.n_node++] = n;
    return n;
}

static inline Onnx__AttributeProto *attr(file *f, Onnx__NodeProto *n, const char *name)
{
    Onnx__AttributeProto *a = MAKE(f, AttributeProto, attribute_proto);
    a->name = arena_strdup(f->a, name);
    n->attribute[n->n_attribute++] = a;
    return a;
}

static inline void attr_int(file *f, Onnx__NodeProto *n, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = attr(f, n, name);
    a->has_i = 1;
    a->i = value;
}

static inline void attr_ints(file *f, Onnx__NodeProto *n, const char *name, size_t count,
                             const int64_t *values)
{
    Onnx__AttributeProto *a = attr(f, n, name);
    a->n_ints = count;
    a->ints = arena_alloc(f->a, count, sizeof *values);
    memcpy(a->ints, values, count * sizeof *values);
}

static inline void attr_text(file *f, Onnx__NodeProto *n, const char *name, const char *text)
{
    Onnx__AttributeProto *a = attr(f, n, name);
    a->has_s = 1;
    a->s.data = (uint8_t *)arena_strdup(f->a, text);
    a->s.len = strlen(text);
}

static inline Onnx__TensorProto *constant(file *f, const char *name, int type, size_t rank,
                                          const int64_t *dims)
{
    Onnx__TensorProto *t = MAKE(f, TensorProto, tensor_proto);
    t->name = arena_strdup(f->a, name);
    t->has_data_type = 1;
    t->data_type = type;
    t->n_dims = rank;
    t->dims = arena_alloc(f->a, rank, sizeof *dims);
    for (size_t i = 0; i < rank; i++)
        t->dims[i] = dims[i];
    f->initializers[f->graph.n_initializer++] = t;
    return t;
}

static inline void raw(file *f, Onnx__TensorProto *t, const void *data, size_t bytes)
{
    t->has_raw_data = 1;
    t->raw_data.len = bytes;
    t->raw_data.data = arena_alloc(f->a, bytes + 1, 1);
    if (data)
        memcpy(t->raw_data.data, data, bytes);
}

static inline void floats(file *f, const char *name, size_t rank, const int64_t *dims)
{
    size_t count = 1;
    for (size_t i = 0; i < rank; i++)
        count *= (size_t)dims[i];
    raw(f, constant(f, name, 1, rank, dims), NULL, count * 4);
}

static inline void longs(file *f, const char *name, size_t n, const int64_t *values)
{
    int64_t dims[1] = {(int64_t)n};
    raw(f, constant(f, name, 7, 1, dims), values, n * sizeof *values);
}

static inline Onnx__ValueInfoProto *value(file *f, const char *name, size_t rank,
                                          const int64_t *dims)
{
    Onnx__ValueInfoProto *v = MAKE(f, ValueInfoProto, value_info_proto);
    Onnx__TypeProto__Tensor *t = MAKE(f, TypeProto__Tensor, type_proto__tensor);
    v->name = arena_strdup(f->a, name);
    v->type = MAKE(f, TypeProto, type_proto);
    v->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    v->type->tensor_type = t;
    t->has_elem_type = 1;
    t->elem_type = 1;
    t->shape = MAKE(f, TensorShapeProto, tensor_shape_proto);
    t->shape->dim = arena_alloc(f->a, rank, sizeof *t->shape->dim);
    t->shape->n_dim = rank;
    for (size_t i = 0; i < rank; i++) {
        Onnx__TensorShapeProto__Dimension *d =
            MAKE(f, TensorShapeProto__Dimension, tensor_shape_proto__dimension);
        d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        d->dim_value = dims[i];
        t->shape->dim[i] = d;
    }
    return v;
}

static inline void input(file *f, const char *name, size_t rank, const int64_t *dims)
{
    f->inputs[f->graph.n_input++] = value(f, name, rank, dims);
}

static inline void output(file *f, const char *name)
{
    f->outputs[f->graph.n_output++] = value(f, name, 0, NULL);
}

static inline void save(file *f)
{
    size_t size = onnx__model_proto__get_packed_size(&f->model);
    uint8_t *bytes = arena_alloc(f->a, size + 1, 1);
    onnx__model_proto__pack(&f->model, bytes);
    assert_ok(file_write(f->path, bytes, size, &err));
}

static inline ptq_status import(file *f, model *m)
{
    save(f);
    *m = (model){0};
    return onnx_import(f->path, NULL, NULL, m, &err);
}

static inline void refused(file *f, ptq_status status, const char *words_of_message)
{
    model m;
    assert_status(import(f, &m), status);
    if (!strstr(err.message, words_of_message))
        fail_msg("'%s' does not say '%s'", err.message, words_of_message);
    assert_null(m.graph);
    drop(&m);
    finish(f);
}

#define IMAGE                                                                                      \
    4, (int64_t[])                                                                                 \
    {                                                                                              \
        1, 3, 8, 8                                                                                 \
    }

/* images -> Conv(model.0.conv) -> Relu -> output */
static inline Onnx__NodeProto *start_small(file *f)
{
    start(f);
    input(f, "images", IMAGE);
    floats(f, "model.0.conv.weight", 4, (int64_t[]){4, 3, 3, 3});
    floats(f, "model.0.conv.bias", 1, (int64_t[]){4});
    Onnx__NodeProto *conv = op(f, "Conv", "images model.0.conv.weight model.0.conv.bias", "c");
    attr_ints(f, conv, "pads", 4, (int64_t[]){1, 1, 1, 1});
    op(f, "Relu", "c", "output");
    output(f, "output");
    return conv;
}

#endif
