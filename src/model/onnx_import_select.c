/* SPDX-License-Identifier: Apache-2.0 */
/* Activations with parameters, reductions, and operators that choose or repeat elements. */
#include <inttypes.h>

#include "model/onnx_importer.h"

ptq_status onnx_read_elu(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    return onnx_attr_float(src, "alpha", 1, &n->attr.slope.alpha, err);
}

ptq_status onnx_read_selu(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    PTQ_TRY(onnx_attr_float(src, "alpha", 1.67326319217681884765625f, &n->attr.slope.alpha, err));
    return onnx_attr_float(src, "gamma", 1.05070102214813232421875f, &n->attr.slope.beta, err);
}

ptq_status onnx_read_shrink(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    PTQ_TRY(onnx_attr_float(src, "lambd", 0.5f, &n->attr.slope.alpha, err));
    return onnx_attr_float(src, "bias", 0, &n->attr.slope.beta, err);
}

ptq_status onnx_read_is_inf(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    int64_t negative, positive;
    PTQ_TRY(onnx_attr_int(src, "detect_negative", 1, &negative, err));
    PTQ_TRY(onnx_attr_int(src, "detect_positive", 1, &positive, err));
    n->attr.slope.alpha = negative != 0;
    n->attr.slope.beta = positive != 0;
    return PTQ_OK;
}

ptq_status onnx_read_gelu(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    static const char *const choices[] = {"none", "tanh", NULL};
    int choice;
    PTQ_TRY(onnx_attr_choice(src, "approximate", choices, 0, &choice, err));
    n->attr.slope.alpha = (float)choice;
    return PTQ_OK;
}

ptq_status onnx_read_swish(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im, (void)n;
    float alpha;
    PTQ_TRY(onnx_attr_float(src, "alpha", 1, &alpha, err));
    if (alpha != 1.0f)
        return error_set(err, PTQ_UNSUPPORTED, "alpha %g is not supported", (double)alpha);
    return PTQ_OK;
}

ptq_status onnx_read_mod(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    int64_t is_float;
    PTQ_TRY(onnx_attr_int(src, "fmod", 0, &is_float, err));
    n->attr.mod.is_float = is_float != 0;
    return PTQ_OK;
}

static ptq_status read_small(const Onnx__NodeProto *src, const char *name, int64_t fallback,
                             int *out, ptq_error *err)
{
    int64_t value;
    PTQ_TRY(onnx_attr_int(src, name, fallback, &value, err));
    if (value < -SHAPE_MAX_RANK || value > SHAPE_MAX_RANK)
        return error_set(err, PTQ_FORMAT, "attribute '%s' is %" PRId64, name, value);
    *out = (int)value;
    return PTQ_OK;
}

/* Axes: an attribute first, later an input. */
ptq_status onnx_read_reduce(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    reduce_attr *a = &n->attr.reduce;
    int64_t axes[SHAPE_MAX_RANK], keep, noop;
    PTQ_TRY(onnx_attr_int(src, "keepdims", 1, &keep, err));
    PTQ_TRY(onnx_attr_int(src, "noop_with_empty_axes", 0, &noop, err));
    PTQ_TRY(onnx_attr_ints(src, "axes", SHAPE_MAX_RANK, axes, &a->n_axes, err));
    for (int i = 0; i < a->n_axes; i++) {
        if (axes[i] < -SHAPE_MAX_RANK || axes[i] >= SHAPE_MAX_RANK)
            return error_set(err, PTQ_FORMAT, "attribute 'axes' names axis %" PRId64, axes[i]);
        a->axes[i] = (int)axes[i];
    }
    a->keep_dims = keep != 0;
    a->empty_is_none = noop != 0;
    return PTQ_OK;
}

ptq_status onnx_read_arg(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    int64_t keep, last;
    PTQ_TRY(read_small(src, "axis", 0, &n->attr.reduce.axes[0], err));
    PTQ_TRY(onnx_attr_int(src, "keepdims", 1, &keep, err));
    PTQ_TRY(onnx_attr_int(src, "select_last_index", 0, &last, err));
    n->attr.reduce.n_axes = 1;
    n->attr.reduce.keep_dims = keep != 0;
    n->attr.reduce.select_last = last != 0;
    return PTQ_OK;
}

