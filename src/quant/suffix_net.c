/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/suffix_net.h"

#include <string.h>

#include "base/mem.h"

/* A tensor of the base; images as [H,W,C]. */
typedef struct kept_tensor {
    float *values;
    size_t cap; /* bytes */
    shape shape;
} kept_tensor;

struct base_net {
    graph *g;
    engine_options options;
    engine *first;   /* holds threads and packed weights */
    engine *present; /* of the last size; may be `first` */
    bool is_stale;   /* `present` watches other tensors than are wanted */
    shape input;
    tensor_view image;
    tensor_id *taps;
    kept_tensor *kept; /* per tensor of g */
    net_output *outputs;
    int n_outputs;
    bool failed;
};

void suffix_net_clear(suffix_net *s)
{
    graph_destroy(s->g);
    mem_free(s->taken);
    *s = (suffix_net){0};
}

void net_outputs_clear(net_output *outputs, int n)
{
    for (int i = 0; outputs && i < n; i++)
        mem_free(outputs[i].values);
    mem_free(outputs);
}

void base_net_destroy(base_net *b)
{
    if (!b)
        return;
    if (b->present != b->first)
        engine_destroy(b->present);
    engine_destroy(b->first);
    for (int i = 0; b->kept && i < graph_n_tensors(b->g); i++)
        mem_free(b->kept[i].values);
    net_outputs_clear(b->outputs, b->n_outputs);
    mem_free(b->kept);
    mem_free(b->taps);
    graph_destroy(b->g);
    mem_free(b);
}

static ptq_status check_inputs(const graph *g, ptq_error *err)
{
    const tensor *input = graph_n_inputs(g) == 1 ? graph_tensor_const(g, graph_input(g, 0)) : NULL;
    if (!input || input->type != DTYPE_F32 || input->shape.rank != 4)
        return error_set(err, PTQ_UNSUPPORTED,
                         "only models of one image input, float32 [N,3,H,W], can be ranked");
    return PTQ_OK;
}

ptq_status base_net_create(graph *g, const ptq_env *env, base_net **out, ptq_error *err)
{
    base_net *b = mem_zalloc(sizeof *b);
    if (!b) {
        graph_destroy(g);
        return error_no_memory(err, sizeof *b, "a network");
    }
    b->g = g;
    b->is_stale = true;
    b->options.threads = env_threads(env);
    b->n_outputs = graph_n_outputs(g);
    b->taps = mem_array((size_t)graph_n_tensors(g), sizeof *b->taps);
    b->kept = mem_array((size_t)graph_n_tensors(g), sizeof *b->kept);
    b->outputs = mem_array((size_t)b->n_outputs, sizeof *b->outputs);
    ptq_status st = b->taps && b->kept && b->outputs
                        ? check_inputs(g, err)
                        : error_no_memory(err, sizeof *b->kept, "a network");
    if (st == PTQ_OK)
        st = cpu_level_parse(env ? env->cpu : NULL, &b->options.level, err);
    if (st != PTQ_OK) {
        base_net_destroy(b);
        return st;
    }
    b->options.taps = b->taps;
    for (int i = 0; i < b->n_outputs; i++)
        b->outputs[i].name = graph_tensor_const(g, graph_output(g, i))->name;
    *out = b;
    return PTQ_OK;
}

const graph *base_net_graph(const base_net *b)
{
    return b->g;
}

int base_net_n_outputs(const base_net *b)
{
    return b->n_outputs;
}

const net_output *base_net_output(const base_net *b, int i)
{
    return &b->outputs[i];
}

/* ---------------------------------------------------------------- which tensors */

ptq_status base_net_serve(base_net *b, const suffix_net *const *suffixes, int n, ptq_error *err)
{
    int n_tensors = graph_n_tensors(b->g);
    bool *is_wanted = mem_array((size_t)n_tensors, sizeof *is_wanted);
    if (!is_wanted)
        return error_no_memory(err, (size_t)n_tensors, "a network");
    for (int i = 0; i < n; i++)
        for (int k = 0; k < suffixes[i]->n_taken; k++)
            is_wanted[suffixes[i]->taken[k]] = true;
    b->options.n_taps = 0;
    for (int i = 0; i < n_tensors; i++) {
        if (is_wanted[i]) {
            b->taps[b->options.n_taps++] = (tensor_id)i;
            continue;
        }
        mem_free(b->kept[i].values);
        b->kept[i] = (kept_tensor){0};
    }
    mem_free(is_wanted);
    b->is_stale = true;
    return PTQ_OK;
}

static ptq_status set_size(base_net *b, int height, int width, ptq_error *err)
{
    shape s = shape4(1, 3, height, width);
    if (b->input.rank == 4 && shape_equal(&s, &b->input))
        return PTQ_OK;
    b->input.rank = 0;
    PTQ_TRY(graph_set_input_shape(b->g, &s, err));
    b->input = s;
    b->is_stale = true;
    return PTQ_OK;
}

ptq_status base_net_bytes(base_net *b, int height, int width, size_t *bytes, ptq_error *err)
{
    size_t n;
    PTQ_TRY(set_size(b, height, width, err));
    *bytes = 0;
    for (int i = 0; i < b->options.n_taps; i++)
        if (shape_count(&graph_tensor_const(b->g, b->taps[i])->shape, &n))
            *bytes += n * sizeof(float);
    return PTQ_OK;
}

/* ---------------------------------------------------------------- running */

static void copy_seen(const tap_view *v, size_t n, float *out)
{
    size_t channels = (size_t)v->shape.dim[1];
    bool is_packed = v->channels_last && v->pixel_stride == channels;
    if (!v->channels_last || is_packed) {
        memcpy(out, v->data, n * sizeof *out);
        return;
    }
    const float *from = v->data;
    for (size_t i = 0; i < n / channels; i++)
        memcpy(out + i * channels, from + i * v->pixel_stride, channels * sizeof *out);
}

