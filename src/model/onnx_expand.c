/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that are spelled with others: the graph gets the others. What an operator reads becomes
 * nodes in front of `n`, and `n` itself the last one of them.
 * Spec: the function bodies of the ONNX operator definitions. */
#include <inttypes.h>
#include <string.h>

#include "model/onnx_importer.h"

static tensor_id input(const node *n, int i)
{
    return i < n->n_inputs ? n->inputs[i] : TENSOR_NONE;
}

static ptq_status need_inputs(const node *n, int count, ptq_error *err)
{
    for (int i = 0; i < count; i++)
        if (input(n, i) == TENSOR_NONE)
            return error_set(err, PTQ_FORMAT, "input %d is missing", i);
    return PTQ_OK;
}

/* Shapes are inferred later, in execution order. */
ptq_status onnx_add_part(onnx_importer *im, const node *n, const onnx_part *p, tensor_id *out,
                         ptq_error *err)
{
    shape unknown = shape_make(1, (int64_t[]){-1});
    tensor_id inputs[4] = {p->in[0], p->in[1], p->in[2], p->in[3]};
    const char *base = arena_printf(im->file.arena, "%s.%s", n->name, graph_op_name(p->op));
    const char *name = base ? graph_unique_name(im->g, base) : NULL;
    if (!name)
        return error_no_memory(err, strlen(n->name), "a name");
    node made = {.name = p->name ? p->name : name, .op = p->op, .attr = p->attr};
    made.n_inputs = p->n_in;
    made.n_outputs = 1;
    made.inputs = inputs;
    made.outputs = out;
    PTQ_TRY(graph_add_tensor(im->g, name, DTYPE_F32, &unknown, out, err));
    return graph_add_node(im->g, &made, NULL, err);
}

static ptq_status add1(onnx_importer *im, const node *n, graph_op op, tensor_id x, tensor_id *out,
                       ptq_error *err)
{
    return onnx_add_part(im, n, &(onnx_part){.op = op, .in = {x}, .n_in = 1}, out, err);
}

static ptq_status add2(onnx_importer *im, const node *n, graph_op op, const tensor_id x[2],
                       tensor_id *out, ptq_error *err)
{
    return onnx_add_part(im, n, &(onnx_part){.op = op, .in = {x[0], x[1]}, .n_in = 2}, out, err);
}

static ptq_status add_numbers(onnx_importer *im, const node *n, const shape *s, const float *values,
                              tensor_id *out, ptq_error *err)
{
    const char *base = arena_printf(im->file.arena, "%s.constant", n->name);
    const char *name = base ? graph_unique_name(im->g, base) : NULL;
    if (!name)
        return error_no_memory(err, strlen(n->name), "a name");
    return graph_add_const_copy(im->g, name, DTYPE_F32, s, values, out, err);
}

static ptq_status add_number(onnx_importer *im, const node *n, float value, tensor_id *out,
                             ptq_error *err)
{
    return add_numbers(im, n, &(shape){.rank = 0}, &value, out, err);
}

/* `n` becomes the last part. */
void onnx_finish_part(node *n, const onnx_part *p)
{
    n->op = p->op;
    n->attr = p->attr;
    n->n_inputs = p->n_in;
    for (int i = 0; i < p->n_in; i++)
        n->inputs[i] = p->in[i];
    n->n_outputs = 1;
}

/* One of the further outputs of the operator is this value. */
static ptq_status give(onnx_importer *im, const node *n, int k, tensor_id x, ptq_error *err)
{
    if (k >= n->n_outputs || n->outputs[k] == TENSOR_NONE)
        return PTQ_OK;
    const char *base = arena_printf(im->file.arena, "%s.output", n->name);
    const char *name = base ? graph_unique_name(im->g, base) : NULL;
    if (!name)
        return error_no_memory(err, strlen(n->name), "a name");
    node same = {.name = name, .op = GRAPH_OP_IDENTITY, .n_inputs = 1, .n_outputs = 1};
    same.inputs = &x;
    same.outputs = &n->outputs[k];
    return graph_add_node(im->g, &same, NULL, err);
}

