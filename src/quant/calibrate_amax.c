/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/calibrate_amax.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "quant/fake_quant.h"

static const char *const METHOD_NAMES[AMAX_METHODS] = {"max", "percentile", "entropy", "mse"};

const char *amax_method_name(amax_method m)
{
    return METHOD_NAMES[m];
}

bool amax_method_from_name(const char *name, amax_method *m)
{
    for (int i = 0; i < AMAX_METHODS; i++) {
        if (strcmp(name, METHOD_NAMES[i]) == 0) {
            *m = (amax_method)i;
            return true;
        }
    }
    return false;
}

void amax_options_init(amax_options *o)
{
    *o = (amax_options){.num_bits = 8, .percentile = 99.99, .start_bin = 128, .stride = 1};
}

float amax_centre(const amax_bins *b, int i)
{
    return (b->edges[i] + b->edges[i + 1]) / 2;
}

/* ---------------------------------------------------------------- percentile */

int amax_percentile_bin(const amax_bins *b, double percentile)
{
    double total = 0;
    for (int i = 0; i < b->n; i++)
        total += (double)b->counts[i];
    double sum = 0;
    for (int i = 0; i < b->n; i++) {
        sum += (double)b->counts[i] / total;
        if (sum >= percentile / 100)
            return i;
    }
    return b->n;
}

/* ---------------------------------------------------------------- entropy */

/* Prefix sums over bins [0, i): mass, number of bins that are not empty, mass * ln(mass). */
typedef struct entropy_sums {
    double *mass;
    double *filled;
    double *log_mass;
} entropy_sums;

static double x_log_x(double x)
{
    return x > 0 ? x * log(x) : 0;
}

/* The first bin takes the count of the second: the spike of zeros says nothing about the range. */
static double entropy_count(const amax_bins *b, int i)
{
    return (double)b->counts[i == 0 && b->n > 1 ? 1 : i];
}

static void entropy_sum(const amax_bins *b, entropy_sums *s)
{
    s->mass[0] = s->filled[0] = s->log_mass[0] = 0;
    for (int i = 0; i < b->n; i++) {
        double count = entropy_count(b, i);
        s->mass[i + 1] = s->mass[i] + count;
        s->filled[i + 1] = s->filled[i] + (count > 0 ? 1 : 0);
        s->log_mass[i + 1] = s->log_mass[i] + x_log_x(count);
    }
}

/* KL divergence between the first `kept` bins, whose last takes all clipped mass, and what
 * `levels` levels make of them (algorithms.md §2.8). */
static double entropy_cost(const amax_bins *b, const entropy_sums *s, int kept, int levels)
{
    double total = s->mass[b->n];
    double tail = total - s->mass[kept];
    double last = entropy_count(b, kept - 1);
    if (tail > 0 && last == 0)
        return INFINITY;
    double reference = s->log_mass[kept];
    if (tail > 0)
        reference += x_log_x(last + tail) - x_log_x(last);
    double candidate = 0;
    int from = 0;
    for (int level = 0; level < levels && from < kept; level++) {
        int to = (int)(((int64_t)(level + 1) * kept + levels - 1) / levels);
        double filled = s->filled[to] - s->filled[from];
        double mass = s->mass[to] - s->mass[from];
        if (filled > 0)
            candidate += (mass + (to == kept ? tail : 0)) * log(mass / filled);
        from = to;
    }
    return (reference - candidate) / total - log(total) + log(s->mass[kept]);
}

