/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/sigmoid_avx512.h — sigmoids of some vectors side by side: the steps of one depend on
 * each other, and the processor looks ahead too little to overlap them by itself. */
#ifndef KERNELS_X86_SIGMOID_AVX512_H
#define KERNELS_X86_SIGMOID_AVX512_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kernels/simd/unroll.h"

enum { JAM_MAX = 6 }; /* of n everywhere */
#define JAM_EACH UNROLLED for (int i = 0; i < n; i++)

/* d = 1 + e^-y, by which sigmoid(y) = 1/d and silu(y) = y/d. 2^t is a polynomial of t's fraction
 * (minimax on [0,1), relative error 7.5e-8), scaled by its whole part. */
static inline __attribute__((always_inline)) void jam_one_plus_exp(__m512 *d, const __m512 *y,
                                                                   const int n)
{
    static const float factors[] = {0.00187757667f, 0.00898934009f, 0.0558263181f,
                                    0.240153617f,   0.693153073f,   0.999999925f};
    enum { DEGREE = 5 };
    __m512 t[JAM_MAX], fraction[JAM_MAX];
    JAM_EACH t[i] = _mm512_mul_ps(y[i], _mm512_set1_ps(-1.44269504f));
    JAM_EACH fraction[i] = _mm512_reduce_ps(t[i], 0x01);
    JAM_EACH d[i] = _mm512_set1_ps(factors[0]);
    UNROLLED for (int k = 1; k <= DEGREE; k++) JAM_EACH d[i] =
        _mm512_fmadd_ps(d[i], fraction[i], _mm512_set1_ps(factors[k]));
    JAM_EACH d[i] = _mm512_scalef_ps(d[i], t[i]);
    JAM_EACH d[i] = _mm512_add_ps(d[i], _mm512_set1_ps(1));
}

static inline __attribute__((always_inline)) void jam_sigmoid(__m512 *y, const int n)
{
    __m512 d[JAM_MAX];
    jam_one_plus_exp(d, y, n);
    JAM_EACH y[i] = _mm512_div_ps(_mm512_set1_ps(1), d[i]);
}

static inline __attribute__((always_inline)) void jam_silu(__m512 *y, const int n)
{
    __m512 d[JAM_MAX];
    jam_one_plus_exp(d, y, n);
    JAM_EACH y[i] = _mm512_div_ps(y[i], d[i]);
}

/* gcc's macro warns in builds without optimization. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
static inline __attribute__((always_inline)) __m512 nearest_whole(__m512 x)
{
    enum { NEAREST_EVEN = 0x08 };
    return _mm512_roundscale_ps(x, NEAREST_EVEN);
}
#pragma GCC diagnostic pop

enum { SILU_FACTORS = 6 };

/* For jam_silu_steps. */
static inline void silu_step_factors(float *to, float step)
{
    static const float factors[SILU_FACTORS] = {0.00957010125f, 0.0559178591f, 0.240247455f,
                                                0.693121813f,   0.999999258f,  1};
    for (int k = 0; k < SILU_FACTORS; k++)
        to[k] = factors[k] * (step * -1.44269504f);
}

/* silu(y)/step from t = -y log2(e): t over (1 + 2^t) times -step log2(e), by which the factors of
 * 2^t's polynomial and the 1 are multiplied already. Of a fraction in [-1/2,1/2], it has a degree
 * less than the one above and a relative error of 2.6e-6, which moves 10 codes in a million. */
static inline __attribute__((always_inline)) void jam_silu_steps(__m512 *t, const float *factors,
                                                                 const int n)
{
    enum { ONE = SILU_FACTORS - 1 };
    __m512 d[JAM_MAX], whole[JAM_MAX], fraction[JAM_MAX];
    JAM_EACH whole[i] = nearest_whole(t[i]);
    JAM_EACH fraction[i] = _mm512_sub_ps(t[i], whole[i]);
    JAM_EACH d[i] = _mm512_set1_ps(factors[0]);
    UNROLLED for (int k = 1; k < ONE; k++) JAM_EACH d[i] =
        _mm512_fmadd_ps(d[i], fraction[i], _mm512_set1_ps(factors[k]));
    JAM_EACH d[i] = _mm512_scalef_ps(d[i], whole[i]);
    JAM_EACH d[i] = _mm512_add_ps(d[i], _mm512_set1_ps(factors[ONE]));
    JAM_EACH t[i] = _mm512_div_ps(t[i], d[i]);
}

/* All `values`; reads and writes none beyond them. */
static inline void sigmoid_row_avx512(float *to, const float *from, int64_t values)
{
    enum { n = 5, STEP = 16 * n };
    __m512 x[n];
    int64_t at = 0;
    for (; at + STEP <= values; at += STEP) {
        JAM_EACH x[i] = _mm512_loadu_ps(from + at + 16 * i);
        jam_sigmoid(x, n);
        JAM_EACH _mm512_storeu_ps(to + at + 16 * i, x[i]);
    }
    for (; at < values; at += 16) {
        const unsigned left = values - at < 16 ? (unsigned)(values - at) : 16;
        const __mmask16 mask = (__mmask16)((1u << left) - 1);
        x[0] = _mm512_maskz_loadu_ps(mask, from + at);
        jam_sigmoid(x, 1);
        _mm512_mask_storeu_ps(to + at, mask, x[0]);
    }
}

#endif
