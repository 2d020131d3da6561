/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/lanes.h"

#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/threads.h"
#include "data/batch_plan.h"
#include "data/dataset_picture.h"
#include "eval/evaluate.h"

enum { NOWHERE = INT_MAX };

/* What an image has come to, until it is its turn to be added. */
typedef struct outcome {
    bool is_done;
    bool is_recalled; /* the detections are from the tape: only the placement is wanted */
    placement place;
    detection *dets; /* own */
    int n_dets;
} outcome;

typedef struct stopwatch {
    double reading_ms, predicting_ms, suppressing_ms;
} stopwatch;

typedef struct lane {
    struct crew *crew;
    int index;
    session *network;
    session_predictor *predictor;
    unsigned char *pixels; /* [3][height][width] of the largest shape */
    float *image;
    stopwatch watch;
} lane;

/* Positions count the images in the plan's order; lanes take them one by one. */
typedef struct crew {
    const lanes_input *in;
    const ptq_env *env;
    const evaluator_options *options;
    batch_plan plan;
    evaluator *judge;
    outcome *outcomes; /* per position */
    lane lanes[LANES_MOST];
    int n_lanes;
    pthread_mutex_t source; /* of dataset_picture() */
    pthread_mutex_t lock; /* over all below, the outcomes that are done, and adding to the judge */
    int next;             /* position that a lane takes next */
    int n_added;
    int failed_at; /* lowest position that failed, or NOWHERE */
    ptq_status failed_status;
    ptq_error failure;
} crew;

bool lanes_fit(const session *network)
{
    const graph *g = session_graph(network);
    const tensor *input = graph_tensor_const(g, graph_input(g, 0));
    return input->is_dynamic || input->shape.rank != 4 || input->shape.dim[0] == 1;
}

static const batch_shape *shape_at(const crew *c, int position)
{
    return &c->plan.batches[position / c->in->pictures->batch_size];
}

static void note_failure(crew *c, int position, ptq_status status, const ptq_error *failure)
{
    if (position >= c->failed_at)
        return;
    c->failed_at = position;
    c->failed_status = status;
    c->failure = *failure;
}

/* ---------------------------------------------------------------- one image */

static ptq_status read_image(lane *l, int position, placement *place, ptq_error *err)
{
    crew *c = l->crew;
    const batch_shape *at = shape_at(c, position);
    const loader_options *o = c->in->pictures;
    picture_target target = {o->image_size, at->height, at->width, o->form};
    double start = clock_ms();
    place->item = c->plan.order[position];
    PTQ_TRY(dataset_picture(c->in->data, &c->source, &target, l->pixels, place, err));
    size_t n = (size_t)3 * (size_t)at->height * (size_t)at->width;
    picture_to_float(l->pixels, n, &o->form, l->image);
    l->watch.reading_ms += clock_ms() - start;
    return PTQ_OK;
}

static ptq_status set_detections(outcome *o, const detection *dets, int n_dets, ptq_error *err)
{
    o->dets = mem_array((size_t)n_dets, sizeof *dets);
    if (!o->dets)
        return error_no_memory(err, (size_t)n_dets * sizeof *dets, "detections");
    memcpy(o->dets, dets, (size_t)n_dets * sizeof *dets);
    o->n_dets = n_dets;
    return PTQ_OK;
}

static ptq_status detect(lane *l, int position, outcome *o, ptq_error *err)
{
    const batch_shape *at = shape_at(l->crew, position);
    batch one = {1, at->height, at->width, l->image, &o->place};
    predictions found;
    const detection *dets;
    int n_dets;
    double start = clock_ms();
    PTQ_TRY(session_predict(l->predictor, &one, &found, err));
    double predicted = clock_ms();
    PTQ_TRY(evaluator_suppress(l->crew->judge, l->index, &found, &dets, &n_dets, err));
    l->watch.predicting_ms += predicted - start;
    l->watch.suppressing_ms += clock_ms() - predicted;
    return set_detections(o, dets, n_dets, err);
}

static ptq_status process(lane *l, int position, ptq_error *err)
{
    outcome *o = &l->crew->outcomes[position];
    PTQ_TRY(read_image(l, position, &o->place, err));
    return o->is_recalled ? PTQ_OK : detect(l, position, o, err);
}

/* ---------------------------------------------------------------- all images */

/* -1: there is none. */
static int take_position(crew *c)
{
    pthread_mutex_lock(&c->lock);
    int position = c->next < c->plan.n_images && c->failed_at == NOWHERE ? c->next++ : -1;
    pthread_mutex_unlock(&c->lock);
    return position;
}

static ptq_status add_outcome(crew *c, int position, ptq_error *err)
{
    outcome *o = &c->outcomes[position];
    const batch_shape *at = shape_at(c, position);
    found_image f = {&o->place, at->height, at->width, o->dets, o->n_dets};
    PTQ_TRY(evaluator_add_found(c->judge, &f, err));
    if (!o->is_recalled)
        found_keep(o->dets, o->n_dets, c->in->kept);
    mem_free(o->dets);
    o->dets = NULL;
    return PTQ_OK;
}

/* Adds all whose turn it is. Called under the lock. */
static void add_outcomes(crew *c)
{
    ptq_error failure;
    while (c->n_added < c->plan.n_images && c->outcomes[c->n_added].is_done) {
        ptq_status status = add_outcome(c, c->n_added, &failure);
        if (status != PTQ_OK) {
            note_failure(c, c->n_added, status, &failure);
            return;
        }
        c->n_added++;
    }
}

