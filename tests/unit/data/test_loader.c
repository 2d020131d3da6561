/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/file.h"
#include "base/mem.h"
#include "data/loader.h"

enum { SIZE = 96 };

static dataset *open_demo(dataset_options options)
{
    ptq_error err;
    char path[512];
    dataset *d;
    options.split = "val";
    assert_ok(dataset_open(test_demo("shapes.yaml", path), &options, NULL, &d, &err));
    return d;
}

static loader *open_loader(const dataset *d, loader_options options)
{
    ptq_error err;
    loader *l;
    options.image_size = options.image_size ? options.image_size : SIZE;
    options.stride = 32;
    options.pad = 0.5;
    assert_ok(loader_open(d, &options, NULL, &l, &err));
    return l;
}

static void assert_same_place(const placement *a, const placement *b)
{
    assert_int_equal(a->item, b->item);
    assert_true(a->height0 == b->height0 && a->width0 == b->width0);
    assert_true(a->height == b->height && a->width == b->width);
    assert_true(a->ratio_h == b->ratio_h && a->ratio_w == b->ratio_w);
    assert_true(a->pad_x == b->pad_x && a->pad_y == b->pad_y);
}

/* Each image of the batch equals the one loaded alone. */
static void assert_batch(const dataset *d, const batch *b, int size)
{
    ptq_error err;
    size_t n = 3 * (size_t)b->height * (size_t)b->width;
    unsigned char *planes = malloc(n);
    float *values = malloc(n * sizeof *values);
    assert_true(planes && values);
    for (int i = 0; i < b->n; i++) {
        placement want = {.item = b->places[i].item};
        picture_target target = {.size = size, .height = b->height, .width = b->width};
        assert_ok(picture_load(d->items[want.item].path, &target, planes, &want, &err));
        picture_to_float(planes, n, &(picture_form){0}, values);
        assert_memory_equal(b->images + (size_t)i * n, values, n * sizeof *values);
        assert_same_place(&b->places[i], &want);
    }
    free(planes);
    free(values);
}

/* One epoch; its images in order of delivery go into `items`. Returns how many. */
static int run_epoch(loader *l, const dataset *d, int *items)
{
    ptq_error err;
    const batch *b;
    int n = 0, n_batches = 0;
    for (;;) {
        assert_ok(loader_next(l, &b, &err));
        if (!b)
            break;
        assert_batch(d, b, SIZE);
        for (int i = 0; i < b->n; i++)
            items[n++] = b->places[i].item;
        n_batches++;
    }
    assert_int_equal(n_batches, loader_n_batches(l));
    return n;
}

static void check_epochs(const dataset *d, loader_options options)
{
    int first[128], again[128];
    loader *l = open_loader(d, options);
    int n = run_epoch(l, d, first);
    assert_int_equal(n, d->n_items);
    for (int epoch = 0; epoch < 2; epoch++) {
        assert_int_equal(run_epoch(l, d, again), n);
        assert_memory_equal(first, again, (size_t)n * sizeof *first);
    }
    for (int i = 0; !options.rect && i < n; i++)
        assert_int_equal(first[i], i);
    loader_close(l);
}

static void every_batch_is_what_was_asked_for(void **state)
{
    (void)state;
    dataset *d = open_demo((dataset_options){.limit = 22});
    check_epochs(d, (loader_options){.batch_size = 4});
    check_epochs(d, (loader_options){.batch_size = 4, .threads = 3, .cache = true});
    check_epochs(d, (loader_options){.batch_size = 5, .threads = 4, .rect = true});
    check_epochs(d, (loader_options){.batch_size = 100, .threads = 2});
    check_epochs(d, (loader_options){.batch_size = 1, .threads = 9, .cache = true, .rect = true});
    dataset_destroy(d);
}

static void stopping_and_rewinding_work_anywhere(void **state)
{
    (void)state;
    ptq_error err;
    const batch *b;
    dataset *d = open_demo((dataset_options){.limit = 12});
    for (int stop = 0; stop < 7; stop++)
        for (int cache = 0; cache < 2; cache++) {
            int items[16];
            loader *l = open_loader(
                d, (loader_options){.batch_size = 2, .threads = 3, .cache = cache != 0});
            for (int i = 0; i < stop; i++)
                assert_ok(loader_next(l, &b, &err));
            assert_ok(loader_rewind(l, &err));
            if (stop % 2)
                assert_int_equal(run_epoch(l, d, items), 12);
            loader_close(l);
        }
    dataset_destroy(d);
    loader_close(NULL);
}

