/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/quant_config.h"

#include <string.h>

#include "base/mem.h"
#include "quant/quant_yaml.h"

/* ---------------------------------------------------------------- names of module types */

/* Classes of torch.nn beside the graph's own names. */
static const struct {
    const char *name;
    graph_op op;
} TORCH_TYPES[] = {
    {"Conv1d", GRAPH_OP_CONV},
    {"Conv2d", GRAPH_OP_CONV},
    {"Conv3d", GRAPH_OP_CONV},
    {"ConvTranspose1d", GRAPH_OP_CONV_TRANSPOSE},
    {"ConvTranspose2d", GRAPH_OP_CONV_TRANSPOSE},
    {"ConvTranspose3d", GRAPH_OP_CONV_TRANSPOSE},
    {"Linear", GRAPH_OP_GEMM},
    {"Linear", GRAPH_OP_MATMUL},
    {"AvgPool", GRAPH_OP_AVERAGE_POOL},
    {"AvgPool1d", GRAPH_OP_AVERAGE_POOL},
    {"AvgPool2d", GRAPH_OP_AVERAGE_POOL},
    {"AvgPool3d", GRAPH_OP_AVERAGE_POOL},
    {"AdaptiveAvgPool1d", GRAPH_OP_GLOBAL_AVERAGE_POOL},
    {"AdaptiveAvgPool2d", GRAPH_OP_GLOBAL_AVERAGE_POOL},
    {"AdaptiveAvgPool3d", GRAPH_OP_GLOBAL_AVERAGE_POOL},
    {"MaxPool1d", GRAPH_OP_MAX_POOL},
    {"MaxPool2d", GRAPH_OP_MAX_POOL},
    {"MaxPool3d", GRAPH_OP_MAX_POOL},
    {"Upsample", GRAPH_OP_RESIZE},
};
enum { N_TORCH_TYPES = sizeof TORCH_TYPES / sizeof *TORCH_TYPES };

/* Marks every operator a type name stands for; false: not known. */
static bool ops_of_type(const char *name, bool ops[GRAPH_OP_COUNT])
{
    bool found = false;
    graph_op op;
    memset(ops, 0, GRAPH_OP_COUNT * sizeof *ops);
    for (int i = 0; i < N_TORCH_TYPES; i++) {
        if (strcmp(TORCH_TYPES[i].name, name) == 0) {
            ops[TORCH_TYPES[i].op] = true;
            found = true;
        }
    }
    if (graph_op_from_name(name, &op)) {
        ops[op] = true;
        found = true;
    }
    /* in NVIDIA's default map, but no detector here has them */
    return found || strcmp(name, "LSTM") == 0 || strcmp(name, "LSTMCell") == 0;
}

static ptq_status unknown_type(const yaml_doc *doc, const yaml_value *v, const char *name,
                               ptq_error *err)
{
    const char *known[N_TORCH_TYPES + GRAPH_OP_COUNT + 1];
    int n = 0;
    for (int i = 0; i < N_TORCH_TYPES; i++)
        known[n++] = TORCH_TYPES[i].name;
    for (int i = 0; i < GRAPH_OP_COUNT; i++)
        known[n++] = graph_op_name((graph_op)i);
    known[n] = NULL;
    return quant_yaml_unknown(err, doc, v, name, known);
}

/* ---------------------------------------------------------------- sections */

static ptq_status parse_patches(const yaml_doc *doc, const yaml_value *v, quant_patches *out,
                                ptq_error *err)
{
    const yaml_value *input = yaml_get(v, "input");
    const yaml_value *weight = yaml_get(v, "weight");
    if (input)
        PTQ_TRY(descriptor_patch_parse(doc, input, &out->input, err));
    if (weight)
        PTQ_TRY(descriptor_patch_parse(doc, weight, &out->weight, err));
    return PTQ_OK;
}

static ptq_status parse_types(const yaml_doc *doc, const yaml_value *v, quant_config *c,
                              ptq_error *err)
{
    static const char *const keys[] = {"input", "weight", NULL};
    if (v->kind != YAML_MAPPING)
        return quant_yaml_error(err, doc, v, "types must be a mapping from type to descriptors");
    for (int i = 0; i < v->n; i++) {
        bool ops[GRAPH_OP_COUNT];
        if (!ops_of_type(v->keys[i], ops))
            return unknown_type(doc, v->items[i], v->keys[i], err);
        PTQ_TRY(quant_yaml_check_keys(doc, v->items[i], "a type", keys, err));
        quant_patches patches = {0};
        PTQ_TRY(parse_patches(doc, v->items[i], &patches, err));
        for (int op = 0; op < GRAPH_OP_COUNT; op++)
            if (ops[op])
                c->types[op] = patches;
    }
    return PTQ_OK;
}

