/* SPDX-License-Identifier: Apache-2.0 */
/* The table of `ptq lint`: the forecast of each layer, then the findings by rule, then one line
 * that says what it comes to. */
#include <math.h>
#include <string.h>

#include "report/table.h"
#include "report/view.h"

enum { MAX_NODES = 4 }; /* findings of one rule that are shown */

static const char *target_of(const report_view *view)
{
    return field_text(view->config, "target", "the target");
}

static void print_forecast(str *out, const report_view *view)
{
    const json_t *forecast = field_at(view->result, "forecast");
    table t = TABLE_INIT("llll");
    table_row(&t, (const char *[]){"layer", "op", "precision", "why"});
    for (size_t i = 0; i < json_array_size(forecast); i++) {
        const json_t *layer = json_array_get(forecast, i);
        table_cell(&t, "%s", field_text(layer, "node", "?"));
        table_cell(&t, "%s", field_text(layer, "op", ""));
        table_cell(&t, "%s", field_text(layer, "precision", ""));
        table_cell(&t, "%s", field_text(layer, "reason", ""));
    }
    if (json_array_size(forecast) > 0)
        table_print(&t, out, 2, view->limit);
    else
        str_clear(&t.cells);
}

/* "89 int8, 3 fp16" */
static void print_counts(str *out, const json_t *forecast)
{
    enum { MAX_KINDS = 8 };
    const char *kinds[MAX_KINDS];
    size_t counts[MAX_KINDS] = {0}, n_kinds = 0;
    for (size_t i = 0; i < json_array_size(forecast); i++) {
        const char *precision = field_text(json_array_get(forecast, i), "precision", "");
        size_t k = 0;
        while (k < n_kinds && strcmp(kinds[k], precision) != 0)
            k++;
        if (k == n_kinds && n_kinds < MAX_KINDS)
            kinds[n_kinds++] = precision;
        if (k < n_kinds)
            counts[k]++;
    }
    for (size_t k = 0; k < n_kinds; k++)
        str_addf(out, "%s%zu %s", k > 0 ? ", " : "", counts[k], kinds[k]);
}

static bool is_of_rule(const json_t *finding, const char *rule)
{
    return strcmp(field_text(finding, "rule", ""), rule) == 0;
}

static void print_finding(str *out, const json_t *f, int width)
{
    const char *node = field_text(f, "node", "");
    if (*node)
        str_addf(out, "  %s\n", node);
    text_wrap(out, *node ? "    " : "  ", field_text(f, "message", ""), width);
}

static bool has_same_fix(const json_t *a, const json_t *b)
{
    return strcmp(field_text(a, "fix", ""), field_text(b, "fix", "")) == 0;
}

/* Findings are sorted: those of a rule stand together from `first` on. Returns how many. What mends
 * them is said once as long as it is the same. */
static size_t print_rule(str *out, const json_t *findings, size_t first, int width)
{
    const json_t *head = json_array_get(findings, first);
    const char *rule = field_text(head, "rule", "?");
    size_t n = 0;
    while (is_of_rule(json_array_get(findings, first + n), rule))
        n++;
    str_addf(out, "%s: %s", field_text(head, "severity", "?"), rule);
    str_addf(out, n > 1 ? ", %zu times\n" : "\n", n);
    for (size_t i = 0; i < n && i < MAX_NODES; i++) {
        const json_t *f = json_array_get(findings, first + i);
        bool is_last = i + 1 == n || i + 1 == MAX_NODES;
        print_finding(out, f, width);
        if (is_last && n > MAX_NODES)
            str_addf(out, "  ... %zu more: --json\n", n - MAX_NODES);
        if (is_last || !has_same_fix(f, json_array_get(findings, first + i + 1)))
            text_wrap(out, "  fix: ", field_text(f, "fix", ""), width);
    }
    return n;
}

static void print_findings(str *out, const report_view *view)
{
    const json_t *findings = field_at(view->result, "findings");
    for (size_t i = 0; i < json_array_size(findings);)
        i += print_rule(out, findings, i, view->width);
}

static void print_count(str *out, double n, const char *what)
{
    str_addf(out, "%.0f %s%s", n, what, n > 0 && n < 2 ? "" : "s");
}

void text_lint(str *out, const report_view *view)
{
    const json_t *counts = field_at(view->result, "counts");
    const json_t *forecast = field_at(view->result, "forecast");
    print_forecast(out, view);
    print_findings(out, view);
    if (json_array_size(forecast) > 0) {
        str_addf(out, "%zu layers: ", json_array_size(forecast));
        print_counts(out, forecast);
        str_addf(out, " (a forecast: %s was not run)\n", target_of(view));
    }
    double errors = field_number(counts, "error");
    if (isnan(errors))
        return;
    print_count(out, errors, "error");
    str_add(out, ", ");
    print_count(out, field_number(counts, "warning"), "warning");
    str_add(out, ", ");
    print_count(out, field_number(counts, "info"), "note");
    str_addf(out, ": %s %s\n", target_of(view),
             errors > 0 ? "will refuse this file" : "should take this file");
}
