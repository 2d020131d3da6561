/* SPDX-License-Identifier: Apache-2.0 */
/* A whole evaluation without a network: what the official code detected is fed back as predictions
 * that suppression leaves alone, and matched against the labels of the set. */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "eval/coco_results.h"
#include "eval/evaluator.h"
#include "golden.h"

static char dir[512];

typedef struct recorded {
    dataset *data;
    coco_truth *truth;
    coco_det *dets; /* image by image, in the order of the official run */
    size_t n_dets;
    float *rows; /* of one image */
    int image_size;
} recorded;

static recorded read_recorded(const char *golden, const char *yaml, int image_size)
{
    ptq_error err;
    recorded r = {.image_size = image_size};
    char name[128], path[512];
    dataset_options o = {.split = "val"};
    assert_ok(dataset_open(test_shared(yaml, path), &o, NULL, &r.data, &err));
    assert_ok(coco_truth_read(r.data->annotations, NULL, &r.truth, &err));
    snprintf(name, sizeof name, "%s/predictions.json.gz", golden);
    char *dets = path_join(dir, "predictions.json");
    golden_gunzip(test_shared(name, path), dets);
    assert_ok(coco_results_read(dets, r.truth, NULL, &r.dets, &r.n_dets, &err));
    r.rows = calloc(300 * (5 + (size_t)r.data->n_classes), sizeof *r.rows);
    assert_non_null(r.rows);
    mem_free(dets);
    return r;
}

static void recorded_free(recorded *r)
{
    coco_truth_destroy(r->truth);
    mem_free(r->dets);
    free(r->rows);
    dataset_destroy(r->data);
}

static int item_of_image(const recorded *r, int image)
{
    for (int i = 0; i < r->data->n_items; i++) {
        char *stem = path_stem(r->data->items[i].path);
        bool same = coco_truth_image_named(r->truth, stem) == image;
        mem_free(stem);
        if (same)
            return i;
    }
    fail_msg("image %d is not in the set", image);
    return -1;
}

/* Resized as the official loader does, and not padded. Its two ratios differ a little, and the
 * height's alone maps boxes back: on both sides, but not without effect. */
static placement place_of(const recorded *r, int item)
{
    const image_item *image = &r->data->items[item];
    int longer = image->width > image->height ? image->width : image->height;
    double ratio = (double)r->image_size / longer;
    placement p = {
        .item = item,
        .height0 = image->height,
        .width0 = image->width,
        .height = (int)(image->height * ratio),
        .width = (int)(image->width * ratio),
    };
    p.ratio_h = (double)p.height / p.height0;
    p.ratio_w = (double)p.width / p.width0;
    return p;
}

/* The detections [first, first + n) as rows of the resized image. */
static void add_image(evaluator *e, recorded *r, int item, size_t first, size_t n)
{
    ptq_error err;
    size_t row = 5 + (size_t)r->data->n_classes;
    placement place = place_of(r, item);
    assert_true(n <= 300);
    memset(r->rows, 0, 300 * row * sizeof *r->rows);
    for (size_t i = 0; i < n; i++) {
        const coco_det *d = &r->dets[first + i];
        float *out = r->rows + i * row;
        out[0] = (float)((d->x + d->w / 2) * place.ratio_h);
        out[1] = (float)((d->y + d->h / 2) * place.ratio_h);
        out[2] = (float)(d->w * place.ratio_h);
        out[3] = (float)(d->h * place.ratio_h);
        out[4] = (float)d->score;
        out[5 + d->category] = 1;
    }
    batch b = {.n = 1, .height = place.height, .width = place.width, .places = &place};
    assert_ok(evaluator_add(e, &b, &(predictions){r->rows, (int)n, r->data->n_classes}, &err));
}