static ptq_status parse_defaults(const yaml_doc *doc, const yaml_value *v, quant_config *c,
                                 ptq_error *err)
{
    static const char *const keys[] = {"input", "weight", "types", NULL};
    PTQ_TRY(quant_yaml_check_keys(doc, v, "defaults", keys, err));
    PTQ_TRY(parse_patches(doc, v, &c->defaults, err));
    const yaml_value *types = yaml_get(v, "types");
    return types ? parse_types(doc, types, c, err) : PTQ_OK;
}

static ptq_status parse_float_modules(const yaml_doc *doc, const yaml_value *v, quant_config *c,
                                      ptq_error *err)
{
    if (v->kind != YAML_SEQUENCE)
        return quant_yaml_error(err, doc, v, "float_module_list must be a list of types");
    for (int i = 0; i < v->n; i++) {
        bool ops[GRAPH_OP_COUNT];
        const char *name = v->items[i]->text;
        if (!name)
            return quant_yaml_error(err, doc, v->items[i], "a type name expected");
        if (!ops_of_type(name, ops))
            return unknown_type(doc, v->items[i], name, err);
        for (int op = 0; op < GRAPH_OP_COUNT; op++)
            c->is_float[op] = c->is_float[op] || ops[op];
    }
    return PTQ_OK;
}

static ptq_status parse_custom_inputs(const yaml_doc *doc, const yaml_value *v, quant_custom *out,
                                      ptq_error *err)
{
    if (v->kind != YAML_SEQUENCE || v->n < 1 || v->n > QUANT_MAX_INPUTS)
        return quant_yaml_error(err, doc, v, "inputs must be a list of 1 to %d input numbers",
                                (int)QUANT_MAX_INPUTS);
    for (int i = 0; i < v->n; i++) {
        int64_t index;
        if (!yaml_int(v->items[i], &index) || index < 0 || index > 1000)
            return quant_yaml_error(err, doc, v->items[i], "an input number from 0 expected");
        out->inputs[i] = (int)index;
    }
    out->n_inputs = v->n;
    return PTQ_OK;
}

static ptq_status parse_custom(const yaml_doc *doc, const yaml_value *v, quant_custom *out,
                               ptq_error *err)
{
    static const char *const keys[] = {"op", "inputs", NULL};
    PTQ_TRY(quant_yaml_check_keys(doc, v, "a custom module", keys, err));
    const yaml_value *op = yaml_get(v, "op");
    if (!op || !op->text)
        return quant_yaml_error(err, doc, v, "a custom module needs an 'op'");
    if (!graph_op_from_name(op->text, &out->op)) {
        bool ops[GRAPH_OP_COUNT];
        if (!ops_of_type(op->text, ops))
            return unknown_type(doc, op, op->text, err);
        for (int i = 0; i < GRAPH_OP_COUNT; i++)
            if (ops[i])
                out->op = (graph_op)i;
    }
    const yaml_value *inputs = yaml_get(v, "inputs");
    out->n_inputs = 1;
    return inputs ? parse_custom_inputs(doc, inputs, out, err) : PTQ_OK;
}

static ptq_status parse_customs(const yaml_doc *doc, const yaml_value *v, quant_config *c,
                                ptq_error *err)
{
    if (v->kind != YAML_SEQUENCE)
        return quant_yaml_error(err, doc, v, "custom_quant_modules must be a list");
    c->customs = mem_array((size_t)v->n, sizeof *c->customs);
    if (!c->customs)
        return error_no_memory(err, (size_t)v->n * sizeof *c->customs, "custom modules");
    for (int i = 0; i < v->n; i++) {
        PTQ_TRY(parse_custom(doc, v->items[i], &c->customs[i], err));
        c->n_customs++;
    }
    return PTQ_OK;
}

static ptq_status parse_rule(const yaml_doc *doc, const yaml_value *v, quant_rule *out,
                             ptq_error *err)
{
    static const char *const keys[] = {"match", "disabled", "input", "weight", NULL};
    PTQ_TRY(quant_yaml_check_keys(doc, v, "a layer rule", keys, err));
    const yaml_value *match = yaml_get(v, "match");
    if (!match || !match->text)
        return quant_yaml_error(err, doc, v, "a layer rule needs a 'match'");
    ptq_status st = pattern_compile(match->text, &out->match, err);
    if (st != PTQ_OK) {
        error_context(err, "'%s' line %d", yaml_doc_name(doc), match->line);
        return st;
    }
    const yaml_value *disabled = yaml_get(v, "disabled");
    if (disabled && !yaml_bool(disabled, &out->disabled))
        return quant_yaml_error(err, doc, disabled, "true or false expected");
    return parse_patches(doc, v, &out->patches, err);
}

