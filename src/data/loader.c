/* SPDX-License-Identifier: Apache-2.0 */
#include "data/loader.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>

#include "base/mem.h"
#include "data/batch_plan.h"
#include "data/dataset_picture.h"

enum { MAX_THREADS = 64, MAX_IMAGE_SIZE = 1 << 14, MAX_BATCH_SIZE = 1 << 12, N_AHEAD = 3 };
enum { NOWHERE = INT_MAX };

/* A batch being filled, filled, or kept. Empty: pixels is NULL. */
typedef struct loader_slot {
    unsigned char *pixels; /* [n][3][height][width] */
    placement *places;     /* n */
    int n_done;            /* images in place */
    bool is_kept;          /* for the next epochs */
} loader_slot;

/* Positions count the images in the plan's order; workers take them one by one. */
struct loader {
    const dataset *d;
    const ptq_env *env;
    loader_options options;
    batch_plan plan;
    float *images; /* room for the largest batch */
    batch out;
    int delivered; /* the batch in `out`, or -1 */

    pthread_t threads[MAX_THREADS];
    int n_threads;
    pthread_mutex_t source; /* a caller's images are asked for one at a time */
    pthread_mutex_t lock;   /* over all below */
    pthread_cond_t work;    /* workers wait: something may be taken, or it is time to stop */
    pthread_cond_t done;    /* the caller waits: an image is in place, or a worker fell idle */
    loader_slot *slots;     /* one per batch */
    size_t cached_bytes;
    int current;   /* the batch that the caller takes next; n_batches: the end, + 1: beyond it */
    int next;      /* the position that a worker takes next */
    int n_busy;    /* images being worked on */
    bool stop;     /* no more work, ever */
    int failed_at; /* lowest position that failed, or NOWHERE */
    ptq_status failed_status;
    ptq_error failure;
};

static size_t batch_bytes(const batch_shape *b)
{
    return (size_t)b->n * 3 * (size_t)b->height * (size_t)b->width;
}

static bool is_filled(const loader *l, int b)
{
    return l->slots[b].n_done == l->plan.batches[b].n;
}

static void empty_slot(loader_slot *slot)
{
    mem_free(slot->pixels);
    mem_free(slot->places);
    *slot = (loader_slot){0};
}

/* Positions fail in any order, but all before a failed one were taken before it: once no worker is
 * busy the lowest is known. */
static void note_failure(loader *l, int position, ptq_status status, const ptq_error *failure)
{
    if (position >= l->failed_at)
        return;
    l->failed_at = position;
    l->failed_status = status;
    l->failure = *failure;
}

static ptq_status ready_slot(loader *l, int b)
{
    const batch_shape *shape = &l->plan.batches[b];
    loader_slot *slot = &l->slots[b];
    if (slot->pixels)
        return PTQ_OK;
    slot->pixels = mem_alloc_aligned(batch_bytes(shape));
    slot->places = mem_array((size_t)shape->n, sizeof *slot->places);
    if (slot->pixels && slot->places)
        return PTQ_OK;
    empty_slot(slot);
    ptq_error failure;
    ptq_status status = error_no_memory(&failure, batch_bytes(shape), "a batch of images");
    note_failure(l, l->next, status, &failure);
    return status;
}

/* Waits for an image to work on; -1 when there will be none. Called under the lock. */
static int take_position(loader *l)
{
    for (;;) {
        int b = l->next / l->options.batch_size;
        bool may_take = l->next < l->plan.n_images && b < l->current + N_AHEAD;
        if (l->stop)
            return -1;
        if (!may_take || l->failed_at != NOWHERE) {
            pthread_cond_wait(&l->work, &l->lock);
        } else if (is_filled(l, b)) { /* kept from an earlier epoch */
            l->next = l->plan.batches[b].first + l->plan.batches[b].n;
        } else if (ready_slot(l, b) == PTQ_OK) {
            l->n_busy++;
            return l->next++;
        } else {
            pthread_cond_signal(&l->done);
        }
    }
}

