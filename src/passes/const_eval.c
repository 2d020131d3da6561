/* SPDX-License-Identifier: Apache-2.0 */
#include "passes/const_eval.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "passes/rewrite.h"

enum { MAX_OPERANDS = 8 };

/* One element on its way through an operator. */
typedef struct number {
    bool is_float;
    double f;
    int64_t i;
} number;

static number from_float(double f)
{
    return (number){.is_float = true, .f = f};
}

static number from_int(int64_t i)
{
    return (number){.i = i};
}

static bool type_known(dtype t)
{
    return t != DTYPE_F16 && t != DTYPE_BF16 && t != DTYPE_F64;
}

static number load(const tensor *t, int64_t i)
{
    const void *p = blob_data(t->data);
    switch (t->type) {
    case DTYPE_F32:
        return from_float((double)((const float *)p)[i]);
    case DTYPE_I64:
    case DTYPE_U64:
        return from_int(((const int64_t *)p)[i]);
    case DTYPE_I32:
        return from_int(((const int32_t *)p)[i]);
    case DTYPE_U32:
        return from_int(((const uint32_t *)p)[i]);
    case DTYPE_I16:
        return from_int(((const int16_t *)p)[i]);
    case DTYPE_U16:
        return from_int(((const uint16_t *)p)[i]);
    case DTYPE_I8:
        return from_int(((const int8_t *)p)[i]);
    default: /* u8, bool */
        return from_int(((const uint8_t *)p)[i]);
    }
}

/* Towards zero, saturated; NaN gives 0. */
static int64_t truncated(double f)
{
    if (f != f)
        return 0;
    if (f >= 0x1p63)
        return INT64_MAX;
    return f < -0x1p63 ? INT64_MIN : (int64_t)f;
}

static void store(dtype type, void *out, size_t i, number v)
{
    int64_t n = v.is_float ? truncated(v.f) : v.i;
    switch (type) {
    case DTYPE_F32:
        ((float *)out)[i] = v.is_float ? (float)v.f : (float)v.i;
        break;
    case DTYPE_BOOL:
        ((uint8_t *)out)[i] = v.is_float ? v.f != 0 : v.i != 0;
        break;
    case DTYPE_I64:
    case DTYPE_U64:
        ((int64_t *)out)[i] = n;
        break;
    case DTYPE_I32:
    case DTYPE_U32:
        ((uint32_t *)out)[i] = (uint32_t)n;
        break;
    case DTYPE_I16:
    case DTYPE_U16:
        ((uint16_t *)out)[i] = (uint16_t)n;
        break;
    default:
        ((uint8_t *)out)[i] = (uint8_t)n;
        break;
    }
}

/* ---- element by element ---- */

static bool unary(const node *n, number x, number *y)
{
    if (!x.is_float) {
        bool negate = n->op == GRAPH_OP_NEG || (n->op == GRAPH_OP_ABS && x.i < 0);
        *y = negate ? from_int((int64_t)(0 - (uint64_t)x.i)) : x;
        return n->op == GRAPH_OP_NEG || n->op == GRAPH_OP_ABS || n->op == GRAPH_OP_CAST;
    }
    double f = x.f;
    switch (n->op) {
    case GRAPH_OP_CAST:
        break;
    case GRAPH_OP_NEG:
        f = -f;
        break;
    case GRAPH_OP_ABS:
        f = fabs(f);
        break;
    case GRAPH_OP_SQRT:
        f = sqrt(f);
        break;
    case GRAPH_OP_EXP:
        f = exp(f);
        break;
    case GRAPH_OP_LOG:
        f = log(f);
        break;
    case GRAPH_OP_FLOOR:
        f = floor(f);
        break;
    case GRAPH_OP_CEIL:
        f = ceil(f);
        break;
    case GRAPH_OP_SIGMOID:
        f = 1 / (1 + exp(-f));
        break;
    case GRAPH_OP_TANH:
        f = tanh(f);
        break;
    case GRAPH_OP_RELU:
        f = f < 0 ? 0 : f;
        break;
    case GRAPH_OP_CLIP:
        f = fmin(fmax(f, (double)n->attr.clip.min), (double)n->attr.clip.max);
        break;
    default:
        return false;
    }
    *y = from_float(f);
    return true;
}

static bool binary_float(graph_op op, double a, double b, double *y)
{
    switch (op) {
    case GRAPH_OP_ADD:
        *y = a + b;
        return true;
    case GRAPH_OP_SUB:
        *y = a - b;
        return true;
    case GRAPH_OP_MUL:
        *y = a * b;
        return true;
    case GRAPH_OP_DIV:
        *y = a / b;
        return true;
    case GRAPH_OP_POW:
        *y = pow(a, b);
        return true;
    case GRAPH_OP_EQUAL:
        *y = a == b;
        return true;
    case GRAPH_OP_GREATER:
        *y = a > b;
        return true;
    case GRAPH_OP_LESS:
        *y = a < b;
        return true;
    case GRAPH_OP_MAX:
        *y = a > b || a != a ? a : b;
        return true;
    case GRAPH_OP_MIN:
        *y = a < b || a != a ? a : b;
        return true;
    default:
        return false;
    }
}

