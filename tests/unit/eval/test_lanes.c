/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/evaluate.h"
#include "eval/lanes.h"
#include "test.h"
#include "test_broken.h"

static ptq_error err;

enum { N_IMAGES = 18, COLUMNS = 8 };

static const loader_options PICTURES = {
    .image_size = 160, .batch_size = 4, .stride = 32, .pad = 0.5, .rect = true, .threads = 2};

/* A "network" that hands its images on as rows of three classes: [n,3,h,w] -> [n,3hw/8,8]. */
static session *make_network(int64_t n, int64_t side)
{
    graph *g;
    tensor_id in[2], out;
    shape s = shape4(n, 3, side, side);
    const int64_t three = 3, target[] = {0, -1, COLUMNS};
    shape three_values = shape_make(1, &three);
    assert_ok(graph_create(&g, &err));
    assert_ok(graph_add_tensor(g, "images", DTYPE_F32, &s, &in[0], &err));
    assert_ok(graph_add_input(g, in[0], &err));
    assert_ok(graph_add_const_copy(g, "shape", DTYPE_I64, &three_values, target, &in[1], &err));
    assert_ok(graph_add_op(g, GRAPH_OP_RESHAPE, "rows", 2, in, NULL, "output", &out, &err));
    assert_ok(graph_add_output(g, out, &err));
    assert_ok(graph_tidy(g, &err));
    session *made;
    assert_ok(session_create(g, &(session_options){.threads = 2}, &made, &err));
    graph_destroy(g);
    return made;
}

static dataset *open_data(void)
{
    char path[512];
    dataset *d;
    dataset_options options = {.split = "val", .limit = N_IMAGES};
    assert_ok(dataset_open(test_demo("shapes.yaml", path), &options, NULL, &d, &err));
    return d;
}

static evaluator_options judging(void)
{
    evaluator_options o = evaluator_options_default();
    o.single_class = true; /* the network has three, the data have eight */
    o.conf = 0.3f;
    return o;
}

static evaluation *in_batches(const dataset *d, const session *network)
{
    loader *l;
    session_predictor *p;
    evaluation *e;
    evaluator_options o = judging();
    assert_ok(loader_open(d, &PICTURES, NULL, &l, &err));
    assert_ok(session_predictor_create((session *)(uintptr_t)network, &p, &err));
    evaluate_input in = {.data = d, .loader = l, .predict = session_predict, .user = p};
    assert_ok(evaluate(&in, &o, NULL, &e, &err));
    session_predictor_destroy(p);
    loader_close(l);
    return e;
}

static ptq_status in_lanes(const lanes_input *in, const ptq_env *env, evaluation **out)
{
    evaluator_options o = judging();
    return evaluate_in_lanes(in, &o, env, out, &err);
}

static void assert_same(const evaluation *a, const evaluation *b)
{
    const eval_records *x = &a->records, *y = &b->records;
    assert_int_equal(x->n_images, y->n_images);
    assert_int_equal(x->n_dets, y->n_dets);
    assert_int_equal(x->n_truths, y->n_truths);
    for (size_t i = 0; i < x->n_images; i++) {
        assert_int_equal(x->images[i].item, y->images[i].item);
        assert_int_equal(x->images[i].n_dets, y->images[i].n_dets);
    }
    assert_memory_equal(x->dets, y->dets, x->n_dets * sizeof *x->dets);
    assert_memory_equal(x->correct, y->correct, x->n_dets * sizeof *x->correct);
    assert_true(a->map50_95 == b->map50_95);
}

static void lanes_find_what_batches_find(void **state)
{
    (void)state;
    dataset *d = open_data();
    session *network = make_network(-1, -1);
    evaluation *want = in_batches(d, network), *got;
    assert_true(want->records.n_dets > 10 * N_IMAGES);
    static const int threads[] = {1, 2, 5, 40};
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        ptq_env env = {.threads = threads[i]};
        lanes_input in = {.data = d, .pictures = &PICTURES, .network = network};
        assert_ok(in_lanes(&in, &env, &got));
        assert_same(got, want);
        assert_true(got->preprocess_ms > 0 && got->inference_ms > 0 && got->nms_ms > 0);
        evaluation_destroy(got);
    }
    evaluation_destroy(want);
    session_destroy(network);
    dataset_destroy(d);
}

