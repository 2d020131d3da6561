/* SPDX-License-Identifier: Apache-2.0 */
/* passes/const_eval.h — inside passes/: what a node makes of constants.
 *
 * For shape arithmetic and the constants that exports compute: exact and simple, not fast. Floats
 * are computed in double and rounded to float32 once; integers wrap.
 */
#ifndef PASSES_CONST_EVAL_H
#define PASSES_CONST_EVAL_H

#include "graph/graph.h"

enum { CONST_EVAL_MAX_OUTPUTS = 64 };

/* Evaluates a node whose inputs are all constants and whose outputs' types and shapes are inferred.
 * One new blob per output in `values`. *done is false, and nothing is made, for operators, types or
 * sizes that are left to the engine. `budget` is what may still be allocated, in bytes. */
PTQ_CHECKED ptq_status const_eval(const graph *g, node_id id, size_t *budget,
                                  blob *values[CONST_EVAL_MAX_OUTPUTS], bool *done, ptq_error *err);

/* Operators that move values (const_move.c): fills `out`, which has the size of output `index`.
 * *done is false for all others. */
PTQ_CHECKED ptq_status const_move(const graph *g, const node *n, int index, void *out, bool *done,
                                  ptq_error *err);

/* Steps, in elements of an array of shape `from`, along the axes of `to`, which `from` broadcasts
 * to: 0 along a broadcast axis. */
void broadcast_strides(const shape *from, const shape *to, int64_t stride[SHAPE_MAX_RANK]);
/* Offset of element `i` of a row-major array of shape `s` in another one stepped by `stride`. */
int64_t strided_offset(const shape *s, const int64_t stride[SHAPE_MAX_RANK], size_t i);

#endif
