/* SPDX-License-Identifier: Apache-2.0 */
/* The page's answer: verdict, table, ranking, provenance. mAP is in points (0.512 is 51.20). */
#include <math.h>
#include <stdlib.h>

#include "report/html_view.h"

void html_verdict(str *out, const json_t *document)
{
    const json_t *r = field_at(document, "result");
    double fp32 = field_number(r, "fp32.map50_95"), int8 = field_number(r, "int8.map50_95");
    double speedup = field_number(r, "int8.speedup");
    double small = field_number(r, "fp32.mib") / field_number(r, "int8.mib");
    if (isnan(fp32) || isnan(int8)) {
        double fidelity = field_number(r, "int8.fidelity");
        if (!isnan(fidelity))
            str_addf(
                out,
                "<p class=\"verdict%s\">INT8 finds what the float model finds to a fidelity of "
                "%.4f (1: the same boxes); no labels were given.</p>\n",
                field_flag(r, "verdict.pass", true) ? "" : " no", fidelity);
        return;
    }
    double allowed = field_number(r, "verdict.max_drop");
    bool pass = field_flag(r, "verdict.pass", true);
    str_addf(out, "<p class=\"verdict%s\">INT8 %s %.2f points of mAP@.5:.95 (%.2f → %.2f)",
             pass ? "" : " no", int8 <= fp32 ? "costs" : "gains", 100 * fabs(fp32 - int8),
             100 * fp32, 100 * int8);
    if (!isnan(speedup) && !isnan(small))
        str_addf(out, ", runs %.2f times as fast and is %.1f times smaller", speedup, small);
    if (!isnan(allowed))
        str_addf(out, "; %.2f points were allowed: the gate is %s", 100 * allowed,
                 pass ? "met" : "not met");
    str_add(out, ".</p>\n");
}

/* Of the change of mAP, where one was drawn. */
static void add_interval(str *out, const json_t *row)
{
    double low = field_number(row, "change_low"), high = field_number(row, "change_high");
    if (isnan(low) || isnan(high))
        str_add(out, "<td class=\"n\">–</td>");
    else
        str_addf(out, "<td class=\"n\">%+.2f … %+.2f</td>", 100 * low, 100 * high);
}

static void add_precision(str *out, const char *label, const json_t *row)
{
    if (!row)
        return;
    str_addf(out, "<tr><th>%s</th>", label);
    html_number(out, 2, 100 * field_number(row, "map50_95"));
    html_number(out, 2, 100 * field_number(row, "map50"));
    html_number(out, 2, 100 * field_number(row, "change"));
    add_interval(out, row);
    html_number(out, 4, field_number(row, "fidelity"));
    html_number(out, 2, field_median(row, "latency_ms"));
    html_number(out, 2, field_number(row, "speedup"));
    html_number(out, 1, field_number(row, "mib"));
    str_add(out, "</tr>\n");
}

void html_quantize(str *out, const json_t *document)
{
    const json_t *r = field_at(document, "result");
    if (isnan(field_number(r, "fp32.map50_95")) && isnan(field_number(r, "fp32.fidelity")))
        return;
    html_section(out, "table", "FP32, 16 bit and INT8");
    str_add(out, "<div class=\"scroll\"><table><tr><th></th><th class=\"n\">mAP@.5:.95</th>"
                 "<th class=\"n\">mAP@.5</th><th class=\"n\">change</th>"
                 "<th class=\"n\">95 % interval</th><th class=\"n\">fidelity</th>"
                 "<th class=\"n\">latency ms</th><th class=\"n\">speed-up</th>"
                 "<th class=\"n\">size MiB</th></tr>\n");
    add_precision(out, "FP32", field_at(r, "fp32"));
    add_precision(out, "16 bit (bf16)", field_at(r, "bf16"));
    add_precision(out, "16 bit (fp16, simulated)", field_at(r, "fp16"));
    add_precision(out, "INT8", field_at(r, "int8"));
    add_precision(out, "8 bit, simulated", field_at(r, "simulated"));
    str_add(out, "</table></div><p class=\"soft\">");
    html_text(out, field_text(r, "protocol", ""));
    str_add(out, ". mAP in points; the interval of its change is a paired bootstrap over the "
                 "images; fidelity is likeness to the float model's own detections; latency is "
                 "the median of one image on this machine.</p>\n");
    html_section_end(out);
}

/* ---------------------------------------------------------------- ranking */

enum { MAX_BARS = 40, BAR = 18, LABEL = 220, CHART = 640 };

