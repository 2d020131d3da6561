/* SPDX-License-Identifier: Apache-2.0 */
/* engine/plan.h — places buffers with known lifetimes in one slab.
 *
 *     bytes
 *       ^   +-------------+
 *       |   |  b          |      +------+
 *       |   +------+------+--+   | d    |
 *       |   | a    |   | c   |   |      |
 *       +---+------+---+-----+---+------+--> steps
 *
 * Greedy by size: the largest buffer first, each at the lowest offset where it meets no buffer that
 * lives at the same time (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
 * Inference", 2020).
 */
#ifndef ENGINE_PLAN_H
#define ENGINE_PLAN_H

#include <stddef.h>

#include "base/error.h"

enum { PLAN_ALIGN = 64 };

typedef struct plan_item {
    size_t bytes;
    int first, last; /* steps, both included */
    size_t offset;   /* out: a multiple of PLAN_ALIGN */
} plan_item;

PTQ_CHECKED ptq_status plan_memory(plan_item *items, int n, size_t *total, ptq_error *err);

#endif
