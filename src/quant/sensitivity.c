/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/sensitivity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "eval/evaluate.h"
#include "passes/passes.h"
#include "quant/draw.h"
#include "quant/head_probe.h"
#include "quant/map_resample.h"
#include "quant/pseudo_labels.h"
#include "quant/race.h"
#include "quant/sensitivity_race.h"

/* What the float network's raw outputs may take; the first images are compared. */
enum { PROBE_BYTES = 256 << 20 };

typedef struct ranker {
    const sensitivity_job *job;
    const sensitivity_options *options;
    const ptq_env *env;
    ptq_env quiet; /* the evaluations inside show no progress of their own */
    unit_list units;
    loader *images;
    head_probe *probe;
    dataset *own_labels; /* SENSITIVITY_FIDELITY: what the float network detects */
    double baseline;
    double *base_draws; /* the metric of the baseline on every draw */
    double *draws;
} ranker;

void sensitivity_options_init(sensitivity_options *o)
{
    *o = (sensitivity_options){
        .load = {.image_size = 640, .batch_size = 4, .stride = 32, .pad = 0.5, .rect = true},
        .eval = evaluator_options_default(),
        .confidence = 0.95,
        .n_draws = 200,
        .top = 10,
        .memory_bytes = SENSITIVITY_MEMORY};
}

/* ---------------------------------------------------------------- one network */

static ptq_status lower_copy(const ranker *r, const qplan *plan, graph **out, ptq_error *err)
{
    graph *g;
    PTQ_TRY(graph_copy(r->job->g, &g, err));
    ptq_status st = pass_insert_qdq(g, plan, err);
    if (st == PTQ_OK)
        st = pass_append_detections(g, err);
    if (st == PTQ_OK)
        st = pass_lower(
            g, &(lower_options){.precision = PRECISION_FP32, .keep = head_probe_names(r->probe)},
            err);
    if (st == PTQ_OK)
        *out = g;
    else
        graph_destroy(g);
    return st;
}

static ptq_status open_session(const ranker *r, const qplan *plan, session **out, ptq_error *err)
{
    cpu_level level;
    graph *g;
    PTQ_TRY(cpu_level_parse(r->env ? r->env->cpu : NULL, &level, err));
    PTQ_TRY(lower_copy(r, plan, &g, err));
    /* rectangular batches come sorted by shape: the sizes before are not needed again */
    session_options options = {.threads = env_threads(r->env),
                               .level = level,
                               .taps = head_probe_names(r->probe),
                               .n_taps = head_probe_n_names(r->probe),
                               .max_engines = 2};
    ptq_status st = session_create(g, &options, out, err);
    graph_destroy(g);
    if (st == PTQ_OK)
        session_set_tap(*out, head_probe_tap, r->probe);
    return st;
}

/* Runs until the probe has seen enough. */
static ptq_status run_probe(const ranker *r, session_predictor *p, ptq_error *err)
{
    PTQ_TRY(loader_rewind(r->images, err));
    while (!head_probe_is_done(r->probe)) {
        const batch *b;
        predictions ignored;
        PTQ_TRY(env_check_cancel(r->env, err));
        PTQ_TRY(loader_next(r->images, &b, err));
        if (!b)
            break;
        PTQ_TRY(session_predict(p, b, &ignored, err));
    }
    return PTQ_OK;
}

/* `truth` NULL: only the probe's numbers are wanted, *out is not set. */
static ptq_status run_network(const ranker *r, const qplan *plan, const dataset *truth,
                              evaluation **out, ptq_error *err)
{
    session *s = NULL;
    session_predictor *p = NULL;
    head_probe_begin(r->probe);
    PTQ_TRY(open_session(r, plan, &s, err));
    ptq_status st = session_predictor_create(s, &p, err);
    evaluate_input in = {truth, r->images, session_predict, p, NULL};
    if (st == PTQ_OK && truth)
        st = evaluate(&in, &r->options->eval, &r->quiet, out, err);
    else if (st == PTQ_OK)
        st = run_probe(r, p, err);
    if (st == PTQ_OK)
        st = head_probe_status(r->probe, err);
    session_predictor_destroy(p);
    session_destroy(s);
    return st;
}

