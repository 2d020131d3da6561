/* SPDX-License-Identifier: Apache-2.0 */
#include "model/onnx_writer.h"

#include <inttypes.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/strmap.h"
#include "formats/onnx.pb-c.h"
#include "ptq/version.h"

/* A growing list of pointers to messages. */
typedef struct list {
    void **items;
    size_t n, cap;
} list;

struct onnx_writer {
    arena *arena;
    strmap *names; /* of tensors */
    Onnx__ModelProto model;
    Onnx__GraphProto graph;
    Onnx__OperatorSetIdProto opset;
    Onnx__OperatorSetIdProto *opsets[1];
    list nodes, tensors, inputs, outputs, metadata;
    bool failed;
};

/* The first IR version that knows the opset; readers of that time can read the file. */
static int ir_version_of(int opset)
{
    return opset >= 21 ? 10 : opset >= 19 ? 9 : opset >= 15 ? 8 : 7;
}

onnx_writer *onnx_writer_create(int opset)
{
    onnx_writer *w = mem_zalloc(sizeof *w);
    if (!w)
        return NULL;
    w->arena = arena_create(0);
    w->names = strmap_create();
    if (!w->arena || !w->names) {
        onnx_writer_destroy(w);
        return NULL;
    }
    onnx__model_proto__init(&w->model);
    onnx__graph_proto__init(&w->graph);
    onnx__operator_set_id_proto__init(&w->opset);
    w->opset.domain = "";
    w->opset.has_version = 1;
    w->opset.version = opset;
    w->opsets[0] = &w->opset;
    w->model.opset_import = w->opsets;
    w->model.n_opset_import = 1;
    w->model.has_ir_version = 1;
    w->model.ir_version = ir_version_of(opset);
    w->model.producer_name = "ptq";
    w->model.producer_version = PTQ_VERSION;
    w->model.graph = &w->graph;
    w->graph.name = "ptq";
    return w;
}

void onnx_writer_destroy(onnx_writer *w)
{
    if (!w)
        return;
    list *lists[] = {&w->nodes, &w->tensors, &w->inputs, &w->outputs, &w->metadata};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        mem_free(lists[i]->items);
    strmap_destroy(w->names);
    arena_destroy(w->arena);
    mem_free(w);
}

int onnx_writer_opset(const onnx_writer *w)
{
    return (int)w->opset.version;
}

int onnx_writer_n_nodes(const onnx_writer *w)
{
    return (int)w->nodes.n;
}

/* ---- memory ---- */

static void *take(onnx_writer *w, size_t n, size_t size)
{
    void *p = w->failed ? NULL : arena_alloc(w->arena, n, size);
    w->failed = w->failed || !p;
    return p;
}

static void *copy(onnx_writer *w, const void *data, size_t n, size_t size)
{
    void *p = take(w, n, size);
    if (p && n)
        memcpy(p, data, n * size);
    return p;
}

static char *copy_text(onnx_writer *w, const char *text)
{
    return copy(w, text, strlen(text) + 1, 1);
}

static void append(onnx_writer *w, list *l, void *item)
{
    if (w->failed)
        return;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 256;
        void **grown = mem_resize(l->items, cap, sizeof *grown);
        if (!grown) {
            w->failed = true;
            return;
        }
        l->items = grown;
        l->cap = cap;
    }
    l->items[l->n++] = item;
}

const char *onnx_writer_name(onnx_writer *w, const char *base, const char *suffix)
{
    int64_t ignored;
    const char *name = arena_printf(w->arena, "%s%s", base, suffix);
    for (int i = 1; name && strmap_get(w->names, name, &ignored); i++)
        name = arena_printf(w->arena, "%s%s_%d", base, suffix, i);
    if (!name || !strmap_put(w->names, name, 1)) {
        w->failed = true;
        return "";
    }
    return name;
}

/* ---- nodes ---- */

