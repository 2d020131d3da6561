/* SPDX-License-Identifier: Apache-2.0 */
/* quant/sensitivity_units.h — what is ranked, and the plan of one network of the ranking. */
#ifndef QUANT_SENSITIVITY_UNITS_H
#define QUANT_SENSITIVITY_UNITS_H

#include "quant/sensitivity.h"

/* A layer, or all layers of a block. */
typedef struct unit {
    char *name;
    const char *op; /* static */
} unit;

typedef struct unit_list {
    unit *items; /* in execution order */
    int n;
    int *of_entry; /* per entry of the plan: its unit */
} unit_list;

PTQ_CHECKED ptq_status units_list(const sensitivity_job *job, bool by_block, unit_list *out,
                                  ptq_error *err);
void units_clear(unit_list *l);

enum { UNIT_NONE = -1 };

/* The plan with only unit `index` ("only") or without it ("all-but"); UNIT_NONE: with none, with
 * all. Quantizers are borrowed from job->plan; mem_free() entries and extras. */
PTQ_CHECKED ptq_status units_plan(const sensitivity_job *job, const unit_list *l,
                                  sensitivity_mode mode, int index, qplan *out, ptq_error *err);

/* Whether an extra quantizer stays with the entries of `plan`: that of a residual input serves the
 * convolution it is fused with, both or none. */
bool units_keeps_extra(const graph *g, const qplan *plan, const qplan_extra *e);

#endif
