/* SPDX-License-Identifier: Apache-2.0 */
/* The official configs, written again from the layer tables of the spec (model_layers.md), and the
 * counts that the official code prints for them (model.md §7). */
#ifndef CFG_TABLES_H
#define CFG_TABLES_H

#include "base/str.h"

enum { MAX_LAYERS = 300 };

typedef struct table {
    str rows;
    int n_layers;
    int64_t parameters[MAX_LAYERS];
} table;

/* "k3" or "s2" among the words of a table line; -1: not there. */
static inline int word_number(const char *line, const char *letter)
{
    char pattern[8];
    snprintf(pattern, sizeof pattern, " %s", letter);
    const char *p = strstr(line, pattern);
    return p ? (int)strtol(p + 2, NULL, 10) : -1;
}

static inline void add_arguments(str *rows, const char *type, const char *line)
{
    const char *arrow = strchr(line, '>');
    int out = arrow ? (int)strtol(arrow + 1, NULL, 10) : 0;
    int k = word_number(line, "k"), s = word_number(line, "s");
    const char *extra = strstr(line, " [");
    if (strcmp(type, "Conv") == 0 || strcmp(type, "RepConv") == 0)
        str_addf(rows, "[%d, %d, %d%s]", out, k, s,
                 strstr(line, "a=Leaky0.1") ? ", None, 1, nn.LeakyReLU(0.1)" : "");
    else if (strcmp(type, "MP") == 0)
        str_addf(rows, "[%d]", k);
    else if (strcmp(type, "SP") == 0)
        str_addf(rows, "[%d, %d]", k, s);
    else if (strcmp(type, "nn.Upsample") == 0)
        str_add(rows, "[None, 2, 'nearest']");
    else if (strstr(type, "Detect"))
        str_add(rows, "[nc, anchors]");
    else if (strcmp(type, "Concat") == 0 || strcmp(type, "Shortcut") == 0)
        str_add(rows, "[1]");
    else if (strcmp(type, "ReOrg") == 0)
        str_add(rows, "[]");
    else if (extra) /* "[False]" of Bottleneck, "[[5, 9, 13]]" of SPP */
        str_addf(rows, "[%d, %.*s", out, (int)strcspn(extra + 2, "|"), extra + 2);
    else
        str_addf(rows, "[%d]", out);
}

/* "118* [83] Conv 128>320 k3 s1 | 369280 | 160x160" */
static inline void add_row(table *t, const char *line, const char *head)
{
    const char *open = strchr(line, '['), *close = strchr(open, ']');
    char type[32];
    int length = (int)strcspn(close + 2, " ");
    const char *rest = close + 2 + length;
    snprintf(type, sizeof type, "%.*s", length, close + 2);
    if (head && strcmp(type, "Detect") == 0)
        snprintf(type, sizeof type, "%s", head);
    const char *n = strstr(rest, " n=");
    int repeats = n ? (int)strtol(n + 3, NULL, 10) : 1;
    if (strncmp(open, "[in]", 4) == 0)
        str_addf(&t->rows, "  - [-1, %d, %s, ", repeats, type);
    else
        str_addf(&t->rows, "  - [%.*s, %d, %s, ", (int)(close - open) + 1, open, repeats, type);
    add_arguments(&t->rows, type, rest);
    str_add(&t->rows, "]\n");
    assert_true(t->n_layers < MAX_LAYERS);
    t->parameters[t->n_layers++] = strtoll(strchr(rest, '|') + 1, NULL, 10);
}

/* Rows first .. of a section's table. */
static inline void add_section(table *t, const char *spec, const char *section, int n_rows,
                               const char *head)
{
    char title[64];
    snprintf(title, sizeof title, "\n## %s.yaml\n", section);
    const char *line = strstr(spec, title);
    assert_non_null(line);
    line = strstr(line, "```\n");
    assert_non_null(line);
    for (line += 4; *line != '`' && n_rows > 0; n_rows--) {
        char text[512];
        snprintf(text, sizeof text, "%.*s", (int)strcspn(line, "\n"), line);
        add_row(t, text, head);
        line = strchr(line, '\n') + 1;
    }
}

