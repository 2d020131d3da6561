/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/calibrate.h"

#include <string.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/strmap.h"
#include "quant/calibration_state.h"
#include "quant/count_pass.h"
#include "quant/coverage.h"
#include "quant/draw.h"
#include "quant/image_pass.h"

typedef struct collector {
    const ptq_env *env;
    ranges *r;
    strmap *index; /* tensor name -> item of r */
    coverage seen;
    calibration_state state;
    double keep_at_ms; /* when what was counted is kept next */
    histogram *own;    /* per item: what this rank has counted; NULL when it counts alone */
} collector;

void calibrate_options_init(calibrate_options *o)
{
    *o = (calibrate_options){.percentile = 99.99, .image_size = 640, .batch_size = 4};
}

/* ---------------------------------------------------------------- which tensors */

/* The item of a tensor, made when it is new. */
static ptq_status watch_tensor(collector *c, const graph *g, tensor_id id, range_tensor **out,
                               ptq_error *err)
{
    const char *name = graph_tensor_const(g, id)->name;
    int64_t at;
    if (strmap_get(c->index, name, &at)) {
        *out = &c->r->items[at];
        return PTQ_OK;
    }
    at = c->r->n++;
    range_tensor *t = *out = &c->r->items[at];
    t->name = mem_strdup(name);
    t->has_histogram = true;
    if (!t->name || !strmap_put(c->index, name, at))
        return error_no_memory(err, strlen(name), "calibration");
    return histogram_init(&t->values, c->r->is_compat, err);
}

/* A tensor that no quantized layer reads is listed with the nodes that read it. */
static ptq_status watch_codes(collector *c, const graph *g, const code_tensor *code, ptq_error *err)
{
    enum { MAX_READERS = 16 };
    node_id readers[MAX_READERS];
    range_tensor *t;
    PTQ_TRY(watch_tensor(c, g, code->tensor, &t, err));
    if (t->n_layers > 0)
        return PTQ_OK;
    int n = graph_consumers(g, code->tensor, readers, MAX_READERS);
    for (int i = 0; i < n && i < MAX_READERS; i++)
        PTQ_TRY(range_tensor_add_layer(t, graph_node_const(g, readers[i])->name, err));
    return PTQ_OK;
}

/* Numbers the tensors to watch, each once; layers are listed in execution order. */
static ptq_status list_tensors(collector *c, const calibrate_job *job, ptq_error *err)
{
    c->r->n = 0;
    for (int i = 0; i < job->points->n; i++) {
        const quant_point *p = &job->points->items[i];
        range_tensor *t;
        PTQ_TRY(watch_tensor(c, job->g, p->tensor, &t, err));
        PTQ_TRY(range_tensor_add_layer(t, p->layer, err));
    }
    for (int i = 0; job->codes && i < job->codes->n; i++)
        if (job->codes->items[i].is_source)
            PTQ_TRY(watch_codes(c, job->g, &job->codes->items[i], err));
    return PTQ_OK;
}

/* ---------------------------------------------------------------- several ranks */

static ptq_status begin_sharing(collector *c, ptq_error *err)
{
    if (env_n_ranks(c->env) == 1)
        return PTQ_OK;
    if (c->r->is_compat)
        return error_set(err, PTQ_USAGE,
                         "bins as pytorch-quantization grows them depend on the order of the "
                         "images; calibrate with one rank, or without compat");
    c->own = mem_array((size_t)c->r->n, sizeof *c->own);
    if (!c->own)
        return error_no_memory(err, (size_t)c->r->n * sizeof *c->own, "calibration");
    for (int i = 0; i < c->r->n; i++)
        PTQ_TRY(histogram_init(&c->own[i], false, err));
    return PTQ_OK;
}

static ptq_status pool_counts(const collector *c, histogram_bytes *mine, histogram_bytes *all,
                              ptq_error *err)
{
    for (int i = 0; i < c->r->n; i++) {
        histogram *h = &c->r->items[i].values;
        histogram_pack(&c->own[i], mine);
        PTQ_TRY(env_gather(c->env, mine, sizeof *mine, all, err));
        histogram_clear(h);
        PTQ_TRY(histogram_init(h, false, err));
        for (int rank = 0; rank < env_n_ranks(c->env); rank++)
            if (all[rank].n_values > 0)
                PTQ_TRY(histogram_merge_packed(h, &all[rank], err));
    }
    return PTQ_OK;
}

