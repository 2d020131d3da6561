/* SPDX-License-Identifier: Apache-2.0 */
/* Why layers lose, and what could be done about it, where the document says. */
#include <math.h>
#include <string.h>

#include "report/html_view.h"

static const json_t *causes_of(const json_t *document)
{
    const json_t *causes = field_at(document, "result.causes");
    return causes ? causes : field_at(document, "facts.causes");
}

const json_t *html_cause_of(const json_t *document, const char *layer)
{
    const json_t *causes = causes_of(document);
    for (size_t i = 0; i < json_array_size(causes); i++) {
        const json_t *one = json_array_get(causes, i);
        if (strcmp(field_text(one, "layer", ""), layer) == 0)
            return one;
    }
    return NULL;
}

void html_findings(str *out, const json_t *cause)
{
    const json_t *findings = field_at(cause, "findings");
    str_add(out, "<ul>");
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *f = json_array_get(findings, i);
        double gain = field_number(f, "gain_db"), value = field_number(f, "value");
        str_add(out, "<li><b>");
        html_text(out, field_text(f, "cause", "?"));
        str_add(out, "</b>");
        if (!isnan(value))
            str_addf(out, " (%.3g)", value);
        str_add(out, ": ");
        html_text(out, field_text(f, "remedy", "no remedy is known"));
        if (!isnan(gain))
            str_addf(out, " <span class=\"soft\">predicted: %+.1f dB</span>", gain);
        str_add(out, "</li>\n");
    }
    str_add(out, "</ul>\n");
}

static void add_share(str *out, const char *label, double value, int digits, const char *unit)
{
    if (!isnan(value))
        str_addf(out, ", %s %.*f%s", label, digits, value, unit);
}

void html_causes(str *out, const json_t *document)
{
    const json_t *causes = causes_of(document);
    if (json_array_size(causes) == 0)
        return;
    html_section(out, "causes", "Why they lose, and what helps");
    str_add(out, "<p class=\"soft\">From histograms, channels and weights; what a remedy brings is "
                 "predicted, not run.</p>\n");
    for (size_t i = 0; i < json_array_size(causes); i++) {
        const json_t *one = json_array_get(causes, i);
        const char *layer = field_text(one, "layer", "?");
        str_add(out, "<h3>");
        html_layer_name(out, document, layer);
        str_add(out, " <span class=\"soft\">");
        html_text(out, field_text(one, "tensor", ""));
        add_share(out, "SQNR", field_number(one, "sqnr_db"), 1, " dB");
        add_share(out, "of the input", field_number(one, "input_sqnr_db"), 1, " dB");
        add_share(out, "of the weight", field_number(one, "weight_sqnr_db"), 1, " dB");
        add_share(out, "clipped", 100 * field_number(one, "clipped_share"), 3, " %");
        str_add(out, "</span></h3>\n");
        html_findings(out, one);
    }
    html_section_end(out);
}
