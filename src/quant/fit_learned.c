/* SPDX-License-Identifier: Apache-2.0 */
/* The probe network is the float one with a copy of the layer per candidate, whose quantizer has
 * that range, and the difference of its output to the layer's own:
 *
 *   x -+-> layer --------------+-> ...
 *      +-> Q/DQ(a) -> layer' -> Sub -> watched
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "passes/passes.h"
#include "quant/fit.h"
#include "quant/group_range.h"
#include "quant/image_pass.h"
#include "quant/weight_range.h"

/* First a coarse row of ranges from the largest |x| down, 2^(1/4) apart, and the calibrated one;
 * then a fine row around the best, 2^(1/16) apart. */
enum { N_COARSE = 16, N_FINE = 9, MAX_CANDIDATES = N_COARSE + 1 };
/* Copies of layers in one probe network. */
enum { MAX_COPIES = 64 };

/* What is learned together: the input quantizers of a group, or one weight. */
typedef struct unit {
    bool is_weight;
    int first;    /* the point; of a group the first that learns */
    int group;    /* of inputs */
    int n_places; /* layers whose output counts */
    float calibrated;
    int n;
    float amax[MAX_CANDIDATES];
    double error[MAX_CANDIDATES]; /* sum over the places, each relative to its output */
    double calibrated_error;
} unit;

/* A layer that counts for a unit: sums of squares of its output and of the differences. */
typedef struct site {
    int unit;
    int point;
    double output;
    double difference[MAX_CANDIDATES];
} site;

typedef struct learner {
    const fit_job *job;
    unit *units;
    int n_units;
    site *sites;
    int n_sites;
} learner;

/* ---------------------------------------------------------------- what is learned */

static bool learns_input(const quant_point *p)
{
    return quant_point_has_input(p) && p->input_desc.learn_amax;
}

static bool learns_weight(const quant_point *p)
{
    return quant_point_has_weight(p) && p->weight_desc.learn_amax;
}

static bool is_known_group(const learner *l, int group)
{
    for (int i = 0; i < l->n_units; i++)
        if (!l->units[i].is_weight && l->units[i].group == group)
            return true;
    return false;
}

static void add_unit(learner *l, unit u)
{
    const quant_points *points = l->job->points;
    for (int i = 0; i < points->n; i++) {
        bool is_in = u.is_weight ? i == u.first : points->items[i].group == u.group;
        if (!is_in)
            continue;
        l->sites[l->n_sites++] = (site){.unit = l->n_units, .point = i};
        u.n_places++;
    }
    l->units[l->n_units++] = u;
}

/* A range cannot be fixed for one layer and learned for another that shares it. The first value
 * that learn_amax may carry is no fixed range. */
static ptq_status check_group(const learner *l, const unit *u, ptq_error *err)
{
    const quant_point *learned = &l->job->points->items[u->first];
    for (int i = 0; i < l->n_sites; i++) {
        const quant_point *p = &l->job->points->items[l->sites[i].point];
        if (u->is_weight || p->group != u->group || p->input_desc.learn_amax ||
            p->input_desc.n_amax == 0)
            continue;
        return error_set(err, PTQ_USAGE,
                         "layers '%s' and '%s' share one input range, but it is learned for the "
                         "one and fixed at %g for the other",
                         learned->layer, p->layer, (double)p->input_desc.amax);
    }
    return PTQ_OK;
}

static ptq_status list_units(learner *l, ptq_error *err)
{
    const quant_points *points = l->job->points;
    size_t room = 2 * (size_t)points->n;
    l->units = mem_array(room, sizeof *l->units);
    l->sites = mem_array(room, sizeof *l->sites);
    if (!l->units || !l->sites)
        return error_no_memory(err, room * sizeof *l->sites, "learned ranges");
    for (int i = 0; i < points->n; i++) {
        const quant_point *p = &points->items[i];
        if (learns_input(p) && !is_known_group(l, p->group))
            add_unit(l, (unit){.first = i, .group = p->group});
        if (learns_weight(p))
            add_unit(l, (unit){.is_weight = true, .first = i, .group = -1});
    }
    for (int i = 0; i < l->n_units; i++)
        PTQ_TRY(check_group(l, &l->units[i], err));
    return PTQ_OK;
}

/* ---------------------------------------------------------------- candidates */

static ptq_status weight_ranges(const learner *l, const unit *u, float *largest, float *calibrated,
                                ptq_error *err)
{
    const quant_point *p = &l->job->points->items[u->first];
    const tensor *w = graph_tensor_const(l->job->g, p->weight);
    descriptor max = p->weight_desc;
    max.use_histogram = false;
    PTQ_TRY(weight_range(w, &max, 0, largest, err));
    return weight_range(w, &p->weight_desc, 0, calibrated, err);
}