static ptq_status load_position(loader *l, int position, const batch_shape *shape,
                                const loader_slot *slot, ptq_error *err)
{
    int item = l->plan.order[position], at = position - shape->first;
    size_t image_bytes = batch_bytes(shape) / (size_t)shape->n;
    picture_target target = {l->options.image_size, shape->height, shape->width, l->options.form};
    unsigned char *planes = slot->pixels + (size_t)at * image_bytes;
    slot->places[at].item = item;
    return dataset_picture(l->d, &l->source, &target, planes, &slot->places[at], err);
}

static void *work(void *user)
{
    loader *l = user;
    ptq_error failure;
    pthread_mutex_lock(&l->lock);
    for (int position = take_position(l); position >= 0; position = take_position(l)) {
        int b = position / l->options.batch_size;
        loader_slot *slot = &l->slots[b], filling = *slot;
        pthread_mutex_unlock(&l->lock);
        ptq_status status = load_position(l, position, &l->plan.batches[b], &filling, &failure);
        pthread_mutex_lock(&l->lock);
        l->n_busy--;
        if (status == PTQ_OK)
            slot->n_done++;
        else
            note_failure(l, position, status, &failure);
        pthread_cond_signal(&l->done);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static ptq_status check_options(const loader_options *o, ptq_error *err)
{
    if (o->image_size < 1 || o->image_size > MAX_IMAGE_SIZE)
        return error_set(err, PTQ_USAGE, "an image size of %d is not possible", o->image_size);
    if (o->batch_size < 1 || o->batch_size > MAX_BATCH_SIZE)
        return error_set(err, PTQ_USAGE, "a batch size of %d is not possible", o->batch_size);
    if (o->rect && (o->stride < 1 || o->stride > MAX_IMAGE_SIZE))
        return error_set(err, PTQ_USAGE, "a stride of %d is not possible", o->stride);
    if (o->rect && !(o->pad >= 0 && o->pad <= 16))
        return error_set(err, PTQ_USAGE, "a padding of %g strides is not possible", o->pad);
    return PTQ_OK;
}

static ptq_status alloc_buffers(loader *l, ptq_error *err)
{
    size_t most = 0;
    for (int b = 0; b < l->plan.n_batches; b++) {
        size_t bytes = batch_bytes(&l->plan.batches[b]);
        most = bytes > most ? bytes : most;
    }
    l->slots = mem_array((size_t)l->plan.n_batches, sizeof *l->slots);
    l->images = mem_alloc_aligned(most * sizeof *l->images);
    if (!l->slots || !l->images)
        return error_no_memory(err, most * sizeof *l->images, "a batch of images");
    return PTQ_OK;
}

/* Workers take no signals: an interrupt belongs to the caller's thread. */
static ptq_status start_threads(loader *l, ptq_error *err)
{
    sigset_t all, before;
    int wanted = l->options.threads < 1             ? 1
                 : l->options.threads > MAX_THREADS ? MAX_THREADS
                                                    : l->options.threads;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (l->n_threads < wanted && pthread_create(&l->threads[l->n_threads], NULL, work, l) == 0)
        l->n_threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return l->n_threads ? PTQ_OK : error_set(err, PTQ_LIMIT, "no thread could be started");
}

ptq_status loader_open(const dataset *d, const loader_options *options, const ptq_env *env,
                       loader **out, ptq_error *err)
{
    PTQ_TRY(check_options(options, err));
    loader *l = mem_zalloc(sizeof *l);
    if (!l)
        return error_no_memory(err, sizeof *l, "a loader");
    l->d = d;
    l->env = env;
    l->options = *options;
    l->delivered = -1;
    l->failed_at = NOWHERE;
    pthread_mutex_init(&l->source, NULL);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->done, NULL);
    ptq_status status = batch_plan_make(d, options, &l->plan, err);
    if (status == PTQ_OK)
        status = alloc_buffers(l, err);
    if (status == PTQ_OK)
        status = start_threads(l, err);
    if (status == PTQ_OK)
        *out = l;
    else
        loader_close(l);
    return status;
}

void loader_close(loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_threads; i++)
        pthread_join(l->threads[i], NULL);
    for (int b = 0; l->slots && b < l->plan.n_batches; b++)
        empty_slot(&l->slots[b]);
    pthread_cond_destroy(&l->done);
    pthread_cond_destroy(&l->work);
    pthread_mutex_destroy(&l->source);
    pthread_mutex_destroy(&l->lock);
    batch_plan_clear(&l->plan);
    mem_free(l->slots);
    mem_free(l->images);
    mem_free(l);
}

