/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/causes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "quant/channel_stats.h"
#include "quant/fake_quant.h"
#include "quant/range_facts.h"

enum { CHANNEL_IMAGES = 8 };
/* A remedy that brings less is not named: where half a decibel was predicted, one was lost
 * (docs/accuracy.md). */
#define LEAST_GAIN_DB 1.0
/* An outlier stands so many times above the second channel; channels are uneven when the largest
 * stands so many times above the median. */
#define OUTLIER_RATIO 2.0
#define UNEVEN_RATIO 4.0

/* One layer and what is known of it. */
typedef struct suspect {
    const qplan_entry *e;
    const quant_point *p;
    const range_tensor *t;
    const channel_stats *channels; /* NULL: unknown */
    float amax;
    double input_db, weight_db, both_db;
    double drop; /* NaN: unknown */
} suspect;

typedef struct finder {
    const cause_job *job;
    suspect *all; /* per entry of the plan that has a histogram */
    int n_all;
    suspect *chosen;
    int n_chosen;
    channel_stats *channels; /* per chosen one */
} finder;

/* ---------------------------------------------------------------- noise */

static double noise_of(double db)
{
    return pow(10, -db / 10);
}

/* Both noises add up, relative to the product of both signals. */
static double both(double a_db, double b_db)
{
    return fmin(-10 * log10(noise_of(a_db) + noise_of(b_db)), 200);
}

static ptq_status weight_sqnr(const finder *f, const suspect *s, double *db, ptq_error *err)
{
    const graph *deployed = f->job->deployed ? f->job->deployed : f->job->g;
    node_id id = graph_find_node(deployed, s->e->layer);
    *db = 200;
    if (!s->e->weight.enabled || s->p->weight == TENSOR_NONE || id == NODE_NONE)
        return PTQ_OK;
    const tensor *want = graph_tensor_const(f->job->g, s->p->weight);
    const tensor *used = graph_tensor_const(deployed, graph_node_const(deployed, id)->inputs[1]);
    size_t n;
    if (!want->data || !used->data || !shape_count(&want->shape, &n))
        return PTQ_OK;
    const float *w = blob_data(want->data);
    float *q = mem_array(n, sizeof *q);
    if (!q)
        return error_no_memory(err, n * sizeof *q, "weights");
    ptq_status st = fake_quant(&s->e->weight, &used->shape, blob_data(used->data), q, err);
    double signal = 0, noise = 0;
    for (size_t i = 0; st == PTQ_OK && i < n; i++) {
        double d = (double)q[i] - (double)w[i];
        signal += (double)w[i] * (double)w[i];
        noise += d * d;
    }
    mem_free(q);
    if (signal > 0 && noise > 0)
        *db = fmin(10 * log10(signal / noise), 200);
    return st;
}

/* ---------------------------------------------------------------- which layers */

static const quant_point *point_of(const finder *f, const char *layer)
{
    for (int i = 0; i < f->job->points->n; i++) {
        const quant_point *p = &f->job->points->items[i];
        if (!p->is_extra && strcmp(p->layer, layer) == 0)
            return p;
    }
    return NULL;
}

static ptq_status measure_all(finder *f, ptq_error *err)
{
    const qplan *plan = f->job->plan;
    for (int i = 0; i < plan->n_entries; i++) {
        const qplan_entry *e = &plan->entries[i];
        suspect s = {.e = e, .p = point_of(f, e->layer), .drop = NAN};
        if (!s.p || !e->input.enabled || e->input.n_amax != 1 || e->input.is_unsigned)
            continue;
        s.t = ranges_find(f->job->r, graph_tensor_const(f->job->g, s.p->tensor)->name, e->layer);
        if (!s.t || !s.t->has_histogram || s.t->n_values == 0)
            continue;
        s.amax = e->input.amax[0];
        s.input_db = range_sqnr_db(&s.t->values, s.amax, e->input.num_bits);
        if (isnan(s.input_db))
            continue;
        PTQ_TRY(weight_sqnr(f, &s, &s.weight_db, err));
        s.both_db = both(s.input_db, s.weight_db);
        f->all[f->n_all++] = s;
    }
    return PTQ_OK;
}

