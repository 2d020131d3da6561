/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

/* Largest first; equal ones in the order of their steps, so that the plan is reproducible. */
static int compare_size(const void *pa, const void *pb)
{
    const plan_item *a = *(plan_item *const *)pa, *b = *(plan_item *const *)pb;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return a < b ? -1 : a > b;
}

static int compare_offset(const void *pa, const void *pb)
{
    const plan_item *a = *(plan_item *const *)pa, *b = *(plan_item *const *)pb;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Lowest offset where `item` fits among the placed ones that live at the same time. `placed` is
 * sorted by offset. */
static size_t lowest_gap(const plan_item *item, plan_item *const *placed, int n)
{
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        const plan_item *p = placed[i];
        if (p->last < item->first || p->first > item->last)
            continue;
        if (p->offset >= at && p->offset - at >= item->bytes)
            return at;
        size_t end = p->offset + p->bytes;
        at = end > at ? end : at;
    }
    return at;
}

ptq_status plan_memory(plan_item *items, int n, size_t *total, ptq_error *err)
{
    plan_item **order = mem_array((size_t)n, sizeof *order);
    if (!order)
        return error_no_memory(err, (size_t)n * sizeof *order, "the memory plan");
    for (int i = 0; i < n; i++) {
        items[i].bytes = (items[i].bytes + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
        order[i] = &items[i];
    }
    qsort(order, (size_t)n, sizeof *order, compare_size);
    size_t top = 0;
    bool fits = true;
    for (int i = 0; i < n && fits; i++) {
        plan_item *item = order[i];
        item->offset = lowest_gap(item, order, i);
        fits = item->offset <= SIZE_MAX / 2 - item->bytes;
        if (fits && item->offset + item->bytes > top)
            top = item->offset + item->bytes;
        qsort(order, (size_t)(i + 1), sizeof *order, compare_offset);
    }
    mem_free(order);
    if (!fits)
        return error_set(err, PTQ_LIMIT, "the tensors need more memory than can be addressed");
    *total = top;
    return PTQ_OK;
}
