/* SPDX-License-Identifier: Apache-2.0 */
#include "graph_eval.h"

#include "base/half.h"

static ptq_error err;

/* What one operator sees. */
typedef struct call {
    const graph *g;
    const node *n;
    double **of;
} call;

static const tensor *input_of(const call *c, int i)
{
    return graph_tensor_const(c->g, c->n->inputs[i]);
}

static const double *values_of(const call *c, int i)
{
    if (i >= c->n->n_inputs || c->n->inputs[i] == TENSOR_NONE)
        return NULL;
    return c->of[c->n->inputs[i]];
}

static const shape *out_shape(const call *c)
{
    return &graph_tensor_const(c->g, c->n->outputs[0])->shape;
}

static double *out_values(const call *c)
{
    return c->of[c->n->outputs[0]];
}

static size_t count_of(const graph *g, tensor_id id)
{
    size_t n;
    assert_true(shape_count(&graph_tensor_const(g, id)->shape, &n));
    return n;
}

static double const_value(const tensor *t, size_t i)
{
    const void *p = blob_data(t->data);
    switch (t->type) {
    case DTYPE_F32:
        return (double)((const float *)p)[i];
    case DTYPE_I8:
        return ((const int8_t *)p)[i];
    case DTYPE_U8:
        return ((const uint8_t *)p)[i];
    case DTYPE_I16:
        return ((const int16_t *)p)[i];
    case DTYPE_U16:
        return ((const uint16_t *)p)[i];
    case DTYPE_I32:
        return ((const int32_t *)p)[i];
    case DTYPE_I64:
        return (double)((const int64_t *)p)[i];
    default:
        fail_msg("a constant of type %s", dtype_name(t->type));
        return 0;
    }
}

static double rounded(double v, dtype t)
{
    switch (t) {
    case DTYPE_F32:
        return (double)(float)v;
    case DTYPE_BF16:
        return (double)bfloat_to_float(bfloat_from_float((float)v));
    case DTYPE_F16:
        return (double)half_to_float(half_from_float((float)v));
    default:
        return v;
    }
}

static double saturated(double v, dtype t)
{
    double low = t == DTYPE_I8 ? -128 : t == DTYPE_I16 ? -32768 : 0;
    double high = t == DTYPE_I8 ? 127 : t == DTYPE_U8 ? 255 : t == DTYPE_I16 ? 32767 : 65535;
    return v < low ? low : v > high ? high : v;
}

static double activated(double x, activation a)
{
    switch (a.kind) {
    case ACT_SILU:
        return x / (1 + exp(-x));
    case ACT_RELU:
        return x > 0 ? x : 0;
    case ACT_LEAKY_RELU:
        return x > 0 ? x : x * (double)a.alpha;
    case ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case ACT_HARD_SWISH:
        return x * fmin(fmax(x + 3, 0), 6) / 6;
    case ACT_TANH:
        return tanh(x);
    default:
        return x;
    }
}

static activation activation_of(const node *n)
{
    switch (n->op) {
    case GRAPH_OP_SILU:
        return (activation){ACT_SILU, 0};
    case GRAPH_OP_RELU:
        return (activation){ACT_RELU, 0};
    case GRAPH_OP_LEAKY_RELU:
        return (activation){ACT_LEAKY_RELU, n->attr.slope.alpha};
    case GRAPH_OP_SIGMOID:
        return (activation){ACT_SIGMOID, 0};
    case GRAPH_OP_HARD_SWISH:
        return (activation){ACT_HARD_SWISH, 0};
    case GRAPH_OP_TANH:
        return (activation){ACT_TANH, 0};
    default:
        return (activation){ACT_NONE, 0};
    }
}

static double compute_rounded(double v, compute_type t)
{
    return t == COMPUTE_BF16      ? rounded(v, DTYPE_BF16)
           : t == COMPUTE_F16_SIM ? rounded(v, DTYPE_F16)
                                  : v;
}

