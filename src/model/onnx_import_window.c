/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions, pools and Resize: the operators with a window over height and width. */
#include <inttypes.h>
#include <string.h>

#include "model/onnx_importer.h"

/* One value per spatial axis, or one for each of its ends, as the file gives them. */
typedef struct window_list {
    const char *name;
    bool has_ends;
    int64_t fallback;
    int64_t min;
} window_list;

/* With one axis the window is that of an image of height 1. */
static ptq_status read_list(const Onnx__NodeProto *src, const window_list *w, int n_axes, int *out,
                            ptq_error *err)
{
    enum { MAX = 1 << 15 };
    int64_t values[4];
    int n, wanted = w->has_ends ? 2 * n_axes : n_axes;
    PTQ_TRY(onnx_attr_ints(src, w->name, 4, values, &n, err));
    if (n != 0 && n != wanted)
        return error_set(err, PTQ_UNSUPPORTED,
                         "attribute '%s' has %d values, not %d: only [N,C,H,W] and [N,C,L] are "
                         "supported",
                         w->name, n, wanted);
    for (int i = 0; i < (w->has_ends ? 4 : 2); i++) {
        bool is_there = n_axes == 2 || i % 2 == 1;
        int64_t v = !is_there ? (w->has_ends ? 0 : 1)
                    : n       ? values[n_axes == 2 ? i : i / 2]
                              : w->fallback;
        if (is_there && (v < w->min || v > MAX))
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
    bool has_shape = n->op == GRAPH_OP_CONV_TRANSPOSE && n->attr.conv.out_size[1] > 0;
    if (choice < 2)
        return has_shape ? onnx_set_pending(im, n, ONNX_OUTPUT_SHAPE, err) : PTQ_OK;
    return onnx_set_pending(im, n, choice == 2 ? ONNX_SAME_UPPER : ONNX_SAME_LOWER, err);
}

/* output_shape: of the spatial axes, some files give all. */
static ptq_status read_out_size(const Onnx__NodeProto *src, int n_axes, int out[2], ptq_error *err)
{
    int64_t values[4];
    int n;
    PTQ_TRY(onnx_attr_ints(src, "output_shape", 4, values, &n, err));
    for (int i = 0; n > 0 && i < 2; i++) {
        int at = n - 2 + i;
        bool is_there = n_axes == 2 || i == 1;
        int64_t v = at >= 0 && is_there ? values[at] : 1;
        if (n < n_axes || v < 1 || v > 1 << 20)
            return error_set(err, PTQ_FORMAT, "attribute 'output_shape' asks for %" PRId64, v);
        out[i] = (int)v;
    }
    return PTQ_OK;
}

static ptq_status read_conv(onnx_importer *im, const Onnx__NodeProto *src, node *n, int n_axes,
                            ptq_error *err)
{
    conv_attr *a = &n->attr.conv;
    int64_t groups;
    /* Without kernel_shape the weight says it, once its shape is known (onnx_import_settle.c). */
    PTQ_TRY(read_list(src, &(window_list){"kernel_shape", false, 0, 0}, n_axes, a->kernel, err));
    PTQ_TRY(read_list(src, &(window_list){"strides", false, 1, 1}, n_axes, a->stride, err));
    PTQ_TRY(read_list(src, &(window_list){"dilations", false, 1, 1}, n_axes, a->dilation, err));
    PTQ_TRY(read_list(src, &(window_list){"pads", true, 0, 0}, n_axes, a->pad, err));
    PTQ_TRY(
        read_list(src, &(window_list){"output_padding", false, 0, 0}, n_axes, a->output_pad, err));
    PTQ_TRY(read_out_size(src, n_axes, a->out_size, err));
    PTQ_TRY(onnx_attr_int(src, "group", 1, &groups, err));
    if (groups < 1 || groups > 1 << 20)
        return error_set(err, PTQ_FORMAT, "attribute 'group' is %" PRId64, groups);
    a->groups = (int)groups;
    if (n_axes == 1)
        a->output_pad[0] = 0;
    return read_auto_pad(im, src, n, a->pad, err);
}

static ptq_status read_pool(onnx_importer *im, const Onnx__NodeProto *src, node *n, int n_axes,
                            ptq_error *err)
{
    pool_attr *a = &n->attr.pool;
    int64_t ceil_mode, include_pad, order;
    if (!onnx_attr(src, "kernel_shape"))
        return error_set(err, PTQ_FORMAT, "attribute 'kernel_shape' is missing");
    PTQ_TRY(read_list(src, &(window_list){"kernel_shape", false, 1, 1}, n_axes, a->kernel, err));
    PTQ_TRY(read_list(src, &(window_list){"strides", false, 1, 1}, n_axes, a->stride, err));
    PTQ_TRY(read_list(src, &(window_list){"dilations", false, 1, 1}, n_axes, a->dilation, err));
    PTQ_TRY(read_list(src, &(window_list){"pads", true, 0, 0}, n_axes, a->pad, err));
    PTQ_TRY(onnx_attr_int(src, "ceil_mode", 0, &ceil_mode, err));
    PTQ_TRY(onnx_attr_int(src, "count_include_pad", 0, &include_pad, err));
    PTQ_TRY(onnx_attr_int(src, "storage_order", 0, &order, err));
    a->ceil_mode = ceil_mode != 0;
    a->count_include_pad = include_pad != 0;
    a->column_major = order != 0;
    return read_auto_pad(im, src, n, a->pad, err);
}

static bool is_pool(const Onnx__NodeProto *src)
{
    return strstr(src->op_type, "Pool") != NULL;
}

ptq_status onnx_read_window(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    return is_pool(src) ? read_pool(im, src, n, 2, err) : read_conv(im, src, n, 2, err);
}

/* How many axes the window has: its lists tell, else the weight. */
static int count_axes(const onnx_importer *im, const Onnx__NodeProto *src)
{
    static const char *const lists[] = {"kernel_shape", "strides", "dilations"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const Onnx__AttributeProto *a = onnx_attr(src, lists[i]);
        if (a && a->n_ints > 0)
            return a->n_ints == 1 ? 1 : 2;
    }
    shape s;
    const onnx_constant *w =
        !is_pool(src) && src->n_input > 1 ? onnx_find_constant(im, src->input[1]) : NULL;
    return w && onnx_constant_shape(w, &s, NULL) == PTQ_OK && s.rank == 3 ? 1 : 2;
}

/* [A,B,L] as [A,B,1,L]. */
static ptq_status lift(onnx_importer *im, const node *n, tensor_id x, tensor_id *out,
                       ptq_error *err)
{
    const tensor *t = graph_tensor(im->g, x);
    if (t->data && t->shape.rank == 3) { /* a weight stays one */
        shape s = shape4(t->shape.dim[0], t->shape.dim[1], 1, t->shape.dim[2]);
        const char *name = graph_unique_name(im->g, t->name);
        return name ? graph_add_const(im->g, name, t->type, &s, t->data, out, err)
                    : error_no_memory(err, 0, "a name");
    }
    onnx_part p = {.op = GRAPH_OP_UNSQUEEZE, .in = {x}, .n_in = 1};
    p.attr.perm = (perm_attr){.rank = 1, .perm = {2}};
    return onnx_add_part(im, n, &p, out, err);
}

/* A window along one axis: the same on an image of height 1. */
static ptq_status flatten_window(onnx_importer *im, node *n, ptq_error *err)
{
    onnx_part p = {.op = n->op, .n_in = n->n_inputs, .attr = n->attr, .name = n->name};
    bool is_conv = n->op == GRAPH_OP_CONV || n->op == GRAPH_OP_CONV_TRANSPOSE;
    if (n->n_outputs > 1)
        return error_set(err, PTQ_UNSUPPORTED, "indices along one axis are not supported");
    if (n->n_inputs < 1 || n->n_inputs > 3 || n->inputs[0] == TENSOR_NONE ||
        (is_conv && (n->n_inputs < 2 || n->inputs[1] == TENSOR_NONE)))
        return error_set(err, PTQ_FORMAT, "it has %d inputs", n->n_inputs);
    for (int i = 0; i < n->n_inputs; i++)
        p.in[i] = n->inputs[i];
    for (int i = 0; i < (is_conv ? 2 : 1); i++)
        PTQ_TRY(lift(im, n, n->inputs[i], &p.in[i], err));
    onnx_part last = {.op = GRAPH_OP_SQUEEZE, .n_in = 1};
    last.attr.perm = (perm_attr){.rank = 1, .perm = {2}};
    PTQ_TRY(onnx_add_part(im, n, &p, &last.in[0], err));
    onnx_finish_part(n, &last);
    return onnx_rename_last(im, n, err);
}

ptq_status onnx_read_conv(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    int n_axes = count_axes(im, src);
    PTQ_TRY(read_conv(im, src, n, n_axes, err));
    return n_axes == 2 ? PTQ_OK : flatten_window(im, n, err);
}

ptq_status onnx_read_pool(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    int n_axes = count_axes(im, src);
    PTQ_TRY(read_pool(im, src, n, n_axes, err));
    return n_axes == 2 ? PTQ_OK : flatten_window(im, n, err);
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

/* axes: absent, all four, or height and width in either order. */
static ptq_status read_resize_axes(const Onnx__NodeProto *src, resize_attr *a, ptq_error *err)
{
    int64_t axes[SHAPE_MAX_RANK];
    int n;
    PTQ_TRY(onnx_attr_ints(src, "axes", SHAPE_MAX_RANK, axes, &n, err));
    bool good = n == 0 || n == 2 || n == 4;
    a->is_swapped = n == 2 && (axes[0] == 3 || axes[0] == -1);
    for (int i = 0; good && i < n; i++) {
        int at = a->is_swapped ? 1 - i : i;
        good = axes[i] == 4 - n + at || axes[i] == at - n;
    }
    if (!good)
        return error_set(err, PTQ_UNSUPPORTED, "only height and width can be resized");
    if (a->fit != RESIZE_STRETCH && n != 2)
        return error_set(err, PTQ_UNSUPPORTED,
                         "keep_aspect_ratio_policy is supported for the axes 2 and 3 alone");
    return PTQ_OK;
}

/* What the filters have beside their mode. */
static ptq_status read_filter(const Onnx__NodeProto *src, resize_attr *a, ptq_error *err)
{
    int64_t antialias, exclude;
    PTQ_TRY(onnx_attr_int(src, "antialias", 0, &antialias, err));
    PTQ_TRY(onnx_attr_int(src, "exclude_outside", 0, &exclude, err));
    PTQ_TRY(onnx_attr_float(src, "cubic_coeff_a", -0.75f, &a->cubic_a, err));
    PTQ_TRY(onnx_attr_float(src, "extrapolation_value", 0, &a->outside, err));
    bool is_near = a->mode == RESIZE_NEAREST;
    a->antialias = antialias && !is_near;
    a->exclude_outside = exclude && a->mode == RESIZE_CUBIC;
    if (is_near && a->coord >= RESIZE_HALF_PIXEL_SYMMETRIC)
        return error_set(err, PTQ_UNSUPPORTED,
                         "half_pixel_symmetric and tf_crop_and_resize are not supported for the "
                         "nearest pixel");
    return PTQ_OK;
}

ptq_status onnx_read_resize(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    if (im->file.opset < 11)
        return read_resize_10(src, n, err);
    static const char *const modes[] = {"nearest", "linear", "cubic", NULL};
    static const char *const coords[] = {"asymmetric",
                                         "half_pixel",
                                         "pytorch_half_pixel",
                                         "align_corners",
                                         "half_pixel_symmetric",
                                         "tf_crop_and_resize",
                                         NULL};
    static const char *const roundings[] = {"floor", "ceil", "round_prefer_floor",
                                            "round_prefer_ceil", NULL};
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller", NULL};
    resize_attr *a = &n->attr.resize;
    int mode, coord, rounding, policy;
    PTQ_TRY(onnx_attr_choice(src, "mode", modes, 0, &mode, err));
    PTQ_TRY(onnx_attr_choice(src, "coordinate_transformation_mode", coords, 1, &coord, err));
    PTQ_TRY(onnx_attr_choice(src, "nearest_mode", roundings, 2, &rounding, err));
    PTQ_TRY(onnx_attr_choice(src, "keep_aspect_ratio_policy", policies, 0, &policy, err));
    a->mode = (resize_mode)mode;
    a->coord = (resize_coord)coord;
    a->nearest = (resize_nearest)rounding;
    a->fit = (resize_fit)policy;
    PTQ_TRY(read_resize_axes(src, a, err));
    if (n->n_inputs >= 2 && a->coord != RESIZE_CROP)
        n->inputs[1] = TENSOR_NONE; /* the region of interest belongs to that mode */
    return read_filter(src, a, err);
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
