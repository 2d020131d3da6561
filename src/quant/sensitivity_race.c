/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/sensitivity_race.h"

#include <math.h>
#include <stdio.h>

#include "base/env.h"
#include "base/mem.h"
#include "quant/effects.h"
#include "quant/race.h"

enum {
    SCREEN_IMAGES = 5,   /* all units */
    HOPELESS_IMAGES = 8, /* before a unit is given up */
    WORK_SHARE = 32,     /* of measuring all units on all images */
    UNITS_PER_RUN = 3,   /* networks behind their units, per whole one; at least */
    MOST_IMAGES = 512,   /* kept as pictures */
    EFFECT_FIELDS = 4,
};

typedef struct racer {
    race_input in;
    effects *e;
    race_rules rules;
    race_unit *sums;
    race_unit whole;
    race_verdict *verdicts;
    int *active; /* units to be measured on the next image */
    int n_active;
    image_effects seen; /* units[k] belongs to active[k] */
    int *own;           /* of the active ones: what this rank measures */
    effect *own_units;
    effect *all_units; /* of all ranks */
    double cost, budget;
} racer;

/* ---------------------------------------------------------------- the journal */

static json_t *effect_json(const effect *x)
{
    return json_pack("[f,f,f,f]", x->change, x->noise, x->harm, x->cost);
}

/* {signal, base_noise, whole, units{name}}; effects are [change, noise, harm, cost]. */
static json_t *image_json(const racer *r)
{
    json_t *units = json_object();
    for (int i = 0; i < r->n_active; i++) {
        json_object_set_new(units, r->in.units->items[r->active[i]].name,
                            effect_json(&r->seen.units[i]));
    }
    return json_pack("{s:f,s:f,s:o,s:o}", "signal", r->seen.signal, "base_noise",
                     r->seen.base_noise, "whole", effect_json(&r->seen.whole), "units", units);
}

static bool effect_from_json(const json_t *o, effect *x)
{
    double v[EFFECT_FIELDS];
    if (json_array_size(o) != EFFECT_FIELDS)
        return false;
    for (size_t i = 0; i < EFFECT_FIELDS; i++) {
        if (!json_is_number(json_array_get(o, i)))
            return false;
        v[i] = json_number_value(json_array_get(o, i));
    }
    *x = (effect){v[0], v[1], v[2], v[3]};
    return true;
}

/* Whether an earlier run has measured all active units on this image. */
static bool recall_image(racer *r, const char *key)
{
    const json_t *o = journal_find(r->in.j, key);
    double signal, base_noise;
    json_t *units, *whole;
    if (!o ||
        json_unpack((json_t *)(uintptr_t)o, "{s:F,s:F,s:o,s:o}", "signal", &signal, "base_noise",
                    &base_noise, "whole", &whole, "units", &units) ||
        !effect_from_json(whole, &r->seen.whole))
        return false;
    for (int i = 0; i < r->n_active; i++) {
        const char *name = r->in.units->items[r->active[i]].name;
        if (!effect_from_json(json_object_get(units, name), &r->seen.units[i]))
            return false;
    }
    r->seen.signal = signal;
    r->seen.base_noise = base_noise;
    return true;
}

/* The k-th active unit is measured by rank k modulo their number, which always leaves rank 0 one;
 * what does not belong to a unit is its word. */
static ptq_status measure_shared(racer *r, int image, ptq_error *err)
{
    const ptq_env *env = r->in.env;
    int ranks = env_n_ranks(env), n = 0;
    for (int k = env_rank(env); k < r->n_active; k += ranks)
        r->own[n++] = r->active[k];
    image_effects own = {.units = r->own_units};
    if (n > 0)
        PTQ_TRY(effects_measure(r->e, image, r->own, n, &own, err));
    size_t most = (size_t)((r->n_active + ranks - 1) / ranks);
    PTQ_TRY(env_gather(env, own.units, most * sizeof *own.units, r->all_units, err));
    for (int k = 0; k < r->n_active; k++)
        r->seen.units[k] = r->all_units[(size_t)(k % ranks) * most + (size_t)(k / ranks)];
    image_effects *heads = mem_array((size_t)ranks, sizeof *heads);
    if (!heads)
        return error_no_memory(err, (size_t)ranks * sizeof *heads, "a ranking");
    own.units = NULL;
    ptq_status st = env_gather(env, &own, sizeof own, heads, err);
    effect *units = r->seen.units;
    r->seen = heads[0];
    r->seen.units = units;
    mem_free(heads);
    return st;
}

static ptq_status measure_image(racer *r, int image, ptq_error *err)
{
    char key[32];
    snprintf(key, sizeof key, "image %d", image);
    if (recall_image(r, key))
        return PTQ_OK;
    PTQ_TRY(measure_shared(r, image, err));
    return journal_store(r->in.j, key, image_json(r), err);
}

/* ---------------------------------------------------------------- the race */

static void add_effect(racer *r, race_unit *sums, const effect *x)
{
    race_sample s = {x->change, x->harm, x->noise, r->seen.signal, r->seen.base_noise};
    race_add(sums, &s);
}

static void add_image(racer *r)
{
    for (int i = 0; i < r->n_active; i++)
        add_effect(r, &r->sums[r->active[i]], &r->seen.units[i]);
    add_effect(r, &r->whole, &r->seen.whole);
    r->cost += 1 + r->seen.whole.cost;
    for (int i = 0; i < r->n_active; i++)
        r->cost += r->seen.units[i].cost;
}

