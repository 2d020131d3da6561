/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/count_pass.h"

#include <limits.h>
#include <string.h>

#include "base/mem.h"
#include "base/strmap.h"
#include "base/threads.h"
#include "data/dataset_picture.h"
#include "engine/session.h"
#include "eval/lanes.h"
#include "eval/pictures.h"
#include "passes/passes.h"
#include "quant/image_pass.h"

enum { IMAGES_PER_LANE = 16, NOWHERE = INT_MAX };

typedef struct lane {
    struct count_pass *pass;
    session *network;
    histogram *own; /* [r->n]; NULL: counts in the histograms of the request */
    histogram_pool *scratch;
    unsigned char *pixels; /* of one picture */
    float *images;         /* [unit,3,size,size] */
    ptq_status status;     /* of the taps of this run */
    ptq_error failure;
} lane;

/* Images are run `unit` at a time. */
struct count_pass {
    count_request in;
    const ptq_env *env;
    strmap *index;     /* tensor name -> item of in.r */
    const char **taps; /* NULL-terminated */
    int input_item;    /* the network's input among the items, or -1 */
    picture_form form;
    session *network; /* what those of the lanes are made from */
    lane lanes[LANES_MOST];
    int n_lanes, unit;
    int first;              /* image that the present run began with */
    int n_batches;          /* before it */
    pthread_mutex_t source; /* of dataset_picture() */
    pthread_mutex_t lock;   /* over all below */
    int next, end;          /* image taken next, and where this run ends */
    int n_ended;            /* images run, for the progress */
    int failed_at;          /* lowest image that failed, or NOWHERE */
    ptq_status status;
    ptq_error failure;
};

static histogram *counts_of(const lane *l, int item)
{
    const count_request *in = &l->pass->in;
    return l->own ? &l->own[item] : in->own ? &in->own[item] : &in->r->items[item].values;
}

static void count(lane *l, int item, const value_rows *rows)
{
    const range_tensor *t = &l->pass->in.r->items[item];
    l->status = histogram_add(counts_of(l, item), l->scratch, rows, &l->failure);
    if (l->status != PTQ_OK)
        error_context(&l->failure, "tensor '%s', read by '%s'", t->name, t->layers[0]);
}

static void watch(void *user, const tap_view *view)
{
    lane *l = user;
    int64_t at;
    if (l->status != PTQ_OK || !strmap_get(l->pass->index, view->name, &at))
        return;
    value_rows rows = image_pass_rows(view);
    if (view->type == DTYPE_F32)
        count(l, (int)at, &rows);
    else
        l->status =
            error_set(&l->failure, PTQ_UNSUPPORTED, "tensor '%s' is not float32", view->name);
}

/* ---------------------------------------------------------------- a lane at work */

static ptq_status read_images(lane *l, int first, int n, ptq_error *err)
{
    count_pass *p = l->pass;
    int size = p->in.r->image_size;
    size_t count = (size_t)3 * (size_t)size * (size_t)size;
    picture_target target = {size, size, size, p->form};
    for (int i = 0; i < n; i++) {
        placement place = {.item = first + i};
        PTQ_TRY(dataset_picture(p->in.data, &p->source, &target, l->pixels, &place, err));
        picture_to_float(l->pixels, count, &p->form, l->images + (size_t)i * count);
    }
    return PTQ_OK;
}

static ptq_status run_images(lane *l, int first, int n, ptq_error *err)
{
    const count_pass *p = l->pass;
    int size = p->in.r->image_size;
    size_t n_values = (size_t)n * 3 * (size_t)size * (size_t)size;
    PTQ_TRY(read_images(l, first, n, err));
    l->status = PTQ_OK;
    if (p->input_item >= 0) /* no node's result: no tap sees it */
        count(l, p->input_item, &(value_rows){l->images, 1, n_values, n_values});
    if (l->status == PTQ_OK) {
        tensor_view input = {l->images, DTYPE_F32, shape4(n, 3, size, size)};
        PTQ_TRY(session_run(l->network, &input, 1, err));
    }
    if (l->status != PTQ_OK && err)
        *err = l->failure;
    return l->status;
}

static bool is_of_this_rank(const count_pass *p, int image)
{
    int number = p->n_batches + (image - p->first) / p->in.batch_size;
    return number % env_n_ranks(p->env) == env_rank(p->env);
}

