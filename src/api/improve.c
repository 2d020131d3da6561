/* SPDX-License-Identifier: Apache-2.0 */
#include "api/improve.h"

#include <string.h>

#include "api/resume.h"
#include "quant/equalize.h"
#include "quant/range_search.h"
#include "quant/recover.h"

/* What the efforts mean: images that weights are fitted on, and that trials are held on, for
 * networks up to LIGHT; heavier ones get fewer, so that it stays minutes. And the second moments of
 * a layer that is still fitted. */
typedef struct effort {
    const char *name;
    int fit_images, trial_images;
    size_t most_bytes;
} effort;

static const effort EFFORTS[] = {{"quick", 0, 12, 0},
                                 {"default", 64, 12, (size_t)24 << 20},
                                 {"thorough", 256, 32, (size_t)400 << 20}};
enum { LEAST_FIT = 16, LEAST_TRIAL = 2 };
#define LIGHT 3e9 /* multiply-accumulates per image */

/* At most this share of the layers stays in 16 bit without being asked for; under a budget, this.
 */
enum { KEEP_PERCENT = 9, BUDGET_PERCENT = 25 };
/* Unasked, layers are kept until boxes overlap by 98 %. Every change of a layer rolls the roundings
 * behind it anew, which moves the movement by a percent or two: a step that seems to lose so little
 * may be a gain. */
#define KEEP_GAIN -0.02
#define KEEP_ENOUGH 0.02

static const effort *effort_of(const improve_job *j)
{
    for (size_t i = 0; i < sizeof EFFORTS / sizeof EFFORTS[0]; i++)
        if (strcmp(j->options->effort, EFFORTS[i].name) == 0)
            return &EFFORTS[i];
    return &EFFORTS[0];
}

/* `n` images for a light network, fewer for this one. */
static ptq_status scale_images(const improve_job *j, int n, int least, int *out, ptq_error *err)
{
    graph *g;
    int size = j->setup->image_size;
    shape one = shape4(1, 3, size, size);
    PTQ_TRY(graph_copy(j->model->clean, &g, err));
    ptq_status status = graph_set_input_shape(g, &one, err);
    double macs = status == PTQ_OK ? graph_macs(g) : 0;
    graph_destroy(g);
    int fewer = macs > LIGHT ? (int)(n * LIGHT / macs) : n;
    *out = fewer > least ? fewer : least;
    return status;
}

/* Not when the original is to be followed, or its float weights restored. */
static bool can_fit_weights(const improve_job *j)
{
    return effort_of(j)->fit_images > 0 && !j->on_codes && !j->options->quant.compat_pytorch &&
           !j->options->quant.float_weights;
}

static bool has_budget(const improve_job *j)
{
    const ptq_quantize_options *o = j->options;
    return o->keep16 > 0 || o->max_ms > 0 || (o->max_drop >= 0 && effort_of(j)->fit_images > 0);
}

static ptq_status fit_weights_of(const improve_job *j, qplan *plan, const dataset *images,
                                 ptq_error *err)
{
    json_t *report = NULL;
    int n_images = 0;
    PTQ_TRY(scale_images(j, effort_of(j)->fit_images, LEAST_FIT, &n_images, err));
    recover_input in = {.points = &j->setup->points,
                        .images = images,
                        .image_size = j->setup->image_size,
                        .n_images = n_images,
                        .is_half = j->is_half,
                        .most_bytes = effort_of(j)->most_bytes,
                        .kept = j->kept,
                        .env = &j->call->env};
    PTQ_TRY(recover_weights(&in, *j->recovered, plan, &report, err));
    put(j->call->result, "recovered", report);
    return PTQ_OK;
}

static void mark_kept(const improve_job *j, const qplan *plan, const keep_path *path)
{
    for (int i = 0; i < path->n_entries; i++)
        for (int k = 0; k < j->setup->points.n; k++) {
            quant_point *p = &j->setup->points.items[k];
            if (p->is_extra || strcmp(p->layer, plan->entries[path->entries[i]].layer) != 0)
                continue;
            p->kept = QUANT_KEPT_SEARCH;
            p->group = -1;
        }
}

