/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/simd/activation_row.h — activations of a row of floats, in plain loops. */
#ifndef KERNELS_SIMD_ACTIVATION_ROW_H
#define KERNELS_SIMD_ACTIVATION_ROW_H

#include "kernels/simd/simd_row.h"

static inline bool unary_row_can(unary_op op)
{
    return op == UNARY_SIGMOID || op == UNARY_SILU || op == UNARY_RELU || op == UNARY_LEAKY_RELU ||
           op == UNARY_HARD_SIGMOID || op == UNARY_HARD_SWISH || op == UNARY_EXP ||
           op == UNARY_NEG || op == UNARY_CLIP;
}

static inline float row_hard_sigmoid(float x, float alpha, float beta)
{
    float y = x * alpha + beta;
    return y < 0 ? 0 : y > 1 ? 1 : y;
}

#define UNARY_ROW(expression)                                                                      \
    for (int64_t i = 0; i < n; i++) {                                                              \
        float v = x[i];                                                                            \
        y[i] = (expression);                                                                       \
    }                                                                                              \
    return

static inline void unary_row(const unary_param *p, float *y, const float *x, int64_t n)
{
    float alpha = p->alpha, beta = p->beta;
    switch (p->op) {
    case UNARY_SIGMOID:
        UNARY_ROW(row_sigmoid(v));
    case UNARY_SILU:
        UNARY_ROW(v * row_sigmoid(v));
    case UNARY_RELU:
        UNARY_ROW(v < 0 ? 0 : v);
    case UNARY_LEAKY_RELU:
        UNARY_ROW((v < 0 ? 0 : v) + alpha * (v < 0 ? v : 0)); /* exact: one side is 0 */
    case UNARY_HARD_SIGMOID:
        UNARY_ROW(row_hard_sigmoid(v, alpha, beta));
    case UNARY_HARD_SWISH:
        UNARY_ROW(v * row_hard_sigmoid(v, 1 / 6.0f, 0.5f));
    case UNARY_EXP:
        UNARY_ROW(row_exp(v));
    case UNARY_NEG:
        UNARY_ROW(-v);
    case UNARY_CLIP:
        UNARY_ROW((v = v < alpha ? alpha : v, v > beta ? beta : v));
    default:
        return;
    }
}
#undef UNARY_ROW

#endif
