/* SPDX-License-Identifier: Apache-2.0 */
#include "model/module.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const struct {
    const char *type;
    module_kind kind;
} TYPES[] = {
    {"nn.Conv2d", MODULE_CONV2D},
    {"nn.BatchNorm2d", MODULE_BATCH_NORM},
    {"nn.MaxPool2d", MODULE_MAX_POOL},
    {"nn.Upsample", MODULE_UPSAMPLE},
    {"nn.Sequential", MODULE_SEQUENTIAL},
    {"nn.ModuleList", MODULE_LIST},
    {"nn.Identity", MODULE_IDENTITY},
    {"nn.Dropout", MODULE_IDENTITY},
    {"TensorQuantizer", MODULE_QUANTIZER},
    {"Model", MODULE_LIST},
    {"DetectionModel", MODULE_LIST},
    {"Conv", MODULE_CONV},
    {"DWConv", MODULE_CONV},
    {"RepConv", MODULE_REP_CONV},
    {"Concat", MODULE_CONCAT},
    {"Chuncat", MODULE_CHUNCAT},
    {"Foldcut", MODULE_FOLDCUT},
    {"Shortcut", MODULE_SHORTCUT},
    {"MP", MODULE_POOL},
    {"SP", MODULE_POOL},
    {"ReOrg", MODULE_REORG},
    {"Focus", MODULE_FOCUS},
    {"SPP", MODULE_SPP},
    {"SPPF", MODULE_SPPF},
    {"SPPCSPC", MODULE_SPPCSPC},
    {"DownC", MODULE_DOWNC},
    {"Stem", MODULE_STEM},
    {"Bottleneck", MODULE_BOTTLENECK},
    {"Res", MODULE_RES},
    {"C3", MODULE_CSP_A},
    {"BottleneckCSPA", MODULE_CSP_A},
    {"BottleneckCSPB", MODULE_CSP_B},
    {"BottleneckCSPC", MODULE_CSP_C},
    {"ResCSPA", MODULE_CSP_A},
    {"ResCSPB", MODULE_CSP_B},
    {"ResCSPC", MODULE_CSP_C},
    {"ResXCSPA", MODULE_CSP_A},
    {"ResXCSPB", MODULE_CSP_B},
    {"ResXCSPC", MODULE_CSP_C},
    {"BottleneckCSP", MODULE_BOTTLENECK_CSP},
    {"ImplicitA", MODULE_IMPLICIT},
    {"ImplicitM", MODULE_IMPLICIT},
    {"Detect", MODULE_HEAD},
    {"IDetect", MODULE_HEAD},
    {"IAuxDetect", MODULE_HEAD},
};

/* PyTorch's defaults where an activation has a slope. */
static const struct {
    const char *type;
    activation act;
} ACTIVATIONS[] = {
    {"nn.SiLU", {ACT_SILU, 0}},
    {"SiLU", {ACT_SILU, 0}},
    {"nn.ReLU", {ACT_RELU, 0}},
    {"nn.LeakyReLU", {ACT_LEAKY_RELU, 0.01f}},
    {"nn.Hardswish", {ACT_HARD_SWISH, 0}},
    {"Hardswish", {ACT_HARD_SWISH, 0}},
    {"nn.Sigmoid", {ACT_SIGMOID, 0}},
    {"nn.Tanh", {ACT_TANH, 0}},
};

module_kind module_kind_of(const char *type)
{
    activation act;
    if (module_activation_of(type, &act))
        return MODULE_ACTIVATION;
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (strcmp(TYPES[i].type, type) == 0)
            return TYPES[i].kind;
    return MODULE_UNKNOWN;
}

bool module_activation_of(const char *type, activation *act)
{
    for (size_t i = 0; i < sizeof ACTIVATIONS / sizeof *ACTIVATIONS; i++)
        if (strcmp(ACTIVATIONS[i].type, type) == 0) {
            *act = ACTIVATIONS[i].act;
            return true;
        }
    return false;
}

ptq_status network_create(network **out, ptq_error *err)
{
    arena *a = arena_create(0);
    network *n = a ? arena_alloc(a, 1, sizeof *n) : NULL;
    if (!n) {
        arena_destroy(a);
        return error_no_memory(err, sizeof *n, "a network");
    }
    n->arena = a;
    n->in_channels = 3;
    *out = n;
    return PTQ_OK;
}

void network_destroy(network *n)
{
    if (n)
        arena_destroy(n->arena);
}

static bool append_part(arena *a, module *parent, module *part)
{
    int n = parent->n_parts;
    if ((n & (n - 1)) == 0) { /* full at every power of two */
        module **parts = arena_alloc(a, n ? 2 * (size_t)n : 1, sizeof(module *));
        if (!parts)
            return false;
        if (n)
            memcpy(parts, parent->parts, (size_t)n * sizeof(module *));
        parent->parts = parts;
    }
    parent->parts[parent->n_parts++] = part;
    return true;
}

