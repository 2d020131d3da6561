/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, pools and Resize: the operators with a window over height and width. */
#include <inttypes.h>
#include <string.h>

#include "model/onnx_importer.h"

/* One or two values per spatial axis, as the file gives them; `n` values are expected. */
typedef struct window_list {
    const char *name;
    int n;
    int64_t fallback;
    int64_t min;
} window_list;

static ptq_status read_list(const Onnx__NodeProto *src, const window_list *w, int *out,
                            ptq_error *err)
{
    enum { MAX = 1 << 15 };
    int64_t values[4];
    int n;
    PTQ_TRY(onnx_attr_ints(src, w->name, 4, values, &n, err));
    if (n != 0 && n != w->n)
        return error_set(err, PTQ_UNSUPPORTED,
                         "attribute '%s' has %d values, not %d: only [N,C,H,W] is supported",
                         w->name, n, w->n);
    for (int i = 0; i < w->n; i++) {
        int64_t v = n ? values[i] : w->fallback;
        if (v < w->min || v > MAX)
            return error_set(err, PTQ_FORMAT, "attribute '%s' is %" PRId64, w->name, v);
        out[i] = (int)v;
    }
    return PTQ_OK;
}

/* auto_pad: explicit pads, none, or such that the output has ceil(in / stride) pixels. */
static ptq_status read_auto_pad(onnx_importer *im, const Onnx__NodeProto *src, const node *n,
                                int pad[4], ptq_error *err)
{
    static const char *const choices[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", NULL};
    int choice;
    PTQ_TRY(onnx_attr_choice(src, "auto_pad", choices, 0, &choice, err));
    if (choice != 0)
        memset(pad, 0, 4 * sizeof *pad);
    if (choice < 2)
        return PTQ_OK;
    return onnx_set_pending(im, n, choice == 2 ? ONNX_SAME_UPPER : ONNX_SAME_LOWER, err);
}

ptq_status onnx_read_conv(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    conv_attr *a = &n->attr.conv;
    int64_t groups;
    /* Without kernel_shape the weight says it, once its shape is known (onnx_import_settle.c). */
    PTQ_TRY(read_list(src, &(window_list){"kernel_shape", 2, 0, 0}, a->kernel, err));
    PTQ_TRY(read_list(src, &(window_list){"strides", 2, 1, 1}, a->stride, err));
    PTQ_TRY(read_list(src, &(window_list){"dilations", 2, 1, 1}, a->dilation, err));
    PTQ_TRY(read_list(src, &(window_list){"pads", 4, 0, 0}, a->pad, err));
    PTQ_TRY(read_list(src, &(window_list){"output_padding", 2, 0, 0}, a->output_pad, err));
    PTQ_TRY(onnx_attr_int(src, "group", 1, &groups, err));
    if (groups < 1 || groups > 1 << 20)
        return error_set(err, PTQ_FORMAT, "attribute 'group' is %" PRId64, groups);
    a->groups = (int)groups;
    if (onnx_attr(src, "output_shape"))
        return error_set(err, PTQ_UNSUPPORTED, "attribute 'output_shape' is not supported");
    PTQ_TRY(read_auto_pad(im, src, n, a->pad, err));
    int64_t pending;
    if (n->op == GRAPH_OP_CONV_TRANSPOSE && strmap_get(im->pending, n->name, &pending))
        return error_set(err, PTQ_UNSUPPORTED, "auto_pad is not supported here");
    return PTQ_OK;
}

ptq_status onnx_read_pool(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    pool_attr *a = &n->attr.pool;
    int64_t ceil_mode, include_pad;
    if (!onnx_attr(src, "kernel_shape"))
        return error_set(err, PTQ_FORMAT, "attribute 'kernel_shape' is missing");
    PTQ_TRY(read_list(src, &(window_list){"kernel_shape", 2, 1, 1}, a->kernel, err));
    PTQ_TRY(read_list(src, &(window_list){"strides", 2, 1, 1}, a->stride, err));
    PTQ_TRY(read_list(src, &(window_list){"dilations", 2, 1, 1}, a->dilation, err));
    PTQ_TRY(read_list(src, &(window_list){"pads", 4, 0, 0}, a->pad, err));
    PTQ_TRY(onnx_attr_int(src, "ceil_mode", 0, &ceil_mode, err));
    PTQ_TRY(onnx_attr_int(src, "count_include_pad", 0, &include_pad, err));
    a->ceil_mode = ceil_mode != 0;
    a->count_include_pad = include_pad != 0;
    return read_auto_pad(im, src, n, a->pad, err);
}

/* Opset 10 has (x, scales) and computes as asymmetric floor; later ones have (x, roi, scales,
 * sizes) and say how. The graph reads scales and sizes at 2 and 3. */
static ptq_status read_resize_10(const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    static const char *const modes[] = {"nearest", "linear", NULL};
    resize_attr *a = &n->attr.resize;
    int mode;
    PTQ_TRY(onnx_attr_choice(src, "mode", modes, 0, &mode, err));
    a->mode = mode ? RESIZE_LINEAR : RESIZE_NEAREST;
    a->coord = RESIZE_ASYMMETRIC;
    a->nearest = RESIZE_FLOOR;
    if (n->n_inputs >= 2) {
        n->inputs[2] = n->inputs[1];
        n->inputs[1] = TENSOR_NONE;
        n->n_inputs = 3;
    }
    return PTQ_OK;
}

/* axes: absent, all four, or height and width. */
static ptq_status check_resize_axes(const Onnx__NodeProto *src, ptq_error *err)
{
    int64_t axes[SHAPE_MAX_RANK];
    int n;
    PTQ_TRY(onnx_attr_ints(src, "axes", SHAPE_MAX_RANK, axes, &n, err));
    bool good = n == 0 || n == 2 || n == 4;
    for (int i = 0; good && i < n; i++)
        good = axes[i] == 4 - n + i || axes[i] == i - n;
    if (!good)
        return error_set(err, PTQ_UNSUPPORTED, "only height and width can be resized, in order");
    return PTQ_OK;
}

ptq_status onnx_read_resize(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    if (im->file.opset < 11)
        return read_resize_10(src, n, err);
    static const char *const modes[] = {"nearest", "linear", NULL};
    static const char *const coords[] = {"asymmetric", "half_pixel", "pytorch_half_pixel",
                                         "align_corners", NULL};
    static const char *const roundings[] = {"floor", "ceil", "round_prefer_floor",
                                            "round_prefer_ceil", NULL};
    static const char *const policies[] = {"stretch", NULL};
    resize_attr *a = &n->attr.resize;
    int mode, coord, rounding, policy;
    int64_t antialias;
    PTQ_TRY(onnx_attr_choice(src, "mode", modes, 0, &mode, err));
    PTQ_TRY(onnx_attr_choice(src, "coordinate_transformation_mode", coords, 1, &coord, err));
    PTQ_TRY(onnx_attr_choice(src, "nearest_mode", roundings, 2, &rounding, err));
    PTQ_TRY(onnx_attr_choice(src, "keep_aspect_ratio_policy", policies, 0, &policy, err));
    PTQ_TRY(onnx_attr_int(src, "antialias", 0, &antialias, err));
    PTQ_TRY(check_resize_axes(src, err));
    if (antialias)
        return error_set(err, PTQ_UNSUPPORTED, "antialias is not supported");
    a->mode = (resize_mode)mode;
    a->coord = (resize_coord)coord;
    a->nearest = (resize_nearest)rounding;
    if (n->n_inputs >= 2)
        n->inputs[1] = TENSOR_NONE; /* the region of interest belongs to a mode we do not have */
    return PTQ_OK;
}

/* Upsample: scales as an attribute (7, 8) or as the second input (9). */
ptq_status onnx_read_upsample(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                              ptq_error *err)
{
    (void)im;
    const Onnx__AttributeProto *a = onnx_attr(src, "scales");
    if (a && (a->n_floats != 4 || a->floats[0] != 1 || a->floats[1] != 1))
        return error_set(err, PTQ_UNSUPPORTED, "only height and width can be resized");
    PTQ_TRY(read_resize_10(src, n, err));
    for (int i = 0; a && i < 2; i++)
        n->attr.resize.scale[i] = a->floats[2 + i];
    return PTQ_OK;
}
