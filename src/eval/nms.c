/* SPDX-License-Identifier: Apache-2.0 */
/* Candidates in order of score, each compared with the boxes kept so far. That is the textbook
 * suppression (a box is dropped if and only if a kept one before it overlaps too much), but it can
 * stop at max_det kept boxes and never touches the rest.
 *
 * YOLOv7 keeps classes apart by moving the boxes of class c by 4096 c pixels, in float32. The
 * rounding of that sum is part of the result, so the same sums are compared here. While every
 * coordinate lies within 2048 pixels of the origin, boxes of different classes cannot meet, and
 * only the kept boxes of the candidate's own class are looked at.
 */
#include "eval/detect.h"

#include <math.h>

#include "base/mem.h"
#include "eval/radix_sort.h"

static const float CLASS_OFFSET = 4096.0f;
static const float SAFE_COORDINATE = 2048.0f;
enum { MANY_FOR_ONE = 16 }; /* candidates for a detection */

typedef struct kept_box {
    float x1, y1, x2, y2; /* moved by class */
    float area;
    int older; /* the kept box before this one in the same list, or -1 */
} kept_box;

struct nms {
    sort_item *items, *scratch; /* key: descending score; index: row * n_classes + class */
    size_t items_cap, scratch_cap;
    int *newest; /* per list of kept boxes: the last one, or -1 */
    size_t newest_cap;
    kept_box *kept;
    detection *dets;
    size_t kept_cap, dets_cap;
};

nms_options nms_options_evaluation(void)
{
    return (nms_options){
        .conf = 0.001f, .iou = 0.65, .multi_label = true, .max_det = 300, .max_nms = 30000};
}

ptq_status nms_create(nms **out, ptq_error *err)
{
    nms *n = mem_zalloc(sizeof *n);
    if (!n)
        return error_no_memory(err, sizeof *n, "non-maximum suppression");
    *out = n;
    return PTQ_OK;
}

void nms_destroy(nms *n)
{
    if (!n)
        return;
    mem_free(n->items);
    mem_free(n->scratch);
    mem_free(n->newest);
    mem_free(n->kept);
    mem_free(n->dets);
    mem_free(n);
}

static ptq_status reserve_items(nms *n, size_t n_items, ptq_error *err)
{
    sort_item *items = mem_grow(n->items, &n->items_cap, n_items, sizeof *items);
    if (!items)
        return error_no_memory(err, n_items * sizeof *items, "candidate boxes");
    n->items = items;
    return PTQ_OK;
}

/* What follows collecting: all sizes are known now. */
static ptq_status reserve_rest(nms *n, size_t n_items, size_t n_lists, size_t n_kept,
                               ptq_error *err)
{
    sort_item *scratch = mem_grow(n->scratch, &n->scratch_cap, n_items, sizeof *scratch);
    n->scratch = scratch ? scratch : n->scratch;
    int *newest = mem_grow(n->newest, &n->newest_cap, n_lists, sizeof *newest);
    n->newest = newest ? newest : n->newest;
    kept_box *kept = mem_grow(n->kept, &n->kept_cap, n_kept, sizeof *kept);
    n->kept = kept ? kept : n->kept;
    detection *dets = mem_grow(n->dets, &n->dets_cap, n_kept, sizeof *dets);
    n->dets = dets ? dets : n->dets;
    if (!scratch || !newest || !kept || !dets)
        return error_no_memory(err, n_items * sizeof *scratch, "non-maximum suppression");
    return PTQ_OK;
}

static void row_box(const float *row, float offset, kept_box *b)
{
    b->x1 = row[0] - row[2] / 2 + offset;
    b->y1 = row[1] - row[3] / 2 + offset;
    b->x2 = row[0] + row[2] / 2 + offset;
    b->y2 = row[1] + row[3] / 2 + offset;
    b->area = (b->x2 - b->x1) * (b->y2 - b->y1);
}

/* false for NaN too */
static bool is_safe(const float *row)
{
    kept_box b;
    row_box(row, 0, &b);
    return fabsf(b.x1) < SAFE_COORDINATE && fabsf(b.y1) < SAFE_COORDINATE &&
           fabsf(b.x2) < SAFE_COORDINATE && fabsf(b.y2) < SAFE_COORDINATE;
}

/* In vectors: most rows have none. */
static int count_above(const float *row, int n_classes, float conf)
{
    int n = 0;
    for (int j = 0; j < n_classes; j++)
        n += row[5 + j] * row[4] > conf;
    return n;
}

/* Every class above conf, ascending; `items` has room for all of them. Written so that the
 * compiler needs no branch: most classes of a row fail. */