/* One output value of CONV or QCONV before bias, at image n, channel o, row y, column x. */
static double conv_sum(const call *c, int64_t n, int64_t o, int64_t y, int64_t x)
{
    const conv_attr *a = &c->n->attr.conv;
    const shape *in = &input_of(c, 0)->shape, *w = &input_of(c, 1)->shape;
    int64_t per_group = w->dim[0] / a->groups, first = o / per_group * w->dim[1];
    const double *src = values_of(c, 0), *wei = values_of(c, 1);
    int zero = c->n->op == GRAPH_OP_QCONV ? a->x_zero : 0;
    double sum = 0;
    for (int64_t i = 0; i < w->dim[1] * w->dim[2] * w->dim[3]; i++) {
        int64_t ch = i / (w->dim[2] * w->dim[3]), ky = i / w->dim[3] % w->dim[2];
        int64_t kx = i % w->dim[3], iy = y * a->stride[0] - a->pad[0] + ky * a->dilation[0];
        int64_t ix = x * a->stride[1] - a->pad[1] + kx * a->dilation[1];
        if (iy < 0 || ix < 0 || iy >= in->dim[2] || ix >= in->dim[3])
            continue;
        int64_t at = ((n * in->dim[1] + first + ch) * in->dim[2] + iy) * in->dim[3] + ix;
        sum += compute_rounded(src[at] - zero, a->compute) *
               compute_rounded(wei[o * w->dim[1] * w->dim[2] * w->dim[3] + i], a->compute);
    }
    return sum;
}

static void run_conv(const call *c)
{
    const conv_attr *a = &c->n->attr.conv;
    const shape *s = out_shape(c);
    bool is_q = c->n->op == GRAPH_OP_QCONV;
    const double *scales = is_q ? values_of(c, 2) : NULL, *bias = values_of(c, is_q ? 3 : 2);
    dtype type = graph_tensor_const(c->g, c->n->outputs[0])->type;
    double *dst = out_values(c);
    for (int64_t i = 0; i < s->dim[0] * s->dim[1] * s->dim[2] * s->dim[3]; i++) {
        int64_t x = i % s->dim[3], y = i / s->dim[3] % s->dim[2];
        int64_t o = i / (s->dim[3] * s->dim[2]) % s->dim[1];
        double v = conv_sum(c, i / (s->dim[3] * s->dim[2] * s->dim[1]), o, y, x);
        if (is_q)
            v *= (double)a->x_scale * scales[o];
        v = activated(v + (bias ? bias[o] : 0), a->act);
        if (is_q && a->out_from_half)
            v = (double)half_to_float(half_from_float((float)v));
        if (is_q && a->out_scale > 0)
            v = saturated(rint((double)((float)v / a->out_scale)) + a->out_zero, type);
        dst[i] = compute_rounded(v, a->compute == COMPUTE_F16_SIM ? a->compute : COMPUTE_F32);
    }
}

static void run_conv_transpose(const call *c)
{
    const conv_attr *a = &c->n->attr.conv;
    const shape *in = &input_of(c, 0)->shape, *w = &input_of(c, 1)->shape, *s = out_shape(c);
    const double *src = values_of(c, 0), *wei = values_of(c, 1), *bias = values_of(c, 2);
    double *dst = out_values(c);
    int64_t window = w->dim[2] * w->dim[3], rows = in->dim[1] / a->groups;
    for (int64_t i = 0; i < s->dim[1] * s->dim[2] * s->dim[3] * s->dim[0]; i++)
        dst[i] = bias ? bias[i / (s->dim[2] * s->dim[3]) % s->dim[1]] : 0;
    for (int64_t i = 0; i < (int64_t)count_of(c->g, c->n->inputs[0]); i++) {
        int64_t x = i % in->dim[3], y = i / in->dim[3] % in->dim[2];
        int64_t ci = i / (in->dim[3] * in->dim[2]) % in->dim[1];
        int64_t n = i / (in->dim[3] * in->dim[2] * in->dim[1]);
        for (int64_t k = 0; k < w->dim[1] * window; k++) {
            int64_t o = ci / rows * w->dim[1] + k / window;
            int64_t oy = y * a->stride[0] - a->pad[0] + k % window / w->dim[3];
            int64_t ox = x * a->stride[1] - a->pad[1] + k % w->dim[3];
            if (oy >= 0 && ox >= 0 && oy < s->dim[2] && ox < s->dim[3])
                dst[((n * s->dim[1] + o) * s->dim[2] + oy) * s->dim[3] + ox] +=
                    src[i] * wei[ci * w->dim[1] * window + k];
        }
    }
}

