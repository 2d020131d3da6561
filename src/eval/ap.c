/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/ap.h"

#include <stdlib.h>

#include "base/mem.h"
#include "eval/pairwise.h"
#include "eval/radix_sort.h"

/* Samples of the precision-confidence curves, and of the precision-recall curve. */
enum { N_CONFIDENCES = 1000, N_RECALLS = 101 };

static const double TINY = 1e-16;

/* Everything on the way; sized once for the largest class. */
typedef struct curves {
    sort_item *order; /* detections of labelled classes: by class, then by descending score */
    size_t *starts;   /* n_classes + 1: where each class begins in `order` */
    double *minus_conf, *recall, *precision; /* of one class, at overlap 0.5 */
    double *mrec, *mpre;                     /* with both ends */
    double *p, *r;                           /* [n_classes, N_CONFIDENCES] */
    double *column;                          /* one number of every class */
} curves;

/* np.linspace(0, 1, n)[i] */
static double grid(int i, int n)
{
    return i == n - 1 ? 1.0 : i * (1.0 / (n - 1));
}

/* np.interp(x, xp, fp, left) of one x: xp ascends, of equal ones the last counts. `hint` is any
 * index; it makes a walk over ascending or descending x cheap. */
static double interpolate(double x, const double *xp, const double *fp, size_t n, double left,
                          size_t *hint)
{
    if (x < xp[0])
        return left;
    size_t j = *hint;
    while (j > 0 && xp[j] > x)
        j--;
    while (j + 1 < n && xp[j + 1] <= x)
        j++;
    *hint = j;
    if (j == n - 1 || xp[j] == x)
        return fp[j];
    double slope = (fp[j + 1] - fp[j]) / (xp[j + 1] - xp[j]);
    return slope * (x - xp[j]) + fp[j];
}

/* Cumulative recall and precision of one class at one threshold. */
static void accumulate(const ap_input *in, const sort_item *order, const ap_class *c, int overlap,
                       curves *k)
{
    double right = 0;
    for (size_t i = 0; i < c->n_dets; i++) {
        right += in->correct[order[i].index] >> overlap & 1;
        k->recall[i] = right / ((double)c->n_truths + TINY);
        k->precision[i] = right / (double)(i + 1);
    }
}

/* compute_ap: the area under the envelope of the curve, by the trapezoidal rule on 101 recalls. */
static double area_under(curves *k, size_t n, bool v5_metric)
{
    k->mrec[0] = 0;
    k->mpre[0] = 1;
    for (size_t i = 0; i < n; i++) {
        k->mrec[i + 1] = k->recall[i];
        k->mpre[i + 1] = k->precision[i];
    }
    k->mrec[n + 1] = v5_metric ? 1.0 : k->recall[n - 1] + 0.01;
    k->mpre[n + 1] = 0;
    for (size_t i = n + 1; i-- > 0;)
        if (k->mpre[i] < k->mpre[i + 1])
            k->mpre[i] = k->mpre[i + 1];
    double slices[N_RECALLS - 1], before = 0;
    size_t hint = 0;
    for (int i = 0; i < N_RECALLS; i++) {
        double y = interpolate(grid(i, N_RECALLS), k->mrec, k->mpre, n + 2, 1, &hint);
        if (i > 0)
            slices[i - 1] = (grid(i, N_RECALLS) - grid(i - 1, N_RECALLS)) * (y + before) / 2.0;
        before = y;
    }
    return pairwise_sum(slices, N_RECALLS - 1, 1);
}

