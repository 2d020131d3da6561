/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy against time: the precisions of the table, and the points that a search measured. */
#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "report/html_view.h"

enum { WIDTH = 620, HEIGHT = 300, LEFT = 64, RIGHT = 40, TOP = 16, BOTTOM = 44 };

/* A dot of the chart. */
typedef struct dot {
    double x, y;
    char label[64];
    const char *style;
    bool is_front;  /* nothing is both faster and better */
    bool is_chosen; /* what was written */
} dot;

typedef struct scale {
    double low, high;
} scale;

typedef struct scatter {
    const dot *dots;
    int n;
    scale x, y;
    const char *x_title, *y_title;
} scatter;

static double at_x(const scatter *s, double x)
{
    return LEFT + (x - s->x.low) / (s->x.high - s->x.low) * (WIDTH - LEFT - RIGHT);
}

static double at_y(const scatter *s, double y)
{
    return HEIGHT - BOTTOM - (y - s->y.low) / (s->y.high - s->y.low) * (HEIGHT - TOP - BOTTOM);
}

/* What the values span, with a margin. */
static scale span(const dot *dots, int n, bool is_y)
{
    scale s = {INFINITY, -INFINITY};
    for (int i = 0; i < n; i++) {
        double v = is_y ? dots[i].y : dots[i].x;
        s.low = fmin(s.low, v);
        s.high = fmax(s.high, v);
    }
    double margin = fmax(0.12 * (s.high - s.low), fmax(1e-3 * fabs(s.high), 1e-9));
    return (scale){s.low - margin, s.high + margin};
}

/* 1, 2 or 5 times a power of ten: three to six steps in the span. */
static double step_of(scale s)
{
    double rough = (s.high - s.low) / 4, power = pow(10, floor(log10(rough)));
    double times = rough / power;
    return power * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
}

static void add_ticks(str *out, const scatter *s)
{
    double step = step_of(s->x);
    for (double v = ceil(s->x.low / step) * step; v <= s->x.high; v += step)
        str_addf(out,
                 "<line class=\"axis\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/>"
                 "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>",
                 at_x(s, v), TOP, at_x(s, v), HEIGHT - BOTTOM, at_x(s, v), HEIGHT - BOTTOM + 15,
                 fabs(v) < step / 2 ? 0 : v);
    step = step_of(s->y);
    for (double v = ceil(s->y.low / step) * step; v <= s->y.high; v += step)
        str_addf(out,
                 "<line class=\"axis\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>"
                 "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n",
                 LEFT, at_y(s, v), WIDTH - RIGHT, at_y(s, v), LEFT - 6, at_y(s, v) + 4,
                 fabs(v) < step / 2 ? 0 : v);
    str_addf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>",
             (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, s->x_title);
    str_addf(out,
             "<text x=\"14\" y=\"%d\" text-anchor=\"middle\" transform=\"rotate(-90 14 %d)\">"
             "%s</text>\n",
             (TOP + HEIGHT - BOTTOM) / 2, (TOP + HEIGHT - BOTTOM) / 2, s->y_title);
}

/* Through the dots of the front, which come in order of time. */
static void add_front_line(str *out, const scatter *s)
{
    char command = 'M';
    str_add(out, "<path class=\"lq\" d=\"M0 0");
    for (int i = 0; i < s->n; i++) {
        if (!s->dots[i].is_front)
            continue;
        str_addf(out, "%c%.1f %.1f", command, at_x(s, s->dots[i].x), at_y(s, s->dots[i].y));
        command = 'L';
    }
    str_add(out, "\"/>\n");
}

static void add_dots(str *out, const scatter *s)
{
    for (int i = 0; i < s->n; i++) {
        const dot *d = &s->dots[i];
        double x = at_x(s, d->x), y = at_y(s, d->y);
        bool is_right = x > WIDTH - 140;
        if (d->is_chosen)
            str_addf(out, "<circle class=\"ring\" cx=\"%.1f\" cy=\"%.1f\" r=\"9\"/>", x, y);
        str_addf(out, "<circle class=\"%s%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"><title>", d->style,
                 d->is_front ? "" : " faint", x, y);
        html_text(out, d->label);
        str_addf(out, ": %.2f ms, %.2f</title></circle>", d->x, d->y);
        if (s->n <= 12 || d->is_chosen) {
            str_addf(out, "<text class=\"tag\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">",
                     is_right ? x - 11 : x + 11, y - 6, is_right ? "end" : "start");
            html_text(out, d->label);
            str_add(out, "</text>\n");
        }
    }
}

