/* SPDX-License-Identifier: Apache-2.0 */
/* Official configs from the layer tables of the spec, an eighth as wide and with drawn weights:
 * loaded by their config, exported, quantized, read again. yolov7-w6 has ReOrg and four levels, its
 * training twin auxiliary heads, yolov7-tiny LeakyReLU. */
#include "test.h"

#include "../model/cfg_tables.h"
#include "../model/state_dict.h"
#include "base/file.h"
#include "ptq/ptq.h"

enum { SIDE = 128 };

static ptq_error err;

static double number(const ptq_result *r, const char *path)
{
    double value;
    if (!ptq_result_number(r, path, &value))
        fail_msg("the result has no %s", path);
    return value;
}

/* What a file gives against the model that it was made of: the cosine of the whole output. */
static double likeness(ptq_model *m, const char *file)
{
    char picture[512];
    ptq_model *written;
    ptq_result *r;
    ptq_compare_options o;
    ptq_compare_options_init(&o);
    o.input = test_demo("images/val2017/000000000152.jpg", picture);
    o.data.image_size = SIDE;
    assert_ok(ptq_model_load(file, NULL, NULL, &written, &err));
    assert_ok(ptq_compare(m, written, &o, NULL, &r, &err));
    const char *output = strstr(ptq_result_json(r), "\"name\": \"output\"");
    assert_non_null(output);
    double cosine = strtod(strstr(output, "\"cosine\":") + 9, NULL);
    ptq_result_destroy(r);
    ptq_model_destroy(written);
    return cosine;
}

/* Detect's convolutions, one a level, stay in 16 bit: at least these are kept. */
static void check_network(const official *o, const char *spec, const char *dir)
{
    char data[512];
    archive a = {0};
    ptq_model *m;
    ptq_result *r;
    char *cfg = path_join(dir, "net.yaml"), *file = path_join(dir, "net.onnx");
    table t = make_config(o, spec, 0.125);
    assert_ok(file_write(cfg, str_text(&t.rows), t.rows.len, &err));
    state_dict_write(cfg, true, &a, dir);
    assert_ok(ptq_model_load(a.path, &(ptq_load_options){.cfg = cfg}, NULL, &m, &err));

    ptq_export_options e;
    ptq_export_options_init(&e);
    e.output = file;
    e.image_size = SIDE;
    e.force = true;
    assert_ok(ptq_export(m, &e, NULL, &r, &err));
    ptq_result_destroy(r);
    double exported = likeness(m, file);
    if (!(exported > 0.999999))
        fail_msg("%s: the float file agrees by %.9f", o->section, exported);

    ptq_quantize_options q;
    ptq_quantize_options_init(&q);
    q.data.image_size = SIDE;
    q.data.yaml = test_demo("shapes.yaml", data);
    q.quant.calib_images = 8;
    q.output = file;
    q.force = true;
    q.evaluate = false;
    assert_ok(ptq_quantize(m, &q, NULL, &r, &err));
    assert_true(number(r, "quantized_layers") >= 50);
    ptq_result_destroy(r);
    double quantized = likeness(m, file);
    if (!(quantized > 0.99) || quantized > 0.99999999)
        fail_msg("%s: the int8 file agrees by %.9f", o->section, quantized);
    ptq_model_destroy(m);
    archive_free(&a);
    mem_free(cfg);
    mem_free(file);
    str_clear(&t.rows);
}

static void official_networks_are_quantized(void **state)
{
    (void)state;
    char path[512], dir[512], *spec;
    size_t size;
    test_shared("../spec/model_layers.md", path);
    assert_ok(file_read(path, 0, &spec, &size, &err));
    test_temp_dir(dir);
    int n = 0;
    for (size_t i = 0; i < sizeof OFFICIAL / sizeof *OFFICIAL; i++) {
        const official *o = &OFFICIAL[i];
        if (strcmp(o->section, "deploy/yolov7-w6") == 0 ||
            (strcmp(o->section, "deploy/yolov7-tiny") == 0 && !o->head)) {
            check_network(o, spec, dir);
            n++;
        }
    }
    assert_int_equal(n, 3);
    test_temp_remove(dir);
    mem_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(official_networks_are_quantized),
    };
    return cmocka_run_group_tests_name("official_networks", tests, NULL, NULL);
}
