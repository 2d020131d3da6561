/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/channel_stats.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "quant/image_pass.h"

typedef struct collector {
    const channel_job *job;
    channel_stats *items;
    int n;
    const char **taps; /* NULL-terminated */
    float *dense;      /* scratch: one tensor */
    size_t n_dense;
    ptq_status status;
    ptq_error *err;
} collector;

void channel_stats_clear(channel_stats *s)
{
    mem_free(s->largest);
    mem_free(s->energy);
    *s = (channel_stats){0};
}

static ptq_status add_values(channel_stats *c, const shape *s, const float *x, ptq_error *err)
{
    size_t count = 0, channels = s->rank > 1 ? (size_t)s->dim[1] : 1;
    if (!shape_count(s, &count) || count == 0)
        return PTQ_OK;
    if (!c->largest) {
        c->largest = mem_array(channels, sizeof *c->largest);
        c->energy = mem_array(channels, sizeof *c->energy);
        if (!c->largest || !c->energy)
            return error_no_memory(err, channels * sizeof *c->energy, "channels");
        c->n = (int)channels;
    }
    size_t outer = s->rank > 1 ? (size_t)s->dim[0] : 1;
    size_t inner = count / outer / channels;
    for (size_t i = 0; i < outer * channels; i++) {
        const float *row = x + i * inner;
        float largest = c->largest[i % channels];
        double energy = 0;
        for (size_t k = 0; k < inner; k++) {
            largest = fmaxf(largest, fabsf(row[k]));
            energy += (double)row[k] * (double)row[k];
        }
        c->largest[i % channels] = largest;
        c->energy[i % channels] += energy;
    }
    return PTQ_OK;
}

static ptq_status see(collector *c, const char *name, const shape *s, const float *x,
                      ptq_error *err)
{
    for (int i = 0; i < c->n; i++)
        if (strcmp(c->items[i].tensor, name) == 0)
            PTQ_TRY(add_values(&c->items[i], s, x, err));
    return PTQ_OK;
}

static void watch(void *user, const tap_view *v)
{
    collector *c = user;
    size_t n = 0;
    if (c->status != PTQ_OK || v->type != DTYPE_F32 || !shape_count(&v->shape, &n))
        return;
    float *dense = n > c->n_dense ? mem_resize(c->dense, n, sizeof *dense) : c->dense;
    if (!dense) {
        c->status = error_no_memory(c->err, n * sizeof *dense, "a tensor");
        return;
    }
    c->dense = dense;
    c->n_dense = n > c->n_dense ? n : c->n_dense;
    tap_to_float(v, dense);
    c->status = see(c, v->name, &v->shape, dense, c->err);
}

/* The network's input is no node's result: no tap sees it. */
static ptq_status watch_input(void *user, const tensor_view *images, ptq_error *err)
{
    collector *c = user;
    const graph *g = c->job->g;
    c->status = PTQ_OK;
    c->err = err;
    return see(c, graph_tensor_const(g, graph_input(g, 0))->name, &images->shape, images->data,
               err);
}

static ptq_status taps_status(void *user, ptq_error *err)
{
    const collector *c = user;
    (void)err; /* set by the tap that failed */
    return c->status;
}

static void list_taps(collector *c)
{
    const graph *g = c->job->g;
    int n_taps = 0;
    for (int i = 0; i < c->n; i++) {
        bool is_listed = graph_find_tensor(g, c->items[i].tensor) == graph_input(g, 0);
        for (int k = 0; k < n_taps; k++)
            is_listed = is_listed || strcmp(c->taps[k], c->items[i].tensor) == 0;
        if (!is_listed)
            c->taps[n_taps++] = c->items[i].tensor;
    }
}

ptq_status channel_stats_collect(const channel_job *job, channel_stats *items, int n,
                                 ptq_error *err)
{
    collector c = {.job = job, .items = items, .n = n};
    int fixed = image_pass_fixed_batch(job->g), n_done = 0;
    c.taps = mem_array((size_t)n + 1, sizeof *c.taps);
    if (!c.taps)
        return error_no_memory(err, (size_t)n * sizeof *c.taps, "channels");
    list_taps(&c);
    image_pass pass = {.g = job->g,
                       .taps = c.taps,
                       .tap = watch,
                       .before = watch_input,
                       .after = taps_status,
                       .user = &c,
                       .data = job->images,
                       .n_images = job->n_images,
                       .image_size = job->image_size,
                       .batch_size = fixed ? fixed : 1,
                       .what = "looking at channels"};
    ptq_status st = image_pass_run(&pass, job->env, &n_done, err);
    mem_free(c.taps);
    mem_free(c.dense);
    return st;
}
