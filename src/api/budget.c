/* SPDX-License-Identifier: Apache-2.0 */
/* Accuracy against time: every point of a search is built and measured, with all the conversions
 * between precisions that it has, on this machine. Accuracy comes from the calibration images:
 * nothing looks at those that judge the result. */
#include <string.h>

#include "api/improve.h"
#include "api/measure.h"
#include "api/resume.h"
#include "api/timing.h"
#include "base/mem.h"
#include "eval/fidelity.h"
#include "passes/passes.h"

enum { TIMED_RUNS = 15, DROP_IMAGES = 128 };

typedef struct point {
    double latency_ms;
    double accuracy; /* mAP or fidelity, when a drop is bounded */
} point;

typedef struct front {
    const improve_job *j;
    const qplan *plan;
    const keep_path *path;
    bool needs_accuracy;
    bool is_fidelity;
    protocol protocol;
    evaluation *original; /* the float network */
    double baseline;
    point *points; /* path->n_steps + 1 */
    int n_points;
} front;

static ptq_status accuracy_of(const front *f, evaluation *e, double *accuracy, ptq_error *err)
{
    *accuracy = e->map50_95;
    if (!f->is_fidelity)
        return PTQ_OK;
    PTQ_TRY(fidelity_judge(&f->original->records, &e->records, err));
    return records_map(&e->records, accuracy, err);
}

static ptq_status time_session(const front *f, session *s, double *ms, ptq_error *err)
{
    tape *kept = f->j->kept;
    if (tape_recall(kept, "latency", ms, sizeof *ms))
        return PTQ_OK;
    int size = f->j->setup->image_size;
    shape one = shape4(1, 3, size, size);
    tensor_view input = {0};
    run_times times = {.n = TIMED_RUNS};
    PTQ_TRY(noise_input(&one, &input, err));
    ptq_status status = time_runs(s, &input, &f->j->call->env, &times, err);
    mem_free(input.data);
    *ms = times.median;
    if (status == PTQ_OK)
        tape_keep(kept, "latency", ms, sizeof *ms);
    return status;
}

static ptq_status measure_graph(front *f, const graph *g, ptq_precision how, point *p,
                                ptq_error *err)
{
    const ptq_env *env = &f->j->call->env;
    session_request request = {.graph = g, .precision = how};
    session *s;
    evaluation *e = NULL;
    PTQ_TRY(api_session(&request, env, &s, err));
    ptq_status status = time_session(f, s, &p->latency_ms, err);
    if (status == PTQ_OK && f->needs_accuracy)
        status = measure_session(&f->protocol, s, env, &e, err);
    session_destroy(s);
    if (e && !f->original)
        f->original = e;
    if (status == PTQ_OK && e)
        status = accuracy_of(f, e, &p->accuracy, err);
    if (e != f->original)
        evaluation_destroy(e);
    return status;
}

static ptq_status measure_point(front *f, int n_steps, ptq_error *err)
{
    const improve_job *j = f->j;
    const graph *from = *j->recovered ? *j->recovered : j->model->clean;
    qplan plan;
    graph *g = NULL;
    PTQ_TRY(keep_path_plan(f->path, n_steps, from, f->plan, &plan, err));
    ptq_status status = graph_copy(from, &g, err);
    if (status == PTQ_OK)
        status = pass_insert_qdq(g, &plan, err);
    if (status == PTQ_OK)
        status = measure_graph(f, g, PTQ_PRECISION_INT8, &f->points[n_steps], err);
    graph_destroy(g);
    mem_free(plan.entries);
    mem_free(plan.extras);
    return status;
}