/* The layer keeps the node's name (its parameters are pending under it); `n` gets another. */
ptq_status onnx_rename_last(onnx_importer *im, node *n, ptq_error *err)
{
    const char *base = arena_printf(im->file.arena, "%s.result", n->name);
    n->name = base ? graph_unique_name(im->g, base) : NULL;
    return n->name ? PTQ_OK : error_no_memory(err, 0, "a name");
}

/* ---- integers ---- */

typedef struct codes {
    tensor_id x, scale, zero;
    int axis;
} codes;

static ptq_status dequantize(onnx_importer *im, const node *n, const codes *c, tensor_id *out,
                             ptq_error *err)
{
    onnx_part p = {.op = GRAPH_OP_DEQUANTIZE_LINEAR, .in = {c->x, c->scale, c->zero}};
    p.n_in = c->zero == TENSOR_NONE ? 2 : 3;
    p.attr.axis.axis = c->axis;
    return onnx_add_part(im, n, &p, out, err);
}

/* int32 at the scale of the products. */
static ptq_status dequantize_bias(onnx_importer *im, const node *n, tensor_id *bias, ptq_error *err)
{
    tensor_id scale;
    *bias = TENSOR_NONE;
    if (input(n, 8) == TENSOR_NONE)
        return PTQ_OK;
    PTQ_TRY(add2(im, n, GRAPH_OP_MUL, (tensor_id[]){n->inputs[1], n->inputs[4]}, &scale, err));
    return dequantize(im, n, &(codes){n->inputs[8], scale, TENSOR_NONE, 0}, bias, err);
}

ptq_status onnx_read_qlinear_conv(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                  ptq_error *err)
{
    PTQ_TRY(need_inputs(n, 8, err));
    PTQ_TRY(onnx_read_window(im, src, n, err));
    onnx_part conv = {.op = GRAPH_OP_CONV, .n_in = 3, .attr = n->attr, .name = n->name};
    const tensor_id *in = n->inputs;
    PTQ_TRY(dequantize(im, n, &(codes){in[0], in[1], in[2], 1}, &conv.in[0], err));
    PTQ_TRY(dequantize(im, n, &(codes){in[3], in[4], in[5], 0}, &conv.in[1], err));
    PTQ_TRY(dequantize_bias(im, n, &conv.in[2], err));
    conv.n_in = conv.in[2] == TENSOR_NONE ? 2 : 3;
    onnx_part last = {.op = GRAPH_OP_QUANTIZE_LINEAR, .in = {0, in[6], in[7]}, .n_in = 3};
    last.attr.axis.axis = 1;
    PTQ_TRY(onnx_add_part(im, n, &conv, &last.in[0], err));
    onnx_finish_part(n, &last);
    return onnx_rename_last(im, n, err);
}

ptq_status onnx_read_qlinear_matmul(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                    ptq_error *err)
{
    (void)src;
    PTQ_TRY(need_inputs(n, 8, err));
    const tensor_id *in = n->inputs;
    tensor_id x[2];
    PTQ_TRY(dequantize(im, n, &(codes){in[0], in[1], in[2], -2}, &x[0], err));
    PTQ_TRY(dequantize(im, n, &(codes){in[3], in[4], in[5], -1}, &x[1], err));
    onnx_part last = {.op = GRAPH_OP_QUANTIZE_LINEAR, .in = {0, in[6], in[7]}, .n_in = 3};
    last.attr.axis.axis = -1;
    PTQ_TRY(add2(im, n, GRAPH_OP_MATMUL, x, &last.in[0], err));
    onnx_finish_part(n, &last);
    return PTQ_OK;
}

