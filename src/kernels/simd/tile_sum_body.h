/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/simd/tile_sum_body.h — the loops of tile_sum_fn for every number of pixels. The including
 * file defines the vector and its operations:
 *
 *     TILE_VECTOR, TILE_LOAD(p), TILE_STORE(p, v), TILE_GROUP(p, flip) one group for all lanes,
 *     TILE_DOT(sum, x, w), TILE_FLIP(args) what TILE_GROUP gets, TILE_PIXELS the largest tile:
 *     6, 10 or 14
 *
 * and gets `tile_sums`, the table of tile_kernel.sum. */
#include "kernels/simd/unroll.h"
#include "kernels/tile.h"

enum { TILE_LANES = sizeof(TILE_VECTOR) / 4, TILE_BASES = (TILE_PIXELS + 3) / 4 };

/* The sums stay in registers: every loop over pixels and vectors is unrolled. Pixels are addressed
 * from every fourth one; compilers, which like an offset per pixel better, run out of registers
 * with 13 of them, and are kept from it by not seeing how addresses grow. */
static inline __attribute__((always_inline)) void tile_sum(const tile_sum_args *a, const int pixels,
                                                           const int vectors)
{
    TILE_VECTOR sum[TILE_PIXELS][TILE_MAX_VECTORS];
    const char *w = a->weight, *first = a->first;
    const int64_t step = a->pixel_step;
    const int bases = (pixels + 3) / 4;
    TILE_FLIP(a);
    UNROLLED
    for (int p = 0; p < pixels; p++)
        UNROLLED
    for (int v = 0; v < vectors; v++)
        sum[p][v] = TILE_LOAD(first + v * (int)sizeof(TILE_VECTOR));
    for (int64_t r = 0; r < a->n_runs; r++) {
        const char *x[TILE_BASES];
        UNROLLED
        for (int i = 0; i < bases; i++)
            x[i] = a->src + a->runs[r] + 4 * i * step;
        const char *end = x[0] + a->n_groups * TILE_GROUP_BYTES;
        const char *ahead = x[0] + pixels * step;
        while (x[0] < end) {
            TILE_VECTOR weight[TILE_MAX_VECTORS];
            UNROLLED
            for (int v = 0; v < vectors; v++)
                weight[v] = TILE_LOAD(w + v * (int)sizeof(TILE_VECTOR));
            w += vectors * (int)sizeof(TILE_VECTOR);
            UNROLLED
            for (int p = 0; p < pixels; p++) {
                TILE_VECTOR group = TILE_GROUP(x[p / 4] + p % 4 * step);
                UNROLLED
                for (int v = 0; v < vectors; v++)
                    sum[p][v] = TILE_DOT(sum[p][v], group, weight[v]);
            }
            UNROLLED
            for (int i = 0; i < bases; i++) {
                x[i] += TILE_GROUP_BYTES;
                __asm__("" : "+r"(x[i]));
            }
            __builtin_prefetch(ahead);
            ahead += a->ahead;
        }
    }
    char *sums = a->sums;
    UNROLLED
    for (int p = 0; p < pixels; p++)
        UNROLLED
    for (int v = 0; v < vectors; v++)
        TILE_STORE(sums + (p * vectors + v) * (int)sizeof(TILE_VECTOR), sum[p][v]);
}

#define TILE_SUM(vectors, pixels)                                                                  \
    static void tile_sum_##vectors##_##pixels(const tile_sum_args *a)                              \
    {                                                                                              \
        tile_sum(a, pixels, vectors);                                                              \
    }
#define TILE_NAME(vectors, pixels) tile_sum_##vectors##_##pixels,

#define TILE_UP_TO_6(what, v) what(v, 1) what(v, 2) what(v, 3) what(v, 4) what(v, 5) what(v, 6)
#if TILE_PIXELS == 14
#define TILE_ABOVE_6(what, v)                                                                      \
    what(v, 7) what(v, 8) what(v, 9) what(v, 10) what(v, 11) what(v, 12) what(v, 13) what(v, 14)
#elif TILE_PIXELS == 10
#define TILE_ABOVE_6(what, v) what(v, 7) what(v, 8) what(v, 9) what(v, 10)
#else
#define TILE_ABOVE_6(what, v)
#endif

TILE_UP_TO_6(TILE_SUM, 1)
TILE_UP_TO_6(TILE_SUM, 2)
TILE_ABOVE_6(TILE_SUM, 1)
TILE_ABOVE_6(TILE_SUM, 2)
static tile_sum_fn *const tile_sums[] = {TILE_UP_TO_6(TILE_NAME, 1) TILE_ABOVE_6(TILE_NAME, 1)
                                             TILE_UP_TO_6(TILE_NAME, 2) TILE_ABOVE_6(TILE_NAME, 2)};