static void run_batch_norm(const call *c)
{
    const shape *s = out_shape(c);
    const double *x = values_of(c, 0), *gamma = values_of(c, 1), *beta = values_of(c, 2);
    const double *mean = values_of(c, 3), *var = values_of(c, 4);
    for (int64_t i = 0; i < (int64_t)count_of(c->g, c->n->outputs[0]); i++) {
        int64_t ch = i / (s->dim[2] * s->dim[3]) % s->dim[1];
        out_values(c)[i] =
            (x[i] - mean[ch]) / sqrt(var[ch] + (double)c->n->attr.batch_norm.epsilon) * gamma[ch] +
            beta[ch];
    }
}

static void run_max_pool(const call *c)
{
    const pool_attr *a = &c->n->attr.pool;
    const shape *in = &input_of(c, 0)->shape, *s = out_shape(c);
    for (int64_t i = 0; i < (int64_t)count_of(c->g, c->n->outputs[0]); i++) {
        int64_t x = i % s->dim[3], y = i / s->dim[3] % s->dim[2],
                plane = i / (s->dim[2] * s->dim[3]);
        double best = -INFINITY;
        for (int k = 0; k < a->kernel[0] * a->kernel[1]; k++) {
            int64_t iy = y * a->stride[0] - a->pad[0] + k / a->kernel[1];
            int64_t ix = x * a->stride[1] - a->pad[1] + k % a->kernel[1];
            if (iy >= 0 && ix >= 0 && iy < in->dim[2] && ix < in->dim[3])
                best = fmax(best, values_of(c, 0)[(plane * in->dim[2] + iy) * in->dim[3] + ix]);
        }
        out_values(c)[i] = best;
    }
}

/* CONCAT and SPLIT on any axis: blocks of `inner` values. */
static void run_concat_or_split(const call *c)
{
    bool is_concat = c->n->op == GRAPH_OP_CONCAT;
    tensor_id whole = is_concat ? c->n->outputs[0] : c->n->inputs[0];
    const shape *s = &graph_tensor_const(c->g, whole)->shape;
    int axis = c->n->attr.axis.axis < 0 ? c->n->attr.axis.axis + s->rank : c->n->attr.axis.axis;
    size_t outer = 1, done = 0, row = count_of(c->g, whole);
    for (int d = 0; d < axis; d++)
        outer *= (size_t)s->dim[d];
    row /= outer;
    for (int p = 0; p < (is_concat ? c->n->n_inputs : c->n->n_outputs); p++) {
        tensor_id part = is_concat ? c->n->inputs[p] : c->n->outputs[p];
        size_t length = count_of(c->g, part) / outer;
        for (size_t o = 0; o < outer; o++)
            for (size_t i = 0; i < length; i++) {
                double *big = &c->of[whole][o * row + done + i],
                       *small = &c->of[part][o * length + i];
                *(is_concat ? big : small) = is_concat ? *small : *big;
            }
        done += length;
    }
}

static void run_resize(const call *c)
{
    const shape *in = &input_of(c, 0)->shape, *s = out_shape(c);
    for (int64_t i = 0; i < (int64_t)count_of(c->g, c->n->outputs[0]); i++) {
        int64_t x = i % s->dim[3] * in->dim[3] / s->dim[3];
        int64_t y = i / s->dim[3] % s->dim[2] * in->dim[2] / s->dim[2];
        int64_t plane = i / (s->dim[2] * s->dim[3]);
        out_values(c)[i] = values_of(c, 0)[(plane * in->dim[2] + y) * in->dim[3] + x];
    }
}

