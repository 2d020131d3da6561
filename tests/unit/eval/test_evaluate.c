/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/file.h"
#include "eval/evaluate.h"

/* A network that sees the labels: its boxes are where the labels lie in the letterboxed input. */
typedef struct oracle {
    const dataset *data;
    float *rows;
    int n_calls;
    int fail_at;
    volatile int *cancel;
} oracle;

enum { MAX_ROWS = 64 };

static ptq_status predict(void *user, const batch *b, predictions *out, ptq_error *err)
{
    oracle *o = user;
    size_t row = 5 + (size_t)o->data->n_classes;
    if (++o->n_calls == o->fail_at)
        return error_set(err, PTQ_INTERNAL, "the oracle is silent");
    if (o->cancel)
        *o->cancel = 1;
    memset(o->rows, 0, 4 * MAX_ROWS * row * sizeof *o->rows);
    for (int i = 0; i < b->n; i++) {
        const placement *place = &b->places[i];
        const image_item *item = &o->data->items[place->item];
        assert_true(item->n_labels <= MAX_ROWS);
        for (int k = 0; k < item->n_labels; k++) {
            float *r = o->rows + ((size_t)i * MAX_ROWS + (size_t)k) * row;
            const label *l = &item->labels[k];
            r[0] = (float)(l->x * (float)place->width + place->pad_x);
            r[1] = (float)(l->y * (float)place->height + place->pad_y);
            r[2] = l->w * (float)place->width;
            r[3] = l->h * (float)place->height;
            r[4] = 1;
            r[5 + l->cls] = 0.9f;
        }
    }
    *out = (predictions){o->rows, MAX_ROWS, o->data->n_classes};
    return PTQ_OK;
}

static void count_progress(void *user, const char *what, size_t done, size_t total)
{
    (void)what;
    assert_true(done <= total);
    *(size_t *)user = done;
}

static ptq_status run(oracle *o, bool rect, const ptq_env *env, evaluation **out, ptq_error *err)
{
    loader *l;
    loader_options options = {
        .image_size = 320, .batch_size = 4, .stride = 32, .pad = 0.5, .rect = rect};
    evaluator_options e = evaluator_options_default();
    e.coco = true;
    e.iou = 1; /* the labels may overlap */
    PTQ_TRY(loader_open(o->data, &options, env, &l, err));
    evaluate_input in = {.data = o->data, .loader = l, .predict = predict, .user = o};
    ptq_status status = evaluate(&in, &e, env, out, err);
    loader_close(l);
    return status;
}

static oracle make_oracle(void)
{
    ptq_error err;
    char path[512];
    dataset *d;
    dataset_options options = {.split = "val", .limit = 18};
    assert_ok(dataset_open(test_demo("shapes.yaml", path), &options, NULL, &d, &err));
    oracle o = {.data = d,
                .rows = calloc(4 * MAX_ROWS * (5 + (size_t)d->n_classes), sizeof(float))};
    assert_non_null(o.rows);
    return o;
}

static void oracle_free(oracle *o)
{
    dataset_destroy((dataset *)(uintptr_t)o->data);
    free(o->rows);
}

/* Every label found and nothing else said: precision and recall are 1 everywhere. At 320 the demo's
 * pictures keep their size, so that the one ratio that maps boxes back is exact. */
static void who_sees_the_labels_is_right(void **state)
{
    (void)state;
    ptq_error err;
    oracle o = make_oracle();
    for (int rect = 0; rect < 2; rect++) {
        size_t done = 0;
        ptq_env env = {.progress = count_progress, .user = &done};
        evaluation *e;
        assert_ok(run(&o, rect, &env, &e, &err));
        assert_int_equal(e->images, 18);
        assert_int_equal(done, 18);
        assert_int_equal(e->labels, o.data->n_labels);
        assert_int_equal(e->records.n_dets, o.data->n_labels);
        assert_float_equal(e->map50, 1, 1e-12);
        assert_float_equal(e->map50_95, 1, 1e-12);
        assert_false(e->coco_from_labels);
        assert_float_equal(e->coco.ap, 1, 1e-12);
        assert_true(e->inference_ms >= 0 && e->nms_ms > 0 && e->preprocess_ms > 0);
        evaluation_destroy(e);
    }
    oracle_free(&o);
}

static void failures_and_cancelling_end_it(void **state)
{
    (void)state;
    ptq_error err;
    evaluation *e;
    oracle o = make_oracle();
    o.fail_at = 3;
    assert_status(run(&o, true, NULL, &e, &err), PTQ_INTERNAL);
    assert_int_equal(o.n_calls, 3);
    volatile int cancel = 0;
    ptq_env env = {.cancel = &cancel};
    o = (oracle){.data = o.data, .rows = o.rows, .cancel = &cancel};
    assert_status(run(&o, true, &env, &e, &err), PTQ_CANCELLED);
    assert_int_equal(o.n_calls, 1);
    oracle_free(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_sees_the_labels_is_right),
        cmocka_unit_test(failures_and_cancelling_end_it),
    };
    return cmocka_run_group_tests_name("evaluate", tests, NULL, NULL);
}
