/* SPDX-License-Identifier: Apache-2.0 */
/* .onnx -> graph. The operators are read in onnx_import_ops.c and onnx_import_window.c. */
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/onnx_importer.h"
#include "model/onnx_tensor.h"
#include "model/pt_convert.h"

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static bool is_constant_node(const Onnx__NodeProto *n)
{
    return onnx_is_default_domain(n->domain) && strcmp(text_or_empty(n->op_type), "Constant") == 0;
}

/* ---- operators we do not have, all of them in one sentence ---- */

/* "Foo (3 nodes, first 'x')" for one operator type, counted from node `first` on. */
static void add_unknown(str *list, const Onnx__GraphProto *src, size_t first)
{
    const Onnx__NodeProto *n = src->node[first];
    int count = 0;
    for (size_t i = first; i < src->n_node; i++)
        count += strcmp(text_or_empty(src->node[i]->op_type), text_or_empty(n->op_type)) == 0 &&
                 strcmp(text_or_empty(src->node[i]->domain), text_or_empty(n->domain)) == 0;
    str_add(list, list->len ? ", " : "");
    if (!onnx_is_default_domain(n->domain))
        str_addf(list, "%s:", n->domain);
    str_addf(list, "%s (%d node%s, first '%s')", text_or_empty(n->op_type), count,
             count == 1 ? "" : "s", text_or_empty(n->name));
}

static ptq_status check_operators(const onnx_importer *im, ptq_error *err)
{
    str list = STR_INIT;
    int n_types = 0;
    strmap *seen = strmap_create();
    if (!seen)
        return error_no_memory(err, 0, "operator names");
    for (size_t i = 0; i < im->src->n_node; i++) {
        const Onnx__NodeProto *n = im->src->node[i];
        int64_t ignored;
        if (is_constant_node(n) || onnx_op_known(n))
            continue;
        str key = STR_INIT;
        str_addf(&key, "%s:%s", text_or_empty(n->domain), text_or_empty(n->op_type));
        if (!strmap_get(seen, str_text(&key), &ignored)) {
            if (++n_types <= 12)
                add_unknown(&list, im->src, i);
            (void)strmap_put(seen, str_text(&key), 1);
        }
        str_clear(&key);
    }
    strmap_destroy(seen);
    ptq_status status = PTQ_OK;
    if (n_types > 12)
        str_addf(&list, " and %d more", n_types - 12);
    if (n_types)
        status = error_set(err, PTQ_UNSUPPORTED, "operators not supported: %s", str_text(&list));
    str_clear(&list);
    return status;
}

/* ---- names and constants ---- */

static ptq_status claim_name(onnx_importer *im, const char *name, int64_t value, ptq_error *err)
{
    int64_t other;
    if (strmap_get(im->names, name, &other))
        return error_set(err, PTQ_FORMAT, "two values are named '%s'", name);
    if (!strmap_put(im->names, name, value))
        return error_no_memory(err, strlen(name), "a name");
    return PTQ_OK;
}

static ptq_status add_constant(onnx_importer *im, onnx_constant c, ptq_error *err)
{
    if (!c.name || !*c.name)
        return error_set(err, PTQ_FORMAT, "an initializer has no name");
    PTQ_TRY(claim_name(im, c.name, im->n_constants, err));
    c.id = TENSOR_NONE;
    im->constants[im->n_constants++] = c;
    return PTQ_OK;
}

static ptq_status index_constant_node(onnx_importer *im, const Onnx__NodeProto *n, ptq_error *err)
{
    if (n->n_output != 1 || n->n_attribute < 1)
        return error_set(err, PTQ_FORMAT, "a Constant node ('%s') has %zu outputs and %zu values",
                         text_or_empty(n->name), n->n_output, n->n_attribute);
    const Onnx__AttributeProto *a = n->attribute[0];
    onnx_constant c = {.name = n->output[0], .tensor = a->t, .value = a};
    if (a->sparse_tensor || a->n_strings || a->has_s)
        return error_set(err, PTQ_UNSUPPORTED,
                         "Constant '%s' holds strings or a sparse tensor; neither is supported",
                         c.name);
    return add_constant(im, c, err);
}

