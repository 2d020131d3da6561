/* SPDX-License-Identifier: Apache-2.0 */
/* Names of layers, and what the file says about itself. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/onnx_importer.h"

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

/* Operators whose second input is a weight. */
static bool is_weighted(const Onnx__NodeProto *n)
{
    static const char *const types[] = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(text_or_empty(n->op_type), types[i]) == 0)
            return n->n_input >= 2;
    return false;
}

/* ---- names ---- */

static ptq_status take_name(onnx_importer *im, strmap *used, size_t i, const char *base,
                            ptq_error *err)
{
    int64_t ignored;
    const char *name = base;
    for (int k = 1; name && strmap_get(used, name, &ignored); k++)
        name = arena_printf(im->file.arena, "%s_%d", base, k);
    if (!name || !strmap_put(used, name, 1))
        return error_no_memory(err, strlen(base), "a name");
    im->node_names[i] = name;
    return PTQ_OK;
}

/* The weight's name without the last part; NULL when there is no weight or no dot in its name. */
static const char *layer_name(const onnx_importer *im, const Onnx__NodeProto *n)
{
    const onnx_constant *c = is_weighted(n) ? onnx_find_constant(im, n->input[1]) : NULL;
    const char *dot = c ? strrchr(c->name, '.') : NULL;
    return dot && dot > c->name ? arena_strndup(im->file.arena, c->name, (size_t)(dot - c->name))
                                : NULL;
}

static const char *plain_name(const onnx_importer *im, size_t i)
{
    const Onnx__NodeProto *n = im->src->node[i];
    if (n->name && *n->name)
        return n->name;
    return arena_printf(im->file.arena, "%s_%zu", text_or_empty(n->op_type), i);
}

static ptq_status name_nodes(onnx_importer *im, strmap *used, ptq_error *err)
{
    for (size_t i = 0; i < im->src->n_node; i++) {
        const char *name = layer_name(im, im->src->node[i]);
        int64_t ignored;
        if (name && !strmap_get(used, name, &ignored))
            PTQ_TRY(take_name(im, used, i, name, err));
    }
    for (size_t i = 0; i < im->src->n_node; i++) {
        const char *name = im->node_names[i] ? NULL : plain_name(im, i);
        if (name)
            PTQ_TRY(take_name(im, used, i, name, err));
        else if (!im->node_names[i])
            return error_no_memory(err, 0, "a name");
    }
    return PTQ_OK;
}

ptq_status onnx_name_nodes(onnx_importer *im, ptq_error *err)
{
    strmap *used = strmap_create();
    if (!used)
        return error_no_memory(err, 0, "names");
    ptq_status status = name_nodes(im, used, err);
    strmap_destroy(used);
    return status;
}

/* ---- parameters ---- */

static void count_once(const onnx_importer *im, const char *tensor_name, bool *counted,
                       int64_t *sum)
{
    const onnx_constant *c = onnx_find_constant(im, tensor_name);
    shape s;
    size_t n;
    if (!c || counted[c - im->constants] || onnx_constant_shape(c, &s, NULL) != PTQ_OK ||
        !shape_count(&s, &n))
        return;
    counted[c - im->constants] = true;
    *sum += (int64_t)n;
}

/* Weights and biases of weighted layers, scale and shift of normalizations; each constant once. */
static ptq_status count_parameters(const onnx_importer *im, int64_t *sum, ptq_error *err)
{
    bool *counted = mem_array((size_t)im->n_constants, sizeof *counted);
    if (!counted)
        return error_no_memory(err, (size_t)im->n_constants, "counting parameters");
    *sum = 0;
    for (size_t i = 0; i < im->src->n_node; i++) {
        const Onnx__NodeProto *n = im->src->node[i];
        bool is_norm = strcmp(text_or_empty(n->op_type), "BatchNormalization") == 0;
        if (!is_norm && !is_weighted(n))
            continue;
        for (size_t k = 1; k < 3 && k < n->n_input; k++)
            count_once(im, n->input[k], counted, sum);
    }
    mem_free(counted);
    return PTQ_OK;
}

/* ---- metadata ---- */

static const char *metadata(const onnx_importer *im, const char *key)
{
    const Onnx__ModelProto *m = im->file.model;
    for (size_t i = 0; i < m->n_metadata_props; i++)
        if (m->metadata_props[i]->key && strcmp(m->metadata_props[i]->key, key) == 0)
            return m->metadata_props[i]->value;
    return NULL;
}

static void free_list(char **list)
{
    for (char **p = list; p && *p; p++)
        mem_free(*p);
    mem_free(list);
}

static ptq_status copy_metadata(const onnx_importer *im, model *m, ptq_error *err)
{
    const Onnx__ModelProto *src = im->file.model;
    if (src->n_metadata_props == 0)
        return PTQ_OK;
    char **list = mem_array(src->n_metadata_props * 2 + 1, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; list && i < src->n_metadata_props; i++) {
        list[n] = mem_strdup(text_or_empty(src->metadata_props[i]->key));
        list[n + 1] = list[n] ? mem_strdup(text_or_empty(src->metadata_props[i]->value)) : NULL;
        if (!list[n] || !list[n + 1]) {
            free_list(list);
            list = NULL;
        }
        n += 2;
    }
    if (!list)
        return error_no_memory(err, n * sizeof *list, "metadata");
    m->metadata = list;
    return PTQ_OK;
}

