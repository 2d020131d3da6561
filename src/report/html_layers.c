/* SPDX-License-Identifier: Apache-2.0 */
/* Layer by layer: the values' histogram with every method's clip, the weight's channels, the time.
 */
#include <math.h>
#include <string.h>

#include "report/html_view.h"

enum { WIDTH = 520, HEIGHT = 130, BASE = 110 };

static const char *const METHODS[] = {"max", "percentile", "entropy", "mse"};
enum { N_METHODS = 4 };

void html_layer_name(str *out, const json_t *document, const char *name)
{
    const json_t *layers = field_at(document, "facts.layers");
    bool is_shown = false;
    for (size_t i = 0; i < json_array_size(layers) && !is_shown; i++)
        is_shown = strcmp(field_text(json_array_get(layers, i), "name", "?"), name) == 0;
    if (is_shown) {
        str_add(out, "<a href=\"#layer-");
        html_text(out, name);
        str_add(out, "\">");
    }
    html_text(out, name);
    str_add(out, is_shown ? "</a>" : "");
}

static void add_clips(str *out, const json_t *layer, double most)
{
    for (int m = 0; m < N_METHODS; m++) {
        double amax = field_number(field_at(layer, "amax"), METHODS[m]);
        if (isnan(amax) || most <= 0)
            continue;
        double x = WIDTH * fmin(1, amax / most);
        str_addf(out,
                 "<line class=\"whisker\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
                 "<text x=\"%.1f\" y=\"%d\" text-anchor=\"end\">%s</text>",
                 x, 12 * m, x, BASE, x - 3, 12 * m + 10, METHODS[m]);
    }
}

static void add_histogram(str *out, const json_t *layer)
{
    const json_t *counts = field_at(layer, "histogram.counts");
    size_t n = json_array_size(counts);
    double most = field_number(layer, "histogram.max"), top = 1;
    if (n == 0 || isnan(most))
        return;
    for (size_t i = 0; i < n; i++)
        top = fmax(top, json_number_value(json_array_get(counts, i)));
    html_svg(out, WIDTH, HEIGHT, "Histogram of the input's values",
             "Counts of |x| on a logarithmic scale, with the clip of each calibration method");
    str_add(out, "<path class=\"fp\" d=\"");
    for (size_t i = 0; i < n; i++) {
        double count = json_number_value(json_array_get(counts, i));
        double height = count > 0 ? 4 + (BASE - 4) * log10(count) / fmax(1, log10(top)) : 0;
        if (height > 0)
            str_addf(out, "M%.1f %dv-%.1fh%.1fv%.1fz", (double)i * WIDTH / (double)n, BASE, height,
                     (double)WIDTH / (double)n, height);
    }
    str_addf(out,
             "\"/><text x=\"0\" y=\"%d\">0</text><text x=\"%d\" y=\"%d\" "
             "text-anchor=\"end\">%.4g</text>",
             HEIGHT - 6, WIDTH, HEIGHT - 6, most);
    add_clips(out, layer, most);
    str_add(out, "</svg>\n");
}

static void add_channels(str *out, const json_t *layer)
{
    const json_t *amax = field_at(layer, "weight_amax");
    size_t n = json_array_size(amax);
    double top = 0, low = INFINITY;
    for (size_t i = 0; i < n; i++) {
        double v = json_number_value(json_array_get(amax, i));
        top = fmax(top, v);
        low = fmin(low, v);
    }
    if (n == 0 || top <= 0)
        return;
    html_svg(out, WIDTH, 60, "Largest weight of each output channel",
             "One bar per output channel, as high as its largest absolute weight");
    str_add(out, "<path class=\"h\" d=\"");
    for (size_t i = 0; i < n; i++) {
        double height = 58 * json_number_value(json_array_get(amax, i)) / top;
        str_addf(out, "M%.2f 60v-%.1fh%.2fv%.1fz", (double)i * WIDTH / (double)n, height,
                 (double)WIDTH / (double)n, height);
    }
    str_addf(out,
             "\"/></svg><p class=\"soft\">Weights: %zu channels, max |w| from %.4g to %.4g</p>\n",
             n, low, top);
}

static void add_methods(str *out, const json_t *layer)
{
    html_data_table(out, (const char *[]){"method", "amax", "SQNR dB", NULL});
    for (int m = 0; m < N_METHODS; m++) {
        str_addf(out, "<tr><td>%s</td>", METHODS[m]);
        html_number(out, 4, field_number(field_at(layer, "amax"), METHODS[m]));
        html_number(out, 1, field_number(field_at(layer, "sqnr_db"), METHODS[m]));
        str_add(out, "</tr>");
    }
    html_data_table_end(out);
}

static const char *remedy(double sqnr, double spread)
{
    if (sqnr < 20)
        return "The input is the weak side: a few large values stretch the range. Try another "
               "method, or keep the layer in 16 bit with --exclude.";
    if (spread > 100)
        return "The weight's channels lie far apart; ranges per channel absorb that, one range for "
               "all would not.";
    return "Nothing stands out.";
}

