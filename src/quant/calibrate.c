/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/calibrate.h"

#include <string.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/strmap.h"
#include "quant/calibration_state.h"
#include "quant/coverage.h"
#include "quant/draw.h"
#include "quant/image_pass.h"

typedef struct collector {
    const ptq_env *env;
    ranges *r;
    strmap *index; /* tensor name -> item of r */
    histogram_pool *pool;
    const char **names; /* what the engine taps, NULL-terminated */
    int n_names;
    int input_item; /* the network's input among r's items, or -1: it is not tapped */
    coverage seen;
    calibration_state state;
    double keep_at_ms; /* when what was counted is kept next */
    int batch;         /* images in the present batch */
    histogram *own;    /* per item: what this rank has counted; NULL when it counts alone */
    ptq_status status; /* of the taps of this batch */
    ptq_error *err;
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

static void list_names(collector *c, const graph *g)
{
    tensor_id input = graph_input(g, 0);
    c->input_item = -1;
    for (int i = 0; i < c->r->n; i++) {
        if (graph_find_tensor(g, c->r->items[i].name) == input)
            c->input_item = i;
        else
            c->names[c->n_names++] = c->r->items[i].name;
    }
}

/* ---------------------------------------------------------------- several ranks */

static histogram *counts_of(const collector *c, int item)
{
    return c->own ? &c->own[item] : &c->r->items[item].values;
}

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

/* ---------------------------------------------------------------- watching */

static void watch(void *user, const tap_view *view)
{
    collector *c = user;
    int64_t at;
    if (c->status != PTQ_OK || !strmap_get(c->index, view->name, &at))
        return;
    range_tensor *t = &c->r->items[at];
    value_rows rows = image_pass_rows(view);
    if (view->type != DTYPE_F32)
        c->status = error_set(c->err, PTQ_UNSUPPORTED, "values are not float32");
    else
        c->status = histogram_add(counts_of(c, (int)at), c->pool, &rows, c->err);
    if (c->status != PTQ_OK)
        error_context(c->err, "tensor '%s', read by '%s'", t->name, t->layers[0]);
}

/* The network's input is no node's result: no tap sees it. */
static ptq_status watch_input(void *user, const tensor_view *images, ptq_error *err)
{
    collector *c = user;
    size_t n = 0;
    c->status = PTQ_OK;
    c->err = err;
    c->batch = (int)images->shape.dim[0];
    if (c->input_item < 0 || !shape_count(&images->shape, &n))
        return PTQ_OK;
    value_rows rows = {images->data, 1, n, n};
    return histogram_add(counts_of(c, c->input_item), c->pool, &rows, err);
}

static ptq_status add_images(collector *c, int n, ptq_error *err)
{
    if (coverage_is_due(&c->seen, n))
        PTQ_TRY(share_counts(c, err));
    PTQ_TRY(coverage_add(&c->seen, n, err));
    if (clock_ms() >= c->keep_at_ms)
        keep_counts(c);
    return PTQ_OK;
}

/* `err` is set when a tap failed. */
static ptq_status after_batch(void *user, ptq_error *err)
{
    collector *c = user;
    return c->status == PTQ_OK ? add_images(c, c->batch, err) : c->status;
}

static ptq_status skipped_batch(void *user, int n_images, ptq_error *err)
{
    return add_images(user, n_images, err);
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
    size_t room = (size_t)most + 1;
    cpu_level level;
    PTQ_TRY(ranges_create(most, o->is_compat, &c->r, err));
    c->r->image_size = o->image_size;
    c->index = strmap_create();
    c->names = mem_array(room, sizeof *c->names);
    if (!c->index || !c->names)
        return error_no_memory(err, room * sizeof *c->names, "calibration");
    PTQ_TRY(cpu_level_parse(c->env ? c->env->cpu : NULL, &level, err));
    PTQ_TRY(histogram_pool_create(env_threads(c->env), level, &c->pool, err));
    PTQ_TRY(list_tensors(c, job, err));
    list_names(c, job->g);
    return PTQ_OK;
}

/* Runs the images that are not counted yet. */
static ptq_status run_pass(collector *c, const calibrate_job *job, const calibrate_options *o,
                           const image_pass *whole, ptq_error *err)
{
    bool is_alone = env_n_ranks(c->env) == 1;
    dataset rest = *job->data;
    image_pass pass = *whole;
    int done = 0, run = 0;
    double start = clock_ms();
    c->state = (calibration_state){is_alone ? o->partial : NULL, job, o};
    c->keep_at_ms = start + LEAST_KEPT_MS;
    PTQ_TRY(calibration_state_read(&c->state, &c->seen, &done, c->env, err));
    if (done > pass.n_images)
        return error_set(err, PTQ_DATA, "'%s' holds more images than are asked for; delete it",
                         c->state.path);
    rest.items += done;
    rest.n_items -= done;
    pass.data = &rest;
    pass.n_images -= done;
    ptq_status st = pass.n_images > 0 ? image_pass_run(&pass, c->env, &run, err) : PTQ_OK;
    if (st == PTQ_CANCELLED)
        keep_at_stop(c, done + pass.n_images);
    PTQ_TRY(st);
    c->r->n_images = done + run;
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
    image_pass pass = {.g = job->g,
                       .taps = c->names,
                       .tap = watch,
                       .before = watch_input,
                       .after = after_batch,
                       .skipped = skipped_batch,
                       .user = c,
                       .n_images = n,
                       .image_size = o->image_size,
                       .batch_size = batch_size,
                       .what = "calibrating"};
    PTQ_TRY(begin_sharing(c, err));
    PTQ_TRY(coverage_begin(&c->seen, c->r, o->percentile, env_threads(c->env), err));
    PTQ_TRY(run_pass(c, job, o, &pass, err));
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
    histogram_pool_destroy(c.pool);
    for (int i = 0; c.own && i < c.r->n; i++)
        histogram_clear(&c.own[i]);
    mem_free(c.own);
    coverage_clear(&c.seen);
    strmap_destroy(c.index);
    mem_free(c.names);
    if (st == PTQ_OK)
        *out = c.r;
    else
        ranges_destroy(c.r);
    return st;
}