onnx_node *onnx_writer_node(onnx_writer *w, const char *op_type, const char *name,
                            const char *const *inputs, int n_inputs, const char *output)
{
    enum { MAX_ATTRIBUTES = 8 };
    onnx_node *n = take(w, 1, sizeof *n);
    if (!n)
        return NULL;
    onnx__node_proto__init(n);
    n->op_type = copy_text(w, op_type);
    n->name = copy_text(w, name);
    n->input = take(w, (size_t)n_inputs, sizeof *n->input);
    n->attribute = take(w, MAX_ATTRIBUTES, sizeof *n->attribute);
    for (int i = 0; i < n_inputs && !w->failed; i++)
        n->input[i] = copy_text(w, inputs[i]);
    n->n_input = (size_t)n_inputs;
    onnx_node_output(w, n, output);
    append(w, &w->nodes, n);
    return w->failed ? NULL : n;
}

void onnx_node_output(onnx_writer *w, onnx_node *n, const char *output)
{
    char **grown = n ? take(w, n->n_output + 1, sizeof *grown) : NULL;
    if (!grown)
        return;
    if (n->n_output)
        memcpy(grown, n->output, n->n_output * sizeof *grown);
    grown[n->n_output++] = copy_text(w, output);
    n->output = grown;
}

static Onnx__AttributeProto *attribute(onnx_writer *w, onnx_node *n, const char *name,
                                       Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *a = n ? take(w, 1, sizeof *a) : NULL;
    if (!a)
        return NULL;
    onnx__attribute_proto__init(a);
    a->name = copy_text(w, name);
    a->has_type = 1;
    a->type = type;
    n->attribute[n->n_attribute++] = a;
    return a;
}