/* Row-major images, as small or narrow ones may be stored, become channels-last. */
static void turn_seen(const tap_view *v, float *out)
{
    int64_t channels = v->shape.dim[1], pixels = v->shape.dim[2] * v->shape.dim[3];
    const float *from = v->data;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t i = 0; i < pixels; i++)
            out[i * channels + c] = from[c * pixels + i];
}

static void keep_seen(void *user, const tap_view *v)
{
    base_net *b = user;
    kept_tensor *k = &b->kept[v->id];
    size_t n;
    if (!shape_count(&v->shape, &n) || v->type != DTYPE_F32) {
        b->failed = true;
        return;
    }
    if (n * sizeof *k->values > k->cap) {
        mem_free(k->values);
        k->cap = n * sizeof *k->values;
        k->values = mem_alloc_aligned(k->cap);
        if (!k->values) {
            k->cap = 0;
            b->failed = true;
            return;
        }
    }
    k->shape = v->shape;
    if (v->shape.rank == 4 && !v->channels_last)
        turn_seen(v, k->values);
    else
        copy_seen(v, n, k->values);
}

static ptq_status prepare(base_net *b, ptq_error *err)
{
    engine *made;
    if (!b->is_stale)
        return PTQ_OK;
    if (b->first)
        PTQ_TRY(engine_prepare_beside(b->g, &b->options, b->first, &made, err));
    else
        PTQ_TRY(engine_prepare(b->g, &b->options, &made, err));
    if (b->present != b->first)
        engine_destroy(b->present);
    b->first = b->first ? b->first : made;
    b->present = made;
    b->is_stale = false;
    engine_set_tap(made, keep_seen, b);
    return PTQ_OK;
}

static ptq_status copy_output(net_output *o, const engine *e, int i, ptq_error *err)
{
    tensor_view v = engine_output(e, i);
    size_t n;
    if (v.type != DTYPE_F32 || !shape_count(&v.shape, &n))
        return error_set(err, PTQ_UNSUPPORTED, "output '%s' is not float32", o->name);
    float *values = mem_grow(o->values, &o->cap, n, sizeof *values);
    if (!values)
        return error_no_memory(err, n * sizeof *values, "an output");
    o->values = values;
    o->shape = v.shape;
    memcpy(values, v.data, n * sizeof *values);
    return PTQ_OK;
}

ptq_status base_net_run(base_net *b, float *image, int height, int width, ptq_error *err)
{
    PTQ_TRY(set_size(b, height, width, err));
    PTQ_TRY(prepare(b, err));
    b->failed = false;
    b->image = (tensor_view){image, DTYPE_F32, b->input};
    PTQ_TRY(engine_run(b->present, &b->image, 1, err));
    if (b->failed)
        return error_no_memory(err, 0, "the tensors of an image");
    for (int i = 0; i < b->n_outputs; i++)
        PTQ_TRY(copy_output(&b->outputs[i], b->present, i, err));
    return PTQ_OK;
}

/* ---------------------------------------------------------------- suffixes */

/* Gives the inputs their shapes and values. */
static ptq_status set_inputs(const suffix_net *s, const base_net *b, tensor_view *inputs,
                             ptq_error *err)
{
    inputs[0] = b->image;
    graph_tensor(s->g, graph_input(s->g, 0))->shape = b->input;
    for (int i = 0; i < s->n_taken; i++) {
        const kept_tensor *k = &b->kept[s->taken[i]];
        if (!k->values)
            return error_set(err, PTQ_INTERNAL, "tensor '%s' was not kept",
                             graph_tensor_const(b->g, s->taken[i])->name);
        const int64_t *d = k->shape.dim;
        shape seen = k->shape.rank == 4 ? shape4(d[0], d[2], d[3], d[1]) : k->shape;
        inputs[i + 1] = (tensor_view){k->values, DTYPE_F32, seen};
        graph_tensor(s->g, graph_input(s->g, i + 1))->shape = seen;
    }
    return graph_infer_shapes(s->g, err);
}

static ptq_status take_outputs(const suffix_net *s, const base_net *b, const engine *e,
                               net_output *outputs, ptq_error *err)
{
    for (int i = 0; i < b->n_outputs; i++)
        outputs[i].name = NULL;
    for (int k = 0; k < graph_n_outputs(s->g); k++) {
        const char *name = graph_tensor_const(s->g, graph_output(s->g, k))->name;
        for (int i = 0; i < b->n_outputs; i++) {
            if (strcmp(b->outputs[i].name, name) != 0)
                continue;
            outputs[i].name = name;
            PTQ_TRY(copy_output(&outputs[i], e, k, err));
        }
    }
    return PTQ_OK;
}

ptq_status suffix_net_run(const suffix_net *s, const base_net *b, net_output *outputs,
                          ptq_error *err)
{
    engine *e = NULL;
    engine_options o = {.threads = b->options.threads, .level = b->options.level};
    tensor_view *inputs = mem_array((size_t)s->n_taken + 1, sizeof *inputs);
    if (!inputs)
        return error_no_memory(err, (size_t)s->n_taken * sizeof *inputs, "a network");
    ptq_status st = set_inputs(s, b, inputs, err);
    if (st == PTQ_OK)
        st = engine_prepare_beside(s->g, &o, b->first, &e, err);
    if (st == PTQ_OK)
        st = engine_run(e, inputs, s->n_taken + 1, err);
    if (st == PTQ_OK)
        st = take_outputs(s, b, e, outputs, err);
    engine_destroy(e);
    mem_free(inputs);
    return st;
}
