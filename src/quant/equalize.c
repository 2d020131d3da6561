/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/equalize.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "quant/channel_stats.h"
#include "quant/weight_range.h"

enum { MOST_READERS = 8, CHANNEL_IMAGES = 8, PAIRS_AT_A_TIME = 10 };
/* What a pair must save of its movement. */
#define LEAST_GAIN 0.02
/* Factors beyond 1/this and this overdo it. */
#define MOST_FACTOR 16.0f

/* Ways to choose factors; FACTORS_NONE leaves the pair as it is. */
enum { FACTORS_NONE, FACTORS_CLASSIC, FACTORS_ACTIVATION, N_WAYS };

/* A convolution, its activated result, and all that read it: convolutions, too. */
typedef struct pair {
    node_id first;
    tensor_id tensor;
    node_id readers[MOST_READERS];
    int n_readers, n; /* channels */
    float *factors[N_WAYS];
    double movement[N_WAYS];
} pair;

typedef struct equalizer {
    const equalize_input *in;
    graph *g;
    qplan *plan;
    pair *pairs;
    int n_pairs;
} equalizer;

void equalize_factors(const float *first, const float *second, int n, float *factors)
{
    for (int i = 0; i < n; i++) {
        bool is_usable = first[i] > 0 && second[i] > 0;
        factors[i] = is_usable ? sqrtf(first[i] / second[i]) : 1;
    }
}

/* ---------------------------------------------------------------- which pairs */

static bool has_own_weights(const graph *g, const node *n)
{
    if (n->op != GRAPH_OP_CONV || n->attr.conv.groups != 1 || n->attr.conv.act.kind != ACT_NONE)
        return false;
    for (int i = 1; i < n->n_inputs; i++) {
        node_id readers[2];
        if (!graph_is_const(g, n->inputs[i]) ||
            graph_tensor_const(g, n->inputs[i])->type != DTYPE_F32 ||
            graph_consumers(g, n->inputs[i], readers, 2) != 1)
            return false;
    }
    return true;
}

/* The result of a convolution behind its activation, when that is homogeneous. */
static tensor_id activated(const graph *g, const node *conv)
{
    node_id next[2];
    tensor_id made = conv->outputs[0];
    if (graph_consumers(g, made, next, 2) != 1)
        return made;
    const node *n = graph_node_const(g, next[0]);
    bool is_homogeneous = n->op == GRAPH_OP_RELU || n->op == GRAPH_OP_LEAKY_RELU;
    return is_homogeneous ? n->outputs[0] : made;
}

static qplan_entry *entry_of(const equalizer *e, node_id id)
{
    const char *name = graph_node_const(e->g, id)->name;
    for (int i = 0; i < e->plan->n_entries; i++)
        if (strcmp(e->plan->entries[i].layer, name) == 0)
            return &e->plan->entries[i];
    return NULL;
}

static const quant_point *point_of(const equalizer *e, const char *layer)
{
    for (int i = 0; i < e->in->points->n; i++) {
        const quant_point *p = &e->in->points->items[i];
        if (!p->is_extra && strcmp(p->layer, layer) == 0)
            return p;
    }
    return NULL;
}

/* Whether weights may be scaled: they are the layer's own, and their ranges not given by hand. */
static bool can_scale(const equalizer *e, node_id id)
{
    const node *n = graph_node_const(e->g, id);
    const quant_point *p = point_of(e, n->name);
    return has_own_weights(e->g, n) && (!p || p->weight_desc.n_amax == 0);
}