/* The next quoted string of a Python or JSON list or map of names, {0: 'person', 1: "it's"}, copied
 * with its escapes resolved to the character that follows; *is_key: a colon follows. NULL at the
 * end. */
static char *next_quoted(const char **text, bool *is_key)
{
    const char *p = *text;
    while (*p && *p != '\'' && *p != '"')
        p++;
    if (!*p)
        return NULL;
    char quote = *p++;
    str s = STR_INIT;
    str_add(&s, "");
    for (; *p && *p != quote; p++) {
        if (*p == '\\' && p[1])
            p++;
        str_add_n(&s, p, 1);
    }
    *text = *p ? p + 1 : p;
    *is_key = (*text)[strspn(*text, " ")] == ':';
    return str_take(&s);
}

static ptq_status read_names(const char *text, model *m, ptq_error *err)
{
    enum { MAX_NAMES = 10000 };
    char **names = NULL;
    int n = 0;
    bool is_key;
    for (char *name; n < MAX_NAMES && (name = next_quoted(&text, &is_key)) != NULL;) {
        if (is_key) {
            mem_free(name);
            continue;
        }
        char **grown = mem_resize(names, (size_t)n + 2, sizeof *names);
        if (!grown) {
            mem_free(name);
            free_list(names);
            return error_no_memory(err, (size_t)n * sizeof *names, "class names");
        }
        names = grown;
        names[n++] = name;
        names[n] = NULL;
    }
    m->class_names = names;
    m->n_classes = n;
    return PTQ_OK;
}

/* A small positive number at the start of the text, else 0. */
static int small_number(const char *text)
{
    long v = text && isdigit((unsigned char)*text) ? strtol(text, NULL, 10) : 0;
    return v > 0 && v <= 100000 ? (int)v : 0;
}

/* ---- classes from the output ---- */

static int64_t declared_dim(const Onnx__ValueInfoProto *v, size_t i)
{
    if (!v->type || v->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return -1;
    const Onnx__TensorShapeProto *s = v->type->tensor_type->shape;
    bool given = s && i < s->n_dim &&
                 s->dim[i]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    return given && s->dim[i]->dim_value > 0 ? s->dim[i]->dim_value : -1;
}

/* YOLO outputs: [B,N,5+nc] and raw [B,na,ny,nx,5+nc] have an objectness, [B,4+nc,N] has none. The
 * shape that inference found goes before the declared one. 0: does not look like YOLO. */
static int classes_of_output(const onnx_importer *im)
{
    const Onnx__ValueInfoProto *v = im->src->output[0];
    const shape *s = &graph_tensor_const(im->g, graph_output(im->g, 0))->shape;
    int64_t dim[5] = {-1, -1, -1, -1, -1};
    int rank = s->rank;
    if (!shape_known(s) && v->type && v->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE &&
        v->type->tensor_type->shape && v->type->tensor_type->shape->n_dim <= 5)
        rank = (int)v->type->tensor_type->shape->n_dim;
    for (int i = 0; i < rank && i < 5; i++)
        dim[i] = shape_known(s) ? s->dim[i] : declared_dim(v, (size_t)i);
    int64_t nc = 0;
    if (rank == 5)
        nc = dim[4] - 5;
    else if (rank == 3 && dim[1] > 0 && dim[2] > 0)
        nc = dim[2] < dim[1] ? dim[2] - 5 : dim[1] - 4;
    else if (rank == 3)
        nc = dim[2] - 5;
    return nc > 0 && nc <= 100000 ? (int)nc : 0;
}

static ptq_status describe_classes(const onnx_importer *im, model *m, ptq_error *err)
{
    const char *names = metadata(im, "names");
    if (names)
        PTQ_TRY(read_names(names, m, err));
    if (m->n_classes == 0)
        m->n_classes = small_number(metadata(im, "nc"));
    if (m->n_classes == 0)
        m->n_classes = classes_of_output(im);
    return PTQ_OK;
}

ptq_status onnx_describe(const onnx_importer *im, model *m, ptq_error *err)
{
    PTQ_TRY(count_parameters(im, &m->n_parameters, err));
    PTQ_TRY(copy_metadata(im, m, err));
    PTQ_TRY(describe_classes(im, m, err));
    int stride = small_number(metadata(im, "stride"));
    m->stride = stride ? stride : 32;
    m->n_layers = 0;
    for (int i = 0; i < graph_n_nodes(im->g); i++) {
        const node *n = graph_node_const(im->g, (node_id)i);
        if (n->op == GRAPH_OP_QUANTIZE_LINEAR || n->op == GRAPH_OP_DEQUANTIZE_LINEAR)
            m->has_qdq = true;
        m->n_layers++;
    }
    for (size_t i = 0; i < im->src->n_initializer; i++)
        m->is_half = m->is_half || im->src->initializer[i]->data_type == dtype_onnx(DTYPE_F16);
    m->opset = im->file.opset;
    m->n_layers_fused = m->n_layers;
    m->n_parameters_fused = m->n_parameters;
    const shape *in = &graph_tensor_const(im->g, graph_input(im->g, 0))->shape;
    m->is_static = in->rank == 4 && in->dim[2] > 0 && in->dim[3] > 0;
    return PTQ_OK;
}
