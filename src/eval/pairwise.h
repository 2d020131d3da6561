/* SPDX-License-Identifier: Apache-2.0 */
/* eval/pairwise.h — sums in numpy's order, so that averages equal its own to the last bit: blocks
 * of at most 128 in eight accumulators, larger arrays halved (N. Higham, "The accuracy of floating
 * point summation", 1993).
 */
#ifndef EVAL_PAIRWISE_H
#define EVAL_PAIRWISE_H

#include <stddef.h>

/* Sum of values[0], values[stride] ... n of them. */
double pairwise_sum(const double *values, size_t n, size_t stride);
/* np.mean(); n at least 1 */
double pairwise_mean(const double *values, size_t n, size_t stride);

#endif