static ptq_status index_values(onnx_importer *im, ptq_error *err)
{
    const Onnx__GraphProto *src = im->src;
    im->constants = mem_array(src->n_initializer + src->n_node, sizeof *im->constants);
    if (!im->constants)
        return error_no_memory(err, src->n_initializer + src->n_node, "constants");
    if (src->n_sparse_initializer)
        return error_set(err, PTQ_UNSUPPORTED, "sparse initializers are not supported");
    for (size_t i = 0; i < src->n_initializer; i++) {
        const Onnx__TensorProto *t = src->initializer[i];
        PTQ_TRY(add_constant(im, (onnx_constant){.name = t->name, .tensor = t}, err));
    }
    for (size_t i = 0; i < src->n_node; i++) {
        const Onnx__NodeProto *n = src->node[i];
        if (is_constant_node(n)) {
            PTQ_TRY(index_constant_node(im, n, err));
            continue;
        }
        for (size_t k = 0; k < n->n_output; k++) {
            if (!*n->output[k])
                continue;
            PTQ_TRY(claim_name(im, n->output[k], -1, err));
            if (!strmap_put(im->producers, n->output[k], (int64_t)i))
                return error_no_memory(err, 0, "a name");
        }
    }
    return PTQ_OK;
}

/* Operators that a weight may pass on its way to the layer that uses it. */
static bool passes_weights(const char *op_type)
{
    static const char *const types[] = {
        "DequantizeLinear", "QuantizeLinear", "Identity", "Cast",
        "Transpose",        "Reshape",        "Squeeze",  "Unsqueeze"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(op_type, types[i]) == 0)
            return true;
    return false;
}

onnx_constant *onnx_find_constant(const onnx_importer *im, const char *tensor_name)
{
    for (int steps = 0; steps < 8; steps++) {
        int64_t index;
        if (!strmap_get(im->names, tensor_name, &index))
            return NULL;
        if (index >= 0)
            return &im->constants[index];
        if (!strmap_get(im->producers, tensor_name, &index))
            return NULL;
        const Onnx__NodeProto *n = im->src->node[index];
        if (!passes_weights(text_or_empty(n->op_type)) || n->n_input < 1)
            return NULL;
        tensor_name = n->input[0];
    }
    return NULL;
}

/* value_float, value_floats, value_int, value_ints of a Constant node. */
static ptq_status add_plain_value(onnx_importer *im, const onnx_constant *c, tensor_id *id,
                                  ptq_error *err)
{
    const Onnx__AttributeProto *a = c->value;
    shape scalar = {.rank = 0}, floats = {1, {(int64_t)a->n_floats}},
          ints = {1, {(int64_t)a->n_ints}};
    if (a->has_f)
        return graph_add_const_copy(im->g, c->name, DTYPE_F32, &scalar, &a->f, id, err);
    if (a->has_i)
        return graph_add_const_copy(im->g, c->name, DTYPE_I64, &scalar, &a->i, id, err);
    if (a->n_floats)
        return graph_add_const_copy(im->g, c->name, DTYPE_F32, &floats, a->floats, id, err);
    return graph_add_const_copy(im->g, c->name, DTYPE_I64, &ints, a->ints, id, err);
}

ptq_status onnx_constant_shape(const onnx_constant *c, shape *s, ptq_error *err)
{
    if (c->tensor)
        return onnx_tensor_shape(c->tensor, s, err);
    size_t n = c->value->n_floats + c->value->n_ints;
    *s = n ? shape_make(1, (int64_t[]){(int64_t)n}) : (shape){.rank = 0};
    return PTQ_OK;
}

