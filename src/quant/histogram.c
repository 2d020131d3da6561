/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/histogram.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/count.h"

/* Values that are looked at, or gathered, at once: they stay in the first-level cache. */
enum { BLOCK = 4096 };
/* 2^-MIN_EXPONENT is still a finite float. */
enum { MIN_EXPONENT = -126, EXACT_BITS = 13 };
/* Finite floats have smaller bit patterns (sign removed). */
enum { INFINITY_BITS = 0x7f800000 };

typedef struct counter {
    int n_bins;
    int capacity;    /* bins per lane */
    int exponent;    /* exact */
    uint32_t *lanes; /* [COUNT_LANES][n_bins]: a batch has fewer than 2^32 values for each */
    float *gathered; /* BLOCK, or one run when that is longer */
    size_t gathered_capacity;
} counter;

struct histogram_pool {
    int threads;
    count_kernel count;
    counter *counters;
};

/* ---------------------------------------------------------------- life */

ptq_status histogram_init(histogram *h, bool is_compat, ptq_error *err)
{
    *h = (histogram){.is_compat = is_compat, .exponent = MIN_EXPONENT};
    if (is_compat)
        return PTQ_OK;
    h->counts = mem_array(HISTOGRAM_EXACT_BINS, sizeof *h->counts);
    if (!h->counts)
        return error_no_memory(err, HISTOGRAM_EXACT_BINS * sizeof *h->counts, "a histogram");
    h->n_bins = HISTOGRAM_EXACT_BINS;
    return PTQ_OK;
}

void histogram_clear(histogram *h)
{
    mem_free(h->counts);
    mem_free(h->edges);
    *h = (histogram){0};
}

ptq_status histogram_pool_create(int threads, cpu_level level, histogram_pool **out, ptq_error *err)
{
    histogram_pool *p = mem_zalloc(sizeof *p);
    if (!p)
        return error_no_memory(err, sizeof *p, "histogram scratch");
    p->threads = threads > 0 ? threads : 1;
    p->count = count_choose(level);
    p->counters = mem_array((size_t)p->threads, sizeof *p->counters);
    if (!p->counters) {
        histogram_pool_destroy(p);
        return error_no_memory(err, (size_t)threads * sizeof(counter), "histogram scratch");
    }
    *out = p;
    return PTQ_OK;
}

void histogram_pool_destroy(histogram_pool *p)
{
    if (!p)
        return;
    for (int i = 0; p->counters && i < p->threads; i++) {
        mem_free(p->counters[i].lanes);
        mem_free(p->counters[i].gathered);
    }
    mem_free(p->counters);
    mem_free(p);
}

static ptq_status counters_reserve(histogram_pool *p, int n_bins, const value_rows *r,
                                   ptq_error *err)
{
    size_t gathered = r->n_rows > 1 && r->row > BLOCK ? r->row : BLOCK;
    for (int i = 0; i < p->threads; i++) {
        counter *c = &p->counters[i];
        if (c->capacity < n_bins) {
            uint32_t *lanes = mem_resize(c->lanes, (size_t)n_bins * COUNT_LANES, sizeof *lanes);
            if (!lanes)
                return error_no_memory(err, (size_t)n_bins * COUNT_LANES * sizeof *lanes,
                                       "histogram scratch");
            c->lanes = lanes;
            c->capacity = n_bins;
        }
        if (c->gathered_capacity < gathered) {
            float *values = mem_resize(c->gathered, gathered, sizeof *values);
            if (!values)
                return error_no_memory(err, gathered * sizeof *values, "histogram scratch");
            c->gathered = values;
            c->gathered_capacity = gathered;
        }
    }
    return PTQ_OK;
}

static void counters_reset(histogram_pool *p, int n_bins, int exponent)
{
    for (int i = 0; i < p->threads; i++) {
        p->counters[i].n_bins = n_bins;
        p->counters[i].exponent = exponent;
        memset(p->counters[i].lanes, 0,
               (size_t)n_bins * COUNT_LANES * sizeof *p->counters[i].lanes);
    }
}

/* ---------------------------------------------------------------- blocks of values */

