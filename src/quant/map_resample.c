/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/map_resample.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "base/mem.h"
#include "quant/draw.h"

/* A detection of a class that occurs in the labels. */
typedef struct ranked {
    int cls;
    float score;
    uint32_t order; /* as in the records: ties keep it */
    uint32_t image;
    uint16_t correct;
} ranked;

typedef struct truth {
    int cls;
    uint32_t image;
} truth;

/* The records by class: detections by descending score, and labels. */
typedef struct ranking {
    ranked *dets;
    size_t n_dets;
    truth *truths;
    size_t n_truths;
    size_t n_images;
} ranking;

/* One recall curve: n points, and one more on either side. */
typedef struct curve {
    double *recall;
    double *precision;
} curve;

/* ---------------------------------------------------------------- sorting */

static int compare_ranked(const void *a, const void *b)
{
    const ranked *x = a;
    const ranked *y = b;
    if (x->cls != y->cls)
        return x->cls < y->cls ? -1 : 1;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int compare_truth(const void *a, const void *b)
{
    const truth *x = a;
    const truth *y = b;
    return x->cls < y->cls ? -1 : x->cls > y->cls;
}

static void ranking_clear(ranking *k)
{
    mem_free(k->dets);
    mem_free(k->truths);
}

static void collect(ranking *k, const eval_records *r)
{
    for (size_t i = 0; i < r->n_images; i++) {
        const image_record *image = &r->images[i];
        for (int d = 0; d < image->n_dets; d++) {
            size_t at = image->first_det + (size_t)d;
            k->dets[k->n_dets++] = (ranked){r->dets[at].cls, r->dets[at].score, (uint32_t)at,
                                            (uint32_t)i, r->correct[at]};
        }
        for (int t = 0; t < image->n_truths; t++)
            k->truths[k->n_truths++] =
                (truth){r->truths[image->first_truth + (size_t)t], (uint32_t)i};
    }
}

static ptq_status ranking_init(ranking *k, const eval_records *r, ptq_error *err)
{
    *k = (ranking){.n_images = r->n_images};
    k->dets = mem_array(r->n_dets, sizeof *k->dets);
    k->truths = mem_array(r->n_truths, sizeof *k->truths);
    if (!k->dets || !k->truths) {
        ranking_clear(k);
        return error_no_memory(err, r->n_dets * sizeof *k->dets, "a bootstrap");
    }
    collect(k, r);
    qsort(k->dets, k->n_dets, sizeof *k->dets, compare_ranked);
    qsort(k->truths, k->n_truths, sizeof *k->truths, compare_truth);
    return PTQ_OK;
}

/* ---------------------------------------------------------------- average precision */

enum { AP_POINTS = 101 };

/* Fills the curve at one overlap; returns the number of points without the two at the ends. */
static size_t fill_curve(curve *c, const ranked *dets, size_t n, const int *weights, double labels,
                         int overlap)
{
    double right = 0;
    double all = 0;
    size_t points = 0;
    for (size_t i = 0; i < n; i++) {
        int weight = weights[dets[i].image];
        if (weight == 0)
            continue;
        all += weight;
        right += dets[i].correct >> overlap & 1 ? weight : 0;
        points++;
        c->recall[points] = right / (labels + 1e-16);
        c->precision[points] = right / all;
    }
    c->recall[0] = 0;
    c->precision[0] = 1;
    c->recall[points + 1] = c->recall[points] + 0.01;
    c->precision[points + 1] = 0;
    return points;
}

/* The area under the envelope at 101 recalls, by trapezoids (eval.md §5). */
static double curve_area(curve *c, size_t points)
{
    size_t last = points + 1;
    for (size_t i = last; i > 0; i--)
        if (c->precision[i - 1] < c->precision[i])
            c->precision[i - 1] = c->precision[i];
    double area = 0;
    double before = 0;
    size_t j = 0;
    for (int i = 0; i < AP_POINTS; i++) {
        double x = i == AP_POINTS - 1 ? 1 : i * 0.01;
        while (j < last && c->recall[j + 1] <= x)
            j++;
        double y = c->precision[j];
        if (j < last && c->recall[j] < x)
            y += (c->precision[j + 1] - y) / (c->recall[j + 1] - c->recall[j]) * (x - c->recall[j]);
        area += i == 0 ? 0 : (before + y) / 2 * 0.01;
        before = y;
    }
    return area;
}

static double class_ap(curve *c, const ranked *dets, size_t n, const int *weights, double labels)
{
    double sum = 0;
    for (int overlap = 0; overlap < N_OVERLAPS; overlap++) {
        size_t points = fill_curve(c, dets, n, weights, labels, overlap);
        if (points == 0)
            return 0;
        sum += curve_area(c, points);
    }
    return sum / N_OVERLAPS;
}

static double weighted_map(const ranking *k, const int *weights, curve *c)
{
    double sum = 0;
    int n_classes = 0;
    size_t det = 0;
    for (size_t t = 0; t < k->n_truths;) {
        int cls = k->truths[t].cls;
        double labels = 0;
        for (; t < k->n_truths && k->truths[t].cls == cls; t++)
            labels += weights[k->truths[t].image];
        while (det < k->n_dets && k->dets[det].cls < cls)
            det++;
        size_t first = det;
        while (det < k->n_dets && k->dets[det].cls == cls)
            det++;
        if (labels == 0)
            continue;
        n_classes++;
        sum += class_ap(c, k->dets + first, det - first, weights, labels);
    }
    return n_classes ? sum / n_classes : 0;
}

/* ---------------------------------------------------------------- draws */

/* What one thread needs. */
typedef struct worker {
    curve curve;
    int *weights;
} worker;

static bool worker_init(worker *w, const ranking *k)
{
    w->curve.recall = mem_array(k->n_dets + 2, sizeof(double));
    w->curve.precision = mem_array(k->n_dets + 2, sizeof(double));
    w->weights = mem_array(k->n_images, sizeof *w->weights);
    return w->curve.recall && w->curve.precision && w->weights;
}

static void worker_clear(worker *w)
{
    mem_free(w->curve.recall);
    mem_free(w->curve.precision);
    mem_free(w->weights);
}

static ptq_status resample(const ranking *k, int n, int threads, double *scores, ptq_error *err)
{
    worker *workers = mem_array((size_t)threads, sizeof *workers);
    bool ok = workers != NULL;
    for (int i = 0; ok && i < threads; i++)
        ok = worker_init(&workers[i], k);
    if (ok) {
#pragma omp parallel for num_threads(threads) schedule(dynamic)
        for (int i = 0; i < n; i++) {
            worker *w = &workers[omp_get_thread_num()];
            draw_weights(w->weights, (int)k->n_images, i);
            scores[i] = weighted_map(k, w->weights, &w->curve);
        }
    }
    for (int i = 0; workers && i < threads; i++)
        worker_clear(&workers[i]);
    mem_free(workers);
    return ok ? PTQ_OK : error_no_memory(err, k->n_dets * 2 * sizeof(double), "a bootstrap");
}

ptq_status map_resample(const eval_records *r, int n, int threads, double *scores, ptq_error *err)
{
    ranking k;
    if (n == 0 || r->n_images == 0)
        return PTQ_OK;
    PTQ_TRY(ranking_init(&k, r, err));
    ptq_status st = resample(&k, n, threads, scores, err);
    ranking_clear(&k);
    return st;
}

ptq_status map_weighted(const eval_records *r, const int *weights, double *score, ptq_error *err)
{
    ranking k;
    worker w = {0};
    PTQ_TRY(ranking_init(&k, r, err));
    bool ok = worker_init(&w, &k);
    if (ok)
        *score = weighted_map(&k, weights, &w.curve);
    worker_clear(&w);
    ranking_clear(&k);
    return ok ? PTQ_OK : error_no_memory(err, r->n_dets * 2 * sizeof(double), "a bootstrap");
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

interval resample_interval(double *values, int n, double confidence)
{
    qsort(values, (size_t)n, sizeof *values, compare_double);
    int cut = (int)floor((1 - confidence) / 2 * n);
    if (cut > (n - 1) / 2)
        cut = (n - 1) / 2;
    return (interval){values[cut], values[n - 1 - cut]};
}
