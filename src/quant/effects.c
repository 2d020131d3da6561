/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/effects.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/mem.h"
#include "engine/session.h"
#include "eval/evaluate.h"
#include "passes/passes.h"
#include "quant/draw.h"
#include "quant/influence.h"
#include "quant/output_distance.h"
#include "quant/pseudo_labels.h"
#include "quant/suffix_net.h"

/* A letterboxed picture, as bytes: its values are k / 255, or k. */
typedef struct kept_picture {
    unsigned char *planes;
    int height, width;
    placement place;
} kept_picture;

struct effects {
    effects_input in;
    const char **heads; /* NULL-terminated names of the raw outputs */
    int n_heads;
    kept_picture *pictures;
    int *picture_of; /* per item: its picture, or -1 */
    int n_pictures;
    dataset *own_labels;  /* SENSITIVITY_FIDELITY */
    const dataset *truth; /* NULL: no metric of detections */
    influence *worth;
    double baseline;
    base_net *base;
    base_net *reference;  /* the float network; `base` itself in the mode "only" */
    suffix_net *suffixes; /* per unit */
    suffix_net whole;     /* mode "only": all units at once */
    net_output *outputs;
    float *image;
    size_t image_cap;
};

/* ---------------------------------------------------------------- graphs */

static ptq_status list_heads(effects *e, ptq_error *err)
{
    const sensitivity_job *job = e->in.job;
    e->heads = mem_array((size_t)job->points->n + 1, sizeof *e->heads);
    if (!e->heads)
        return error_no_memory(err, (size_t)job->points->n * sizeof *e->heads, "a ranking");
    for (int i = 0; i < job->points->n; i++) {
        const quant_point *p = &job->points->items[i];
        if (p->is_head)
            e->heads[e->n_heads++] =
                graph_tensor_const(job->g, graph_node_const(job->g, p->node)->outputs[0])->name;
    }
    return PTQ_OK;
}

/* The float32 network with these quantizers; the raw outputs are outputs, too. The ranks of all
 * tensors are known. */
static ptq_status lower(const effects *e, const qplan *plan, graph **out, ptq_error *err)
{
    graph *g;
    PTQ_TRY(graph_copy(e->in.job->g, &g, err));
    ptq_status st = pass_insert_qdq(g, plan, err);
    if (st == PTQ_OK)
        st = pass_append_detections(g, err);
    if (st == PTQ_OK)
        st = pass_lower(g, &(lower_options){.precision = PRECISION_FP32, .keep = e->heads}, err);
    for (int i = 0; i < e->n_heads && st == PTQ_OK; i++) {
        tensor_id id = graph_find_tensor(g, e->heads[i]);
        if (id != TENSOR_NONE && !graph_is_output(g, id))
            st = graph_add_output(g, id, err);
    }
    int size = e->in.options->load.image_size;
    shape square = shape4(1, 3, size, size);
    if (st == PTQ_OK)
        st = graph_set_input_shape(g, &square, err);
    if (st == PTQ_OK)
        *out = g;
    else
        graph_destroy(g);
    return st;
}

static ptq_status lower_unit(const effects *e, sensitivity_mode mode, int which, graph **out,
                             ptq_error *err)
{
    qplan plan;
    PTQ_TRY(units_plan(e->in.job, e->in.units, mode, which, &plan, err));
    ptq_status st = lower(e, &plan, out, err);
    mem_free(plan.entries);
    mem_free(plan.extras);
    return st;
}

static ptq_status make_net(const effects *e, sensitivity_mode mode, base_net **out, ptq_error *err)
{
    graph *g;
    PTQ_TRY(lower_unit(e, mode, UNIT_NONE, &g, err));
    return base_net_create(g, e->in.env, out, err);
}

static ptq_status cut_suffix(const effects *e, sensitivity_mode mode, int which, suffix_net *s,
                             ptq_error *err)
{
    PTQ_TRY(lower_unit(e, mode, which, &s->g, err));
    return pass_cut_suffix(s->g, base_net_graph(e->base), &s->taken, &s->n_taken, err);
}

