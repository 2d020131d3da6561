/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/race.h"

#include <math.h>

/* Equal outputs have no finite ratio: reported as this many dB. */
#define MAX_DB 200.0
/* How many images' worth the variance that is typical for a movement counts in each unit's own. */
#define PRIOR_IMAGES 5.0

void race_add(race_unit *u, const race_sample *s)
{
    u->n++;
    u->change += s->change;
    u->change2 += s->change * s->change;
    u->harm += s->harm;
    u->noise += s->noise;
    u->noise2 += s->noise * s->noise;
    u->cross += s->noise * s->signal;
    u->signal += s->signal;
    u->signal2 += s->signal * s->signal;
    u->base_noise += s->base_noise;
}

double race_sqnr(double signal, double noise)
{
    if (noise <= 0)
        return signal > 0 ? MAX_DB : 0;
    double db = 10 * log10(signal / noise);
    return db < MAX_DB ? db : MAX_DB;
}

/* The x with P(|normal| < x) = confidence: bisection of the error function. */
static double quantile(double confidence)
{
    double low = 0, high = 8;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (erf(middle / sqrt(2)) < confidence)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* ---------------------------------------------------------------- one unit */

static double variance(double sum, double sum2, int n)
{
    double v = (sum2 - sum * sum / n) / (n - 1);
    return v > 0 ? v : 0;
}

static double movement_of(const race_unit *u, const race_rules *r)
{
    double m = u->harm / u->n;
    m = r->is_only ? m : -m;
    return m > 0 ? m : 0;
}

/* What the variance of a unit's changes is per movement, over all units. */
static double typical_variance(const race_unit *units, int n, const race_rules *r)
{
    double sum = 0, weight = 0;
    for (int i = 0; i < n; i++) {
        double m = movement_of(&units[i], r);
        if (m <= 0)
            continue;
        sum += (units[i].n - 1) * variance(units[i].change, units[i].change2, units[i].n) / m;
        weight += units[i].n - 1;
    }
    return weight > 0 ? sum / weight : 0;
}

/* The direct estimate of the drop and its standard error. */
typedef struct estimate {
    double drop, error;
} estimate;

static estimate estimate_map(const race_unit *u, const race_rules *r, double typical)
{
    double own = variance(u->change, u->change2, u->n), n = u->n;
    double v =
        (PRIOR_IMAGES * typical * movement_of(u, r) + (n - 1) * own) / (PRIOR_IMAGES + n - 1);
    double drop = r->n_images * u->change / n;
    return (estimate){r->is_only ? -drop : drop, r->n_images * sqrt(v / n)};
}

/* A ratio of sums: its error by the residuals noise - ratio x signal. */
static estimate estimate_sqnr(const race_unit *u, const race_rules *r)
{
    double db = race_sqnr(u->signal, u->noise);
    double base = r->is_only ? MAX_DB : race_sqnr(u->signal, u->base_noise);
    double drop = r->is_only ? base - db : db - base;
    if (u->noise <= 0 || u->signal <= 0)
        return (estimate){drop, 0};
    double ratio = u->noise / u->signal;
    double residual = u->noise2 - 2 * ratio * u->cross + ratio * ratio * u->signal2;
    double error = residual > 0 ? sqrt(residual / (u->n - 1) * u->n) : 0;
    return (estimate){drop, 10 / log(10) * error / u->noise};
}

/* ---------------------------------------------------------------- all units */

/* How drops follow from movements: drop = slope x movement, with a variance of spread x movement
 * around it. Weighted least squares and the method of moments; a spread that chance explains (two
 * standard deviations of the sum) is none. */
typedef struct law {
    double slope, spread;
} law;

static law fit_law(const race_unit *units, const race_verdict *v, int n, const race_unit *whole,
                   const race_rules *r)
{
    double xy = 0, xx = 0, over = 0, weight = 0;
    law l = {0, 0};
    estimate all = estimate_map(whole, r, 0);
    double moved = movement_of(whole, r);
    if (moved > 0 && all.error > 0) {
        xy = moved * all.drop / (all.error * all.error);
        xx = moved * moved / (all.error * all.error);
    }
    for (int i = 0; i < n; i++) {
        double m = movement_of(&units[i], r), error = (v[i].high - v[i].drop);
        if (m <= 0 || error <= 0)
            continue;
        xy += m * v[i].drop / (error * error);
        xx += m * m / (error * error);
    }
    l.slope = xx > 0 && xy > 0 ? xy / xx : 0;
    for (int i = 0; i < n; i++) {
        double m = movement_of(&units[i], r), error = (v[i].high - v[i].drop);
        if (m <= 0 || error <= 0)
            continue;
        double beyond = v[i].drop - l.slope * m;
        over += (beyond * beyond - error * error) / (error * error);
        weight += m / (error * error);
    }
    over -= 2 * sqrt(2.0 * n);
    l.spread = weight > 0 && over > 0 ? over / weight : 0;
    return l;
}

/* Direct estimates become mixed ones; high - drop holds the standard error before and the interval
 * after. */
static void mix(const race_unit *units, race_verdict *v, int n, const race_unit *whole,
                const race_rules *r)
{
    law l = r->is_sqnr ? (law){0, 0} : fit_law(units, v, n, whole, r);
    double z = quantile(r->confidence);
    for (int i = 0; i < n; i++) {
        double direct = v[i].drop, error = v[i].high - v[i].drop;
        double prior = l.spread * v[i].movement;
        double share = r->is_sqnr || error <= 0 ? 1 : prior / (prior + error * error);
        v[i].drop = share * direct + (1 - share) * l.slope * v[i].movement;
        v[i].low = direct - z * error;
        v[i].high = direct + z * error;
        v[i].low = v[i].drop < v[i].low ? v[i].drop : v[i].low;
        v[i].high = v[i].drop > v[i].high ? v[i].drop : v[i].high;
    }
}

int race_compare(const race_verdict *a, const race_verdict *b)
{
    if (a->drop != b->drop)
        return a->drop > b->drop ? -1 : 1;
    return a->movement > b->movement ? -1 : a->movement < b->movement;
}

static int place_of(const race_verdict *v, int n, int unit_index)
{
    int place = 0;
    for (int i = 0; i < n; i++)
        place += i != unit_index && race_compare(&v[i], &v[unit_index]) < 0;
    return place;
}

/* Half way between the last of the worst and the first of the others. */
static double cut_off(const race_verdict *v, int n, int top)
{
    double inside = INFINITY, outside = -INFINITY;
    for (int i = 0; i < n; i++) {
        bool is_worst = place_of(v, n, i) < top;
        if (is_worst && v[i].drop < inside)
            inside = v[i].drop;
        if (!is_worst && v[i].drop > outside)
            outside = v[i].drop;
    }
    return (inside + outside) / 2;
}

static void settle(const race_unit *units, race_verdict *v, int n, const race_rules *r)
{
    double cut = cut_off(v, n, r->top);
    for (int i = 0; i < n; i++) {
        double half = (v[i].high - v[i].low) / 2;
        double distance = fabs((v[i].high + v[i].low) / 2 - cut);
        v[i].is_clear = n <= r->top || v[i].low > cut || v[i].high < cut;
        v[i].n_needed =
            distance > 0 ? units[i].n * (half / distance) * (half / distance) : INFINITY;
    }
}

void race_judge(const race_unit *units, int n, const race_unit *whole, const race_rules *rules,
                race_verdict *out)
{
    double typical = typical_variance(units, n, rules);
    for (int i = 0; i < n; i++) {
        estimate e = rules->is_sqnr ? estimate_sqnr(&units[i], rules)
                                    : estimate_map(&units[i], rules, typical);
        out[i] = (race_verdict){
            .drop = e.drop, .high = e.drop + e.error, .movement = movement_of(&units[i], rules)};
    }
    mix(units, out, n, whole, rules);
    settle(units, out, n, rules);
}