static void judge_class(const ap_input *in, ap_class *c, const sort_item *order, curves *k,
                        size_t row)
{
    if (c->n_dets == 0)
        return;
    for (int t = N_OVERLAPS - 1; t >= 0; t--) { /* ends at 0.5, whose curves are used below */
        accumulate(in, order, c, t, k);
        c->ap[t] = area_under(k, c->n_dets, in->v5_metric);
    }
    c->ap_mean = pairwise_mean(c->ap, N_OVERLAPS, 1);
    for (size_t i = 0; i < c->n_dets; i++)
        k->minus_conf[i] = -(double)in->dets[order[i].index].score;
    size_t hint = c->n_dets - 1;
    for (int i = 0; i < N_CONFIDENCES; i++) {
        size_t at = row * N_CONFIDENCES + (size_t)i;
        double x = -grid(i, N_CONFIDENCES);
        k->r[at] = interpolate(x, k->minus_conf, k->recall, c->n_dets, 0, &hint);
        k->p[at] = interpolate(x, k->minus_conf, k->precision, c->n_dets, 1, &hint);
    }
}

static double f1_of(double p, double r)
{
    return 2 * p * r / (p + r + TINY);
}

/* The confidence where the mean of F1 over the classes is largest, the first of equals. */
static void choose_confidence(const curves *k, ap_result *out)
{
    size_t best = 0;
    double best_f1 = -1;
    for (size_t i = 0; i < N_CONFIDENCES; i++) {
        double sum = 0;
        for (size_t c = 0; c < (size_t)out->n_classes; c++)
            sum += f1_of(k->p[c * N_CONFIDENCES + i], k->r[c * N_CONFIDENCES + i]);
        double f1 = sum / out->n_classes;
        if (f1 > best_f1) {
            best_f1 = f1;
            best = i;
        }
    }
    out->confidence = grid((int)best, N_CONFIDENCES);
    for (size_t c = 0; c < (size_t)out->n_classes; c++) {
        ap_class *one = &out->classes[c];
        one->precision = k->p[c * N_CONFIDENCES + best];
        one->recall = k->r[c * N_CONFIDENCES + best];
        one->f1 = f1_of(one->precision, one->recall);
    }
    size_t n = (size_t)out->n_classes;
    out->precision = pairwise_mean(&k->p[best], n, N_CONFIDENCES);
    out->recall = pairwise_mean(&k->r[best], n, N_CONFIDENCES);
    for (size_t c = 0; c < n; c++)
        k->column[c] = out->classes[c].ap[0];
    out->map50 = pairwise_mean(k->column, n, 1);
    for (size_t c = 0; c < n; c++)
        k->column[c] = out->classes[c].ap_mean;
    out->map50_95 = pairwise_mean(k->column, n, 1);
}

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

/* The classes of the labels, ascending, with their number of labels. */
static ptq_status list_classes(const ap_input *in, ap_result *out, ptq_error *err)
{
    int *sorted = mem_array(in->n_truths, sizeof *sorted);
    if (!sorted)
        return error_no_memory(err, in->n_truths * sizeof *sorted, "the labels' classes");
    int n = 0;
    if (in->n_truths) {
        memcpy(sorted, in->truths, in->n_truths * sizeof *sorted);
        qsort(sorted, in->n_truths, sizeof *sorted, compare_ints);
    }
    for (size_t i = 0; i < in->n_truths; i++)
        n += i == 0 || sorted[i] != sorted[i - 1];
    out->classes = mem_array((size_t)n, sizeof *out->classes);
    if (!out->classes) {
        mem_free(sorted);
        return error_no_memory(err, (size_t)n * sizeof *out->classes, "the classes");
    }
    for (size_t i = 0; i < in->n_truths; i++) {
        if (i == 0 || sorted[i] != sorted[i - 1])
            out->classes[out->n_classes++].cls = sorted[i];
        out->classes[out->n_classes - 1].n_truths++;
    }
    mem_free(sorted);
    return PTQ_OK;
}

int ap_find_class(const ap_result *r, int cls)
{
    int low = 0, high = r->n_classes;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (r->classes[middle].cls < cls)
            low = middle + 1;
        else
            high = middle;
    }
    return low < r->n_classes && r->classes[low].cls == cls ? low : -1;
}