/* The network of unit `index`, UNIT_NONE: the baseline of the mode. */
static ptq_status run_unit(const ranker *r, sensitivity_mode mode, int index, const dataset *truth,
                           evaluation **out, ptq_error *err)
{
    qplan plan;
    PTQ_TRY(units_plan(r->job, &r->units, mode, index, &plan, err));
    ptq_status st = run_network(r, &plan, truth, out, err);
    mem_free(plan.entries);
    mem_free(plan.extras);
    return st;
}

/* The truth the metric compares with; NULL when it needs none. */
static const dataset *metric_truth(const ranker *r)
{
    switch (r->options->metric) {
    case SENSITIVITY_MAP:
        return r->job->data;
    case SENSITIVITY_FIDELITY:
        return r->own_labels;
    case SENSITIVITY_SQNR:
        break;
    }
    return NULL;
}

/* ---------------------------------------------------------------- scores and intervals */

/* The metric on every draw: mAP of the records, or SQNR of the probe's images. */
static ptq_status draw_scores(const ranker *r, const evaluation *e, double *scores, ptq_error *err)
{
    int n = r->options->n_draws;
    if (e)
        return map_resample(&e->records, n, env_threads(r->env), scores, err);
    int n_images = head_probe_n_images(r->probe);
    int *weights = mem_array((size_t)n_images, sizeof *weights);
    if (!weights)
        return error_no_memory(err, (size_t)n_images * sizeof *weights, "a bootstrap");
    for (int i = 0; i < n; i++) {
        draw_weights(weights, n_images, i);
        scores[i] = head_probe_sqnr(r->probe, weights);
    }
    mem_free(weights);
    return PTQ_OK;
}

static double score_of(const ranker *r, const evaluation *e)
{
    return e ? e->map50_95 : head_probe_sqnr(r->probe, NULL);
}

/* Only how the difference to the baseline varies tells layers apart. */
static void set_interval(const ranker *r, sensitivity_layer *layer)
{
    int n = r->options->n_draws;
    layer->low = layer->high = layer->score;
    if (n == 0)
        return;
    for (int i = 0; i < n; i++)
        r->draws[i] -= r->base_draws[i];
    interval d = resample_interval(r->draws, n, r->options->confidence);
    if (r->baseline + d.low < layer->low)
        layer->low = r->baseline + d.low;
    if (r->baseline + d.high > layer->high)
        layer->high = r->baseline + d.high;
}

static ptq_status measure_unit(const ranker *r, int index, sensitivity_layer *layer, ptq_error *err)
{
    evaluation *e = NULL;
    PTQ_TRY(run_unit(r, r->options->mode, index, metric_truth(r), &e, err));
    layer->score = score_of(r, e);
    layer->sqnr_db = head_probe_sqnr(r->probe, NULL);
    layer->evaluations = r->job->data->n_items;
    bool only = r->options->mode == SENSITIVITY_ONLY;
    layer->drop = only ? r->baseline - layer->score : layer->score - r->baseline;
    ptq_status st = draw_scores(r, e, r->draws, err);
    if (st == PTQ_OK)
        set_interval(r, layer);
    evaluation_destroy(e);
    return st;
}

/* The float network comes first: the probe's reference, and its detections the labels of fidelity.
 * Then what the metric compares with. */
