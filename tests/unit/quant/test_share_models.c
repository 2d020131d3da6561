/* SPDX-License-Identifier: Apache-2.0 */
/* Shared scales of real networks against the lists of spec ptq.md §2, which were found by running
 * NVIDIA's rules on the official models. There, layers that read the same tensor keep quantizers
 * of their own; here they have one, so such layers are united in the expectation. */
#include <sys/wait.h>
#include <unistd.h>

#include "model/model.h"
#include "passes/passes.h"
#include "quant/points.h"
#include "test.h"

static ptq_error err;

static model *load(const char *path)
{
    model *m;
    assert_ok(model_load(path, NULL, NULL, &m, &err));
    assert_ok(passes_clean(m->graph, &err));
    return m;
}

/* xz -dc packed > path */
static bool unpack(const char *packed, const char *path)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (freopen(path, "wb", stdout))
            execlp("xz", "xz", "-dc", packed, (char *)NULL);
        _exit(127);
    }
    int status;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static model *unpack_and_load(const char *relative)
{
    char packed[512];
    char dir[512];
    char path[600];
    test_shared(relative, packed);
    test_temp_dir(dir);
    snprintf(path, sizeof path, "%s/model.pt", dir);
    if (!unpack(packed, path)) {
        test_temp_remove(dir);
        print_message("SKIPPED: xz cannot unpack '%s'\n", packed);
        skip();
    }
    model *m = load(path);
    test_temp_remove(dir);
    return m;
}

static int find_root(const int *parent, int i)
{
    while (parent[i] != i)
        i = parent[i];
    return i;
}

static void unite(int *parent, int a, int b)
{
    parent[find_root(parent, a)] = find_root(parent, b);
}

/* "51.cv1" of "model.51.cv1.conv", "104" of "model.104.rbr_reparam". */
static bool is_layer(const char *layer, const char *name, size_t length)
{
    static const char *const ends[] = {"", ".conv", ".rbr_reparam"};
    char full[64];
    for (int i = 0; i < 3; i++) {
        snprintf(full, sizeof full, "model.%.*s%s", (int)length, name, ends[i]);
        if (strcmp(full, layer) == 0)
            return true;
    }
    return false;
}

static int find_point(const quant_points *p, const char *name, size_t length)
{
    for (int i = 0; i < p->n; i++)
        if (is_layer(p->items[i].layer, name, length))
            return i;
    fail_msg("no layer '%.*s'", (int)length, name);
    return -1;
}

/* Groups as "6,8,11;13,14". */
static void unite_listed(const quant_points *p, const char *groups, int *parent)
{
    int first = -1;
    while (*groups) {
        size_t length = strcspn(groups, ",;");
        int i = find_point(p, groups, length);
        if (first >= 0)
            unite(parent, first, i);
        first = i;
        groups += length;
        if (*groups == ';')
            first = -1;
        groups += *groups != '\0';
    }
}

static void check_groups(const quant_points *p, const char *groups)
{
    int *parent = malloc((size_t)p->n * sizeof *parent);
    assert_non_null(parent);
    for (int i = 0; i < p->n; i++)
        parent[i] = i;
    unite_listed(p, groups, parent);
    for (int i = 0; i < p->n; i++)
        for (int k = 0; k < i; k++)
            if (p->items[i].tensor == p->items[k].tensor)
                unite(parent, i, k);
    for (int i = 0; i < p->n; i++)
        for (int k = 0; k < i; k++) {
            if (p->items[i].group < 0 || p->items[k].group < 0)
                continue;
            bool want = find_root(parent, i) == find_root(parent, k);
            if (want != (p->items[i].group == p->items[k].group))
                fail_msg("'%s' and '%s' should%s share", p->items[i].layer, p->items[k].layer,
                         want ? "" : " not");
        }
    free(parent);
}

static void check_model(model *m, const char *exclude, int n_layers, const char *groups)
{
    const char *const excluded[] = {exclude, NULL};
    quant_options options;
    quant_options_init(&options);
    options.share_scales = true;
    options.exclude = excluded;
    quant_config *config;
    quant_points points;
    assert_ok(quant_config_load(NULL, &config, &err));
    assert_ok(quant_points_find(m->graph, config, &options, &points, &err));
    assert_int_equal(quant_points_n_quantized(&points), n_layers);
    check_groups(&points, groups);
    quant_points_clear(&points);
    quant_config_destroy(config);
    model_destroy(m);
}

static void yolov7(void **state)
{
    (void)state;
    check_model(unpack_and_load("full/yolov7.pt.xz"), "nothing", 89,
                "6,8,11;13,14;17,18;19,21,24;26,27,66;30,31;32,34,37;39,40,54;43,44;45,47,50;"
                "52,94,95;56,57;58,59,60,61,63;64,81,82;68,69;70,71,72,73,75;77,78,102;"
                "83,84,85,86,88;90,91,103;96,97,98,99,101");
}

/* The ignore policy of its README: the head, which is kept anyway, and the first layer. */
static void yolov7_tiny(void **state)
{
    (void)state;
    check_model(unpack_and_load("full/yolov7-tiny.pt.xz"), "model\\.0\\.(.*)", 54,
                "4,5,7;11,12,14;16,50;18,19,21;23,40;25,26,28;38,68,69;42,43;44,45,47;48,60,61;"
                "52,53;54,55,57;62,63,65;70,71,73");
}

/* gotchas.md has the pairs that NVIDIA's own find_quantizer_pairs gave on an export of this model:
 * {13.cv1, 7, 13.cv2} {17.cv1, 5, 17.cv2} {20.cv1, 20.cv2} {23.cv1, 23.cv2}. They look at
 * quantizers next to a Concat alone. But model.10 is joined by both Concats 12 and 22, model.14 by
 * both 16 and 19, so that each makes codes for the layers behind two of them. */
static void yolov5n(void **state)
{
    (void)state;
    char path[512];
    check_model(load(test_shared("yolov5n/yolov5n.pt", path)), "nothing", 57,
                "13.cv1,7,13.cv2,23.cv1,23.cv2;17.cv1,5,17.cv2,20.cv1,20.cv2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yolov7),
        cmocka_unit_test(yolov7_tiny),
        cmocka_unit_test(yolov5n),
    };
    return cmocka_run_group_tests_name("share_models", tests, NULL, NULL);
}
