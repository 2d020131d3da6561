/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "eval/coco_link.h"
#include "golden.h"

static char dir[512];

enum { N_ITEMS = 4, N_CLASSES = 2, N_ROWS = 3, ROW = 5 + N_CLASSES };

/* Four pictures of 100 x 100 in an input of 120 x 100: padded by 10 left and right. */
static label labels_a[] = {{0, 0.25f, 0.25f, 0.5f, 0.5f}, {1, 0.8f, 0.8f, 0.2f, 0.2f}};
static label labels_b[] = {{0, 0.5f, 0.5f, 0.4f, 0.4f}};
static char *class_names[] = {"circle", "star"};
static image_item items[N_ITEMS] = {
    {.path = "images/7.jpg", .width = 100, .height = 100, .labels = labels_a, .n_labels = 2},
    {.path = "images/8.jpg", .width = 100, .height = 100, .labels = labels_b, .n_labels = 1},
    {.path = "images/cat.jpg", .width = 100, .height = 100}, /* no labels */
    {.path = "images/9.jpg", .width = 100, .height = 100, .labels = labels_b, .n_labels = 1},
};
static const dataset DATA = {
    .yaml_path = "data.yaml",
    .n_classes = N_CLASSES,
    .class_names = class_names,
    .items = items,
    .n_items = N_ITEMS,
};

/* x, y, w, h, objectness, two classes; in the pixels of the input */
static const float ROWS[N_ITEMS][N_ROWS][ROW] = {
    {{35, 25, 50, 50, 0.9f, 1, 0}, {90, 80, 20, 20, 0.8f, 0, 1}, {35, 26, 50, 50, 0.7f, 1, 0}},
    {{60, 50, 40, 20, 0.6f, 1, 0}},    /* IoU 0.5: not enough */
    {{60, 50, 30, 30, 0.5f, 0, 1}},    /* nothing is there */
    {{60, 50, 40, 40, 0.0005f, 1, 0}}, /* below the confidence */
};

static placement place_of(int item)
{
    return (placement){
        .item = item,
        .height0 = 100,
        .width0 = 100,
        .height = 100,
        .width = 100,
        .ratio_h = 1,
        .ratio_w = 1,
        .pad_x = 10,
    };
}

static ptq_status run(const dataset *d, const evaluator_options *o, const ptq_env *env,
                      evaluation **out, ptq_error *err)
{
    evaluator *e;
    placement places[N_ITEMS];
    PTQ_TRY(evaluator_create(d, o, env, &e, err));
    for (int i = 0; i < N_ITEMS; i++)
        places[i] = place_of(i);
    ptq_status status = PTQ_OK;
    for (int i = 0; i < N_ITEMS && status == PTQ_OK; i += 2) { /* two batches */
        batch b = {.n = 2, .height = 100, .width = 120, .places = places + i};
        status = evaluator_add(e, &b, &(predictions){ROWS[i][0], N_ROWS, N_CLASSES}, err);
    }
    if (status == PTQ_OK)
        status = evaluator_finish(e, out, err);
    evaluator_destroy(e);
    return status;
}

/* Class 0: 0.9 right, 0.6 wrong, three labels. Class 1: 0.8 right, 0.5 wrong, one label.
 * Expected: ap_per_class written in numpy 1.24. */
static void four_pictures_by_hand(void **state)
{
    (void)state;
    ptq_error err;
    evaluation *e;
    evaluator_options o = evaluator_options_default();
    assert_ok(run(&DATA, &o, NULL, &e, &err));
    assert_int_equal(e->images, 4);
    assert_int_equal(e->labels, 4);
    assert_int_equal(e->n_classes, 2);
    assert_string_equal(e->classes[1].name, "star");
    assert_int_equal(e->classes[0].images, 3);
    assert_int_equal(e->classes[0].labels, 3);
    assert_int_equal(e->records.n_dets, 4);
    assert_int_equal(e->records.images[0].n_dets, 2); /* the third overlaps the first */
    assert_float_equal(e->records.dets[0].x1, 0, 0);
    assert_float_equal(e->records.dets[1].x1, 70, 1e-5);
    assert_int_equal(e->records.correct[0], 0x3ff);
    assert_int_equal(e->records.correct[2], 0);
    assert_int_equal(e->records.images[3].n_dets, 0);
    assert_float_equal(e->precision, 0.9163329963350771, 1e-15);
    assert_float_equal(e->recall, 0.6666666666666666, 1e-15);
    assert_float_equal(e->map50_95, 0.6670833333333335, 1e-15);
    assert_float_equal(e->classes[0].map50_95, 0.33666666666666667, 1e-15);
    assert_float_equal(e->confidence, 0.7997997997997998, 1e-15);
    assert_false(e->has_coco);
    evaluation_destroy(e);
}