int loader_n_batches(const loader *l)
{
    return l->plan.n_batches;
}

/* The batch handed out last is no longer looked at. Called under the lock, as the next two. */
static void release_delivered(loader *l)
{
    if (l->delivered >= 0 && !l->slots[l->delivered].is_kept)
        empty_slot(&l->slots[l->delivered]);
    l->delivered = -1;
}

static void start_again(loader *l)
{
    l->next = l->plan.n_images; /* nothing more is taken */
    while (l->n_busy > 0)
        pthread_cond_wait(&l->done, &l->lock);
    for (int b = 0; b < l->plan.n_batches; b++)
        if (!l->slots[b].is_kept)
            empty_slot(&l->slots[b]);
    l->delivered = -1;
    l->current = l->next = 0;
    l->failed_at = NOWHERE;
    pthread_cond_broadcast(&l->work);
}

/* Waits until the current batch is filled, or until it is sure that it never will be. */
static ptq_status wait_for_current(loader *l, ptq_error *err)
{
    while (!is_filled(l, l->current) && (l->failed_at == NOWHERE || l->n_busy > 0))
        pthread_cond_wait(&l->done, &l->lock);
    if (is_filled(l, l->current))
        return PTQ_OK;
    if (err)
        *err = l->failure;
    return l->failed_status;
}

static void keep_if_wanted(loader *l, int b)
{
    size_t bytes = batch_bytes(&l->plan.batches[b]);
    if (!l->options.cache || l->slots[b].is_kept || l->cached_bytes + bytes > LOADER_CACHE_BYTES)
        return;
    l->slots[b].is_kept = true;
    l->cached_bytes += bytes;
}

/* Takes the current batch out of the workers' sight; -1 in *taken at the end. */
static ptq_status take_batch(loader *l, int *taken, ptq_error *err)
{
    release_delivered(l);
    if (l->current > l->plan.n_batches)
        start_again(l);
    if (l->current == l->plan.n_batches) {
        l->current++;
        *taken = -1;
        return PTQ_OK;
    }
    PTQ_TRY(wait_for_current(l, err));
    keep_if_wanted(l, l->current);
    *taken = l->delivered = l->current++;
    pthread_cond_broadcast(&l->work);
    return PTQ_OK;
}

ptq_status loader_next(loader *l, const batch **out, ptq_error *err)
{
    int b = -1;
    PTQ_TRY(env_check_cancel(l->env, err));
    pthread_mutex_lock(&l->lock);
    ptq_status status = take_batch(l, &b, err);
    pthread_mutex_unlock(&l->lock);
    PTQ_TRY(status);
    PTQ_TRY(env_check_cancel(l->env, err)); /* while it waited */
    if (b < 0) {
        *out = NULL;
        return PTQ_OK;
    }
    const batch_shape *shape = &l->plan.batches[b];
    picture_to_float(l->slots[b].pixels, batch_bytes(shape), &l->options.form, l->images);
    l->out = (batch){shape->n, shape->height, shape->width, l->images, l->slots[b].places};
    *out = &l->out;
    return PTQ_OK;
}

ptq_status loader_rewind(loader *l, ptq_error *err)
{
    PTQ_TRY(env_check_cancel(l->env, err));
    pthread_mutex_lock(&l->lock);
    start_again(l);
    pthread_mutex_unlock(&l->lock);
    return PTQ_OK;
}