static size_t emit_all(const float *row, int n_classes, float conf, uint32_t first,
                       sort_item *items)
{
    size_t n = 0;
    if (count_above(row, n_classes, conf) == 0)
        return 0;
    for (int j = 0; j < n_classes; j++) {
        float score = row[5 + j] * row[4];
        items[n].key = sort_key_float_down(score);
        items[n].index = first + (uint32_t)j;
        n += score > conf;
    }
    return n;
}

/* The best class, the first of equals. As torch.max(): a NaN among the scores wins, and fails. */
static size_t emit_best(const float *row, int n_classes, float conf, uint32_t first,
                        sort_item *item)
{
    float best = row[5] * row[4];
    int cls = 0;
    for (int j = 1; j < n_classes && !isnan(best); j++) {
        float score = row[5 + j] * row[4];
        if (score > best || isnan(score)) {
            best = score;
            cls = j;
        }
    }
    item->key = sort_key_float_down(best);
    item->index = first + (uint32_t)cls;
    return best > conf;
}

/* A network of one class has no use for its class score: the objectness is the score. */
static size_t emit_only(const float *row, float conf, uint32_t first, sort_item *item)
{
    item->key = sort_key_float_down(row[4]);
    item->index = first;
    return row[4] > conf;
}

/* The key at place *rank, from 0, which becomes the rank among those equal to it. */
static uint64_t key_at(const sort_item *items, size_t n_items, size_t *rank)
{
    uint64_t found = 0;
    for (int shift = 24; shift >= 0; shift -= 8) {
        size_t counts[256] = {0};
        for (size_t i = 0; i < n_items; i++)
            if ((items[i].key ^ found) >> (shift + 8) == 0)
                counts[items[i].key >> shift & 255]++;
        unsigned digit = 0;
        for (; *rank >= counts[digit]; digit++)
            *rank -= counts[digit];
        found |= (uint64_t)digit << shift;
    }
    return found;
}

/* Keeps the best `wanted`, in place and in order, the first of equals; *conf becomes the least of
 * their scores, which what comes later must be above. */
static size_t drop_hopeless(sort_item *items, size_t n_items, size_t wanted, float *conf)
{
    if (n_items <= wanted)
        return n_items;
    size_t n_equal = wanted - 1, kept = 0;
    uint64_t last = key_at(items, n_items, &n_equal);
    n_equal++;
    for (size_t i = 0; i < n_items; i++) {
        uint64_t key = items[i].key;
        items[kept] = items[i];
        if (key < last)
            kept++;
        else if (key == last && n_equal > 0) {
            kept++;
            n_equal--;
        }
    }
    *conf = sort_key_float((uint32_t)last);
    return kept;
}

/* The candidates of every step-th row that are above `conf` or among the best `wanted`, in row and
 * class order. */
typedef struct collection {
    int step;
    size_t wanted, n_items;
    float conf;    /* rises when there are more than wanted */
    bool is_apart; /* classes cannot meet */
} collection;

static ptq_status collect_rows(nms *n, const predictions *p, const nms_options *o, collection *c,
                               ptq_error *err)
{
    enum { PATIENCE = 2 };
    int nc = p->n_classes;
    size_t count = 0;
    c->is_apart = !o->agnostic;
    for (int64_t r = 0; r < p->n_rows; r += c->step) {
        const float *row = p->rows + (size_t)r * (size_t)(nc + 5);
        if (!(row[4] > o->conf))
            continue;
        PTQ_TRY(reserve_items(n, count + (size_t)nc, err));
        uint32_t first = (uint32_t)r * (uint32_t)nc;
        size_t added;
        if (nc == 1)
            added = emit_only(row, c->conf, first, n->items + count);
        else if (o->multi_label)
            added = emit_all(row, nc, c->conf, first, n->items + count);
        else
            added = emit_best(row, nc, c->conf, first, n->items + count);
        if (added && !is_safe(row))
            c->is_apart = false;
        count += added;
        if (count > PATIENCE * c->wanted)
            count = drop_hopeless(n->items, count, c->wanted, &c->conf);
    }
    c->n_items = drop_hopeless(n->items, count, c->wanted, &c->conf);
    return PTQ_OK;
}

/* The best c->wanted candidates; with a guess, of them only those above a score that leaves about
 * as many, a third more rather than less: some of the rows tell which. */
static ptq_status collect(nms *n, const predictions *p, const nms_options *o, bool guess,
                          collection *c, ptq_error *err)
{
    enum { SAMPLE = 16 };
    collection sample = {.step = SAMPLE, .wanted = 1 + c->wanted / 3 * 4 / SAMPLE, .conf = o->conf};
    if (guess)
        PTQ_TRY(collect_rows(n, p, o, &sample, err));
    c->step = 1;
    c->conf = sample.conf > o->conf ? nextafterf(sample.conf, 0) : o->conf;
    return collect_rows(n, p, o, c, err);
}