static ptq_status input_ranges(const learner *l, const unit *u, float *largest, float *calibrated,
                               ptq_error *err)
{
    const quant_points *points = l->job->points;
    group_source source = {l->job->g, points, l->job->r};
    size_t room = (size_t)points->n;
    const range_tensor **tensors = mem_array(room, sizeof *tensors);
    if (!tensors)
        return error_no_memory(err, room * sizeof *tensors, "learned ranges");
    int n = 0;
    ptq_status st = group_tensors(&source, u->group, tensors, &n, err);
    *largest = 0;
    for (int i = 0; st == PTQ_OK && i < n; i++)
        *largest = fmaxf(*largest, tensors[i]->amax[AMAX_MAX]);
    if (st == PTQ_OK)
        st = group_pooled_range(&source, tensors, n, &points->items[u->first].input_desc,
                                calibrated, err);
    mem_free(tensors);
    return st;
}

static ptq_status coarse_candidates(const learner *l, unit *u, ptq_error *err)
{
    float largest = 0;
    PTQ_TRY(u->is_weight ? weight_ranges(l, u, &largest, &u->calibrated, err)
                         : input_ranges(l, u, &largest, &u->calibrated, err));
    for (int k = 0; k < N_COARSE; k++)
        u->amax[k] = largest * exp2f(-(float)k / 4);
    u->amax[N_COARSE] = u->calibrated;
    u->n = N_COARSE + 1;
    return PTQ_OK;
}

static int best_of(const unit *u)
{
    int best = 0;
    for (int k = 1; k < u->n; k++)
        if (u->error[k] < u->error[best])
            best = k;
    return best;
}

/* The best so far stays a candidate, in the middle. */
static void fine_candidates(unit *u)
{
    float middle = u->amax[best_of(u)];
    u->calibrated_error = u->error[N_COARSE];
    u->n = N_FINE;
    for (int k = 0; k < N_FINE; k++)
        u->amax[k] = middle * exp2f((float)(N_FINE / 2 - k) / 16);
}

/* ---------------------------------------------------------------- the probe network */

/* One copy of a layer: a candidate at a site. */
typedef struct copy {
    int site;
    int candidate;
} copy;

typedef struct probe {
    learner *l;
    graph *g;
    qplan plan;
    const char **taps; /* differences and the layers' own outputs, each once; NULL-terminated */
    int n_taps;
    struct watched {
        const char *tap;
        double *sum; /* where its square goes */
    } * watched;
    int n_watched;
    float *amax; /* of the plan's quantizers */
} probe;

static const quant_point *point_of(const probe *p, const site *s)
{
    return &p->l->job->points->items[s->point];
}

static const descriptor *descriptor_of(const probe *p, const site *s)
{
    const quant_point *q = point_of(p, s);
    return p->l->units[s->unit].is_weight ? &q->weight_desc : &q->input_desc;
}

/* What the layer gives out: its first output, or the tensor itself for a quantizer on an output. */
static tensor_id output_of(const probe *p, const quant_point *q)
{
    return q->input_index == QPLAN_OUTPUT ? q->tensor : graph_node_const(p->g, q->node)->outputs[0];
}

/* Several sites may share an output. */
static void add_tap(probe *p, tensor_id id, double *sum)
{
    const char *name = graph_tensor_const(p->g, id)->name;
    bool is_known = false;
    for (int i = 0; i < p->n_taps; i++)
        is_known = is_known || strcmp(p->taps[i], name) == 0;
    if (!is_known)
        p->taps[p->n_taps++] = name;
    p->watched[p->n_watched++] = (struct watched){name, sum};
}

/* Adds a node like `q`'s, with outputs of its own; its first one is *output. */
static ptq_status copy_node(probe *p, const quant_point *q, const char *name, tensor_id *output,
                            ptq_error *err)
{
    node n = *graph_node_const(p->g, q->node);
    tensor_id made[16] = {0}, itself = q->tensor;
    if (q->input_index == QPLAN_OUTPUT)
        n = (node){.op = GRAPH_OP_IDENTITY,
                   .n_inputs = 1,
                   .n_outputs = 1,
                   .inputs = &itself,
                   .outputs = &itself};
    if (n.n_outputs < 1 || n.n_outputs > 16)
        return error_set(err, PTQ_UNSUPPORTED,
                         "layer '%s' has %d outputs; its range is not learned", q->layer,
                         n.n_outputs);
    n.name = name;
    for (int i = 0; i < n.n_outputs; i++) {
        tensor t = *graph_tensor_const(p->g, n.outputs[i]);
        const char *own = graph_unique_name(p->g, name);
        if (!own)
            return error_no_memory(err, strlen(name), "learned ranges");
        PTQ_TRY(graph_add_tensor(p->g, own, t.type, &t.shape, &made[i], err));
        graph_tensor(p->g, made[i])->is_dynamic = t.is_dynamic;
    }
    n.outputs = made;
    *output = made[0];
    return graph_add_node(p->g, &n, NULL, err);
}

