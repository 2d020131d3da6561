/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions: weights are packed here, once. */
#include <string.h>

#include "base/half.h"
#include "base/mem.h"
#include "engine/build.h"
#include "graph/fusion.h"

/* Everything a convolution needs before it is created. */
typedef struct conv_job {
    conv_desc desc;
    conv_weights weights;
    float *own_weights; /* rounded copy, or NULL */
    value_id src, dst;
    const char *precision;
} conv_job;

/* By its instructions; the reference simulates them. */
static bool has_bf16(const builder *b)
{
    return b->options->level >= CPU_AVX512BF16 || b->options->level == CPU_REF;
}

/* A simulated quantized convolution. The next quantizer rounds its sums to codes, and a code more
 * or less grows from layer to layer: they are kept as near to the integers' as float32 can be. */
static bool reads_codes(const builder *b, const node *n)
{
    node_id from = graph_producer(b->g, n->inputs[0]);
    return from != NODE_NONE && graph_node_const(b->g, from)->op == GRAPH_OP_DEQUANTIZE_LINEAR;
}

conv_desc bind_conv_desc(const builder *b, const node *n)
{
    const conv_attr *a = &n->attr.conv;
    const tensor *x = graph_tensor_const(b->g, n->inputs[0]);
    const tensor *y = graph_tensor_const(b->g, n->outputs[0]);
    conv_desc made = {.groups = a->groups,
                      .act = bind_activation(&a->act),
                      .src = view_nhwc(x->type, x->shape.dim, x->shape.dim[1]),
                      .dst = view_nhwc(y->type, y->shape.dim, y->shape.dim[1]),
                      .threads = b->options->threads};
    conv_desc *d = &made;
    for (int i = 0; i < 2; i++) {
        d->kernel[i] = a->kernel[i];
        d->stride[i] = a->stride[i];
        d->dilation[i] = a->dilation[i];
        d->pad[i] = a->pad[i];
    }
    if (n->op == GRAPH_OP_QCONV) {
        d->math = CONV_INT8;
        d->x_scale = a->x_scale;
        d->x_zero = a->x_zero;
        d->out_scale = a->out_scale;
        d->out_zero = a->out_zero;
        d->out_from_half = a->out_from_half;
        d->exact = b->options->exact;
    } else if (a->compute == COMPUTE_BF16 && has_bf16(b)) {
        d->math = CONV_BF16;
        d->src.type = DTYPE_BF16;
    } else {
        d->math = CONV_F32;
        d->is_direct = reads_codes(b, n) || b->options->without & FUSION_WINOGRAD;
        d->src.type = d->dst.type = DTYPE_F32;
    }
    return made;
}

static layout source_layout(const builder *b, const conv_desc *d)
{
    return conv_best(d, b->options->level)->takes_strides ? LAYOUT_NHWC : LAYOUT_PACKED;
}

static ptq_status typed_constant(builder *b, tensor_id id, dtype type, const char *what,
                                 const void **data)
{
    const tensor *t = graph_tensor_const(b->g, id);
    if (t->type != type)
        return error_set(b->err, PTQ_UNSUPPORTED, "the %s of node '%s' is %s, not %s", what,
                         b->node->name, dtype_name(t->type), dtype_name(type));
    return build_constant_data(b, id, what, data);
}

static ptq_status finish(builder *b, conv_job *j)
{
    conv *c = NULL;
    conv_desc *d = &j->desc;
    d->src = *build_view(b, j->src);
    d->dst = *build_view(b, j->dst);
    PTQ_TRY(conv_create(d, &j->weights, b->e->shared->convs, &c, b->err));
    ptq_status status = build_conv(b, c, j->src, j->dst, j->precision);
    if (status != PTQ_OK)
        conv_destroy(c);
    return status;
}

static ptq_status add_unary(builder *b, unary_op op, value_id from, value_id to)
{
    value_id operands[] = {from, to};
    kernel_param param = {.unary = {.op = op}};
    return build_kernel(b, &(kernel_request){KERNEL_UNARY, param, operands, NULL, 2});
}

static ptq_status round_weights(builder *b, const conv_desc *d, conv_job *j, bool to_f16)
{
    size_t n = (size_t)(d->dst.dim[1] * conv_depth(d));
    const float *from = j->weights.weight;
    j->own_weights = mem_array(n, sizeof *j->own_weights);
    if (!j->own_weights)
        return error_no_memory(b->err, n * sizeof *j->own_weights, "rounded weights");
    for (size_t i = 0; i < n; i++)
        j->own_weights[i] = to_f16 ? half_to_float(half_from_float(from[i]))
                                   : bfloat_to_float(bfloat_from_float(from[i]));
    j->weights.weight = j->own_weights;
    j->weights.is_lasting = false;
    return PTQ_OK;
}

/* float16 in simulation: inputs, weights and results are rounded, sums are float32. */
static ptq_status conv_f16(builder *b, const node *n, conv_job *j)
{
    value_id dst = j->dst, raw, rounded;
    PTQ_TRY(build_input(b, n->inputs[0], source_layout(b, &j->desc), DTYPE_F32, &raw));
    view v = *build_view(b, raw);
    PTQ_TRY(build_temporary(b, &v, &rounded));
    PTQ_TRY(add_unary(b, UNARY_ROUND_F16, raw, rounded));
    j->src = rounded;
    j->precision = "fp16";
    PTQ_TRY(round_weights(b, &j->desc, j, true));
    PTQ_TRY(finish(b, j));
    return add_unary(b, UNARY_ROUND_F16, dst, dst);
}

