/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/winograd.h"

#include <immintrin.h>

#include "kernels/simd/unroll.h"

#define EACH(n) UNROLLED for (int i = 0; i < (n); i++)

/* One dimension of B^T d: four values at x[0], x[step], ... */
static inline void input_line(__m512 *x, const int step)
{
    __m512 a = x[0], b = x[step], c = x[2 * step], d = x[3 * step];
    x[0] = _mm512_sub_ps(a, c);
    x[step] = _mm512_add_ps(b, c);
    x[2 * step] = _mm512_sub_ps(c, b);
    x[3 * step] = _mm512_sub_ps(b, d);
}

void winograd_input_avx512(const float *const src[WINOGRAD_POSITIONS], float *dst, int64_t plane,
                           int64_t n)
{
    for (int64_t c = 0; c < n; c += WINOGRAD_LANES) {
        __m512 x[WINOGRAD_POSITIONS];
        EACH(16) x[i] = _mm512_loadu_ps(src[i] + c);
        EACH(4) input_line(x + i, 4);
        EACH(4) input_line(x + 4 * i, 1);
        EACH(16) _mm512_storeu_ps(dst + i * plane + c, x[i]);
    }
}

/* One dimension of A^T m: four values to two. */
static inline void output_line(__m512 *x, const int step)
{
    __m512 a = x[0], b = x[step], c = x[2 * step], d = x[3 * step];
    x[0] = _mm512_add_ps(a, _mm512_add_ps(b, c));
    x[step] = _mm512_sub_ps(_mm512_sub_ps(b, c), d);
}

void winograd_output_avx512(const float *src, int64_t plane, const float *bias, float *const dst[2],
                            int64_t n)
{
    for (int64_t c = 0; c < n; c += WINOGRAD_LANES) {
        __m512 x[WINOGRAD_POSITIONS], first = _mm512_loadu_ps(bias + c);
        EACH(16) x[i] = _mm512_loadu_ps(src + i * plane + c);
        EACH(4) output_line(x + i, 4);
        EACH(2) output_line(x + 4 * i, 1);
        EACH(2) _mm512_storeu_ps(dst[i] + c, _mm512_add_ps(x[4 * i], first));
        EACH(2) _mm512_storeu_ps(dst[i] + n + c, _mm512_add_ps(x[4 * i + 1], first));
    }
}
