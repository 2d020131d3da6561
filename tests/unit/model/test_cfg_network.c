/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "cfg_tables.h"
#include "model/cfg_network.h"

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
    table t = make_config(o, spec, 1.0);
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
