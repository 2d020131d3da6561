/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/range_search.h"

#include <math.h>
#include <string.h>

#include "base/env.h"
#include "base/mem.h"
#include "quant/quant_plan.h"

/* Besides the methods': the present range times these. */
static const float AROUND[] = {0.5f, 0.7f, 0.84f, 1.19f, 1.41f, 1.68f};
enum { N_AROUND = sizeof AROUND / sizeof AROUND[0], MOST_RANGES = 1 + AMAX_METHODS + N_AROUND };
/* Networks that are run beside one base. */
enum { AT_A_TIME = 32 };
/* Ranges closer than this are one; a new one must save this share of the movement. */
#define SAME 0.08f
#define LEAST_GAIN 0.02
/* A group that moves less than this share of the mean is left alone: it has nothing to give. */
#define LEAST_SHARE 0.2
#define NOT_TRIED -1.0

/* A group of shared ranges: the ranges to try, ascending once all are listed. */
typedef struct choice {
    int group;
    int n;
    int present, best;
    float amax[MOST_RANGES];
    double movement[MOST_RANGES];
    bool is_open;
} choice;

typedef struct attempt {
    choice *c;
    int at;
} attempt;

typedef struct searcher {
    const range_input *in;
    qplan *plan;
    qplan by_method[AMAX_METHODS];
    int *group_of_entry;
    int *group_of_extra;
    choice *choices;
    int n_choices;
    attempt *attempts; /* of one round */
    int n_attempts, n_done;
} searcher;

/* ---------------------------------------------------------------- what to try */

static int group_of(const searcher *s, const char *layer, bool is_extra, int input_index)
{
    for (int i = 0; i < s->in->points->n; i++) {
        const quant_point *p = &s->in->points->items[i];
        if (p->is_extra == is_extra && p->input_index == input_index &&
            strcmp(p->layer, layer) == 0)
            return p->group;
    }
    return -1;
}

static void add_range(choice *c, float amax)
{
    for (int i = 0; i < c->n; i++)
        if (fabsf(amax - c->amax[i]) <= SAME * c->amax[i])
            return;
    if (c->n < MOST_RANGES && amax > 0)
        c->amax[c->n++] = amax;
}

static void sort_ranges(choice *c)
{
    float present = c->amax[0];
    for (int i = 1; i < c->n; i++)
        for (int k = i; k > 0 && c->amax[k] < c->amax[k - 1]; k--) {
            float other = c->amax[k];
            c->amax[k] = c->amax[k - 1];
            c->amax[k - 1] = other;
        }
    for (int i = 0; i < c->n; i++) {
        c->movement[i] = NOT_TRIED;
        if (c->amax[i] == present)
            c->present = c->best = i;
    }
}

/* A range that every method agrees on was given by hand, or has one value: it stays. */
static void list_choice(searcher *s, int entry)
{
    const quantizer *q = &s->plan->entries[entry].input;
    choice c = {.group = s->group_of_entry[entry], .is_open = true};
    bool is_free = false;
    bool is_plain = q->enabled && q->n_amax == 1 && !q->is_unsigned && !q->only_clips;
    if (!is_plain || c.group < 0 || q->amax[0] <= 0)
        return;
    for (int i = 0; i < s->n_choices; i++)
        if (s->choices[i].group == c.group)
            return;
    add_range(&c, q->amax[0]);
    for (int m = 0; m < AMAX_METHODS; m++) {
        float amax = s->by_method[m].entries[entry].input.amax[0];
        is_free = is_free || amax != q->amax[0];
        add_range(&c, amax);
    }
    for (int i = 0; i < N_AROUND; i++)
        add_range(&c, q->amax[0] * AROUND[i]);
    sort_ranges(&c);
    if (is_free)
        s->choices[s->n_choices++] = c;
}

/* The points with another method, where the settings leave it open. */
static ptq_status points_with(const quant_points *from, amax_method method, quant_points *out,
                              ptq_error *err)
{
    *out = *from;
    out->items = mem_array((size_t)from->n, sizeof *out->items);
    if (!out->items)
        return error_no_memory(err, (size_t)from->n * sizeof *out->items, "a search");
    memcpy(out->items, from->items, (size_t)from->n * sizeof *out->items);
    for (int i = 0; i < out->n; i++)
        if (!out->items[i].has_range_rule && out->items[i].input_desc.use_histogram)
            out->items[i].input_desc.method = method;
    return PTQ_OK;
}