static void run_transpose(const call *c)
{
    const shape *in = &input_of(c, 0)->shape, *s = out_shape(c);
    for (size_t i = 0; i < count_of(c->g, c->n->outputs[0]); i++) {
        int64_t rest = (int64_t)i, at[SHAPE_MAX_RANK], from = 0;
        for (int d = s->rank - 1; d >= 0; d--) {
            at[c->n->attr.perm.perm[d]] = rest % s->dim[d];
            rest /= s->dim[d];
        }
        for (int d = 0; d < in->rank; d++)
            from = from * in->dim[d] + at[d];
        out_values(c)[i] = values_of(c, 0)[from];
    }
}

/* Steps forwards; constants starts, ends, axes, steps. */
static void run_slice(const call *c)
{
    const shape *in = &input_of(c, 0)->shape, *s = out_shape(c);
    int64_t start[SHAPE_MAX_RANK] = {0}, step[SHAPE_MAX_RANK];
    for (int d = 0; d < SHAPE_MAX_RANK; d++)
        step[d] = 1;
    for (size_t i = 0; i < count_of(c->g, c->n->inputs[1]); i++) {
        int axis = c->n->n_inputs > 3 ? (int)values_of(c, 3)[i] : (int)i;
        axis += axis < 0 ? s->rank : 0;
        start[axis] = (int64_t)values_of(c, 1)[i];
        start[axis] += start[axis] < 0 ? in->dim[axis] : 0;
        step[axis] = c->n->n_inputs > 4 ? (int64_t)values_of(c, 4)[i] : 1;
    }
    for (size_t i = 0; i < count_of(c->g, c->n->outputs[0]); i++) {
        int64_t rest = (int64_t)i, from = 0, size = 1;
        for (int d = s->rank - 1; d >= 0; d--) {
            from += (start[d] + rest % s->dim[d] * step[d]) * size;
            size *= in->dim[d];
            rest /= s->dim[d];
        }
        out_values(c)[i] = values_of(c, 0)[from];
    }
}

/* out channel = (dx*block + dy)*C + c, see op.h. */
static void run_space_to_depth(const call *c)
{
    const shape *in = &input_of(c, 0)->shape, *s = out_shape(c);
    int64_t block = c->n->attr.space.block;
    for (int64_t i = 0; i < (int64_t)count_of(c->g, c->n->outputs[0]); i++) {
        int64_t x = i % s->dim[3], y = i / s->dim[3] % s->dim[2];
        int64_t o = i / (s->dim[3] * s->dim[2]) % s->dim[1],
                n = i / (s->dim[3] * s->dim[2] * s->dim[1]);
        int64_t part = o / in->dim[1], iy = y * block + part % block, ix = x * block + part / block;
        out_values(c)[i] = values_of(
            c, 0)[((n * in->dim[1] + o % in->dim[1]) * in->dim[2] + iy) * in->dim[3] + ix];
    }
}

/* ADD, SUB and MUL with broadcasting. */
static void run_binary(const call *c)
{
    const shape *s = out_shape(c);
    for (size_t i = 0; i < count_of(c->g, c->n->outputs[0]); i++) {
        double v[2];
        for (int k = 0; k < 2; k++) {
            const shape *in = &input_of(c, k)->shape;
            int64_t rest = (int64_t)i, from = 0, step = 1;
            for (int d = s->rank - 1; d >= s->rank - in->rank; d--) {
                int64_t dim = in->dim[d - (s->rank - in->rank)];
                from += (dim == 1 ? 0 : rest % s->dim[d]) * step;
                step *= dim;
                rest /= s->dim[d];
            }
            v[k] = values_of(c, k)[from];
        }
        out_values(c)[i] = c->n->op == GRAPH_OP_ADD   ? v[0] + v[1]
                           : c->n->op == GRAPH_OP_SUB ? v[0] - v[1]
                           : c->n->op == GRAPH_OP_DIV ? v[0] / v[1]
                                                      : v[0] * v[1];
    }
}

