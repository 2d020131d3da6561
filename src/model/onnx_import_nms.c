/* SPDX-License-Identifier: Apache-2.0 */
/* Files that end in a non-maximum suppression. The number of detections depends on the data, which
 * no graph here can say, and the program has its own suppression; so such a file is read up to what
 * goes into it. */
#include <string.h>

#include "base/env.h"
#include "base/mem.h"
#include "model/onnx_importer.h"
#include "model/onnx_tensor.h"

/* A tensor that depends on the graph's inputs. */
typedef struct span {
    const char *name;
    int64_t made; /* index of its node, -1: an input */
    int64_t read; /* of the last node that reads it; n_node: a graph output */
} span;

typedef struct sweep {
    Onnx__GraphProto *src;
    strmap *index; /* tensor name -> span */
    span *spans;
    int64_t n_spans;
} sweep;

static bool is_suppression(const Onnx__NodeProto *n)
{
    static const char *const types[] = {"NonMaxSuppression", "EfficientNMS_TRT", "BatchedNMS_TRT",
                                        "BatchedNMSDynamic_TRT"};
    for (size_t i = 0; n->op_type && i < sizeof types / sizeof *types; i++)
        if (strcmp(n->op_type, types[i]) == 0)
            return true;
    return false;
}

static const Onnx__NodeProto *find_suppression(const Onnx__GraphProto *src, size_t *at)
{
    for (size_t i = 0; i < src->n_node; i++)
        if (is_suppression(src->node[i])) {
            *at = i;
            return src->node[i];
        }
    return NULL;
}

static bool add_span(sweep *s, const char *name, int64_t made)
{
    s->spans[s->n_spans] = (span){name, made, made};
    return strmap_put(s->index, name, s->n_spans++);
}

/* Whether node i reads something that depends on the inputs; it is then read until i. */
static bool read_inputs(sweep *s, const Onnx__NodeProto *n, int64_t i)
{
    bool depends = false;
    for (size_t k = 0; k < n->n_input; k++) {
        int64_t at;
        if (!strmap_get(s->index, n->input[k], &at))
            continue;
        s->spans[at].read = i;
        depends = true;
    }
    return depends;
}

static bool is_initializer(const Onnx__GraphProto *src, const char *name)
{
    for (size_t i = 0; i < src->n_initializer; i++)
        if (src->initializer[i]->name && strcmp(src->initializer[i]->name, name) == 0)
            return true;
    return false;
}

/* Files list nodes in the order of execution. */
static bool follow(sweep *s)
{
    const Onnx__GraphProto *src = s->src;
    bool ok = true;
    for (size_t i = 0; i < src->n_input && ok; i++)
        if (src->input[i]->name && !is_initializer(src, src->input[i]->name))
            ok = add_span(s, src->input[i]->name, -1);
    for (size_t i = 0; i < src->n_node && ok; i++) {
        const Onnx__NodeProto *n = src->node[i];
        if (!read_inputs(s, n, (int64_t)i))
            continue;
        for (size_t k = 0; k < n->n_output && ok; k++)
            if (*n->output[k])
                ok = add_span(s, n->output[k], (int64_t)i);
    }
    int64_t at;
    for (size_t i = 0; i < src->n_output; i++)
        if (src->output[i]->name && strmap_get(s->index, src->output[i]->name, &at))
            s->spans[at].read = (int64_t)src->n_node;
    return ok;
}

/* The last node before `end` behind which one tensor is all that is still needed; NULL: none. */
static const span *narrowest(const sweep *s, size_t end)
{
    for (int64_t i = (int64_t)end - 1; i >= 0; i--) {
        const span *only = NULL;
        int n = 0;
        for (int64_t k = 0; k < s->n_spans && n < 2; k++)
            if (s->spans[k].made <= i && s->spans[k].read > i) {
                only = &s->spans[k];
                n++;
            }
        if (n == 1 && only->made == i)
            return only;
    }
    return NULL;
}

/* The constant number at an input of the suppression, else `fallback`. */
static double setting(const onnx_importer *im, const Onnx__NodeProto *n, size_t input,
                      double fallback)
{
    const Onnx__GraphProto *src = im->src;
    for (size_t i = 0; input < n->n_input && i < src->n_initializer; i++) {
        onnx_values v;
        if (!src->initializer[i]->name || strcmp(src->initializer[i]->name, n->input[input]) != 0)
            continue;
        if (onnx_tensor_read(src->initializer[i], im->dir, im->max_bytes, &v, NULL) != PTQ_OK)
            return fallback;
        size_t count = 0;
        double found = fallback;
        if (shape_count(&v.shape, &count) && count == 1 && v.type == DTYPE_F32)
            found = (double)*(const float *)blob_data(v.data);
        else if (count == 1 && v.type == DTYPE_I64)
            found = (double)*(const int64_t *)blob_data(v.data);
        blob_unref(&v.data);
        return found;
    }
    return fallback;
}

static bool is_ours(const onnx_importer *im)
{
    const Onnx__ModelProto *m = im->file.model;
    for (size_t i = 0; i < m->n_metadata_props; i++)
        if (m->metadata_props[i]->key && strcmp(m->metadata_props[i]->key, "head") == 0)
            return m->metadata_props[i]->value && strcmp(m->metadata_props[i]->value, "nms") == 0;
    return false;
}

static void read_form(const onnx_importer *im, const Onnx__NodeProto *n, model *m)
{
    double most = setting(im, n, 2, 0);
    m->nms = (nms_form){.conf = (float)setting(im, n, 4, -1),
                        .iou = (float)setting(im, n, 3, -1),
                        .max_det = most >= 1 && most <= 1e6 ? (int)most : 0};
    m->has_nms = is_ours(im) && m->nms.max_det > 0 && m->nms.iou >= 0 && m->nms.conf >= 0;
    if (!m->has_nms)
        env_log(im->env, PTQ_LOG_WARNING,
                "'%s' ends in %s; it is read up to what goes into it, and detections are made by "
                "ptq's own suppression",
                m->path, n->op_type);
}

static ptq_status cut(onnx_importer *im, sweep *s, size_t at, model *m, ptq_error *err)
{
    Onnx__GraphProto *src = s->src;
    const Onnx__NodeProto *suppression = src->node[at];
    if (!follow(s))
        return error_no_memory(err, 0, "tensor names");
    const span *last = narrowest(s, at);
    if (!last)
        return PTQ_OK; /* the operators behind it are refused by name */
    read_form(im, suppression, m);
    src->n_node = (size_t)last->made + 1;
    src->n_output = 1;
    src->output[0]->name = (char *)(uintptr_t)last->name;
    src->output[0]->type = NULL;
    return PTQ_OK;
}

ptq_status onnx_cut_nms(onnx_importer *im, model *m, ptq_error *err)
{
    sweep s = {.src = im->file.model->graph};
    size_t at, room = s.src->n_input;
    if (!find_suppression(s.src, &at) || s.src->n_output == 0)
        return PTQ_OK;
    for (size_t i = 0; i < s.src->n_node; i++)
        room += s.src->node[i]->n_output;
    s.index = strmap_create();
    s.spans = mem_array(room, sizeof *s.spans);
    ptq_status status = s.index && s.spans
                            ? cut(im, &s, at, m, err)
                            : error_no_memory(err, room * sizeof *s.spans, "tensor names");
    strmap_destroy(s.index);
    mem_free(s.spans);
    return status;
}
