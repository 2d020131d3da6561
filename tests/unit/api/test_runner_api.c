/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures and tensors of the caller's memory give what the same pictures in files give, on the
 * demo at 96 pixels. */
#include "ptq/ptq.h"
#include "test.h"

#include <pthread.h>

#include "formats/image.h"

static ptq_error err;

enum { SIZE = 96, N_PICTURES = 4 };

static ptq_model *load(void)
{
    char path[512];
    ptq_model *m;
    ptq_load_options o = {.keep_unfused = true}; /* ptq_info() wants it */
    assert_ok(ptq_model_load(test_demo("yolov7-shapes.pt", path), &o, NULL, &m, &err));
    return m;
}

/* The first pictures of the demo's train list, in memory. */
typedef struct album {
    image pictures[N_PICTURES];
    int n_asked;
    bool fails;
    volatile int *cancel; /* set by the first picture */
} album;

static ptq_status give(void *user, int index, ptq_image *out, ptq_error *failure)
{
    album *a = user;
    a->n_asked++;
    if (a->cancel) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL); /* by now the caller waits */
        __atomic_store_n(a->cancel, 1, __ATOMIC_RELAXED);
    }
    if (a->fails) {
        snprintf(failure->message, sizeof failure->message, "the camera is gone");
        return PTQ_IO;
    }
    const image *i = &a->pictures[index];
    *out = (ptq_image){i->pixels, i->width, i->height, 0};
    return PTQ_OK;
}

static album read_album(void)
{
    char list[512], line[256], path[512];
    album a = {0};
    FILE *f = fopen(test_demo("train2017.txt", list), "r");
    assert_non_null(f);
    for (int i = 0; i < N_PICTURES; i++) {
        assert_non_null(fgets(line, sizeof line, f));
        line[strcspn(line, "\r\n")] = '\0';
        const char *name = strncmp(line, "./", 2) == 0 ? line + 2 : line;
        assert_ok(image_read(test_demo(name, path), &a.pictures[i], &err));
    }
    fclose(f);
    return a;
}

static void clear_album(album *a)
{
    for (int i = 0; i < N_PICTURES; i++)
        image_clear(&a->pictures[i]);
}

static ptq_calibrate_options small(void)
{
    ptq_calibrate_options o;
    ptq_calibrate_options_init(&o);
    o.data.image_size = SIZE;
    o.quant.calib_images = N_PICTURES;
    return o;
}

static void calibrating_from_memory_is_calibrating_from_files(void **state)
{
    (void)state;
    char yaml[512];
    album a = read_album();
    ptq_image_source source = {.count = N_PICTURES, .get = give, .user = &a};
    ptq_model *m = load();
    ptq_calibrate_options o = small();
    ptq_result *files, *memory;
    o.data.yaml = test_demo("shapes.yaml", yaml);
    assert_ok(ptq_calibrate(m, &o, NULL, &files, &err));
    o.data.yaml = NULL;
    o.quant.images = &source;
    assert_ok(ptq_calibrate(m, &o, NULL, &memory, &err));
    assert_int_equal(a.n_asked, N_PICTURES);
    for (int i = 0; i < 20; i++) {
        static const char *const METHODS[] = {"max", "percentile", "entropy", "mse"};
        for (int k = 0; k < 4; k++) {
            char key[64];
            double x, y;
            snprintf(key, sizeof key, "tensors.%d.amax.%s", i, METHODS[k]);
            assert_true(ptq_result_number(files, key, &x) && ptq_result_number(memory, key, &y));
            assert_true(x > 0 && x == y);
        }
    }
    assert_non_null(ptq_result_string(memory, "tensors.3.name"));
    assert_null(ptq_result_string(memory, "tensors.3.nothing"));
    assert_null(ptq_result_string(memory, "images")); /* a number */
    ptq_result_destroy(files);
    ptq_result_destroy(memory);
    ptq_model_destroy(m);
    clear_album(&a);
}

static void a_source_that_fails_ends_the_command(void **state)
{
    (void)state;
    album a = {.fails = true};
    ptq_image_source source = {.count = 2, .get = give, .user = &a}, empty = {.get = give};
    ptq_model *m = load();
    ptq_calibrate_options o = small();
    ptq_result *r;
    o.quant.images = &source;
    assert_status(ptq_calibrate(m, &o, NULL, &r, &err), PTQ_IO);
    assert_non_null(strstr(err.message, "image 0 from memory: the camera is gone"));
    o.quant.images = &empty;
    assert_status(ptq_calibrate(m, &o, NULL, &r, &err), PTQ_DATA);
    ptq_model_destroy(m);
}

