/* SPDX-License-Identifier: Apache-2.0 */
#include "model/cfg_network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/cfg_blocks.h"

enum { MAX_ROWS = 10000, MAX_REPEATS = 1000, MAX_INPUTS = 64 };

/* One row `[from, number, module, args]` in work, and what is known of the layers before it. */
typedef struct reader {
    cfg_builder b;
    const yaml_value *root;
    double depth;  /* multiplies repeats */
    double width;  /* multiplies channels */
    int *channels; /* of every layer so far */
    int n_layers;
    int inputs[MAX_INPUTS]; /* channels of the present row's inputs */
    int n_inputs;
} reader;

/* ---- top-level keys ---- */

static ptq_status read_number(const reader *r, const char *key, double standard, double max,
                              double *out)
{
    const yaml_value *v = yaml_get(r->root, key);
    *out = standard;
    if (!v && standard > 0)
        return PTQ_OK;
    if (!yaml_double(v, out) || !(*out > 0) || *out > max)
        return yaml_error(r->b.err, r->b.doc, v ? v : r->root, "'%s' must be a number above 0",
                          key);
    return PTQ_OK;
}

/* Width and height pairs in pixels, one row per level. */
static ptq_status read_anchor_level(reader *r, const yaml_value *row, int level)
{
    module_head *h = &r->b.head;
    int n = row->kind == YAML_SEQUENCE ? row->n : 0;
    if (n < 2 || n % 2 || n / 2 > MODULE_MAX_ANCHORS || (level > 0 && n != 2 * h->n_anchors))
        return yaml_error(r->b.err, r->b.doc, row,
                          "anchors of a level are pairs of width and height, as many on each level "
                          "(at most %d)",
                          MODULE_MAX_ANCHORS);
    h->n_anchors = n / 2;
    for (int i = 0; i < n; i++) {
        double value;
        if (!yaml_double(row->items[i], &value) || !(value > 0) || value > 1e6)
            return yaml_error(r->b.err, r->b.doc, row->items[i], "an anchor is not a size");
        h->anchors[level][i] = (float)value;
    }
    return PTQ_OK;
}

static ptq_status read_anchors(reader *r)
{
    const yaml_value *v = yaml_get(r->root, "anchors");
    if (!v || v->kind != YAML_SEQUENCE || v->n < 1 || v->n > MODULE_MAX_LEVELS)
        return yaml_error(r->b.err, r->b.doc, v ? v : r->root,
                          "'anchors' must be a list of 1 to %d levels", MODULE_MAX_LEVELS);
    for (int i = 0; i < v->n; i++)
        PTQ_TRY(read_anchor_level(r, v->items[i], i));
    r->b.head.n_levels = v->n;
    r->b.head.has_anchors = true;
    return PTQ_OK;
}

static ptq_status read_settings(reader *r)
{
    double n_classes, in_channels;
    PTQ_TRY(read_number(r, "nc", 0, CFG_MAX_CHANNELS, &n_classes));
    PTQ_TRY(read_number(r, "ch", 3, CFG_MAX_CHANNELS, &in_channels));
    PTQ_TRY(read_number(r, "depth_multiple", 1.0, 100, &r->depth));
    PTQ_TRY(read_number(r, "width_multiple", 1.0, 100, &r->width));
    r->b.head.n_classes = (int)n_classes;
    r->b.net->in_channels = (int)in_channels;
    return read_anchors(r);
}

/* ---- arguments, as Python's eval() would see them ---- */

/* "nn.LeakyReLU(0.1)": an activation, perhaps with its slope or with inplace=... */
static bool read_activation(arena *a, const char *text, cfg_arg *arg)
{
    const char *open = strchr(text, '(');
    activation act;
    char *end;
    if (!open || !str_ends_with(text, ")"))
        return false;
    char *type = arena_strndup(a, text, (size_t)(open - text));
    bool is_identity = type && strcmp(type, "nn.Identity") == 0;
    if (!type || (!module_activation_of(type, &act) && !is_identity))
        return false;
    *arg = (cfg_arg){.kind = CFG_ACTIVATION, .text = type};
    double slope = strtod(open + 1, &end);
    bool is_bare = open[1] == ')' || str_starts_with(open + 1, "inplace=");
    if (!is_bare && (end == open + 1 || (*end != ')' && *end != ',') || !(fabs(slope) < 1e6)))
        return false;
    arg->slope = is_bare ? 0 : (float)slope;
    return true;
}

