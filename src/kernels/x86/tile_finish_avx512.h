/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/x86/tile_finish_avx512.h — finishing tiles sixteen channels at a time. The including file
 * defines TILE_INTEGER_SUMS as 0 or 1, and gets `tile_finish_for`, the function of
 * tile_kernel.finish. */
#include "kernels/tile.h"
#include "kernels/x86/sigmoid_avx512.h"

enum tile_output { TILE_I8, TILE_U8, TILE_F32, TILE_BF16 };

static inline __m512 tile_hard_swish(__m512 y)
{
    __m512 h = _mm512_fmadd_ps(y, _mm512_set1_ps(1 / 6.0f), _mm512_set1_ps(0.5f));
    h = _mm512_min_ps(_mm512_max_ps(h, _mm512_setzero_ps()), _mm512_set1_ps(1));
    return _mm512_mul_ps(y, h);
}

/* tile_finish_for has made sure that a leak lies in [0,1]. */
static inline __attribute__((always_inline)) void tile_activate(__m512 *y, const int n,
                                                                const unary_op op, __m512 alpha)
{
    const __m512 zero = _mm512_setzero_ps();
    switch (op) {
    case UNARY_RELU:
        JAM_EACH y[i] = _mm512_max_ps(y[i], zero);
        return;
    case UNARY_LEAKY_RELU:
        JAM_EACH y[i] = _mm512_max_ps(_mm512_mul_ps(y[i], alpha), y[i]);
        return;
    case UNARY_SIGMOID:
        jam_sigmoid(y, n);
        return;
    case UNARY_SILU:
        jam_silu(y, n);
        return;
    case UNARY_HARD_SWISH:
        JAM_EACH y[i] = tile_hard_swish(y[i]);
        return;
    default:
        return;
    }
}

/* To nearest even. The instruction takes subnormal numbers for 0. */
static inline __m256i tile_bf16(__m512 y)
{
#ifdef __AVX512BF16__
    return (__m256i)_mm512_cvtneps_pbh(y);
#else
    __m512i u = _mm512_castps_si512(y);
    __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    __mmask16 is_nan = _mm512_cmp_ps_mask(y, y, _CMP_UNORD_Q);
    rounded = _mm512_mask_or_epi32(rounded, is_nan, u, _mm512_set1_epi32(0x400000));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
#endif
}

/* What is known when compiled. */
typedef struct tile_form {
    unary_op op;
    enum tile_output output;
    int vectors;
    bool is_full;   /* every channel exists */
    bool from_half; /* conv_desc.out_from_half */
} tile_form;

static inline __attribute__((always_inline)) bool tile_is_code(const tile_form form)
{
    return form.output == TILE_I8 || form.output == TILE_U8;
}

/* Whether jam_silu_steps activates and divides by the step at once. */
static inline __attribute__((always_inline)) bool tile_is_silu_step(const tile_form form)
{
    return TILE_INTEGER_SUMS && form.op == UNARY_SILU && tile_is_code(form) && !form.from_half;
}

/* Constants of a block. */
typedef struct tile_target {
    __m512 scale[TILE_MAX_VECTORS], bias[TILE_MAX_VECTORS]; /* of integer sums */
    __m512 alpha, inverse_scale;
    __m512i zero;
    __mmask16 mask;                   /* channels that exist */
    float silu_factors[SILU_FACTORS]; /* of SiLU in steps */
} tile_target;

static inline int tile_output_bytes(enum tile_output output)
{
    static const int bytes[] = {[TILE_I8] = 1, [TILE_U8] = 1, [TILE_F32] = 4, [TILE_BF16] = 2};
    return bytes[output];
}

/* Masked stores are slow: only where channels are missing. */
static inline __attribute__((always_inline)) void
tile_store_bytes(char *dst, __m128i bytes, __mmask16 mask, const bool is_full)
{
    if (is_full)
        _mm_storeu_si128((__m128i *)(void *)dst, bytes);
    else
        _mm_mask_storeu_epi8(dst, mask, bytes);
}

static inline __attribute__((always_inline)) void
tile_store_code(char *dst, __m512i code, const tile_target *o, const tile_form form)
{
    if (form.output == TILE_I8) {
        tile_store_bytes(dst, _mm512_cvtsepi32_epi8(code), o->mask, form.is_full);
    } else {
        code = _mm512_max_epi32(code, _mm512_setzero_si512());
        tile_store_bytes(dst, _mm512_cvtusepi32_epi8(code), o->mask, form.is_full);
    }
}