static void run_quantizer(const call *c)
{
    const shape *s = out_shape(c);
    size_t n_scales = count_of(c->g, c->n->inputs[1]), inner = 1;
    int axis = c->n->attr.axis.axis < 0 ? c->n->attr.axis.axis + s->rank : c->n->attr.axis.axis;
    for (int d = axis + 1; d < s->rank; d++)
        inner *= (size_t)s->dim[d];
    dtype type = graph_tensor_const(c->g, c->n->outputs[0])->type;
    for (size_t i = 0; i < count_of(c->g, c->n->outputs[0]); i++) {
        size_t ch = n_scales == 1 ? 0 : i / inner % n_scales;
        float scale = (float)values_of(c, 1)[ch], x = (float)values_of(c, 0)[i];
        double zero = values_of(c, 2) ? values_of(c, 2)[ch] : 0;
        if (c->n->op == GRAPH_OP_QUANTIZE_LINEAR && c->n->attr.axis.from_half)
            x = half_to_float(half_from_float(x));
        out_values(c)[i] = c->n->op == GRAPH_OP_QUANTIZE_LINEAR
                               ? saturated(rint((double)(x / scale)) + zero, type)
                               : (double)((float)((double)x - zero) * scale);
    }
}

static void run_unary(const call *c)
{
    activation act = activation_of(c->n);
    for (size_t i = 0; i < count_of(c->g, c->n->outputs[0]); i++) {
        double v = activated(values_of(c, 0)[i], act);
        if (c->n->op == GRAPH_OP_CLIP)
            v = fmin(fmax(v, (double)c->n->attr.clip.min), (double)c->n->attr.clip.max);
        if (c->n->op == GRAPH_OP_HARD_SIGMOID)
            v = fmin(fmax((double)c->n->attr.slope.alpha * v + (double)c->n->attr.slope.beta, 0),
                     1);
        out_values(c)[i] = v;
    }
}

/* Rows of anything times one matrix. */
static void run_matmul(const call *c)
{
    const shape *w = &input_of(c, 1)->shape;
    assert_int_equal(w->rank, 2);
    size_t inner = (size_t)w->dim[0], columns = (size_t)w->dim[1];
    for (size_t i = 0; i < count_of(c->g, c->n->outputs[0]); i++) {
        const double *row = values_of(c, 0) + i / columns * inner;
        double sum = 0;
        for (size_t k = 0; k < inner; k++)
            sum += row[k] * values_of(c, 1)[k * columns + i % columns];
        out_values(c)[i] = sum;
    }
}

/* Channels of 0 behind those of one image: no other padding is needed here. */
static void run_pad(const call *c)
{
    size_t n = count_of(c->g, c->n->inputs[0]), all = count_of(c->g, c->n->outputs[0]);
    assert_true(n <= all && out_shape(c)->dim[0] == 1);
    for (size_t i = 0; i < all; i++)
        out_values(c)[i] = i < n ? values_of(c, 0)[i] : 0;
}

