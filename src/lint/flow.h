/* SPDX-License-Identifier: Apache-2.0 */
/* lint/flow.h — in which form each value is wanted by what reads it.
 *
 * TensorRT moves a quantizer up through whatever only moves data (MaxPool, Concat, Resize ...), as
 * far as every reader wants the same codes. So each value is wanted with one scale, with several,
 * in float, or both.
 */
#ifndef LINT_FLOW_H
#define LINT_FLOW_H

#include "lint/check.h"

typedef struct demand {
    const quantizer *first;    /* the quantizer that wants its codes; NULL: none */
    const quantizer *other;    /* one with another scale; NULL: none */
    const net_node *first_way; /* through which reader each comes */
    const net_node *other_way;
    bool in_float;                /* something reads it as it is */
    const net_node *float_reader; /* NULL: it is an output of the network */
} demand;

/* Fills `all`, one per value, zeroed. */
void flow_find(const lint *l, demand *all);
/* Codes with one scale, and nothing else. */
bool demand_is_pure(const demand *d);

#endif
