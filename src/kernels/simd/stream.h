/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/simd/stream.h — stores past the caches, for results larger than they are: a line that is
 * written whole need not be read first. Where an instruction set has none, plain ones. */
#ifndef KERNELS_SIMD_STREAM_H
#define KERNELS_SIMD_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX__)
#include <immintrin.h>

/* Copies `n` floats. stream_end() before another thread may read them. */
static inline void stream_floats(float *to, const float *from, size_t n)
{
#ifdef __AVX512F__
    enum { STEP = 16 };
#else
    enum { STEP = 8 };
#endif
    size_t bytes = STEP * sizeof *to, beyond = (uintptr_t)to % bytes;
    size_t head = beyond ? (bytes - beyond) / sizeof *to : 0, i = head < n ? head : n;
    memcpy(to, from, i * sizeof *to);
    for (; i + STEP <= n; i += STEP)
#ifdef __AVX512F__
        _mm512_stream_ps(to + i, _mm512_loadu_ps(from + i));
#else
        _mm256_stream_ps(to + i, _mm256_loadu_ps(from + i));
#endif
    memcpy(to + i, from + i, (n - i) * sizeof *to);
}

static inline void stream_end(void)
{
    _mm_sfence();
}

#else

static inline void stream_floats(float *to, const float *from, size_t n)
{
    memcpy(to, from, n * sizeof *to);
}

static inline void stream_end(void)
{
}

#endif
#endif