static ptq_status plan_copy(probe *p, const copy *c, const char *name, ptq_error *err)
{
    const site *s = &p->l->sites[c->site];
    const quant_point *q = point_of(p, s);
    const unit *u = &p->l->units[s->unit];
    const descriptor *d = descriptor_of(p, s);
    float *amax = &p->amax[p->plan.n_entries + p->plan.n_extras];
    *amax = u->amax[c->candidate];
    quantizer z = {.enabled = true,
                   .num_bits = d->num_bits,
                   .is_unsigned = d->is_unsigned,
                   .narrow_range = d->narrow_range || d->if_clip,
                   .axis = -1,
                   .n_amax = 1,
                   .amax = amax};
    char *layer = mem_strdup(name);
    if (!layer)
        return error_no_memory(err, strlen(name), "learned ranges");
    if (u->is_weight) {
        p->plan.entries[p->plan.n_entries++] = (qplan_entry){.layer = layer, .weight = z};
        return PTQ_OK;
    }
    int input = q->input_index == QPLAN_OUTPUT ? 0 : q->input_index;
    p->plan.extras[p->plan.n_extras++] =
        (qplan_extra){.node = layer, .input_index = input, .input = z};
    return PTQ_OK;
}

static ptq_status add_copy(probe *p, const copy *c, ptq_error *err)
{
    site *s = &p->l->sites[c->site];
    const quant_point *q = point_of(p, s);
    str text = STR_INIT;
    str_addf(&text, "%s.learn%d", q->layer, c->candidate);
    const char *name = str_ok(&text) ? graph_unique_name(p->g, str_text(&text)) : NULL;
    str_clear(&text);
    tensor_id output = TENSOR_NONE, difference;
    if (!name)
        return error_no_memory(err, 0, "learned ranges");
    PTQ_TRY(copy_node(p, q, name, &output, err));
    tensor_id inputs[2] = {output, output_of(p, q)};
    const char *sub = graph_unique_name(p->g, name);
    if (!sub)
        return error_no_memory(err, 0, "learned ranges");
    PTQ_TRY(graph_add_op(p->g, GRAPH_OP_SUB, sub, 2, inputs, NULL, NULL, &difference, err));
    add_tap(p, difference, &s->difference[c->candidate]);
    return plan_copy(p, c, name, err);
}

static ptq_status add_copies(probe *p, const copy *copies, int n, ptq_error *err)
{
    for (int i = 0; i < n; i++)
        PTQ_TRY(add_copy(p, &copies[i], err));
    for (int i = 0; i < n; i++) {
        site *s = &p->l->sites[copies[i].site];
        if (copies[i].candidate == 0)
            add_tap(p, output_of(p, point_of(p, s)), &s->output);
    }
    return pass_insert_qdq(p->g, &p->plan, err);
}

static ptq_status open_probe(probe *p, const copy *copies, int n, ptq_error *err)
{
    size_t room = 2 * (size_t)n + 1;
    p->taps = mem_array(room, sizeof *p->taps);
    p->watched = mem_array(room, sizeof *p->watched);
    p->amax = mem_array(room, sizeof *p->amax);
    p->plan.entries = mem_array(room, sizeof *p->plan.entries);
    p->plan.extras = mem_array(room, sizeof *p->plan.extras);
    if (!p->taps || !p->watched || !p->amax || !p->plan.entries || !p->plan.extras)
        return error_no_memory(err, room * sizeof *p->plan.entries, "learned ranges");
    PTQ_TRY(graph_copy(p->l->job->g, &p->g, err));
    return add_copies(p, copies, n, err);
}

static void close_probe(probe *p)
{
    for (int i = 0; i < p->plan.n_entries; i++)
        mem_free(p->plan.entries[i].layer);
    for (int i = 0; i < p->plan.n_extras; i++)
        mem_free(p->plan.extras[i].node);
    mem_free(p->plan.entries);
    mem_free(p->plan.extras);
    mem_free(p->taps);
    mem_free(p->watched);
    mem_free(p->amax);
    graph_destroy(p->g);
}

/* ---------------------------------------------------------------- running it */

static double sum_of_squares(const value_rows *rows)
{
    double sum = 0;
    for (size_t r = 0; r < rows->n_rows; r++) {
        const float *x = rows->data + r * rows->stride;
        for (size_t i = 0; i < rows->row; i++)
            sum += (double)x[i] * (double)x[i];
    }
    return sum;
}

