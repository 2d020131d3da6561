/* SPDX-License-Identifier: Apache-2.0 */
/* All official configs: their rows are written again from the layer tables of the spec
 * (model_layers.md), and what comes out is compared with its parameters per layer and with the
 * counts that the official code prints (model.md §7). */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "formats/yaml_doc.h"
#include "model/cfg_network.h"

enum { MAX_LAYERS = 300 };

typedef struct table {
    str rows;
    int n_layers;
    int64_t parameters[MAX_LAYERS];
} table;

/* "k3" or "s2" among the words of a table line; -1: not there. */
static int word_number(const char *line, const char *letter)
{
    char pattern[8];
    snprintf(pattern, sizeof pattern, " %s", letter);
    const char *p = strstr(line, pattern);
    return p ? (int)strtol(p + 2, NULL, 10) : -1;
}

static void add_arguments(str *rows, const char *type, const char *line)
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
static void add_row(table *t, const char *line, const char *head)
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
static void add_section(table *t, const char *spec, const char *section, int n_rows,
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

static int64_t count_parameters(const module *m)
{
    module_param params[MODULE_MAX_PARAMS];
    int n = module_params(m, params);
    int64_t sum = 0;
    for (int i = 0; i < n; i++) {
        int64_t count = params[i].is_buffer ? 0 : 1;
        for (int k = 0; k < params[i].rank; k++)
            count *= params[i].dims[k];
        sum += count;
    }
    for (int i = 0; i < m->n_parts; i++)
        sum += count_parameters(m->parts[i]);
    return sum;
}

typedef struct official {
    const char *section; /* of the rows; those of `tail` follow its first n_rows */
    int n_rows;
    const char *tail;
    const char *head; /* in the place of Detect */
    int n_levels;
    int64_t layers, parameters, layers_fused, parameters_fused;
} official;

/* Counts: model.md §7. */
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

static network *read_text(const char *text, ptq_error *err, ptq_status want)
{
    char dir[512];
    char *path = path_join(test_temp_dir(dir), "net.yaml");
    assert_int_equal(file_write(path, text, strlen(text), err), PTQ_OK);
    network *n = NULL;
    ptq_status status = cfg_read_network(path, &n, err);
    test_temp_remove(dir);
    mem_free(path);
    if (status != want)
        fail_msg("%s", status ? err->message : "it was read");
    return n;
}

static void check_official(const official *o, const char *spec)
{
    ptq_error err;
    table t = {.rows = STR_INIT};
    str_addf(&t.rows, "nc: 80\ndepth_multiple: 1.0\nwidth_multiple: 1.0\nanchors:\n");
    for (int i = 0; i < o->n_levels; i++)
        str_add(&t.rows, "  - [10,13, 16,30, 33,23]\n");
    str_add(&t.rows, "backbone: []\nhead:\n");
    add_section(&t, spec, o->section, o->n_rows, o->head);
    if (o->tail)
        add_section(&t, spec, o->tail, 999, NULL);
    network *n = read_text(str_text(&t.rows), &err, PTQ_OK);
    assert_int_equal(n->layers->n_parts, t.n_layers);
    for (int i = 0; i < t.n_layers; i++) {
        bool is_replaced = o->head && i == t.n_layers - 1;
        if (!is_replaced && count_parameters(n->layers->parts[i]) != t.parameters[i])
            fail_msg("%s layer %d: %lld parameters, not %lld", o->section, i,
                     (long long)count_parameters(n->layers->parts[i]), (long long)t.parameters[i]);
    }
    network_size size;
    assert_ok(network_measure(n, &size, &err));
    assert_int_equal(size.n_parameters, o->parameters);
    assert_int_equal(size.n_parameters_fused, o->parameters_fused);
    assert_int_equal(size.n_modules, o->layers);
    assert_int_equal(size.n_modules_fused, o->layers_fused);
    network_destroy(n);
    str_clear(&t.rows);
}

static void official_configs_have_the_official_counts(void **state)
{
    (void)state;
    ptq_error err;
    char path[512], *spec;
    size_t size;
    test_shared("../spec/model_layers.md", path);
    assert_ok(file_read(path, 0, &spec, &size, &err));
    for (size_t i = 0; i < sizeof OFFICIAL / sizeof *OFFICIAL; i++)
        check_official(&OFFICIAL[i], spec);
    mem_free(spec);
}

#define TOP                                                                                        \
    "nc: 2\ndepth_multiple: 0.33\nwidth_multiple: 0.25\nanchors: [[10,13], [30,61]]\n"             \
    "backbone:\n"
#define ROWS "  - [-1, 1, Conv, [64, 3, 2]]\n  - [-1, 9, C3, [128]]\n"

/* model.md §2: make_divisible, n = max(round(n*gd), 1), the head's own width is not scaled. */
static void multiples_are_applied(void **state)
{
    (void)state;
    ptq_error err;
    network *n = read_text(TOP "  - [-1, 1, Conv, [70, 3, 2]]\n"
                               "  - [-1, 9, C3, [128]]\n"
                               "  - [-1, 3, Bottleneck, [128]]\n"
                               "  - [-1, 5, Bottleneck, [128, False]]\n"
                               "  - [-1, 1, Conv, [7, 1]]\n"
                               "head:\n  - [[-3, -2], 1, Detect, [nc, anchors]]\n",
                           &err, PTQ_OK);
    module *const *layer = n->layers->parts;
    assert_int_equal(module_part(layer[0], "conv")->as.conv.out, 24); /* ceil(70/4/8)*8 */
    assert_int_equal(module_part(layer[1], "m")->n_parts, 3);         /* round(2.97) */
    assert_string_equal(layer[2]->type, "Bottleneck");                /* round(0.99) = 1 */
    assert_string_equal(layer[3]->type, "nn.Sequential");             /* round(1.65) = 2 */
    assert_int_equal(layer[3]->n_parts, 2);
    assert_string_equal(layer[3]->parts[1]->path, "model.3.1");
    assert_true(layer[2]->as.add);
    assert_false(layer[3]->parts[0]->as.add);
    assert_int_equal(module_part(layer[4], "conv")->as.conv.out, 7); /* = na*(nc+5) */
    assert_int_equal(layer[5]->from[0], 2);
    assert_int_equal(layer[5]->from[1], 3);
    assert_int_equal(module_part(layer[5], "m")->parts[0]->as.conv.in, 32);
    network_destroy(n);
}

static void activations_are_as_written(void **state)
{
    (void)state;
    ptq_error err;
    network *n = read_text(TOP "  - [-1, 1, Conv, [64, 3, 2, None, 1, nn.LeakyReLU(0.1)]]\n"
                               "  - [-1, 1, Conv, [64, 3, 1, None, 1, nn.ReLU()]]\n"
                               "  - [-1, 1, Conv, [64, 3, 1, None, 1, False]]\n"
                               "  - [-1, 1, Conv, [64, [1, 1], 1]]\n"
                               "head:\n  - [[-2, -1], 1, IDetect, [nc, anchors]]\n",
                           &err, PTQ_OK);
    module *const *layer = n->layers->parts;
    assert_int_equal(module_part(layer[0], "act")->as.act.kind, ACT_LEAKY_RELU);
    assert_float_equal(module_part(layer[0], "act")->as.act.alpha, 0.1f, 0);
    assert_int_equal(module_part(layer[1], "act")->as.act.kind, ACT_RELU);
    assert_int_equal(module_part(layer[2], "act")->kind, MODULE_IDENTITY);
    assert_int_equal(module_part(layer[3], "act")->as.act.kind, ACT_SILU);
    assert_int_equal(module_part(layer[3], "conv")->as.conv.attr.pad[0], 0);
    assert_non_null(module_part(layer[4], "ia"));
    network_destroy(n);
}

static void bad_configs_are_refused_with_their_line(void **state)
{
    (void)state;
    ptq_error err;
    static const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"nc: 2\nanchors: [[1,2]]\nbackbone: []\nhead: []\n", "must be a Detect"},
        {"anchors: [[1,2]]\nbackbone: []\nhead: []\n", "'nc' must be"},
        {"nc: 2\nbackbone: []\nhead: []\n", "'anchors' must be"},
        {"nc: 2\nanchors: [[1,2,3]]\n", "line 2: anchors of a level"},
        {TOP ROWS, "'head' must be a list"},
        {TOP "  - [-1, 1, Swin, [64]]\nhead: []\n", "line 6: module 'Swin' is not known"},
        {TOP "  - [-1, 1, Conv]\nhead: []\n", "line 6: a layer must be"},
        {TOP "  - [3, 1, Conv, [64]]\nhead: []\n", "line 6: layer 0 takes its input"},
        {TOP ROWS "  - [-9, 1, Conv, [64]]\nhead: []\n", "line 8: layer 2 takes its input"},
        {TOP ROWS "  - [-1, 1, Conv, [x]]\nhead: []\n", "line 8: 'Conv' needs its output"},
        {TOP ROWS "  - [-1, 1, Conv, [64, 3.5]]\nhead: []\n", "line 8: argument 1 is not"},
        {TOP ROWS "  - [-1, 1, Conv, [64, 0]]\nhead: []\n", "has no kernel"},
        {TOP ROWS "  - [-1, 1, Conv, [64, 3, 1, None, 7]]\nhead: []\n", "into 7 groups"},
        {TOP ROWS "  - [-1, 1, RepConv, [64, 5]]\nhead: []\n", "must have kernel 3"},
        {TOP ROWS "  - [-1, 9999, C3, [64]]\nhead: []\n", "number of repeats"},
        {TOP ROWS "head:\n  - [-1, 1, Detect, [nc, anchors]]\n", "1 inputs, but the anchors"},
        {TOP ROWS "  - [-1, 1, nn.Upsample, [None, 2, cubic]]\nhead: []\n", "mode 'nearest'"},
        {TOP ROWS "  - [-1, 1, Conv, [99999999]]\nhead: []\n", "output channels"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        read_text(cases[i].text, &err, PTQ_FORMAT);
        if (!strstr(err.message, cases[i].part))
            fail_msg("case %zu: '%s' lacks '%s'", i, err.message, cases[i].part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(official_configs_have_the_official_counts),
        cmocka_unit_test(multiples_are_applied),
        cmocka_unit_test(activations_are_as_written),
        cmocka_unit_test(bad_configs_are_refused_with_their_line),
    };
    return cmocka_run_group_tests_name("cfg_network", tests, NULL, NULL);
}