/* Pictures are asked for by threads of the library, not by the one that made the call. */
static void another_thread_may_cancel(void **state)
{
    (void)state;
    volatile int cancel = 0;
    album a = read_album();
    a.cancel = &cancel;
    ptq_image_source source = {.count = N_PICTURES, .get = give, .user = &a};
    ptq_env env = {.threads = 4, .cancel = &cancel};
    ptq_model *m = load();
    ptq_calibrate_options o = small();
    ptq_result *r = NULL;
    o.quant.images = &source;
    assert_status(ptq_calibrate(m, &o, &env, &r, &err), PTQ_CANCELLED);
    assert_null(r);
    ptq_model_destroy(m);
    clear_album(&a);
}

/* ---------------------------------------------------------------- runner */

typedef struct seen {
    int n_input, n_inner;
    double largest;
    int64_t channels;
} seen;

static void observe(void *user, const ptq_tensor *t)
{
    seen *s = user;
    size_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= (size_t)t->dims[i];
    if (strcmp(t->name, "images") == 0) {
        s->n_input++;
        return;
    }
    s->n_inner++;
    s->channels = t->dims[1];
    for (size_t i = 0; i < n; i++)
        if (fabs((double)t->data[i]) > s->largest)
            s->largest = fabs((double)t->data[i]);
}

static char PICTURE[512];

static ptq_tensor input_of(float *values)
{
    for (int i = 0; i < 3 * SIZE * SIZE; i++)
        values[i] = (float)(i % 251) / 250;
    return (ptq_tensor){.data = values, .dims = {1, 3, SIZE, SIZE}, .rank = 4};
}

static void a_runner_observes_and_answers(void **state)
{
    (void)state;
    static float values[3 * SIZE * SIZE];
    ptq_tensor input = input_of(values), out;
    ptq_model *m = load();
    ptq_info_options info;
    ptq_result *r;
    ptq_info_options_init(&info);
    info.quant = true;
    assert_ok(ptq_info(m, &info, NULL, &r, &err));
    const char *tensor = ptq_result_string(r, "quantizers.1.tensor");
    assert_non_null(tensor);
    seen s = {0};
    ptq_runner_options o = {
        .watch = (const char *[]){"images", tensor, NULL}, .observe = observe, .user = &s};
    ptq_runner *runner;
    assert_ok(ptq_runner_create(m, &o, NULL, &runner, &err));
    assert_status(ptq_runner_output(runner, 0, &out, &err), PTQ_USAGE);
    assert_ok(ptq_runner_run(runner, &input, &err));
    assert_int_equal(s.n_input, 1);
    assert_int_equal(s.n_inner, 1);
    assert_true(s.largest > 0 && s.channels > 0);
    assert_int_equal(ptq_runner_n_outputs(runner), 1);
    assert_ok(ptq_runner_output(runner, 0, &out, &err));
    assert_int_equal(out.rank, 3);
    assert_int_equal(out.dims[1], 3 * (12 * 12 + 6 * 6 + 3 * 3)); /* three levels, 3 anchors */
    assert_int_equal(out.dims[2], 5 + 8);
    assert_status(ptq_runner_output(runner, 1, &out, &err), PTQ_USAGE);
    ptq_tensor flat = {.data = values, .dims = {3, SIZE, SIZE}, .rank = 3};
    assert_int_not_equal(ptq_runner_run(runner, &flat, &err), PTQ_OK);
    ptq_runner_destroy(runner);
    ptq_result_destroy(r);
    ptq_model_destroy(m);
}

static void wrong_wishes_are_told(void **state)
{
    (void)state;
    ptq_model *m = load();
    ptq_runner *runner;
    ptq_runner_options o = {.watch = (const char *[]){"no.such", NULL}, .observe = observe};
    assert_status(ptq_runner_create(m, &o, NULL, &runner, &err), PTQ_USAGE);
    assert_non_null(strstr(err.message, "no tensor is named 'no.such'"));
    o.observe = NULL;
    assert_status(ptq_runner_create(m, &o, NULL, &runner, &err), PTQ_USAGE);
    assert_ok(ptq_runner_create(m, NULL, NULL, &runner, &err));
    ptq_image broken = {NULL, 4, 4, 0}, narrow = {(const unsigned char *)"abc", 4, 1, 3};
    const ptq_detection *found;
    int n;
    assert_status(ptq_runner_detect(runner, &broken, NULL, &found, &n, &err), PTQ_USAGE);
    assert_status(ptq_runner_detect(runner, &narrow, NULL, &found, &n, &err), PTQ_USAGE);
    ptq_runner_destroy(runner);
    assert_string_equal(ptq_model_class(m, 0), "circle"); /* demo/README.md */
    assert_null(ptq_model_class(m, 8));
    assert_null(ptq_model_class(m, -1));
    ptq_model_destroy(m);
}