static void failures_come_in_order(void **state)
{
    (void)state;
    ptq_error err;
    const batch *b;
    char dir[512];
    char *broken = path_join(test_temp_dir(dir), "broken.jpg");
    assert_ok(file_write(broken, "\xff\xd8\xff", 3, &err));
    for (int threads = 1; threads < 5; threads++) {
        dataset *d = open_demo((dataset_options){.limit = 12});
        char *healthy = d->items[7].path;
        d->items[7].path = d->items[9].path = broken;
        loader *l = open_loader(d, (loader_options){.batch_size = 3, .threads = threads});
        for (int i = 0; i < 2; i++)
            assert_ok(loader_next(l, &b, &err));
        assert_batch(d, b, SIZE);
        for (int i = 0; i < 2; i++) {
            assert_status(loader_next(l, &b, &err), PTQ_DATA);
            assert_non_null(strstr(err.message, broken));
        }
        assert_ok(loader_rewind(l, &err));
        assert_ok(loader_next(l, &b, &err));
        assert_batch(d, b, SIZE);
        /* With the first one mended, the second one fails a batch later. */
        loader_close(l);
        d->items[7].path = healthy;
        l = open_loader(d, (loader_options){.batch_size = 3, .threads = threads});
        for (int i = 0; i < 3; i++)
            assert_ok(loader_next(l, &b, &err));
        assert_status(loader_next(l, &b, &err), PTQ_DATA);
        loader_close(l);
        dataset_destroy(d);
    }
    mem_free(broken);
    test_temp_remove(dir);
}

static void cancelling_stops(void **state)
{
    (void)state;
    ptq_error err;
    const batch *b;
    int stop = 0;
    ptq_env env = {.cancel = &stop};
    dataset *d = open_demo((dataset_options){.limit = 4});
    loader *l;
    loader_options options = {.image_size = SIZE, .batch_size = 2};
    assert_ok(loader_open(d, &options, &env, &l, &err));
    assert_ok(loader_next(l, &b, &err));
    stop = 1;
    assert_status(loader_next(l, &b, &err), PTQ_CANCELLED);
    stop = 0;
    assert_ok(loader_next(l, &b, &err));
    assert_int_equal(b->places[0].item, 2);
    loader_close(l);
    dataset_destroy(d);
}

static void a_cached_epoch_reads_no_file(void **state)
{
    (void)state;
    ptq_error err;
    const batch *b;
    char nowhere[] = "/no/such/picture.jpg";
    dataset *d = open_demo((dataset_options){.limit = 6});
    loader *l = open_loader(d, (loader_options){.batch_size = 2, .cache = true});
    do
        assert_ok(loader_next(l, &b, &err));
    while (b);
    for (int i = 0; i < 6; i++)
        d->items[i].path = nowhere;
    for (int i = 0; i < 3; i++) {
        assert_ok(loader_next(l, &b, &err));
        assert_int_equal(b->places[1].item, 2 * i + 1);
    }
    loader_close(l);
    dataset_destroy(d);
}

static void impossible_options_are_refused(void **state)
{
    (void)state;
    static const loader_options bad[] = {
        {.image_size = 0, .batch_size = 1},
        {.image_size = 1 << 20, .batch_size = 1},
        {.image_size = 64, .batch_size = 0},
        {.image_size = 64, .batch_size = 1, .rect = true, .stride = 0},
        {.image_size = 64, .batch_size = 1, .rect = true, .stride = 32, .pad = -1},
        {.image_size = 64, .batch_size = 1, .rect = true, .stride = 32, .pad = NAN},
    };
    ptq_error err;
    dataset *d = open_demo((dataset_options){.limit = 1});
    loader *l;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_status(loader_open(d, &bad[i], NULL, &l, &err), PTQ_USAGE);
    dataset_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_batch_is_what_was_asked_for),
        cmocka_unit_test(stopping_and_rewinding_work_anywhere),
        cmocka_unit_test(failures_come_in_order),
        cmocka_unit_test(cancelling_stops),
        cmocka_unit_test(a_cached_epoch_reads_no_file),
        cmocka_unit_test(impossible_options_are_refused),
    };
    return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
