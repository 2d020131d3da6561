/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "graph/slices.h"
#include "quant/fit.h"
#include "quant/image_pass.h"

/* One input quantizer whose slices are watched. */
typedef struct watched {
    quant_point *point;
    const char *tensor;
    size_t n;
    float *largest; /* n, in the memory of the points; NULL until the tensor was seen */
} watched;

typedef struct watcher {
    const fit_job *job;
    watched *items;
    int n;
    const char **taps;
    float *dense; /* scratch: one tensor, and its size in floats */
    size_t n_dense;
    ptq_status status;
    ptq_error *err;
} watcher;

/* ---------------------------------------------------------------- watching */

static ptq_status raise_largest(const watcher *c, watched *w, const shape *s, const float *x,
                                ptq_error *err)
{
    uint32_t axes = w->point->input_axes;
    size_t n = 0, n_slices = slices_count(s, axes);
    if (!w->largest) {
        w->largest = arena_alloc(c->job->points->memory, n_slices, sizeof *w->largest);
        w->n = n_slices;
    }
    if (!w->largest)
        return error_no_memory(err, n_slices * sizeof *w->largest, "ranges per slice");
    if (!shape_count(s, &n) || n_slices != w->n)
        return error_set(err, PTQ_SHAPE, "the number of slices changes between batches");
    for (size_t i = 0; i < n; i++) {
        float *at = &w->largest[slices_index(s, axes, i)];
        *at = fmaxf(*at, fabsf(x[i]));
    }
    return PTQ_OK;
}

static ptq_status see(watcher *c, const char *name, const shape *s, const float *x, ptq_error *err)
{
    for (int i = 0; i < c->n; i++) {
        if (strcmp(c->items[i].tensor, name) != 0)
            continue;
        ptq_status st = raise_largest(c, &c->items[i], s, x, err);
        if (st != PTQ_OK) {
            error_context(err, "tensor '%s'", name);
            return st;
        }
    }
    return PTQ_OK;
}

static ptq_status see_tap(watcher *c, const tap_view *v, ptq_error *err)
{
    size_t n = 0;
    if (v->type != DTYPE_F32 || !shape_count(&v->shape, &n))
        return error_set(err, PTQ_UNSUPPORTED, "tensor '%s' is not float32", v->name);
    if (n > c->n_dense) {
        float *grown = mem_resize(c->dense, n, sizeof *grown);
        if (!grown)
            return error_no_memory(err, n * sizeof *grown, "a tensor");
        c->dense = grown;
        c->n_dense = n;
    }
    tap_to_float(v, c->dense);
    return see(c, v->name, &v->shape, c->dense, err);
}

static void watch(void *user, const tap_view *v)
{
    watcher *c = user;
    if (c->status == PTQ_OK)
        c->status = see_tap(c, v, c->err);
}

/* The network's input is no node's result: no tap sees it. */
static ptq_status watch_input(void *user, const tensor_view *images, ptq_error *err)
{
    watcher *c = user;
    const graph *g = c->job->g;
    c->status = PTQ_OK;
    c->err = err;
    return see(c, graph_tensor_const(g, graph_input(g, 0))->name, &images->shape, images->data,
               err);
}

static ptq_status taps_status(void *user, ptq_error *err)
{
    const watcher *c = user;
    (void)err; /* set by the tap that failed */
    return c->status;
}

/* ---------------------------------------------------------------- the pass */

static bool is_open(const quant_point *p)
{
    return quant_point_has_input(p) && p->input_axes && p->input_desc.n_amax == 0;
}

static ptq_status list_watched(watcher *c, ptq_error *err)
{
    const fit_job *job = c->job;
    size_t room = (size_t)job->points->n + 1;
    int n_taps = 0;
    c->items = mem_array(room, sizeof *c->items);
    c->taps = mem_array(room, sizeof *c->taps);
    if (!job->points->memory)
        job->points->memory = arena_create(0);
    if (!c->items || !c->taps || !job->points->memory)
        return error_no_memory(err, room * sizeof *c->items, "ranges per slice");
    for (int i = 0; i < job->points->n; i++) {
        quant_point *p = &job->points->items[i];
        if (!is_open(p))
            continue;
        const char *name = graph_tensor_const(job->g, p->tensor)->name;
        bool is_seen = p->tensor == graph_input(job->g, 0);
        for (int k = 0; k < c->n; k++)
            is_seen = is_seen || strcmp(c->items[k].tensor, name) == 0;
        if (!is_seen)
            c->taps[n_taps++] = name;
        c->items[c->n++] = (watched){.point = p, .tensor = name};
    }
    return PTQ_OK;
}

static ptq_status run_images(watcher *c, const ptq_env *env, ptq_error *err)
{
    const fit_job *job = c->job;
    image_pass pass = {.g = job->g,
                       .taps = c->taps,
                       .tap = watch,
                       .before = watch_input,
                       .after = taps_status,
                       .user = c,
                       .data = job->data,
                       .n_images = job->n_images < FIT_IMAGES ? job->n_images : FIT_IMAGES,
                       .image_size = job->image_size,
                       .batch_size = job->batch_size,
                       .what = "ranges per slice"};
    int n_done = 0;
    PTQ_TRY(image_pass_run(&pass, env, &n_done, err));
    for (int i = 0; i < c->n; i++) {
        watched *w = &c->items[i];
        if (!w->largest)
            return error_set(err, PTQ_DATA, "no image reached tensor '%s'", w->tensor);
        w->point->input_desc.n_amax = (int)w->n;
        w->point->input_desc.amax = w->largest[0];
        w->point->input_desc.amax_list = w->largest;
    }
    return PTQ_OK;
}

ptq_status fit_slices(const fit_job *job, const ptq_env *env, ptq_error *err)
{
    watcher c = {.job = job};
    ptq_status st = list_watched(&c, err);
    if (st == PTQ_OK && c.n > 0)
        st = run_images(&c, env, err);
    mem_free(c.items);
    mem_free(c.taps);
    mem_free(c.dense);
    return st;
}
