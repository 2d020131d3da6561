/* SPDX-License-Identifier: Apache-2.0 */
/* quant/calibrate_amax.h — from a histogram of |x| to the range a quantizer gets (amax).
 *
 * Definitions: algorithms.md §2.3 to §2.5 (pytorch-quantization). The searches use prefix sums, so
 * that a candidate costs one step per level instead of one per bin (§2.8), and give the same
 * choice: the recorded histograms of the reference are the test.
 */
#ifndef QUANT_CALIBRATE_AMAX_H
#define QUANT_CALIBRATE_AMAX_H

#include "quant/histogram.h"

typedef enum amax_method {
    AMAX_MAX,
    AMAX_PERCENTILE,
    AMAX_ENTROPY,
    AMAX_MSE,
    AMAX_METHODS
} amax_method;

const char *amax_method_name(amax_method m); /* "max" ... */
bool amax_method_from_name(const char *name, amax_method *m);

typedef struct amax_options {
    int num_bits; /* 8 */
    bool is_unsigned;
    double percentile; /* 99.99 */
    int start_bin;     /* first candidate of entropy and mse: 128 */
    int stride;        /* 1 */
} amax_options;

void amax_options_init(amax_options *o);

/* The range by one method. Compat histograms follow the original to the bin. With exact ones
 * percentile gives the upper edge of its bin, entropy works on pairs of bins (the original's
 * resolution), and no range exceeds the largest value. 0 when every value was 0. PTQ_DATA when
 * the histogram has no values. */
PTQ_CHECKED ptq_status histogram_amax(const histogram *h, amax_method method,
                                      const amax_options *options, float *amax, ptq_error *err);

/* Plain bins: `n` counts and n + 1 edges. */
typedef struct amax_bins {
    const uint64_t *counts;
    const float *edges;
    int n;
} amax_bins;

/* The searches behind histogram_amax(); *bin is an index of edges (percentile, entropy) or of
 * centres (mse). `costs`, when not NULL, receives the cost of candidate i at costs[i - start_bin]
 * for the strides visited. */
int amax_percentile_bin(const amax_bins *b, double percentile);
PTQ_CHECKED ptq_status amax_entropy_bin(const amax_bins *b, const amax_options *options, int *bin,
                                        double *costs, ptq_error *err);
PTQ_CHECKED ptq_status amax_mse_bin(const amax_bins *b, const amax_options *options, int *bin,
                                    double *costs, ptq_error *err);
float amax_centre(const amax_bins *b, int i); /* rounded to float32, as the original */

#endif
