/* SPDX-License-Identifier: Apache-2.0 */
/* Average precision as the mean, over the labels found, of the best precision at that recall or a
 * higher one: AP = sum over right detections k of P(k) / labels, P(k) = max over j >= k of
 * precision(j). One more detection of weight w at rank r moves precision(j), j >= r, by
 * w (1 - precision(j)) / j when right, by -w precision(j) / j when wrong; a right one also finds
 * another label. */
#include "quant/influence.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef struct scored {
    int cls;
    float score;
    uint16_t correct;
} scored;

/* Worth of a detection that comes after r others, r = 0 ... n: right and wrong. */
typedef struct worth {
    float right, wrong;
} worth;

typedef struct class_part {
    int cls;
    size_t n;
    const scored *dets; /* by descending score */
    worth *worths;      /* [n + 1][N_OVERLAPS] */
} class_part;

struct influence {
    scored *dets;
    worth *worths;
    class_part *classes; /* ascending */
    size_t n_classes;
};

static int compare_scored(const void *a, const void *b)
{
    const scored *x = a;
    const scored *y = b;
    if (x->cls != y->cls)
        return x->cls < y->cls ? -1 : 1;
    return x->score > y->score ? -1 : x->score < y->score;
}

static int compare_int(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return x < y ? -1 : x > y;
}

void influence_destroy(influence *f)
{
    if (!f)
        return;
    mem_free(f->dets);
    mem_free(f->worths);
    mem_free(f->classes);
    mem_free(f);
}

/* Fills worths[0 ... n] of one overlap. best[n + 1], best_at[n + 1] are scratch: the largest
 * precision from a rank on, and where it is. */
static void fill_worths(const class_part *c, int overlap, double labels, double *best,
                        size_t *best_at)
{
    double right = 0;
    for (size_t i = 0; i < c->n; i++) {
        right += c->dets[i].correct >> overlap & 1;
        best[i] = right / (double)(i + 1);
        best_at[i] = i;
    }
    best[c->n] = 0;
    best_at[c->n] = c->n;
    for (size_t i = c->n; i-- > 0;)
        if (best[i + 1] > best[i]) {
            best[i] = best[i + 1];
            best_at[i] = best_at[i + 1];
        }
    /* From the last rank to the first: the right detections whose P stands at rank r or later are
     * those that were passed, and those before r that look past it. */
    double gain = 0, loss = 0;
    size_t k = c->n; /* right detections at k and later are in the sums */
    double found = right;
    for (size_t r = c->n + 1; r-- > 0;) {
        while (k > 0 && best_at[k - 1] >= r) {
            k--;
            if (c->dets[k].correct >> overlap & 1) {
                double p = best[k], rank = (double)(best_at[k] + 1);
                gain += (1 - p) / rank;
                loss += p / rank;
            }
        }
        if (r < c->n)
            found -= c->dets[r].correct >> overlap & 1;
        double own = (found + 1) / (double)(r + 1);
        worth *w = &c->worths[r * N_OVERLAPS + (size_t)overlap];
        w->right = (float)(((own > best[r] ? own : best[r]) + gain) / labels);
        w->wrong = (float)(-loss / labels);
    }
}

static bool fill_classes(influence *f, const size_t *labels)
{
    size_t most = 0;
    for (size_t i = 0; i < f->n_classes; i++)
        most = f->classes[i].n > most ? f->classes[i].n : most;
    double *best = mem_array(most + 1, sizeof *best);
    size_t *best_at = mem_array(most + 1, sizeof *best_at);
    bool ok = best && best_at;
    for (size_t i = 0; ok && i < f->n_classes; i++)
        for (int overlap = 0; overlap < N_OVERLAPS; overlap++)
            fill_worths(&f->classes[i], overlap, (double)labels[i], best, best_at);
    mem_free(best);
    mem_free(best_at);
    return ok;
}

/* The classes that occur among the sorted labels; labels[i] counts those of class i. */
static void list_classes(influence *f, const int *truths, size_t n_truths, size_t n_dets,
                         size_t *labels)
{
    size_t det = 0, at = 0;
    for (size_t t = 0; t < n_truths;) {
        class_part *c = &f->classes[f->n_classes];
        size_t first = t;
        c->cls = truths[t];
        while (t < n_truths && truths[t] == c->cls)
            t++;
        labels[f->n_classes++] = t - first;
        while (det < n_dets && f->dets[det].cls < c->cls)
            det++;
        c->dets = f->dets + det;
        while (det < n_dets && f->dets[det].cls == c->cls)
            det++;
        c->n = (size_t)(f->dets + det - c->dets);
        c->worths = f->worths + at * N_OVERLAPS;
        at += c->n + 1;
    }
}

static bool build(influence *f, const eval_records *r, int *truths, size_t *labels)
{
    if (!f->dets || !f->worths || !f->classes || !truths || !labels)
        return false;
    for (size_t i = 0; i < r->n_dets; i++)
        f->dets[i] = (scored){r->dets[i].cls, r->dets[i].score, r->correct[i]};
    qsort(f->dets, r->n_dets, sizeof *f->dets, compare_scored);
    memcpy(truths, r->truths, r->n_truths * sizeof *truths);
    qsort(truths, r->n_truths, sizeof *truths, compare_int);
    list_classes(f, truths, r->n_truths, r->n_dets, labels);
    return fill_classes(f, labels);
}

ptq_status influence_create(const eval_records *r, influence **out, ptq_error *err)
{
    influence *f = mem_zalloc(sizeof *f);
    if (!f)
        return error_no_memory(err, sizeof *f, "a comparison");
    int *truths = mem_array(r->n_truths + 1, sizeof *truths);
    size_t *labels = mem_array(r->n_truths + 1, sizeof *labels);
    f->dets = mem_array(r->n_dets + 1, sizeof *f->dets);
    f->classes = mem_array(r->n_truths + 1, sizeof *f->classes);
    f->worths = mem_array(r->n_dets + r->n_truths + 1, N_OVERLAPS * sizeof *f->worths);
    bool ok = r->n_truths == 0 || build(f, r, truths, labels);
    mem_free(truths);
    mem_free(labels);
    if (!ok) {
        influence_destroy(f);
        return error_no_memory(err, r->n_dets * N_OVERLAPS * sizeof(worth), "a comparison");
    }
    *out = f;
    return PTQ_OK;
}

static const class_part *find_class(const influence *f, int cls)
{
    size_t low = 0, high = f->n_classes;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (f->classes[middle].cls < cls)
            low = middle + 1;
        else
            high = middle;
    }
    return low < f->n_classes && f->classes[low].cls == cls ? &f->classes[low] : NULL;
}

/* How many of the class have this score or a higher one. */
static size_t rank_of(const class_part *c, float score)
{
    size_t low = 0, high = c->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c->dets[middle].score >= score)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

double influence_sum(const influence *f, const detection *dets, const uint16_t *correct, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const class_part *c = find_class(f, dets[i].cls);
        if (!c)
            continue;
        const worth *w = &c->worths[rank_of(c, dets[i].score) * N_OVERLAPS];
        for (int overlap = 0; overlap < N_OVERLAPS; overlap++)
            sum += (double)(correct[i] >> overlap & 1 ? w[overlap].right : w[overlap].wrong);
    }
    return f->n_classes ? sum / N_OVERLAPS / (double)f->n_classes : 0;
}