/* The ranges' histograms become those of all ranks together. */
static ptq_status share_counts(const collector *c, ptq_error *err)
{
    if (!c->own)
        return PTQ_OK;
    histogram_bytes *mine = mem_array(1, sizeof *mine);
    histogram_bytes *all = mem_array((size_t)env_n_ranks(c->env), sizeof *all);
    ptq_status st = mine && all ? pool_counts(c, mine, all, err)
                                : error_no_memory(err, sizeof *all, "calibration");
    mem_free(mine);
    mem_free(all);
    return st;
}

/* ---------------------------------------------------------------- what is kept */

/* What takes less is begun anew; and keeping may take this share of the time. */
#define LEAST_KEPT_MS 1000
#define KEEPING_SHARE 0.02

static bool keep_counts(collector *c)
{
    ptq_error why;
    double start = clock_ms();
    if (!c->state.path || c->seen.seen == 0)
        return false;
    if (calibration_state_write(&c->state, &c->seen, &why) != PTQ_OK) {
        env_log(c->env, PTQ_LOG_WARNING, "%s", why.message);
        c->state.path = NULL;
        return false;
    }
    double end = clock_ms(), pause = (end - start) / KEEPING_SHARE;
    c->keep_at_ms = end + (pause > LEAST_KEPT_MS ? pause : LEAST_KEPT_MS);
    return true;
}

/* `err` stays that of the stop. */
static void keep_at_stop(collector *c, int n)
{
    if (keep_counts(c))
        env_log(c->env, PTQ_LOG_WARNING,
                "stopped after %d of %d calibration images; the same command goes on from '%s'",
                c->seen.seen, n, c->state.path);
}

/* ---------------------------------------------------------------- images */

/* Fisher-Yates from the front: the first n items are a fair draw. */
static void draw_images(dataset *d, int n, uint64_t seed)
{
    for (int i = 0; i < n; i++) {
        int other = i + draw_below(&seed, d->n_items - i);
        image_item item = d->items[i];
        d->items[i] = d->items[other];
        d->items[other] = item;
    }
}

static int choose_batch(const graph *g, const calibrate_options *o, const ptq_env *env)
{
    int wanted = o->batch_size > 0 ? o->batch_size : 1;
    int fixed = image_pass_fixed_batch(g);
    if (fixed == 0 || fixed == wanted)
        return wanted;
    if (o->is_compat)
        env_log(env, PTQ_LOG_WARNING,
                "the model takes %d images at a time: bins grow by batches of %d instead of %d",
                fixed, fixed, wanted);
    return fixed;
}

/* ---------------------------------------------------------------- the pass */

static ptq_status prepare(collector *c, const calibrate_job *job, const calibrate_options *o,
                          ptq_error *err)
{
    int most = job->points->n + (job->codes ? job->codes->n : 0);
    PTQ_TRY(ranges_create(most, o->is_compat, &c->r, err));
    c->r->image_size = o->image_size;
    c->index = strmap_create();
    if (!c->index)
        return error_no_memory(err, (size_t)most, "calibration");
    return list_tensors(c, job, err);
}

/* How many images are counted at once: whole batches, until the ranges are looked at. */
static int next_images(const collector *c, const count_pass *p, int left, int batch_size)
{
    int most = count_pass_good_number(p), n = 0;
    do
        n += batch_size < left - n ? batch_size : left - n;
    while (n < left && n < most && !coverage_is_due(&c->seen, n));
    return n;
}

static ptq_status add_images(collector *c, int n, ptq_error *err)
{
    if (n == 0)
        return PTQ_OK;
    if (coverage_is_due(&c->seen, n))
        PTQ_TRY(share_counts(c, err));
    PTQ_TRY(coverage_add(&c->seen, n, err));
    if (clock_ms() >= c->keep_at_ms)
        keep_counts(c);
    return PTQ_OK;
}

