/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/coco_eval.h"

#include "base/mem.h"
#include "eval/coco_match.h"
#include "eval/pairwise.h"

enum { N_RECALLS = 101, N_LIMITS = 3 };
enum { ALL, SMALL, MEDIUM, LARGE }; /* area ranges of coco_match */

static const int LIMITS[N_LIMITS] = {1, 10, COCO_MAX_DETS}; /* detections per image and category */

/* Detections and boxes by category, then image; within that detections by descending score, boxes
 * in the file's order. The key of an item is category * n_images + image. */
typedef struct ordered {
    sort_item *dets, *boxes;
    size_t n_dets, n_boxes;
    size_t *first_det, *first_box; /* [n_categories + 1] */
    size_t most_dets;              /* in one category */
    size_t most_boxes;             /* in one image and category */
} ordered;

/* Precision [T,R,K,A] at 100 detections, recall [T,K,A,M]; -1: nothing to be found. */
typedef struct tables {
    double *precision, *recall;
    size_t n_categories;
} tables;

/* Scratch of one thread. */
typedef struct worker {
    coco_matcher matcher;
    coco_flags *flags; /* per detection of the category */
    uint8_t *ranks;    /* its place in its image, from 0 */
    sort_item *order, *scratch;
    double *precision; /* at each right detection */
} worker;

static uint64_t group_key(const coco_truth *t, int category, int image)
{
    return (uint64_t)category * (uint64_t)t->n_images + (uint64_t)image;
}

static bool judged(const coco_input *in, int image)
{
    return !in->is_judged || in->is_judged[image];
}

static void find_starts(const sort_item *items, size_t n, const coco_truth *t, size_t *first)
{
    size_t i = 0;
    for (int c = 0; c <= t->n_categories; c++) {
        while (i < n && items[i].key < group_key(t, c, 0))
            i++;
        first[c] = i;
    }
}

static size_t longest_run(const sort_item *items, size_t n)
{
    size_t most = 0, run = 0;
    for (size_t i = 0; i < n; i++) {
        run = i > 0 && items[i].key == items[i - 1].key ? run + 1 : 1;
        most = run > most ? run : most;
    }
    return most;
}

static void ordered_clear(ordered *o)
{
    mem_free(o->dets);
    mem_free(o->boxes);
    mem_free(o->first_det);
    mem_free(o->first_box);
    *o = (ordered){0};
}

static void order_all(const coco_input *in, ordered *o, sort_item *scratch)
{
    const coco_truth *t = in->truth;
    for (size_t i = 0; i < in->n_dets; i++)
        if (judged(in, in->dets[i].image))
            o->dets[o->n_dets++] =
                (sort_item){sort_key_double_down(in->dets[i].score), (uint32_t)i};
    radix_sort(o->dets, scratch, o->n_dets);
    for (size_t i = 0; i < o->n_dets; i++) {
        const coco_det *d = &in->dets[o->dets[i].index];
        o->dets[i].key = group_key(t, d->category, d->image);
    }
    radix_sort(o->dets, scratch, o->n_dets);
    for (size_t i = 0; i < t->n_boxes; i++)
        if (judged(in, t->boxes[i].image))
            o->boxes[o->n_boxes++] =
                (sort_item){group_key(t, t->boxes[i].category, t->boxes[i].image), (uint32_t)i};
    radix_sort(o->boxes, scratch, o->n_boxes);
    find_starts(o->dets, o->n_dets, t, o->first_det);
    find_starts(o->boxes, o->n_boxes, t, o->first_box);
    for (int c = 0; c < t->n_categories; c++)
        if (o->first_det[c + 1] - o->first_det[c] > o->most_dets)
            o->most_dets = o->first_det[c + 1] - o->first_det[c];
    o->most_boxes = longest_run(o->boxes, o->n_boxes);
}

static ptq_status ordered_init(ordered *o, const coco_input *in, ptq_error *err)
{
    const coco_truth *t = in->truth;
    size_t n_scratch = in->n_dets > t->n_boxes ? in->n_dets : t->n_boxes;
    sort_item *scratch = mem_array(n_scratch, sizeof *scratch);
    *o = (ordered){
        .dets = mem_array(in->n_dets, sizeof *o->dets),
        .boxes = mem_array(t->n_boxes, sizeof *o->boxes),
        .first_det = mem_array((size_t)t->n_categories + 1, sizeof *o->first_det),
        .first_box = mem_array((size_t)t->n_categories + 1, sizeof *o->first_box),
    };
    bool good = scratch && o->dets && o->boxes && o->first_det && o->first_box;
    if (good)
        order_all(in, o, scratch);
    else
        ordered_clear(o);
    mem_free(scratch);
    return good ? PTQ_OK : error_no_memory(err, n_scratch * sizeof *scratch, "scoring");
}

static void worker_clear(worker *w)
{
    coco_matcher_clear(&w->matcher);
    mem_free(w->flags);
    mem_free(w->ranks);
    mem_free(w->order);
    mem_free(w->scratch);
    mem_free(w->precision);
    *w = (worker){0};
}

