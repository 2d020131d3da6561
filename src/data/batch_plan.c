/* SPDX-License-Identifier: Apache-2.0 */
#include "data/batch_plan.h"

#include <math.h>

#include "base/mem.h"

/* Ranges of at most this many steps between first and last are sorted by insertion. */
enum { SMALL_RANGE = 15, MAX_STACK = 64 };

typedef struct range {
    int first, last; /* inclusive */
    int depth;       /* partitions still allowed before heapsort takes over */
} range;

static void swap(int *a, int *b)
{
    int kept = *a;
    *a = *b;
    *b = kept;
}

static void sort_by_insertion(const double *values, int *order, range r)
{
    for (int i = r.first + 1; i <= r.last; i++) {
        int moving = order[i], j = i;
        for (; j > r.first && values[moving] < values[order[j - 1]]; j--)
            order[j] = order[j - 1];
        order[j] = moving;
    }
}

static void sift_down(const double *values, int *heap, int root, int n)
{
    for (int child = 2 * root + 1; child < n; root = child, child = 2 * root + 1) {
        if (child + 1 < n && values[heap[child]] < values[heap[child + 1]])
            child++;
        if (!(values[heap[root]] < values[heap[child]]))
            return;
        swap(&heap[root], &heap[child]);
    }
}

static void sort_by_heap(const double *values, int *heap, int n)
{
    for (int i = n / 2 - 1; i >= 0; i--)
        sift_down(values, heap, i, n);
    for (int i = n - 1; i > 0; i--) {
        swap(&heap[0], &heap[i]);
        sift_down(values, heap, 0, i);
    }
}

/* Median of three as the pivot. Returns where the pivot ends up: nothing before it is larger,
 * nothing after it smaller. */
static int partition(const double *values, int *order, range r)
{
    int middle = r.first + ((r.last - r.first) >> 1);
    if (values[order[middle]] < values[order[r.first]])
        swap(&order[middle], &order[r.first]);
    if (values[order[r.last]] < values[order[middle]])
        swap(&order[r.last], &order[middle]);
    if (values[order[middle]] < values[order[r.first]])
        swap(&order[middle], &order[r.first]);
    double pivot = values[order[middle]];
    int i = r.first, j = r.last - 1;
    swap(&order[middle], &order[j]);
    for (;;) {
        do
            i++;
        while (values[order[i]] < pivot);
        do
            j--;
        while (pivot < values[order[j]]);
        if (i >= j)
            break;
        swap(&order[i], &order[j]);
    }
    swap(&order[i], &order[r.last - 1]);
    return i;
}

void argsort_quick(const double *values, int n, int *order)
{
    for (int i = 0; i < n; i++)
        order[i] = i;
    range stack[MAX_STACK]; /* the smaller part goes first, so 32 entries would do */
    int n_stack = 0, depth = 0;
    for (int rest = n; rest > 1; rest >>= 1)
        depth += 2;
    stack[n_stack++] = (range){0, n - 1, depth};
    while (n_stack > 0) {
        range r = stack[--n_stack];
        if (r.depth < 0) {
            sort_by_heap(values, order + r.first, r.last - r.first + 1);
            continue;
        }
        while (r.last - r.first > SMALL_RANGE) {
            int at = partition(values, order, r);
            range left = {r.first, at - 1, r.depth - 1}, right = {at + 1, r.last, r.depth - 1};
            bool is_left_smaller = at - r.first < r.last - at;
            stack[n_stack++] = is_left_smaller ? right : left;
            r = is_left_smaller ? left : right;
        }
        sort_by_insertion(values, order, r);
    }
}

void batch_plan_clear(batch_plan *p)
{
    mem_free(p->order);
    mem_free(p->batches);
    *p = (batch_plan){0};
}

/* ceil(side * size / stride + pad) * stride in double, in numpy's order of operations. */
static int padded_side(double side, const loader_options *o)
{
    return (int)ceil(side * o->image_size / o->stride + o->pad) * o->stride;
}

/* The ratios of a batch span low ... high. */
static void fit_rectangle(batch_shape *b, double low, double high, const loader_options *o)
{
    double height = 1, width = 1;
    if (high < 1)
        height = high;
    else if (low > 1)
        width = 1 / low;
    b->height = padded_side(height, o);
    b->width = padded_side(width, o);
}

static void cut_batches(batch_plan *p, const double *ratios, const loader_options *o)
{
    for (int i = 0; i < p->n_batches; i++) {
        batch_shape *b = &p->batches[i];
        b->first = i * o->batch_size;
        b->n = p->n_images - b->first < o->batch_size ? p->n_images - b->first : o->batch_size;
        b->height = b->width = o->image_size;
        if (o->rect) /* sorted: the first ratio is the lowest */
            fit_rectangle(b, ratios[p->order[b->first]], ratios[p->order[b->first + b->n - 1]], o);
    }
}

ptq_status batch_plan_make(const dataset *d, const loader_options *options, batch_plan *out,
                           ptq_error *err)
{
    size_t n = (size_t)d->n_items;
    batch_plan p = {.n_images = d->n_items};
    p.n_batches = (int)((n + (size_t)options->batch_size - 1) / (size_t)options->batch_size);
    p.order = mem_array(n, sizeof *p.order);
    p.batches = mem_array((size_t)p.n_batches, sizeof *p.batches);
    double *ratios = mem_array(n, sizeof *ratios);
    if (!p.order || !p.batches || !ratios) {
        batch_plan_clear(&p);
        mem_free(ratios);
        return error_no_memory(err, n * 16, "the batches");
    }
    for (int i = 0; i < d->n_items; i++) {
        ratios[i] = (double)d->items[i].height / d->items[i].width;
        p.order[i] = i;
    }
    if (options->rect)
        argsort_quick(ratios, d->n_items, p.order);
    cut_batches(&p, ratios, options);
    mem_free(ratios);
    *out = p;
    return PTQ_OK;
}