static cfg_arg read_arg(reader *r, const yaml_value *v)
{
    cfg_arg arg = {.kind = CFG_TEXT, .text = v->text};
    if (v->kind == YAML_SEQUENCE)
        return (cfg_arg){.kind = CFG_LIST, .list = v};
    if (yaml_double(v, &arg.number))
        arg.kind = CFG_NUMBER;
    else if (yaml_bool(v, &arg.truth))
        arg.kind = CFG_BOOL;
    else if (yaml_is_null(v) || (v->text && strcmp(v->text, "None") == 0))
        arg.kind = CFG_NONE;
    else if (v->text && strcmp(v->text, "nc") == 0)
        arg = (cfg_arg){.kind = CFG_NUMBER, .number = r->b.head.n_classes};
    else if (v->text)
        (void)read_activation(r->b.net->arena, v->text, &arg);
    return arg;
}

/* ---- rows ---- */

/* Sets the layer's inputs and their channels. Index -1 is the image. */
static ptq_status read_from(reader *r, const yaml_value *from, module *layer)
{
    bool is_list = from->kind == YAML_SEQUENCE;
    int n = is_list ? from->n : 1;
    if (n < 1 || n > MAX_INPUTS)
        return cfg_error(&r->b, "a layer with %d inputs", n);
    layer->from = arena_alloc(r->b.net->arena, (size_t)n, sizeof *layer->from);
    if (!layer->from)
        return error_no_memory(r->b.err, (size_t)n * sizeof *layer->from, "a layer");
    layer->n_from = r->n_inputs = n;
    for (int i = 0; i < n; i++) {
        int64_t at;
        bool is_number = yaml_int(is_list ? from->items[i] : from, &at);
        bool is_image = is_number && r->n_layers == 0 && at == -1;
        if (is_number && at < 0 && !is_image)
            at += r->n_layers;
        if (!is_number || (!is_image && (at < 0 || at >= r->n_layers)))
            return cfg_error(&r->b, "layer %d takes its input from a layer that is not before it",
                             r->n_layers);
        layer->from[i] = (int)at;
        r->inputs[i] = is_image ? r->b.net->in_channels : r->channels[at];
    }
    return PTQ_OK;
}

/* make_divisible(channels * width, 8), except for the head's own width. */
static int scaled_channels(const reader *r, double channels)
{
    const module_head *h = &r->b.head;
    if (channels == h->n_anchors * (5 + h->n_classes))
        return (int)channels;
    double scaled = ceil(channels * r->width / 8) * 8;
    return scaled <= CFG_MAX_CHANNELS ? (int)scaled : CFG_MAX_CHANNELS + 1;
}

static ptq_status read_args(reader *r, const cfg_type *type, const yaml_value *v, cfg_args *a)
{
    int first = type->has_channels ? 1 : 0;
    if (v->kind != YAML_SEQUENCE || v->n < first || v->n > CFG_MAX_ARGS)
        return cfg_error(&r->b, "'%s' has no list of arguments, or one of impossible length",
                         type->name);
    a->in = a->out = r->inputs[0];
    a->inputs = r->inputs;
    a->n_inputs = r->n_inputs;
    if (type->has_channels) {
        double channels;
        if (!yaml_double(v->items[0], &channels) || !(channels >= 1) || channels > CFG_MAX_CHANNELS)
            return cfg_error(&r->b, "'%s' needs its output channels as first argument", type->name);
        a->out = scaled_channels(r, channels);
    }
    a->n_args = v->n - first;
    for (int i = 0; i < a->n_args; i++)
        a->args[i] = read_arg(r, v->items[first + i]);
    return PTQ_OK;
}

static ptq_status read_repeats(reader *r, const yaml_value *v, int *out)
{
    double n;
    if (!yaml_double(v, &n) || !(n >= 0) || n > MAX_REPEATS)
        return cfg_error(&r->b, "the number of repeats must be at most %d", MAX_REPEATS);
    double scaled = n > 1 ? fmax(rint(n * r->depth), 1) : n; /* half to even, as Python's round */
    *out = scaled > MAX_REPEATS ? MAX_REPEATS : (int)scaled;
    return PTQ_OK;
}

static int output_channels(const reader *r, module_kind kind, const cfg_args *a)
{
    int sum = 0;
    switch (kind) {
    case MODULE_CONCAT:
    case MODULE_CHUNCAT:
        for (int i = 0; i < r->n_inputs; i++)
            sum += r->inputs[i];
        return sum;
    case MODULE_FOLDCUT:
        return a->in / 2;
    case MODULE_REORG:
        return 4 * a->in;
    default:
        return a->out;
    }
}

