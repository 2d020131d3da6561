/* SPDX-License-Identifier: Apache-2.0 */
/* Pointwise operators, element by element in double and rounded once. */
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "kernels/kernel_list.h"
#include "kernels/rows.h"

void copy_ref(const kernel_args *a, int part, int n_parts)
{
    dtype from = a->t[0].type, to = a->t[1].type;
    size_t bytes = view_type_bytes(to);
    rows r = rows_begin(a, part, n_parts);
    while (rows_next(&r)) {
        const char *x = r.p[0];
        char *y = r.p[1];
        for (int64_t i = 0; i < r.n; i++, x += rows_step(&r, 0), y += rows_step(&r, 1)) {
            if (from == to)
                memcpy(y, x, bytes); /* keeps NaN payloads and large integers */
            else
                view_store(y, to, view_load(x, from));
        }
    }
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double clamp(double x, double low, double high)
{
    double y = x < low ? low : x; /* where the bounds cross, the upper one wins */
    return y > high ? high : y;
}

static double gelu(double x, bool by_tanh)
{
    const double root_half = 0.70710678118654752440, root_two_by_pi = 0.79788456080286535588;
    if (!by_tanh)
        return 0.5 * x * (1 + erf(x * root_half));
    return 0.5 * x * (1 + tanh(root_two_by_pi * (x + 0.044715 * x * x * x)));
}

/* What only few networks have. */
static double rare_apply(const unary_param *p, double x)
{
    double alpha = (double)p->alpha, beta = (double)p->beta;
    switch (p->op) {
    case UNARY_SIN:
        return sin(x);
    case UNARY_COS:
        return cos(x);
    case UNARY_TAN:
        return tan(x);
    case UNARY_ASIN:
        return asin(x);
    case UNARY_ACOS:
        return acos(x);
    case UNARY_ATAN:
        return atan(x);
    case UNARY_SINH:
        return sinh(x);
    case UNARY_COSH:
        return cosh(x);
    case UNARY_ASINH:
        return asinh(x);
    case UNARY_ACOSH:
        return acosh(x);
    case UNARY_ATANH:
        return atanh(x);
    case UNARY_SOFTSIGN:
        return x / (1 + fabs(x));
    case UNARY_CELU:
        return x < 0 ? alpha * expm1(x / alpha) : x;
    case UNARY_THRESHOLDED_RELU:
        return x > alpha ? x : 0;
    case UNARY_SHRINK:
        return x < -alpha ? x + beta : x > alpha ? x - beta : 0;
    case UNARY_IS_NAN:
        return isnan(x);
    case UNARY_IS_INF:
        return isinf(x) && (x < 0 ? alpha : beta) != 0;
    default:
        return x;
    }
}

double unary_apply(const unary_param *p, double x)
{
    switch (p->op) {
    case UNARY_NONE:
        return x;
    case UNARY_SIGMOID:
        return sigmoid(x);
    case UNARY_SILU:
        return x * sigmoid(x);
    case UNARY_RELU:
        return x < 0 ? 0 : x;
    case UNARY_LEAKY_RELU:
        return x < 0 ? x * (double)p->alpha : x;
    case UNARY_HARD_SIGMOID:
        return clamp((double)p->alpha * x + (double)p->beta, 0, 1);
    case UNARY_HARD_SWISH:
        return x * clamp(x / 6 + 0.5, 0, 1);
    case UNARY_TANH:
        return tanh(x);
    case UNARY_EXP:
        return exp(x);
    case UNARY_LOG:
        return log(x);
    case UNARY_SQRT:
        return sqrt(x);
    case UNARY_FLOOR:
        return floor(x);
    case UNARY_CEIL:
        return ceil(x);
    case UNARY_NEG:
        return -x;
    case UNARY_ABS:
        return fabs(x);
    case UNARY_ERF:
        return erf(x);
    case UNARY_SOFTPLUS:
        return x > 40 ? x : log1p(exp(x));
    case UNARY_ELU:
        return x < 0 ? (double)p->alpha * expm1(x) : x;
    case UNARY_SELU:
        return (double)p->beta * (x < 0 ? (double)p->alpha * expm1(x) : x);
    case UNARY_MISH:
        return x * tanh(x > 40 ? x : log1p(exp(x)));
    case UNARY_GELU:
        return gelu(x, p->alpha != 0);
    case UNARY_ROUND:
        return rint(x);
    case UNARY_RECIPROCAL:
        return 1 / x;
    case UNARY_SIGN:
        return x > 0 ? 1 : x < 0 ? -1 : x;
    case UNARY_NOT:
        return x == 0;
    case UNARY_CLIP:
        return clamp(x, (double)p->alpha, (double)p->beta);
    case UNARY_ROUND_F16:
        return (double)half_to_float(half_from_float((float)x));
    default:
        return rare_apply(p, x);
    }
}

void unary_ref(const kernel_args *a, int part, int n_parts)
{
    rows r = rows_begin(a, part, n_parts);
    while (rows_next(&r)) {
        const char *x = r.p[0];
        char *y = r.p[1];
        for (int64_t i = 0; i < r.n; i++, x += rows_step(&r, 0), y += rows_step(&r, 1))
            view_store(y, a->t[1].type, unary_apply(&a->p.unary, view_load(x, a->t[0].type)));
    }
}

static bool is_float(dtype type)
{
    return type == DTYPE_F32 || type == DTYPE_F16 || type == DTYPE_BF16 || type == DTYPE_F64;
}

static double modulo(double x, double y)
{
    double rest = y == 0 ? 0 : fmod(x, y);
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

static double logical_apply(binary_op op, double x, double y)
{
    switch (op) {
    case BINARY_EQUAL:
        return x == y;
    case BINARY_GREATER:
        return x > y;
    case BINARY_GREATER_EQUAL:
        return x >= y;
    case BINARY_LESS:
        return x < y;
    case BINARY_LESS_EQUAL:
        return x <= y;
    case BINARY_AND:
        return x != 0 && y != 0;
    case BINARY_OR:
        return x != 0 || y != 0;
    default:
        return (x != 0) != (y != 0);
    }
}

static double binary_apply(binary_op op, double x, double y, bool is_integer)
{
    switch (op) {
    case BINARY_ADD:
        return x + y;
    case BINARY_SUB:
        return x - y;
    case BINARY_MUL:
        return x * y;
    case BINARY_DIV:
        return !is_integer ? x / y : y == 0 ? 0 : trunc(x / y);
    case BINARY_POW:
        return pow(x, y);
    case BINARY_MAX: /* NaN wins, as in numpy */
        return x > y || x != x ? x : y;
    case BINARY_MIN:
        return x < y || x != x ? x : y;
    case BINARY_MOD:
        return is_integer ? modulo(x, y) : fmod(x, y);
    case BINARY_PRELU:
        return x < 0 ? x * y : x;
    default:
        return logical_apply(op, x, y);
    }
}

void binary_ref(const kernel_args *a, int part, int n_parts)
{
    bool is_integer = !is_float(a->t[2].type);
    rows r = rows_begin(a, part, n_parts);
    while (rows_next(&r)) {
        const char *x = r.p[0], *y = r.p[1];
        char *z = r.p[2];
        for (int64_t i = 0; i < r.n; i++) {
            double value = binary_apply(a->p.binary, view_load(x, a->t[0].type),
                                        view_load(y, a->t[1].type), is_integer);
            view_store(z, a->t[2].type, value);
            x += rows_step(&r, 0), y += rows_step(&r, 1), z += rows_step(&r, 2);
        }
    }
}

void where_ref(const kernel_args *a, int part, int n_parts)
{
    size_t bytes = view_type_bytes(a->t[3].type);
    rows r = rows_begin(a, part, n_parts);
    while (rows_next(&r)) {
        const char *condition = r.p[0], *x = r.p[1], *y = r.p[2];
        char *z = r.p[3];
        for (int64_t i = 0; i < r.n; i++) {
            memcpy(z, *condition ? x : y, bytes);
            condition += rows_step(&r, 0), x += rows_step(&r, 1);
            y += rows_step(&r, 2), z += rows_step(&r, 3);
        }
    }
}

/* The division is in float32 by the scale itself, not by its reciprocal: ONNX's codes exactly. */
void quantize_ref(const kernel_args *a, int part, int n_parts)
{
    dtype to = a->t[3].type;
    rows r = rows_begin(a, part, n_parts);
    while (rows_next(&r)) {
        char *p[4];
        memcpy(p, r.p, sizeof p);
        for (int64_t i = 0; i < r.n; i++) {
            float x = (float)view_load(p[0], a->t[0].type);
            if (a->p.from_half)
                x = half_to_float(half_from_float(x));
            float scale = (float)view_load(p[1], a->t[1].type);
            float code = rintf(x / scale);
            if (code != code)
                code = 0;
            view_store(p[3], to, (double)code + view_load(p[2], a->t[2].type));
            for (int k = 0; k < 4; k++)
                p[k] += rows_step(&r, k);
        }
    }
}

void dequantize_ref(const kernel_args *a, int part, int n_parts)
{
    rows r = rows_begin(a, part, n_parts);
    while (rows_next(&r)) {
        char *p[4];
        memcpy(p, r.p, sizeof p);
        for (int64_t i = 0; i < r.n; i++) {
            float x = (float)(view_load(p[0], a->t[0].type) - view_load(p[2], a->t[2].type));
            float scale = (float)view_load(p[1], a->t[1].type);
            view_store(p[3], a->t[3].type, (double)(x * scale));
            for (int k = 0; k < 4; k++)
                p[k] += rows_step(&r, k);
        }
    }
}

void batch_norm_ref(const kernel_args *a, int part, int n_parts)
{
    rows r = rows_begin(a, part, n_parts);
    while (rows_next(&r)) {
        char *p[6];
        memcpy(p, r.p, sizeof p);
        for (int64_t i = 0; i < r.n; i++) {
            double v[5];
            for (int k = 0; k < 5; k++)
                v[k] = view_load(p[k], a->t[k].type);
            double y = (v[0] - v[3]) / sqrt(v[4] + (double)a->p.epsilon) * v[1] + v[2];
            view_store(p[5], a->t[5].type, y);
            for (int k = 0; k < 6; k++)
                p[k] += rows_step(&r, k);
        }
    }
}
