/* SPDX-License-Identifier: Apache-2.0 */
/* quant/draw.h — random numbers that are the same on every machine. */
#ifndef QUANT_DRAW_H
#define QUANT_DRAW_H

#include <stdint.h>

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t draw_next(uint64_t *state);
/* 0 ... n - 1. The bias of the remainder is below 2^-32 for the small n drawn here. */
int draw_below(uint64_t *state, int n);

/* Draw `number` of a bootstrap: how often each of n items is drawn in n draws. */
void draw_weights(int *weights, int n, int number);

#endif
