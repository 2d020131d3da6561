/* SPDX-License-Identifier: Apache-2.0 */
/* report/table.h — columns that are as wide as their widest cell, and long lists in several lines.
 *
 *     table t = TABLE_INIT("lrr");          one letter per column: left or right
 *     table_row(&t, (const char *[]){"layer", "SQNR", "drop"});
 *     table_cell(&t, "%s", name);           cells fill rows from left to right
 *     table_number(&t, 1, sqnr);            one digit after the point; "-" for NaN
 *     ...
 *     table_print(&t, out, 2, 80);          indented by 2, in 80 columns; empties the table
 *
 * A failed allocation shows as a failed `out`.
 */
#ifndef REPORT_TABLE_H
#define REPORT_TABLE_H

#include "base/str.h"

typedef struct table {
    const char *align; /* 'l' or 'r' per column */
    str cells;         /* NUL-terminated texts, row by row */
    size_t n_cells;
} table;

#define TABLE_INIT(align)                                                                          \
    {                                                                                              \
        (align), STR_INIT, 0                                                                       \
    }

void table_cell(table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_number(table *t, int digits, double value); /* NaN: "-" */
void table_signed(table *t, int digits, double value); /* with its sign; NaN: "-" */
void table_row(table *t, const char *const *cells);    /* one text per column */
/* What is wider than `limit` columns (0: no limit) goes on below: the columns that did not fit,
 * behind the first ones again, to the first that is aligned left. */
void table_print(table *t, str *out, int indent, int limit);

/* `label` and then the space-separated words of `text`; lines after the first are indented by
 * the label's width. At least one word a line. */
void text_wrap(str *out, const char *label, const char *text, int width);

#endif