static ptq_status cut_suffixes(effects *e, ptq_error *err)
{
    const unit_list *units = e->in.units;
    e->suffixes = mem_array((size_t)units->n, sizeof *e->suffixes);
    e->outputs = mem_array((size_t)base_net_n_outputs(e->base), sizeof *e->outputs);
    if (!e->suffixes || !e->outputs)
        return error_no_memory(err, (size_t)units->n * sizeof *e->suffixes, "a ranking");
    for (int i = 0; i < units->n; i++)
        PTQ_TRY(cut_suffix(e, e->in.options->mode, i, &e->suffixes[i], err));
    if (e->in.options->mode != SENSITIVITY_ONLY)
        return PTQ_OK;
    return cut_suffix(e, SENSITIVITY_ALL_BUT, UNIT_NONE, &e->whole, err);
}

/* ---------------------------------------------------------------- the baseline */

/* Draws which items are kept. */
static ptq_status draw_pictures(effects *e, ptq_error *err)
{
    int n = e->in.job->data->n_items;
    uint64_t state = e->in.env ? e->in.env->seed : 0;
    e->n_pictures = e->in.max_images < n ? e->in.max_images : n;
    e->pictures = mem_array((size_t)e->n_pictures, sizeof *e->pictures);
    e->picture_of = mem_array((size_t)n, sizeof *e->picture_of);
    int *order = mem_array((size_t)n, sizeof *order);
    bool ok = e->pictures && e->picture_of && order;
    for (int i = 0; ok && i < n; i++) {
        order[i] = i;
        e->picture_of[i] = -1;
    }
    for (int i = 0; ok && i < e->n_pictures; i++) {
        int other = i + draw_below(&state, n - i);
        int item = order[other];
        order[other] = order[i];
        e->picture_of[item] = i;
    }
    mem_free(order);
    return ok ? PTQ_OK : error_no_memory(err, (size_t)n * sizeof *order, "a ranking");
}

static ptq_status keep_picture(effects *e, const batch *b, int index, ptq_error *err)
{
    int at = e->picture_of[b->places[index].item];
    size_t n = 3 * (size_t)b->height * (size_t)b->width;
    if (at < 0 || e->pictures[at].planes)
        return PTQ_OK;
    kept_picture *p = &e->pictures[at];
    const float *from = b->images + (size_t)index * n;
    float whole = e->in.options->load.form.is_bytes ? 1 : 255;
    p->planes = mem_alloc(n);
    if (!p->planes)
        return error_no_memory(err, n, "pictures");
    for (size_t i = 0; i < n; i++)
        p->planes[i] = (unsigned char)lrintf(from[i] * whole);
    p->height = b->height;
    p->width = b->width;
    p->place = b->places[index];
    return PTQ_OK;
}

/* A network that keeps the pictures it is shown. */
typedef struct keeper {
    effects *e;
    session_predictor *inner;
} keeper;

static ptq_status keep_and_predict(void *user, const batch *b, predictions *out, ptq_error *err)
{
    keeper *k = user;
    for (int i = 0; i < b->n; i++)
        PTQ_TRY(keep_picture(k->e, b, i, err));
    return session_predict(k->inner, b, out, err);
}

/* A session's own copy of the graph, without the raw outputs. */
static ptq_status open_session(const effects *e, sensitivity_mode mode, session **out,
                               ptq_error *err)
{
    graph *g;
    session_options o = {.threads = env_threads(e->in.env), .max_engines = 2};
    PTQ_TRY(cpu_level_parse(e->in.env ? e->in.env->cpu : NULL, &o.level, err));
    PTQ_TRY(lower_unit(e, mode, UNIT_NONE, &g, err));
    ptq_status st = session_create(g, &o, out, err);
    graph_destroy(g);
    return st;
}

