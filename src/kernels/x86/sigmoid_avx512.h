/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/sigmoid_avx512.h — sigmoids of five vectors side by side: the steps of one depend on
 * each other, and the processor looks ahead too little to overlap them by itself.
 *
 * Codes and bf16 need less of it than floats do: coarse, its relative error is 2^-13, less than a
 * hundredth of a step at the largest code. */
#ifndef KERNELS_X86_SIGMOID_AVX512_H
#define KERNELS_X86_SIGMOID_AVX512_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Pixels finished side by side: the steps of one value depend on each other, and the processor
 * looks ahead too little to overlap them by itself. */
enum { JAM = 5 };
#define JAM_EACH _Pragma("GCC unroll 8") for (int i = 0; i < JAM; i++)

/* x = 2^x: a polynomial of the fraction (minimax on [0,1)), scaled by the whole part. */
static inline __attribute__((always_inline)) void jam_exp2(__m512 *x, const float *factors,
                                                           const int degree)
{
    __m512 fraction[JAM], p[JAM];
    JAM_EACH fraction[i] = _mm512_reduce_ps(x[i], 0x01);
    JAM_EACH p[i] = _mm512_set1_ps(factors[0]);
    _Pragma("GCC unroll 8") for (int k = 1; k <= degree; k++) JAM_EACH p[i] =
        _mm512_fmadd_ps(p[i], fraction[i], _mm512_set1_ps(factors[k]));
    JAM_EACH x[i] = _mm512_scalef_ps(p[i], x[i]);
}

/* s = sigmoid(y). For codes and bf16 the relative error of 2^x may be 7.5e-5, and that of the
 * reciprocal 6e-5. */
static inline __attribute__((always_inline)) void jam_sigmoid(__m512 *s, const __m512 *y,
                                                              const bool is_coarse)
{
    static const float coarse[] = {0.0780245227f, 0.226067155f, 0.695833541f, 0.999925219f};
    static const float fine[] = {0.000217022555f, 0.00124396878f, 0.009678841f, 0.055483342f,
                                 0.240229836f,    0.693146984f,   1.0f};
    const __m512 one = _mm512_set1_ps(1);
    JAM_EACH s[i] = _mm512_mul_ps(y[i], _mm512_set1_ps(-1.44269504f));
    if (is_coarse) {
        jam_exp2(s, coarse, 3);
        JAM_EACH s[i] = _mm512_rcp14_ps(_mm512_add_ps(s[i], one));
        return;
    }
    __m512 d[JAM];
    JAM_EACH d[i] = _mm512_min_ps(s[i], _mm512_set1_ps(126)); /* so that d stays finite */
    jam_exp2(d, fine, 6);
    JAM_EACH d[i] = _mm512_add_ps(d[i], one);
    JAM_EACH s[i] = _mm512_rcp14_ps(d[i]);
    JAM_EACH d[i] = _mm512_fnmadd_ps(d[i], s[i], _mm512_set1_ps(2)); /* one step of Newton's */
    JAM_EACH s[i] = _mm512_mul_ps(s[i], d[i]);
}

/* n values; reads and writes none beyond them. */
static inline void sigmoid_row_avx512(float *to, const float *from, int64_t n)
{
    enum { STEP = 16 * JAM };
    float rest[STEP] = {0};
    __m512 x[JAM], s[JAM];
    int64_t at = 0;
    for (; at + STEP <= n; at += STEP) {
        JAM_EACH x[i] = _mm512_loadu_ps(from + at + 16 * i);
        jam_sigmoid(s, x, false);
        JAM_EACH _mm512_storeu_ps(to + at + 16 * i, s[i]);
    }
    if (at == n)
        return;
    memcpy(rest, from + at, (size_t)(n - at) * sizeof *rest);
    JAM_EACH x[i] = _mm512_loadu_ps(rest + 16 * i);
    jam_sigmoid(s, x, false);
    JAM_EACH _mm512_storeu_ps(rest + 16 * i, s[i]);
    memcpy(to + at, rest, (size_t)(n - at) * sizeof *rest);
}

#endif