/* How many layers the search may keep. */
static int most_layers(const improve_job *j, const qplan *plan)
{
    if (j->options->keep16 > 0)
        return j->options->keep16;
    return plan->n_entries * (has_budget(j) ? BUDGET_PERCENT : KEEP_PERCENT) / 100;
}

static ptq_status keep_layers(const improve_job *j, qplan *plan, trials *t, ptq_error *err)
{
    bool is_asked = has_budget(j);
    const graph *g = *j->recovered ? *j->recovered : j->model->clean;
    keep_input in = {.trials = t,
                     .g = g,
                     .plan = plan,
                     .most = most_layers(j, plan),
                     .least_gain = is_asked ? -1 : KEEP_GAIN,
                     .enough = is_asked ? -1 : KEEP_ENOUGH,
                     .env = &j->call->env};
    keep_path path;
    PTQ_TRY(keep_search(&in, &path, err));
    put(j->call->result, "search", keep_path_write_json(&path, plan));
    ptq_status status = is_asked ? choose_point(j, plan, &path, err) : PTQ_OK;
    if (status == PTQ_OK) {
        mark_kept(j, plan, &path);
        keep_path_apply(&path, g, plan);
    }
    keep_path_clear(&path);
    return status;
}

static ptq_status equalize_channels(const improve_job *j, qplan *plan, const dataset *images,
                                    trials *t, ptq_error *err)
{
    json_t *report = NULL;
    equalize_input in = {.trials = t,
                         .points = &j->setup->points,
                         .images = images,
                         .image_size = j->setup->image_size,
                         .env = &j->call->env};
    PTQ_TRY(graph_copy(j->model->clean, j->recovered, err));
    PTQ_TRY(equalize(&in, *j->recovered, plan, &report, err));
    put(j->call->result, "equalized", report);
    return graph_copy(*j->recovered, j->equalized, err);
}

static ptq_status search_ranges(const improve_job *j, qplan *plan, trials *t, ptq_error *err)
{
    json_t *report = NULL;
    range_input in = {.trials = t,
                      .g = *j->recovered,
                      .points = &j->setup->points,
                      .ranges = j->setup->ranges,
                      .options = &j->setup->options,
                      .env = &j->call->env};
    PTQ_TRY(range_search(&in, plan, &report, err));
    put(j->call->result, "searched_ranges", report);
    return PTQ_OK;
}

static ptq_status improve_with(const improve_job *j, qplan *plan, const dataset *images,
                               ptq_error *err)
{
    trials *t;
    int n_images = 0;
    PTQ_TRY(scale_images(j, effort_of(j)->trial_images, LEAST_TRIAL, &n_images, err));
    trials_input in = {.original = j->model->clean,
                       .images = images,
                       .image_size = j->setup->image_size,
                       .n_images = n_images,
                       .env = &j->call->env,
                       .kept = j->kept};
    resume_bind_images(j->kept, images);
    PTQ_TRY(trials_create(&in, &t, err));
    ptq_status status = PTQ_OK;
    if (can_fit_weights(j)) {
        status = equalize_channels(j, plan, images, t, err);
        if (status == PTQ_OK)
            status = search_ranges(j, plan, t, err);
        if (status == PTQ_OK)
            status = fit_weights_of(j, plan, images, err);
    }
    if (status == PTQ_OK)
        status = keep_layers(j, plan, t, err);
    trials_destroy(t);
    return status;
}

ptq_status improve_plan(const improve_job *j, qplan *plan, ptq_error *err)
{
    ptq_data_options data = j->options->data;
    bool has_images = data.yaml || j->options->quant.images;
    if (!has_budget(j) && (!can_fit_weights(j) || !has_images))
        return PTQ_OK;
    if (!has_images)
        return error_set(err, PTQ_USAGE,
                         "a budget needs calibration images; name them with --data");
    data.split = "train";
    PTQ_TRY(quant_setup_images(j->setup, j->model, &j->options->quant, &data, &j->call->env, err));
    return improve_with(j, plan, j->setup->images, err);
}