void onnx_node_int(onnx_writer *w, onnx_node *n, const char *name, int64_t value)
{
    Onnx__AttributeProto *a = attribute(w, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (!a)
        return;
    a->has_i = 1;
    a->i = value;
}

void onnx_node_ints(onnx_writer *w, onnx_node *n, const char *name, int count, const int *values)
{
    Onnx__AttributeProto *a = attribute(w, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    int64_t *ints = a ? take(w, (size_t)count, sizeof *ints) : NULL;
    if (!ints)
        return;
    for (int i = 0; i < count; i++)
        ints[i] = values[i];
    a->n_ints = (size_t)count;
    a->ints = ints;
}

void onnx_node_float(onnx_writer *w, onnx_node *n, const char *name, float value)
{
    Onnx__AttributeProto *a = attribute(w, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (!a)
        return;
    a->has_f = 1;
    a->f = value;
}

void onnx_node_text(onnx_writer *w, onnx_node *n, const char *name, const char *value)
{
    Onnx__AttributeProto *a = attribute(w, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    if (!a)
        return;
    a->has_s = 1;
    a->s.len = strlen(value);
    a->s.data = (uint8_t *)copy_text(w, value);
}

static Onnx__TensorProto *tensor_proto(onnx_writer *w, dtype type, const shape *s, const void *data)
{
    size_t count = 0, bytes = 0;
    Onnx__TensorProto *t = take(w, 1, sizeof *t);
    if (!t || !shape_count(s, &count) || !mem_mul(count, dtype_bytes(type), &bytes)) {
        w->failed = true;
        return NULL;
    }
    onnx__tensor_proto__init(t);
    t->n_dims = (size_t)s->rank;
    t->dims = copy(w, s->dim, (size_t)s->rank, sizeof *s->dim);
    t->has_data_type = 1;
    t->data_type = dtype_onnx(type);
    t->has_raw_data = 1;
    t->raw_data.len = bytes;
    t->raw_data.data = (uint8_t *)(uintptr_t)data; /* packing only reads it */
    return w->failed ? NULL : t;
}

void onnx_node_scalar(onnx_writer *w, onnx_node *n, const char *name, dtype type, const void *value)
{
    shape one = {.rank = 1, .dim = {1}};
    Onnx__AttributeProto *a = attribute(w, n, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR);
    const void *kept = a ? copy(w, value, 1, dtype_bytes(type)) : NULL;
    if (kept)
        a->t = tensor_proto(w, type, &one, kept);
}

/* ---- tensors ---- */

void onnx_writer_tensor(onnx_writer *w, const char *name, dtype type, const shape *s,
                        const void *data)
{
    Onnx__TensorProto *t = tensor_proto(w, type, s, data);
    if (!t)
        return;
    t->name = copy_text(w, name);
    append(w, &w->tensors, t);
}

const char *onnx_writer_ints(onnx_writer *w, const char *base, const char *suffix, int n,
                             const int64_t *values)
{
    const char *name = onnx_writer_name(w, base, suffix);
    shape s = shape_make(1, (int64_t[]){n});
    const void *kept = copy(w, values, (size_t)n, sizeof *values);
    if (kept)
        onnx_writer_tensor(w, name, DTYPE_I64, &s, kept);
    return name;
}

const char *onnx_writer_floats(onnx_writer *w, const char *base, const char *suffix, const shape *s,
                               const float *values)
{
    const char *name = onnx_writer_name(w, base, suffix);
    size_t count = 0;
    const void *kept = shape_count(s, &count) ? copy(w, values, count, sizeof *values) : NULL;
    if (kept)
        onnx_writer_tensor(w, name, DTYPE_F32, s, kept);
    return name;
}

void onnx_writer_turned(onnx_writer *w, const char *name, size_t rows, size_t columns,
                        const float *values)
{
    shape s = shape_make(2, (const int64_t[]){(int64_t)columns, (int64_t)rows});
    float *turned = take(w, rows * columns, sizeof *turned);
    if (!turned)
        return;
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < columns; k++)
            turned[k * rows + i] = values[i * columns + k];
    onnx_writer_tensor(w, name, DTYPE_F32, &s, turned);
}

void onnx_writer_halves(onnx_writer *w, const char *name, const shape *s, const float *values)
{
    size_t count = 0;
    uint16_t *halves = shape_count(s, &count) ? take(w, count, sizeof *halves) : NULL;
    for (size_t i = 0; halves && i < count; i++)
        halves[i] = half_from_float(values[i]);
    if (halves)
        onnx_writer_tensor(w, name, DTYPE_F16, s, halves);
}

/* ---- inputs, outputs, metadata ---- */

static Onnx__TensorShapeProto *shape_proto(onnx_writer *w, const shape *s, const char *open)
{
    Onnx__TensorShapeProto *p = take(w, 1, sizeof *p);
    Onnx__TensorShapeProto__Dimension **dims = take(w, (size_t)s->rank, sizeof *dims);
    if (!p || !dims)
        return NULL;
    onnx__tensor_shape_proto__init(p);
    p->n_dim = (size_t)s->rank;
    p->dim = dims;
    for (int i = 0; i < s->rank; i++) {
        Onnx__TensorShapeProto__Dimension *d = take(w, 1, sizeof *d);
        if (!d)
            return NULL;
        onnx__tensor_shape_proto__dimension__init(d);
        dims[i] = d;
        if (s->dim[i] >= 0) {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            d->dim_value = s->dim[i];
        } else if (i == 0) {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            d->dim_param = copy_text(w, open);
        }
    }
    return p;
}

void onnx_writer_port(onnx_writer *w, onnx_port port, const char *name, dtype type, const shape *s,
                      const char *open)
{
    Onnx__ValueInfoProto *v = take(w, 1, sizeof *v);
    Onnx__TypeProto *t = take(w, 1, sizeof *t);
    Onnx__TypeProto__Tensor *tt = take(w, 1, sizeof *tt);
    if (!v || !t || !tt)
        return;
    onnx__value_info_proto__init(v);
    onnx__type_proto__init(t);
    onnx__type_proto__tensor__init(tt);
    v->name = copy_text(w, name);
    v->type = t;
    t->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    t->tensor_type = tt;
    tt->has_elem_type = 1;
    tt->elem_type = dtype_onnx(type);
    tt->shape = shape_proto(w, s, open);
    append(w, port == ONNX_INPUT ? &w->inputs : &w->outputs, v);
}

static Onnx__StringStringEntryProto *entry(onnx_writer *w, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *e = take(w, 1, sizeof *e);
    if (!e)
        return NULL;
    onnx__string_string_entry_proto__init(e);
    e->key = copy_text(w, key);
    e->value = copy_text(w, value);
    return e;
}

void onnx_writer_metadata(onnx_writer *w, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *e = entry(w, key, value);
    if (e)
        append(w, &w->metadata, e);
}

/* ---- saving ---- */

typedef struct stream_buffer {
    ProtobufCBuffer base;
    FILE *stream;
} stream_buffer;

static void stream_append(ProtobufCBuffer *buffer, size_t n, const uint8_t *data)
{
    stream_buffer *b = (stream_buffer *)buffer;
    if (n)
        (void)!fwrite(data, 1, n, b->stream); /* committing checks the stream's error flag */
}

static void assemble(onnx_writer *w)
{
    w->graph.node = (Onnx__NodeProto **)w->nodes.items;
    w->graph.n_node = w->nodes.n;
    w->graph.initializer = (Onnx__TensorProto **)w->tensors.items;
    w->graph.n_initializer = w->tensors.n;
    w->graph.input = (Onnx__ValueInfoProto **)w->inputs.items;
    w->graph.n_input = w->inputs.n;
    w->graph.output = (Onnx__ValueInfoProto **)w->outputs.items;
    w->graph.n_output = w->outputs.n;
    w->model.metadata_props = (Onnx__StringStringEntryProto **)w->metadata.items;
    w->model.n_metadata_props = w->metadata.n;
}

static ptq_status save_model(onnx_writer *w, const char *path, ptq_error *err)
{
    size_t size = onnx__model_proto__get_packed_size(&w->model);
    if (size > INT32_MAX)
        return error_set(err, PTQ_LIMIT,
                         "'%s' would have %zu bytes, but an ONNX file has at most 2 GiB", path,
                         size);
    file_out out;
    PTQ_TRY(file_out_open(&out, path, err));
    stream_buffer buffer = {{stream_append}, out.stream};
    onnx__model_proto__pack_to_buffer(&w->model, &buffer.base);
    ptq_status status = file_out_commit(&out, err);
    file_out_abort(&out);
    return status;
}

/* The tensor's bytes stand in the file `name` beside the model. */
static void refer(onnx_writer *w, Onnx__TensorProto *t, const char *name, uint64_t offset)
{
    char from[24], length[24];
    snprintf(from, sizeof from, "%" PRIu64, offset);
    snprintf(length, sizeof length, "%zu", t->raw_data.len);
    Onnx__StringStringEntryProto **entries = take(w, 3, sizeof *entries);
    if (!entries)
        return;
    entries[0] = entry(w, "location", name);
    entries[1] = entry(w, "offset", from);
    entries[2] = entry(w, "length", length);
    t->external_data = entries;
    t->n_external_data = 3;
    t->has_data_location = 1;
    t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    t->has_raw_data = 0;
}

static void move_out(onnx_writer *w, const char *name, FILE *data)
{
    enum { LEAST = 1024, ALIGN = 64 }; /* bytes worth moving; where a tensor may begin */
    static const char zeros[ALIGN];
    uint64_t at = 0;
    for (size_t i = 0; i < w->tensors.n; i++) {
        Onnx__TensorProto *t = w->tensors.items[i];
        if (t->raw_data.len < LEAST)
            continue;
        size_t gap = (ALIGN - at % ALIGN) % ALIGN;
        (void)!fwrite(zeros, 1, gap, data); /* committing checks the stream's error flag */
        (void)!fwrite(t->raw_data.data, 1, t->raw_data.len, data);
        refer(w, t, name, at + gap);
        at += gap + t->raw_data.len;
    }
}

static ptq_status save_apart(onnx_writer *w, const char *path, ptq_error *err)
{
    const char *data_path = arena_printf(w->arena, "%s.data", path);
    if (!data_path)
        return error_no_memory(err, strlen(path), "a path");
    file_out data;
    PTQ_TRY(file_out_open(&data, data_path, err));
    move_out(w, path_base(data_path), data.stream);
    ptq_status status = w->failed ? error_no_memory(err, arena_used(w->arena), "an ONNX file")
                                  : file_out_commit(&data, err);
    file_out_abort(&data);
    return status == PTQ_OK ? save_model(w, path, err) : status;
}

ptq_status onnx_writer_save(onnx_writer *w, const char *path, size_t most_bytes, ptq_error *err)
{
    if (w->failed)
        return error_no_memory(err, arena_used(w->arena), "an ONNX file");
    assemble(w);
    return onnx__model_proto__get_packed_size(&w->model) > most_bytes ? save_apart(w, path, err)
                                                                      : save_model(w, path, err);
}