/* Scales of 1, as many as there are zero points. */
static ptq_status add_ones(onnx_importer *im, const node *n, tensor_id zero, tensor_id *out,
                           ptq_error *err)
{
    enum { MOST = 1 << 20 };
    shape s = {.rank = 0};
    if (zero != TENSOR_NONE)
        s = graph_tensor(im->g, zero)->shape;
    size_t count;
    if (zero != TENSOR_NONE && !graph_is_const(im->g, zero))
        s.rank = 0;
    if (!shape_count(&s, &count) || count > MOST)
        return error_set(err, PTQ_UNSUPPORTED, "it has too many zero points");
    float *ones = arena_alloc(im->file.arena, count + 1, sizeof *ones);
    if (!ones)
        return error_no_memory(err, count, "a constant");
    for (size_t i = 0; i < count; i++)
        ones[i] = 1;
    return add_numbers(im, n, &s, ones, out, err);
}

/* ConvInteger, MatMulInteger: codes less their zero points, multiplied and summed. */
static ptq_status integer_product(onnx_importer *im, node *n, onnx_part *product, const int axes[2],
                                  ptq_error *err)
{
    tensor_id one;
    PTQ_TRY(need_inputs(n, 2, err));
    for (int i = 0; i < 2; i++) {
        PTQ_TRY(add_ones(im, n, input(n, 2 + i), &one, err));
        codes c = {n->inputs[i], one, input(n, 2 + i), axes[i]};
        PTQ_TRY(dequantize(im, n, &c, &product->in[i], err));
    }
    product->n_in = 2;
    onnx_part last = {.op = GRAPH_OP_CAST, .n_in = 1, .attr = {.cast = {DTYPE_I32}}};
    PTQ_TRY(onnx_add_part(im, n, product, &last.in[0], err));
    onnx_finish_part(n, &last);
    return PTQ_OK;
}

ptq_status onnx_read_conv_integer(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                  ptq_error *err)
{
    PTQ_TRY(onnx_read_window(im, src, n, err));
    onnx_part conv = {.op = GRAPH_OP_CONV, .attr = n->attr, .name = n->name};
    PTQ_TRY(integer_product(im, n, &conv, (const int[]){1, 0}, err));
    return onnx_rename_last(im, n, err);
}

ptq_status onnx_read_matmul_integer(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                    ptq_error *err)
{
    (void)src;
    onnx_part product = {.op = GRAPH_OP_MATMUL};
    return integer_product(im, n, &product, (const int[]){-2, -1}, err);
}

/* The range of x with zero in it, in 255 steps. */
ptq_status onnx_read_dynamic_quantize(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                      ptq_error *err)
{
    (void)src;
    PTQ_TRY(need_inputs(n, 1, err));
    tensor_id zero, steps, low, high, width, scale, at, x = n->inputs[0];
    PTQ_TRY(add_number(im, n, 0, &zero, err));
    PTQ_TRY(add_number(im, n, 255, &steps, err));
    PTQ_TRY(add1(im, n, GRAPH_OP_REDUCE_MIN, x, &low, err));
    PTQ_TRY(add1(im, n, GRAPH_OP_REDUCE_MAX, x, &high, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_MIN, (tensor_id[]){low, zero}, &low, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_MAX, (tensor_id[]){high, zero}, &high, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_SUB, (tensor_id[]){high, low}, &width, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_DIV, (tensor_id[]){width, steps}, &scale, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_SUB, (tensor_id[]){zero, low}, &low, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_DIV, (tensor_id[]){low, scale}, &at, err));
    onnx_part clip = {.op = GRAPH_OP_CLIP, .in = {at}, .n_in = 1};
    clip.attr.clip.max = 255;
    PTQ_TRY(onnx_add_part(im, n, &clip, &at, err));
    PTQ_TRY(add1(im, n, GRAPH_OP_ROUND, at, &at, err));
    onnx_part cast = {.op = GRAPH_OP_CAST, .in = {at}, .n_in = 1, .attr = {.cast = {DTYPE_U8}}};
    PTQ_TRY(onnx_add_part(im, n, &cast, &at, err));
    PTQ_TRY(give(im, n, 1, scale, err));
    PTQ_TRY(give(im, n, 2, at, err));
    onnx_finish_part(n,
                     &(onnx_part){.op = GRAPH_OP_QUANTIZE_LINEAR, .in = {x, scale, at}, .n_in = 3});
    return PTQ_OK;
}