static bool binary_int(graph_op op, int64_t a, int64_t b, int64_t *y)
{
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    switch (op) {
    case GRAPH_OP_ADD:
        *y = (int64_t)(ua + ub);
        return true;
    case GRAPH_OP_SUB:
        *y = (int64_t)(ua - ub);
        return true;
    case GRAPH_OP_MUL:
        *y = (int64_t)(ua * ub);
        return true;
    case GRAPH_OP_DIV:
        if (b == 0)
            return false;
        *y = b == -1 ? (int64_t)(0 - ua) : a / b;
        return true;
    case GRAPH_OP_POW: {
        double f = pow((double)a, (double)b);
        *y = truncated(f);
        return fabs(f) <= 0x1p53;
    }
    case GRAPH_OP_EQUAL:
        *y = a == b;
        return true;
    case GRAPH_OP_GREATER:
        *y = a > b;
        return true;
    case GRAPH_OP_LESS:
        *y = a < b;
        return true;
    case GRAPH_OP_MAX:
        *y = a > b ? a : b;
        return true;
    case GRAPH_OP_MIN:
        *y = a < b ? a : b;
        return true;
    default:
        return false;
    }
}

static bool binary(graph_op op, number a, number b, number *y)
{
    if (!a.is_float && !b.is_float) {
        y->is_float = false;
        return binary_int(op, a.i, b.i, &y->i);
    }
    y->is_float = true;
    return binary_float(op, a.is_float ? a.f : (double)a.i, b.is_float ? b.f : (double)b.i, &y->f);
}

static bool is_elementwise(const node *n)
{
    static const graph_op ops[] = {
        GRAPH_OP_ADD,     GRAPH_OP_SUB,  GRAPH_OP_MUL,     GRAPH_OP_DIV,   GRAPH_OP_POW,
        GRAPH_OP_MAX,     GRAPH_OP_MIN,  GRAPH_OP_CAST,    GRAPH_OP_NEG,   GRAPH_OP_ABS,
        GRAPH_OP_SQRT,    GRAPH_OP_EXP,  GRAPH_OP_LOG,     GRAPH_OP_FLOOR, GRAPH_OP_CEIL,
        GRAPH_OP_RELU,    GRAPH_OP_TANH, GRAPH_OP_SIGMOID, GRAPH_OP_CLIP,  GRAPH_OP_EQUAL,
        GRAPH_OP_GREATER, GRAPH_OP_LESS};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (ops[i] == n->op)
            return n->n_inputs <= MAX_OPERANDS;
    return false;
}

/* All inputs broadcast to the output; two and more are taken together from the left. */
static bool elementwise(const graph *g, const node *n, size_t count, void *out)
{
    const tensor *to = graph_tensor_const(g, n->outputs[0]), *from[MAX_OPERANDS];
    int64_t stride[MAX_OPERANDS][SHAPE_MAX_RANK];
    if (n->n_inputs < 1)
        return false;
    for (int k = 0; k < n->n_inputs; k++) {
        from[k] = graph_tensor_const(g, n->inputs[k]);
        broadcast_strides(&from[k]->shape, &to->shape, stride[k]);
    }
    for (size_t i = 0; i < count; i++) {
        number y = load(from[0], strided_offset(&to->shape, stride[0], i));
        bool good = n->n_inputs > 1 || unary(n, y, &y);
        for (int k = 1; k < n->n_inputs && good; k++)
            good = binary(n->op, y, load(from[k], strided_offset(&to->shape, stride[k], i)), &y);
        if (!good)
            return false;
        store(to->type, out, i, y);
    }
    return true;
}

/* Where: the condition chooses between the other two. */
static void choose(const graph *g, const node *n, size_t count, void *out)
{
    const tensor *to = graph_tensor_const(g, n->outputs[0]), *from[3];
    int64_t stride[3][SHAPE_MAX_RANK];
    for (int k = 0; k < 3; k++) {
        from[k] = graph_tensor_const(g, n->inputs[k]);
        broadcast_strides(&from[k]->shape, &to->shape, stride[k]);
    }
    for (size_t i = 0; i < count; i++) {
        number condition = load(from[0], strided_offset(&to->shape, stride[0], i));
        int k = condition.i != 0 ? 1 : 2;
        store(to->type, out, i, load(from[k], strided_offset(&to->shape, stride[k], i)));
    }
}

/* ---- made from numbers ---- */