/* The images that a lane takes next: *n of them, 0: there are none. A cancelled run ends with the
 * batch that it is in. */
static int take_images(count_pass *p, int *n)
{
    pthread_mutex_lock(&p->lock);
    bool is_begun = (p->next - p->first) % p->in.batch_size != 0;
    if (p->status != PTQ_OK && !(p->status == PTQ_CANCELLED && is_begun))
        p->end = p->next;
    int first = p->next, left = p->end - first;
    *n = left < p->unit ? left : p->unit;
    p->next += *n;
    pthread_mutex_unlock(&p->lock);
    return first;
}

/* Called under the lock. NOWHERE is where a run is cancelled. */
static void note_failure(count_pass *p, int image, ptq_status status, const ptq_error *failure)
{
    if (p->status != PTQ_OK && image >= p->failed_at)
        return;
    p->failed_at = image;
    p->status = status;
    p->failure = *failure;
}

static void hand_in(count_pass *p, int first, int n, ptq_status status, const ptq_error *failure)
{
    pthread_mutex_lock(&p->lock);
    p->n_ended += n;
    if (status != PTQ_OK)
        note_failure(p, first, status, failure);
    pthread_mutex_unlock(&p->lock);
}

/* What only the caller's thread does. */
static void report(count_pass *p)
{
    ptq_error failure;
    ptq_status status = env_check_cancel(p->env, &failure);
    pthread_mutex_lock(&p->lock);
    int done = p->n_ended;
    if (status != PTQ_OK)
        note_failure(p, NOWHERE, status, &failure);
    pthread_mutex_unlock(&p->lock);
    env_progress(p->env, "calibrating", (size_t)done, (size_t)p->in.n_images);
}

static void run_lane(void *user, int index)
{
    count_pass *p = user;
    ptq_error failure;
    for (;;) {
        int n;
        if (index == 0)
            report(p);
        int first = take_images(p, &n);
        if (n == 0)
            return;
        bool is_mine = is_of_this_rank(p, first);
        ptq_status status = is_mine ? run_images(&p->lanes[index], first, n, &failure) : PTQ_OK;
        hand_in(p, first, n, status, &failure);
    }
}

/* ---------------------------------------------------------------- a run */

int count_pass_good_number(const count_pass *p)
{
    return p->n_lanes * IMAGES_PER_LANE;
}

/* What the lanes have counted for themselves. */
static ptq_status pool_lanes(count_pass *p, ptq_error *err)
{
    for (int k = 1; k < p->n_lanes; k++)
        for (int i = 0; i < p->in.r->n; i++) {
            histogram *h = &p->lanes[k].own[i];
            if (h->n_values == 0)
                continue;
            PTQ_TRY(histogram_merge(counts_of(&p->lanes[0], i), h, err));
            histogram_clear(h);
            PTQ_TRY(histogram_init(h, false, err));
        }
    return PTQ_OK;
}

ptq_status count_pass_run(count_pass *p, int n, int *n_done, ptq_error *err)
{
    p->first = p->next;
    p->end = p->next + n;
    p->status = PTQ_OK;
    threads_run(p->n_lanes, run_lane, p);
    report(p);
    *n_done = p->next - p->first;
    p->n_batches += (*n_done + p->in.batch_size - 1) / p->in.batch_size;
    if (p->status == PTQ_OK || p->status == PTQ_CANCELLED)
        PTQ_TRY(pool_lanes(p, err));
    if (p->status != PTQ_OK && err)
        *err = p->failure;
    return p->status;
}

/* ---------------------------------------------------------------- life */

static ptq_status list_taps(count_pass *p, ptq_error *err)
{
    const ranges *r = p->in.r;
    tensor_id input = graph_input(p->in.g, 0);
    int n_taps = 0;
    p->index = strmap_create();
    p->taps = mem_array((size_t)r->n + 1, sizeof *p->taps);
    p->input_item = -1;
    for (int i = 0; i < r->n && p->index && p->taps; i++) {
        if (!strmap_put(p->index, r->items[i].name, i))
            return error_no_memory(err, strlen(r->items[i].name), "calibration");
        if (graph_find_tensor(p->in.g, r->items[i].name) == input)
            p->input_item = i;
        else
            p->taps[n_taps++] = r->items[i].name;
    }
    if (!p->index || !p->taps)
        return error_no_memory(err, ((size_t)r->n + 1) * sizeof *p->taps, "calibration");
    return PTQ_OK;
}

