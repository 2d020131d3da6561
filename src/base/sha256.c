/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sha256.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* Round i; the caller renames the variables instead of moving their values. */
#define ROUND(a, b, c, d, e, f, g, h, i)                                                           \
    do {                                                                                           \
        uint32_t s1_ = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);                               \
        uint32_t s0_ = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);                               \
        h += s1_ + (g ^ (e & (f ^ g))) + K[i] + w[i];                                              \
        d += h;                                                                                    \
        h += s0_ + ((a & b) | (c & (a | b)));                                                      \
    } while (0)

static void compress(uint32_t state[8], const unsigned char *block, size_t n_blocks)
{
    for (; n_blocks > 0; n_blocks--, block += 64) {
        uint32_t w[64];
        for (int i = 0; i < 16; i++)
            w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
                   (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
        for (int i = 16; i < 64; i++) {
            uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
            uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int i = 0; i < 64; i += 8) {
            ROUND(a, b, c, d, e, f, g, h, i);
            ROUND(h, a, b, c, d, e, f, g, i + 1);
            ROUND(g, h, a, b, c, d, e, f, i + 2);
            ROUND(f, g, h, a, b, c, d, e, i + 3);
            ROUND(e, f, g, h, a, b, c, d, i + 4);
            ROUND(d, e, f, g, h, a, b, c, i + 5);
            ROUND(c, d, e, f, g, h, a, b, i + 6);
            ROUND(b, c, d, e, f, g, h, a, i + 7);
        }
        const uint32_t sum[8] = {a, b, c, d, e, f, g, h};
        for (int i = 0; i < 8; i++)
            state[i] += sum[i];
    }
}

#if defined(__x86_64__)
/* Bit 29 of EBX of CPUID leaf 7: the SHA extensions; bit 19 of ECX of leaf 1: SSE4.1. */
static bool has_sha_instructions(void)
{
    unsigned a, b, c, d;
    bool has_sse41 = __get_cpuid(1, &a, &b, &c, &d) && (c >> 19 & 1);
    return has_sse41 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
}

/* Four rounds per step. `m` holds the last 16 words of the message schedule; the instructions want
 * the state as (a,b,e,f) and (c,d,g,h), the first in the highest lane. */
__attribute__((target("sha,sse4.1"))) static void
compress_sha(uint32_t state[8], const unsigned char *block, size_t n_blocks)
{
    const __m128i big_endian = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
    int s[8];
    memcpy(s, state, sizeof s);
    __m128i abef = _mm_set_epi32(s[0], s[1], s[4], s[5]);
    __m128i cdgh = _mm_set_epi32(s[2], s[3], s[6], s[7]);
    for (; n_blocks > 0; n_blocks--, block += 64) {
        __m128i m[4], abef_start = abef, cdgh_start = cdgh;
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i *now = &m[i & 3], back1 = m[(i + 3) & 3], back2 = m[(i + 2) & 3];
            if (i < 4) {
                __m128i words = _mm_loadu_si128((const __m128i *)(const void *)(block + 16 * i));
                *now = _mm_shuffle_epi8(words, big_endian);
            } else {
                __m128i sum = _mm_sha256msg1_epu32(*now, m[(i + 1) & 3]);
                sum = _mm_add_epi32(sum, _mm_alignr_epi8(back1, back2, 4));
                *now = _mm_sha256msg2_epu32(sum, back1);
            }
            const __m128i *k = (const __m128i *)(const void *)(K + 4 * i);
            __m128i wk = _mm_add_epi32(*now, _mm_loadu_si128(k));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_start);
        cdgh = _mm_add_epi32(cdgh, cdgh_start);
    }
    uint32_t x[4], y[4];
    _mm_storeu_si128((__m128i *)(void *)x, abef);
    _mm_storeu_si128((__m128i *)(void *)y, cdgh);
    const uint32_t sum[8] = {x[3], x[2], y[3], y[2], x[1], x[0], y[1], y[0]};
    memcpy(state, sum, sizeof sum);
}

static void compress_best(uint32_t state[8], const unsigned char *block, size_t n_blocks)
{
    if (has_sha_instructions())
        compress_sha(state, block, n_blocks);
    else
        compress(state, block, n_blocks);
}
#else
static void compress_best(uint32_t state[8], const unsigned char *block, size_t n_blocks)
{
    compress(state, block, n_blocks);
}
#endif

void sha256_init(sha256 *s)
{
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(s->state, start, sizeof start);
    s->n_bytes = 0;
}

void sha256_add(sha256 *s, const void *data, size_t size)
{
    const unsigned char *p = data;
    size_t used = (size_t)(s->n_bytes % 64);
    s->n_bytes += size;
    if (used > 0) {
        size_t n = 64 - used < size ? 64 - used : size;
        memcpy(s->block + used, p, n);
        p += n;
        size -= n;
        if (used + n < 64)
            return;
        compress_best(s->state, s->block, 1);
    }
    if (size >= 64)
        compress_best(s->state, p, size / 64);
    memcpy(s->block, p + size / 64 * 64, size % 64);
}

void sha256_hex(sha256 *s, char hex[65])
{
    uint64_t n_bits = s->n_bytes * 8;
    sha256_add(s, "\x80", 1);
    while (s->n_bytes % 64 != 56)
        sha256_add(s, "", 1);
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(n_bits >> (56 - 8 * i));
    sha256_add(s, length, 8);
    for (int i = 0; i < 8; i++)
        snprintf(hex + 8 * i, 9, "%08x", s->state[i]);
}