static ptq_status list_choices(searcher *s, ptq_error *err)
{
    for (int m = 0; m < AMAX_METHODS; m++) {
        quant_points points;
        PTQ_TRY(points_with(s->in->points, (amax_method)m, &points, err));
        ptq_status st = quant_plan_build(s->in->g, &points, s->in->ranges, s->in->options,
                                         &s->by_method[m], err);
        quant_points_clear(&points);
        PTQ_TRY(st);
    }
    for (int i = 0; i < s->plan->n_entries; i++)
        s->group_of_entry[i] = group_of(s, s->plan->entries[i].layer, false, 0);
    for (int i = 0; i < s->plan->n_extras; i++)
        s->group_of_extra[i] =
            group_of(s, s->plan->extras[i].node, true, s->plan->extras[i].input_index);
    for (int i = 0; i < s->plan->n_entries; i++)
        list_choice(s, i);
    return PTQ_OK;
}

/* ---------------------------------------------------------------- trying */

/* The network with only this group's tensors quantized. */
static ptq_status lower_choice(const searcher *s, const choice *c, float *amax, graph **out,
                               ptq_error *err)
{
    const qplan *all = s->plan;
    qplan plan = {.entries = mem_array((size_t)all->n_entries, sizeof *plan.entries),
                  .extras = mem_array((size_t)all->n_extras, sizeof *plan.extras)};
    bool ok = plan.entries && plan.extras;
    for (int i = 0; ok && i < all->n_entries; i++) {
        if (s->group_of_entry[i] != c->group)
            continue;
        qplan_entry *e = &plan.entries[plan.n_entries++];
        *e = all->entries[i];
        e->weight.enabled = false;
        e->input.amax = amax;
    }
    for (int i = 0; ok && i < all->n_extras; i++) {
        if (s->group_of_extra[i] != c->group)
            continue;
        plan.extras[plan.n_extras] = all->extras[i];
        plan.extras[plan.n_extras++].input.amax = amax;
    }
    ptq_status st =
        ok ? trials_lower(s->in->trials, s->in->g, &plan, out, err)
           : error_no_memory(err, (size_t)all->n_entries * sizeof *plan.entries, "a search");
    mem_free(plan.entries);
    mem_free(plan.extras);
    return st;
}

static ptq_status run_some(const searcher *s, const attempt *attempts, trial *variants, int n,
                           ptq_error *err)
{
    graph *base = NULL;
    double none;
    ptq_status st = trials_lower(s->in->trials, s->in->g, NULL, &base, err);
    for (int i = 0; i < n && st == PTQ_OK; i++)
        st = lower_choice(s, attempts[i].c, &attempts[i].c->amax[attempts[i].at], &variants[i].g,
                          err);
    if (st == PTQ_OK)
        return trials_run(s->in->trials, base, variants, n, &none, err);
    graph_destroy(base);
    for (int i = 0; i < n; i++)
        graph_destroy(variants[i].g);
    return st;
}

/* `n` attempts in one contest: the base runs once for all. */
static ptq_status try_some(const searcher *s, const attempt *attempts, int n, ptq_error *err)
{
    trial *variants = mem_array((size_t)n, sizeof *variants);
    double none;
    if (!variants)
        return error_no_memory(err, (size_t)n * sizeof *variants, "a search");
    ptq_status st = PTQ_OK;
    if (!trials_recall(s->in->trials, variants, n, &none))
        st = run_some(s, attempts, variants, n, err);
    for (int i = 0; i < n && st == PTQ_OK; i++)
        attempts[i].c->movement[attempts[i].at] = variants[i].movement;
    mem_free(variants);
    return st;
}

static ptq_status try_round(searcher *s, ptq_error *err)
{
    for (int first = 0; first < s->n_attempts; first += AT_A_TIME) {
        int left = s->n_attempts - first, n = left < AT_A_TIME ? left : AT_A_TIME;
        env_progress(s->in->env, "searching ranges", (size_t)s->n_done,
                     (size_t)(s->n_done + left + s->n_choices));
        PTQ_TRY(try_some(s, s->attempts + first, n, err));
        s->n_done += n;
    }
    return PTQ_OK;
}