static bool find_pair(const equalizer *e, node_id first, pair *out)
{
    const graph *g = e->g;
    const node *n = graph_node_const(g, first);
    pair p = {.first = first};
    bool is_quantized = false;
    if (n->is_dead || !can_scale(e, first))
        return false;
    p.tensor = activated(g, n);
    p.n = (int)graph_tensor_const(g, n->inputs[1])->shape.dim[0];
    p.n_readers = graph_consumers(g, p.tensor, p.readers, MOST_READERS);
    if (graph_is_output(g, p.tensor) || graph_is_output(g, n->outputs[0]) || p.n_readers < 1 ||
        p.n_readers > MOST_READERS)
        return false;
    for (int i = 0; i < p.n_readers; i++) {
        const node *reader = graph_node_const(g, p.readers[i]);
        const qplan_entry *entry = entry_of(e, p.readers[i]);
        if (!can_scale(e, p.readers[i]) || reader->inputs[0] != p.tensor)
            return false;
        is_quantized = is_quantized || (entry && entry->input.enabled);
    }
    *out = p;
    return is_quantized;
}

static void list_pairs(equalizer *e)
{
    for (int i = 0; i < graph_n_nodes(e->g); i++)
        if (find_pair(e, (node_id)i, &e->pairs[e->n_pairs]))
            e->n_pairs++;
}

/* ---------------------------------------------------------------- factors */

/* Over all that read the tensor: the largest weight on each of its channels. */
static void reader_ranges(const equalizer *e, const pair *p, float *out)
{
    memset(out, 0, (size_t)p->n * sizeof *out);
    for (int k = 0; k < p->n_readers; k++) {
        tensor_id id = graph_node_const(e->g, p->readers[k])->inputs[1];
        const tensor *t = graph_tensor_const(e->g, id);
        const float *w = blob_data(t->data);
        size_t area = (size_t)(t->shape.dim[2] * t->shape.dim[3]);
        size_t n = (size_t)t->shape.dim[0] * (size_t)p->n * area;
        for (size_t i = 0; i < n; i++) {
            float *at = &out[i / area % (size_t)p->n];
            *at = fmaxf(*at, fabsf(w[i]));
        }
    }
}

/* So that the largest channel stays as it is, and with it the tensor's range. */
static void keep_range(const float *channels, int n, float *factors)
{
    float before = 0, after = 0;
    for (int i = 0; i < n; i++) {
        factors[i] = fminf(fmaxf(factors[i], 1 / MOST_FACTOR), MOST_FACTOR);
        before = fmaxf(before, channels[i]);
        after = fmaxf(after, channels[i] / factors[i]);
    }
    for (int i = 0; i < n && before > 0; i++)
        factors[i] *= after / before;
}

static ptq_status choose_factors(const equalizer *e, pair *p, const float *channels, ptq_error *err)
{
    size_t n = (size_t)p->n;
    float *weights = mem_array(n, sizeof *weights);
    bool ok = weights != NULL;
    for (int way = FACTORS_CLASSIC; way < N_WAYS; way++) {
        p->factors[way] = mem_array(n, sizeof(float));
        ok = ok && p->factors[way];
    }
    if (ok) {
        reader_ranges(e, p, weights);
        equalize_factors(channels, weights, p->n, p->factors[FACTORS_CLASSIC]);
        for (size_t i = 0; i < n; i++)
            weights[i] = 1;
        equalize_factors(channels, weights, p->n, p->factors[FACTORS_ACTIVATION]);
        keep_range(channels, p->n, p->factors[FACTORS_CLASSIC]);
        keep_range(channels, p->n, p->factors[FACTORS_ACTIVATION]);
    }
    mem_free(weights);
    return ok ? PTQ_OK : error_no_memory(err, n * sizeof(float), "factors");
}