static ptq_status worker_init(worker *w, const ordered *o, ptq_error *err)
{
    *w = (worker){0};
    PTQ_TRY(coco_matcher_init(&w->matcher, o->most_boxes, err));
    w->flags = mem_array(o->most_dets, sizeof *w->flags);
    w->ranks = mem_array(o->most_dets, sizeof *w->ranks);
    w->order = mem_array(o->most_dets, sizeof *w->order);
    w->scratch = mem_array(o->most_dets, sizeof *w->scratch);
    w->precision = mem_array(o->most_dets, sizeof *w->precision);
    if (w->flags && w->ranks && w->order && w->scratch && w->precision)
        return PTQ_OK;
    worker_clear(w);
    return error_no_memory(err, o->most_dets * sizeof *w->order, "scoring");
}

static size_t run_length(const sort_item *items, size_t n, uint64_t key)
{
    size_t run = 0;
    while (run < n && items[run].key == key)
        run++;
    return run;
}

/* Matches image by image. The detections that count are listed in w->order in the order of the
 * images, with flags and ranks beside them; returns how many. */
static size_t match_category(worker *w, const coco_input *in, const ordered *o, int category,
                             size_t n_wanted[COCO_AREAS])
{
    size_t n = 0;
    size_t d = o->first_det[category], d_end = o->first_det[category + 1];
    size_t b = o->first_box[category], b_end = o->first_box[category + 1];
    while (d < d_end || b < b_end) {
        uint64_t key = d < d_end ? o->dets[d].key : o->boxes[b].key;
        if (b < b_end && o->boxes[b].key < key)
            key = o->boxes[b].key;
        size_t n_dets = run_length(o->dets + d, d_end - d, key);
        coco_group g = {
            .all_boxes = in->truth->boxes,
            .all_dets = in->dets,
            .boxes = o->boxes + b,
            .dets = o->dets + d,
            .n_boxes = run_length(o->boxes + b, b_end - b, key),
            .n_dets = n_dets < COCO_MAX_DETS ? n_dets : COCO_MAX_DETS,
        };
        coco_match(&w->matcher, &g, w->flags + n, n_wanted);
        for (size_t i = 0; i < g.n_dets; i++, n++) {
            w->ranks[n] = (uint8_t)i;
            w->order[n] =
                (sort_item){sort_key_double_down(in->dets[g.dets[i].index].score), (uint32_t)n};
        }
        d += n_dets;
        b += g.n_boxes;
    }
    return n;
}

/* One area range and overlap of a category: walks down the scores, counts, and notes the precision
 * wherever the recall rises. Between two such places the precision only falls, so the envelope
 * needs no more. Returns the number of right detections per limit. */
static void follow(worker *w, size_t n, int range, int t, size_t n_right[N_LIMITS])
{
    const double eps = 0x1p-52; /* np.spacing(1) */
    double right = 0, wrong = 0;
    size_t n_points = 0;
    n_right[0] = n_right[1] = n_right[2] = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t d = w->order[i].index;
        if (w->flags[d].ignored[range] >> t & 1)
            continue;
        if (!(w->flags[d].matched[range] >> t & 1)) {
            wrong++;
            continue;
        }
        right++;
        w->precision[n_points++] = right / (wrong + right + eps);
        for (int m = 0; m < N_LIMITS; m++)
            n_right[m] += w->ranks[d] < LIMITS[m];
    }
    for (size_t i = n_points; i-- > 1;)
        if (w->precision[i] > w->precision[i - 1])
            w->precision[i - 1] = w->precision[i];
}

/* recThrs: i * 0.01 in double, the last exactly 1 */
static double recall_threshold(int i)
{
    return i == N_RECALLS - 1 ? 1.0 : i * 0.01;
}

static void fill_tables(worker *w, size_t n, const size_t n_wanted[COCO_AREAS], size_t category,
                        tables *out)
{
    size_t K = out->n_categories;
    for (int range = 0; range < COCO_AREAS; range++) {
        if (n_wanted[range] == 0)
            continue;
        double wanted = (double)n_wanted[range];
        for (int t = 0; t < COCO_OVERLAPS; t++) {
            size_t n_right[N_LIMITS], point = 0;
            follow(w, n, range, t, n_right);
            for (size_t m = 0; m < N_LIMITS; m++)
                out->recall[(((size_t)t * K + category) * COCO_AREAS + (size_t)range) * N_LIMITS +
                            m] = (double)n_right[m] / wanted;
            size_t n_points = n_right[N_LIMITS - 1];
            for (int r = 0; r < N_RECALLS; r++) {
                while (point < n_points && (double)(point + 1) / wanted < recall_threshold(r))
                    point++;
                out->precision[(((size_t)t * N_RECALLS + (size_t)r) * K + category) * COCO_AREAS +
                               (size_t)range] = point < n_points ? w->precision[point] : 0;
            }
        }
    }
}

