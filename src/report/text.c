/* SPDX-License-Identifier: Apache-2.0 */
#include "report/text.h"

#include <stdlib.h>
#include <string.h>

#include "report/table.h"
#include "report/view.h"

enum { DEFAULT_WIDTH = 100 };

static const struct {
    const char *command;
    report_fn *print;
} TABLES[] = {
    {"info", text_info},           {"machine", text_machine},         {"run", text_run},
    {"list", text_list},           {"export", text_export},           {"eval", text_eval},
    {"calibrate", text_calibrate}, {"quantize", text_quantize},       {"insert", text_quantize},
    {"compare", text_compare},     {"sensitivity", text_sensitivity}, {"bench", text_bench},
    {"lint", text_lint},           {"detect", text_detect},           {"report", text_page},
};

void text_shape(str *out, const json_t *shape)
{
    str_add(out, "[");
    for (size_t i = 0; i < json_array_size(shape); i++) {
        const json_t *d = json_array_get(shape, i);
        str_add(out, i > 0 ? "," : "");
        if (json_is_integer(d) && json_integer_value(d) >= 0)
            str_addf(out, "%lld", (long long)json_integer_value(d));
        else
            str_add(out, "?");
    }
    str_add(out, "]");
}

void text_names(str *out, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const char *name = json_is_string(item)
                               ? json_string_value(item)
                               : field_text(item, "name", field_text(item, "layer", "?"));
        str_addf(out, "%s%s", i > 0 ? " " : "", name);
    }
}

void text_wrote(str *out, const report_view *view)
{
    const char *file = field_text(view->result, "output", field_text(view->config, "output", NULL));
    if (file)
        str_addf(out, "wrote %s\n", file);
}

void text_page(str *out, const report_view *view)
{
    text_wrote(out, view);
    str_add(out, "open it in a browser; it needs nothing else\n");
}

/* A command without a table of its own: its result as it is. */
static void print_plain(str *out, const json_t *result)
{
    char *dump = json_dumps(result, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    str_addf(out, "%s\n", dump ? dump : "");
    free(dump);
}

/* `line` of `n` bytes in lines of `width` columns, the further ones indented by its first word. */
static void fold_line(str *out, const char *line, size_t n, int width)
{
    str first = STR_INIT, rest = STR_INIT;
    size_t blank = strspn(line, " ");
    size_t label = blank + strcspn(line + blank, " \n");
    label += line[label] == ' ';
    str_add_n(&first, line, label);
    str_add_n(&rest, line + label, n - label);
    text_wrap(out, str_text(&first), str_text(&rest), width);
    out->failed = out->failed || !str_ok(&first) || !str_ok(&rest);
    str_clear(&first);
    str_clear(&rest);
}

/* Lines that are wider than `width` go on in further ones; a command to be typed stays as it is. */
static char *fold(str *text, int width)
{
    str out = STR_INIT;
    out.failed = !str_ok(text);
    for (const char *line = str_text(text); str_ok(&out) && *line;) {
        size_t n = strcspn(line, "\n");
        if ((int)n > width && strncmp(line, "next:", 5) != 0) {
            fold_line(&out, line, n, width);
        } else {
            str_add_n(&out, line, n);
            str_add(&out, "\n");
        }
        line += n + (line[n] == '\n');
    }
    str_clear(text);
    return str_take(&out);
}

static char *print(const char *command, const json_t *json, int width, int limit)
{
    bool is_document = field_at(json, "schema") && field_at(json, "result");
    report_view view = {
        .model = is_document ? field_at(json, "model") : NULL,
        .config = is_document ? field_at(json, "config") : NULL,
        .result = is_document ? field_at(json, "result") : json,
        .width = width > 0 ? width : DEFAULT_WIDTH,
        .limit = limit,
    };
    str out = STR_INIT;
    report_fn *printer = NULL;
    for (size_t i = 0; i < sizeof TABLES / sizeof *TABLES; i++)
        if (strcmp(TABLES[i].command, command) == 0)
            printer = TABLES[i].print;
    if (!printer)
        print_plain(&out, view.result);
    else
        printer(&out, &view);
    return printer && limit > 0 ? fold(&out, limit) : str_take(&out);
}

char *report_text(const char *command, const json_t *json, int width)
{
    return print(command, json, width, 0);
}

char *report_text_fit(const char *command, const json_t *json, int columns)
{
    return print(command, json, columns, columns);
}