/* One network over all images. */
static ptq_status evaluate_all(effects *e, sensitivity_mode mode, const dataset *truth,
                               evaluation **out, ptq_error *err)
{
    session *s = NULL;
    loader *l = NULL;
    keeper k = {.e = e};
    PTQ_TRY(open_session(e, mode, &s, err));
    ptq_status st = session_predictor_create(s, &k.inner, err);
    if (st == PTQ_OK)
        st = loader_open(e->in.job->data, &e->in.options->load, e->in.env, &l, err);
    evaluate_input in = {truth, l, keep_and_predict, &k, NULL};
    if (st == PTQ_OK)
        st = evaluate(&in, &e->in.options->eval, e->in.env, out, err);
    loader_close(l);
    session_predictor_destroy(k.inner);
    session_destroy(s);
    return st;
}

/* Fidelity: the float network's detections become the labels, and judge the float network itself
 * without another run. */
static ptq_status use_own_labels(effects *e, evaluation *of_float, ptq_error *err)
{
    PTQ_TRY(pseudo_labels_create(e->in.job->data, &of_float->records, &e->own_labels, err));
    e->truth = e->own_labels;
    if (e->in.options->mode != SENSITIVITY_ONLY)
        return PTQ_OK;
    PTQ_TRY(fidelity_judge(&of_float->records, &of_float->records, err));
    return records_map(&of_float->records, &of_float->map50_95, err);
}

static ptq_status measure_baseline(effects *e, ptq_error *err)
{
    sensitivity_mode mode = e->in.options->mode;
    evaluation *found = NULL;
    bool is_own = e->in.options->metric == SENSITIVITY_FIDELITY;
    e->truth = e->in.job->data;
    PTQ_TRY(evaluate_all(e, is_own ? SENSITIVITY_ONLY : mode, e->truth, &found, err));
    ptq_status st = is_own ? use_own_labels(e, found, err) : PTQ_OK;
    if (st == PTQ_OK && is_own && mode != SENSITIVITY_ONLY) {
        evaluation_destroy(found);
        found = NULL;
        st = evaluate_all(e, mode, e->truth, &found, err);
    }
    if (st == PTQ_OK) {
        e->baseline = found->map50_95;
        st = influence_create(&found->records, &e->worth, err);
    }
    evaluation_destroy(found);
    if (e->in.options->metric == SENSITIVITY_SQNR)
        e->truth = NULL;
    return st;
}

/* ---------------------------------------------------------------- life */

ptq_status effects_create(const effects_input *in, effects **out, ptq_error *err)
{
    effects *e = mem_zalloc(sizeof *e);
    if (!e)
        return error_no_memory(err, sizeof *e, "a ranking");
    e->in = *in;
    ptq_status st = list_heads(e, err);
    if (st == PTQ_OK)
        st = draw_pictures(e, err);
    if (st == PTQ_OK)
        st = measure_baseline(e, err);
    if (st == PTQ_OK)
        st = make_net(e, in->options->mode, &e->base, err);
    if (st == PTQ_OK && in->options->mode == SENSITIVITY_ONLY)
        e->reference = e->base;
    else if (st == PTQ_OK)
        st = make_net(e, SENSITIVITY_ONLY, &e->reference, err);
    if (st == PTQ_OK)
        st = cut_suffixes(e, err);
    if (st != PTQ_OK) {
        effects_destroy(e);
        return st;
    }
    *out = e;
    return PTQ_OK;
}

void effects_destroy(effects *e)
{
    if (!e)
        return;
    if (e->base)
        net_outputs_clear(e->outputs, base_net_n_outputs(e->base));
    if (e->reference != e->base)
        base_net_destroy(e->reference);
    base_net_destroy(e->base);
    for (int i = 0; e->suffixes && i < e->in.units->n; i++)
        suffix_net_clear(&e->suffixes[i]);
    suffix_net_clear(&e->whole);
    for (int i = 0; e->pictures && i < e->n_pictures; i++)
        mem_free(e->pictures[i].planes);
    influence_destroy(e->worth);
    pseudo_labels_destroy(e->own_labels);
    mem_free(e->suffixes);
    mem_free(e->pictures);
    mem_free(e->picture_of);
    mem_free(e->heads);
    mem_free(e->image);
    mem_free(e);
}

double effects_baseline(const effects *e)
{
    return e->baseline;
}

int effects_n_images(const effects *e)
{
    return e->n_pictures;
}

