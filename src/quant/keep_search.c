/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/keep_search.h"

#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/mem.h"
#include "quant/sensitivity_units.h"

/* After the first step only so many groups, those that saved most in the step before, compete. */
enum { COMPETITORS = 10 };
#define NOT_TRIED 1e30

/* Entries that flip together. */
typedef struct group {
    int *entries;
    int n;
    double movement; /* when it is kept too */
} group;

typedef struct searcher {
    const keep_input *in;
    group *groups;
    int n_groups;
    int *members;  /* what the groups' entries point into */
    bool *is_kept; /* per entry */
} searcher;

/* The plan without some entries. Quantizers are borrowed. */
static ptq_status plan_without(const graph *g, const qplan *all, const bool *is_left, qplan *out,
                               ptq_error *err)
{
    qplan plan = *all;
    plan.n_entries = plan.n_extras = 0;
    plan.entries = mem_array((size_t)all->n_entries, sizeof *plan.entries);
    plan.extras = mem_array((size_t)all->n_extras, sizeof *plan.extras);
    if (!plan.entries || !plan.extras) {
        mem_free(plan.entries);
        mem_free(plan.extras);
        return error_no_memory(err, (size_t)all->n_entries * sizeof *plan.entries, "a search");
    }
    for (int i = 0; i < all->n_entries; i++)
        if (!is_left[i])
            plan.entries[plan.n_entries++] = all->entries[i];
    for (int i = 0; i < all->n_extras; i++)
        if (units_keeps_extra(g, &plan, &all->extras[i]))
            plan.extras[plan.n_extras++] = all->extras[i];
    *out = plan;
    return PTQ_OK;
}

static ptq_status lower_without(const searcher *s, const group *also, graph **out, ptq_error *err)
{
    qplan plan;
    for (int k = 0; also && k < also->n; k++)
        s->is_kept[also->entries[k]] = true;
    ptq_status st = plan_without(s->in->g, s->in->plan, s->is_kept, &plan, err);
    for (int k = 0; also && k < also->n; k++)
        s->is_kept[also->entries[k]] = false;
    PTQ_TRY(st);
    st = trials_lower(s->in->trials, s->in->g, &plan, out, err);
    mem_free(plan.entries);
    mem_free(plan.extras);
    return st;
}

static tensor_id input_of(const searcher *s, int entry)
{
    node_id id = graph_find_node(s->in->g, s->in->plan->entries[entry].layer);
    return id == NODE_NONE ? TENSOR_NONE : graph_node_const(s->in->g, id)->inputs[0];
}

/* Entries that read one tensor. */
static ptq_status make_groups(searcher *s, ptq_error *err)
{
    int n = s->in->plan->n_entries, used = 0;
    s->groups = mem_array((size_t)n, sizeof *s->groups);
    s->members = mem_array((size_t)n, sizeof *s->members);
    s->is_kept = mem_array((size_t)n, sizeof *s->is_kept);
    bool *is_placed = mem_array((size_t)n, sizeof *is_placed);
    bool ok = s->groups && s->members && s->is_kept && is_placed;
    for (int i = 0; ok && i < n; i++) {
        if (is_placed[i])
            continue;
        group *g = &s->groups[s->n_groups++];
        *g = (group){.entries = s->members + used};
        for (int k = i; k < n; k++)
            if (!is_placed[k] && input_of(s, k) == input_of(s, i)) {
                g->entries[g->n++] = k;
                is_placed[k] = true;
            }
        used += g->n;
    }
    mem_free(is_placed);
    return ok ? PTQ_OK : error_no_memory(err, (size_t)n * sizeof *s->groups, "a search");
}

/* ---------------------------------------------------------------- one step */

static int compare_groups(const void *a, const void *b)
{
    const group *x = a;
    const group *y = b;
    if (x->movement != y->movement)
        return x->movement < y->movement ? -1 : 1;
    return x->entries[0] < y->entries[0] ? -1 : x->entries[0] > y->entries[0];
}

/* Those of `n` groups that would not exceed `room` layers, at most `most`; the others are marked as
 * not tried. */
static int choose(searcher *s, int room, int most, group **chosen)
{
    int n = 0;
    for (int i = 0; i < s->n_groups; i++) {
        group *g = &s->groups[i];
        g->movement = NOT_TRIED;
        if (n < most && g->n <= room && !s->is_kept[g->entries[0]])
            chosen[n++] = g;
    }
    return n;
}

static ptq_status try_some(searcher *s, group **chosen, trial *variants, int n, double *movement,
                           ptq_error *err)
{
    graph *base = NULL;
    ptq_status st = PTQ_OK;
    if (trials_recall(s->in->trials, variants, n, movement))
        return PTQ_OK;
    for (int k = 0; k < n && st == PTQ_OK; k++)
        st = lower_without(s, chosen[k], &variants[k].g, err);
    if (st == PTQ_OK)
        st = lower_without(s, NULL, &base, err);
    if (st != PTQ_OK) {
        for (int k = 0; k < n; k++)
            graph_destroy(variants[k].g);
        return st;
    }
    return trials_run(s->in->trials, base, variants, n, movement, err);
}

/* A few at a time: each has weights of its own. */
static ptq_status try_groups(searcher *s, group **chosen, int n, double *movement, ptq_error *err)
{
    int first = 0;
    do {
        trial variants[COMPETITORS] = {{0}};
        int some = n - first < COMPETITORS ? n - first : COMPETITORS;
        PTQ_TRY(try_some(s, chosen + first, variants, some, movement, err));
        for (int k = 0; k < some; k++)
            chosen[first + k]->movement = variants[k].movement;
        first += some;
    } while (first < n);
    return PTQ_OK;
}

