/* SPDX-License-Identifier: Apache-2.0 */
/* quant/target.h — what the runtimes that a quantized file is written for want (algorithms.md §4).
 */
#ifndef QUANT_TARGET_H
#define QUANT_TARGET_H

#include <stdbool.h>

typedef struct quant_target {
    const char *name;
    bool share_scales; /* unless the caller says otherwise: one range around a Concat ... */
    bool residual;     /* ... and a quantizer on the residual input of an Add */
    bool on_codes;     /* computes on codes throughout: quantizers on both sides of operators */
    bool is_half;      /* the graph is float16 around the quantizers, and so are the scales */
    int opset;
} quant_target;

/* NULL: no such target. */
const quant_target *quant_target_find(const char *name);

#endif
