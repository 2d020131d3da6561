/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/quant_config.h"

#include <string.h>

#include "base/mem.h"
#include "quant/quant_yaml.h"

/* ---------------------------------------------------------------- lists */

static ptq_status grow(void **items, int *n, size_t size, void **out, ptq_error *err)
{
    size_t wanted = (size_t)*n + 1;
    char *grown = mem_resize(*items, wanted, size);
    if (!grown)
        return error_no_memory(err, wanted * size, "the quantization settings");
    *items = grown;
    *out = grown + (size_t)*n * size;
    memset(*out, 0, size);
    (*n)++;
    return PTQ_OK;
}

ptq_status quant_config_add_rule(quant_config *c, quant_rule **out, ptq_error *err)
{
    void *items = c->rules, *added = NULL;
    PTQ_TRY(grow(&items, &c->n_rules, sizeof **out, &added, err));
    c->rules = items;
    *out = added;
    return PTQ_OK;
}

ptq_status quant_config_add_custom(quant_config *c, quant_custom **out, ptq_error *err)
{
    void *items = c->customs, *added = NULL;
    PTQ_TRY(grow(&items, &c->n_customs, sizeof **out, &added, err));
    c->customs = items;
    *out = added;
    return PTQ_OK;
}

ptq_status quant_config_add_tensor(quant_config *c, quant_tensor_rule **out, ptq_error *err)
{
    void *items = c->tensors, *added = NULL;
    PTQ_TRY(grow(&items, &c->n_tensors, sizeof **out, &added, err));
    c->tensors = items;
    *out = added;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- what sections share */

typedef struct config_reader {
    const yaml_doc *doc;
    quant_config *c;
} config_reader;

static ptq_status wrong(const config_reader *r, const yaml_value *v, const char *text,
                        ptq_error *err)
{
    return quant_yaml_error(err, r->doc, v, "%s", text);
}

static ptq_status parse_patch(const config_reader *r, const yaml_value *v, descriptor_patch *out,
                              ptq_error *err)
{
    return v ? descriptor_patch_parse(r->doc, v, r->c->memory, out, err) : PTQ_OK;
}

static ptq_status parse_patches(const config_reader *r, const yaml_value *v, quant_patches *out,
                                ptq_error *err)
{
    PTQ_TRY(parse_patch(r, yaml_get(v, "input"), &out->input, err));
    return parse_patch(r, yaml_get(v, "weight"), &out->weight, err);
}

/* The operators of the type that stands at `v`. */
static ptq_status parse_type(const config_reader *r, const yaml_value *v, const char *name,
                             op_set *out, ptq_error *err)
{
    const char *known[MODULE_TYPE_NAMES];
    if (!name)
        return wrong(r, v, "a type name expected", err);
    if (module_type_is_refused(name)) {
        ptq_status st = module_type_refuse(name, err);
        error_context(err, "'%s' line %d", yaml_doc_name(r->doc), v->line);
        return st;
    }
    if (module_type_ops(name, out))
        return PTQ_OK;
    module_type_names(known);
    return quant_yaml_unknown(err, r->doc, v, name, known);
}

static ptq_status parse_expression(const config_reader *r, const yaml_value *v, pattern **out,
                                   ptq_error *err)
{
    if (!v->text)
        return wrong(r, v, "match must be an expression", err);
    ptq_status st = pattern_compile(v->text, out, err);
    if (st != PTQ_OK)
        error_context(err, "'%s' line %d", yaml_doc_name(r->doc), v->line);
    return st;
}

static ptq_status parse_flag(const config_reader *r, const yaml_value *v, int *out, ptq_error *err)
{
    bool on;
    if (!yaml_bool(v, &on))
        return wrong(r, v, "true or false expected", err);
    *out = on;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- sections */

static bool says_something(const quant_patches *p)
{
    return p->input.set || p->weight.set;
}

static ptq_status parse_types(const config_reader *r, const yaml_value *v, ptq_error *err)
{
    static const char *const keys[] = {"input", "weight", NULL};
    if (v->kind != YAML_MAPPING)
        return wrong(r, v, "types must be a mapping from type to descriptors", err);
    for (int i = 0; i < v->n; i++) {
        op_set ops = {0};
        PTQ_TRY(parse_type(r, v->items[i], v->keys[i], &ops, err));
        PTQ_TRY(quant_yaml_check_keys(r->doc, v->items[i], "a type", keys, err));
        quant_patches patches = {0};
        PTQ_TRY(parse_patches(r, v->items[i], &patches, err));
        for (int op = 0; op < GRAPH_OP_COUNT; op++) {
            if (ops.has[op] && says_something(&r->c->types[op]))
                return quant_yaml_error(err, r->doc, v->items[i],
                                        "'%s' is the operator %s, which has a descriptor already",
                                        v->keys[i], graph_op_name((graph_op)op));
            if (ops.has[op])
                r->c->types[op] = patches;
        }
    }
    return PTQ_OK;
}

static ptq_status parse_defaults(const config_reader *r, const yaml_value *v, ptq_error *err)
{
    static const char *const keys[] = {"input", "weight", "types", NULL};
    PTQ_TRY(quant_yaml_check_keys(r->doc, v, "defaults", keys, err));
    PTQ_TRY(parse_patches(r, v, &r->c->defaults, err));
    const yaml_value *types = yaml_get(v, "types");
    return types ? parse_types(r, types, err) : PTQ_OK;
}

/* Types that are refused elsewhere may stand here: float is what they are. */
static ptq_status parse_float_modules(const config_reader *r, const yaml_value *v, ptq_error *err)
{
    if (v->kind != YAML_SEQUENCE)
        return wrong(r, v, "float_module_list must be a list of types", err);
    for (int i = 0; i < v->n; i++)
        if (!v->items[i]->text || !module_type_is_refused(v->items[i]->text))
            PTQ_TRY(parse_type(r, v->items[i], v->items[i]->text, &r->c->is_float, err));
    return PTQ_OK;
}

static ptq_status parse_custom_inputs(const config_reader *r, const yaml_value *v,
                                      quant_custom *out, ptq_error *err)
{
    if (v->kind != YAML_SEQUENCE || v->n < 1 || v->n > QUANT_MAX_INPUTS)
        return quant_yaml_error(err, r->doc, v, "inputs must be a list of 1 to %d input numbers",
                                (int)QUANT_MAX_INPUTS);
    for (int i = 0; i < v->n; i++) {
        int64_t index;
        if (!yaml_int(v->items[i], &index) || index < 0 || index > 1000)
            return wrong(r, v->items[i], "an input number from 0 expected", err);
        out->inputs[i] = (int)index;
    }
    out->n_inputs = v->n;
    return PTQ_OK;
}

static ptq_status parse_customs(const config_reader *r, const yaml_value *v, ptq_error *err)
{
    static const char *const keys[] = {"op", "inputs", NULL};
    if (v->kind != YAML_SEQUENCE)
        return wrong(r, v, "custom_quant_modules must be a list", err);
    for (int i = 0; i < v->n; i++) {
        const yaml_value *item = v->items[i];
        quant_custom *custom = NULL;
        PTQ_TRY(quant_yaml_check_keys(r->doc, item, "a custom module", keys, err));
        const yaml_value *op = yaml_get(item, "op");
        if (!op || !op->text)
            return wrong(r, item, "a custom module needs an 'op'", err);
        PTQ_TRY(quant_config_add_custom(r->c, &custom, err));
        PTQ_TRY(parse_type(r, op, op->text, &custom->ops, err));
        const yaml_value *inputs = yaml_get(item, "inputs");
        custom->n_inputs = 1;
        if (inputs)
            PTQ_TRY(parse_custom_inputs(r, inputs, custom, err));
    }
    return PTQ_OK;
}

/* inputs: {1: {...}}, or inputs: [1] for default descriptors. */
static ptq_status parse_rule_inputs(const config_reader *r, const yaml_value *v, quant_rule *out,
                                    ptq_error *err)
{
    quant_custom numbers = {0};
    if (v->kind == YAML_SEQUENCE) {
        PTQ_TRY(parse_custom_inputs(r, v, &numbers, err));
        for (int i = 0; i < numbers.n_inputs; i++)
            out->inputs[i].index = numbers.inputs[i];
        out->n_inputs = numbers.n_inputs;
        return PTQ_OK;
    }
    if (v->kind != YAML_MAPPING || v->n < 1 || v->n > QUANT_MAX_INPUTS)
        return quant_yaml_error(err, r->doc, v,
                                "inputs must be a mapping from 1 to %d input numbers to "
                                "descriptors",
                                (int)QUANT_MAX_INPUTS);
    for (int i = 0; i < v->n; i++) {
        const char *key = v->keys[i];
        if (strspn(key, "0123456789") != strlen(key) || !key[0] || strlen(key) > 3)
            return wrong(r, v->items[i], "an input number from 0 expected", err);
        int index = 0;
        for (const char *digit = key; *digit; digit++)
            index = 10 * index + (*digit - '0');
        out->inputs[i].index = index;
        PTQ_TRY(parse_patch(r, v->items[i], &out->inputs[i].patch, err));
        out->n_inputs++;
    }
    return PTQ_OK;
}

static ptq_status parse_name(const config_reader *r, const yaml_value *v, const char **out,
                             ptq_error *err)
{
    if (!v)
        return PTQ_OK;
    if (!v->text)
        return wrong(r, v, "a name expected", err);
    *out = arena_strdup(r->c->memory, v->text);
    return *out ? PTQ_OK : error_no_memory(err, strlen(v->text), "the quantization settings");
}

static ptq_status parse_selection(const config_reader *r, const yaml_value *v, quant_rule *out,
                                  ptq_error *err)
{
    const yaml_value *match = yaml_get(v, "match");
    const yaml_value *type = yaml_get(v, "type");
    if (match)
        PTQ_TRY(parse_expression(r, match, &out->match, err));
    PTQ_TRY(parse_name(r, yaml_get(v, "layer"), &out->layer, err));
    PTQ_TRY(parse_name(r, yaml_get(v, "path"), &out->path, err));
    if (!match && !type && !out->layer && !out->path)
        return wrong(r, v, "a layer rule needs a 'match', a 'layer', a 'path' or a 'type'", err);
    out->has_type = type != NULL;
    return type ? parse_type(r, type, type->text, &out->type, err) : PTQ_OK;
}

static ptq_status parse_rule(const config_reader *r, const yaml_value *v, quant_rule *out,
                             ptq_error *err)
{
    static const char *const keys[] = {"match", "layer",  "path",   "type", "disabled",
                                       "input", "weight", "inputs", NULL};
    PTQ_TRY(quant_yaml_check_keys(r->doc, v, "a layer rule", keys, err));
    PTQ_TRY(parse_selection(r, v, out, err));
    const yaml_value *disabled = yaml_get(v, "disabled");
    out->has_disabled = disabled != NULL;
    if (disabled && !yaml_bool(disabled, &out->disabled))
        return wrong(r, disabled, "true or false expected", err);
    PTQ_TRY(parse_patches(r, v, &out->patches, err));
    const yaml_value *inputs = yaml_get(v, "inputs");
    return inputs ? parse_rule_inputs(r, inputs, out, err) : PTQ_OK;
}

static ptq_status parse_rules(const config_reader *r, const yaml_value *v, ptq_error *err)
{
    if (v->kind != YAML_SEQUENCE)
        return wrong(r, v, "layers must be a list", err);
    for (int i = 0; i < v->n; i++) {
        quant_rule *rule = NULL;
        PTQ_TRY(quant_config_add_rule(r->c, &rule, err));
        PTQ_TRY(parse_rule(r, v->items[i], rule, err));
    }
    return PTQ_OK;
}

static ptq_status parse_tensors(const config_reader *r, const yaml_value *v, ptq_error *err)
{
    static const char *const keys[] = {"match", "input", NULL};
    if (v->kind != YAML_SEQUENCE)
        return wrong(r, v, "tensors must be a list", err);
    for (int i = 0; i < v->n; i++) {
        quant_tensor_rule *rule = NULL;
        PTQ_TRY(quant_yaml_check_keys(r->doc, v->items[i], "a tensor rule", keys, err));
        const yaml_value *match = yaml_get(v->items[i], "match");
        if (!match)
            return wrong(r, v->items[i], "a tensor rule needs a 'match'", err);
        PTQ_TRY(quant_config_add_tensor(r->c, &rule, err));
        PTQ_TRY(parse_expression(r, match, &rule->match, err));
        PTQ_TRY(parse_patch(r, yaml_get(v->items[i], "input"), &rule->patch, err));
    }
    return PTQ_OK;
}

static ptq_status parse_share(const config_reader *r, const yaml_value *v, ptq_error *err)
{
    static const char *const keys[] = {"concat", "maxpool", "resize", "move", "add", NULL};
    int *const fields[] = {&r->c->share_concat, &r->c->share_maxpool, &r->c->share_resize,
                           &r->c->share_move, &r->c->share_add};
    PTQ_TRY(quant_yaml_check_keys(r->doc, v, "share_scales", keys, err));
    for (int i = 0; keys[i]; i++)
        if (yaml_get(v, keys[i]))
            PTQ_TRY(parse_flag(r, yaml_get(v, keys[i]), fields[i], err));
    return PTQ_OK;
}

static ptq_status parse_residual(const config_reader *r, const yaml_value *v, ptq_error *err)
{
    return parse_flag(r, v, &r->c->residual, err);
}

static ptq_status parse_float_weights(const config_reader *r, const yaml_value *v, ptq_error *err)
{
    return parse_flag(r, v, &r->c->float_weights, err);
}

/* ---------------------------------------------------------------- the file */

static ptq_status parse_root(const config_reader *r, ptq_error *err)
{
    typedef ptq_status section_fn(const config_reader *, const yaml_value *, ptq_error *);
    static const char *const keys[] = {"defaults", "float_module_list", "custom_quant_modules",
                                       "layers",   "tensors",           "share_scales",
                                       "residual", "float_weights",     NULL};
    static section_fn *const sections[] = {parse_defaults, parse_float_modules, parse_customs,
                                           parse_rules,    parse_tensors,       parse_share,
                                           parse_residual, parse_float_weights};
    const yaml_value *root = yaml_doc_root(r->doc);
    PTQ_TRY(quant_yaml_check_keys(r->doc, root, "the file", keys, err));
    for (int i = 0; keys[i]; i++) {
        const yaml_value *v = yaml_get(root, keys[i]);
        if (v && !yaml_is_null(v))
            PTQ_TRY(sections[i](r, v, err));
    }
    return PTQ_OK;
}

static ptq_status create(quant_config **out, ptq_error *err)
{
    quant_config *c = mem_zalloc(sizeof *c);
    arena *memory = arena_create(0);
    if (!c || !memory) {
        mem_free(c);
        arena_destroy(memory);
        return error_no_memory(err, sizeof *c, "the quantization settings");
    }
    c->memory = memory;
    c->share_concat = c->share_maxpool = c->share_resize = c->share_move = c->share_add = -1;
    c->residual = c->float_weights = -1;
    *out = c;
    return PTQ_OK;
}

static ptq_status from_doc(yaml_doc *doc, quant_config **out, ptq_error *err)
{
    quant_config *c = NULL;
    ptq_status st = create(&c, err);
    if (st == PTQ_OK)
        st = parse_root(&(config_reader){doc, c}, err);
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
    for (int i = 0; i < c->n_tensors; i++)
        pattern_destroy(c->tensors[i].match);
    mem_free(c->rules);
    mem_free(c->customs);
    mem_free(c->tensors);
    arena_destroy(c->memory);
    mem_free(c);
}

/* ---------------------------------------------------------------- which rule holds */

/* "model.24" is above "model.24.cv1.conv", not above "model.240". */
static bool is_at_or_above(const char *path, const char *layer)
{
    size_t n = strlen(path);
    return strncmp(layer, path, n) == 0 && (layer[n] == '\0' || layer[n] == '.');
}

const quant_rule *quant_config_rule(const quant_config *c, const char *layer, graph_op op)
{
    for (int i = 0; i < c->n_rules; i++) {
        const quant_rule *r = &c->rules[i];
        if ((!r->match || pattern_matches(r->match, layer)) &&
            (!r->layer || strcmp(r->layer, layer) == 0) &&
            (!r->path || is_at_or_above(r->path, layer)) && (!r->has_type || r->type.has[op]))
            return r;
    }
    return NULL;
}

const quant_tensor_rule *quant_config_tensor(const quant_config *c, const char *name)
{
    for (int i = 0; i < c->n_tensors; i++)
        if (pattern_matches(c->tensors[i].match, name))
            return &c->tensors[i];
    return NULL;
}
