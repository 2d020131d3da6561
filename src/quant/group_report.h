/* SPDX-License-Identifier: Apache-2.0 */
/* quant/group_report.h — what sharing a range costs, group by group.
 *
 * Three mean squared errors of the values that were seen: each tensor with a range of its own, with
 * the shared one, and with its own first and the shared one after that, which is what happens when
 * scales are not shared and a runtime has to requantize (algorithms.md §4.3: never better than
 * sharing, and a kernel more).
 */
#ifndef QUANT_GROUP_REPORT_H
#define QUANT_GROUP_REPORT_H

#include <jansson.h>

#include "quant/group_range.h"

typedef struct group_errors {
    double own;
    double shared;
    double requantized;
} group_errors;

/* Of the values a histogram holds, with `highest` codes up to the range. */
group_errors group_errors_of(const histogram *h, float own, float shared, int highest);

/* [{group, amax, ratio, layers[], error_own, error_shared, error_requantized, tensors[{name, amax,
 * error_own ...}]}] of every group with several tensors; ratio is that of the largest range to the
 * smallest. Errors are null where there are no histograms. */
PTQ_CHECKED ptq_status group_report(const group_source *s, json_t **out, ptq_error *err);

#endif
