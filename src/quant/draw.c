/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/draw.h"

#include <string.h>

uint64_t draw_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int draw_below(uint64_t *state, int n)
{
    return (int)(draw_next(state) % (uint64_t)n);
}

void draw_weights(int *weights, int n, int number)
{
    uint64_t state = (uint64_t)number + 1;
    memset(weights, 0, (size_t)n * sizeof *weights);
    for (int i = 0; i < n; i++)
        weights[draw_below(&state, n)]++;
}
