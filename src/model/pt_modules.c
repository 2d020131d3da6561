/* SPDX-License-Identifier: Apache-2.0 */
#include "model/pt_modules.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "base/strmap.h"
#include "model/pt_attr.h"

enum { MAX_DEPTH = 64, MAX_MODULES = 100000 };

typedef struct reader {
    pt_file *file;
    network *net;
    int n_modules;
    str unknown;      /* "'models.common.X' (model.3), ..." */
    strmap *reported; /* types in `unknown` */
    int n_unknown;
    ptq_error *err;
} reader;

/* "nn.Conv2d" for PyTorch's own and their quantized twins, the bare class name for the rest. */
static const char *type_of(const pickle_value *object, char text[256])
{
    char class[256];
    pickle_class(object, class);
    const char *last = strrchr(class, '.');
    const char *name = last ? last + 1 : class;
    bool is_quantized = str_starts_with(class, "pytorch_quantization.nn.modules.quant_");
    if (is_quantized && str_starts_with(name, "Quant"))
        name += strlen("Quant");
    bool is_torch = is_quantized || str_starts_with(class, "torch.nn.");
    snprintf(text, 256, "%s%.200s", is_torch ? "nn." : "", name);
    return text;
}

static ptq_status report_unknown(reader *r, const pickle_value *object, const module *m)
{
    char class[256];
    int64_t seen;
    r->n_unknown++;
    pickle_class(object, class);
    if (strmap_get(r->reported, class, &seen))
        return PTQ_OK;
    str_addf(&r->unknown, "%s'%s' (%s)", r->unknown.len ? ", " : "", class, m->path);
    if (!str_ok(&r->unknown) || !strmap_put(r->reported, class, 1))
        return error_no_memory(r->err, 256, "a message");
    return PTQ_OK;
}

static ptq_status read_attributes(reader *r, const pickle_value *object, module *m)
{
    switch (m->kind) {
    case MODULE_CONV2D:
        return pt_attr_conv2d(object, &m->as.conv, r->err);
    case MODULE_BATCH_NORM:
        return pt_attr_norm(object, &m->as.norm, r->err);
    case MODULE_ACTIVATION:
        return pt_attr_activation(object, m->type, &m->as.act, r->err);
    case MODULE_MAX_POOL:
        return pt_attr_max_pool(object, &m->as.pool, r->err);
    case MODULE_UPSAMPLE:
        return pt_attr_upsample(object, &m->as.resize, r->err);
    case MODULE_CONCAT:
    case MODULE_CHUNCAT:
    case MODULE_FOLDCUT:
        return pt_attr_axis(object, &m->as.axis, r->err);
    case MODULE_BOTTLENECK:
    case MODULE_RES:
        if (!pickle_bool(pickle_attr(object, "add"), &m->as.add))
            return error_set(r->err, PTQ_FORMAT, "it does not say whether it has a shortcut");
        return PTQ_OK;
    case MODULE_IMPLICIT:
        return pt_attr_implicit(object, &m->as.channels, r->err);
    case MODULE_HEAD:
        return pt_attr_head(object, m->as.head, r->err);
    default:
        return PTQ_OK;
    }
}

static ptq_status read_parts(reader *r, const pickle_value *object, module *m, int depth);

static ptq_status read_module(reader *r, const pickle_value *object, module *m, int depth)
{
    if (depth > MAX_DEPTH || ++r->n_modules > MAX_MODULES)
        return error_set(r->err, PTQ_LIMIT, "the network has too many modules, or too deep ones");
    m->identity = object;
    if (m->kind == MODULE_UNKNOWN)
        return report_unknown(r, object, m);
    ptq_status status = read_attributes(r, object, m);
    if (status != PTQ_OK) {
        error_context(r->err, "module '%s' (%s)", m->path, m->type);
        return status;
    }
    return m->kind == MODULE_QUANTIZER ? PTQ_OK : read_parts(r, object, m, depth);
}

static ptq_status read_parts(reader *r, const pickle_value *object, module *m, int depth)
{
    const pickle_value *parts = pickle_attr(object, "_modules");
    if (!parts || parts->kind != PICKLE_DICT)
        return PTQ_OK;
    for (size_t i = 0; i < parts->as.dict.n; i++) {
        const pickle_value *part = parts->as.dict.pairs[i].value;
        const char *name = pickle_str(parts->as.dict.pairs[i].key);
        char type[256];
        if (!name || part->kind != PICKLE_OBJECT)
            continue;
        module *made = module_add(r->net->arena, m, type_of(part, type), name);
        if (!made)
            return error_no_memory(r->err, sizeof *made, "a module");
        PTQ_TRY(read_module(r, part, made, depth + 1));
    }
    return PTQ_OK;
}

/* `f` of a layer: a layer index or a list of them, negative ones counted from the layer itself. */
static ptq_status read_from(reader *r, const pickle_value *object, module *layer, int index)
{
    const pickle_value *f = pickle_attr(object, "f");
    size_t n = 1;
    int64_t from;
    pickle_value *const *items = NULL;
    if (!pickle_int(f, &from))
        items = pickle_items(f, &n);
    if (n == 0 || n > MAX_MODULES)
        return error_set(r->err, PTQ_FORMAT, "layer '%s' does not say where its input comes from",
                         layer->path);
    layer->from = arena_alloc(r->net->arena, n, sizeof *layer->from);
    if (!layer->from)
        return error_no_memory(r->err, n * sizeof *layer->from, "a layer");
    layer->n_from = (int)n;
    for (size_t i = 0; i < n; i++) {
        bool is_number = !items || pickle_int(items[i], &from);
        int64_t at = from < 0 ? index + from : from;
        if (!is_number || at >= index || at < -1 || (at == -1 && from != -1))
            return error_set(r->err, PTQ_FORMAT,
                             "layer '%s' takes its input from a layer that is not before it",
                             layer->path);
        layer->from[i] = (int)at;
    }
    return PTQ_OK;
}