static inline __attribute__((always_inline)) void
tile_store_float(char *dst, __m512 y, const tile_target *o, const tile_form form)
{
    if (form.output == TILE_F32 && form.is_full)
        _mm512_storeu_ps(dst, y);
    else if (form.output == TILE_F32)
        _mm512_mask_storeu_ps(dst, o->mask, y);
    else if (form.is_full)
        _mm256_storeu_si256((__m256i *)(void *)dst, tile_bf16(y));
    else
        _mm256_mask_storeu_epi16(dst, o->mask, tile_bf16(y));
}

/* y: in steps where codes are stored; that they fit 32 bits, conv_tile has made sure. */
static inline __attribute__((always_inline)) void tile_store(const tile_finish_args *a,
                                                             const tile_target *o,
                                                             const tile_form form, char *dst,
                                                             const __m512 *y, const int n)
{
    const int step = 16 * tile_output_bytes(form.output), vectors = form.vectors;
    if (!tile_is_code(form)) {
        JAM_EACH tile_store_float(dst + i / vectors * a->pixel_step + i % vectors * step, y[i], o,
                                  form);
        return;
    }
    __m512i code[JAM_MAX];
    JAM_EACH code[i] = _mm512_cvtps_epi32(y[i]);
    if (a->d->out_zero != 0)
        JAM_EACH code[i] = _mm512_add_epi32(code[i], o->zero);
    JAM_EACH tile_store_code(dst + i / vectors * a->pixel_step + i % vectors * step, code[i], o,
                             form);
}

/* In steps of the scale. By a true division: between float16 numbers ties are no rarity. Codes of
 * infinities are saturated, too. */
static inline __m512 tile_half_steps(__m512 y, float scale)
{
    const __m512 most = _mm512_set1_ps(1e9f);
    const __mmask16 all = 0xffff; /* unmasked, gcc's macro for builds without optimization warns */
    __m512 half = _mm512_cvtph_ps(_mm512_maskz_cvtps_ph(all, y, _MM_FROUND_TO_NEAREST_INT));
    __m512 steps = _mm512_div_ps(half, _mm512_set1_ps(scale));
    return _mm512_max_ps(_mm512_min_ps(steps, most), _mm512_sub_ps(_mm512_setzero_ps(), most));
}

/* The vectors of some pixels, from pixel p, side by side. */
static inline __attribute__((always_inline)) void tile_finish_pixels(const tile_finish_args *a,
                                                                     const tile_target *o,
                                                                     const tile_form form, int p,
                                                                     const int pixels)
{
    const int n = pixels * form.vectors;
    const int64_t sums_step = (int64_t)a->block_channels * 4;
    const char *sums = (const char *)a->sums + p * sums_step;
    __m512 y[JAM_MAX];
#if TILE_INTEGER_SUMS
    JAM_EACH y[i] = _mm512_cvtepi32_ps(
        _mm512_load_si512(sums + i / form.vectors * sums_step + i % form.vectors * 64));
    JAM_EACH y[i] = _mm512_fmadd_ps(y[i], o->scale[i % form.vectors], o->bias[i % form.vectors]);
#else
    JAM_EACH y[i] = _mm512_load_ps(sums + i / form.vectors * sums_step + i % form.vectors * 64);
#endif
    if (tile_is_silu_step(form))
        jam_silu_steps(y, o->silu_factors, n);
    else
        tile_activate(y, n, form.op, o->alpha);
    if (form.from_half)
        JAM_EACH y[i] = tile_half_steps(y[i], a->d->out_scale);
    else if (tile_is_code(form) && !tile_is_silu_step(form))
        JAM_EACH y[i] = _mm512_mul_ps(y[i], o->inverse_scale);
    tile_store(a, o, form, a->dst + p * a->pixel_step, y, n);
}

