/* SPDX-License-Identifier: Apache-2.0 */
#include "report/table.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { MAX_COLUMNS = 16, GAP = 2 };

static void end_cell(table *t)
{
    str_add_n(&t->cells, "", 1);
    t->n_cells++;
}

void table_cell(table *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    str_vaddf(&t->cells, format, args);
    va_end(args);
    end_cell(t);
}

void table_number(table *t, int digits, double value)
{
    if (isnan(value))
        table_cell(t, "-");
    else
        table_cell(t, "%.*f", digits, value);
}

void table_signed(table *t, int digits, double value)
{
    if (isnan(value))
        table_cell(t, "-");
    else
        table_cell(t, "%+.*f", digits, value);
}

void table_row(table *t, const char *const *cells)
{
    for (size_t i = 0; i < strlen(t->align); i++)
        table_cell(t, "%s", cells[i]);
}

/* Characters, not bytes: names may be UTF-8. */
static int columns_of(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static void print_cell(str *out, char align, const char *text, int width)
{
    int pad = width - columns_of(text);
    if (align == 'r')
        str_addf(out, "%*s%s", pad, "", text);
    else
        str_addf(out, "%s%*s", text, pad, "");
}

static void trim_line(str *out)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
    str_add(out, "\n");
}

static void measure(const table *t, int *widths, size_t n_columns)
{
    const char *cell = str_text(&t->cells);
    for (size_t i = 0; i < t->n_cells; i++, cell += strlen(cell) + 1) {
        int n = columns_of(cell);
        if (n > widths[i % n_columns])
            widths[i % n_columns] = n;
    }
}

/* The columns that name a row: to the first one aligned left. */
static size_t count_labels(const char *align)
{
    const char *first = strchr(align, 'l');
    return first ? (size_t)(first - align) + 1 : 1;
}

/* The column after the last that fits beside the labels from `from` on: one at least. */
static size_t last_that_fits(const int *widths, size_t n_labels, size_t from, size_t n, int room)
{
    for (size_t i = 0; i < n_labels; i++)
        room -= widths[i] + GAP;
    size_t end = from;
    while (end < n && (end == from || widths[end] <= room))
        room -= widths[end++] + GAP;
    return end;
}

/* The rows' labels and their columns from `from` to `end`. */
static void print_part(const table *t, str *out, const int *widths, size_t from, size_t end,
                       int indent)
{
    size_t n_columns = strlen(t->align), n_labels = count_labels(t->align);
    const char *cell = str_text(&t->cells);
    for (size_t i = 0; i < t->n_cells && str_ok(out); i++, cell += strlen(cell) + 1) {
        size_t column = i % n_columns;
        if (column < n_labels || (column >= from && column < end)) {
            str_addf(out, "%*s", column == 0 ? indent : GAP, "");
            print_cell(out, t->align[column], cell, widths[column]);
        }
        if (column + 1 == n_columns)
            trim_line(out);
    }
}

void table_print(table *t, str *out, int indent, int limit)
{
    size_t n_columns = strlen(t->align), n_labels = count_labels(t->align);
    int widths[MAX_COLUMNS] = {0};
    if (!str_ok(&t->cells) || n_columns > MAX_COLUMNS)
        out->failed = true;
    else
        measure(t, widths, n_columns);
    size_t from = n_labels;
    do {
        size_t end = limit > 0 ? last_that_fits(widths, n_labels, from, n_columns, limit - indent)
                               : n_columns;
        if (str_ok(out))
            print_part(t, out, widths, from, end, indent);
        from = end;
    } while (from < n_columns);
    str_clear(&t->cells);
    t->n_cells = 0;
}

void text_wrap(str *out, const char *label, const char *text, int width)
{
    int indent = columns_of(label);
    int column = indent;
    str_add(out, label);
    bool first = true;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (!first && column + 1 + (int)n > width) {
            str_addf(out, "\n%*s", indent, "");
            column = indent;
            first = true;
        }
        str_addf(out, "%s%.*s", first ? "" : " ", (int)n, text);
        column += (int)n + !first;
        first = false;
        text += n + (text[n] == ' ');
    }
    str_add(out, "\n");
}
