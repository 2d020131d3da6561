/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/radix_sort.h"

#include <stdbool.h>

enum { N_DIGITS = 8, N_VALUES = 256, FEW = 48 };

static unsigned digit(const sort_item *item, int d)
{
    return (unsigned)(item->key >> (8 * d)) & (N_VALUES - 1);
}

static void insertion_sort(sort_item *items, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        sort_item moving = items[i];
        size_t j = i;
        for (; j > 0 && items[j - 1].key > moving.key; j--)
            items[j] = items[j - 1];
        items[j] = moving;
    }
}

void radix_sort(sort_item *items, sort_item *scratch, size_t n)
{
    if (n < FEW) {
        insertion_sort(items, n);
        return;
    }
    size_t counts[N_DIGITS][N_VALUES] = {0};
    for (size_t i = 0; i < n; i++)
        for (int d = 0; d < N_DIGITS; d++)
            counts[d][digit(&items[i], d)]++;
    sort_item *from = items, *to = scratch;
    for (int d = 0; d < N_DIGITS; d++) {
        if (counts[d][digit(&from[0], d)] == n)
            continue; /* every key has the same digit here */
        size_t next[N_VALUES], sum = 0;
        for (int v = 0; v < N_VALUES; v++) {
            next[v] = sum;
            sum += counts[d][v];
        }
        for (size_t i = 0; i < n; i++)
            to[next[digit(&from[i], d)]++] = from[i];
        sort_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, n * sizeof *items);
}
