/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/quantizer_api.h"
#include "base/mem.h"
#include "ptq/quant_config.h"

ptq_status ptq_quant_config_create(const char *path, ptq_quant_config **out, ptq_error *err)
{
    ptq_quant_config *c = mem_zalloc(sizeof *c);
    if (!c)
        return error_no_memory(err, sizeof *c, "settings");
    ptq_status status = quant_config_load(path, &c->config, err);
    if (status == PTQ_OK)
        *out = c;
    else
        mem_free(c);
    return status;
}

void ptq_quant_config_destroy(ptq_quant_config *c)
{
    if (!c)
        return;
    quant_config_destroy(c->config);
    mem_free(c);
}

/* ---------------------------------------------------------------- what calls have in common */

/* Every field of a descriptor, its ranges copied. */
static ptq_status patch_of(const ptq_quant_config *c, const ptq_quant_desc *d,
                           descriptor_patch *out, ptq_error *err)
{
    descriptor made;
    if (!d->fake_quant)
        return error_set(err, PTQ_USAGE,
                         "only fake quantization is supported in a layer: fake_quant false gives "
                         "codes instead of values");
    PTQ_TRY(descriptor_of(d, &made, err));
    if (made.n_amax > 1) {
        float *list = arena_alloc(c->config->memory, (size_t)made.n_amax, sizeof *list);
        if (!list)
            return error_no_memory(err, (size_t)made.n_amax * sizeof *list, "ranges");
        memcpy(list, made.amax_list, (size_t)made.n_amax * sizeof *list);
        made.amax_list = list;
    }
    *out = descriptor_patch_all(&made);
    return PTQ_OK;
}

static ptq_status ops_of(const char *type, op_set *out, ptq_error *err)
{
    if (module_type_is_refused(type))
        return module_type_refuse(type, err);
    if (!module_type_ops(type, out))
        return error_set(err, PTQ_USAGE, "module type '%s' is not known", type);
    return PTQ_OK;
}

static bool is_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool is_same_choice(const quant_rule *r, const ptq_layers *which, const op_set *type)
{
    return is_same_text(r->match ? pattern_text(r->match) : NULL, which->match) &&
           is_same_text(r->layer, which->layer) && is_same_text(r->path, which->path) &&
           r->has_type == (which->type != NULL) && memcmp(&r->type, type, sizeof *type) == 0;
}

static ptq_status copy_text(const ptq_quant_config *c, const char *text, const char **out,
                            ptq_error *err)
{
    if (!text)
        return PTQ_OK;
    *out = arena_strdup(c->config->memory, text);
    return *out ? PTQ_OK : error_no_memory(err, strlen(text), "settings");
}

/* The rule for these layers, a new one when there is none. */
static ptq_status rule_for(ptq_quant_config *c, const ptq_layers *which, quant_rule **out,
                           ptq_error *err)
{
    op_set type = {0};
    pattern *match = NULL;
    if (!which->match && !which->layer && !which->path && !which->type)
        return error_set(err, PTQ_USAGE, "no layers chosen: give match, layer, path or type");
    if (which->type)
        PTQ_TRY(ops_of(which->type, &type, err));
    for (int i = 0; i < c->config->n_rules; i++)
        if (is_same_choice(&c->config->rules[i], which, &type)) {
            *out = &c->config->rules[i];
            return PTQ_OK;
        }
    if (which->match)
        PTQ_TRY(pattern_compile(which->match, &match, err));
    quant_rule *r = NULL;
    ptq_status status = quant_config_add_rule(c->config, &r, err);
    if (status != PTQ_OK) {
        pattern_destroy(match);
        return status;
    }
    r->match = match;
    r->has_type = which->type != NULL;
    r->type = type;
    *out = r;
    PTQ_TRY(copy_text(c, which->layer, &r->layer, err));
    return copy_text(c, which->path, &r->path, err);
}

/* ---------------------------------------------------------------- the calls */

ptq_status ptq_quant_config_default(ptq_quant_config *c, const char *type, ptq_role role,
                                    const ptq_quant_desc *d, ptq_error *err)
{
    op_set ops = {0};
    descriptor_patch patch;
    if (role != PTQ_INPUT && role != PTQ_WEIGHT)
        return error_set(err, PTQ_USAGE, "a default is for PTQ_INPUT or PTQ_WEIGHT");
    if (type)
        PTQ_TRY(ops_of(type, &ops, err));
    PTQ_TRY(patch_of(c, d, &patch, err));
    quant_patches *all = &c->config->defaults;
    if (!type)
        *(role == PTQ_WEIGHT ? &all->weight : &all->input) = patch;
    for (int i = 0; i < GRAPH_OP_COUNT; i++)
        if (ops.has[i])
            *(role == PTQ_WEIGHT ? &c->config->types[i].weight : &c->config->types[i].input) =
                patch;
    return PTQ_OK;
}