/* ---------------------------------------------------------------- one image */

/* The decoded output of a run, or where the base has it. */
static const net_output *decoded(const effects *e, const net_output *changed)
{
    for (int i = 0; i < base_net_n_outputs(e->base); i++) {
        const net_output *o = changed && changed[i].name ? &changed[i] : NULL;
        o = o ? o : base_net_output(e->base, i);
        if (o->shape.rank == 3)
            return o;
    }
    return NULL;
}

static predictions rows_of(const net_output *o)
{
    return (predictions){o->values, (int)o->shape.dim[1], (int)o->shape.dim[2] - 5};
}

static bool is_head(const effects *e, const char *name)
{
    for (int i = 0; i < e->n_heads; i++)
        if (strcmp(e->heads[i], name) == 0)
            return true;
    return false;
}

/* Sum of squares of a - b, or of a. Independent sums of short runs: fast, and as exact as one in
 * double precision. */
static double energy(const float *a, const float *b, size_t n)
{
    enum { LANES = 16, RUN = 4096 };
    double sum = 0;
    for (size_t first = 0; first < n; first += RUN) {
        float lane[LANES] = {0};
        size_t count = n - first < RUN ? n - first : RUN;
        for (size_t i = 0; i < count; i++) {
            float v = b ? a[first + i] - b[first + i] : a[first + i];
            lane[i % LANES] += v * v;
        }
        for (int k = 0; k < LANES; k++)
            sum += (double)lane[k];
    }
    return sum;
}

/* Over the raw outputs: of the float network (`other` NULL), or of the difference to it.
 * `other`: base_net_n_outputs() outputs, where they have no name the base's. */
static double head_energy(const effects *e, bool is_noise, const net_output *other)
{
    double sum = 0;
    for (int k = 0; k < base_net_n_outputs(e->base); k++) {
        const net_output *want = base_net_output(e->reference, k);
        const net_output *got = other && other[k].name ? &other[k] : base_net_output(e->base, k);
        size_t n;
        if (is_head(e, want->name) && shape_count(&want->shape, &n) && !(is_noise && got == want))
            sum += energy(want->values, is_noise ? got->values : NULL, n);
    }
    return sum;
}

/* What the detections made of these predictions are worth. */
static ptq_status worth_of(const effects *e, const kept_picture *p, const net_output *o,
                           double *worth, ptq_error *err)
{
    placement place = p->place;
    batch b = {
        .n = 1, .height = p->height, .width = p->width, .images = e->image, .places = &place};
    predictions rows = rows_of(o);
    evaluator *judge;
    evaluation *found = NULL;
    ptq_env alone = {.threads = 1};
    *worth = 0;
    if (!e->truth)
        return PTQ_OK;
    PTQ_TRY(evaluator_create(e->truth, &e->in.options->eval, &alone, &judge, err));
    ptq_status st = evaluator_add(judge, &b, &rows, err);
    if (st == PTQ_OK)
        st = evaluator_finish(judge, &found, err);
    evaluator_destroy(judge);
    if (st == PTQ_OK)
        *worth = influence_sum(e->worth, found->records.dets, found->records.correct,
                               found->records.n_dets);
    evaluation_destroy(found);
    return st;
}

/* What is compared on one image. */
typedef struct image_base {
    const kept_picture *picture;
    double worth, harm;
} image_base;

static ptq_status measure_suffix(effects *e, const image_base *base, const suffix_net *s,
                                 effect *out, ptq_error *err)
{
    double worth;
    PTQ_TRY(suffix_net_run(s, e->base, e->outputs, err));
    const net_output *rows = decoded(e, e->outputs);
    predictions want = rows_of(decoded(&(effects){.base = e->reference}, NULL));
    predictions got = rows_of(rows);
    out->noise = head_energy(e, true, e->outputs);
    out->harm = output_distance(&want, &got) - base->harm;
    PTQ_TRY(worth_of(e, base->picture, rows, &worth, err));
    out->change = worth - base->worth;
    out->cost = graph_macs(s->g) / graph_macs(base_net_graph(e->base));
    return PTQ_OK;
}