static int noisier(const void *a, const void *b)
{
    const suspect *x = a, *y = b;
    if (x->both_db != y->both_db)
        return x->both_db < y->both_db ? -1 : 1;
    return strcmp(x->e->layer, y->e->layer);
}

/* `name` itself, or a block it lies in. */
static bool belongs_to(const char *layer, const char *name)
{
    size_t n = strlen(name);
    return strncmp(layer, name, n) == 0 && (layer[n] == '\0' || layer[n] == '.');
}

static void choose(finder *f)
{
    qsort(f->all, (size_t)f->n_all, sizeof *f->all, noisier);
    for (int i = 0; f->job->n_layers == 0 && i < f->n_all && i < CAUSES_LAYERS; i++)
        f->chosen[f->n_chosen++] = f->all[i];
    for (int k = 0; k < f->job->n_layers && f->n_chosen < CAUSES_LAYERS; k++)
        for (int i = 0; i < f->n_all; i++) {
            if (!belongs_to(f->all[i].e->layer, f->job->layers[k]))
                continue;
            f->chosen[f->n_chosen] = f->all[i];
            f->chosen[f->n_chosen++].drop = f->job->drops ? f->job->drops[k] : NAN;
            break;
        }
}

static ptq_status look_at_channels(finder *f, ptq_error *err)
{
    const cause_job *j = f->job;
    if (!j->images || f->n_chosen == 0)
        return PTQ_OK;
    for (int i = 0; i < f->n_chosen; i++)
        f->channels[i].tensor = graph_tensor_const(j->g, f->chosen[i].p->tensor)->name;
    channel_job job = {.g = j->g,
                       .images = j->images,
                       .image_size = j->image_size,
                       .n_images = j->images->n_items < CHANNEL_IMAGES ? j->images->n_items
                                                                       : CHANNEL_IMAGES,
                       .env = j->env};
    PTQ_TRY(channel_stats_collect(&job, f->channels, f->n_chosen, err));
    for (int i = 0; i < f->n_chosen; i++)
        f->chosen[i].channels = f->channels[i].n > 1 ? &f->channels[i] : NULL;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- findings */

/* `gain_db`: what is gone with the cause. */
static void add_gain(json_t *list, const suspect *s, const char *cause, double value,
                     const char *remedy, double gain_db)
{
    if (!(gain_db >= LEAST_GAIN_DB))
        return;
    double gain = s->drop > 0 ? s->drop * (1 - noise_of(gain_db)) : NAN;
    size_t at = 0;
    while (at < json_array_size(list) &&
           json_number_value(json_object_get(json_array_get(list, at), "gain_db")) >= gain_db)
        at++;
    json_array_insert_new(list, at,
                          json_pack("{s:s,s:f,s:s,s:f,s:o}", "cause", cause, "value", value,
                                    "remedy", remedy, "gain_db", gain_db, "gain",
                                    isnan(gain) ? json_null() : json_real(gain)));
}

/* The layer's ratio rises to `db` when the cause is gone. */
static void add(json_t *list, const suspect *s, const char *cause, double value, const char *remedy,
                double db)
{
    add_gain(list, s, cause, value, remedy, db - s->both_db);
}

static int tensors_sharing(const finder *f, const suspect *s)
{
    int n = 0;
    for (int i = 0; i < f->job->points->n; i++) {
        const quant_point *p = &f->job->points->items[i];
        bool is_new = s->p->group >= 0 && p->group == s->p->group && p->tensor != s->p->tensor;
        for (int k = 0; k < i && is_new; k++)
            is_new = f->job->points->items[k].group != p->group ||
                     f->job->points->items[k].tensor != p->tensor;
        n += is_new;
    }
    return n;
}

static void find_clash(const finder *f, const suspect *s, json_t *list)
{
    float own = s->t->amax[s->p->input_desc.method];
    if (tensors_sharing(f, s) == 0 || own <= 0)
        return;
    double db = range_sqnr_db(&s->t->values, own, s->e->input.num_bits);
    add(list, s, "scale clash", (double)(s->amax / own),
        "a scale of its own: share_scales in quant.yaml, or --no-share-scales; where a runtime "
        "moves the tensor it then converts",
        both(db, s->weight_db));
}

static double clipped_share(const suspect *s)
{
    const histogram *h = &s->t->values;
    double beyond = 0;
    int n = histogram_used_bins(h);
    for (int i = 0; i < n; i++)
        if (histogram_edge(h, i) >= s->amax)
            beyond += (double)h->counts[i];
    return beyond / (double)s->t->n_values;
}

/* Whether another method's range would leave less noise. */
static void find_range(const suspect *s, json_t *list)
{
    static const char *const remedies[AMAX_METHODS] = {
        [AMAX_MAX] = "amax_method: max for this layer in quant.yaml",
        [AMAX_PERCENTILE] = "amax_method: percentile for this layer in quant.yaml",
        [AMAX_ENTROPY] = "amax_method: entropy for this layer in quant.yaml",
        [AMAX_MSE] = "amax_method: mse for this layer in quant.yaml"};
    int best = 0;
    double best_db = -INFINITY;
    for (int m = 0; m < AMAX_METHODS; m++) {
        double db = range_sqnr_db(&s->t->values, s->t->amax[m], s->e->input.num_bits);
        best = db > best_db ? m : best;
        best_db = fmax(db, best_db);
    }
    bool is_wider = s->t->amax[best] > s->amax;
    add(list, s, is_wider ? "clipped values" : "outlier values",
        is_wider ? clipped_share(s) : (double)(s->amax / s->t->amax[best]), remedies[best],
        both(best_db, s->weight_db));
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* What the channels of a tensor say. */
typedef struct channel_facts {
    bool is_known;
    int largest_at, n_dead;
    float largest, second, median;
    double dead_energy;  /* share of the whole */
    double rest_energy;  /* without the largest channel */
    double mean_squared; /* of the channels' ranges, none beyond amax; over amax^2 */
} channel_facts;

static channel_facts facts_of(const suspect *s)
{
    const channel_stats *c = s->channels;
    channel_facts f = {.is_known = c != NULL};
    float *sorted = c ? mem_array((size_t)c->n, sizeof *sorted) : NULL;
    if (!sorted)
        return (channel_facts){0};
    float half_step = s->amax / (float)fake_quant_highest(s->e->input.num_bits, false) / 2;
    double energy = 0;
    for (int i = 0; i < c->n; i++) {
        sorted[i] = c->largest[i];
        energy += c->energy[i];
        double within = (double)(fminf(c->largest[i], s->amax) / s->amax);
        f.mean_squared += within * within / c->n;
        if (c->largest[i] > f.largest) {
            f.largest = c->largest[i];
            f.largest_at = i;
        }
        if (c->largest[i] < half_step) {
            f.n_dead++;
            f.dead_energy += c->energy[i];
        }
    }
    qsort(sorted, (size_t)c->n, sizeof *sorted, compare_floats);
    f.median = sorted[c->n / 2];
    f.second = c->n > 1 ? sorted[c->n - 2] : f.largest;
    f.dead_energy = energy > 0 ? f.dead_energy / energy : 0;
    f.rest_energy = energy > 0 ? 1 - c->energy[f.largest_at] / energy : 0;
    mem_free(sorted);
    return f;
}

/* Whether a channel may be scaled where it is made: a convolution, its activation homogeneous. */
static bool can_equalize(const finder *f, const suspect *s)
{
    const graph *g = f->job->g;
    node_id id = graph_producer(g, s->p->tensor);
    const node *n = id == NODE_NONE ? NULL : graph_node_const(g, id);
    if (n && (n->op == GRAPH_OP_RELU || n->op == GRAPH_OP_LEAKY_RELU)) {
        id = graph_producer(g, n->inputs[0]);
        n = id == NODE_NONE ? NULL : graph_node_const(g, id);
    }
    return n && n->op == GRAPH_OP_CONV;
}

/* What the others gain when the largest channel no longer decides their scale. Its own energy is
 * left out: it would hide their noise. */
static void find_outlier(const suspect *s, const channel_facts *c, const char *remedy, json_t *list)
{
    double rest_db = s->input_db + 10 * log10(fmax(c->rest_energy, 1e-20));
    double after_db = rest_db + 20 * log10((double)(s->amax / c->second));
    add_gain(list, s, "outlier channel", (double)(c->largest / c->second), remedy,
             both(after_db, s->weight_db) - both(rest_db, s->weight_db));
}

static void find_in_channels(const finder *f, const suspect *s, const channel_facts *c,
                             json_t *list)
{
    const char *remedy = can_equalize(f, s)
                             ? "equalize its channels (--effort default does where it helps), or "
                               "keep the layer in 16 bit"
                             : "keep the layer in 16 bit: an input has one scale, and its "
                               "activation lets no channel be scaled before";
    double even_db = s->input_db - 10 * log10(fmax(c->mean_squared, 1e-20));
    if (!c->is_known)
        return;
    if ((double)c->largest >= OUTLIER_RATIO * (double)c->second && c->second > 0 &&
        c->second < s->amax)
        find_outlier(s, c, remedy, list);
    else if ((double)c->largest >= UNEVEN_RATIO * (double)c->median)
        add(list, s, "uneven channels", c->median > 0 ? (double)(c->largest / c->median) : 1e9,
            remedy, both(even_db, s->weight_db));
    double noise = noise_of(s->input_db), left = fmax(noise - c->dead_energy, noise * 0.01);
    if (c->n_dead > 0 && c->dead_energy > 0)
        add(list, s, "dead channels", c->n_dead,
            "a smaller range, or 16 bit: these channels never reach code 1",
            both(-10 * log10(left), s->weight_db));
}

static json_t *channels_json(const suspect *s, const channel_facts *c)
{
    if (!c->is_known)
        return json_null();
    bool is_outlier = (double)c->largest >= OUTLIER_RATIO * (double)c->second;
    return json_pack("{s:i,s:o,s:i,s:o}", "n", s->channels->n, "ratio",
                     c->median > 0 ? json_real((double)(c->largest / c->median)) : json_null(),
                     "dead", c->n_dead, "outlier",
                     is_outlier ? json_integer(c->largest_at) : json_null());
}

static json_t *layer_json(const finder *f, const suspect *s)
{
    json_t *list = json_array(), *always = json_array();
    channel_facts c = facts_of(s);
    find_clash(f, s, list);
    find_range(s, list);
    find_in_channels(f, s, &c, list);
    add(always, s, "coarse weights", s->weight_db,
        "--effort default fits the weights; else keep the layer in 16 bit", s->input_db);
    add(always, s, "coarse input", s->input_db, "keep the layer in 16 bit", s->weight_db);
    json_array_extend(list, always);
    json_decref(always);
    return json_pack("{s:s,s:s,s:f,s:f,s:f,s:f,s:f,s:i,s:o,s:o}", "layer", s->e->layer, "tensor",
                     s->t->name, "sqnr_db", s->both_db, "input_sqnr_db", s->input_db,
                     "weight_sqnr_db", s->weight_db, "amax", (double)s->amax, "clipped_share",
                     clipped_share(s), "shared_with", tensors_sharing(f, s), "channels",
                     channels_json(s, &c), "findings", list);
}

static ptq_status find(finder *f, json_t *list, ptq_error *err)
{
    PTQ_TRY(measure_all(f, err));
    choose(f);
    PTQ_TRY(look_at_channels(f, err));
    for (int i = 0; i < f->n_chosen; i++)
        json_array_append_new(list, layer_json(f, &f->chosen[i]));
    return PTQ_OK;
}

ptq_status causes_find(const cause_job *job, json_t **out, ptq_error *err)
{
    finder f = {.job = job};
    size_t n = (size_t)job->plan->n_entries;
    json_t *list = json_array();
    f.all = mem_array(n, sizeof *f.all);
    f.chosen = mem_array(CAUSES_LAYERS, sizeof *f.chosen);
    f.channels = mem_array(CAUSES_LAYERS, sizeof *f.channels);
    ptq_status st = list && f.all && f.chosen && f.channels
                        ? find(&f, list, err)
                        : error_no_memory(err, n * sizeof *f.all, "causes");
    for (int i = 0; f.channels && i < CAUSES_LAYERS; i++)
        channel_stats_clear(&f.channels[i]);
    mem_free(f.channels);
    mem_free(f.chosen);
    mem_free(f.all);
    if (st == PTQ_OK)
        *out = list;
    else
        json_decref(list);
    return st;
}