static void add_scatter(str *out, scatter *s, const char *title, const char *description)
{
    s->x = span(s->dots, s->n, false);
    s->y = span(s->dots, s->n, true);
    str_add(out, "<div class=\"scroll\">");
    html_svg(out, WIDTH, HEIGHT, title, description);
    add_ticks(out, s);
    add_front_line(out, s);
    add_dots(out, s);
    str_add(out, "</svg></div>\n");
}

/* ---------------------------------------------------------------- the table's precisions */

static void add_precisions(str *out, const json_t *result)
{
    static const char *const ROWS[][3] = {
        {"fp32", "FP32", "fp"}, {"bf16", "16 bit", "h"}, {"int8", "INT8", "q"}};
    dot dots[3];
    int n = 0;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        const json_t *row = field_at(result, ROWS[i][0]);
        dot d = {.x = field_median(row, "latency_ms"),
                 .y = 100 * field_number(row, "map50_95"),
                 .style = ROWS[i][2],
                 .is_front = true};
        if (isnan(d.x) || isnan(d.y))
            continue;
        snprintf(d.label, sizeof d.label, "%s", ROWS[i][1]);
        dots[n++] = d;
    }
    if (n < 2)
        return;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++)
            if (dots[k].x < dots[i].x && dots[k].y > dots[i].y)
                dots[i].is_front = false;
    scatter s = {
        .dots = dots, .n = n, .x_title = "latency, ms", .y_title = "mAP@.5:.95, in points"};
    str_add(out, "<p class=\"soft\">The precisions of the table: up is more accurate, left is "
                 "faster; a faint dot is beaten in both by another.</p>");
    add_scatter(out, &s, "mAP against latency",
                "A dot for each precision; the numbers are in the table above");
}

/* ---------------------------------------------------------------- a search's points */

static void add_front_table(str *out, const json_t *front, double chosen)
{
    html_data_table(out, (const char *[]){"point", "layers in 16 bit", "latency ms", "drop, points",
                                          "movement", "on the front", NULL});
    for (size_t i = 0; i < json_array_size(front); i++) {
        const json_t *p = json_array_get(front, i);
        str_addf(out, "<tr><td>%zu%s</td>", i, (double)i == chosen ? " (chosen)" : "");
        html_number(out, 0, field_number(p, "kept"));
        html_number(out, 2, field_median(p, "latency_ms"));
        html_number(out, 2, 100 * field_number(p, "drop"));
        html_number(out, 4, field_number(p, "movement"));
        str_addf(out, "<td class=\"n\">%s</td></tr>\n",
                 field_flag(p, "pareto", false) ? "yes" : "no");
    }
    html_data_table_end(out);
}

static void add_search(str *out, const json_t *result, const json_t *front)
{
    size_t n = json_array_size(front);
    bool has_drop = !isnan(field_number(json_array_get(front, 0), "drop"));
    double chosen = field_number(result, "chosen");
    dot *dots = mem_array(n + 1, sizeof *dots);
    int shown = 0;
    for (size_t i = 0; dots && i < n; i++) {
        const json_t *p = json_array_get(front, i);
        dot d = {.x = field_median(p, "latency_ms"),
                 .y = has_drop ? -100 * field_number(p, "drop") : -field_number(p, "movement"),
                 .style = "q",
                 .is_front = field_flag(p, "pareto", false),
                 .is_chosen = (double)i == chosen};
        if (isnan(d.x) || isnan(d.y))
            continue;
        snprintf(d.label, sizeof d.label, "%.0f in 16 bit%s", field_number(p, "kept"),
                 d.is_chosen ? ", chosen" : "");
        dots[shown++] = d;
    }
    scatter s = {.dots = dots,
                 .n = shown,
                 .x_title = "latency, ms",
                 .y_title =
                     has_drop ? "change of accuracy, points" : "movement of outputs, negated"};
    if (shown > 0) {
        str_add(out, "<p class=\"soft\">Each dot is a choice of layers kept in 16 bit, built and "
                     "timed here, judged on calibration images; the line joins those that nothing "
                     "beats, the ring is what was written.</p>");
        add_scatter(out, &s, "Choices of layers in 16 bit",
                    "A dot for each choice, by latency and accuracy; the numbers are in the table");
        add_front_table(out, front, chosen);
    }
    mem_free(dots);
}

void html_front(str *out, const json_t *document)
{
    const json_t *result = field_at(document, "result");
    const json_t *front = field_at(result, "front");
    bool has_rows = !isnan(field_number(result, "fp32.map50_95")) &&
                    !isnan(field_median(field_at(result, "int8"), "latency_ms"));
    if (!has_rows && json_array_size(front) == 0)
        return;
    html_section(out, "front", "Accuracy against time");
    if (has_rows)
        add_precisions(out, result);
    if (json_array_size(front) > 0)
        add_search(out, result, front);
    html_section_end(out);
}