static ptq_status add_constant_tensor(onnx_importer *im, onnx_constant *c, ptq_error *err)
{
    if (!c->tensor)
        return add_plain_value(im, c, &c->id, err);
    onnx_values v = {0};
    ptq_status status = onnx_tensor_read(c->tensor, im->dir, im->max_bytes, &v, err);
    if (status == PTQ_OK)
        status = graph_add_const(im->g, c->name, v.type, &v.shape, v.data, &c->id, err);
    blob_unref(&v.data);
    if (status != PTQ_OK)
        error_context(err, "constant '%s'", c->name);
    return status;
}

ptq_status onnx_resolve(onnx_importer *im, const char *name, tensor_id *id, ptq_error *err)
{
    int64_t index;
    *id = TENSOR_NONE;
    if (!*name)
        return PTQ_OK;
    if (strmap_get(im->names, name, &index) && index >= 0) {
        onnx_constant *c = &im->constants[index];
        if (c->id == TENSOR_NONE)
            PTQ_TRY(add_constant_tensor(im, c, err));
        *id = c->id;
        return PTQ_OK;
    }
    *id = graph_find_tensor(im->g, name);
    if (*id == TENSOR_NONE)
        return error_set(err, PTQ_FORMAT, "it reads '%s', which nothing in the file makes", name);
    return PTQ_OK;
}

ptq_status onnx_add_ints(onnx_importer *im, const char *node_name, onnx_ints ints, tensor_id *id,
                         ptq_error *err)
{
    str base = STR_INIT;
    str_addf(&base, "%s.%s", node_name, ints.what);
    const char *name = str_ok(&base) ? graph_unique_name(im->g, str_text(&base)) : NULL;
    str_clear(&base);
    if (!name)
        return error_no_memory(err, strlen(node_name), "a name");
    shape s = shape_make(1, (int64_t[]){ints.n});
    return graph_add_const_copy(im->g, name, DTYPE_I64, &s, ints.values, id, err);
}

ptq_status onnx_set_pending(onnx_importer *im, const node *n, onnx_pending what, ptq_error *err)
{
    if (!strmap_put(im->pending, n->name, what))
        return error_no_memory(err, strlen(n->name), "a name");
    return PTQ_OK;
}

/* ---- inputs, nodes, outputs ---- */

/* Dimensions that are named, missing, or not positive are unknown. */
static ptq_status input_shape(const Onnx__TypeProto__Tensor *t, shape *s, ptq_error *err)
{
    if (!t->shape)
        return error_set(err, PTQ_UNSUPPORTED, "its shape is not given");
    if (t->shape->n_dim > SHAPE_MAX_RANK)
        return error_set(err, PTQ_UNSUPPORTED, "it has %zu dimensions, at most %d", t->shape->n_dim,
                         SHAPE_MAX_RANK);
    shape made = {.rank = (int)t->shape->n_dim};
    for (int i = 0; i < made.rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i];
        bool given = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        made.dim[i] = given && d->dim_value > 0 ? d->dim_value : -1;
    }
    *s = made;
    return PTQ_OK;
}

