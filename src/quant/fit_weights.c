/* SPDX-License-Identifier: Apache-2.0 */
/* Matrices over the output channels are kept transposed, [size, rows], so that loops run over rows
 * that do not depend on each other. */
#include "quant/fit_weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "quant/half_plan.h"

#define DAMPING 0.01
static const float RANGES[] = {1, 0.95f, 0.9f, 0.85f, 0.8f, 0.7f, 0.6f};
enum { N_RANGES = sizeof RANGES / sizeof RANGES[0] };

typedef struct fitter {
    const fit_input *in;
    size_t size, rows;
    int *order;     /* position -> value of the patch, the strongest last: it is rounded first */
    double *factor; /* [size, size] lower: L with L L' = XX + damping, in that order */
    float *target;  /* [size, rows]: W */
    float *errors;  /* [size, rows]: target minus codes */
    float *codes;   /* [size, rows] */
    float *carry;   /* [rows] */
    float *top;     /* [rows]: largest |W| */
    double *cost;   /* [rows] */
    double *best;   /* [rows]: lowest cost so far */
    float *kept;    /* [size, rows] */
    float *tried;   /* [rows]: ranges */
    float *amax;    /* [rows]: of those the best */
} fitter;

static void clear(fitter *f)
{
    mem_free(f->order);
    mem_free(f->factor);
    mem_free(f->target);
    mem_free(f->errors);
    mem_free(f->codes);
    mem_free(f->carry);
    mem_free(f->top);
    mem_free(f->cost);
    mem_free(f->best);
    mem_free(f->kept);
    mem_free(f->tried);
    mem_free(f->amax);
}

static ptq_status allocate(fitter *f, ptq_error *err)
{
    size_t n = f->size, all = f->size * f->rows;
    f->order = mem_array(n, sizeof *f->order);
    f->factor = mem_array(n * n, sizeof *f->factor);
    f->target = mem_array(all, sizeof *f->target);
    f->errors = mem_array(all, sizeof *f->errors);
    f->codes = mem_array(all, sizeof *f->codes);
    f->kept = mem_array(all, sizeof *f->kept);
    f->carry = mem_array(f->rows, sizeof *f->carry);
    f->top = mem_array(f->rows, sizeof *f->top);
    f->cost = mem_array(f->rows, sizeof *f->cost);
    f->best = mem_array(f->rows, sizeof *f->best);
    f->amax = mem_array(f->rows, sizeof *f->amax);
    f->tried = mem_array(f->rows, sizeof *f->tried);
    bool ok = f->order && f->factor && f->target && f->errors && f->codes && f->kept && f->carry &&
              f->top && f->cost && f->best && f->amax && f->tried;
    return ok ? PTQ_OK : error_no_memory(err, n * n * sizeof *f->factor, "a fit");
}

/* ---------------------------------------------------------------- the matrix */

/* Mean product of values i and j around their means. */
static double covariance(const patch_sums *s, size_t size, size_t i, size_t j)
{
    double sum = (double)(i < j ? s->xx[i * size + j] : s->xx[j * size + i]);
    return sum / s->n - s->x[i] / s->n * (s->x[j] / s->n);
}

/* Values by ascending variance. Insertion by binary heap is not worth it: n log n of qsort needs
 * the variances at hand, which are put beside the indices. */
typedef struct place {
    double variance;
    int value;
} place;