static void run_node(const call *c)
{
    switch (c->n->op) {
    case GRAPH_OP_CONV:
    case GRAPH_OP_QCONV:
        run_conv(c);
        break;
    case GRAPH_OP_CONV_TRANSPOSE:
        run_conv_transpose(c);
        break;
    case GRAPH_OP_BATCH_NORM:
        run_batch_norm(c);
        break;
    case GRAPH_OP_MAX_POOL:
        run_max_pool(c);
        break;
    case GRAPH_OP_CONCAT:
    case GRAPH_OP_SPLIT:
        run_concat_or_split(c);
        break;
    case GRAPH_OP_RESIZE:
        run_resize(c);
        break;
    case GRAPH_OP_TRANSPOSE:
        run_transpose(c);
        break;
    case GRAPH_OP_MATMUL:
        run_matmul(c);
        break;
    case GRAPH_OP_PAD:
        run_pad(c);
        break;
    case GRAPH_OP_SLICE:
        run_slice(c);
        break;
    case GRAPH_OP_SPACE_TO_DEPTH:
        run_space_to_depth(c);
        break;
    case GRAPH_OP_ADD:
    case GRAPH_OP_SUB:
    case GRAPH_OP_MUL:
    case GRAPH_OP_DIV:
        run_binary(c);
        break;
    case GRAPH_OP_QUANTIZE_LINEAR:
    case GRAPH_OP_DEQUANTIZE_LINEAR:
        run_quantizer(c);
        break;
    case GRAPH_OP_SILU:
    case GRAPH_OP_RELU:
    case GRAPH_OP_LEAKY_RELU:
    case GRAPH_OP_SIGMOID:
    case GRAPH_OP_HARD_SIGMOID:
    case GRAPH_OP_HARD_SWISH:
    case GRAPH_OP_TANH:
    case GRAPH_OP_CLIP:
    case GRAPH_OP_CAST:
    case GRAPH_OP_IDENTITY:
    case GRAPH_OP_RESHAPE:
    case GRAPH_OP_FLATTEN:
        run_unary(c);
        break;
    default:
        fail_msg("the evaluator has no %s", graph_op_name(c->n->op));
    }
}

graph_values graph_eval(const graph *g, const double *input)
{
    graph_values v = {graph_n_tensors(g), calloc((size_t)graph_n_tensors(g), sizeof(double *))};
    for (int i = 0; i < v.n; i++) {
        const tensor *t = graph_tensor_const(g, (tensor_id)i);
        size_t n;
        if (!shape_count(&t->shape, &n))
            continue;
        v.of[i] = calloc(n + 1, sizeof(double));
        for (size_t k = 0; t->data && k < n; k++)
            v.of[i][k] = const_value(t, k);
    }
    tensor_id x = graph_input(g, 0);
    memcpy(v.of[x], input, count_of(g, x) * sizeof *input);
    for (int i = 0; i < graph_n_nodes(g); i++) {
        call c = {g, graph_node_const(g, (node_id)i), v.of};
        if (c.n->is_dead)
            continue;
        run_node(&c);
        for (int k = 0; k < c.n->n_outputs; k++) {
            tensor_id y = c.n->outputs[k];
            for (size_t j = 0; j < count_of(g, y); j++)
                v.of[y][j] = rounded(v.of[y][j], graph_tensor_const(g, y)->type);
        }
    }
    return v;
}

void graph_values_free(graph_values *v)
{
    for (int i = 0; i < v->n; i++)
        free(v->of[i]);
    free(v->of);
}

double *graph_eval_random(graph *g, int64_t size, uint64_t seed, size_t *count)
{
    shape s = graph_tensor(g, graph_input(g, 0))->shape;
    shape want = shape4(1, s.dim[1], size, size);
    assert_ok(graph_set_input_shape(g, &want, &err));
    size_t n = count_of(g, graph_input(g, 0));
    double *input = malloc(n * sizeof *input);
    test_rng rng = {seed};
    for (size_t i = 0; i < n; i++)
        input[i] = (floor(test_uniform(&rng) * 128) - 64) / 16;
    graph_values v = graph_eval(g, input);
    *count = count_of(g, graph_output(g, 0));
    double *out = malloc(*count * sizeof *out);
    memcpy(out, v.of[graph_output(g, 0)], *count * sizeof *out);
    graph_values_free(&v);
    free(input);
    return out;
}

double eval_max_abs(const double *a, const double *b, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs(a[i] - b[i]);
        if (!(d <= worst))
            worst = d <= 1e300 ? d : INFINITY;
    }
    return worst;
}
