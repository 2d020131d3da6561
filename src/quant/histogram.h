/* SPDX-License-Identifier: Apache-2.0 */
/* quant/histogram.h — how large the values of one tensor are: counts of |x|, smallest and largest
 * x.
 *
 * Two ways to choose the bins:
 *  - exact (default): 8192 bins whose width is a power of two. A value that does not fit doubles
 *    the width and adds neighbouring bins pairwise, which loses nothing: the counts depend only on
 *    the values, not on their order, on how they are split into batches or on the thread count.
 *  - compat: pytorch-quantization's rules (algorithms.md §2.2). The first batch fixes the width at
 *    max/2048, later ones append bins; so the result depends on order and batch size.
 */
#ifndef QUANT_HISTOGRAM_H
#define QUANT_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "base/error.h"

enum { HISTOGRAM_EXACT_BINS = 8192, HISTOGRAM_COMPAT_BINS = 2048 };
enum { HISTOGRAM_MAX_BINS = 1 << 22 }; /* compat: the growth is unbounded by itself */

typedef struct histogram {
    bool is_compat;
    uint64_t n_values;
    float max; /* largest |x| so far */
    float low; /* smallest and largest value so far, and 0 */
    float high;
    int exponent;     /* exact: bins are 2^exponent wide */
    int n_bins;       /* compat: 0 until the first value that is not zero */
    uint64_t *counts; /* n_bins */
    float *edges;     /* compat: n_bins + 1; exact: NULL, edge i is i * 2^exponent */
} histogram;

/* Values as `n_rows` runs of `row` floats, `stride` floats from run to run: a dense array is one
 * run, a channels-last tensor one run per pixel. */
typedef struct value_rows {
    const float *data;
    size_t n_rows;
    size_t row;
    size_t stride;
} value_rows;

PTQ_CHECKED ptq_status histogram_init(histogram *h, bool is_compat, ptq_error *err);
void histogram_clear(histogram *h); /* a zeroed struct is allowed */

/* Scratch memory for counting on several threads, shared by any number of histograms. */
typedef struct histogram_pool histogram_pool;
PTQ_CHECKED ptq_status histogram_pool_create(int threads, cpu_level level, histogram_pool **out,
                                             ptq_error *err);
void histogram_pool_destroy(histogram_pool *p); /* NULL allowed */

/* Adds one batch. PTQ_DATA when a value is NaN or infinite: the histogram is then unchanged. */
PTQ_CHECKED ptq_status histogram_add(histogram *h, histogram_pool *pool, const value_rows *rows,
                                     ptq_error *err);

/* Pools the values of `src` into `dst`, both of one kind. Exact: as if `dst` had seen them.
 * Compat: the bins of the wider one stay, counts of the other move to the bin of their centre. */
PTQ_CHECKED ptq_status histogram_merge(histogram *dst, const histogram *src, ptq_error *err);

/* An exact histogram as plain bytes, to be sent to another process of the same machine type. */
typedef struct histogram_bytes {
    uint64_t n_values;
    float max, low, high;
    int exponent;
    uint64_t counts[HISTOGRAM_EXACT_BINS];
} histogram_bytes;
void histogram_pack(const histogram *h, histogram_bytes *out);
/* Adds the values of a packed one, as histogram_merge(). */
PTQ_CHECKED ptq_status histogram_merge_packed(histogram *dst, const histogram_bytes *src,
                                              ptq_error *err);

/* Bins up to the one that holds the largest value; at least 1 unless compat saw only zeros. */
int histogram_used_bins(const histogram *h);
/* Lower edge of bin i, 0 <= i <= n_bins. */
float histogram_edge(const histogram *h, int i);

#endif