/* Only the selection std::max and std::min make, which differs from fmaxf() for NaN. */
static float larger(float a, float b)
{
    return a < b ? b : a;
}

static float smaller(float a, float b)
{
    return b < a ? b : a;
}

static bool is_suppressed(const nms *n, const kept_box *b, int newest, double iou)
{
    for (int k = newest; k >= 0; k = n->kept[k].older) {
        const kept_box *a = &n->kept[k];
        float w = larger(0, smaller(a->x2, b->x2) - larger(a->x1, b->x1));
        float h = larger(0, smaller(a->y2, b->y2) - larger(a->y1, b->y1));
        float overlap = w * h;
        if (!(overlap > 0))
            continue;
        if ((double)(overlap / (a->area + b->area - overlap)) > iou)
            return true;
    }
    return false;
}

static int suppress(nms *n, const predictions *p, const nms_options *o, size_t n_items, bool apart)
{
    int n_kept = 0;
    for (size_t i = 0; i < n_items && n_kept < o->max_det; i++) {
        uint32_t index = n->items[i].index;
        int cls = (int)(index % (uint32_t)p->n_classes);
        const float *row =
            p->rows + (size_t)(index / (uint32_t)p->n_classes) * (size_t)(p->n_classes + 5);
        kept_box *b = &n->kept[n_kept];
        row_box(row, o->agnostic ? 0 : (float)cls * CLASS_OFFSET, b);
        int *newest = &n->newest[apart ? cls : 0];
        if (is_suppressed(n, b, *newest, o->iou))
            continue;
        b->older = *newest;
        *newest = n_kept;
        kept_box plain;
        row_box(row, 0, &plain);
        n->dets[n_kept++] = (detection){
            .x1 = plain.x1,
            .y1 = plain.y1,
            .x2 = plain.x2,
            .y2 = plain.y2,
            .score = p->n_classes == 1 ? row[4] : row[5 + cls] * row[4],
            .cls = cls,
        };
    }
    return n_kept;
}

static ptq_status check(const predictions *p, const nms_options *o, ptq_error *err)
{
    if (!(o->iou >= 0) || o->max_det < 1 || o->max_nms < 1)
        return error_set(err, PTQ_USAGE,
                         "the IoU threshold %g must not be negative, and at least 1 box must be "
                         "allowed (%d, %d)",
                         o->iou, o->max_det, o->max_nms);
    size_t n;
    if (p->n_rows < 0 || p->n_classes < 1 ||
        !mem_mul((size_t)p->n_rows, (size_t)p->n_classes + 5, &n) || n > UINT32_MAX)
        return error_set(err, PTQ_SHAPE, "%d predictions of %d classes cannot be processed",
                         p->n_rows, p->n_classes);
    return PTQ_OK;
}

/* The detections among what was collected, the best `max_nms` of it. */
static ptq_status choose(nms *n, const predictions *p, const nms_options *o, const collection *c,
                         int *n_dets, ptq_error *err)
{
    size_t n_lists = (size_t)p->n_classes, most = (size_t)o->max_nms;
    PTQ_TRY(reserve_rest(n, c->n_items, n_lists, (size_t)o->max_det, err));
    radix_sort(n->items, n->scratch, c->n_items);
    for (size_t i = 0; i < n_lists; i++)
        n->newest[i] = -1;
    *n_dets = suppress(n, p, o, c->n_items < most ? c->n_items : most, c->is_apart);
    return PTQ_OK;
}

/* All but the best candidates are collected only when these make too few detections. */
ptq_status nms_run(nms *n, const predictions *p, const nms_options *options, const detection **dets,
                   int *n_dets, ptq_error *err)
{
    PTQ_TRY(check(p, options, err));
    size_t most = (size_t)options->max_nms, few = MANY_FOR_ONE * (size_t)options->max_det;
    const collection tries[] = {
        {.wanted = few < most ? few : most}, {.wanted = most}, {.wanted = most}};
    enum { N_TRIES = sizeof tries / sizeof *tries };
    bool is_done = false;
    for (int i = 0; i < N_TRIES && !is_done; i++) {
        collection c = tries[i];
        PTQ_TRY(collect(n, p, options, i < N_TRIES - 1, &c, err));
        PTQ_TRY(choose(n, p, options, &c, n_dets, err));
        is_done = *n_dets == options->max_det || c.n_items >= most || c.conf <= options->conf;
    }
    *dets = n->dets;
    return PTQ_OK;
}