typedef struct official {
    const char *section; /* of the rows; those of `tail` follow its first n_rows */
    int n_rows;
    const char *tail;
    const char *head; /* in the place of Detect */
    int n_levels;
    int64_t layers, parameters, layers_fused, parameters_fused;
} official;

static const official OFFICIAL[] = {
    {"deploy/yolov7", 999, NULL, NULL, 3, 407, 37620125, 306, 36905341},
    {"deploy/yolov7x", 999, NULL, NULL, 3, 459, 71344389, 354, 71311741},
    {"deploy/yolov7-tiny", 999, NULL, NULL, 3, 255, 6227101, 200, 6219709},
    {"deploy/yolov7-w6", 999, NULL, NULL, 4, 446, 70426236, 343, 70394300},
    {"deploy/yolov7-e6", 999, NULL, NULL, 4, 614, 97246652, 473, 97202940},
    {"deploy/yolov7-d6", 999, NULL, NULL, 4, 702, 133810044, 539, 133757052},
    {"deploy/yolov7-e6e", 999, NULL, NULL, 4, 1032, 151757244, 792, 151687420},
    {"deploy/yolov7", 999, NULL, "IDetect", 3, 415, 37622682, 314, 36907898},
    {"deploy/yolov7x", 999, NULL, "IDetect", 3, 467, 71347394, 362, 71314746},
    {"deploy/yolov7-tiny", 999, NULL, "IDetect", 3, 263, 6228762, 208, 6221370},
    {"deploy/yolov7-w6", 118, "training/yolov7-w6", NULL, 4, 477, 82312436, 370, 82277300},
    {"deploy/yolov7-e6", 140, "training/yolov7-e6", NULL, 4, 645, 111898292, 500, 111851380},
    {"deploy/yolov7-d6", 162, "training/yolov7-d6", NULL, 4, 733, 154709364, 566, 154652532},
    {"deploy/yolov7-e6e", 261, "training/yolov7-e6e", NULL, 4, 1063, 166408884, 819, 166335860},
    {"baseline/r50-csp", 999, NULL, NULL, 3, 560, 34299578, 437, 34270138},
    {"baseline/x50-csp", 999, NULL, NULL, 3, 560, 32299962, 437, 32264442},
    {"baseline/yolor-csp", 999, NULL, NULL, 3, 521, 52923994, 409, 52891610},
    {"baseline/yolor-csp-x", 999, NULL, NULL, 3, 629, 96943410, 493, 96895730},
    {"baseline/yolov4-csp", 999, NULL, NULL, 3, 513, 52921437, 401, 52889053},
    {"baseline/yolor-p6", 999, NULL, NULL, 4, 660, 37265016, 519, 37232824},
    {"baseline/yolor-w6", 999, NULL, NULL, 4, 660, 79873400, 519, 79828024},
    {"baseline/yolor-e6", 999, NULL, NULL, 4, 740, 115899960, 583, 115840120},
    {"baseline/yolor-d6", 999, NULL, NULL, 4, 956, 151773240, 751, 151696760},
    {"baseline/yolov3-spp", 999, NULL, NULL, 3, 342, 62998749, 269, 62971933},
};

/* The whole config of an official network at a width. */
static inline table make_config(const official *o, const char *spec, double width)
{
    table t = {.rows = STR_INIT};
    str_addf(&t.rows, "nc: 80\ndepth_multiple: 1.0\nwidth_multiple: %g\nanchors:\n", width);
    for (int i = 0; i < o->n_levels; i++)
        str_add(&t.rows, "  - [10,13, 16,30, 33,23]\n");
    str_add(&t.rows, "backbone: []\nhead:\n");
    add_section(&t, spec, o->section, o->n_rows, o->head);
    if (o->tail)
        add_section(&t, spec, o->tail, 999, NULL);
    return t;
}

#endif