static value_rows flatten(const value_rows *r)
{
    if (r->stride != r->row && r->n_rows > 1)
        return *r;
    size_t n = r->n_rows * r->row;
    return (value_rows){.data = r->data, .n_rows = 1, .row = n, .stride = n};
}

static size_t rows_per_block(const value_rows *r)
{
    return r->row < BLOCK ? BLOCK / r->row : 1;
}

static size_t n_blocks(const value_rows *r)
{
    if (r->n_rows == 1)
        return (r->row + BLOCK - 1) / BLOCK;
    size_t per = rows_per_block(r);
    return (r->n_rows + per - 1) / per;
}

/* The values of block i, side by side; strided runs are gathered into the counter's memory. */
static const float *block_values(const value_rows *r, size_t i, counter *c, size_t *n)
{
    if (r->n_rows == 1) {
        size_t left = r->row - i * BLOCK;
        *n = left < BLOCK ? left : BLOCK;
        return r->data + i * BLOCK;
    }
    size_t per = rows_per_block(r);
    size_t first = i * per;
    size_t count = r->n_rows - first < per ? r->n_rows - first : per;
    for (size_t k = 0; k < count; k++)
        memcpy(c->gathered + k * r->row, r->data + (first + k) * r->stride,
               r->row * sizeof *r->data);
    *n = count * r->row;
    return c->gathered;
}

static int32_t extent_max(count_extent e)
{
    return e.high > e.low ? e.high : e.low;
}

