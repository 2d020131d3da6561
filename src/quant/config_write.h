/* SPDX-License-Identifier: Apache-2.0 */
/* quant/config_write.h — what was inserted, as quant.yaml: one rule per layer, which can be edited
 * and given back. Unchanged it makes the same quantizers, whatever options made these.
 */
#ifndef QUANT_CONFIG_WRITE_H
#define QUANT_CONFIG_WRITE_H

#include "base/str.h"
#include "quant/points.h"
#include "quant/ranges.h"

typedef struct config_write_job {
    const graph *g;
    const quant_points *points;
    const quant_config *config; /* that the points were found with */
    const quant_options *options;
    const ranges *r;   /* for remarks on the ranges; or NULL */
    const char *title; /* first line, without "#" */
} config_write_job;

PTQ_CHECKED ptq_status config_write(const config_write_job *job, str *out, ptq_error *err);

#endif