module *module_add(arena *a, module *parent, const char *type, const char *name)
{
    module *m = arena_alloc(a, 1, sizeof *m);
    if (!m)
        return NULL;
    bool is_top = !parent || !parent->path[0];
    m->kind = module_kind_of(type);
    m->type = arena_strdup(a, type);
    m->name = arena_strdup(a, name);
    m->path = is_top ? m->name : arena_printf(a, "%s.%s", parent->path, name);
    m->identity = m;
    if (!m->type || !m->name || !m->path || (parent && !append_part(a, parent, m)))
        return NULL;
    if (m->kind == MODULE_HEAD)
        m->as.head = arena_alloc(a, 1, sizeof *m->as.head);
    if (m->kind == MODULE_HEAD && !m->as.head)
        return NULL;
    return m;
}

module *module_part(const module *m, const char *name)
{
    for (int i = 0; i < m->n_parts; i++)
        if (strcmp(m->parts[i]->name, name) == 0)
            return m->parts[i];
    return NULL;
}

int module_params(const module *m, module_param params[MODULE_MAX_PARAMS])
{
    int n = 0;
    if (m->kind == MODULE_CONV2D) {
        const module_conv2d *c = &m->as.conv;
        const conv_attr *a = &c->attr;
        params[n++] = (module_param){
            "weight", 4, {c->out, c->in / a->groups, a->kernel[0], a->kernel[1]}, false};
        if (c->has_bias)
            params[n++] = (module_param){"bias", 1, {c->out}, false};
    } else if (m->kind == MODULE_BATCH_NORM) {
        int64_t channels = m->as.norm.channels;
        params[n++] = (module_param){"weight", 1, {channels}, false};
        params[n++] = (module_param){"bias", 1, {channels}, false};
        params[n++] = (module_param){"running_mean", 1, {channels}, true};
        params[n++] = (module_param){"running_var", 1, {channels}, true};
    } else if (m->kind == MODULE_IMPLICIT) {
        params[n++] = (module_param){"implicit", 4, {1, m->as.channels, 1, 1}, false};
    }
    return n;
}

static int64_t own_parameters(const module *m)
{
    module_param params[MODULE_MAX_PARAMS];
    int64_t sum = 0;
    int n = module_params(m, params);
    for (int i = 0; i < n; i++) {
        int64_t count = params[i].is_buffer ? 0 : 1;
        for (int k = 0; k < params[i].rank; k++)
            count *= params[i].dims[k];
        sum += count;
    }
    return sum;
}

static int64_t all_parameters(const module *m)
{
    int64_t sum = own_parameters(m);
    for (int i = 0; i < m->n_parts; i++)
        sum += all_parameters(m->parts[i]);
    return sum;
}

static int64_t all_modules(const module *m)
{
    int64_t sum = 1;
    for (int i = 0; i < m->n_parts; i++)
        sum += all_modules(m->parts[i]);
    return sum;
}

static int compare_identity(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)(*(const module *const *)a)->identity;
    uintptr_t y = (uintptr_t)(*(const module *const *)b)->identity;
    return (x > y) - (x < y);
}

static void list_modules(const module *m, const module **list, size_t *n)
{
    list[(*n)++] = m;
    for (int i = 0; i < m->n_parts; i++)
        list_modules(m->parts[i], list, n);
}

/* What fusing changes at one module: its batch normalization or its branches go away. */
static void add_fusing(const module *m, network_size *s)
{
    const module *conv = module_part(m, "conv"), *bn = module_part(m, "bn");
    if (strcmp(m->type, "Conv") == 0 && conv && bn) {
        s->n_modules_fused -= 1;
        s->n_parameters_fused -= all_parameters(bn);
        s->n_parameters_fused += conv->as.conv.has_bias ? 0 : conv->as.conv.out;
    }
    const module *dense = module_part(m, "rbr_dense");
    if (m->kind != MODULE_REP_CONV || !dense || !module_part(dense, "0"))
        return;
    for (int i = 0; i < m->n_parts; i++)
        if (strncmp(m->parts[i]->name, "rbr_", 4) == 0) {
            s->n_modules_fused -= all_modules(m->parts[i]);
            s->n_parameters_fused -= all_parameters(m->parts[i]);
        }
    const module *kept = module_part(dense, "0");
    s->n_modules_fused += 1;
    s->n_parameters_fused += own_parameters(kept);
    s->n_parameters_fused += kept->as.conv.has_bias ? 0 : kept->as.conv.out;
}

ptq_status network_measure(const network *n, network_size *out, ptq_error *err)
{
    size_t n_all = (size_t)all_modules(n->root), n_listed = 0;
    const module **list = mem_array(n_all, sizeof *list);
    if (!list)
        return error_no_memory(err, n_all * sizeof *list, "a list of modules");
    list_modules(n->root, list, &n_listed);
    qsort(list, n_listed, sizeof *list, compare_identity);
    network_size s = {0};
    for (size_t i = 0; i < n_listed; i++) {
        if (i > 0 && list[i]->identity == list[i - 1]->identity)
            continue;
        s.n_modules++;
        s.n_parameters += own_parameters(list[i]);
        add_fusing(list[i], &s);
    }
    s.n_modules_fused += s.n_modules;
    s.n_parameters_fused += s.n_parameters;
    mem_free(list);
    *out = s;
    return PTQ_OK;
}
