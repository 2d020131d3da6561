/* SPDX-License-Identifier: Apache-2.0 */
#include "data/label_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

enum { MAX_LABEL_BYTES = 64 << 20, COLUMNS = 5, POLYGON_TOKENS = 8 };

typedef struct label_text {
    char **lines; /* into the file's bytes */
    int n_lines;
    int first_line;   /* number of lines[0] in the file, from 1 */
    bool is_polygons; /* one long line makes all of them polygons */
} label_text;

/* One line's numbers, and which line it was. The class is checked to be a whole number later. */
typedef struct label_row {
    float values[COLUMNS]; /* class, x, y, w, h */
    int line;
} label_row;

static const char blanks[] = " \t\v\f";

static int count_tokens(const char *line)
{
    int n = 0;
    for (line += strspn(line, blanks); *line; line += strspn(line, blanks)) {
        line += strcspn(line, blanks);
        n++;
    }
    return n;
}

/* Cuts the bytes into lines; blank ones at either end of the file do not count. */
static bool split_lines(char *bytes, label_text *text)
{
    size_t cap = 2;
    for (const char *p = bytes; *p; p++)
        cap += *p == '\n' || *p == '\r';
    text->lines = mem_array(cap, sizeof *text->lines);
    if (!text->lines)
        return false;
    text->first_line = 1;
    for (char *p = bytes; *p;) {
        char *end = p + strcspn(p, "\r\n");
        char *next = end + (end[0] == '\r' && end[1] == '\n' ? 2 : end[0] != '\0');
        *end = '\0';
        int n_tokens = count_tokens(p);
        if (n_tokens == 0 && text->n_lines == 0)
            text->first_line++;
        else
            text->lines[text->n_lines++] = p;
        text->is_polygons |= n_tokens > POLYGON_TOKENS;
        p = next;
    }
    while (text->n_lines > 0 && count_tokens(text->lines[text->n_lines - 1]) == 0)
        text->n_lines--;
    return true;
}

/* The next decimal number; false when the token is something else ("nan" and hexadecimal too). */
static bool read_number(const char **p, float *value)
{
    *p += strspn(*p, blanks);
    size_t n = strcspn(*p, blanks);
    char *end;
    if (n == 0 || strspn(*p, "+-.0123456789eE") < n)
        return false;
    *value = (float)strtod(*p, &end);
    if (end != *p + n)
        return false;
    *p = end;
    return true;
}

/* The parsers answer NULL, or what is wrong with the line. */
static const char *parse_box(const char *line, float values[COLUMNS])
{
    if (count_tokens(line) != COLUMNS)
        return "a label has 5 columns: class x y width height";
    for (int i = 0; i < COLUMNS; i++)
        if (!read_number(&line, &values[i]))
            return "a value is not a number";
    return NULL;
}

static const char *parse_polygon(const char *line, float values[COLUMNS])
{
    int n_points = (count_tokens(line) - 1) / 2;
    if (n_points < 1 || count_tokens(line) != 1 + 2 * n_points)
        return "a polygon is a class and pairs of coordinates";
    float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    if (!read_number(&line, &values[0]))
        return "a value is not a number";
    for (int i = 0; i < 2 * n_points; i++) {
        float value;
        if (!read_number(&line, &value))
            return "a value is not a number";
        low[i % 2] = fminf(low[i % 2], value);
        high[i % 2] = fmaxf(high[i % 2], value);
    }
    for (int axis = 0; axis < 2; axis++) {
        values[1 + axis] = (low[axis] + high[axis]) / 2;
        values[3 + axis] = high[axis] - low[axis];
    }
    return NULL;
}

static const char *check_row(const float values[COLUMNS])
{
    for (int i = 0; i < COLUMNS; i++)
        if (!(values[i] >= 0))
            return "a value is negative";
    for (int i = 1; i < COLUMNS; i++)
        if (values[i] > 1)
            return "a coordinate is above 1; they are fractions of the image";
    return values[0] == rintf(values[0]) ? NULL : "the class is not a whole number";
}