static double widest(const json_t *layers, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(field_number(json_array_get(layers, i), "drop")));
    return most > 0 ? most : 1;
}

static void add_bar(str *out, const json_t *document, const json_t *layer, size_t i, double most)
{
    double drop = field_number(layer, "drop"), score = field_number(layer, "score");
    double half = fabs(field_number(layer, "high") - field_number(layer, "low")) / 2;
    double y = (double)(i * BAR), per_unit = (CHART - LABEL - 90) / most;
    double length = isnan(drop) ? 0 : fmax(0, drop) * per_unit;
    str_addf(out, "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">", LABEL - 6, y + 13);
    html_layer_name(out, document, field_text(layer, "name", "?"));
    str_addf(out, "</text><rect class=\"q\" x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"%d\"/>",
             LABEL, y + 3, fmax(length, 0.5), BAR - 6);
    if (!isnan(half) && half > 0)
        str_addf(out, "<line class=\"whisker\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
                 LABEL + fmax(0, length - half * per_unit), y + BAR / 2.0,
                 fmin(CHART, LABEL + length + half * per_unit), y + BAR / 2.0);
    if (!isnan(score))
        str_addf(out, "<text x=\"%.1f\" y=\"%.0f\">%.4f</text>\n",
                 fmin(LABEL + length + 8, CHART - 50), y + 13, drop);
}

void html_ranking(str *out, const json_t *document)
{
    const json_t *result = field_at(document, "result");
    const json_t *layers = field_at(result, "sensitivity.layers");
    if (!layers)
        layers = field_at(result, "layers");
    if (isnan(field_number(json_array_get(layers, 0), "drop"))) {
        html_noise(out, document);
        return;
    }
    size_t n = json_array_size(layers), shown = n < MAX_BARS ? n : MAX_BARS;
    double most = widest(layers, shown);
    html_section(out, "ranking", "Which layers it costs");
    str_add(out, "<p class=\"soft\">Harm of quantizing one layer, worst first; the line is the "
                 "interval. A name leads to its layer.</p><div class=\"scroll\">");
    html_svg(out, CHART, (double)(shown * BAR), "Ranking of the layers",
             "A bar per layer, as long as the harm of quantizing it; the numbers are in the table");
    for (size_t i = 0; i < shown; i++)
        add_bar(out, document, json_array_get(layers, i), i, most);
    str_add(out, "</svg></div>");
    html_data_table(out,
                    (const char *[]){"layer", "harm", "score", "low", "high", "SQNR dB", NULL});
    for (size_t i = 0; i < n; i++) {
        static const char *const KEYS[] = {"drop", "score", "low", "high"};
        const json_t *layer = json_array_get(layers, i);
        str_add(out, "<tr>");
        html_cell(out, field_text(layer, "name", "?"));
        for (int k = 0; k < 4; k++)
            html_number(out, 4, field_number(layer, KEYS[k]));
        html_number(out, 1, field_number(layer, "sqnr_db"));
        str_add(out, "</tr>\n");
    }
    html_data_table_end(out);
    html_section_end(out);
}

/* ---------------------------------------------------------------- provenance */

static void add_values(str *out, const char *group, const json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value)
    {
        char *dump = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);
        str_add(out, "<tr><th>");
        html_text(out, group);
        str_add(out, " ");
        html_text(out, key);
        str_add(out, "</th>");
        html_cell(out, dump ? dump : json_is_string(value) ? json_string_value(value) : "");
        str_add(out, "</tr>\n");
        free(dump); /* jansson's own allocation */
    }
}

void html_provenance(str *out, const json_t *document)
{
    html_section(out, "provenance", "Where this comes from");
    const char *command = field_text(document, "facts.reproduce", NULL);
    if (command) {
        str_add(out, "<p>The same again:</p><pre>");
        html_text(out, command);
        str_add(out, "</pre>");
    }
    str_add(out, "<div class=\"scroll\"><table>");
    add_values(out, "model", field_at(document, "model"));
    add_values(out, "config", field_at(document, "config"));
    add_values(out, "environment", field_at(document, "environment"));
    str_add(out, "</table></div>\n");
    const json_t *warnings = field_at(document, "warnings");
    for (size_t i = 0; i < json_array_size(warnings); i++) {
        const char *text = json_string_value(json_array_get(warnings, i));
        str_add(out, "<p>Warning: ");
        html_text(out, text ? text : "");
        str_add(out, "</p>\n");
    }
    html_section_end(out);
}