/* What a cancelled run has counted counts. */
static ptq_status count_some(collector *c, count_pass *p, int wanted, int *n_done, ptq_error *err)
{
    ptq_status status = count_pass_run(p, wanted, n_done, err);
    ptq_error failure;
    if (status != PTQ_OK && status != PTQ_CANCELLED)
        return status;
    ptq_status added = add_images(c, *n_done, &failure);
    if (added == PTQ_OK)
        return status;
    if (err)
        *err = failure;
    return added;
}

static ptq_status count_all(collector *c, const count_request *request, ptq_error *err)
{
    count_pass *p;
    ptq_status status = PTQ_OK;
    PTQ_TRY(count_pass_open(request, c->env, &p, err));
    for (int left = request->n_images, n; left > 0 && status == PTQ_OK; left -= n)
        status = count_some(c, p, next_images(c, p, left, request->batch_size), &n, err);
    count_pass_close(p);
    return status;
}

/* Runs the images that are not counted yet. */
static ptq_status run_pass(collector *c, const calibrate_job *job, const calibrate_options *o,
                           const count_request *whole, ptq_error *err)
{
    bool is_alone = env_n_ranks(c->env) == 1;
    dataset rest = *job->data;
    count_request request = *whole;
    int done = 0;
    double start = clock_ms();
    c->state = (calibration_state){is_alone ? o->partial : NULL, job, o};
    c->keep_at_ms = start + LEAST_KEPT_MS;
    PTQ_TRY(calibration_state_read(&c->state, &c->seen, &done, c->env, err));
    if (done > request.n_images)
        return error_set(err, PTQ_DATA, "'%s' holds more images than are asked for; delete it",
                         c->state.path);
    rest.items += done;
    rest.n_items -= done;
    request.data = &rest;
    request.n_images -= done;
    ptq_status st = request.n_images > 0 ? count_all(c, &request, err) : PTQ_OK;
    if (st == PTQ_CANCELLED)
        keep_at_stop(c, done + request.n_images);
    PTQ_TRY(st);
    c->r->n_images = done + request.n_images;
    if (clock_ms() - start >= LEAST_KEPT_MS)
        keep_counts(c);
    return PTQ_OK;
}

static ptq_status pass_over_images(collector *c, const calibrate_job *job,
                                   const calibrate_options *o, ptq_error *err)
{
    dataset *d = job->data;
    int n = o->n_images > 0 && o->n_images < d->n_items ? o->n_images : d->n_items;
    int batch_size = choose_batch(job->g, o, c->env);
    if (image_pass_fixed_batch(job->g))
        n -= n % batch_size;
    if (n == 0)
        return error_set(err, PTQ_DATA, "'%s' has too few images to calibrate with: %d",
                         d->yaml_path, d->n_items);
    if (o->shuffle)
        draw_images(d, n, c->env ? c->env->seed : 0);
    count_request request = {
        .g = job->g, .r = c->r, .data = d, .n_images = n, .batch_size = batch_size};
    PTQ_TRY(begin_sharing(c, err));
    request.own = c->own;
    PTQ_TRY(coverage_begin(&c->seen, c->r, o->percentile, env_threads(c->env), err));
    PTQ_TRY(run_pass(c, job, o, &request, err));
    PTQ_TRY(share_counts(c, err));
    return coverage_end(&c->seen, err);
}

ptq_status calibrate(const calibrate_job *job, const calibrate_options *options, const ptq_env *env,
                     ranges **out, ptq_error *err)
{
    if (job->points->n == 0)
        return error_set(err, PTQ_UNSUPPORTED, "the model has no layer that can be quantized");
    collector c = {.env = env};
    ptq_status st = prepare(&c, job, options, err);
    if (st == PTQ_OK)
        st = pass_over_images(&c, job, options, err);
    for (int i = 0; c.own && i < c.r->n; i++)
        histogram_clear(&c.own[i]);
    mem_free(c.own);
    coverage_clear(&c.seen);
    strmap_destroy(c.index);
    if (st == PTQ_OK)
        *out = c.r;
    else
        ranges_destroy(c.r);
    return st;
}