static double channel_spread(const json_t *amax)
{
    double top = 0, low = INFINITY;
    for (size_t i = 0; i < json_array_size(amax); i++) {
        double v = json_number_value(json_array_get(amax, i));
        top = fmax(top, v);
        low = v > 0 ? fmin(low, v) : low;
    }
    return top > 0 ? top / low : 1;
}

static void add_layer(str *out, const json_t *document, const json_t *layer, const char *method)
{
    const char *name = field_text(layer, "name", "?"), *kept = field_text(layer, "kept", NULL);
    double sqnr = field_number(field_at(layer, "sqnr_db"), method);
    str_add(out, "<details id=\"layer-");
    html_text(out, name);
    str_add(out, "\"><summary>");
    html_text(out, name);
    str_addf(out, " <span class=\"soft\">%s, %s", field_text(layer, "op", ""),
             kept ? "16 bit: " : "int8");
    html_text(out, kept ? kept : "");
    if (!isnan(sqnr))
        str_addf(out, ", SQNR of the input %.1f dB", sqnr);
    str_add(out, "</span></summary>\n<div class=\"scroll\">");
    add_histogram(out, layer);
    add_channels(out, layer);
    add_methods(out, layer);
    str_add(out, "</div>");
    const json_t *cause = html_cause_of(document, name);
    if (cause)
        html_findings(out, cause);
    else
        str_addf(out, "<p class=\"soft\">%s</p>",
                 remedy(sqnr, channel_spread(field_at(layer, "weight_amax"))));
    str_add(out, "</details>\n");
}

void html_layers(str *out, const json_t *document)
{
    const json_t *layers = field_at(document, "facts.layers");
    size_t n = json_array_size(layers);
    const char *method = field_text(document, "config.calib", "mse");
    if (n == 0)
        return;
    html_section(out, "layers", "Layer by layer");
    str_add(out, "<p class=\"soft\">Values of each layer's input over the calibration images. "
                 "SQNR is of 8 bits with the chosen method's range, from the histogram.</p>\n");
    for (size_t i = 0; i < n; i++)
        add_layer(out, document, json_array_get(layers, i), method);
    html_section_end(out);
}

/* ---------------------------------------------------------------- times */

static double time_of(const json_t *steps, const char *name)
{
    double sum = NAN;
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *s = json_array_get(steps, i);
        if (strcmp(field_text(s, "name", ""), name) == 0)
            sum = (isnan(sum) ? 0 : sum) + field_number(s, "ms");
    }
    return sum;
}

static void add_time(str *out, size_t i, const char *name, double fp32, double int8, double top)
{
    double y = (double)i * 20;
    str_addf(out, "<text x=\"214\" y=\"%.0f\" text-anchor=\"end\">", y + 13);
    html_text(out, name);
    str_addf(out,
             "</text><rect class=\"fp\" x=\"220\" y=\"%.0f\" width=\"%.1f\" height=\"7\"/>"
             "<rect class=\"q\" x=\"220\" y=\"%.0f\" width=\"%.1f\" height=\"7\"/>\n",
             y + 2, 400 * fp32 / top, y + 9, isnan(int8) ? 0 : 400 * int8 / top);
}

void html_times(str *out, const json_t *document)
{
    const json_t *fp32 = field_at(document, "facts.times.fp32");
    const json_t *int8 = field_at(document, "facts.times.int8");
    size_t n = json_array_size(fp32);
    double top = 1e-9;
    for (size_t i = 0; i < n; i++) {
        const char *name = field_text(json_array_get(fp32, i), "name", "");
        top = fmax(top, field_number(json_array_get(fp32, i), "ms"));
        top = fmax(top, fmax(0, time_of(int8, name)));
    }
    if (n == 0)
        return;
    html_section(out, "times", "Latency per layer");
    str_add(out, "<p class=\"key soft\"><span><i style=\"background:var(--fp)\"></i>FP32</span>"
                 "<span><i style=\"background:var(--q)\"></i>INT8 model</span>"
                 "one run, in ms</p><div class=\"scroll\">");
    html_svg(out, 640, 20 * (double)n, "Latency per layer",
             "Two bars per layer: FP32 above, the INT8 model below; the numbers are in the table");
    for (size_t i = 0; i < n; i++) {
        const char *name = field_text(json_array_get(fp32, i), "name", "?");
        add_time(out, i, name, field_number(json_array_get(fp32, i), "ms"), time_of(int8, name),
                 top);
    }
    str_add(out, "</svg></div>");
    html_data_table(out, (const char *[]){"layer", "FP32 ms", "INT8 ms", NULL});
    for (size_t i = 0; i < n; i++) {
        const char *name = field_text(json_array_get(fp32, i), "name", "?");
        str_add(out, "<tr>");
        html_cell(out, name);
        html_number(out, 3, field_number(json_array_get(fp32, i), "ms"));
        html_number(out, 3, time_of(int8, name));
        str_add(out, "</tr>\n");
    }
    html_data_table_end(out);
    html_section_end(out);
}