static void only_single_images_fit(void **state)
{
    (void)state;
    static const struct {
        int64_t batch, side;
        bool fits;
    } cases[] = {{-1, -1, true}, {1, 160, true}, {2, 160, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        session *network = make_network(cases[i].batch, cases[i].side);
        assert_int_equal(lanes_fit(network), cases[i].fits);
        session_destroy(network);
    }
}

/* Not that of a later image, though it fails first. */
static void the_first_failure_is_reported(void **state)
{
    (void)state;
    char dir[512], path[600];
    dataset *d = open_data();
    session *network = make_network(-1, -1);
    snprintf(path, sizeof path, "%s/five.png", test_temp_dir(dir));
    test_broken_picture(path);
    char *own[2] = {d->items[5].path, d->items[6].path};
    d->items[5].path = path;
    d->items[6].path = (char *)(uintptr_t) "/no/such/six.jpg";
    loader_options squares = PICTURES;
    squares.rect = false; /* in the order of the data */
    ptq_env env = {.threads = 3};
    evaluation *e;
    assert_status(
        in_lanes(&(lanes_input){.data = d, .pictures = &squares, .network = network}, &env, &e),
        PTQ_DATA);
    assert_non_null(strstr(err.message, "five"));
    d->items[5].path = own[0];
    d->items[6].path = own[1];
    session_destroy(network);
    dataset_destroy(d);
    test_temp_remove(dir);
}

typedef struct watcher {
    volatile int cancel;
    size_t cancel_after, done;
} watcher;

static void watch(void *user, const char *what, size_t done, size_t total)
{
    watcher *w = user;
    (void)what;
    assert_true(done >= w->done && done <= total);
    w->done = done;
    if (done >= w->cancel_after)
        w->cancel = 1;
}

/* The rest is found as if nothing had been stopped. What is kept is not looked for again: with
 * pictures in which the network would find something else, nothing changes once all is kept. */
static void a_stopped_run_goes_on(void **state)
{
    (void)state;
    char dir[512], path[600];
    dataset *d = open_data();
    session *network = make_network(-1, -1);
    evaluation *want = in_batches(d, network), *got;
    snprintf(path, sizeof path, "%s/tape", test_temp_dir(dir));
    lanes_input in = {.data = d, .pictures = &PICTURES, .network = network};

    watcher w = {.cancel_after = 7};
    ptq_env env = {.threads = 2, .progress = watch, .user = &w, .cancel = &w.cancel};
    assert_ok(tape_open(path, NULL, &in.kept, &err));
    assert_status(in_lanes(&in, &env, &got), PTQ_CANCELLED);
    tape_close(in.kept, false);

    for (int round = 0; round < 2; round++) { /* the rest; then nothing is left to do */
        w = (watcher){.cancel_after = SIZE_MAX};
        assert_ok(tape_open(path, NULL, &in.kept, &err));
        assert_true(tape_holds_results(in.kept));
        loader_options pictures = PICTURES;
        pictures.form.is_bytes = round == 1; /* all scores are above 1: other detections */
        in.pictures = &pictures;
        assert_ok(in_lanes(&in, &env, &got));
        assert_int_equal(w.done, N_IMAGES);
        assert_same(got, want);
        evaluation_destroy(got);
        tape_close(in.kept, false);
    }
    evaluation_destroy(want);
    session_destroy(network);
    dataset_destroy(d);
    test_temp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_find_what_batches_find),
        cmocka_unit_test(only_single_images_fit),
        cmocka_unit_test(the_first_failure_is_reported),
        cmocka_unit_test(a_stopped_run_goes_on),
    };
    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