static ptq_status measure_front(front *f, ptq_error *err)
{
    const improve_job *j = f->j;
    f->points = mem_array((size_t)f->path->n_steps + 1, sizeof *f->points);
    if (!f->points)
        return error_no_memory(err, 0, "a front");
    point original = {0};
    if (f->needs_accuracy) {
        ptq_data_options data = j->options->data;
        data.split = "train";
        data.limit = DROP_IMAGES;
        data.rect = false;
        data.image_size = j->setup->image_size;
        data.unlabelled = f->is_fidelity;
        PTQ_TRY(protocol_open(&f->protocol, &data, j->model, &j->call->env, err));
        f->protocol.kept = j->kept;
        resume_bind_images(j->kept, f->protocol.data);
        PTQ_TRY(measure_graph(f, j->model->clean, PTQ_PRECISION_FP32, &original, err));
        f->baseline = original.accuracy;
    }
    for (int i = 0; i <= f->path->n_steps; i++) {
        env_progress(&j->call->env, "measuring points", (size_t)i, (size_t)f->path->n_steps + 1);
        PTQ_TRY(measure_point(f, i, err));
        f->n_points++;
    }
    env_progress(&j->call->env, "measuring points", 1, 1);
    return PTQ_OK;
}

static double drop_at(const front *f, int i)
{
    return f->baseline - f->points[i].accuracy;
}

/* The point of least movement that is fast enough; of those that are, the first whose drop is
 * allowed. -1: none is fast enough. */
static int choose(const front *f)
{
    const ptq_quantize_options *o = f->j->options;
    int best = -1;
    for (int i = 0; i < f->n_points; i++) {
        if (o->max_ms > 0 && f->points[i].latency_ms > o->max_ms)
            continue;
        best = i;
        if (f->needs_accuracy && drop_at(f, i) <= o->max_drop)
            return i;
    }
    return best;
}

static json_t *point_json(const front *f, int i)
{
    json_t *o = json_object();
    const keep_path *p = f->path;
    put_int(o, "kept", i > 0 ? p->steps[i - 1].first + p->steps[i - 1].n : 0);
    put_real(o, "movement", i > 0 ? p->steps[i - 1].movement : p->movement);
    put_real(o, "latency_ms", f->points[i].latency_ms);
    if (f->needs_accuracy)
        put_real(o, "drop", drop_at(f, i));
    bool is_best = true;
    for (int k = 0; k < i; k++)
        is_best = is_best && f->points[k].latency_ms < f->points[i].latency_ms;
    for (int k = i + 1; k < f->n_points; k++)
        is_best = is_best && f->points[k].latency_ms > f->points[i].latency_ms;
    put_bool(o, "pareto", is_best || i == 0);
    return o;
}

/* --exclude of these gives the same layers. */
static json_t *exclude_json(const front *f, int n_steps)
{
    json_t *list = json_array();
    for (int i = 0; i < n_steps; i++)
        for (int k = 0; k < f->path->steps[i].n; k++) {
            int entry = f->path->entries[f->path->steps[i].first + k];
            json_array_append_new(list, json_sprintf("\\Q%s\\E$", f->plan->entries[entry].layer));
        }
    return list;
}

static ptq_status settle(front *f, keep_path *path, ptq_error *err)
{
    json_t *list = json_array(), *result = f->j->call->result;
    for (int i = 0; i < f->n_points; i++)
        json_array_append_new(list, point_json(f, i));
    put(result, "front", list);
    int chosen = f->j->options->keep16 > 0 ? f->n_points - 1 : choose(f);
    if (chosen < 0)
        return error_set(err, PTQ_USAGE,
                         "no choice of layers runs within %g ms here; with all in 8 bit it takes "
                         "%.2f ms",
                         f->j->options->max_ms, f->points[0].latency_ms);
    put_int(result, "chosen", chosen);
    put(result, "exclude", exclude_json(f, chosen));
    keep_path_cut(path, chosen);
    return PTQ_OK;
}

ptq_status choose_point(const improve_job *j, const qplan *plan, keep_path *path, ptq_error *err)
{
    front f = {.j = j,
               .plan = plan,
               .path = path,
               .needs_accuracy = j->options->max_drop >= 0 && j->options->keep16 == 0,
               .is_fidelity = strcmp(j->options->metric, "fidelity") == 0};
    ptq_status status = measure_front(&f, err);
    if (status == PTQ_OK)
        status = settle(&f, path, err);
    evaluation_destroy(f.original);
    protocol_close(&f.protocol);
    mem_free(f.points);
    return status;
}