/* Fills order and starts. One key holds class and score, so one stable sort does it. */
static ptq_status sort_detections(const ap_input *in, ap_result *out, curves *k, ptq_error *err)
{
    sort_item *scratch = mem_array(in->n_dets, sizeof *scratch);
    k->order = mem_array(in->n_dets, sizeof *k->order);
    k->starts = mem_array((size_t)out->n_classes + 1, sizeof *k->starts);
    if (!scratch || !k->order || !k->starts) {
        mem_free(scratch);
        return error_no_memory(err, in->n_dets * sizeof *scratch, "sorting detections");
    }
    size_t n = 0;
    for (size_t i = 0; i < in->n_dets; i++) {
        int c = ap_find_class(out, in->dets[i].cls);
        if (c < 0)
            continue;
        out->classes[c].n_dets++;
        k->order[n++] = (sort_item){
            .key = (uint64_t)c << 32 | sort_key_float_down(in->dets[i].score),
            .index = (uint32_t)i,
        };
    }
    radix_sort(k->order, scratch, n);
    mem_free(scratch);
    for (int c = 0; c < out->n_classes; c++)
        k->starts[c + 1] = k->starts[c] + out->classes[c].n_dets;
    return PTQ_OK;
}

static ptq_status reserve_curves(const ap_result *out, curves *k, ptq_error *err)
{
    size_t most = 0, rows = (size_t)out->n_classes * N_CONFIDENCES;
    for (int c = 0; c < out->n_classes; c++)
        if (out->classes[c].n_dets > most)
            most = out->classes[c].n_dets;
    k->minus_conf = mem_array(most, sizeof *k->minus_conf);
    k->recall = mem_array(most, sizeof *k->recall);
    k->precision = mem_array(most, sizeof *k->precision);
    k->mrec = mem_array(most + 2, sizeof *k->mrec);
    k->mpre = mem_array(most + 2, sizeof *k->mpre);
    k->p = mem_array(rows, sizeof *k->p);
    k->r = mem_array(rows, sizeof *k->r);
    k->column = mem_array((size_t)out->n_classes, sizeof *k->column);
    if (!k->minus_conf || !k->recall || !k->precision || !k->mrec || !k->mpre || !k->p || !k->r ||
        !k->column)
        return error_no_memory(err, (5 * most + 2 * rows) * sizeof(double), "precision curves");
    return PTQ_OK;
}

static void curves_clear(curves *k)
{
    mem_free(k->order);
    mem_free(k->starts);
    mem_free(k->minus_conf);
    mem_free(k->recall);
    mem_free(k->precision);
    mem_free(k->mrec);
    mem_free(k->mpre);
    mem_free(k->p);
    mem_free(k->r);
    mem_free(k->column);
}

static bool any_correct(const ap_input *in)
{
    for (size_t i = 0; i < in->n_dets; i++)
        if (in->correct[i])
            return true;
    return false;
}

ptq_status ap_compute(const ap_input *in, ap_result *out, ptq_error *err)
{
    ap_result result = {0};
    curves k = {0};
    if (in->n_dets > UINT32_MAX)
        return error_set(err, PTQ_LIMIT, "%zu detections are too many", in->n_dets);
    ptq_status status = list_classes(in, &result, err);
    if (status == PTQ_OK)
        status = sort_detections(in, &result, &k, err);
    if (status == PTQ_OK && result.n_classes && any_correct(in)) {
        status = reserve_curves(&result, &k, err);
        if (status == PTQ_OK) {
            for (int c = 0; c < result.n_classes; c++)
                judge_class(in, &result.classes[c], k.order + k.starts[c], &k, (size_t)c);
            choose_confidence(&k, &result);
        }
    }
    curves_clear(&k);
    if (status != PTQ_OK) {
        ap_result_clear(&result);
        return status;
    }
    *out = result;
    return PTQ_OK;
}

void ap_result_clear(ap_result *r)
{
    mem_free(r->classes);
    *r = (ap_result){0};
}