static void collect_warning(void *user, ptq_log_level level, const char *message)
{
    (void)level;
    snprintf(user, 256, "%s", message);
}

static void labels_stand_in_for_annotations(void **state)
{
    (void)state;
    ptq_error err;
    evaluation *e;
    char said[256] = "", *text;
    size_t size;
    ptq_env env = {.log = collect_warning, .user = said};
    char *path = path_join(dir, "out.json");
    evaluator_options o = evaluator_options_default();
    o.coco = true;
    o.save_detections = path;
    assert_ok(run(&DATA, &o, &env, &e, &err));
    assert_true(e->has_coco && e->coco_from_labels);
    assert_non_null(strstr(said, "no annotations"));
    /* class 0: 1 of 3 found; class 1: 1 of 1. 34 of 101 recalls are at most 1/3. */
    assert_float_equal(e->coco.ap, (34.0 / 101 + 1) / 2, 1e-12);
    assert_float_equal(e->coco.ar100, (1.0 / 3 + 1) / 2, 1e-12);
    assert_float_equal(e->coco.ap_large, -1, 0);
    assert_ok(file_read(path, 0, &text, &size, &err));
    assert_string_equal(
        text, "[{\"image_id\": 7, \"category_id\": 0, \"bbox\": [0.0, 0.0, 50.0, 50.0], "
              "\"score\": 0.9}, "
              "{\"image_id\": 7, \"category_id\": 1, \"bbox\": [70.0, 70.0, 20.0, 20.0], "
              "\"score\": 0.8}, "
              "{\"image_id\": 8, \"category_id\": 0, \"bbox\": [30.0, 40.0, 40.0, 20.0], "
              "\"score\": 0.6}, "
              "{\"image_id\": \"cat\", \"category_id\": 1, \"bbox\": [35.0, 35.0, 30.0, 30.0], "
              "\"score\": 0.5}]");
    mem_free(text);
    mem_free(path);
    evaluation_destroy(e);
}

static void annotations_give_the_ids(void **state)
{
    (void)state;
    ptq_error err;
    evaluation *e;
    char *truth = path_join(dir, "truth.json"), *path = path_join(dir, "ids.json"), *text;
    size_t size;
    static const char instances[] =
        "{\"categories\":[{\"id\":90},{\"id\":5}],\"images\":[{\"id\":7},{\"id\":8},{\"id\":9},"
        "{\"id\":77,\"file_name\":\"cat.jpg\"},{\"id\":1000}],\"annotations\":["
        "{\"id\":1,\"image_id\":7,\"category_id\":5,\"bbox\":[0,0,50,50],\"area\":2500},"
        "{\"id\":2,\"image_id\":1000,\"category_id\":5,\"bbox\":[0,0,50,50],\"area\":2500}]}";
    assert_ok(file_write(truth, instances, strlen(instances), &err));
    evaluator_options o = evaluator_options_default();
    o.coco = true;
    o.annotations = truth;
    o.save_detections = path;
    assert_ok(run(&DATA, &o, NULL, &e, &err));
    assert_false(e->coco_from_labels);
    assert_float_equal(e->coco.ap, 1, 1e-12); /* image 1000 was not evaluated */
    evaluation_destroy(e);
    assert_ok(file_read(path, 0, &text, &size, &err));
    assert_non_null(strstr(text, "\"image_id\": 7, \"category_id\": 5,"));
    assert_non_null(strstr(text, "\"image_id\": 77, \"category_id\": 90,"));
    mem_free(text);
    dataset other = DATA;
    other.n_classes = 3;
    assert_status(run(&other, &o, NULL, &e, &err), PTQ_DATA);
    assert_non_null(strstr(err.message, "has 2 categories, the data set 3 classes"));
    assert_ok(file_write(truth, instances, 60, &err));
    assert_status(run(&DATA, &o, NULL, &e, &err), PTQ_FORMAT);
    static const char foreign[] =
        "{\"categories\":[{\"id\":1},{\"id\":2}],\"images\":[{\"id\":7}]}";
    assert_ok(file_write(truth, foreign, strlen(foreign), &err));
    assert_status(run(&DATA, &o, NULL, &e, &err), PTQ_DATA);
    assert_non_null(strstr(err.message, "no image 'images/8.jpg'"));
    o.coco = false; /* only saved: unknown images are called by their stems */
    assert_ok(run(&DATA, &o, NULL, &e, &err));
    evaluation_destroy(e);
    assert_ok(file_read(path, 0, &text, &size, &err));
    assert_non_null(strstr(text, "\"image_id\": 8, \"category_id\": 1,"));
    assert_non_null(strstr(text, "\"image_id\": \"cat\", \"category_id\": 2,"));
    mem_free(text);
    mem_free(truth);
    mem_free(path);
}

