/* SPDX-License-Identifier: Apache-2.0 */
/* eval/radix_sort.h — the one stable sort of this room: candidates, detections and scores.
 *
 * Least significant digit first, so that items with equal keys keep their order and the result
 * depends on nothing else. Keys of floating-point numbers order them as '<' does; -0 equals 0.
 */
#ifndef EVAL_RADIX_SORT_H
#define EVAL_RADIX_SORT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct sort_item {
    uint64_t key;
    uint32_t index;
} sort_item;

/* Ascending by key. `scratch` has room for n items; the result is in `items`. */
void radix_sort(sort_item *items, sort_item *scratch, size_t n);

/* Keys that ascend as the numbers descend. NaN has no defined place. */
static inline uint32_t sort_key_float_down(float f)
{
    uint32_t bits;
    f += 0.0f;
    memcpy(&bits, &f, sizeof bits);
    return bits >> 31 ? bits : ~(bits | UINT32_C(1) << 31);
}

/* The number of a key. */
static inline float sort_key_float(uint32_t key)
{
    uint32_t bits = key >> 31 ? key : ~key & UINT32_C(0x7fffffff);
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint64_t sort_key_double_down(double d)
{
    uint64_t bits;
    d += 0.0;
    memcpy(&bits, &d, sizeof bits);
    return bits >> 63 ? bits : ~(bits | UINT64_C(1) << 63);
}

#endif