static evaluation *evaluate_recorded(recorded *r, const ptq_env *env)
{
    ptq_error err;
    evaluator *e;
    evaluation *result;
    evaluator_options o = evaluator_options_default();
    o.conf = 0;
    o.iou = 1; /* nothing is suppressed */
    o.coco = true;
    assert_ok(evaluator_create(r->data, &o, env, &e, &err));
    bool *is_done = calloc((size_t)r->data->n_items, sizeof *is_done);
    assert_non_null(is_done);
    for (size_t i = 0; i < r->n_dets;) {
        size_t first = i;
        while (i < r->n_dets && r->dets[i].image == r->dets[first].image)
            i++;
        int item = item_of_image(r, r->dets[first].image);
        add_image(e, r, item, first, i - first);
        is_done[item] = true;
    }
    for (int i = 0; i < r->data->n_items; i++)
        if (!is_done[i])
            add_image(e, r, i, 0, 0);
    assert_ok(evaluator_finish(e, &result, &err));
    evaluator_destroy(e);
    free(is_done);
    return result;
}

/* Expected: metrics.json. The recorded scores are rounded to 1e-5, which shuffles a few detections:
 * hence 5e-5. COCO's numbers are made of the rounded values. */
static void check_metrics(const evaluation *e, const char *golden)
{
    char name[128], path[512];
    snprintf(name, sizeof name, "%s/metrics.json", golden);
    json_t *want = golden_json(test_shared(name, path));
    assert_int_equal(e->images, (int)golden_number(want, "images"));
    assert_float_equal(e->precision, golden_number(want, "P"), 1e-4);
    assert_float_equal(e->recall, golden_number(want, "R"), 1e-4);
    assert_float_equal(e->map50, golden_number(want, "mAP50"), 5e-5);
    assert_float_equal(e->map50_95, golden_number(want, "mAP"), 5e-5);
    const double *got = &e->coco.ap;
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "pycocotools12.%d", i);
        assert_float_equal(got[i], golden_number(want, name), 1e-6);
    }
    json_decref(want);
}

/* Expected: the `tp` that the official code gave to ap_per_class, detection by detection. */
static void check_matches(const evaluation *e, const char *golden)
{
    char name[128], path[512];
    npy_array tp;
    snprintf(name, sizeof name, "%s/ap_inputs.npz", golden);
    golden_npz(test_shared(name, path), "tp.npy", &tp);
    assert_int_equal(tp.count, e->records.n_dets * N_OVERLAPS);
    size_t n_different = 0;
    for (size_t i = 0; i < tp.count; i++)
        n_different +=
            ((uint8_t *)tp.data)[i] != (e->records.correct[i / N_OVERLAPS] >> i % N_OVERLAPS & 1);
    assert_true(n_different <= 5);
    npy_clear(&tp);
}

static void official_detections_give_the_official_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *golden, *yaml;
        int image_size;
        bool has_matches;
    } sets[] = {
        {"yolov5n/golden/cocoval", "yolov5n/cocoval/data.yaml", 640, true},
        {"yolov5n/golden/coco128", "yolov5n/coco128/data.yaml", 640, true},
        {"shapes/golden/test320", "shapes/data.yaml", 320, false},
        {"shapes-tiny/golden/test320", "shapes/data.yaml", 320, false},
    };
    for (size_t s = 0; s < 4; s++) {
        recorded r = read_recorded(sets[s].golden, sets[s].yaml, sets[s].image_size);
        evaluation *e = evaluate_recorded(&r, NULL);
        check_metrics(e, sets[s].golden);
        if (sets[s].has_matches)
            check_matches(e, sets[s].golden);
        evaluation_destroy(e);
        recorded_free(&r);
    }
}

static void threads_change_nothing(void **state)
{
    (void)state;
    recorded r = read_recorded("yolov5n/golden/coco128", "yolov5n/coco128/data.yaml", 640);
    ptq_env one = {.threads = 1}, three = {.threads = 3};
    evaluation *a = evaluate_recorded(&r, &one), *b = evaluate_recorded(&r, &three);
    assert_true(a->map50_95 == b->map50_95 && a->precision == b->precision);
    assert_memory_equal(&a->coco, &b->coco, sizeof a->coco);
    assert_memory_equal(a->records.correct, b->records.correct,
                        a->records.n_dets * sizeof *a->records.correct);
    evaluation_destroy(a);
    evaluation_destroy(b);
    recorded_free(&r);
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
        cmocka_unit_test(official_detections_give_the_official_numbers),
        cmocka_unit_test(threads_change_nothing),
    };
    return cmocka_run_group_tests_name("evaluator_recorded", tests, set_up, tear_down);
}