/* Expected: YOLOv7's coco80_to_coco91_class(). */
static void coco_yaml_has_coco_ids(void **state)
{
    (void)state;
    ptq_error err;
    dataset d = DATA;
    d.yaml_path = "data/coco.yaml";
    d.n_classes = 80;
    detection dets[] = {{.cls = 0}, {.cls = 11}, {.cls = 25}, {.cls = 67}, {.cls = 79}};
    image_record image = {.n_dets = 5};
    eval_records r = {.images = &image, .n_images = 1, .dets = dets, .n_dets = 5};
    static const char *const ids[] = {"_id\": 1,", "_id\": 13,", "_id\": 28,", "_id\": 77,",
                                      "_id\": 90,"};
    char *path = path_join(dir, "coco.json"), *text;
    size_t size;
    coco_link *l;
    assert_ok(coco_link_open(&d, NULL, false, NULL, &l, &err));
    assert_ok(coco_link_save(l, &r, path, &err));
    assert_ok(file_read(path, 0, &text, &size, &err));
    const char *p = text;
    for (int i = 0; i < 5; i++) {
        p = strstr(p, "\"category");
        assert_non_null(p);
        assert_int_equal(strncmp(p + strlen("\"category"), ids[i], strlen(ids[i])), 0);
        p++;
    }
    coco_link_close(l);
    mem_free(text);
    mem_free(path);
}

static void one_class_swallows_all(void **state)
{
    (void)state;
    ptq_error err;
    evaluation *e;
    evaluator_options o = evaluator_options_default();
    o.single_class = true;
    o.coco = true;
    dataset d = DATA;
    d.n_classes = 1;
    assert_ok(run(&d, &o, NULL, &e, &err));
    assert_int_equal(e->n_classes, 1);
    assert_int_equal(e->classes[0].labels, 4);
    assert_int_equal(e->records.correct[1], 0x3ff);
    assert_float_equal(e->coco.ar100, 0.5, 1e-12); /* two of four labels */
    evaluation_destroy(e);
    o.single_class = false;
    assert_status(run(&d, &o, NULL, &e, &err), PTQ_DATA);
    assert_non_null(strstr(err.message, "predicts 2 classes, the data set has 1"));
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    ptq_error err;
    evaluation *e;
    evaluator_options o = evaluator_options_default();
    o.conf = -1;
    assert_status(run(&DATA, &o, NULL, &e, &err), PTQ_USAGE);
    o = evaluator_options_default();
    o.max_det = 0;
    assert_status(run(&DATA, &o, NULL, &e, &err), PTQ_USAGE);
    o = evaluator_options_default();
    o.save_detections = "/no/such/dir/out.json";
    assert_status(run(&DATA, &o, NULL, &e, &err), PTQ_IO);
    o = evaluator_options_default();
    o.coco = true;
    o.annotations = "/no/such.json";
    assert_status(run(&DATA, &o, NULL, &e, &err), PTQ_IO);
}

static void an_empty_run_is_zero(void **state)
{
    (void)state;
    ptq_error err;
    evaluator *e;
    evaluation *r;
    evaluator_options o = evaluator_options_default();
    o.coco = true;
    assert_ok(evaluator_create(&DATA, &o, NULL, &e, &err));
    assert_ok(evaluator_finish(e, &r, &err));
    assert_int_equal(r->images, 0);
    assert_true(r->map50_95 == 0 && r->coco.ap == -1);
    evaluation_destroy(r);
    evaluator_destroy(e);
}

static int set_up(void **state)
{
    (void)state;
    test_temp_dir(dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_temp_remove(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_pictures_by_hand),
        cmocka_unit_test(labels_stand_in_for_annotations),
        cmocka_unit_test(annotations_give_the_ids),
        cmocka_unit_test(coco_yaml_has_coco_ids),
        cmocka_unit_test(one_class_swallows_all),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(an_empty_run_is_zero),
    };
    return cmocka_run_group_tests_name("evaluator", tests, set_up, tear_down);
}