static ptq_status measure_baseline(ranker *r, ptq_error *err)
{
    evaluation *e = NULL;
    const sensitivity_job *job = r->job;
    bool only = r->options->mode == SENSITIVITY_ONLY;
    bool is_own = r->options->metric == SENSITIVITY_FIDELITY;
    bool is_baseline = only && r->options->metric == SENSITIVITY_MAP;
    const dataset *truth = is_own || is_baseline ? job->data : NULL;
    PTQ_TRY(run_unit(r, SENSITIVITY_ONLY, UNIT_NONE, truth, &e, err));
    ptq_status st = PTQ_OK;
    if (is_own)
        st = pseudo_labels_create(job->data, &e->records, &r->own_labels, err);
    if (st == PTQ_OK && !is_baseline) {
        evaluation_destroy(e);
        e = NULL;
        st = run_unit(r, r->options->mode, UNIT_NONE, metric_truth(r), &e, err);
    }
    if (st == PTQ_OK) {
        r->baseline = score_of(r, e);
        st = draw_scores(r, e, r->base_draws, err);
    }
    evaluation_destroy(e);
    return st;
}

/* ---------------------------------------------------------------- the ranking */

static bool recall_layer(const journal *j, sensitivity_layer *l)
{
    const json_t *o = journal_find(j, l->name);
    double score, low, high, drop, sqnr_db;
    int evaluations;
    if (!o || json_unpack((json_t *)(uintptr_t)o, "{s:F,s:F,s:F,s:F,s:F,s:i}", "score", &score,
                          "low", &low, "high", &high, "drop", &drop, "sqnr_db", &sqnr_db,
                          "evaluations", &evaluations) != 0)
        return false;
    l->score = score;
    l->low = low;
    l->high = high;
    l->drop = drop;
    l->sqnr_db = sqnr_db;
    l->evaluations = evaluations;
    return true;
}

static ptq_status note_layer(journal *j, const sensitivity_layer *l, ptq_error *err)
{
    return journal_store(j, l->name,
                         json_pack("{s:f,s:f,s:f,s:f,s:f,s:i}", "score", l->score, "low", l->low,
                                   "high", l->high, "drop", l->drop, "sqnr_db", l->sqnr_db,
                                   "evaluations", l->evaluations),
                         err);
}

/* What ranks tell each other of a layer. */
typedef struct layer_figures {
    double score, low, high, drop, sqnr_db;
    int evaluations;
} layer_figures;

/* A round: missing[first ...], one for each rank. */
static ptq_status measure_round(const ranker *r, const int *missing, int n, journal *j,
                                sensitivity *s, ptq_error *err)
{
    int ranks = env_n_ranks(r->env), rank = env_rank(r->env);
    layer_figures mine = {0}, *all = mem_array((size_t)ranks, sizeof *all);
    if (!all)
        return error_no_memory(err, (size_t)ranks * sizeof *all, "a ranking");
    ptq_status st = env_check_cancel(r->env, err);
    if (st == PTQ_OK && rank < n) {
        sensitivity_layer *l = &s->layers[missing[rank]];
        st = measure_unit(r, missing[rank], l, err);
        mine = (layer_figures){l->score, l->low, l->high, l->drop, l->sqnr_db, l->evaluations};
    }
    if (st == PTQ_OK)
        st = env_gather(r->env, &mine, sizeof mine, all, err);
    for (int k = 0; k < n && st == PTQ_OK; k++) {
        sensitivity_layer *l = &s->layers[missing[k]];
        l->score = all[k].score;
        l->low = all[k].low;
        l->high = all[k].high;
        l->drop = all[k].drop;
        l->sqnr_db = all[k].sqnr_db;
        l->evaluations = all[k].evaluations;
        st = note_layer(j, l, err);
    }
    mem_free(all);
    return st;
}

static ptq_status measure_missing(const ranker *r, const int *missing, int n, journal *j,
                                  sensitivity *s, ptq_error *err)
{
    int ranks = env_n_ranks(r->env), done = r->units.n - n;
    for (int first = 0; first < n; first += ranks) {
        int left = n - first;
        PTQ_TRY(measure_round(r, missing + first, left < ranks ? left : ranks, j, s, err));
        env_progress(r->env, "ranking layers", (size_t)(done + (left < ranks ? n : first + ranks)),
                     (size_t)r->units.n);
    }
    return PTQ_OK;
}