/* The base on one image, keeping what `n` units need. */
static ptq_status run_base(effects *e, const kept_picture *p, const int *units, int n,
                           ptq_error *err)
{
    const suffix_net **served = mem_array((size_t)n, sizeof *served);
    if (!served)
        return error_no_memory(err, (size_t)n * sizeof *served, "a ranking");
    for (int i = 0; i < n; i++)
        served[i] = &e->suffixes[units[i]];
    ptq_status st = base_net_serve(e->base, served, n, err);
    mem_free(served);
    return st == PTQ_OK ? base_net_run(e->base, e->image, p->height, p->width, err) : st;
}

/* How many of the units can be served at once within the memory; at least 1. */
static ptq_status count_served(effects *e, const kept_picture *p, const int *units, int n,
                               int *served, ptq_error *err)
{
    const suffix_net **nets = mem_array((size_t)n, sizeof *nets);
    if (!nets)
        return error_no_memory(err, (size_t)n * sizeof *nets, "a ranking");
    for (int i = 0; i < n; i++)
        nets[i] = &e->suffixes[units[i]];
    size_t bytes = 0;
    ptq_status st = PTQ_OK;
    do {
        *served = n;
        st = base_net_serve(e->base, nets, n, err);
        if (st == PTQ_OK)
            st = base_net_bytes(e->base, p->height, p->width, &bytes, err);
        n = (n + 1) / 2;
    } while (st == PTQ_OK && bytes > e->in.options->memory_bytes && *served > 1);
    mem_free(nets);
    return st;
}

static ptq_status load_picture(effects *e, int image, ptq_error *err)
{
    const kept_picture *p = &e->pictures[image];
    size_t n = 3 * (size_t)p->height * (size_t)p->width;
    if (!p->planes)
        return error_set(err, PTQ_INTERNAL, "picture %d was not kept", image);
    float *values = mem_grow(e->image, &e->image_cap, n + MEM_PAD, sizeof *values);
    if (!values)
        return error_no_memory(err, n * sizeof *values, "a picture");
    e->image = values;
    picture_to_float(p->planes, n, &e->in.options->load.form, values);
    return PTQ_OK;
}

static ptq_status begin_image(effects *e, image_base *base, image_effects *out, ptq_error *err)
{
    if (e->reference != e->base)
        PTQ_TRY(
            base_net_run(e->reference, e->image, base->picture->height, base->picture->width, err));
    const net_output *rows = decoded(e, NULL);
    predictions want = rows_of(decoded(&(effects){.base = e->reference}, NULL));
    predictions got = rows_of(rows);
    base->harm = e->reference == e->base ? 0 : output_distance(&want, &got);
    out->signal = head_energy(e, false, NULL);
    out->base_noise = head_energy(e, true, NULL);
    PTQ_TRY(worth_of(e, base->picture, rows, &base->worth, err));
    if (e->reference == e->base)
        return measure_suffix(e, base, &e->whole, &out->whole, err);
    double worth;
    PTQ_TRY(
        worth_of(e, base->picture, decoded(&(effects){.base = e->reference}, NULL), &worth, err));
    out->whole = (effect){.change = worth - base->worth, .harm = -base->harm};
    return PTQ_OK;
}

ptq_status effects_measure(effects *e, int image, const int *units, int n, image_effects *out,
                           ptq_error *err)
{
    image_base base = {.picture = &e->pictures[image]};
    PTQ_TRY(load_picture(e, image, err));
    for (int first = 0; first < n;) {
        int served = 0;
        PTQ_TRY(count_served(e, base.picture, units + first, n - first, &served, err));
        PTQ_TRY(run_base(e, base.picture, units + first, served, err));
        if (first == 0)
            PTQ_TRY(begin_image(e, &base, out, err));
        for (int i = first; i < first + served; i++) {
            PTQ_TRY(env_check_cancel(e->in.env, err));
            PTQ_TRY(measure_suffix(e, &base, &e->suffixes[units[i]], &out->units[i], err));
        }
        first += served;
    }
    return PTQ_OK;
}