static ptq_status read_layers(reader *r, const pickle_value *model)
{
    const pickle_value *layers = pickle_get(pickle_attr(model, "_modules"), "model");
    network *net = r->net;
    net->layers = module_part(net->root, "model");
    if (!net->layers || net->layers->kind != MODULE_SEQUENTIAL || net->layers->n_parts == 0)
        return error_set(r->err, PTQ_FORMAT, "the Model has no layers");
    for (int i = 0; i < net->layers->n_parts; i++) {
        module *layer = net->layers->parts[i];
        PTQ_TRY(read_from(r, pickle_get(pickle_attr(layers, "_modules"), layer->name), layer, i));
    }
    module *head = net->layers->parts[net->layers->n_parts - 1];
    if (head->kind != MODULE_HEAD)
        return error_set(r->err, PTQ_UNSUPPORTED,
                         "the last layer '%s' (%s) is not a detection head (Detect, IDetect or "
                         "IAuxDetect)",
                         head->path, head->type);
    return PTQ_OK;
}

/* The head's strides are a tensor of its own, outside the state dict. When it is not there they
 * stay unknown: the graph tells them then. */
static ptq_status read_strides(reader *r, const pickle_value *model)
{
    module *head = r->net->layers->parts[r->net->layers->n_parts - 1];
    const pickle_value *object = head->identity; /* as read_module() noted */
    const pickle_value *v = pickle_attr(object, "stride");
    if (!v || v->kind != PICKLE_TENSOR)
        v = pickle_attr(model, "stride");
    int n = head->as.head->n_levels;
    float strides[MODULE_MAX_LEVELS];
    if (!v || v->kind != PICKLE_TENSOR || v->as.tensor->n_elements < n ||
        v->as.tensor->n_elements > MODULE_MAX_LEVELS)
        return PTQ_OK;
    PTQ_TRY(pt_file_read_tensor(r->file, v->as.tensor, strides, r->err));
    for (int i = 0; i < n; i++) {
        if (!(strides[i] >= 1) || strides[i] > 4096)
            return error_set(r->err, PTQ_FORMAT, "the head '%s' has a stride of %g", head->path,
                             (double)strides[i]);
        head->as.head->stride[i] = strides[i];
    }
    return PTQ_OK;
}

ptq_status pt_read_class_names(const pickle_value *model, network *net, ptq_error *err)
{
    const pickle_value *names = pickle_attr(model, "names");
    int n_classes = net->layers->parts[net->layers->n_parts - 1]->as.head->n_classes;
    const char **found = arena_alloc(net->arena, (size_t)n_classes, sizeof *found);
    if (!found)
        return error_no_memory(err, (size_t)n_classes * sizeof *found, "class names");
    size_t n;
    pickle_value *const *items = pickle_items(names, &n);
    for (size_t i = 0; i < n && i < (size_t)n_classes; i++)
        found[i] = pickle_str(items[i]);
    for (size_t i = 0; names && names->kind == PICKLE_DICT && i < names->as.dict.n; i++) {
        int64_t index;
        if (pickle_int(names->as.dict.pairs[i].key, &index) && index >= 0 && index < n_classes)
            found[index] = pickle_str(names->as.dict.pairs[i].value);
    }
    for (int i = 0; i < n_classes; i++) {
        if (!found[i])
            return PTQ_OK; /* not a name for each: none */
        found[i] = arena_strdup(net->arena, found[i]);
        if (!found[i])
            return error_no_memory(err, 0, "class names");
    }
    net->class_names = found;
    return PTQ_OK;
}

static ptq_status read_network(reader *r, const pickle_value *model)
{
    network *net = r->net;
    char type[256];
    net->root = module_add(net->arena, NULL, type_of(model, type), "");
    if (!net->root)
        return error_no_memory(r->err, sizeof *net->root, "a module");
    net->root->kind = MODULE_LIST; /* whatever a fork calls it */
    PTQ_TRY(read_module(r, model, net->root, 0));
    if (r->n_unknown > 0)
        return error_set(r->err, PTQ_UNSUPPORTED,
                         "%d modules are of types that are not known: %s; export the model to ONNX "
                         "and give that file",
                         r->n_unknown, str_text(&r->unknown));
    PTQ_TRY(read_layers(r, model));
    PTQ_TRY(read_strides(r, model));
    int64_t channels;
    if (pickle_int(pickle_get(pickle_attr(model, "yaml"), "ch"), &channels) && channels > 0 &&
        channels < 65536)
        net->in_channels = (int)channels;
    return pt_read_class_names(model, net, r->err);
}

const pickle_value *pt_open_wrapper(const pickle_value *model)
{
    const pickle_value *wrapped = pickle_get(pickle_attr(model, "_modules"), "module");
    return wrapped && wrapped->kind == PICKLE_OBJECT ? wrapped : model;
}

ptq_status pt_read_network(pt_file *f, const pickle_value *model, network **out, ptq_error *err)
{
    reader r = {.file = f, .err = err, .unknown = STR_INIT};
    PTQ_TRY(network_create(&r.net, err));
    r.reported = strmap_create();
    ptq_status status =
        r.reported ? read_network(&r, model) : error_no_memory(err, sizeof r, "a network");
    strmap_destroy(r.reported);
    str_clear(&r.unknown);
    if (status == PTQ_OK)
        *out = r.net;
    else
        network_destroy(r.net);
    return status;
}