static int compare_values(const label_row *a, const label_row *b)
{
    for (int i = 0; i < COLUMNS; i++)
        if (a->values[i] != b->values[i])
            return a->values[i] < b->values[i] ? -1 : 1;
    return 0;
}

static int compare_rows(const void *a, const void *b)
{
    const label_row *left = a, *right = b;
    int order = compare_values(left, right);
    return order ? order : left->line - right->line;
}

/* The first line that says the same as an earlier one, or 0. */
static int find_duplicate(const label_row *rows, int n, label_row *sorted)
{
    memcpy(sorted, rows, (size_t)n * sizeof *rows);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_rows);
    int line = 0;
    for (int i = 1; i < n; i++) {
        bool is_first = line == 0 || sorted[i].line < line;
        if (is_first && compare_values(&sorted[i], &sorted[i - 1]) == 0)
            line = sorted[i].line;
    }
    return line;
}

/* rows has room for twice n_lines. */
static const char *parse_rows(const label_text *text, label_row *rows, int *line)
{
    for (int i = 0; i < text->n_lines; i++) {
        *line = rows[i].line = text->first_line + i;
        const char *problem = text->is_polygons ? parse_polygon(text->lines[i], rows[i].values)
                                                : parse_box(text->lines[i], rows[i].values);
        if (!problem)
            problem = check_row(rows[i].values);
        if (problem)
            return problem;
    }
    *line = find_duplicate(rows, text->n_lines, rows + text->n_lines);
    return *line ? "the same label stands twice" : NULL;
}

static ptq_status check_classes(const char *path, const label_row *rows, int n,
                                const label_rules *rules, ptq_error *err)
{
    for (int i = 0; i < n && !rules->single_class; i++)
        if (rows[i].values[0] >= (float)rules->n_classes)
            return error_set(err, PTQ_DATA,
                             "label file '%s' line %d: class %.0f, but the data set has %d classes "
                             "(0 to %d); correct 'nc' and 'names' or the labels",
                             path, rows[i].line, (double)rows[i].values[0], rules->n_classes,
                             rules->n_classes - 1);
    return PTQ_OK;
}

/* Checks the lines and makes labels of them. rows has room for twice n_lines. */
static ptq_status make_labels(const char *path, const label_text *text, const label_rules *rules,
                              label_row *rows, label *labels, ptq_error *err)
{
    int line = 0;
    const char *problem = parse_rows(text, rows, &line);
    if (problem)
        return error_set(err, PTQ_FORMAT, "label file '%s' line %d: %s", path, line, problem);
    PTQ_TRY(check_classes(path, rows, text->n_lines, rules, err));
    for (int i = 0; i < text->n_lines; i++) {
        const float *v = rows[i].values;
        labels[i] = (label){rules->single_class ? 0 : (int)v[0], v[1], v[2], v[3], v[4]};
    }
    return PTQ_OK;
}

ptq_status label_file_read(const char *path, const label_rules *rules, arena *memory,
                           label **labels, int *n, ptq_error *err)
{
    char *bytes;
    size_t size;
    PTQ_TRY(file_read(path, MAX_LABEL_BYTES, &bytes, &size, err));
    label_text text = {0};
    label_row *rows = NULL;
    label *made = NULL;
    ptq_status status;
    if (strlen(bytes) != size) {
        status = error_set(err, PTQ_FORMAT, "label file '%s': it holds a zero byte", path);
        goto done;
    }
    if (split_lines(bytes, &text)) {
        rows = mem_array((size_t)text.n_lines, 2 * sizeof *rows);
        made = arena_alloc(memory, (size_t)text.n_lines, sizeof *made);
    }
    if (rows && made)
        status = make_labels(path, &text, rules, rows, made, err);
    else
        status = error_no_memory(err, size, "labels");
    if (status == PTQ_OK) {
        *labels = made;
        *n = text.n_lines;
    }
done:
    mem_free(rows);
    mem_free(text.lines);
    mem_free(bytes);
    return status;
}