static void judge_category(worker *w, const coco_input *in, const ordered *o, int category,
                           tables *out)
{
    size_t n_wanted[COCO_AREAS] = {0};
    size_t n = match_category(w, in, o, category, n_wanted);
    radix_sort(w->order, w->scratch, n);
    fill_tables(w, n, n_wanted, (size_t)category, out);
}

static ptq_status judge_all(const coco_input *in, const ordered *o, tables *out, ptq_error *err)
{
    int n_failed = 0, n_categories = in->truth->n_categories;
#pragma omp parallel num_threads(in->threads > 0 ? in->threads : 1) reduction(+ : n_failed)
    {
        worker w;
        bool ready = worker_init(&w, o, NULL) == PTQ_OK;
        n_failed += !ready;
#pragma omp for schedule(dynamic, 1)
        for (int c = 0; c < n_categories; c++)
            if (ready)
                judge_category(&w, in, o, c, out);
        if (ready)
            worker_clear(&w);
    }
    if (n_failed)
        return error_no_memory(err, o->most_dets * sizeof(sort_item), "scoring");
    return PTQ_OK;
}

/* The mean of the entries that are not -1, as numpy sums them; -1 when there is none. */
typedef struct selection {
    const double *table;
    size_t n_rows; /* rows of K * row_step entries */
    size_t n_categories;
    size_t step;   /* between categories */
    size_t offset; /* of area and limit */
    double *scratch;
} selection;

static double mean_of(const selection *s)
{
    size_t n = 0;
    for (size_t r = 0; r < s->n_rows; r++)
        for (size_t k = 0; k < s->n_categories; k++) {
            double v = s->table[(r * s->n_categories + k) * s->step + s->offset];
            if (v > -1)
                s->scratch[n++] = v;
        }
    return n ? pairwise_mean(s->scratch, n, 1) : -1;
}

static double mean_precision(const tables *t, int overlap, int range, double *scratch)
{
    size_t n_rows = (size_t)N_RECALLS * (overlap < 0 ? COCO_OVERLAPS : 1);
    size_t skipped = overlap < 0 ? 0 : (size_t)overlap * N_RECALLS * t->n_categories * COCO_AREAS;
    return mean_of(&(selection){t->precision + skipped, n_rows, t->n_categories, COCO_AREAS,
                                (size_t)range, scratch});
}

static double mean_recall(const tables *t, int range, int limit, double *scratch)
{
    return mean_of(&(selection){t->recall, COCO_OVERLAPS, t->n_categories, COCO_AREAS * N_LIMITS,
                                (size_t)(range * N_LIMITS + limit), scratch});
}

static void summarize(const tables *t, double *scratch, coco_scores *out)
{
    *out = (coco_scores){
        .ap = mean_precision(t, -1, ALL, scratch),
        .ap50 = mean_precision(t, 0, ALL, scratch),
        .ap75 = mean_precision(t, 5, ALL, scratch),
        .ap_small = mean_precision(t, -1, SMALL, scratch),
        .ap_medium = mean_precision(t, -1, MEDIUM, scratch),
        .ap_large = mean_precision(t, -1, LARGE, scratch),
        .ar1 = mean_recall(t, ALL, 0, scratch),
        .ar10 = mean_recall(t, ALL, 1, scratch),
        .ar100 = mean_recall(t, ALL, 2, scratch),
        .ar_small = mean_recall(t, SMALL, 2, scratch),
        .ar_medium = mean_recall(t, MEDIUM, 2, scratch),
        .ar_large = mean_recall(t, LARGE, 2, scratch),
    };
}

ptq_status coco_evaluate(const coco_input *in, coco_scores *out, ptq_error *err)
{
    size_t K = (size_t)in->truth->n_categories;
    size_t n_precisions = (size_t)COCO_OVERLAPS * N_RECALLS * COCO_AREAS * K;
    size_t n_recalls = (size_t)COCO_OVERLAPS * COCO_AREAS * N_LIMITS * K;
    if (in->n_dets > UINT32_MAX || in->truth->n_boxes > UINT32_MAX)
        return error_set(err, PTQ_LIMIT, "%zu detections are too many", in->n_dets);
    ordered o;
    PTQ_TRY(ordered_init(&o, in, err));
    tables t = {mem_array(n_precisions, sizeof(double)), mem_array(n_recalls, sizeof(double)), K};
    double *scratch = mem_array(n_precisions, sizeof *scratch);
    ptq_status status = PTQ_OK;
    if (!t.precision || !t.recall || !scratch) {
        status = error_no_memory(err, n_precisions * sizeof(double), "precision tables");
    } else {
        for (size_t i = 0; i < n_precisions; i++)
            t.precision[i] = -1;
        for (size_t i = 0; i < n_recalls; i++)
            t.recall[i] = -1;
        status = judge_all(in, &o, &t, err);
    }
    if (status == PTQ_OK)
        summarize(&t, scratch, out);
    mem_free(t.precision);
    mem_free(t.recall);
    mem_free(scratch);
    ordered_clear(&o);
    return status;
}