/* ---------------------------------------------------------------- the choice */

static void add_attempt(searcher *s, choice *c, int at)
{
    if (at >= 0 && at < c->n && c->movement[at] < 0)
        s->attempts[s->n_attempts++] = (attempt){c, at};
}

/* What lies beside the best range so far: the movement falls and rises again with the range. */
static void list_round(searcher *s)
{
    s->n_attempts = 0;
    for (int i = 0; i < s->n_choices; i++) {
        choice *c = &s->choices[i];
        for (int k = 0; k < c->n; k++)
            if (c->movement[k] >= 0 && c->movement[k] < c->movement[c->best])
                c->best = k;
        if (!c->is_open)
            continue;
        add_attempt(s, c, c->best - 1);
        add_attempt(s, c, c->best + 1);
    }
}

static void close_small_ones(searcher *s)
{
    double sum = 0;
    for (int i = 0; i < s->n_choices; i++)
        sum += s->choices[i].movement[s->choices[i].present];
    for (int i = 0; i < s->n_choices; i++) {
        choice *c = &s->choices[i];
        c->is_open = c->movement[c->present] * s->n_choices >= LEAST_SHARE * sum;
    }
}

static void apply(searcher *s, const choice *c, json_t *report)
{
    double before = c->movement[c->present], after = c->movement[c->best];
    if (after > (1 - LEAST_GAIN) * before)
        return;
    const char *layer = NULL;
    for (int i = 0; i < s->plan->n_entries; i++) {
        if (s->group_of_entry[i] != c->group)
            continue;
        layer = layer ? layer : s->plan->entries[i].layer;
        s->plan->entries[i].input.amax[0] = c->amax[c->best];
    }
    for (int i = 0; i < s->plan->n_extras; i++)
        if (s->group_of_extra[i] == c->group)
            s->plan->extras[i].input.amax[0] = c->amax[c->best];
    json_array_append_new(report, json_pack("{s:s,s:f,s:f,s:f,s:f}", "layer", layer, "amax_before",
                                            (double)c->amax[c->present], "amax_after",
                                            (double)c->amax[c->best], "movement_before", before,
                                            "movement_after", after));
}

static ptq_status search(searcher *s, json_t *report, ptq_error *err)
{
    PTQ_TRY(list_choices(s, err));
    for (int i = 0; i < s->n_choices; i++)
        add_attempt(s, &s->choices[i], s->choices[i].present);
    PTQ_TRY(try_round(s, err));
    close_small_ones(s);
    for (list_round(s); s->n_attempts > 0; list_round(s))
        PTQ_TRY(try_round(s, err));
    for (int i = 0; i < s->n_choices; i++)
        apply(s, &s->choices[i], report);
    env_progress(s->in->env, "searching ranges", 1, 1);
    return PTQ_OK;
}

ptq_status range_search(const range_input *in, qplan *plan, json_t **report, ptq_error *err)
{
    searcher s = {.in = in, .plan = plan};
    json_t *list = json_array();
    s.group_of_entry = mem_array((size_t)plan->n_entries, sizeof *s.group_of_entry);
    s.group_of_extra = mem_array((size_t)plan->n_extras, sizeof *s.group_of_extra);
    s.choices = mem_array((size_t)plan->n_entries, sizeof *s.choices);
    s.attempts = mem_array(2 * (size_t)plan->n_entries, sizeof *s.attempts);
    ptq_status st =
        list && s.group_of_entry && s.group_of_extra && s.choices && s.attempts
            ? search(&s, list, err)
            : error_no_memory(err, (size_t)plan->n_entries * sizeof *s.choices, "a search");
    for (int m = 0; m < AMAX_METHODS; m++)
        quant_plan_clear(&s.by_method[m]);
    mem_free(s.group_of_entry);
    mem_free(s.group_of_extra);
    mem_free(s.choices);
    mem_free(s.attempts);
    if (st == PTQ_OK)
        *report = list;
    else
        json_decref(list);
    return st;
}