static float from_bits(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static ptq_status not_finite(ptq_error *err)
{
    return error_set(err, PTQ_DATA, "values are not finite (NaN or infinity)");
}

/* Adds what all counters hold. */
static void counters_collect(const histogram_pool *p, histogram *h)
{
    for (int t = 0; t < p->threads; t++)
        for (int lane = 0; lane < COUNT_LANES; lane++) {
            const uint32_t *counts = p->counters[t].lanes + (size_t)lane * (size_t)h->n_bins;
            for (int i = 0; i < h->n_bins; i++)
                h->counts[i] += counts[i];
        }
}

/* ---------------------------------------------------------------- exact */

/* Smallest width 2^e with max < bins * 2^e. */
static int exponent_for(float max)
{
    if (max == 0)
        return MIN_EXPONENT;
    int e;
    (void)frexpf(max, &e);
    return e - EXACT_BITS > MIN_EXPONENT ? e - EXACT_BITS : MIN_EXPONENT;
}

/* Adds `1 << shift` neighbours into one bin. */
#define NARROW_BINS(name, type)                                                                    \
    static void name(type *counts, int n_bins, int shift)                                          \
    {                                                                                              \
        if (shift > EXACT_BITS)                                                                    \
            shift = EXACT_BITS;                                                                    \
        for (int i = 1; i < n_bins; i++) {                                                         \
            type count = counts[i];                                                                \
            counts[i] = 0;                                                                         \
            counts[i >> shift] += count;                                                           \
        }                                                                                          \
    }
NARROW_BINS(narrow_bins, uint64_t)
NARROW_BINS(narrow_lane, uint32_t)
#undef NARROW_BINS

static void counter_grow(counter *c, int exponent)
{
    if (exponent == c->exponent)
        return;
    for (int lane = 0; lane < COUNT_LANES; lane++)
        narrow_lane(c->lanes + (size_t)lane * (size_t)c->n_bins, c->n_bins, exponent - c->exponent);
    c->exponent = exponent;
}

static void adopt_range(histogram *h, float low, float high)
{
    h->low = low < h->low ? low : h->low;
    h->high = high > h->high ? high : h->high;
    h->max = -h->low > h->high ? -h->low : h->high;
}

static void adopt_extent(histogram *h, count_extent e)
{
    adopt_range(h, e.low ? -from_bits(e.low) : 0, from_bits(e.high));
}

static void exact_adopt(histogram *h, const histogram_pool *p, count_extent e)
{
    adopt_extent(h, e);
    int exponent = exponent_for(h->max);
    if (exponent > h->exponent) {
        narrow_bins(h->counts, h->n_bins, exponent - h->exponent);
        h->exponent = exponent;
    }
    for (int t = 0; t < p->threads; t++)
        counter_grow(&p->counters[t], h->exponent);
    counters_collect(p, h);
}

/* Widens the bins where a value has none; not where it is not finite. */
static void counter_add(counter *c, const count_kernel *k, const float *x, size_t n,
                        count_extent *seen)
{
    for (;;) {
        float per_width = ldexpf(1.0f, -c->exponent);
        size_t counted = k->magnitudes(c->lanes, c->n_bins, per_width, x, n, seen);
        if (counted == n || extent_max(*seen) >= INFINITY_BITS)
            return;
        counter_grow(c, exponent_for(from_bits(extent_max(*seen))));
        x += counted;
        n -= counted;
    }
}

/* The share of one of n counters. */
static count_extent add_share(const histogram_pool *p, const value_rows *r, int index, int n)
{
    counter *c = &p->counters[index];
    count_extent seen = {0, 0};
    size_t all = n_blocks(r), end = all * (size_t)(index + 1) / (size_t)n;
    for (size_t i = all * (size_t)index / (size_t)n; i < end; i++) {
        size_t count;
        const float *x = block_values(r, i, c, &count);
        counter_add(c, &p->count, x, count, &seen);
        if (extent_max(seen) >= INFINITY_BITS)
            break;
    }
    return seen;
}

static count_extent add_shares(const histogram_pool *p, const value_rows *r)
{
    int32_t low = 0, high = 0;
#pragma omp parallel num_threads(p->threads) reduction(max : low, high)
    {
        count_extent e = add_share(p, r, omp_get_thread_num(), omp_get_num_threads());
        low = e.low;
        high = e.high;
    }
    return (count_extent){high, low};
}

static ptq_status exact_add(histogram *h, histogram_pool *p, const value_rows *r, ptq_error *err)
{
    counters_reset(p, h->n_bins, h->exponent);
    /* One thread by itself does without OpenMP: it may be one of several that each count, and end.
     */
    count_extent seen = p->threads == 1 ? add_share(p, r, 0, 1) : add_shares(p, r);
    if (extent_max(seen) >= INFINITY_BITS)
        return not_finite(err);
    exact_adopt(h, p, seen);
    return PTQ_OK;
}

/* ---------------------------------------------------------------- compat */

/* Edges come from torch.linspace and torch.arange in float32, which compute eight lanes from one
 * rounded base. The values matter: an amax is an edge. Recorded edges are the judge. */
enum { TORCH_LANES = 8 };

/* linspace(0, top, n + 1): counted up from 0 in the lower half, down from top in the upper. */
static void torch_linspace(float top, int n, float *edges)
{
    float step = top / (float)n;
    int half = (n + 1) / 2;
    for (int i = 0; i < n; i++) {
        int base_index = i - i % TORCH_LANES;
        float base = base_index < half
                         ? step * (float)base_index
                         : (float)((double)top - (double)step * (double)(n - base_index));
        edges[i] = base + (float)(i % TORCH_LANES) * step;
    }
    edges[n] = top;
}

/* arange(0, (n - 0.5) * step, step); what is left over of 16 lanes is computed one by one. */
static void torch_arange(int n, float step, float *edges)
{
    int in_lanes = n - n % (2 * TORCH_LANES);
    for (int i = 0; i < n; i++) {
        int lane = i < in_lanes ? i % TORCH_LANES : 0;
        float base = (float)((double)(i - lane) * (double)step);
        edges[i] = (float)((double)base + (double)lane * (double)step);
    }
}

static ptq_status compat_start(histogram *h, float top, ptq_error *err)
{
    h->counts = mem_array(HISTOGRAM_COMPAT_BINS, sizeof *h->counts);
    h->edges = mem_array(HISTOGRAM_COMPAT_BINS + 1, sizeof *h->edges);
    if (!h->counts || !h->edges) {
        mem_free(h->counts);
        mem_free(h->edges);
        h->counts = NULL;
        h->edges = NULL;
        return error_no_memory(err, HISTOGRAM_COMPAT_BINS * sizeof *h->counts, "a histogram");
    }
    h->n_bins = HISTOGRAM_COMPAT_BINS;
    torch_linspace(top, h->n_bins, h->edges);
    h->counts[0] = h->n_values; /* zeros seen before: the original would divide by zero here */
    return PTQ_OK;
}

static ptq_status compat_grow(histogram *h, float max, ptq_error *err)
{
    float width = h->edges[1] - h->edges[0];
    float wanted = ceilf(max / width);
    if (!(wanted < (float)(HISTOGRAM_MAX_BINS / 2)))
        return error_set(err, PTQ_LIMIT,
                         "the first batch fixed the bin width at %g, and %g now needs too many "
                         "bins; calibrate without --compat or shuffle the images",
                         (double)width, (double)max);
    int n = (int)wanted;
    size_t n_edges = (size_t)n + 1;
    float *edges = mem_resize(h->edges, n_edges, sizeof *edges);
    if (!edges)
        return error_no_memory(err, n_edges * sizeof *edges, "a histogram");
    h->edges = edges;
    uint64_t *counts = mem_resize(h->counts, (size_t)n, sizeof *counts);
    if (!counts)
        return error_no_memory(err, (size_t)n * sizeof *counts, "a histogram");
    h->counts = counts;
    torch_arange((int)n_edges, width, edges);
    for (int i = h->n_bins; i < n; i++)
        counts[i] = 0;
    h->n_bins = n;
    return PTQ_OK;
}

static count_extent batch_extent(histogram_pool *p, const value_rows *r)
{
    int32_t low = 0, high = 0;
    size_t n = n_blocks(r);
#pragma omp parallel for num_threads(p->threads) schedule(static) reduction(max : low, high)
    for (size_t i = 0; i < n; i++) {
        size_t count;
        const float *x = block_values(r, i, &p->counters[omp_get_thread_num()], &count);
        count_extent e = p->count.extent(x, count);
        low = e.low > low ? e.low : low;
        high = e.high > high ? e.high : high;
    }
    return (count_extent){high, low};
}

/* torch.histc: trunc(x / top * bins) in float32, the top itself in the last bin. */
static void compat_count_block(counter *c, float top, const float *x, size_t n)
{
    float bins = (float)c->n_bins;
    float last = bins - 1;
    for (size_t i = 0; i < n; i++) {
        float bin = fabsf(x[i]) / top * bins;
        c->lanes[(int)(i % COUNT_LANES) * c->n_bins + (int)(bin < last ? bin : last)]++;
    }
}

static void compat_count(histogram *h, histogram_pool *p, const value_rows *r)
{
    counters_reset(p, h->n_bins, 0);
    float top = h->edges[h->n_bins];
    size_t n = n_blocks(r);
#pragma omp parallel for num_threads(p->threads) schedule(static)
    for (size_t i = 0; i < n; i++) {
        counter *c = &p->counters[omp_get_thread_num()];
        size_t count;
        const float *x = block_values(r, i, c, &count);
        compat_count_block(c, top, x, count);
    }
    counters_collect(p, h);
}

static ptq_status compat_add(histogram *h, histogram_pool *p, const value_rows *r, ptq_error *err)
{
    count_extent e = batch_extent(p, r);
    if (extent_max(e) >= INFINITY_BITS)
        return not_finite(err);
    float max = from_bits(extent_max(e));
    if (h->n_bins == 0) {
        if (max == 0)
            return PTQ_OK;
        PTQ_TRY(compat_start(h, max, err));
    } else if (max > h->edges[h->n_bins]) {
        PTQ_TRY(compat_grow(h, max, err));
    }
    PTQ_TRY(counters_reserve(p, h->n_bins, r, err));
    compat_count(h, p, r);
    adopt_extent(h, e);
    return PTQ_OK;
}

/* ---------------------------------------------------------------- operations */

ptq_status histogram_add(histogram *h, histogram_pool *pool, const value_rows *rows, ptq_error *err)
{
    size_t n = rows->n_rows * rows->row;
    if (n == 0)
        return PTQ_OK;
    if (n > UINT32_MAX)
        return error_set(err, PTQ_LIMIT, "a batch of it has more than 2^32 values");
    value_rows flat = flatten(rows);
    PTQ_TRY(counters_reserve(pool, h->n_bins, &flat, err));
    PTQ_TRY(h->is_compat ? compat_add(h, pool, &flat, err) : exact_add(h, pool, &flat, err));
    h->n_values += n;
    return PTQ_OK;
}

static void exact_merge(histogram *dst, const histogram *src)
{
    if (src->exponent > dst->exponent) {
        narrow_bins(dst->counts, dst->n_bins, src->exponent - dst->exponent);
        dst->exponent = src->exponent;
    }
    int shift = dst->exponent - src->exponent;
    for (int i = 0; i < src->n_bins; i++)
        dst->counts[shift < EXACT_BITS ? i >> shift : 0] += src->counts[i];
}

static ptq_status compat_copy_bins(histogram *dst, const histogram *src, ptq_error *err)
{
    size_t n = (size_t)src->n_bins;
    uint64_t *counts = mem_array(n, sizeof *counts);
    float *edges = mem_array(n + 1, sizeof *edges);
    if (!counts || !edges) {
        mem_free(counts);
        mem_free(edges);
        return error_no_memory(err, n * sizeof *counts, "a histogram");
    }
    memcpy(counts, src->counts, n * sizeof *counts);
    memcpy(edges, src->edges, (n + 1) * sizeof *edges);
    dst->counts = counts;
    dst->edges = edges;
    dst->n_bins = src->n_bins;
    return PTQ_OK;
}

static void add_at_centres(histogram *dst, const histogram *src)
{
    double per_width = dst->n_bins / (double)dst->edges[dst->n_bins];
    for (int i = 0; i < src->n_bins; i++) {
        double centre = ((double)src->edges[i] + (double)src->edges[i + 1]) / 2;
        int bin = (int)(centre * per_width);
        dst->counts[bin < dst->n_bins ? bin : dst->n_bins - 1] += src->counts[i];
    }
}

static ptq_status compat_merge(histogram *dst, const histogram *src, ptq_error *err)
{
    if (src->n_bins == 0) {
        if (dst->n_bins > 0)
            dst->counts[0] += src->n_values;
        return PTQ_OK;
    }
    if (dst->n_bins > 0 && dst->edges[dst->n_bins] >= src->edges[src->n_bins]) {
        add_at_centres(dst, src);
        return PTQ_OK;
    }
    histogram narrower = *dst;
    PTQ_TRY(compat_copy_bins(dst, src, err));
    if (narrower.n_bins > 0)
        add_at_centres(dst, &narrower);
    else
        dst->counts[0] += narrower.n_values;
    mem_free(narrower.counts);
    mem_free(narrower.edges);
    return PTQ_OK;
}

ptq_status histogram_merge(histogram *dst, const histogram *src, ptq_error *err)
{
    if (dst->is_compat != src->is_compat)
        return error_set(err, PTQ_INTERNAL, "histograms of two kinds cannot be merged");
    if (dst->is_compat)
        PTQ_TRY(compat_merge(dst, src, err));
    else
        exact_merge(dst, src);
    dst->n_values += src->n_values;
    adopt_range(dst, src->low, src->high);
    return PTQ_OK;
}

void histogram_pack(const histogram *h, histogram_bytes *out)
{
    *out = (histogram_bytes){h->n_values, h->max, h->low, h->high, h->exponent, {0}};
    memcpy(out->counts, h->counts, sizeof out->counts);
}

ptq_status histogram_merge_packed(histogram *dst, const histogram_bytes *src, ptq_error *err)
{
    histogram h = {.n_values = src->n_values,
                   .max = src->max,
                   .low = src->low,
                   .high = src->high,
                   .exponent = src->exponent,
                   .n_bins = HISTOGRAM_EXACT_BINS,
                   .counts = (uint64_t *)(uintptr_t)src->counts};
    return histogram_merge(dst, &h, err);
}

int histogram_used_bins(const histogram *h)
{
    if (h->is_compat)
        return h->n_bins;
    return (int)(h->max * ldexpf(1.0f, -h->exponent)) + 1;
}

float histogram_edge(const histogram *h, int i)
{
    return h->is_compat ? h->edges[i] : ldexpf((float)i, h->exponent);
}