static ptq_status set_input(quant_rule *r, int index, const descriptor_patch *patch, ptq_error *err)
{
    int at = 0;
    while (at < r->n_inputs && r->inputs[at].index != index)
        at++;
    if (at == QUANT_MAX_INPUTS)
        return error_set(err, PTQ_USAGE, "more than %d inputs of a layer", (int)QUANT_MAX_INPUTS);
    r->inputs[at] = (quant_input){index, *patch};
    r->n_inputs += at == r->n_inputs;
    return PTQ_OK;
}

ptq_status ptq_quant_config_layer(ptq_quant_config *c, const ptq_layers *which, ptq_role role,
                                  const ptq_quant_desc *d, ptq_error *err)
{
    descriptor_patch patch;
    quant_rule *rule = NULL;
    if (role != PTQ_INPUT && role != PTQ_WEIGHT)
        return error_set(err, PTQ_USAGE, "a layer's descriptor is for PTQ_INPUT or PTQ_WEIGHT");
    PTQ_TRY(patch_of(c, d, &patch, err));
    PTQ_TRY(rule_for(c, which, &rule, err));
    *(role == PTQ_WEIGHT ? &rule->patches.weight : &rule->patches.input) = patch;
    return PTQ_OK;
}

ptq_status ptq_quant_config_add_input(ptq_quant_config *c, const ptq_layers *which, int index,
                                      const ptq_quant_desc *d, ptq_error *err)
{
    descriptor_patch patch;
    quant_rule *rule = NULL;
    if (index < 0)
        return error_set(err, PTQ_USAGE, "input %d of a layer", index);
    PTQ_TRY(patch_of(c, d, &patch, err));
    PTQ_TRY(rule_for(c, which, &rule, err));
    return set_input(rule, index, &patch, err);
}

ptq_status ptq_quant_config_disable(ptq_quant_config *c, const ptq_layers *which, bool disabled,
                                    ptq_error *err)
{
    quant_rule *rule = NULL;
    PTQ_TRY(rule_for(c, which, &rule, err));
    rule->has_disabled = true;
    rule->disabled = disabled;
    return PTQ_OK;
}

ptq_status ptq_quant_config_tensor(ptq_quant_config *c, const char *match, const ptq_quant_desc *d,
                                   ptq_error *err)
{
    descriptor_patch patch;
    pattern *compiled;
    quant_tensor_rule *rule = NULL;
    PTQ_TRY(patch_of(c, d, &patch, err));
    PTQ_TRY(pattern_compile(match, &compiled, err));
    ptq_status status = quant_config_add_tensor(c->config, &rule, err);
    if (status != PTQ_OK) {
        pattern_destroy(compiled);
        return status;
    }
    *rule = (quant_tensor_rule){compiled, patch};
    return PTQ_OK;
}

ptq_status ptq_quant_config_float_module(ptq_quant_config *c, const char *type, ptq_error *err)
{
    return module_type_is_refused(type) ? PTQ_OK : ops_of(type, &c->config->is_float, err);
}

ptq_status ptq_quant_config_custom_module(ptq_quant_config *c, const char *type, const int *inputs,
                                          int n_inputs, ptq_error *err)
{
    op_set ops = {0};
    quant_custom *custom = NULL;
    if (n_inputs < 1 || n_inputs > QUANT_MAX_INPUTS)
        return error_set(err, PTQ_USAGE, "%d inputs of a custom module; 1 to %d", n_inputs,
                         (int)QUANT_MAX_INPUTS);
    for (int i = 0; i < n_inputs; i++)
        if (inputs[i] < 0)
            return error_set(err, PTQ_USAGE, "input %d of a custom module", inputs[i]);
    PTQ_TRY(ops_of(type, &ops, err));
    PTQ_TRY(quant_config_add_custom(c->config, &custom, err));
    custom->ops = ops;
    custom->n_inputs = n_inputs;
    memcpy(custom->inputs, inputs, (size_t)n_inputs * sizeof *inputs);
    return PTQ_OK;
}

ptq_status ptq_quant_config_share(ptq_quant_config *c, const char *kind, bool on, ptq_error *err)
{
    quant_config *q = c->config;
    static const char *const kinds[] = {"concat", "maxpool", "resize", "move", "add"};
    int *const fields[] = {&q->share_concat, &q->share_maxpool, &q->share_resize, &q->share_move,
                           &q->share_add};
    for (int i = 0; i < 5; i++)
        if (strcmp(kinds[i], kind) == 0) {
            *fields[i] = on;
            return PTQ_OK;
        }
    return error_set(err, PTQ_USAGE,
                     "'%s' is none of what shares scales: concat, maxpool, resize, move, add",
                     kind);
}