static ptq_status choose_all_factors(equalizer *e, ptq_error *err)
{
    const dataset *images = e->in->images;
    channel_stats *seen = mem_array((size_t)e->n_pairs, sizeof *seen);
    if (!seen)
        return error_no_memory(err, (size_t)e->n_pairs * sizeof *seen, "factors");
    for (int i = 0; i < e->n_pairs; i++)
        seen[i].tensor = graph_tensor_const(e->g, e->pairs[i].tensor)->name;
    channel_job job = {.g = e->g,
                       .images = images,
                       .image_size = e->in->image_size,
                       .n_images =
                           images->n_items < CHANNEL_IMAGES ? images->n_items : CHANNEL_IMAGES,
                       .env = e->in->env};
    ptq_status st = channel_stats_collect(&job, seen, e->n_pairs, err);
    for (int i = 0; i < e->n_pairs && st == PTQ_OK; i++)
        st = seen[i].n == e->pairs[i].n
                 ? choose_factors(e, &e->pairs[i], seen[i].largest, err)
                 : error_set(err, PTQ_INTERNAL, "tensor '%s' was not seen", seen[i].tensor);
    for (int i = 0; i < e->n_pairs; i++)
        channel_stats_clear(&seen[i]);
    mem_free(seen);
    return st;
}

/* ---------------------------------------------------------------- scaling */

/* `area` values of a constant belong to one of `n` channels. */
typedef struct channels {
    const float *factors;
    size_t n, area;
} channels;

static ptq_status scale_constant(graph *g, tensor_id id, const channels *c, bool is_divided,
                                 ptq_error *err)
{
    tensor *t = graph_tensor(g, id);
    size_t count = blob_size(t->data) / sizeof(float);
    blob *made = blob_copy_of(blob_data(t->data), blob_size(t->data));
    if (!made)
        return error_no_memory(err, blob_size(t->data), "weights");
    float *w = blob_data(made);
    for (size_t i = 0; i < count; i++) {
        float f = c->factors[i / c->area % c->n];
        w[i] = is_divided ? w[i] / f : w[i] * f;
    }
    blob_unref(&t->data);
    t->data = made;
    return PTQ_OK;
}

static ptq_status scale_pair(graph *g, const pair *p, const float *factors, ptq_error *err)
{
    channels c = {factors, (size_t)p->n, 1};
    const node *first = graph_node_const(g, p->first);
    if (first->n_inputs > 2)
        PTQ_TRY(scale_constant(g, first->inputs[2], &c, true, err));
    const tensor *t = graph_tensor_const(g, first->inputs[1]);
    c.area = blob_size(t->data) / sizeof(float) / c.n;
    PTQ_TRY(scale_constant(g, first->inputs[1], &c, true, err));
    for (int i = 0; i < p->n_readers; i++) {
        const node *reader = graph_node_const(g, p->readers[i]);
        const shape *s = &graph_tensor_const(g, reader->inputs[1])->shape;
        c.area = (size_t)(s->dim[2] * s->dim[3]);
        PTQ_TRY(scale_constant(g, reader->inputs[1], &c, false, err));
    }
    return PTQ_OK;
}