static ptq_status parse_rules(const yaml_doc *doc, const yaml_value *v, quant_config *c,
                              ptq_error *err)
{
    if (v->kind != YAML_SEQUENCE)
        return quant_yaml_error(err, doc, v, "layers must be a list");
    c->rules = mem_array((size_t)v->n, sizeof *c->rules);
    if (!c->rules)
        return error_no_memory(err, (size_t)v->n * sizeof *c->rules, "layer rules");
    c->n_rules = v->n;
    for (int i = 0; i < v->n; i++)
        PTQ_TRY(parse_rule(doc, v->items[i], &c->rules[i], err));
    return PTQ_OK;
}

static ptq_status parse_share(const yaml_doc *doc, const yaml_value *v, quant_config *c,
                              ptq_error *err)
{
    static const char *const keys[] = {"concat", "maxpool", "resize", "add", NULL};
    int *const fields[] = {&c->share_concat, &c->share_maxpool, &c->share_resize, &c->share_add};
    PTQ_TRY(quant_yaml_check_keys(doc, v, "share_scales", keys, err));
    for (int i = 0; keys[i]; i++) {
        const yaml_value *value = yaml_get(v, keys[i]);
        bool on;
        if (!value)
            continue;
        if (!yaml_bool(value, &on))
            return quant_yaml_error(err, doc, value, "true or false expected");
        *fields[i] = on;
    }
    return PTQ_OK;
}

/* ---------------------------------------------------------------- the file */

static ptq_status parse_root(const yaml_doc *doc, quant_config *c, ptq_error *err)
{
    typedef ptq_status section_fn(const yaml_doc *, const yaml_value *, quant_config *,
                                  ptq_error *);
    static const char *const keys[] = {"defaults", "float_module_list", "custom_quant_modules",
                                       "layers",   "share_scales",      NULL};
    static section_fn *const sections[] = {parse_defaults, parse_float_modules, parse_customs,
                                           parse_rules, parse_share};
    const yaml_value *root = yaml_doc_root(doc);
    PTQ_TRY(quant_yaml_check_keys(doc, root, "the file", keys, err));
    for (int i = 0; keys[i]; i++) {
        const yaml_value *v = yaml_get(root, keys[i]);
        if (v && !yaml_is_null(v))
            PTQ_TRY(sections[i](doc, v, c, err));
    }
    return PTQ_OK;
}

static ptq_status create(quant_config **out, ptq_error *err)
{
    quant_config *c = mem_zalloc(sizeof *c);
    if (!c)
        return error_no_memory(err, sizeof *c, "the quantization settings");
    c->share_concat = c->share_maxpool = c->share_resize = c->share_add = -1;
    *out = c;
    return PTQ_OK;
}

static ptq_status from_doc(yaml_doc *doc, quant_config **out, ptq_error *err)
{
    quant_config *c = NULL;
    ptq_status st = create(&c, err);
    if (st == PTQ_OK)
        st = parse_root(doc, c, err);
    if (st == PTQ_OK)
        *out = c;
    else
        quant_config_destroy(c);
    yaml_doc_destroy(doc);
    return st;
}

ptq_status quant_config_load(const char *path, quant_config **out, ptq_error *err)
{
    if (!path)
        return create(out, err);
    yaml_doc *doc;
    PTQ_TRY(yaml_doc_load(path, &doc, err));
    return from_doc(doc, out, err);
}

ptq_status quant_config_parse(const char *text, size_t size, const char *name, quant_config **out,
                              ptq_error *err)
{
    yaml_doc *doc;
    PTQ_TRY(yaml_doc_parse(text, size, name, &doc, err));
    return from_doc(doc, out, err);
}

void quant_config_destroy(quant_config *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->n_rules; i++)
        pattern_destroy(c->rules[i].match);
    mem_free(c->rules);
    mem_free(c->customs);
    mem_free(c);
}

const quant_rule *quant_config_rule(const quant_config *c, const char *layer)
{
    for (int i = 0; i < c->n_rules; i++)
        if (pattern_matches(c->rules[i].match, layer))
            return &c->rules[i];
    return NULL;
}
