/* SPDX-License-Identifier: Apache-2.0 */
/* Classes with their curves, and pictures with the boxes of both models. */
#include <math.h>
#include <stdio.h>

#include "base/file.h"
#include "report/html_view.h"

enum { MAX_CURVES = 24, SIDE = 150 };

static void add_curve(str *out, const json_t *curve, const char *style)
{
    size_t n = json_array_size(curve);
    if (n < 2)
        return;
    str_addf(out, "<path class=\"%s\" d=\"", style);
    for (size_t i = 0; i < n; i++)
        str_addf(out, "%c%.1f %.1f", i > 0 ? 'L' : 'M', (double)i * SIDE / (double)(n - 1),
                 SIDE * (1 - json_number_value(json_array_get(curve, i))));
    str_add(out, "\"/>");
}

static void add_class_figure(str *out, const json_t *c)
{
    str_add(out, "<figure>");
    html_svg(out, SIDE, SIDE, field_text(c, "name", "?"),
             "Precision (up) over recall (right) at IoU 0.5: FP32 solid, INT8 dashed");
    str_addf(out, "<rect class=\"axis\" x=\"0\" y=\"0\" width=\"%d\" height=\"%d\" fill=\"none\"/>",
             SIDE, SIDE);
    add_curve(out, field_at(c, "fp32.curve"), "lfp");
    add_curve(out, field_at(c, "int8.curve"), "lq");
    str_add(out, "</svg><figcaption>");
    html_text(out, field_text(c, "name", "?"));
    str_addf(out, ": %.1f → %.1f</figcaption></figure>\n", 100 * field_number(c, "fp32.ap50_95"),
             100 * field_number(c, "int8.ap50_95"));
}

void html_classes(str *out, const json_t *document)
{
    const json_t *classes = field_at(document, "facts.classes");
    size_t n = json_array_size(classes);
    if (n == 0)
        return;
    html_section(out, "classes", "Classes");
    str_add(out, "<p class=\"soft\">Precision over recall at IoU 0.5: FP32 solid, INT8 dashed; "
                 "below each the AP@.5:.95 in points.</p><div class=\"grid\" "
                 "style=\"grid-template-columns:repeat(auto-fill,minmax(9rem,1fr))\">");
    for (size_t i = 0; i < n && i < MAX_CURVES; i++)
        add_class_figure(out, json_array_get(classes, i));
    str_add(out, "</div>\n");
    html_data_table(out, (const char *[]){"class", "labels", "AP FP32", "AP INT8", "AP50 FP32",
                                          "AP50 INT8", "P INT8", "R INT8", NULL});
    for (size_t i = 0; i < n; i++) {
        static const char *const KEYS[] = {"fp32.ap50_95", "int8.ap50_95",   "fp32.ap50",
                                           "int8.ap50",    "int8.precision", "int8.recall"};
        const json_t *c = json_array_get(classes, i);
        str_add(out, "<tr>");
        html_cell(out, field_text(c, "name", "?"));
        html_number(out, 0, field_number(c, "labels"));
        for (size_t k = 0; k < sizeof KEYS / sizeof *KEYS; k++)
            html_number(out, 2, 100 * field_number(c, KEYS[k]));
        str_add(out, "</tr>\n");
    }
    html_data_table_end(out);
    html_section_end(out);
}

/* ---------------------------------------------------------------- gallery */

static double corner(const json_t *detection, size_t i)
{
    return json_number_value(json_array_get(field_at(detection, "box"), i));
}

/* `unit`: picture pixels per pixel on the page, roughly. The label of a box at the right edge ends
 * with the box. */
static void add_box(str *out, const json_t *detection, double width, double unit)
{
    double x = corner(detection, 0), y = corner(detection, 1);
    double hue = fmod(29 + 137.508 * field_number(detection, "class"), 360);
    char label[96];
    snprintf(label, sizeof label, "%.60s %.2f", field_text(detection, "name", "?"),
             field_number(detection, "score"));
    double top = y > 16 * unit ? y - 16 * unit : y;
    bool is_right = x > 0.75 * width;
    str_addf(out,
             "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
             "stroke=\"hsl(%.0f 90%% 55%%)\" stroke-width=\"%.1f\"/>",
             x, y, fmax(0, corner(detection, 2) - x), fmax(0, corner(detection, 3) - y), hue,
             2.5 * unit);
    str_addf(out,
             "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" style=\"font-size:%.1fpx;fill:#fff;"
             "stroke:#000;stroke-width:%.1fpx;paint-order:stroke\">",
             is_right ? fmin(corner(detection, 2), width) - 2 * unit : x + 3 * unit,
             top + 13 * unit, is_right ? "end" : "start", 13 * unit, 3 * unit);
    html_text(out, label);
    str_add(out, "</text>\n");
}

/* The picture's bytes stand in the page once: the second view refers to the first. */
static void add_view(str *out, const json_t *picture, const char *side, size_t index, bool is_first)
{
    double width = field_number(picture, "width"), height = field_number(picture, "height");
    const json_t *detections = field_at(picture, side);
    char title[64];
    snprintf(title, sizeof title, "%s: %zu boxes", is_first ? "FP32" : "INT8",
             json_array_size(detections));
    str_add(out, "<figure>");
    html_svg(out, width, height, title, "The picture with the boxes of this model");
    if (is_first)
        str_addf(out,
                 "<image id=\"picture-%zu\" width=\"%.0f\" height=\"%.0f\" "
                 "preserveAspectRatio=\"none\" href=\"%s\"/>",
                 index, width, height, field_text(picture, "image", "data:,"));
    else
        str_addf(out, "<use href=\"#picture-%zu\"/>", index);
    for (size_t i = json_array_size(detections); i > 0; i--)
        add_box(out, json_array_get(detections, i - 1), width, fmax(width, height) / 480);
    str_addf(out, "</svg><figcaption>%s</figcaption></figure>\n", title);
}

void html_gallery(str *out, const json_t *document)
{
    const json_t *pictures = field_at(document, "facts.gallery");
    size_t n = json_array_size(pictures);
    if (n == 0)
        return;
    html_section(out, "gallery", "Pictures, the worst disagreements first");
    for (size_t i = 0; i < n; i++) {
        const json_t *picture = json_array_get(pictures, i);
        if (!(field_number(picture, "width") > 0 && field_number(picture, "height") > 0))
            continue;
        str_add(out, "<h3 class=\"soft\">");
        html_text(out, path_base(field_text(picture, "file", "?")));
        str_addf(out, " (disagreement %.2f)</h3><div class=\"grid pair\">",
                 field_number(picture, "disagreement"));
        add_view(out, picture, "fp32", i, true);
        add_view(out, picture, "int8", i, false);
        str_add(out, "</div>\n");
    }
    html_section_end(out);
}