/* The movement with what is kept; then the groups stand in order, the best first. *n: how many
 * competed. */
static ptq_status compete(searcher *s, int step, int room, double *movement, int *n, ptq_error *err)
{
    size_t all = (size_t)s->n_groups;
    group **chosen = mem_array(all, sizeof(group *));
    ptq_status st = chosen ? PTQ_OK : error_no_memory(err, all * sizeof(group *), "a search");
    if (st == PTQ_OK) {
        *n = choose(s, room, step == 0 ? s->n_groups : COMPETITORS, chosen);
        st = try_groups(s, chosen, *n, movement, err);
    }
    if (st == PTQ_OK)
        qsort(s->groups, all, sizeof *s->groups, compare_groups);
    mem_free(chosen);
    return st;
}

static void keep_group(searcher *s, keep_path *p, const group *g)
{
    keep_step *step = &p->steps[p->n_steps++];
    *step = (keep_step){p->n_entries, g->n, g->movement};
    for (int i = 0; i < g->n; i++) {
        s->is_kept[g->entries[i]] = true;
        p->entries[p->n_entries++] = g->entries[i];
    }
}

static ptq_status search(searcher *s, keep_path *p, ptq_error *err)
{
    const keep_input *in = s->in;
    for (int step = 0; p->n_entries <= in->most; step++) {
        double movement = 0;
        int n = 0;
        env_progress(in->env, "keeping layers in 16 bit", (size_t)p->n_entries,
                     (size_t)in->most + 1);
        PTQ_TRY(compete(s, step, in->most - p->n_entries, &movement, &n, err));
        if (step == 0)
            p->movement = movement;
        if (n == 0 || movement <= in->enough ||
            s->groups[0].movement > (1 - in->least_gain) * movement)
            break;
        keep_group(s, p, &s->groups[0]);
    }
    env_progress(in->env, "keeping layers in 16 bit", 1, 1);
    return PTQ_OK;
}

ptq_status keep_search(const keep_input *in, keep_path *out, ptq_error *err)
{
    searcher s = {.in = in};
    size_t n = (size_t)in->plan->n_entries;
    keep_path p = {.entries = mem_array(n, sizeof *p.entries),
                   .steps = mem_array(n, sizeof *p.steps)};
    ptq_status st =
        p.entries && p.steps ? PTQ_OK : error_no_memory(err, n * sizeof *p.steps, "a search");
    if (st == PTQ_OK)
        st = make_groups(&s, err);
    if (st == PTQ_OK)
        st = search(&s, &p, err);
    mem_free(s.groups);
    mem_free(s.members);
    mem_free(s.is_kept);
    if (st == PTQ_OK)
        *out = p;
    else
        keep_path_clear(&p);
    return st;
}

void keep_path_clear(keep_path *p)
{
    mem_free(p->entries);
    mem_free(p->steps);
    *p = (keep_path){0};
}

void keep_path_cut(keep_path *p, int n)
{
    p->n_steps = n < p->n_steps ? n : p->n_steps;
    const keep_step *last = p->n_steps > 0 ? &p->steps[p->n_steps - 1] : NULL;
    p->n_entries = last ? last->first + last->n : 0;
}

ptq_status keep_path_plan(const keep_path *p, int n, const graph *g, const qplan *plan, qplan *out,
                          ptq_error *err)
{
    bool *is_left = mem_array((size_t)plan->n_entries, sizeof *is_left);
    if (!is_left)
        return error_no_memory(err, (size_t)plan->n_entries, "a plan");
    for (int i = 0; i < n; i++)
        for (int k = 0; k < p->steps[i].n; k++)
            is_left[p->entries[p->steps[i].first + k]] = true;
    ptq_status st = plan_without(g, plan, is_left, out, err);
    mem_free(is_left);
    return st;
}

void keep_path_apply(const keep_path *p, const graph *g, qplan *plan)
{
    for (int i = 0; i < p->n_entries; i++) {
        qplan_entry *e = &plan->entries[p->entries[i]];
        mem_free(e->layer);
        mem_free(e->input.amax);
        mem_free(e->weight.amax);
        *e = (qplan_entry){0};
    }
    int n = 0;
    for (int i = 0; i < plan->n_entries; i++)
        if (plan->entries[i].layer)
            plan->entries[n++] = plan->entries[i];
    plan->n_entries = n;
    n = 0;
    for (int i = 0; i < plan->n_extras; i++) {
        qplan_extra *e = &plan->extras[i];
        if (units_keeps_extra(g, plan, e)) {
            plan->extras[n++] = *e;
        } else {
            mem_free(e->node);
            mem_free(e->input.amax);
        }
    }
    plan->n_extras = n;
}

json_t *keep_path_write_json(const keep_path *p, const qplan *plan)
{
    json_t *steps = json_array();
    for (int i = 0; i < p->n_steps; i++) {
        const keep_step *s = &p->steps[i];
        json_t *names = json_array();
        for (int k = s->first; k < s->first + s->n; k++)
            json_array_append_new(names, json_string(plan->entries[p->entries[k]].layer));
        json_array_append_new(steps,
                              json_pack("{s:o,s:f}", "layers", names, "movement", s->movement));
    }
    return json_pack("{s:f,s:o}", "movement", p->movement, "steps", steps);
}