static ptq_status measure_units(const ranker *r, journal *j, sensitivity *s, ptq_error *err)
{
    int n = 0, *missing = mem_array((size_t)r->units.n, sizeof *missing);
    ptq_status st = missing ? PTQ_OK : error_no_memory(err, 0, "a ranking");
    for (int i = 0; i < r->units.n && st == PTQ_OK; i++) {
        sensitivity_layer *layer = &s->layers[i];
        layer->op = r->units.items[i].op;
        layer->name = mem_strdup(r->units.items[i].name);
        if (!layer->name)
            st = error_no_memory(err, 0, "a ranking");
        else
            s->n_layers++;
        if (st == PTQ_OK && !recall_layer(j, layer))
            missing[n++] = i;
    }
    if (st == PTQ_OK)
        st = measure_missing(r, missing, n, j, s, err);
    mem_free(missing);
    return st;
}

static int compare_layers(const void *a, const void *b)
{
    const sensitivity_layer *x = a;
    const sensitivity_layer *y = b;
    if (x->drop != y->drop)
        return x->drop > y->drop ? -1 : 1;
    if (x->movement != y->movement)
        return x->movement > y->movement ? -1 : 1;
    if (x->sqnr_db != y->sqnr_db)
        return x->sqnr_db < y->sqnr_db ? -1 : 1;
    return strcmp(x->name, y->name);
}

static ptq_status prepare(ranker *r, ptq_error *err)
{
    const sensitivity_job *job = r->job;
    size_t n = (size_t)r->options->n_draws;
    loader_options load = r->options->load;
    load.cache = true;
    if (r->env)
        r->quiet = *r->env;
    r->quiet.progress = NULL;
    r->base_draws = mem_array(n, sizeof *r->base_draws);
    r->draws = mem_array(n, sizeof *r->draws);
    if (!r->base_draws || !r->draws)
        return error_no_memory(err, n * sizeof *r->draws, "a ranking");
    PTQ_TRY(head_probe_create(job->g, job->points, PROBE_BYTES, &r->probe, err));
    return loader_open(job->data, &load, r->env, &r->images, err);
}

static void clear(ranker *r)
{
    loader_close(r->images);
    head_probe_destroy(r->probe);
    pseudo_labels_destroy(r->own_labels);
    units_clear(&r->units);
    mem_free(r->base_draws);
    mem_free(r->draws);
}

/* Half way between the last of the worst and the first of the others; the images needed grow with
 * the square of the width an interval must lose. */
static void settle_layers(sensitivity *s, int top, int n_images)
{
    double sign = s->layers[0].drop == s->baseline - s->layers[0].score ? -1 : 1;
    double cut = top < s->n_layers ? (s->layers[top - 1].score + s->layers[top].score) / 2 : 0;
    for (int i = 0; i < s->n_layers; i++) {
        sensitivity_layer *l = &s->layers[i];
        double distance = (cut - l->score) * (i < top ? -sign : sign);
        double half = (i < top) == (sign < 0) ? l->high - l->score : l->score - l->low;
        l->is_clear = top >= s->n_layers || l->high < cut || l->low > cut;
        l->n_needed = distance != 0 ? n_images * (half / distance) * (half / distance) : INFINITY;
    }
}

/* Every network on every image. */
static ptq_status rank_all(ranker *r, journal *j, sensitivity *s, ptq_error *err)
{
    PTQ_TRY(prepare(r, err));
    env_progress(r->env, "ranking layers", 0, (size_t)r->units.n);
    PTQ_TRY(measure_baseline(r, err));
    PTQ_TRY(measure_units(r, j, s, err));
    s->baseline = r->baseline;
    return PTQ_OK;
}

