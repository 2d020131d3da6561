/* SPDX-License-Identifier: Apache-2.0 */
/* Which class is taken for which: two matrices side by side, and the cells that differ most. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/html_view.h"

enum { MAX_NAMED = 12, MAX_CLASSES = 1000, MAX_LISTED = 200, LABEL_W = 90, LABEL_H = 78 };

enum { FP32 = 2, INT8 = 3 }; /* where a cell has its counts */

typedef struct matrix {
    const json_t *names;
    const json_t *cells;
    int n;        /* classes; `nothing` is class n */
    double *rows; /* sums, per side: [2][n + 1] */
    double size;  /* of a cell, in pixels */
    bool is_named;
} matrix;

static int cell_at(const json_t *cell, size_t i)
{
    return (int)json_integer_value(json_array_get(cell, i));
}

static const char *name_of(const matrix *m, int cls, const char *nothing)
{
    const char *name = json_string_value(json_array_get(m->names, (size_t)cls));
    return cls == m->n ? nothing : name ? name : "?";
}

static bool is_inside(const matrix *m, const json_t *cell)
{
    int truth = cell_at(cell, 0), found = cell_at(cell, 1);
    return truth >= 0 && truth <= m->n && found >= 0 && found <= m->n;
}

static void sum_rows(matrix *m)
{
    for (size_t i = 0; i < json_array_size(m->cells); i++) {
        const json_t *cell = json_array_get(m->cells, i);
        if (!is_inside(m, cell))
            continue;
        m->rows[cell_at(cell, 0)] += cell_at(cell, FP32);
        m->rows[m->n + 1 + cell_at(cell, 0)] += cell_at(cell, INT8);
    }
}

static void add_names(str *out, const matrix *m)
{
    for (int i = 0; i <= m->n; i++) {
        double middle = (i + 0.5) * m->size;
        str_addf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", LABEL_W - 5,
                 LABEL_H + middle + 4);
        html_text(out, name_of(m, i, "nothing"));
        str_addf(out, "</text><text transform=\"translate(%.1f %d) rotate(-45)\">",
                 LABEL_W + middle + 2, LABEL_H - 5);
        html_text(out, name_of(m, i, "missed"));
        str_add(out, "</text>\n");
    }
}

static void add_cell(str *out, const matrix *m, const json_t *cell, int side)
{
    int truth = cell_at(cell, 0), found = cell_at(cell, 1), count = cell_at(cell, (size_t)side);
    double share = count / fmax(1, m->rows[(side - FP32) * (m->n + 1) + truth]);
    double x = LABEL_W * m->is_named + found * m->size;
    double y = LABEL_H * m->is_named + truth * m->size;
    if (count == 0)
        return;
    str_addf(out,
             "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
             "fill-opacity=\"%.2f\"><title>",
             truth == found ? "fp" : "q", x, y, m->size, m->size, 0.12 + 0.88 * share);
    html_text(out, name_of(m, truth, "nothing"));
    str_add(out, " found as ");
    html_text(out, name_of(m, found, "nothing"));
    str_addf(out, ": %d</title></rect>", count);
    if (m->is_named)
        str_addf(out,
                 "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" pointer-events=\"none\"%s>"
                 "%d</text>\n",
                 x + m->size / 2, y + m->size / 2 + 4,
                 share > 0.5 ? " style=\"fill:var(--paper)\"" : "", count);
}

static void add_matrix(str *out, const matrix *m, int side)
{
    double left = m->is_named ? LABEL_W : 0, top = m->is_named ? LABEL_H : 0;
    double extent = (m->n + 1) * m->size;
    str_addf(out, "<figure><div class=\"scroll\">");
    html_svg(out, left + extent + (m->is_named ? 50 : 0), top + extent,
             side == FP32 ? "Confusion of FP32" : "Confusion of INT8",
             "Rows are what is labelled, columns what was found; the counts are in the table");
    str_addf(out,
             "<rect class=\"axis\" x=\"%.0f\" y=\"%.0f\" width=\"%.1f\" height=\"%.1f\" "
             "fill=\"none\"/>",
             left, top, extent, extent);
    if (m->is_named)
        add_names(out, m);
    for (size_t i = 0; i < json_array_size(m->cells); i++)
        if (is_inside(m, json_array_get(m->cells, i)))
            add_cell(out, m, json_array_get(m->cells, i), side);
    str_addf(out, "</svg></div><figcaption>%s</figcaption></figure>\n",
             side == FP32 ? "FP32" : "INT8");
}

static int worst_first(const void *a, const void *b)
{
    const json_t *x = *(const json_t *const *)a, *y = *(const json_t *const *)b;
    int dx = abs(cell_at(x, INT8) - cell_at(x, FP32));
    int dy = abs(cell_at(y, INT8) - cell_at(y, FP32));
    int order = (dx < dy) - (dx > dy);
    for (size_t i = 0; i < 2 && !order; i++)
        order = cell_at(x, i) - cell_at(y, i);
    return order;
}

static void add_table(str *out, const matrix *m)
{
    size_t n = json_array_size(m->cells);
    const json_t **cells = mem_array(n + 1, sizeof *cells);
    for (size_t i = 0; cells && i < n; i++)
        cells[i] = json_array_get(m->cells, i);
    if (cells)
        qsort((void *)cells, n, sizeof *cells, worst_first);
    html_data_table(out, (const char *[]){"labelled", "found as", "FP32", "INT8", NULL});
    for (size_t i = 0; cells && i < n && i < MAX_LISTED; i++) {
        if (!is_inside(m, cells[i]))
            continue;
        str_add(out, "<tr>");
        html_cell(out, name_of(m, cell_at(cells[i], 0), "nothing"));
        html_cell(out, name_of(m, cell_at(cells[i], 1), "missed"));
        html_number(out, 0, cell_at(cells[i], FP32));
        html_number(out, 0, cell_at(cells[i], INT8));
        str_add(out, "</tr>\n");
    }
    html_data_table_end(out);
    mem_free((void *)cells);
}

void html_confusion(str *out, const json_t *document)
{
    matrix m = {.names = field_at(document, "facts.confusion.names"),
                .cells = field_at(document, "facts.confusion.cells")};
    if (json_array_size(m.cells) == 0 || json_array_size(m.names) > MAX_CLASSES)
        return;
    m.n = (int)json_array_size(m.names);
    m.is_named = m.n <= MAX_NAMED;
    m.size = m.is_named ? 34 : fmax(3, 420.0 / (m.n + 1));
    m.rows = mem_array(2 * ((size_t)m.n + 1), sizeof *m.rows);
    if (!m.rows)
        return;
    sum_rows(&m);
    html_section(out, "confusion", "Confusions");
    str_add(out, "<p class=\"soft\">Rows: what is labelled (last: nothing is). Columns: what was "
                 "found there (last: missed). Score above 0.25, IoU above 0.45, as YOLOv7 counts. "
                 "The table lists first where FP32 and INT8 differ most.</p>"
                 "<div class=\"grid wide-cells\">");
    add_matrix(out, &m, FP32);
    add_matrix(out, &m, INT8);
    str_add(out, "</div>\n");
    add_table(out, &m);
    html_section_end(out);
    mem_free(m.rows);
}