static void watch(void *user, const tap_view *v)
{
    const probe *p = user;
    value_rows rows = image_pass_rows(v);
    double sum = sum_of_squares(&rows);
    for (int i = 0; i < p->n_watched; i++)
        if (strcmp(p->watched[i].tap, v->name) == 0)
            *p->watched[i].sum += sum;
}

static ptq_status nothing_more(void *user, ptq_error *err)
{
    (void)user;
    (void)err;
    return PTQ_OK;
}

static ptq_status run_probe(learner *l, const copy *copies, int n, const ptq_env *env,
                            ptq_error *err)
{
    const fit_job *job = l->job;
    probe p = {.l = l};
    int n_done = 0;
    ptq_status st = open_probe(&p, copies, n, err);
    image_pass pass = {.g = p.g,
                       .taps = p.taps,
                       .tap = watch,
                       .after = nothing_more,
                       .user = &p,
                       .data = job->data,
                       .n_images = job->n_images < FIT_IMAGES ? job->n_images : FIT_IMAGES,
                       .image_size = job->image_size,
                       .batch_size = job->batch_size,
                       .what = "learning ranges"};
    if (st == PTQ_OK)
        st = image_pass_run(&pass, env, &n_done, err);
    close_probe(&p);
    return st;
}

/* A site's candidates stay in one probe, whose sums of its output they are divided by. */
static ptq_status run_sites(learner *l, const ptq_env *env, ptq_error *err)
{
    copy copies[MAX_COPIES + MAX_CANDIDATES];
    int n = 0;
    for (int i = 0; i < l->n_sites; i++) {
        site *s = &l->sites[i];
        s->output = 0;
        memset(s->difference, 0, sizeof s->difference);
        for (int k = 0; k < l->units[s->unit].n; k++)
            copies[n++] = (copy){i, k};
        if (n < MAX_COPIES && i + 1 < l->n_sites)
            continue;
        PTQ_TRY(run_probe(l, copies, n, env, err));
        n = 0;
    }
    for (int i = 0; i < l->n_units; i++)
        memset(l->units[i].error, 0, sizeof l->units[i].error);
    for (int i = 0; i < l->n_sites; i++) {
        const site *s = &l->sites[i];
        for (int k = 0; k < l->units[s->unit].n && s->output > 0; k++)
            l->units[s->unit].error[k] += s->difference[k] / s->output;
    }
    return PTQ_OK;
}

/* ---------------------------------------------------------------- the result */

/* The learned range is the range: scale_amax does not apply to it, as in the original. */
static void fix(descriptor *d, float amax)
{
    d->n_amax = 1;
    d->amax = amax;
    d->scale_amax = 1;
}

static json_t *unit_json(const learner *l, int index)
{
    const unit *u = &l->units[index];
    int best = best_of(u);
    json_t *layers = json_array();
    for (int i = 0; i < l->n_sites; i++)
        if (l->sites[i].unit == index)
            json_array_append_new(layers,
                                  json_string(l->job->points->items[l->sites[i].point].layer));
    return json_pack("{s:o,s:s,s:f,s:f,s:f,s:f}", "layers", layers, "role",
                     u->is_weight ? "weight" : "input", "amax", (double)u->amax[best], "error",
                     u->error[best] / u->n_places, "calibrated_amax", (double)u->calibrated,
                     "calibrated_error", u->calibrated_error / u->n_places);
}

static void finish(learner *l, json_t *report)
{
    for (int i = 0; i < l->n_units; i++)
        json_array_append_new(report, unit_json(l, i));
    for (int i = 0; i < l->n_sites; i++) {
        const unit *u = &l->units[l->sites[i].unit];
        quant_point *p = &l->job->points->items[l->sites[i].point];
        fix(u->is_weight ? &p->weight_desc : &p->input_desc, u->amax[best_of(u)]);
    }
}

static ptq_status learn(learner *l, const ptq_env *env, json_t *report, ptq_error *err)
{
    for (int i = 0; i < l->n_units; i++)
        PTQ_TRY(coarse_candidates(l, &l->units[i], err));
    PTQ_TRY(run_sites(l, env, err));
    for (int i = 0; i < l->n_units; i++)
        fine_candidates(&l->units[i]);
    PTQ_TRY(run_sites(l, env, err));
    finish(l, report);
    return PTQ_OK;
}

ptq_status fit_learned(const fit_job *job, const ptq_env *env, json_t *report, ptq_error *err)
{
    learner l = {.job = job};
    ptq_status st = list_units(&l, err);
    if (st == PTQ_OK && l.n_units > 0)
        st = learn(&l, env, report, err);
    mem_free(l.units);
    mem_free(l.sites);
    return st;
}