/* The layer, or a Sequential of its repeats. */
static ptq_status make_layer(reader *r, const cfg_type *type, const cfg_args *a, int repeats)
{
    char name[16];
    snprintf(name, sizeof name, "%d", r->n_layers);
    if (repeats <= 1 || type->is_repeat_aware)
        return cfg_make(&r->b, type, r->b.net->layers, name, a);
    module *sequence = NULL;
    PTQ_TRY(cfg_add(&r->b, r->b.net->layers, "nn.Sequential", name, &sequence));
    for (int i = 0; i < repeats; i++) {
        snprintf(name, sizeof name, "%d", i);
        PTQ_TRY(cfg_make(&r->b, type, sequence, name, a));
    }
    return PTQ_OK;
}

static ptq_status read_row(reader *r, const yaml_value *row)
{
    r->b.row = row;
    if (row->kind != YAML_SEQUENCE || row->n != 4 || row->items[2]->kind != YAML_SCALAR)
        return cfg_error(&r->b, "a layer must be [from, number, module, args]");
    const cfg_type *type = cfg_type_find(row->items[2]->text);
    if (!type)
        return cfg_error(&r->b, "module '%s' is not known", row->items[2]->text);
    int repeats = 0;
    cfg_args a = {0};
    module source = {0}; /* carries the inputs until the layer exists */
    PTQ_TRY(read_from(r, row->items[0], &source));
    PTQ_TRY(read_repeats(r, row->items[1], &repeats));
    PTQ_TRY(read_args(r, type, row->items[3], &a));
    a.repeats = type->is_repeat_aware ? repeats : 1;
    PTQ_TRY(make_layer(r, type, &a, repeats));
    module *layer = r->b.net->layers->parts[r->n_layers];
    layer->from = source.from;
    layer->n_from = source.n_from;
    int channels = output_channels(r, module_kind_of(type->module_type), &a);
    if (channels < 1 || channels > CFG_MAX_CHANNELS)
        return cfg_error(&r->b, "layer %d would have %d channels", r->n_layers, channels);
    r->channels[r->n_layers++] = channels;
    return PTQ_OK;
}

static ptq_status read_rows(reader *r)
{
    static const char *const keys[] = {"backbone", "head"};
    for (size_t k = 0; k < 2; k++) {
        const yaml_value *rows = yaml_get(r->root, keys[k]);
        if (!rows || rows->kind != YAML_SEQUENCE || rows->n > MAX_ROWS)
            return yaml_error(r->b.err, r->b.doc, rows ? rows : r->root,
                              "'%s' must be a list of layers", keys[k]);
        int *channels = mem_resize(r->channels, (size_t)(r->n_layers + rows->n + 1), sizeof(int));
        if (!channels)
            return error_no_memory(r->b.err, (size_t)rows->n * sizeof(int), "layers");
        r->channels = channels;
        for (int i = 0; i < rows->n; i++)
            PTQ_TRY(read_row(r, rows->items[i]));
    }
    const module *layers = r->b.net->layers;
    if (r->n_layers == 0 || layers->parts[r->n_layers - 1]->kind != MODULE_HEAD)
        return yaml_error(r->b.err, r->b.doc, r->root,
                          "the last layer must be a Detect, IDetect or IAuxDetect");
    return PTQ_OK;
}

static ptq_status read_network(reader *r)
{
    r->root = r->b.row = yaml_doc_root(r->b.doc);
    PTQ_TRY(read_settings(r));
    PTQ_TRY(cfg_add(&r->b, NULL, "Model", "", &r->b.net->root));
    PTQ_TRY(cfg_add(&r->b, r->b.net->root, "nn.Sequential", "model", &r->b.net->layers));
    return read_rows(r);
}

ptq_status cfg_read_network(const char *path, network **out, ptq_error *err)
{
    yaml_doc *doc = NULL;
    reader r = {.b = {.err = err}};
    PTQ_TRY(yaml_doc_load(path, &doc, err));
    r.b.doc = doc;
    ptq_status status = network_create(&r.b.net, err);
    if (status == PTQ_OK)
        status = read_network(&r);
    mem_free(r.channels);
    if (status == PTQ_OK)
        *out = r.b.net;
    else
        network_destroy(r.b.net);
    yaml_doc_destroy(doc);
    return status;
}
