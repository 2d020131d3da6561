/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/calibrate.h"

#include <string.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/strmap.h"
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
    int batch;         /* images in the present batch */
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
        c->status = histogram_add(&t->values, c->pool, &rows, c->err);
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
    return histogram_add(&c->r->items[c->input_item].values, c->pool, &rows, err);
}

/* `err` is set when a tap failed. */
static ptq_status after_batch(void *user, ptq_error *err)
{
    collector *c = user;
    return c->status == PTQ_OK ? coverage_add(&c->seen, c->batch, err) : c->status;
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
                       .user = c,
                       .data = d,
                       .n_images = n,
                       .image_size = o->image_size,
                       .batch_size = batch_size,
                       .what = "calibrating"};
    PTQ_TRY(coverage_begin(&c->seen, c->r, o->percentile, env_threads(c->env), err));
    PTQ_TRY(image_pass_run(&pass, c->env, &c->r->n_images, err));
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
    if (st == PTQ_OK) {
        *out = c.r;
        c.r = NULL;
    }
    histogram_pool_destroy(c.pool);
    coverage_clear(&c.seen);
    strmap_destroy(c.index);
    mem_free(c.names);
    ranges_destroy(c.r);
    return st;
}