ptq_status onnx_read_global_max(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                ptq_error *err)
{
    (void)im, (void)src, (void)err;
    n->attr.reduce = (reduce_attr){.n_axes = 1, .axes = {2}, .to_end = true, .keep_dims = true};
    return PTQ_OK;
}

/* k: an attribute before opset 10, an input since. */
ptq_status onnx_read_top_k(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    int64_t largest, k;
    PTQ_TRY(read_small(src, "axis", -1, &n->attr.top.axis, err));
    PTQ_TRY(onnx_attr_int(src, "largest", 1, &largest, err));
    PTQ_TRY(onnx_attr_int(src, "k", 0, &k, err));
    n->attr.top.largest = largest != 0;
    if (!onnx_attr(src, "k") || n->n_inputs != 1)
        return PTQ_OK;
    n->n_inputs = 2;
    return onnx_add_ints(im, n->name, (onnx_ints){"k", 1, &k}, &n->inputs[1], err);
}

/* Amounts and value: attributes before opset 11, inputs since. */
ptq_status onnx_read_pad(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    static const char *const modes[] = {"constant", "edge", "reflect", "wrap", NULL};
    static const pad_mode kinds[] = {PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP};
    int64_t amounts[SHAPE_MAX_RANK];
    int mode, count;
    float value;
    PTQ_TRY(onnx_attr_choice(src, "mode", modes, 0, &mode, err));
    PTQ_TRY(onnx_attr_ints(src, "pads", SHAPE_MAX_RANK, amounts, &count, err));
    PTQ_TRY(onnx_attr_float(src, "value", 0, &value, err));
    n->attr.pad.mode = kinds[mode];
    if (n->n_inputs != 1)
        return PTQ_OK;
    if (value != 0.0f)
        return error_set(err, PTQ_UNSUPPORTED, "padding with %g is not supported before opset 11",
                         (double)value);
    n->n_inputs = 2;
    return onnx_add_ints(im, n->name, (onnx_ints){"pads", count, amounts}, &n->inputs[1], err);
}

/* DepthToSpace and SpaceToDepth. */
ptq_status onnx_read_space(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    static const char *const modes[] = {"DCR", "CRD", NULL};
    int64_t block;
    int mode;
    PTQ_TRY(onnx_attr_int(src, "blocksize", 0, &block, err));
    PTQ_TRY(onnx_attr_choice(src, "mode", modes, 0, &mode, err));
    if (block < 1 || block > 64)
        return error_set(err, PTQ_FORMAT, "attribute 'blocksize' is %" PRId64, block);
    n->attr.space.block = (int)block;
    n->attr.space.order = mode ? SPACE_CRD : SPACE_DCR;
    return PTQ_OK;
}

static int at_most_rank(int64_t axis)
{
    return axis < -SHAPE_MAX_RANK  ? -SHAPE_MAX_RANK
           : axis > SHAPE_MAX_RANK ? SHAPE_MAX_RANK
                                   : (int)axis;
}

ptq_status onnx_read_shape(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    int64_t start, end;
    PTQ_TRY(onnx_attr_int(src, "start", 0, &start, err));
    PTQ_TRY(onnx_attr_int(src, "end", 0, &end, err));
    n->attr.span.start = at_most_rank(start);
    n->attr.span.end = at_most_rank(end);
    n->attr.span.is_part = onnx_attr(src, "end") != NULL;
    return PTQ_OK;
}

/* Like a Cast to the type of its second input, which is known once that is. */
ptq_status onnx_read_cast_like(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                               ptq_error *err)
{
    (void)src;
    if (n->n_inputs != 2 || n->inputs[1] == TENSOR_NONE)
        return error_set(err, PTQ_FORMAT, "it has %d inputs, not 2", n->n_inputs);
    return onnx_set_pending(im, n, ONNX_TYPE_OF_INPUT, err);
}