/* ---- normalisation ---- */

typedef struct normalised {
    tensor_id x;
    int axis; /* this one and all behind it */
    float epsilon;
    tensor_id y, mean, inverse; /* (x - mean) * inverse */
} normalised;

static ptq_status normalise(onnx_importer *im, const node *n, normalised *out, ptq_error *err)
{
    tensor_id square, tiny;
    onnx_part mean = {.op = GRAPH_OP_REDUCE_MEAN, .in = {out->x}, .n_in = 1};
    mean.attr.reduce =
        (reduce_attr){.n_axes = 1, .axes = {out->axis}, .to_end = true, .keep_dims = true};
    PTQ_TRY(add_number(im, n, out->epsilon, &tiny, err));
    PTQ_TRY(onnx_add_part(im, n, &mean, &out->mean, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_SUB, (tensor_id[]){out->x, out->mean}, &out->y, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_MUL, (tensor_id[]){out->y, out->y}, &square, err));
    mean.in[0] = square;
    PTQ_TRY(onnx_add_part(im, n, &mean, &square, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_ADD, (tensor_id[]){square, tiny}, &square, err));
    PTQ_TRY(add1(im, n, GRAPH_OP_SQRT, square, &square, err));
    PTQ_TRY(add1(im, n, GRAPH_OP_RECIPROCAL, square, &out->inverse, err));
    return add2(im, n, GRAPH_OP_MUL, (tensor_id[]){out->y, out->inverse}, &out->y, err);
}

ptq_status onnx_read_layer_norm(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                ptq_error *err)
{
    int64_t axis;
    float epsilon;
    normalised v;
    tensor_id bias = input(n, 2);
    PTQ_TRY(need_inputs(n, 2, err));
    PTQ_TRY(onnx_attr_int(src, "axis", -1, &axis, err));
    PTQ_TRY(onnx_attr_float(src, "epsilon", 1e-5f, &epsilon, err));
    if (axis < -SHAPE_MAX_RANK || axis >= SHAPE_MAX_RANK)
        return error_set(err, PTQ_FORMAT, "attribute 'axis' is %" PRId64, axis);
    v = (normalised){.x = n->inputs[0], .axis = (int)axis, .epsilon = epsilon};
    PTQ_TRY(normalise(im, n, &v, err));
    PTQ_TRY(give(im, n, 1, v.mean, err));
    PTQ_TRY(give(im, n, 2, v.inverse, err));
    onnx_part last = {.op = GRAPH_OP_MUL, .in = {v.y, n->inputs[1]}, .n_in = 2};
    if (bias != TENSOR_NONE) {
        PTQ_TRY(onnx_add_part(im, n, &last, &v.y, err));
        last = (onnx_part){.op = GRAPH_OP_ADD, .in = {v.y, bias}, .n_in = 2};
    }
    onnx_finish_part(n, &last);
    return PTQ_OK;
}

/* y * scale + bias per channel: a BatchNormalization of mean 0 and variance 1. */
static ptq_status finish_per_channel(onnx_importer *im, node *n, tensor_id y, ptq_error *err)
{
    enum { MAX_CHANNELS = 1 << 20 };
    shape s = graph_tensor(im->g, n->inputs[1])->shape;
    tensor_id stats[2];
    if (!graph_is_const(im->g, n->inputs[1]) || s.rank != 1 || s.dim[0] > MAX_CHANNELS)
        return error_set(err, PTQ_UNSUPPORTED, "its scale is not a constant per channel");
    float *values = arena_alloc(im->file.arena, (size_t)s.dim[0] + 1, sizeof *values);
    if (!values)
        return error_no_memory(err, (size_t)s.dim[0], "a constant");
    PTQ_TRY(add_numbers(im, n, &s, values, &stats[0], err));
    for (int64_t i = 0; i < s.dim[0]; i++)
        values[i] = 1;
    PTQ_TRY(add_numbers(im, n, &s, values, &stats[1], err));
    n->op = GRAPH_OP_BATCH_NORM;
    n->inputs[0] = y;
    n->inputs[3] = stats[0];
    n->inputs[4] = stats[1];
    n->n_inputs = 5;
    n->attr.batch_norm.epsilon = 0;
    return PTQ_OK;
}

