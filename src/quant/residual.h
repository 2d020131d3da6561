/* SPDX-License-Identifier: Apache-2.0 */
/* quant/residual.h — the two sides of a residual Add.
 *
 * With a quantizer on the identity side alone, TensorRT fuses convolution, Add and the next
 * quantizer into one integer kernel (algorithms.md §4.3 rule 4).
 */
#ifndef QUANT_RESIDUAL_H
#define QUANT_RESIDUAL_H

#include "graph/graph.h"

typedef struct residual {
    int identity_input; /* index of the Add's input that skips the branch */
    node_id branch;     /* the weighted node whose (activated) output is the other input */
} residual;

/* false: not an Add of a convolution's output and something computed elsewhere. */
bool residual_find(const graph *g, node_id add, residual *out);

#endif
