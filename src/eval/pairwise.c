/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/pairwise.h"

enum { LANES = 8, BLOCK = 128 };

double pairwise_sum(const double *values, size_t n, size_t stride)
{
    double sum = 0;
    if (n < LANES) {
        for (size_t i = 0; i < n; i++)
            sum += values[i * stride];
        return sum;
    }
    if (n > BLOCK) {
        size_t half = n / 2 / LANES * LANES;
        return pairwise_sum(values, half, stride) +
               pairwise_sum(values + half * stride, n - half, stride);
    }
    double r[LANES];
    size_t i;
    for (i = 0; i < LANES; i++)
        r[i] = values[i * stride];
    for (; i < n - n % LANES; i++)
        r[i % LANES] += values[i * stride];
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++)
        sum += values[i * stride];
    return sum;
}

double pairwise_mean(const double *values, size_t n, size_t stride)
{
    return pairwise_sum(values, n, stride) / (double)n;
}