static ptq_status add_input(onnx_importer *im, const Onnx__ValueInfoProto *v, ptq_error *err)
{
    if (!v->type || v->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return error_set(err, PTQ_UNSUPPORTED, "it is no tensor");
    dtype type;
    shape s;
    tensor_id id;
    PTQ_TRY(onnx_graph_type(v->type->tensor_type->elem_type, &type, err));
    PTQ_TRY(input_shape(v->type->tensor_type, &s, err));
    PTQ_TRY(claim_name(im, v->name, -1, err));
    PTQ_TRY(graph_add_tensor(im->g, v->name, type, &s, &id, err));
    return graph_add_input(im->g, id, err);
}

/* Before IR version 4, initializers are listed as inputs too. */
static ptq_status add_inputs(onnx_importer *im, ptq_error *err)
{
    for (size_t i = 0; i < im->src->n_input; i++) {
        const Onnx__ValueInfoProto *v = im->src->input[i];
        int64_t index;
        if (!v->name || !*v->name)
            return error_set(err, PTQ_FORMAT, "input %zu has no name", i);
        if (strmap_get(im->names, v->name, &index) && index >= 0)
            continue;
        ptq_status status = add_input(im, v, err);
        if (status != PTQ_OK) {
            error_context(err, "input '%s'", v->name);
            return status;
        }
    }
    if (graph_n_inputs(im->g) == 0)
        return error_set(err, PTQ_FORMAT, "the graph has no input");
    return PTQ_OK;
}

/* Tensors for what nodes compute. An output without a name is not wanted; the first must be. */
static ptq_status add_results(onnx_importer *im, ptq_error *err)
{
    shape unknown = shape_make(1, (int64_t[]){-1});
    for (size_t i = 0; i < im->src->n_node; i++) {
        const Onnx__NodeProto *n = im->src->node[i];
        if (is_constant_node(n))
            continue;
        size_t n_kept = (size_t)onnx_n_outputs(n);
        for (size_t k = 0; k < n_kept && k < n->n_output; k++) {
            tensor_id id;
            if (!*n->output[k] && k > 0 && strcmp(n->op_type, "Split") != 0)
                continue;
            if (!*n->output[k])
                return error_set(err, PTQ_FORMAT, "output %zu of node '%s' (%s) has no name", k,
                                 im->node_names[i], n->op_type);
            PTQ_TRY(graph_add_tensor(im->g, n->output[k], DTYPE_F32, &unknown, &id, err));
        }
    }
    return PTQ_OK;
}

static ptq_status fill_node(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    if (src->n_output < 1)
        return error_set(err, PTQ_FORMAT, "it has no output");
    if (src->n_input > INT32_MAX || src->n_output > INT32_MAX)
        return error_set(err, PTQ_LIMIT, "it has too many inputs or outputs");
    n->inputs = arena_alloc(im->file.arena, src->n_input + ONNX_SPARE_INPUTS, sizeof *n->inputs);
    n->outputs = arena_alloc(im->file.arena, src->n_output, sizeof *n->outputs);
    if (!n->inputs || !n->outputs)
        return error_no_memory(err, src->n_input + src->n_output, "a node");
    n->n_inputs = (int)src->n_input;
    for (size_t i = 0; i < src->n_input; i++)
        PTQ_TRY(onnx_resolve(im, src->input[i], &n->inputs[i], err));
    n->n_outputs = onnx_n_outputs(src);
    for (int i = 0; i < n->n_outputs; i++)
        n->outputs[i] = *src->output[i] ? graph_find_tensor(im->g, src->output[i]) : TENSOR_NONE;
    PTQ_TRY(onnx_read_node(im, src, n, err));
    while (n->n_inputs > 0 && n->inputs[n->n_inputs - 1] == TENSOR_NONE)
        n->n_inputs--;
    return PTQ_OK;
}

static ptq_status add_nodes(onnx_importer *im, ptq_error *err)
{
    for (size_t i = 0; i < im->src->n_node; i++) {
        const Onnx__NodeProto *src = im->src->node[i];
        if (is_constant_node(src))
            continue;
        PTQ_TRY(env_check_cancel(im->env, err));
        node n = {.name = im->node_names[i]};
        ptq_status status = fill_node(im, src, &n, err);
        if (status != PTQ_OK) {
            error_context(err, "node '%s' (%s)", n.name, src->op_type);
            return status;
        }
        PTQ_TRY(graph_add_node(im->g, &n, NULL, err));
    }
    return PTQ_OK;
}

static ptq_status add_outputs(onnx_importer *im, ptq_error *err)
{
    for (size_t i = 0; i < im->src->n_output; i++) {
        const char *name = text_or_empty(im->src->output[i]->name);
        tensor_id id;
        ptq_status status = onnx_resolve(im, name, &id, err);
        if (status != PTQ_OK || id == TENSOR_NONE)
            return error_set(err, PTQ_FORMAT, "nothing in the file makes the graph output '%s'",
                             name);
        PTQ_TRY(graph_add_output(im->g, id, err));
    }
    if (graph_n_outputs(im->g) == 0)
        return error_set(err, PTQ_FORMAT, "the graph has no output");
    return PTQ_OK;
}

static ptq_status build(onnx_importer *im, ptq_error *err)
{
    PTQ_TRY(check_operators(im, err));
    PTQ_TRY(index_values(im, err));
    PTQ_TRY(onnx_name_nodes(im, err));
    PTQ_TRY(add_inputs(im, err));
    PTQ_TRY(add_results(im, err));
    PTQ_TRY(add_nodes(im, err));
    PTQ_TRY(add_outputs(im, err));
    PTQ_TRY(graph_tidy(im->g, err));
    PTQ_TRY(onnx_settle(im, err));
    return graph_verify(im->g, err);
}

static ptq_status open_importer(const char *path, const model_options *options, onnx_importer *im,
                                ptq_error *err)
{
    size_t max_depth = options && options->max_depth ? options->max_depth : 1000;
    onnx_limits limits = {.max_bytes = im->max_bytes,
                          .max_depth = max_depth < 100 ? (int)max_depth : 100};
    PTQ_TRY(onnx_file_open(path, &limits, &im->file, err));
    im->src = im->file.model->graph;
    im->dir = path_dir(path);
    im->names = strmap_create();
    im->producers = strmap_create();
    im->pending = strmap_create();
    im->node_names = arena_alloc(im->file.arena, im->src->n_node, sizeof *im->node_names);
    if (!im->dir || !im->names || !im->producers || !im->pending || !im->node_names)
        return error_no_memory(err, im->src->n_node, "an ONNX file");
    return graph_create(&im->g, err);
}

static void close_importer(onnx_importer *im)
{
    graph_destroy(im->g);
    strmap_destroy(im->names);
    strmap_destroy(im->producers);
    strmap_destroy(im->pending);
    mem_free(im->constants);
    mem_free(im->dir);
    onnx_file_close(&im->file);
}

/* Constants may hold infinities where they are bounds or masks, but not in what is multiplied. */
static ptq_status check_weights(const graph *g, ptq_error *err)
{
    for (int i = 0; i < graph_n_nodes(g); i++) {
        const node *n = graph_node_const(g, (node_id)i);
        bool is_weighted = n->op == GRAPH_OP_CONV || n->op == GRAPH_OP_CONV_TRANSPOSE ||
                           n->op == GRAPH_OP_GEMM || n->op == GRAPH_OP_MATMUL ||
                           n->op == GRAPH_OP_BATCH_NORM;
        for (int j = 1; is_weighted && j < n->n_inputs; j++) {
            size_t count;
            if (n->inputs[j] == TENSOR_NONE)
                continue;
            const tensor *t = graph_tensor_const(g, n->inputs[j]);
            if (t->data && t->type == DTYPE_F32 && shape_count(&t->shape, &count) &&
                !pt_all_finite(blob_data(t->data), count))
                return error_set(err, PTQ_FORMAT,
                                 "weight '%s' holds NaN or infinity; the training that made it "
                                 "diverged, take an earlier checkpoint",
                                 t->name);
        }
    }
    return PTQ_OK;
}

ptq_status onnx_import(const char *path, const model_options *options, const ptq_env *env, model *m,
                       ptq_error *err)
{
    onnx_importer im = {.env = env};
    im.max_bytes = options && options->max_bytes ? options->max_bytes : (size_t)4 << 30;
    ptq_status status = open_importer(path, options, &im, err);
    if (status == PTQ_OK)
        status = onnx_cut_nms(&im, m, err);
    if (status == PTQ_OK)
        status = build(&im, err);
    if (status == PTQ_OK)
        status = check_weights(im.g, err);
    if (status == PTQ_OK)
        status = onnx_describe(&im, m, err);
    if (status == PTQ_OK) {
        m->format = MODEL_ONNX;
        m->graph = im.g;
        im.g = NULL;
    } else {
        error_context(err, "cannot read '%s' as ONNX", path);
    }
    close_importer(&im);
    return status;
}