ptq_status onnx_read_instance_norm(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                   ptq_error *err)
{
    float epsilon;
    normalised v;
    PTQ_TRY(need_inputs(n, 3, err));
    PTQ_TRY(onnx_attr_float(src, "epsilon", 1e-5f, &epsilon, err));
    v = (normalised){.x = n->inputs[0], .axis = 2, .epsilon = epsilon};
    PTQ_TRY(normalise(im, n, &v, err));
    return finish_per_channel(im, n, v.y, err);
}

/* Since opset 21, with a scale per channel. */
ptq_status onnx_read_group_norm(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                ptq_error *err)
{
    float epsilon;
    int64_t groups;
    normalised v;
    tensor_id target, flat, whole;
    PTQ_TRY(need_inputs(n, 3, err));
    PTQ_TRY(onnx_attr_float(src, "epsilon", 1e-5f, &epsilon, err));
    PTQ_TRY(onnx_attr_int(src, "num_groups", 0, &groups, err));
    if (im->file.opset < 21)
        return error_set(err, PTQ_UNSUPPORTED, "it is supported from opset 21 on");
    if (groups < 1)
        return error_set(err, PTQ_FORMAT, "attribute 'num_groups' is %" PRId64, groups);
    const int64_t dims[] = {0, groups, -1};
    PTQ_TRY(onnx_add_ints(im, n->name, (onnx_ints){"groups", 3, dims}, &target, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_RESHAPE, (tensor_id[]){n->inputs[0], target}, &flat, err));
    v = (normalised){.x = flat, .axis = 2, .epsilon = epsilon};
    PTQ_TRY(normalise(im, n, &v, err));
    PTQ_TRY(add1(im, n, GRAPH_OP_SHAPE, n->inputs[0], &whole, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_RESHAPE, (tensor_id[]){v.y, whole}, &flat, err));
    return finish_per_channel(im, n, flat, err);
}

/* x - max - log(sum(exp(x - max))); before opset 13 over all axes from `axis` on. */
ptq_status onnx_read_log_softmax(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                 ptq_error *err)
{
    int64_t axis;
    tensor_id top, x, sum;
    bool is_flat = im->file.opset < 13;
    PTQ_TRY(need_inputs(n, 1, err));
    PTQ_TRY(onnx_attr_int(src, "axis", is_flat ? 1 : -1, &axis, err));
    if (axis < -SHAPE_MAX_RANK || axis >= SHAPE_MAX_RANK)
        return error_set(err, PTQ_FORMAT, "attribute 'axis' is %" PRId64, axis);
    onnx_part over = {.op = GRAPH_OP_REDUCE_MAX, .in = {n->inputs[0]}, .n_in = 1};
    over.attr.reduce =
        (reduce_attr){.n_axes = 1, .axes = {(int)axis}, .to_end = is_flat, .keep_dims = true};
    PTQ_TRY(onnx_add_part(im, n, &over, &top, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_SUB, (tensor_id[]){n->inputs[0], top}, &x, err));
    over.op = GRAPH_OP_REDUCE_LOG_SUM_EXP;
    over.in[0] = x;
    PTQ_TRY(onnx_add_part(im, n, &over, &sum, err));
    onnx_finish_part(n, &(onnx_part){.op = GRAPH_OP_SUB, .in = {x, sum}, .n_in = 2});
    return PTQ_OK;
}

