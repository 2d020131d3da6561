/* SPDX-License-Identifier: Apache-2.0 */
#include "model/module_weights.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum { MAX_LISTED = 5 }; /* names in a message; the rest is a number */

typedef struct checker {
    pt_state *weights;
    str missing; /* the first few */
    int n_missing;
    const char *first_default;
    int n_defaults;
    int n_found;
    ptq_error *err;
} checker;

bool module_is_auxiliary(const module *m)
{
    return m->kind == MODULE_LIST && strcmp(m->name, "m2") == 0;
}

void network_find_live(const network *n, bool *is_live)
{
    const module *layers = n->layers;
    memset(is_live, 0, (size_t)layers->n_parts * sizeof *is_live);
    is_live[layers->n_parts - 1] = true;
    for (int i = layers->n_parts - 1; i >= 0; i--) {
        const module *m = layers->parts[i];
        int n_from = m->n_from;
        if (m->kind == MODULE_HEAD && n_from > m->as.head->n_levels)
            n_from = m->as.head->n_levels;
        for (int k = 0; is_live[i] && k < n_from; k++)
            if (m->from[k] >= 0)
                is_live[m->from[k]] = true;
    }
}

static bool has_shape(const pickle_tensor *t, const module_param *p)
{
    if (t->rank != p->rank)
        return false;
    for (int i = 0; i < p->rank; i++)
        if (t->size[i] != p->dims[i])
            return false;
    return true;
}

static const char *dims_text(const int64_t *dims, int rank, char text[128])
{
    int n = snprintf(text, 128, "[");
    for (int i = 0; i < rank && n < 100; i++)
        n += snprintf(text + n, 128 - (size_t)n, "%s%" PRId64, i ? "," : "", dims[i]);
    snprintf(text + n, 128 - (size_t)n, "]");
    return text;
}

static void report_missing(checker *c, const char *name, const pt_entry *e, const module_param *p)
{
    char has[128], wants[128];
    if (++c->n_missing > MAX_LISTED)
        return;
    str_addf(&c->missing, "%s'%s'", c->missing.len ? ", " : "", name);
    if (e)
        str_addf(&c->missing, " (%s instead of %s)",
                 dims_text(e->tensor->size, e->tensor->rank, has),
                 dims_text(p->dims, p->rank, wants));
}

static ptq_status check_param(checker *c, const module *m, const module_param *p)
{
    str name = STR_INIT;
    str_addf(&name, "%s.%s", m->path, p->name);
    if (!str_ok(&name))
        return error_no_memory(c->err, 256, "a name");
    pt_entry *e = pt_state_find(c->weights, str_text(&name));
    if (e && has_shape(e->tensor, p)) {
        e->is_used = true;
        c->n_found++;
    } else if (!e && m->kind == MODULE_IMPLICIT) {
        c->first_default = c->first_default ? c->first_default : m->path;
        c->n_defaults++;
    } else {
        report_missing(c, str_text(&name), e, p);
    }
    str_clear(&name);
    return PTQ_OK;
}

static ptq_status check_module(checker *c, const module *m)
{
    module_param params[MODULE_MAX_PARAMS];
    int n = module_params(m, params);
    for (int i = 0; i < n; i++)
        PTQ_TRY(check_param(c, m, &params[i]));
    for (int i = 0; i < m->n_parts; i++)
        if (!module_is_auxiliary(m->parts[i]))
            PTQ_TRY(check_module(c, m->parts[i]));
    return PTQ_OK;
}

/* Marks what belongs to the network without being needed: auxiliary branches, anchors, counters. */
static void mark_known(const module *m, pt_state *weights)
{
    static const char *const extras[] = {"anchors", "anchor_grid", "num_batches_tracked"};
    module_param params[MODULE_MAX_PARAMS];
    int n = module_params(m, params);
    for (int i = 0; i < n + 3; i++) {
        str name = STR_INIT;
        str_addf(&name, "%s.%s", m->path, i < n ? params[i].name : extras[i - n]);
        pt_entry *e = str_ok(&name) ? pt_state_find(weights, str_text(&name)) : NULL;
        if (e)
            e->is_used = true;
        str_clear(&name);
    }
    for (int i = 0; i < m->n_parts; i++)
        mark_known(m->parts[i], weights);
}

static void tell_leftover_names(const network *n, pt_state *weights, const ptq_env *env)
{
    mark_known(n->root, weights);
    str names = STR_INIT;
    int n_left = 0;
    bool has_implicit = false;
    for (int i = 0; i < pt_state_n_entries(weights); i++) {
        const pt_entry *e = pt_state_entry(weights, i);
        if (e->is_used)
            continue;
        has_implicit |= str_ends_with(e->name, ".implicit");
        if (++n_left <= MAX_LISTED)
            str_addf(&names, "%s'%s'", names.len ? ", " : "", e->name);
    }
    if (n_left > 0)
        env_log(env, PTQ_LOG_WARNING,
                "%d tensors of the checkpoint have no place in the config and are left out: %s%s%s",
                n_left, str_text(&names), n_left > MAX_LISTED ? " ..." : "",
                has_implicit ? "; without its implicit parameters the head computes something else "
                               "than it was trained for, a config with IDetect keeps them"
                             : "");
    str_clear(&names);
}

static void tell_defaults(const checker *c, const ptq_env *env)
{
    if (c->n_defaults > 0)
        env_log(env, PTQ_LOG_WARNING,
                "%d implicit parameters are missing in the checkpoint (the first is '%s'): "
                "ImplicitA counts as 0, ImplicitM as 1",
                c->n_defaults, c->first_default);
    env_log(env, PTQ_LOG_INFO, "%d of the network's tensors found by name, %d missing", c->n_found,
            c->n_defaults);
}

ptq_status weights_check(const network *n, pt_state *weights, bool tell_leftover,
                         const ptq_env *env, ptq_error *err)
{
    int n_layers = n->layers->n_parts;
    bool *is_live = mem_array((size_t)n_layers, sizeof *is_live);
    if (!is_live)
        return error_no_memory(err, (size_t)n_layers, "a list of layers");
    network_find_live(n, is_live);
    checker c = {.weights = weights, .missing = STR_INIT, .err = err};
    ptq_status status = PTQ_OK;
    for (int i = 0; i < n_layers && status == PTQ_OK; i++)
        if (is_live[i])
            status = check_module(&c, n->layers->parts[i]);
    if (status == PTQ_OK && c.n_missing > 0)
        status =
            error_set(err, PTQ_FORMAT,
                      "%d tensors that the network needs are missing or of another shape: "
                      "%s%s; do config and checkpoint belong together?",
                      c.n_missing, str_text(&c.missing), c.n_missing > MAX_LISTED ? " ..." : "");
    if (status == PTQ_OK)
        tell_defaults(&c, env);
    if (status == PTQ_OK && tell_leftover)
        tell_leftover_names(n, weights, env);
    str_clear(&c.missing);
    mem_free(is_live);
    return status;
}
