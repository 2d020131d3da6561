/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/calibrate.h"

#include <string.h>

#include "base/env.h"
#include "base/mem.h"
#include "base/strmap.h"
#include "data/loader.h"
#include "engine/session.h"
#include "passes/passes.h"
#include "quant/draw.h"

typedef struct collector {
    const ptq_env *env;
    ranges *r;
    strmap *index; /* tensor name -> item of r */
    histogram_pool *pool;
    const char **names; /* what the engine taps, NULL-terminated */
    int n_names;
    int input_item; /* the network's input among r's items, or -1: it is not tapped */
    session *run;
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

static value_rows rows_of(const tap_view *v)
{
    const shape *s = &v->shape;
    size_t n = 1;
    for (int i = 0; i < s->rank; i++)
        n *= (size_t)s->dim[i];
    if (!v->channels_last || s->rank < 2 || s->dim[1] == 0)
        return (value_rows){v->data, 1, n, n};
    size_t channels = (size_t)s->dim[1];
    return (value_rows){v->data, n / channels, channels, v->pixel_stride};
}

static void watch(void *user, const tap_view *view)
{
    collector *c = user;
    int64_t at;
    if (c->status != PTQ_OK || !strmap_get(c->index, view->name, &at))
        return;
    range_tensor *t = &c->r->items[at];
    value_rows rows = rows_of(view);
    if (view->type != DTYPE_F32)
        c->status = error_set(c->err, PTQ_UNSUPPORTED, "values are not float32");
    else
        c->status = histogram_add(&t->values, c->pool, &rows, c->err);
    if (c->status != PTQ_OK)
        error_context(c->err, "tensor '%s', read by '%s'", t->name, t->layers[0]);
}

static ptq_status run_batch(collector *c, const batch *b, int n, ptq_error *err)
{
    tensor_view input = {b->images, DTYPE_F32, shape4(n, 3, b->height, b->width)};
    size_t values = (size_t)n * 3 * (size_t)b->height * (size_t)b->width;
    c->status = PTQ_OK;
    c->err = err;
    if (c->input_item >= 0) {
        value_rows rows = {b->images, 1, values, values};
        PTQ_TRY(histogram_add(&c->r->items[c->input_item].values, c->pool, &rows, err));
    }
    PTQ_TRY(session_run(c->run, &input, 1, err));
    return c->status;
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

/* The batch size of a graph with a fixed input; 0: any. */
static int fixed_batch(const graph *g)
{
    const tensor *input = graph_tensor_const(g, graph_input(g, 0));
    if (input->is_dynamic || input->shape.rank < 1 || input->shape.dim[0] < 1)
        return 0;
    return (int)input->shape.dim[0];
}

static int choose_batch(const graph *g, const calibrate_options *o, const ptq_env *env)
{
    int wanted = o->batch_size > 0 ? o->batch_size : 1;
    int fixed = fixed_batch(g);
    if (fixed == 0 || fixed == wanted)
        return wanted;
    if (o->is_compat)
        env_log(env, PTQ_LOG_WARNING,
                "the model takes %d images at a time: bins grow by batches of %d instead of %d",
                fixed, fixed, wanted);
    return fixed;
}

static ptq_status run_images(collector *c, loader *l, int n_images, ptq_error *err)
{
    int done = 0;
    while (done < n_images) {
        const batch *b;
        PTQ_TRY(env_check_cancel(c->env, err));
        PTQ_TRY(loader_next(l, &b, err));
        if (!b)
            break;
        int n = b->n < n_images - done ? b->n : n_images - done;
        PTQ_TRY(run_batch(c, b, n, err));
        done += n;
        env_progress(c->env, "calibrating", (size_t)done, (size_t)n_images);
    }
    c->r->n_images = done;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- the pass */

static ptq_status open_session(collector *c, const graph *g, cpu_level level, ptq_error *err)
{
    graph *lowered;
    PTQ_TRY(graph_copy(g, &lowered, err));
    ptq_status st = pass_lower(lowered, PRECISION_FP32, false, c->names, err);
    session_options options = {.threads = env_threads(c->env),
                               .level = level,
                               .taps = c->names,
                               .n_taps = c->n_names,
                               .max_engines = 2};
    if (st == PTQ_OK)
        st = session_create(lowered, &options, &c->run, err);
    if (st == PTQ_OK)
        session_set_tap(c->run, watch, c);
    graph_destroy(lowered);
    return st;
}

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
    return open_session(c, job->g, level, err);
}

static ptq_status pass_over_images(collector *c, const calibrate_job *job,
                                   const calibrate_options *o, ptq_error *err)
{
    dataset *d = job->data;
    int n = o->n_images > 0 && o->n_images < d->n_items ? o->n_images : d->n_items;
    int batch_size = choose_batch(job->g, o, c->env);
    if (fixed_batch(job->g))
        n -= n % batch_size;
    if (n == 0)
        return error_set(err, PTQ_DATA, "'%s' has too few images to calibrate with: %d",
                         d->yaml_path, d->n_items);
    if (o->shuffle)
        draw_images(d, n, c->env ? c->env->seed : 0);
    loader_options options = {.image_size = o->image_size,
                              .batch_size = batch_size,
                              .stride = 32,
                              .threads = env_threads(c->env)};
    loader *l;
    PTQ_TRY(loader_open(d, &options, c->env, &l, err));
    ptq_status st = run_images(c, l, n, err);
    loader_close(l);
    PTQ_TRY(st);
    return ranges_solve(c->r, o->percentile, env_threads(c->env), err);
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
    session_destroy(c.run);
    histogram_pool_destroy(c.pool);
    strmap_destroy(c.index);
    mem_free(c.names);
    ranges_destroy(c.r);
    return st;
}