static int compare_places(const void *a, const void *b)
{
    const place *x = a;
    const place *y = b;
    if (x->variance != y->variance)
        return x->variance < y->variance ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static ptq_status choose_order(fitter *f, ptq_error *err)
{
    const patch_sums *s = &f->in->stats->sums[PATCH_FIT];
    place *places = mem_array(f->size, sizeof *places);
    if (!places)
        return error_no_memory(err, f->size * sizeof *places, "a fit");
    for (size_t i = 0; i < f->size; i++)
        places[i] = (place){covariance(s, f->size, i, i), (int)i};
    qsort(places, f->size, sizeof *places, compare_places);
    for (size_t i = 0; i < f->size; i++)
        f->order[i] = places[i].value;
    mem_free(places);
    return PTQ_OK;
}

/* Cholesky. false: not positive definite, which damping excludes unless the data is not finite. */
static bool factorize(fitter *f)
{
    const patch_sums *s = &f->in->stats->sums[PATCH_FIT];
    size_t n = f->size;
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += covariance(s, n, i, i);
    double damping = DAMPING * trace / (double)n;
    for (size_t i = 0; i < n; i++) {
        double *row = f->factor + i * n;
        for (size_t j = 0; j <= i; j++) {
            const double *other = f->factor + j * n;
            double sum = covariance(s, n, (size_t)f->order[i], (size_t)f->order[j]);
            sum += i == j ? damping : 0;
            for (size_t k = 0; k < j; k++)
                sum -= row[k] * other[k];
            if (i == j && !(sum > 0))
                return false;
            row[j] = i == j ? sqrt(sum) : sum / other[j];
        }
    }
    return true;
}

static void set_target(fitter *f)
{
    size_t n = f->size, rows = f->rows;
    for (size_t p = 0; p < n; p++)
        for (size_t r = 0; r < rows; r++) {
            float w = f->in->weight[r * n + (size_t)f->order[p]];
            f->target[p * rows + r] = w;
            f->top[r] = fabsf(w) > f->top[r] ? fabsf(w) : f->top[r];
        }
}

/* ---------------------------------------------------------------- codes */

static void try_range(fitter *f, float range)
{
    float highest = (float)((1 << (f->in->num_bits - 1)) - 1);
    for (size_t r = 0; r < f->rows; r++) {
        f->tried[r] = f->top[r] > 0 ? range * f->top[r] : highest;
        if (f->in->is_half)
            f->tried[r] = half_weight_scale(f->tried[r] / highest) * highest;
    }
}

/* Rounds from the last position to the first. The cost |errors L|^2 is known column by column: at
 * column j all errors of later positions are known, and the code is chosen that, with them, leaves
 * least. */
static void round_all(fitter *f)
{
    size_t n = f->size, rows = f->rows;
    float highest = (float)((1 << (f->in->num_bits - 1)) - 1);
    for (size_t r = 0; r < rows; r++)
        f->cost[r] = 0;
    for (size_t j = n; j-- > 0;) {
        double pivot = f->factor[j * n + j];
        memset(f->carry, 0, rows * sizeof *f->carry);
        for (size_t i = j + 1; i < n; i++) {
            float l = (float)(f->factor[i * n + j] / pivot);
            const float *e = f->errors + i * rows;
            for (size_t r = 0; r < rows; r++)
                f->carry[r] += l * e[r];
        }
        for (size_t r = 0; r < rows; r++) {
            float scale = f->tried[r] / highest;
            float w = f->target[j * rows + r];
            float code = rintf((w + f->carry[r]) / scale);
            code = code > highest ? highest : code < -highest ? -highest : code;
            f->codes[j * rows + r] = code;
            f->errors[j * rows + r] = w - code * scale;
            double left = pivot * (double)(f->errors[j * rows + r] + f->carry[r]);
            f->cost[r] += left * left;
        }
    }
}

static void keep_best(fitter *f)
{
    for (size_t r = 0; r < f->rows; r++) {
        if (f->best[r] >= 0 && f->cost[r] >= f->best[r])
            continue;
        f->best[r] = f->cost[r];
        f->amax[r] = f->tried[r];
        for (size_t j = 0; j < f->size; j++)
            f->kept[j * f->rows + r] = f->codes[j * f->rows + r];
    }
}

/* ---------------------------------------------------------------- the result */

/* Mean squared error of row r of the output over the CHECK images with weights w and bias shift b:
 * E (w x + b - W f)^2 with w = W + c, x = f + e. */
static double row_error(const fit_input *in, size_t r, const float *w, double b)
{
    const patch_sums *s = &in->stats->sums[PATCH_CHECK];
    size_t n = (size_t)in->stats->size;
    const float *before = in->weight + r * n;
    double sum = 0, mean = 0;
    for (size_t i = 0; i < n; i++) {
        double c = (double)w[i] - (double)before[i], own = 0, cross = 0;
        mean += c * s->x[i] + (double)before[i] * (s->x[i] - s->f[i]);
        for (size_t j = 0; j < n; j++) {
            double other = (double)w[j] - (double)before[j];
            cross += other * (double)s->ex[i * n + j];
            own += j > i ? other * (double)s->xx[i * n + j] : 0;
        }
        sum += 2 * (double)before[i] * cross + c * (c * (double)s->xx[i * n + i] + 2 * own);
    }
    return s->n > 0 ? (sum + s->we[r] + 2 * b * mean) / s->n + b * b : 0;
}

/* So that the mean output over the FIT images is the float one. */
static double bias_shift(const fit_input *in, size_t r, const float *w)
{
    const patch_sums *s = &in->stats->sums[PATCH_FIT];
    size_t n = (size_t)in->stats->size;
    double off = 0;
    for (size_t i = 0; i < n; i++)
        off += (double)w[i] * s->x[i] - (double)in->weight[r * n + i] * s->f[i];
    return -off / s->n;
}

static void nearest_row(const fit_input *in, size_t r, float *out)
{
    size_t n = (size_t)in->stats->size;
    float highest = (float)((1 << (in->num_bits - 1)) - 1);
    float scale = in->amax_before[r] > 0 ? in->amax_before[r] / highest : 1;
    for (size_t i = 0; i < n; i++) {
        float code = rintf(in->weight[r * n + i] / scale);
        out[i] = (code > highest ? highest : code < -highest - 1 ? -highest - 1 : code) * scale;
    }
}

static ptq_status write_result(const fitter *f, fitted_weights *out, ptq_error *err)
{
    size_t n = f->size, rows = f->rows;
    float highest = (float)((1 << (f->in->num_bits - 1)) - 1);
    fitted_weights made = {.rows = (int)rows,
                           .size = (int)n,
                           .weight = mem_array(n * rows, sizeof(float)),
                           .amax = mem_array(rows, sizeof(float)),
                           .shift = mem_array(rows, sizeof(float))};
    float *nearest = mem_array(n, sizeof *nearest);
    if (!made.weight || !made.amax || !made.shift || !nearest) {
        mem_free(nearest);
        fitted_weights_clear(&made);
        return error_no_memory(err, n * rows * sizeof(float), "a fit");
    }
    for (size_t r = 0; r < rows; r++) {
        float *w = made.weight + r * n, scale = f->amax[r] / highest;
        for (size_t p = 0; p < n; p++)
            w[f->order[p]] = f->kept[p * rows + r] * scale;
        made.amax[r] = f->amax[r];
        made.shift[r] = (float)bias_shift(f->in, r, w);
        nearest_row(f->in, r, nearest);
        made.error_before += row_error(f->in, r, nearest, 0) / (double)rows;
        made.error_after += row_error(f->in, r, w, (double)made.shift[r]) / (double)rows;
    }
    mem_free(nearest);
    *out = made;
    return PTQ_OK;
}

ptq_status fit_weights(const fit_input *in, fitted_weights *out, ptq_error *err)
{
    fitter f = {.in = in, .size = (size_t)in->stats->size, .rows = (size_t)in->rows};
    ptq_status st = allocate(&f, err);
    if (st == PTQ_OK)
        st = choose_order(&f, err);
    if (st == PTQ_OK && !factorize(&f))
        st = error_set(err, PTQ_DATA, "the activations are not finite");
    if (st == PTQ_OK) {
        set_target(&f);
        for (size_t r = 0; r < f.rows; r++)
            f.best[r] = -1;
        for (int i = 0; i < N_RANGES; i++) {
            try_range(&f, RANGES[i]);
            round_all(&f);
            keep_best(&f);
        }
        st = write_result(&f, out, err);
    }
    clear(&f);
    return st;
}

void fitted_weights_clear(fitted_weights *f)
{
    mem_free(f->weight);
    mem_free(f->amax);
    mem_free(f->shift);
    *f = (fitted_weights){0};
}