/* ---- pools ---- */

/* (|x|^p summed over the window)^(1/p): the mean over all of the window, padding too, times its
 * size. */
ptq_status onnx_read_lp_pool(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    int64_t p;
    tensor_id x, power, size, inverse;
    PTQ_TRY(need_inputs(n, 1, err));
    PTQ_TRY(onnx_attr_int(src, "p", 2, &p, err));
    PTQ_TRY(onnx_read_window(im, src, n, err));
    pool_attr *a = &n->attr.pool;
    if (p < 1 || p > 64 || a->ceil_mode)
        return error_set(err, PTQ_UNSUPPORTED, "p = %" PRId64 "%s is not supported", p,
                         a->ceil_mode ? " in ceil mode" : "");
    a->count_include_pad = true;
    onnx_part mean = {.op = GRAPH_OP_AVERAGE_POOL, .n_in = 1, .attr = n->attr, .name = n->name};
    PTQ_TRY(add_number(im, n, (float)p, &power, err));
    PTQ_TRY(add_number(im, n, (float)(a->kernel[0] * a->kernel[1]), &size, err));
    PTQ_TRY(add_number(im, n, 1 / (float)p, &inverse, err));
    PTQ_TRY(add1(im, n, GRAPH_OP_ABS, n->inputs[0], &x, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_POW, (tensor_id[]){x, power}, &mean.in[0], err));
    PTQ_TRY(onnx_add_part(im, n, &mean, &x, err));
    PTQ_TRY(add2(im, n, GRAPH_OP_MUL, (tensor_id[]){x, size}, &x, err));
    onnx_finish_part(n, &(onnx_part){.op = GRAPH_OP_POW, .in = {x, inverse}, .n_in = 2});
    return onnx_rename_last(im, n, err);
}

ptq_status onnx_read_global_lp_pool(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                    ptq_error *err)
{
    int64_t p;
    PTQ_TRY(onnx_attr_int(src, "p", 2, &p, err));
    if (p != 1 && p != 2)
        return error_set(err, PTQ_UNSUPPORTED, "p = %" PRId64 " is not supported", p);
    n->op = p == 1 ? GRAPH_OP_REDUCE_L1 : GRAPH_OP_REDUCE_L2;
    return onnx_read_global_max(im, src, n, err);
}

/* ---- sums ---- */

/* Any number of values, two at a time; `n` is the last addition. */
ptq_status onnx_read_sum(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)src;
    PTQ_TRY(need_inputs(n, n->n_inputs > 0 ? n->n_inputs : 1, err));
    tensor_id sum = n->inputs[0];
    for (int i = 1; i < n->n_inputs - 1; i++)
        PTQ_TRY(add2(im, n, GRAPH_OP_ADD, (tensor_id[]){sum, n->inputs[i]}, &sum, err));
    if (n->n_inputs == 1)
        onnx_finish_part(n, &(onnx_part){.op = GRAPH_OP_IDENTITY, .in = {sum}, .n_in = 1});
    else
        onnx_finish_part(
            n,
            &(onnx_part){.op = GRAPH_OP_ADD, .in = {sum, n->inputs[n->n_inputs - 1]}, .n_in = 2});
    return PTQ_OK;
}

ptq_status onnx_read_mean(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    tensor_id count, sum;
    int n_values = n->n_inputs;
    PTQ_TRY(onnx_read_sum(im, src, n, err));
    PTQ_TRY(add_number(im, n, (float)n_values, &count, err));
    onnx_part last = {.op = n->op, .in = {n->inputs[0], input(n, 1)}, .n_in = n->n_inputs};
    PTQ_TRY(onnx_add_part(im, n, &last, &sum, err));
    onnx_finish_part(n, &(onnx_part){.op = GRAPH_OP_DIV, .in = {sum, count}, .n_in = 2});
    return PTQ_OK;
}