static void hand_in(crew *c, int position, ptq_status status, const ptq_error *failure)
{
    pthread_mutex_lock(&c->lock);
    c->outcomes[position].is_done = status == PTQ_OK;
    if (status != PTQ_OK)
        note_failure(c, position, status, failure);
    add_outcomes(c);
    pthread_mutex_unlock(&c->lock);
}

/* What only the caller's thread does. */
static void report(crew *c)
{
    ptq_error failure;
    ptq_status status = env_check_cancel(c->env, &failure);
    pthread_mutex_lock(&c->lock);
    int done = c->n_added;
    if (status != PTQ_OK)
        note_failure(c, c->next, status, &failure);
    pthread_mutex_unlock(&c->lock);
    env_progress(c->env, "evaluating", (size_t)done, (size_t)c->plan.n_images);
}

static void run_lane(void *user, int index)
{
    crew *c = user;
    ptq_error failure;
    for (;;) {
        if (index == 0)
            report(c);
        int position = take_position(c);
        if (position < 0)
            return;
        ptq_status status = process(&c->lanes[index], position, &failure);
        hand_in(c, position, status, &failure);
    }
}

static ptq_status recall(crew *c, ptq_error *err)
{
    size_t most = (size_t)c->options->max_det;
    detection *dets = mem_array(most, sizeof *dets);
    if (!dets)
        return error_no_memory(err, most * sizeof *dets, "detections");
    ptq_status status = PTQ_OK;
    for (int i = 0, n; i < c->plan.n_images && status == PTQ_OK; i++) {
        if (!evaluator_recall_found(c->judge, c->in->kept, dets, &n))
            break;
        status = set_detections(&c->outcomes[i], dets, n, err);
        c->outcomes[i].is_recalled = true;
    }
    mem_free(dets);
    return status;
}

/* ---------------------------------------------------------------- the crew */

static size_t largest_image(const batch_plan *p)
{
    size_t most = 0;
    for (int b = 0; b < p->n_batches; b++) {
        size_t n = (size_t)3 * (size_t)p->batches[b].height * (size_t)p->batches[b].width;
        most = n > most ? n : most;
    }
    return most;
}

static ptq_status open_lane(crew *c, int threads, ptq_error *err)
{
    lane *l = &c->lanes[c->n_lanes];
    size_t n = largest_image(&c->plan);
    *l = (lane){.crew = c, .index = c->n_lanes++};
    l->pixels = mem_alloc_aligned(n);
    l->image = mem_alloc_aligned(n * sizeof *l->image);
    if (!l->pixels || !l->image)
        return error_no_memory(err, n * sizeof *l->image, "an image");
    PTQ_TRY(session_create_beside(c->in->network, threads, &l->network, err));
    return session_predictor_create(l->network, &l->predictor, err);
}

static ptq_status open_lanes(crew *c, ptq_error *err)
{
    int threads = env_threads(c->env), n = threads < LANES_MOST ? threads : LANES_MOST;
    n = n < c->plan.n_images ? n : c->plan.n_images;
    for (int i = 0; i < n; i++)
        PTQ_TRY(open_lane(c, threads / n, err));
    return PTQ_OK;
}

static void close_crew(crew *c)
{
    for (int i = 0; i < c->n_lanes; i++) {
        session_predictor_destroy(c->lanes[i].predictor);
        session_destroy(c->lanes[i].network);
        mem_free(c->lanes[i].pixels);
        mem_free(c->lanes[i].image);
    }
    for (int i = 0; c->outcomes && i < c->plan.n_images; i++)
        mem_free(c->outcomes[i].dets);
    mem_free(c->outcomes);
    evaluator_destroy(c->judge);
    batch_plan_clear(&c->plan);
    pthread_mutex_destroy(&c->source);
    pthread_mutex_destroy(&c->lock);
}

static ptq_status open_crew(crew *c, ptq_error *err)
{
    pthread_mutex_init(&c->source, NULL);
    pthread_mutex_init(&c->lock, NULL);
    PTQ_TRY(batch_plan_make(c->in->data, c->in->pictures, &c->plan, err));
    c->outcomes = mem_array((size_t)c->plan.n_images, sizeof *c->outcomes);
    if (!c->outcomes)
        return error_no_memory(err, (size_t)c->plan.n_images * sizeof *c->outcomes, "the images");
    PTQ_TRY(evaluator_create(c->in->data, c->options, c->env, &c->judge, err));
    PTQ_TRY(open_lanes(c, err));
    return recall(c, err);
}

static ptq_status run_crew(crew *c, evaluation **out, ptq_error *err)
{
    threads_run(c->n_lanes, run_lane, c);
    report(c);
    if (c->failed_at != NOWHERE) {
        if (err)
            *err = c->failure;
        return c->failed_status;
    }
    PTQ_TRY(evaluator_finish(c->judge, out, err));
    double share = 1.0 / c->plan.n_images / c->n_lanes;
    for (int i = 0; i < c->n_lanes; i++) {
        (*out)->preprocess_ms += c->lanes[i].watch.reading_ms * share;
        (*out)->inference_ms += c->lanes[i].watch.predicting_ms * share;
        (*out)->nms_ms += c->lanes[i].watch.suppressing_ms * share;
    }
    return PTQ_OK;
}

ptq_status evaluate_in_lanes(const lanes_input *in, const evaluator_options *options,
                             const ptq_env *env, evaluation **out, ptq_error *err)
{
    crew *c = mem_zalloc(sizeof *c);
    if (!c)
        return error_no_memory(err, sizeof *c, "evaluating");
    c->in = in;
    c->env = env;
    c->options = options;
    c->failed_at = NOWHERE;
    ptq_status status = open_crew(c, err);
    if (status == PTQ_OK)
        status = run_crew(c, out, err);
    close_crew(c);
    mem_free(c);
    return status;
}