/* Rows may be longer than the picture; boxes equal those of the command on the file. */
static void a_frame_gives_the_boxes_of_its_file(void **state)
{
    (void)state;
    image i;
    ptq_model *m = load();
    ptq_result *r;
    ptq_runner *runner;
    ptq_detect_options o;
    test_demo("images/val2017/000000000176.jpg", PICTURE);
    ptq_detect_options_init(&o);
    o.images = (const char *[]){PICTURE, NULL};
    o.image_size = 320;
    assert_ok(ptq_detect(m, &o, NULL, &r, &err));
    assert_ok(image_read(PICTURE, &i, &err));
    size_t row = 3 * (size_t)i.width, step = row + 7;
    unsigned char *padded = calloc((size_t)i.height, step);
    assert_non_null(padded);
    for (int y = 0; y < i.height; y++)
        memcpy(padded + (size_t)y * step, i.pixels + (size_t)y * row, row);
    ptq_image frame = {padded, i.width, i.height, step};
    ptq_detect_rules rules = {320, 0.25, 0.45};
    const ptq_detection *found;
    int n;
    assert_ok(ptq_runner_create(m, NULL, NULL, &runner, &err));
    assert_ok(ptq_runner_detect(runner, &frame, &rules, &found, &n, &err));
    assert_int_equal(n, 2); /* a circle and a square, seen by eye */
    for (int k = 0; k < n; k++) {
        char key[64];
        double x1, score;
        snprintf(key, sizeof key, "images.0.detections.%d.box.0", k);
        assert_true(ptq_result_number(r, key, &x1));
        snprintf(key, sizeof key, "images.0.detections.%d.score", k);
        assert_true(ptq_result_number(r, key, &score));
        assert_true((double)found[k].x1 == x1 && (double)found[k].score == score);
    }
    ptq_runner_destroy(runner);
    free(padded);
    image_clear(&i);
    ptq_result_destroy(r);
    ptq_model_destroy(m);
}

/* What one thread of the program does with a model of its own. */
typedef struct camera {
    pthread_t thread;
    ptq_model *model;
    const image *picture;
    ptq_status status;
    ptq_error err;
    int n_found;
    ptq_detection first;
} camera;

static void *watch(void *user)
{
    camera *c = user;
    const ptq_image frame = {c->picture->pixels, c->picture->width, c->picture->height, 0};
    const ptq_detect_rules rules = {320, 0.25, 0.45};
    const ptq_env env = {.threads = 2};
    const ptq_detection *found = NULL;
    ptq_runner *runner = NULL;
    c->status = ptq_runner_create(c->model, NULL, &env, &runner, &c->err);
    for (int i = 0; i < 2 && c->status == PTQ_OK; i++)
        c->status = ptq_runner_detect(runner, &frame, &rules, &found, &c->n_found, &c->err);
    if (c->status == PTQ_OK && c->n_found > 0)
        c->first = found[0];
    ptq_runner_destroy(runner);
    return NULL;
}

static void models_run_beside_each_other(void **state)
{
    (void)state;
    image picture;
    camera cameras[3];
    assert_ok(image_read(test_demo("images/val2017/000000000176.jpg", PICTURE), &picture, &err));
    for (int i = 0; i < 3; i++)
        cameras[i] = (camera){.model = load(), .picture = &picture};
    watch(&cameras[0]);
    for (int i = 1; i < 3; i++)
        assert_int_equal(pthread_create(&cameras[i].thread, NULL, watch, &cameras[i]), 0);
    for (int i = 1; i < 3; i++)
        pthread_join(cameras[i].thread, NULL);
    assert_true(cameras[0].n_found > 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cameras[i].status, PTQ_OK);
        assert_int_equal(cameras[i].n_found, cameras[0].n_found);
        assert_memory_equal(&cameras[i].first, &cameras[0].first, sizeof cameras[0].first);
        ptq_model_destroy(cameras[i].model);
    }
    image_clear(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calibrating_from_memory_is_calibrating_from_files),
        cmocka_unit_test(a_source_that_fails_ends_the_command),
        cmocka_unit_test(another_thread_may_cancel),
        cmocka_unit_test(a_runner_observes_and_answers),
        cmocka_unit_test(wrong_wishes_are_told),
        cmocka_unit_test(a_frame_gives_the_boxes_of_its_file),
        cmocka_unit_test(models_run_beside_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