static ptq_status rank(ranker *r, journal *j, sensitivity *s, ptq_error *err)
{
    const sensitivity_options *o = r->options;
    PTQ_TRY(units_list(r->job, o->by_block, &r->units, err));
    s->layers = mem_array((size_t)r->units.n, sizeof *s->layers);
    if (!s->layers)
        return error_no_memory(err, (size_t)r->units.n * sizeof *s->layers, "a ranking");
    if (o->exhaustive)
        PTQ_TRY(rank_all(r, j, s, err));
    else
        PTQ_TRY(sensitivity_race(&(race_input){r->job, o, &r->units, r->env, j}, s, err));
    s->n_images = r->job->data->n_items;
    qsort(s->layers, (size_t)s->n_layers, sizeof *s->layers, compare_layers);
    if (o->exhaustive && s->n_layers > 0)
        settle_layers(s, o->top, s->n_images);
    return PTQ_OK;
}

/* All ranks read what the first one has locked, before it writes. */
static ptq_status open_journal(const ranker *r, journal *j, ptq_error *err)
{
    sensitivity_options o = *r->options;
    char mine = 0, *all = mem_array((size_t)env_n_ranks(r->env), 1);
    if (!all)
        return error_no_memory(err, 1, "a journal");
    o.only_reads_journal = env_rank(r->env) > 0;
    ptq_status st = o.only_reads_journal ? env_gather(r->env, &mine, 1, all, err) : PTQ_OK;
    if (st == PTQ_OK)
        st = journal_open(j, r->job, &o, err);
    if (st == PTQ_OK && !o.only_reads_journal) {
        st = env_gather(r->env, &mine, 1, all, err);
        if (st != PTQ_OK)
            journal_close(j);
    }
    mem_free(all);
    return st;
}

ptq_status sensitivity_rank(const sensitivity_job *job, const sensitivity_options *options,
                            const ptq_env *env, sensitivity **out, ptq_error *err)
{
    double start = clock_ms();
    ranker r = {.job = job, .options = options, .env = env};
    journal j;
    if (!(options->confidence > 0 && options->confidence < 1) || options->n_draws < 0)
        return error_set(err, PTQ_USAGE, "confidence %g is not in (0,1)", options->confidence);
    if (options->top < 1)
        return error_set(err, PTQ_USAGE, "the worst %d layers cannot be found", options->top);
    PTQ_TRY(open_journal(&r, &j, err));
    sensitivity *s = mem_zalloc(sizeof *s);
    ptq_status st = s ? PTQ_OK : error_no_memory(err, sizeof *s, "a ranking");
    if (st == PTQ_OK)
        st = rank(&r, &j, s, err);
    if (st == PTQ_OK) {
        s->metric = options->metric;
        s->elapsed_ms = clock_ms() - start;
        *out = s;
    } else {
        sensitivity_destroy(s);
    }
    clear(&r);
    journal_close(&j);
    return st;
}

void sensitivity_destroy(sensitivity *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n_layers; i++)
        mem_free(s->layers[i].name);
    mem_free(s->layers);
    mem_free(s);
}

/* ---------------------------------------------------------------- JSON */

json_t *sensitivity_write_json(const sensitivity *s, int top)
{
    json_t *layers = json_array();
    json_t *names = json_array();
    for (int i = 0; i < s->n_layers; i++) {
        const sensitivity_layer *l = &s->layers[i];
        bool is_known = isfinite(l->n_needed) && l->n_needed < INT32_MAX;
        json_array_append_new(
            layers, json_pack("{s:s,s:s,s:f,s:f,s:f,s:f,s:f,s:b,s:o,s:i}", "name", l->name, "op",
                              l->op, "score", l->score, "drop", l->drop, "low", l->low, "high",
                              l->high, "sqnr_db", l->sqnr_db, "clear", l->is_clear, "images_needed",
                              is_known ? json_integer((json_int_t)ceil(l->n_needed)) : json_null(),
                              "evaluations", l->evaluations));
        if (i < top)
            json_array_append_new(names, json_string(l->name));
    }
    return json_pack("{s:f,s:i,s:o,s:o,s:f}", "baseline", s->baseline, "images", s->n_images,
                     "layers", layers, "top", names, "elapsed_ms", s->elapsed_ms);
}