static ptq_status open_network(count_pass *p, cpu_level level, ptq_error *err)
{
    graph *lowered;
    int n_taps = 0;
    while (p->taps[n_taps])
        n_taps++;
    PTQ_TRY(graph_copy(p->in.g, &lowered, err));
    ptq_status status =
        pass_lower(lowered, &(lower_options){.precision = PRECISION_FP32, .keep = p->taps}, err);
    session_options options = {
        .threads = env_threads(p->env), .level = level, .taps = p->taps, .n_taps = n_taps};
    if (status == PTQ_OK)
        status = session_create(lowered, &options, &p->network, err);
    graph_destroy(lowered);
    return status;
}

static ptq_status make_own(lane *l, int n, ptq_error *err)
{
    l->own = mem_array((size_t)n, sizeof *l->own);
    if (!l->own)
        return error_no_memory(err, (size_t)n * sizeof *l->own, "calibration");
    for (int i = 0; i < n; i++)
        PTQ_TRY(histogram_init(&l->own[i], false, err));
    return PTQ_OK;
}

static ptq_status open_lane(count_pass *p, int threads, cpu_level level, ptq_error *err)
{
    lane *l = &p->lanes[p->n_lanes];
    size_t n = (size_t)3 * (size_t)p->in.r->image_size * (size_t)p->in.r->image_size;
    l->pass = p;
    if (p->n_lanes++ > 0)
        PTQ_TRY(make_own(l, p->in.r->n, err));
    l->pixels = mem_alloc_aligned(n);
    l->images = mem_alloc_aligned(n * (size_t)p->unit * sizeof *l->images);
    if (!l->pixels || !l->images)
        return error_no_memory(err, n * (size_t)p->unit * sizeof *l->images, "a batch of images");
    PTQ_TRY(histogram_pool_create(threads, level, &l->scratch, err));
    PTQ_TRY(session_create_beside(p->network, threads, &l->network, err));
    session_set_tap(l->network, watch, l);
    return PTQ_OK;
}

static ptq_status open_pass(count_pass *p, ptq_error *err)
{
    cpu_level level;
    int threads = env_threads(p->env), n = threads < LANES_MOST ? threads : LANES_MOST;
    int fixed = image_pass_fixed_batch(p->in.g);
    n = n < p->in.n_images ? n : p->in.n_images;
    n = p->in.r->is_compat || n < 1 ? 1 : n;
    p->unit = p->in.r->is_compat ? p->in.batch_size : fixed ? fixed : 1;
    PTQ_TRY(cpu_level_parse(p->env ? p->env->cpu : NULL, &level, err));
    PTQ_TRY(list_taps(p, err));
    PTQ_TRY(open_network(p, level, err));
    for (int i = 0; i < n; i++)
        PTQ_TRY(open_lane(p, threads / n, level, err));
    return PTQ_OK;
}

ptq_status count_pass_open(const count_request *request, const ptq_env *env, count_pass **out,
                           ptq_error *err)
{
    count_pass *p = mem_zalloc(sizeof *p);
    if (!p)
        return error_no_memory(err, sizeof *p, "calibration");
    p->in = *request;
    p->env = env;
    p->form = pictures_of(request->g);
    pthread_mutex_init(&p->source, NULL);
    pthread_mutex_init(&p->lock, NULL);
    ptq_status status = open_pass(p, err);
    if (status != PTQ_OK) {
        count_pass_close(p);
        return status;
    }
    *out = p;
    return PTQ_OK;
}

static void close_lane(lane *l)
{
    session_destroy(l->network);
    for (int i = 0; l->own && i < l->pass->in.r->n; i++)
        histogram_clear(&l->own[i]);
    mem_free(l->own);
    histogram_pool_destroy(l->scratch);
    mem_free(l->pixels);
    mem_free(l->images);
}

void count_pass_close(count_pass *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->n_lanes; i++)
        close_lane(&p->lanes[i]);
    session_destroy(p->network);
    strmap_destroy(p->index);
    mem_free(p->taps);
    pthread_mutex_destroy(&p->source);
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}