/* Who goes on: everybody at first, then those whose place can still be settled. */
static void choose_active(racer *r, int image)
{
    int n = r->in.units->n;
    if (image >= SCREEN_IMAGES)
        race_judge(r->sums, n, &r->whole, &r->rules, r->verdicts);
    r->n_active = 0;
    for (int i = 0; i < n; i++) {
        const race_verdict *v = &r->verdicts[i];
        bool is_hopeless = r->sums[i].n >= HOPELESS_IMAGES && v->n_needed > r->rules.n_images;
        if (image < SCREEN_IMAGES || (!v->is_clear && !is_hopeless))
            r->active[r->n_active++] = i;
    }
}

static ptq_status race_images(racer *r, ptq_error *err)
{
    int n_images = effects_n_images(r->e);
    for (int image = 0; image < n_images; image++) {
        choose_active(r, image);
        if (r->n_active == 0 || (image >= SCREEN_IMAGES && r->cost >= r->budget))
            break;
        PTQ_TRY(env_check_cancel(r->in.env, err));
        PTQ_TRY(measure_image(r, image, err));
        add_image(r);
        env_progress(r->in.env, "ranking layers", (size_t)(r->cost * 10), (size_t)(r->budget * 10));
    }
    if (r->sums[0].n < 2)
        return error_set(err, PTQ_DATA,
                         "a ranking needs 2 images at least; give more, or use --exhaustive");
    race_judge(r->sums, r->in.units->n, &r->whole, &r->rules, r->verdicts);
    env_progress(r->in.env, "ranking layers", 1, 1);
    return PTQ_OK;
}

static double baseline_of(const racer *r)
{
    if (!r->rules.is_sqnr)
        return effects_baseline(r->e);
    return r->rules.is_only ? race_sqnr(1, 0) : race_sqnr(r->sums[0].signal, r->sums[0].base_noise);
}

static ptq_status fill_layers(const racer *r, sensitivity *out, ptq_error *err)
{
    double sign = r->rules.is_only ? -1 : 1;
    out->baseline = baseline_of(r);
    for (int i = 0; i < r->in.units->n; i++) {
        sensitivity_layer *l = &out->layers[i];
        const race_verdict *v = &r->verdicts[i];
        double ends[2] = {out->baseline + sign * v->low, out->baseline + sign * v->high};
        *l = (sensitivity_layer){.name = mem_strdup(r->in.units->items[i].name),
                                 .op = r->in.units->items[i].op,
                                 .score = out->baseline + sign * v->drop,
                                 .low = ends[0] < ends[1] ? ends[0] : ends[1],
                                 .high = ends[0] < ends[1] ? ends[1] : ends[0],
                                 .drop = v->drop,
                                 .sqnr_db = race_sqnr(r->sums[i].signal, r->sums[i].noise),
                                 .movement = v->movement,
                                 .is_clear = v->is_clear,
                                 .n_needed = v->n_needed,
                                 .evaluations = r->sums[i].n};
        if (!l->name)
            return error_no_memory(err, 0, "a ranking");
        out->n_layers++;
    }
    return PTQ_OK;
}

static ptq_status run(racer *r, sensitivity *out, ptq_error *err)
{
    size_t n = (size_t)r->in.units->n;
    r->sums = mem_array(n, sizeof *r->sums);
    r->verdicts = mem_array(n, sizeof *r->verdicts);
    r->active = mem_array(n, sizeof *r->active);
    r->seen.units = mem_array(n, sizeof *r->seen.units);
    size_t ranks = (size_t)env_n_ranks(r->in.env);
    r->own = mem_array(n, sizeof *r->own);
    r->own_units = mem_array(n, sizeof *r->own_units);
    r->all_units = mem_array(n + ranks, sizeof *r->all_units);
    if (!r->sums || !r->verdicts || !r->active || !r->seen.units || !r->own || !r->own_units ||
        !r->all_units)
        return error_no_memory(err, n * sizeof *r->sums, "a ranking");
    double all = (double)n * r->rules.n_images, least = (double)(n * SCREEN_IMAGES);
    r->budget = all / WORK_SHARE > least ? all / WORK_SHARE : least;
    double most = r->budget / (double)n * UNITS_PER_RUN * 2;
    effects_input in = {r->in.job, r->in.options, r->in.units, r->in.env,
                        most < MOST_IMAGES ? (int)most : MOST_IMAGES};
    PTQ_TRY(effects_create(&in, &r->e, err));
    PTQ_TRY(race_images(r, err));
    return fill_layers(r, out, err);
}

ptq_status sensitivity_race(const race_input *in, sensitivity *out, ptq_error *err)
{
    racer r = {.in = *in};
    r.rules = (race_rules){.is_sqnr = in->options->metric == SENSITIVITY_SQNR,
                           .is_only = in->options->mode == SENSITIVITY_ONLY,
                           .n_images = in->job->data->n_items,
                           .top = in->options->top,
                           .confidence = in->options->confidence};
    ptq_status st = run(&r, out, err);
    effects_destroy(r.e);
    mem_free(r.sums);
    mem_free(r.verdicts);
    mem_free(r.active);
    mem_free(r.own);
    mem_free(r.own_units);
    mem_free(r.all_units);
    mem_free(r.seen.units);
    return st;
}