ptq_status amax_entropy_bin(const amax_bins *b, const amax_options *options, int *bin,
                            double *costs, ptq_error *err)
{
    size_t n = (size_t)b->n + 1;
    double *memory = mem_array(n, 3 * sizeof *memory);
    if (!memory)
        return error_no_memory(err, n * 3 * sizeof *memory, "the entropy search");
    entropy_sums sums = {memory, memory + n, memory + 2 * n};
    entropy_sum(b, &sums);
    int levels = fake_quant_highest(options->num_bits, options->is_unsigned) + 1;
    double best = INFINITY;
    int best_bin = b->n;
    for (int i = options->start_bin; i <= b->n; i += options->stride) {
        double cost = entropy_cost(b, &sums, i, levels);
        if (costs)
            costs[i - options->start_bin] = cost;
        if (cost <= best) {
            best = cost;
            best_bin = i;
        }
    }
    mem_free(memory);
    *bin = best_bin;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- mse */

/* Sums over bins [0, i): counts, counts * centre, counts * centre^2. */
typedef struct moments {
    double count;
    double first;
    double second;
} moments;

typedef struct mse_sums {
    int n;
    double per_width; /* 1 / width of a bin */
    double *centre;   /* n */
    moments *below;   /* n + 1 */
} mse_sums;

static void mse_sum(const amax_bins *b, mse_sums *s)
{
    s->n = b->n;
    s->below[0] = (moments){0, 0, 0};
    for (int i = 0; i < b->n; i++) {
        const moments *m = &s->below[i];
        double count = (double)b->counts[i];
        double centre = (double)amax_centre(b, i);
        s->centre[i] = centre;
        s->below[i + 1] = (moments){m->count + count, m->first + count * centre,
                                    m->second + count * centre * centre};
    }
    s->per_width = (b->n - 0.5) / s->centre[b->n - 1];
}

/* First bin at or after `from` whose centre is not below `value`. Bins are almost equally wide: the
 * guess is off by one at most. */
static int first_centre_from(const mse_sums *s, int from, double value)
{
    double guess = value * s->per_width - 0.5;
    int i = guess < from ? from : guess > s->n ? s->n : (int)guess;
    while (i > from && s->centre[i - 1] >= value)
        i--;
    while (i < s->n && s->centre[i] < value)
        i++;
    return i;
}

/* Mean over the bins of count * error^2 when the range is the centre of bin `candidate`. */
static double mse_cost(const mse_sums *s, int candidate, int highest)
{
    double step = s->centre[candidate] / highest;
    double cost = 0;
    int from = 0;
    for (int level = 0; level <= highest && from < s->n; level++) {
        int to = level == highest ? s->n : first_centre_from(s, from, (level + 0.5) * step);
        double value = level * step;
        const moments *low = &s->below[from];
        const moments *high = &s->below[to];
        cost += high->second - low->second - 2 * value * (high->first - low->first) +
                value * value * (high->count - low->count);
        from = to;
    }
    return cost / s->n;
}

ptq_status amax_mse_bin(const amax_bins *b, const amax_options *options, int *bin, double *costs,
                        ptq_error *err)
{
    size_t n = (size_t)b->n + 1;
    mse_sums sums = {.centre = mem_array(n, sizeof *sums.centre),
                     .below = mem_array(n, sizeof *sums.below)};
    if (!sums.centre || !sums.below) {
        mem_free(sums.centre);
        mem_free(sums.below);
        return error_no_memory(err, n * sizeof *sums.below, "the mse search");
    }
    mse_sum(b, &sums);
    int highest = fake_quant_highest(options->num_bits, options->is_unsigned);
    double best = INFINITY;
    int best_bin = b->n - 1;
    for (int i = options->start_bin; i < b->n; i += options->stride) {
        double cost = mse_cost(&sums, i, highest);
        if (costs)
            costs[i - options->start_bin] = cost;
        if (cost < best) {
            best = cost;
            best_bin = i;
        }
    }
    mem_free(sums.centre);
    mem_free(sums.below);
    *bin = best_bin;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- histograms */

static ptq_status search(const amax_bins *b, amax_method method, const amax_options *options,
                         bool is_compat, float *amax, ptq_error *err)
{
    int bin;
    if (method == AMAX_PERCENTILE) {
        bin = amax_percentile_bin(b, options->percentile);
        *amax = b->edges[is_compat || bin == b->n ? bin : bin + 1];
    } else if (method == AMAX_ENTROPY) {
        PTQ_TRY(amax_entropy_bin(b, options, &bin, NULL, err));
        *amax = b->edges[bin];
    } else {
        PTQ_TRY(amax_mse_bin(b, options, &bin, NULL, err));
        *amax = amax_centre(b, bin);
    }
    return PTQ_OK;
}

/* An exact histogram's bins up to the largest value, `merge` neighbours in one. Its bins are finer
 * than the original's: candidates keep about the original's spacing. */
enum { EXACT_MSE_STRIDE = 4, EXACT_ENTROPY_STRIDE = 2 };

static ptq_status exact_amax(const histogram *h, amax_method method, const amax_options *options,
                             float *amax, ptq_error *err)
{
    int merge = method == AMAX_ENTROPY ? 2 : 1;
    int n = (histogram_used_bins(h) + merge - 1) / merge;
    uint64_t *counts = mem_array((size_t)n, sizeof *counts);
    float *edges = mem_array((size_t)n + 1, sizeof *edges);
    ptq_status st = PTQ_OK;
    if (!counts || !edges) {
        st = error_no_memory(err, (size_t)n * sizeof *counts, "a calibrator");
        goto done;
    }
    for (int i = 0; i <= n; i++)
        edges[i] = histogram_edge(h, i * merge);
    for (int i = 0; i < n * merge; i++)
        counts[i / merge] += h->counts[i];
    amax_bins b = {counts, edges, n};
    amax_options o = *options;
    o.stride *= method == AMAX_ENTROPY ? EXACT_ENTROPY_STRIDE : EXACT_MSE_STRIDE;
    float found;
    st = search(&b, method, &o, false, &found, err);
    if (st == PTQ_OK)
        *amax = found < h->max ? found : h->max;
done:
    mem_free(counts);
    mem_free(edges);
    return st;
}

ptq_status histogram_amax(const histogram *h, amax_method method, const amax_options *options,
                          float *amax, ptq_error *err)
{
    if (h->n_values == 0)
        return error_set(err, PTQ_DATA, "no values were collected");
    if (options->num_bits < 2 || options->num_bits > 16)
        return error_set(err, PTQ_USAGE, "%d bits are not in 2 ... 16", options->num_bits);
    if (!(options->percentile >= 0 && options->percentile <= 100))
        return error_set(err, PTQ_USAGE, "percentile %g is not in 0 ... 100", options->percentile);
    if (method == AMAX_MAX || h->max == 0) {
        *amax = h->max;
        return PTQ_OK;
    }
    if (!h->is_compat)
        return exact_amax(h, method, options, amax, err);
    amax_bins b = {h->counts, h->edges, h->n_bins};
    return search(&b, method, options, true, amax, err);
}