static void fill(const node *n, dtype type, size_t count, void *out)
{
    for (size_t i = 0; i < count; i++)
        store(type, out, i, from_float(n->attr.fill.value));
}

static void range(const graph *g, const node *n, size_t count, void *out)
{
    number start = load(graph_tensor_const(g, n->inputs[0]), 0);
    number delta = load(graph_tensor_const(g, n->inputs[2]), 0);
    dtype type = graph_tensor_const(g, n->outputs[0])->type;
    for (size_t i = 0; i < count; i++) {
        number v = start.is_float ? from_float(start.f + (double)i * delta.f)
                                  : from_int(start.i + (int64_t)i * delta.i);
        store(type, out, i, v);
    }
}

/* ---- one node ---- */

/* Only the shape changes: the output can share its input's bytes. */
static bool is_view(graph_op op)
{
    return op == GRAPH_OP_RESHAPE || op == GRAPH_OP_FLATTEN || op == GRAPH_OP_SQUEEZE ||
           op == GRAPH_OP_UNSQUEEZE || op == GRAPH_OP_IDENTITY;
}

static bool types_known(const graph *g, const node *n)
{
    for (int i = 0; i < n->n_inputs; i++)
        if (n->inputs[i] != TENSOR_NONE && !type_known(graph_tensor_const(g, n->inputs[i])->type))
            return false;
    return type_known(graph_tensor_const(g, n->outputs[0])->type);
}

static ptq_status suppress(const graph *g, const node *n, void *out, ptq_error *err)
{
    int64_t *rows, n_rows;
    PTQ_TRY(node_suppress(g, n, &rows, &n_rows, err));
    memcpy(out, rows, 3 * (size_t)n_rows * sizeof *rows);
    mem_free(rows);
    return PTQ_OK;
}

static ptq_status evaluate(const graph *g, const node *n, int index, blob *value, bool *done,
                           ptq_error *err)
{
    const tensor *to = graph_tensor_const(g, n->outputs[index]);
    size_t count = 0;
    *done = shape_count(&to->shape, &count) && types_known(g, n);
    if (!*done)
        return PTQ_OK;
    if (n->op == GRAPH_OP_CONSTANT_OF_SHAPE)
        fill(n, to->type, count, blob_data(value));
    else if (n->op == GRAPH_OP_RANGE)
        range(g, n, count, blob_data(value));
    else if (n->op == GRAPH_OP_WHERE)
        choose(g, n, count, blob_data(value));
    else if (n->op == GRAPH_OP_NON_MAX_SUPPRESSION)
        return suppress(g, n, blob_data(value), err);
    else if (is_elementwise(n))
        *done = elementwise(g, n, count, blob_data(value));
    else
        return const_move(g, n, index, blob_data(value), done, err);
    return PTQ_OK;
}

/* The bytes of output `index`, within the budget. */
static bool affordable(const graph *g, const node *n, int index, size_t budget, size_t *bytes)
{
    const tensor *to = graph_tensor_const(g, n->outputs[index]);
    size_t count;
    return shape_count(&to->shape, &count) && mem_mul(count, dtype_bytes(to->type), bytes) &&
           *bytes <= budget;
}

static ptq_status one_output(const graph *g, const node *n, int index, size_t *budget, blob **value,
                             ptq_error *err)
{
    size_t bytes;
    bool done;
    if (!affordable(g, n, index, *budget, &bytes))
        return PTQ_OK;
    blob *made = blob_create(bytes);
    if (!made)
        return error_no_memory(err, bytes, "a constant");
    ptq_status status = evaluate(g, n, index, made, &done, err);
    if (status != PTQ_OK || !done) {
        blob_unref(&made);
        return status;
    }
    *budget -= bytes;
    *value = made;
    return PTQ_OK;
}

ptq_status const_eval(const graph *g, node_id id, size_t *budget,
                      blob *values[CONST_EVAL_MAX_OUTPUTS], bool *done, ptq_error *err)
{
    const node *n = graph_node_const(g, id);
    ptq_status status = PTQ_OK;
    *done = false;
    if (n->n_outputs > CONST_EVAL_MAX_OUTPUTS)
        return PTQ_OK;
    for (int i = 0; i < n->n_outputs; i++)
        values[i] = NULL;
    if (is_view(n->op))
        values[0] = blob_ref(graph_tensor_const(g, n->inputs[0])->data);
    int made = 0;
    for (int i = 0; i < n->n_outputs && status == PTQ_OK; i++) {
        if (!values[i])
            status = one_output(g, n, i, budget, &values[i], err);
        made += values[i] != NULL;
    }
    *done = status == PTQ_OK && made == n->n_outputs;
    for (int i = 0; i < n->n_outputs && !*done; i++)
        blob_unref(&values[i]);
    return status;
}