/* Some vectors, from channel `from`, of all pixels. */
static inline __attribute__((always_inline)) void
tile_finish_vectors(const tile_finish_args *args, int from, const tile_form form)
{
    enum { ABREAST = JAM_MAX / TILE_MAX_VECTORS };
    tile_finish_args a = *args; /* a copy, which no store through dst can change */
    a.sums = (const char *)a.sums + from * 4;
    a.dst += from * tile_output_bytes(form.output);
    tile_target o = {.alpha = _mm512_set1_ps(a.d->act.alpha),
                     .inverse_scale = _mm512_set1_ps(a.inverse_scale),
                     .zero = _mm512_set1_epi32(a.d->out_zero),
                     .mask = (__mmask16)((1u << (a.n_channels - from) % 16) - 1)};
#if TILE_INTEGER_SUMS
    const float y_to_t = tile_is_silu_step(form) ? -1.44269504f : 1;
    UNROLLED for (int v = 0; v < form.vectors; v++)
    {
        const __m512 factor = _mm512_set1_ps(y_to_t);
        o.scale[v] = _mm512_mul_ps(_mm512_loadu_ps(a.scale + from + 16 * v), factor);
        o.bias[v] = _mm512_mul_ps(_mm512_loadu_ps(a.bias + from + 16 * v), factor);
    }
    if (tile_is_silu_step(form))
        silu_step_factors(o.silu_factors, a.d->out_scale);
#endif
    int p = 0;
    for (; p + ABREAST <= a.n_pixels; p += ABREAST)
        tile_finish_pixels(&a, &o, form, p, ABREAST);
    for (; p < a.n_pixels; p++)
        tile_finish_pixels(&a, &o, form, p, 1);
}

static inline __attribute__((always_inline)) void tile_finish(const tile_finish_args *a,
                                                              tile_form form)
{
    int c = 0;
    form.is_full = true;
    if (a->n_channels == TILE_MAX_CHANNELS) {
        form.vectors = TILE_MAX_VECTORS;
        tile_finish_vectors(a, 0, form);
        return;
    }
    form.vectors = 1;
    for (; c + 16 <= a->n_channels; c += 16)
        tile_finish_vectors(a, c, form);
    form.is_full = false;
    if (c < a->n_channels)
        tile_finish_vectors(a, c, form);
}

#define TILE_FINISH(act, type)                                                                     \
    static void tile_finish_##act##_##type(const tile_finish_args *a)                              \
    {                                                                                              \
        const tile_form form = {.op = UNARY_##act, .output = TILE_##type};                         \
        tile_form from_half = form;                                                                \
        from_half.from_half = true;                                                                \
        if (tile_is_code(form) && a->d->out_from_half)                                             \
            tile_finish(a, from_half);                                                             \
        else                                                                                       \
            tile_finish(a, form);                                                                  \
    }
#if TILE_INTEGER_SUMS
#define TILE_FINISHES(op)                                                                          \
    TILE_FINISH(op, I8) TILE_FINISH(op, U8) TILE_FINISH(op, F32) TILE_FINISH(op, BF16)
#define TILE_CHOICES(op)                                                                           \
    {                                                                                              \
        tile_finish_##op##_I8, tile_finish_##op##_U8, tile_finish_##op##_F32,                      \
            tile_finish_##op##_BF16                                                                \
    }
#else
#define TILE_FINISHES(op) TILE_FINISH(op, F32) TILE_FINISH(op, BF16)
#define TILE_CHOICES(op)                                                                           \
    {                                                                                              \
        NULL, NULL, tile_finish_##op##_F32, tile_finish_##op##_BF16                                \
    }
#endif
TILE_FINISHES(NONE)
TILE_FINISHES(RELU)
TILE_FINISHES(LEAKY_RELU)
TILE_FINISHES(SIGMOID)
TILE_FINISHES(SILU)
TILE_FINISHES(HARD_SWISH)

static tile_finish_fn *tile_finish_for(const conv_desc *d)
{
    static tile_finish_fn *const choices[][4] = {
        [UNARY_NONE] = TILE_CHOICES(NONE),       [UNARY_RELU] = TILE_CHOICES(RELU),
        [UNARY_SIGMOID] = TILE_CHOICES(SIGMOID), [UNARY_LEAKY_RELU] = TILE_CHOICES(LEAKY_RELU),
        [UNARY_SILU] = TILE_CHOICES(SILU),       [UNARY_HARD_SWISH] = TILE_CHOICES(HARD_SWISH),
    };
    if ((size_t)d->act.op >= sizeof choices / sizeof choices[0])
        return NULL;
    if (d->act.op == UNARY_LEAKY_RELU && !(d->act.alpha >= 0 && d->act.alpha <= 1))
        return NULL;
    switch (d->dst.type) {
    case DTYPE_I8:
        return choices[d->act.op][TILE_I8];
    case DTYPE_U8:
        return choices[d->act.op][TILE_U8];
    case DTYPE_F32:
        return choices[d->act.op][TILE_F32];
    case DTYPE_BF16:
        return choices[d->act.op][TILE_BF16];
    default:
        return NULL;
    }
}
