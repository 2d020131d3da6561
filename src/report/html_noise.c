/* SPDX-License-Identifier: Apache-2.0 */
/* In place of a ranking: the noise of the layers' inputs, which costs nothing to know. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/html_view.h"

enum { MAX_BARS = 20, BAR = 18, LABEL = 220, CHART = 640, TOP_DB = 60 };

typedef struct noisy {
    const json_t *layer;
    double sqnr_db;
} noisy;

static int worst_first(const void *a, const void *b)
{
    double x = ((const noisy *)a)->sqnr_db, y = ((const noisy *)b)->sqnr_db;
    return (x > y) - (x < y);
}

static void add_bar(str *out, const json_t *document, const noisy *one, size_t i)
{
    double y = (double)(i * BAR), share = fmin(1, fmax(0, one->sqnr_db / TOP_DB));
    double length = share * (CHART - LABEL - 90);
    str_addf(out, "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">", LABEL - 6, y + 13);
    html_layer_name(out, document, field_text(one->layer, "name", "?"));
    str_addf(out,
             "</text><rect class=\"%s\" x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"%d\"/>"
             "<text x=\"%.1f\" y=\"%.0f\">%.1f dB%s</text>\n",
             field_text(one->layer, "kept", NULL) ? "fp" : "q", LABEL, y + 3, fmax(length, 0.5),
             BAR - 6, LABEL + length + 8, y + 13, one->sqnr_db,
             field_text(one->layer, "kept", NULL) ? ", 16 bit" : "");
}

static void add_noise(str *out, const json_t *document, const noisy *all, size_t n)
{
    size_t shown = n < MAX_BARS ? n : MAX_BARS;
    html_section(out, "ranking", "Which layers are noisiest");
    str_add(out, "<p class=\"soft\">SQNR of each layer's input in 8 bits with the chosen method, "
                 "from the histogram: short is bad. What a layer costs in mAP is measured by 'ptq "
                 "sensitivity'. A name leads to its layer.</p><div class=\"scroll\">");
    html_svg(out, CHART, (double)(shown * BAR), "Noise of the layers' inputs",
             "A bar per layer, as long as its signal-to-noise ratio; the numbers are in the table");
    for (size_t i = 0; i < shown; i++)
        add_bar(out, document, &all[i], i);
    str_add(out, "</svg></div>");
    html_data_table(out, (const char *[]){"layer", "SQNR dB", NULL});
    for (size_t i = 0; i < n; i++) {
        str_add(out, "<tr>");
        html_cell(out, field_text(all[i].layer, "name", "?"));
        html_number(out, 1, all[i].sqnr_db);
        str_add(out, "</tr>\n");
    }
    html_data_table_end(out);
    html_section_end(out);
}

void html_noise(str *out, const json_t *document)
{
    const json_t *layers = field_at(document, "facts.layers");
    const char *method = field_text(document, "config.calib", "mse");
    size_t n = 0, most = json_array_size(layers);
    noisy *all = mem_array(most + 1, sizeof *all);
    for (size_t i = 0; all && i < most; i++) {
        const json_t *layer = json_array_get(layers, i);
        double sqnr_db = field_number(field_at(layer, "sqnr_db"), method);
        if (!isnan(sqnr_db))
            all[n++] = (noisy){layer, sqnr_db};
    }
    if (n > 0) {
        qsort(all, n, sizeof *all, worst_first);
        add_noise(out, document, all, n);
    }
    mem_free(all);
}
