/* SPDX-License-Identifier: Apache-2.0 */
#include "lint/lint.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "lint/check.h"

bool is_tensorrt(const lint *l)
{
    return l->target != LINT_ONNXRUNTIME;
}

const quantizer *quantizer_at(const lint *l, const net_node *node)
{
    uint32_t at = node ? l->quantizer_of[net_index(l->net, node)] : NET_NONE;
    return at == NET_NONE ? NULL : &l->quantizers[at];
}

/* ---- words ---- */

static const char *keep(lint *l, str *text)
{
    char *kept = str_ok(text) ? arena_strdup(l->report->arena, str_text(text)) : NULL;
    l->out_of_memory = l->out_of_memory || !kept;
    str_clear(text);
    return kept ? kept : "";
}

const char *lint_text(lint *l, const char *format, ...)
{
    str text = STR_INIT;
    va_list args;
    va_start(args, format);
    str_vaddf(&text, format, args);
    va_end(args);
    return keep(l, &text);
}

const char *lint_pattern(lint *l, const char *name)
{
    str text = STR_INIT;
    str_add(&text, "");
    for (const char *p = name; *p; p++) {
        if (strchr("\\.^$|?*+()[]{}", *p))
            str_add(&text, "\\");
        str_add_n(&text, p, 1);
    }
    str_add(&text, "$");
    return keep(l, &text);
}

const char *lint_layer_line(lint *l, const char *name, const char *what)
{
    return lint_text(l, "layers: [{match: '%s', %s}]", lint_pattern(l, name), what);
}

/* ---- findings ---- */

void lint_add(lint *l, lint_place place, const char *format, ...)
{
    lint_report *r = l->report;
    const lint_rule_info *rule = lint_rule_of(place.rule);
    lint_finding f = {.rule = place.rule, .severity = rule->severity[l->target]};
    if (f.severity == LINT_NONE)
        return;
    str text = STR_INIT;
    va_list args;
    va_start(args, format);
    str_vaddf(&text, format, args);
    va_end(args);
    f.message = keep(l, &text);
    f.fix = place.fix ? place.fix : rule->fix;
    f.node = place.node ? lint_text(l, "%s", place.node->name) : "";
    lint_finding *grown =
        mem_grow(r->findings, &r->cap_findings, r->n_findings + 1, sizeof *r->findings);
    if (!grown) {
        l->out_of_memory = true;
        return;
    }
    r->findings = grown;
    r->findings[r->n_findings++] = f;
    r->n_of[f.severity]++;
}

void lint_expect(lint *l, const net_node *node, const char *precision, const char *reason)
{
    lint_report *r = l->report;
    lint_forecast f = {lint_text(l, "%s", node->name), lint_text(l, "%s", node->op), precision,
                       reason};
    lint_forecast *grown =
        mem_grow(r->forecast, &r->cap_forecast, r->n_forecast + 1, sizeof *r->forecast);
    if (!grown) {
        l->out_of_memory = true;
        return;
    }
    r->forecast = grown;
    r->forecast[r->n_forecast++] = f;
}

/* Stable: findings of one rule stay in the order in which they were found. */
static bool sort_findings(lint_report *r)
{
    lint_finding *sorted = mem_array(r->n_findings, sizeof *sorted);
    size_t n = 0;
    if (!sorted)
        return false;
    for (int severity = LINT_ERROR; severity < LINT_N_SEVERITIES; severity++)
        for (int rule = 0; rule < RULE_COUNT; rule++)
            for (size_t i = 0; i < r->n_findings; i++)
                if (r->findings[i].rule == (lint_rule)rule &&
                    r->findings[i].severity == (lint_severity)severity)
                    sorted[n++] = r->findings[i];
    mem_free(r->findings);
    r->findings = sorted;
    return true;
}

/* ---- the whole ---- */

/* What is said about a file, at most: names of a hostile one may be long, and are repeated. */
#define MAX_REPORT_BYTES ((size_t)512 << 20)

static ptq_status run_checks(lint *l, const ptq_env *env, ptq_error *err)
{
    static lint_check_fn *const checks[] = {check_file,   check_parameters, check_pairs,
                                            check_layers, check_fusion,     check_head,
                                            check_flow,   forecast_layers};
    PTQ_TRY(lint_find_facts(l, err));
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        PTQ_TRY(env_check_cancel(env, err));
        checks[i](l);
    }
    if (l->out_of_memory || !sort_findings(l->report))
        return error_no_memory(err, l->report->n_findings * sizeof(lint_finding), "findings");
    return PTQ_OK;
}

ptq_status lint_file(const char *path, const lint_options *options, const ptq_env *env,
                     lint_report *out, ptq_error *err)
{
    net n;
    net_limits limits = {.max_bytes = options->max_bytes, .max_depth = options->max_depth};
    PTQ_TRY(net_read(path, &limits, env, &n, err));
    lint_report report = {.arena = arena_create(MAX_REPORT_BYTES), .opset = n.file.opset};
    lint l = {.net = &n, .target = options->target, .report = &report};
    ptq_status status =
        report.arena ? run_checks(&l, env, err) : error_no_memory(err, 0, "a report");
    net_close(&n);
    if (status != PTQ_OK) {
        lint_report_clear(&report);
        return status;
    }
    *out = report;
    return PTQ_OK;
}

void lint_report_clear(lint_report *r)
{
    mem_free(r->findings);
    mem_free(r->forecast);
    arena_destroy(r->arena);
    *r = (lint_report){0};
}