/* The weight's ranges of one layer in a graph whose weights were scaled. */
static ptq_status set_weight_range(const equalizer *e, const graph *g, qplan_entry *entry,
                                   ptq_error *err)
{
    const quant_point *p = point_of(e, entry->layer);
    if (!p || !entry->weight.enabled || p->weight_desc.n_amax > 0)
        return PTQ_OK;
    const node *n = graph_node_const(g, graph_find_node(g, entry->layer));
    PTQ_TRY(weight_range(graph_tensor_const(g, n->inputs[1]), &p->weight_desc, p->weight_axes,
                         entry->weight.amax, err));
    for (int i = 0; i < entry->weight.n_amax; i++)
        entry->weight.amax[i] *= p->weight_desc.scale_amax;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- trying */

/* A plan of its own of a few entries: weights' ranges are copies. */
static ptq_status add_entry(qplan *plan, const qplan_entry *from, bool with_input, ptq_error *err)
{
    if (!from)
        return PTQ_OK;
    qplan_entry *e = &plan->entries[plan->n_entries];
    *e = *from;
    e->input.enabled = e->input.enabled && with_input;
    size_t n = (size_t)from->weight.n_amax;
    e->weight.amax = mem_array(n, sizeof *e->weight.amax);
    if (!e->weight.amax)
        return error_no_memory(err, n * sizeof *e->weight.amax, "a plan");
    if (n > 0)
        memcpy(e->weight.amax, from->weight.amax, n * sizeof *e->weight.amax);
    plan->n_entries++;
    return PTQ_OK;
}

/* Only the pair is quantized: the first one's weights, the tensor, the readers' weights. */
static ptq_status plan_pair(const equalizer *e, const graph *g, const pair *p, qplan *plan,
                            ptq_error *err)
{
    PTQ_TRY(add_entry(plan, entry_of(e, p->first), false, err));
    for (int i = 0; i < p->n_readers; i++)
        PTQ_TRY(add_entry(plan, entry_of(e, p->readers[i]), true, err));
    for (int i = 0; i < plan->n_entries; i++)
        PTQ_TRY(set_weight_range(e, g, &plan->entries[i], err));
    return PTQ_OK;
}

static ptq_status lower_pair(const equalizer *e, const pair *p, int way, graph **out,
                             ptq_error *err)
{
    graph *g;
    qplan plan = {.entries = mem_array(MOST_READERS + 1, sizeof *plan.entries)};
    if (!plan.entries)
        return error_no_memory(err, 0, "a plan");
    ptq_status st = graph_copy(e->g, &g, err);
    if (st == PTQ_OK) {
        if (way != FACTORS_NONE)
            st = scale_pair(g, p, p->factors[way], err);
        if (st == PTQ_OK)
            st = plan_pair(e, g, p, &plan, err);
        if (st == PTQ_OK)
            st = trials_lower(e->in->trials, g, &plan, out, err);
        graph_destroy(g);
    }
    for (int i = 0; i < plan.n_entries; i++)
        mem_free(plan.entries[i].weight.amax);
    mem_free(plan.entries);
    return st;
}

static ptq_status run_pairs(const equalizer *e, const pair *pairs, trial *variants, int n,
                            ptq_error *err)
{
    graph *base = NULL;
    double none;
    ptq_status st = trials_lower(e->in->trials, e->g, NULL, &base, err);
    for (int i = 0; i < n * N_WAYS && st == PTQ_OK; i++)
        st = lower_pair(e, &pairs[i / N_WAYS], i % N_WAYS, &variants[i].g, err);
    if (st != PTQ_OK) {
        graph_destroy(base);
        for (int i = 0; i < n * N_WAYS; i++)
            graph_destroy(variants[i].g);
        return st;
    }
    return trials_run(e->in->trials, base, variants, n * N_WAYS, &none, err);
}

static ptq_status try_pairs(const equalizer *e, pair *pairs, int n, ptq_error *err)
{
    trial variants[PAIRS_AT_A_TIME * N_WAYS] = {{0}};
    double none;
    if (!trials_recall(e->in->trials, variants, n * N_WAYS, &none))
        PTQ_TRY(run_pairs(e, pairs, variants, n, err));
    for (int i = 0; i < n * N_WAYS; i++)
        pairs[i / N_WAYS].movement[i % N_WAYS] = variants[i].movement;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- the choice */

static json_t *pair_json(const equalizer *e, const pair *p, int way)
{
    json_t *readers = json_array();
    float lowest = INFINITY, highest = 0;
    for (int i = 0; i < p->n_readers; i++)
        json_array_append_new(readers, json_string(graph_node_const(e->g, p->readers[i])->name));
    for (int i = 0; i < p->n; i++) {
        lowest = fminf(lowest, p->factors[way][i]);
        highest = fmaxf(highest, p->factors[way][i]);
    }
    return json_pack("{s:s,s:o,s:f,s:f,s:f,s:f}", "layer", graph_node_const(e->g, p->first)->name,
                     "readers", readers, "movement_before", p->movement[FACTORS_NONE],
                     "movement_after", p->movement[way], "lowest", (double)lowest, "highest",
                     (double)highest);
}

/* Scales the pair in `g` and the ranges of `plan`, if that is better. */
static ptq_status settle_pair(equalizer *e, graph *g, const pair *p, json_t *report, ptq_error *err)
{
    int best = FACTORS_NONE;
    for (int way = FACTORS_CLASSIC; way < N_WAYS; way++)
        best = p->movement[way] < p->movement[best] ? way : best;
    if (p->movement[best] > (1 - LEAST_GAIN) * p->movement[FACTORS_NONE])
        return PTQ_OK;
    PTQ_TRY(scale_pair(g, p, p->factors[best], err));
    json_array_append_new(report, pair_json(e, p, best));
    return PTQ_OK;
}

static ptq_status whole_movement(const equalizer *e, const graph *g, double *movement,
                                 ptq_error *err)
{
    graph *lowered;
    for (int i = 0; i < e->plan->n_entries; i++)
        PTQ_TRY(set_weight_range(e, g, &e->plan->entries[i], err));
    if (trials_recall(e->in->trials, NULL, 0, movement))
        return PTQ_OK;
    PTQ_TRY(trials_lower(e->in->trials, g, e->plan, &lowered, err));
    return trials_run(e->in->trials, lowered, NULL, 0, movement, err);
}

/* Takes the weights of `from` over. */
static void take_weights(graph *g, const graph *from)
{
    for (int i = 0; i < graph_n_tensors(g); i++) {
        const tensor *better = graph_tensor_const(from, (tensor_id)i);
        tensor *t = graph_tensor(g, (tensor_id)i);
        if (better->data == t->data)
            continue;
        blob_unref(&t->data);
        t->data = blob_ref(better->data);
    }
}

static ptq_status settle(equalizer *e, json_t *report, ptq_error *err)
{
    graph *better;
    double before = 0, after = 0;
    PTQ_TRY(graph_copy(e->g, &better, err));
    ptq_status st = whole_movement(e, e->g, &before, err);
    for (int i = 0; i < e->n_pairs && st == PTQ_OK; i++)
        st = settle_pair(e, better, &e->pairs[i], report, err);
    if (st == PTQ_OK)
        st = whole_movement(e, better, &after, err);
    if (st == PTQ_OK && after < before)
        take_weights(e->g, better);
    else
        json_array_clear(report);
    for (int i = 0; i < e->plan->n_entries && st == PTQ_OK; i++)
        st = set_weight_range(e, e->g, &e->plan->entries[i], err);
    graph_destroy(better);
    return st;
}

static ptq_status run(equalizer *e, json_t *report, ptq_error *err)
{
    list_pairs(e);
    if (e->n_pairs == 0)
        return PTQ_OK;
    PTQ_TRY(choose_all_factors(e, err));
    for (int i = 0; i < e->n_pairs; i += PAIRS_AT_A_TIME) {
        int left = e->n_pairs - i;
        env_progress(e->in->env, "equalizing channels", (size_t)i, (size_t)e->n_pairs);
        PTQ_TRY(try_pairs(e, e->pairs + i, left < PAIRS_AT_A_TIME ? left : PAIRS_AT_A_TIME, err));
    }
    env_progress(e->in->env, "equalizing channels", 1, 1);
    return settle(e, report, err);
}

ptq_status equalize(const equalize_input *in, graph *g, qplan *plan, json_t **report,
                    ptq_error *err)
{
    equalizer e = {.in = in, .g = g, .plan = plan};
    json_t *list = json_array();
    e.pairs = mem_array((size_t)graph_n_nodes(g), sizeof *e.pairs);
    ptq_status st = list && e.pairs ? run(&e, list, err) : error_no_memory(err, 0, "equalizing");
    for (int i = 0; i < e.n_pairs; i++)
        for (int way = 0; way < N_WAYS; way++)
            mem_free(e.pairs[i].factors[way]);
    mem_free(e.pairs);
    if (st == PTQ_OK)
        *report = list;
    else
        json_decref(list);
    return st;
}