/* bfloat16: by its instructions, or where there are none with float32 on rounded values, which
 * gives the same products. */
static ptq_status conv_bf16(builder *b, const node *n, conv_job *j)
{
    j->precision = "bf16";
    PTQ_TRY(build_input(b, n->inputs[0], source_layout(b, &j->desc), DTYPE_BF16, &j->src));
    if (has_bf16(b))
        return finish(b, j);
    value_id dst = j->dst, narrow = j->src;
    view wide = *build_view(b, narrow);
    wide.type = DTYPE_F32;
    PTQ_TRY(build_temporary(b, &wide, &j->src));
    PTQ_TRY(build_copy(b, narrow, j->src));
    PTQ_TRY(round_weights(b, &j->desc, j, false));
    wide = *build_view(b, dst);
    if (wide.type == DTYPE_F32)
        return finish(b, j);
    wide.type = DTYPE_F32;
    PTQ_TRY(build_temporary(b, &wide, &j->dst));
    PTQ_TRY(finish(b, j));
    return build_copy(b, j->dst, dst);
}

static ptq_status conv_float(builder *b, const node *n, conv_job *j)
{
    const void *data;
    PTQ_TRY(typed_constant(b, n->inputs[1], DTYPE_F32, "weight", &j->weights.weight));
    j->weights.is_lasting = graph_is_const(b->g, n->inputs[1]);
    if (bind_has_input(n, 2)) {
        PTQ_TRY(typed_constant(b, n->inputs[2], DTYPE_F32, "bias", &data));
        j->weights.bias = data;
    }
    PTQ_TRY(build_output(b, n->outputs[0], &j->dst));
    if (n->attr.conv.compute == COMPUTE_BF16)
        return conv_bf16(b, n, j);
    if (n->attr.conv.compute == COMPUTE_F16_SIM)
        return conv_f16(b, n, j);
    j->precision = "fp32";
    PTQ_TRY(build_input(b, n->inputs[0], source_layout(b, &j->desc), DTYPE_F32, &j->src));
    return finish(b, j);
}

ptq_status bind_conv(builder *b, const node *n)
{
    conv_job j = {.desc = bind_conv_desc(b, n)};
    ptq_status status = conv_float(b, n, &j);
    mem_free(j.own_weights);
    return status;
}

ptq_status bind_qconv(builder *b, const node *n)
{
    const void *scales, *bias = NULL;
    conv_job j = {.desc = bind_conv_desc(b, n), .precision = "int8"};
    PTQ_TRY(typed_constant(b, n->inputs[1], DTYPE_I8, "weight", &j.weights.weight));
    j.weights.is_lasting = graph_is_const(b->g, n->inputs[1]);
    PTQ_TRY(typed_constant(b, n->inputs[2], DTYPE_F32, "weight scale", &scales));
    if (bind_has_input(n, 3))
        PTQ_TRY(typed_constant(b, n->inputs[3], DTYPE_F32, "bias", &bias));
    j.weights.w_scale = scales;
    j.weights.bias = bias;
    const shape *s = &graph_tensor_const(b->g, n->inputs[2])->shape;
    size_t n_scales;
    if (!shape_count(s, &n_scales) ||
        n_scales != (size_t)graph_tensor_const(b->g, n->outputs[0])->shape.dim[1])
        return error_set(b->err, PTQ_SHAPE, "node '%s' needs one weight scale per output channel",
                         n->name);
    dtype type = graph_tensor_const(b->g, n->inputs[0])->type;
    PTQ_TRY(build_input(b, n->inputs[0], source_layout(b, &j.desc), type, &j.src));
    PTQ_TRY(build_output(b, n->outputs[0], &j.dst));
    return finish(b, &j);
}

ptq_status bind_conv_transpose(builder *b, const node *n)
{
    const conv_attr *a = &n->attr.conv;
    deconv_param p = {.groups = a->groups, .act = bind_activation(&a->act)};
    for (int i = 0; i < 2; i++) {
        p.stride[i] = a->stride[i];
        p.dilation[i] = a->dilation[i];
        p.pad[i] = a->pad[i];
    }
    value_id operands[4] = {0, 0, VALUE_NONE, 0};
    view views[4];
    for (int i = 0; i < 3; i++) {
        views[i] = (view){.type = DTYPE_F32, .rank = 1};
        if (!bind_has_input(n, i))
            continue;
        dtype type = graph_tensor_const(b->g, n->inputs[i])->type;
        PTQ_TRY(build_input(b, n->inputs[i], i ? LAYOUT_DENSE : LAYOUT_NHWC, type, &operands[i]));
        views[i] = *build_view(b, operands[i]);
    }
    PTQ_TRY(build_output(b, n->outputs[0], &operands[3]));
    views[3] = *build_view(b, operands[3]);
    kernel_param param = {.deconv = p};
    return build_kernel(b, &(kernel_request){KERNEL_CONV_TRANSPOSE, param, operands, views, 4});
}
