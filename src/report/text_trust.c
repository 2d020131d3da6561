/* SPDX-License-Identifier: Apache-2.0 */
/* What tells how far a quantization can be trusted: whether the ranges have settled, and why the
 * worst layers lose. */
#include <math.h>

#include "report/table.h"
#include "report/view.h"

void text_coverage(str *out, const json_t *coverage)
{
    const json_t *steps = field_at(coverage, "steps");
    size_t n = json_array_size(steps);
    const char *method = field_text(coverage, "method", "");
    if (n < 2)
        return;
    const json_t *last = json_array_get(steps, n - 1), *before = json_array_get(steps, n - 2);
    double moved = field_number(field_at(last, "moved"), method);
    double enough = field_number(coverage, "enough");
    str_addf(
        out,
        "coverage: from %.0f to %.0f images nine of ten ranges (%s) moved by %.1f %% at most; ",
        field_number(before, "images"), field_number(last, "images"), method, 100 * moved);
    if (isnan(enough))
        str_add(out, "they have not settled: calibrate with more images\n");
    else
        str_addf(out, "%.0f images were enough\n", enough);
}

void text_causes(str *out, const report_view *view)
{
    const json_t *causes = field_at(view->result, "causes");
    size_t n = json_array_size(causes);
    table t = TABLE_INIT("lrlrrr");
    if (n == 0)
        return;
    table_row(&t, (const char *[]){"why layers lose", "SQNR dB", "cause", "value", "gain dB",
                                   "gain mAP"});
    for (size_t i = 0; i < n; i++) {
        const json_t *layer = json_array_get(causes, i);
        const json_t *first = json_array_get(field_at(layer, "findings"), 0);
        table_cell(&t, "%s", field_text(layer, "layer", "?"));
        table_number(&t, 1, field_number(layer, "sqnr_db"));
        table_cell(&t, "%s", field_text(first, "cause", "none found"));
        table_number(&t, 2, field_number(first, "value"));
        table_number(&t, 1, field_number(first, "gain_db"));
        table_number(&t, 4, field_number(first, "gain"));
    }
    table_print(&t, out, 2, view->limit);
    str_add(out, "  remedies and further causes: --json\n");
}
