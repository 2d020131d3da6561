/* SPDX-License-Identifier: Apache-2.0 */
/* From a node's attributes to ONNX's: parameters that the graph keeps as attributes become inputs
 * again where opset 13 and later want them so. */
#include <inttypes.h>
#include <math.h>

#include "base/half.h"
#include "model/onnx_exporter.h"

static bool has_input(const node *n, int i)
{
    return n->n_inputs > i && n->inputs[i] != TENSOR_NONE;
}

static const shape *shape_of(const onnx_exporter *e, tensor_id id)
{
    return &graph_tensor_const(e->g, id)->shape;
}

/* Our first `n` inputs, then more names; the node's own name and output. */
static onnx_node *add_with(onnx_exporter *e, const node *n, int n_inputs, const char *const *more,
                           int n_more)
{
    for (int i = 0; i < n_inputs; i++)
        e->list[i] = onnx_export_tensor(e, n->inputs[i]);
    for (int i = 0; i < n_more; i++)
        e->list[n_inputs + i] = more[i];
    return onnx_writer_node(e->w, graph_op_name(n->op), n->name, e->list, n_inputs + n_more,
                            onnx_export_tensor(e, n->outputs[0]));
}

static ptq_status write_plain(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_export_same(e, n, graph_op_name(n->op));
    return PTQ_OK;
}

static ptq_status write_axis(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, graph_op_name(n->op));
    onnx_node_int(e->w, out, "axis", n->attr.axis.axis);
    return PTQ_OK;
}

/* TensorRT takes 0 for an absent axis, ONNX 1: with several scales it is always written. */
static ptq_status write_quantizer(onnx_exporter *e, const node *n, ptq_error *err)
{
    size_t n_scales = 0;
    dtype coded = graph_tensor_const(e->g, n->inputs[0])->type;
    if (n->op == GRAPH_OP_QUANTIZE_LINEAR)
        coded = graph_tensor_const(e->g, n->outputs[0])->type;
    if ((coded == DTYPE_I16 || coded == DTYPE_U16) && onnx_writer_opset(e->w) < 21)
        return error_set(err, PTQ_UNSUPPORTED,
                         "node '%s' (%s) has 16-bit codes, which ONNX has from opset 21 on",
                         n->name, graph_op_name(n->op));
    if (half_is_on(e) && onnx_writer_opset(e->w) < 19)
        return error_set(err, PTQ_UNSUPPORTED,
                         "node '%s' (%s) has a float16 scale, which ONNX has from opset 19 on",
                         n->name, graph_op_name(n->op));
    onnx_node *out = onnx_export_same(e, n, graph_op_name(n->op));
    if (!shape_count(shape_of(e, n->inputs[1]), &n_scales) || n_scales > 1)
        onnx_node_int(e->w, out, "axis", n->attr.axis.axis);
    return PTQ_OK;
}

static ptq_status write_conv(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    if (onnx_is_head_product(e, n)) {
        onnx_export_head_product(e, n);
        return PTQ_OK;
    }
    const conv_attr *a = &n->attr.conv;
    const char *y = onnx_export_tensor(e, n->outputs[0]);
    const char *linear = a->act.kind == ACT_NONE ? y : onnx_writer_name(e->w, n->name, "/linear");
    for (int i = 0; i < n->n_inputs; i++)
        e->list[i] = onnx_export_tensor(e, n->inputs[i]);
    onnx_node *out =
        onnx_writer_node(e->w, graph_op_name(n->op), n->name, e->list, n->n_inputs, linear);
    onnx_node_ints(e->w, out, "dilations", 2, a->dilation);
    onnx_node_int(e->w, out, "group", a->groups);
    onnx_node_ints(e->w, out, "kernel_shape", 2, a->kernel);
    if (a->output_pad[0] || a->output_pad[1])
        onnx_node_ints(e->w, out, "output_padding", 2, a->output_pad);
    onnx_node_ints(e->w, out, "pads", 4, a->pad);
    onnx_node_ints(e->w, out, "strides", 2, a->stride);
    if (linear != y)
        onnx_export_activation(e, onnx_writer_name(e->w, n->name, "/act"), a->act, linear, y);
    return PTQ_OK;
}

static ptq_status write_pool(onnx_exporter *e, const node *n, ptq_error *err)
{
    const pool_attr *a = &n->attr.pool;
    bool is_average = n->op == GRAPH_OP_AVERAGE_POOL;
    bool is_dilated = a->dilation[0] != 1 || a->dilation[1] != 1;
    if (is_average && is_dilated && onnx_writer_opset(e->w) < 19)
        return error_set(err, PTQ_UNSUPPORTED,
                         "node '%s' (AveragePool) is dilated, which ONNX has from opset 19 on",
                         n->name);
    onnx_node *out = onnx_export_same(e, n, graph_op_name(n->op));
    onnx_node_int(e->w, out, "ceil_mode", a->ceil_mode);
    if (is_average)
        onnx_node_int(e->w, out, "count_include_pad", a->count_include_pad);
    if (is_dilated)
        onnx_node_ints(e->w, out, "dilations", 2, a->dilation);
    onnx_node_ints(e->w, out, "kernel_shape", 2, a->kernel);
    onnx_node_ints(e->w, out, "pads", 4, a->pad);
    onnx_node_ints(e->w, out, "strides", 2, a->stride);
    if (n->n_outputs > 1 && n->outputs[1] != TENSOR_NONE) {
        onnx_node_output(e->w, out, onnx_export_tensor(e, n->outputs[1]));
        onnx_node_int(e->w, out, "storage_order", a->column_major);
    }
    return PTQ_OK;
}

static ptq_status write_gemm(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, "Gemm");
    onnx_node_float(e->w, out, "alpha", n->attr.gemm.alpha);
    onnx_node_float(e->w, out, "beta", n->attr.gemm.beta);
    onnx_node_int(e->w, out, "transA", n->attr.gemm.trans_a);
    onnx_node_int(e->w, out, "transB", n->attr.gemm.trans_b);
    return PTQ_OK;
}

static ptq_status write_batch_norm(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, graph_op_name(n->op));
    onnx_node_float(e->w, out, "epsilon", n->attr.batch_norm.epsilon);
    return PTQ_OK;
}

static ptq_status write_slope(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, graph_op_name(n->op));
    onnx_node_float(e->w, out, "alpha", n->attr.slope.alpha);
    if (n->op == GRAPH_OP_HARD_SIGMOID)
        onnx_node_float(e->w, out, "beta", n->attr.slope.beta);
    return PTQ_OK;
}

static ptq_status write_activation(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    activation act = {.kind = n->op == GRAPH_OP_SILU ? ACT_SILU : ACT_HARD_SWISH};
    onnx_export_activation(e, n->name, act, onnx_export_tensor(e, n->inputs[0]),
                           onnx_export_tensor(e, n->outputs[0]));
    return PTQ_OK;
}

/* Bounds that are inputs already stay; an open one is left out. */
static ptq_status write_clip(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    const shape scalar = {.rank = 0};
    const float bound[2] = {n->attr.clip.min, n->attr.clip.max};
    const char *names[2] = {"", ""};
    for (int i = 0; i < 2; i++) {
        if (has_input(n, 1 + i))
            names[i] = onnx_export_tensor(e, n->inputs[1 + i]);
        else if (!isinf(bound[i]))
            names[i] = onnx_export_floats(e, n->name, i ? "/max" : "/min", &scalar, &bound[i]);
    }
    add_with(e, n, 1, names, *names[1] ? 2 : *names[0] ? 1 : 0);
    return PTQ_OK;
}

/* Sizes need the batch, so with an open one they are written as the scales that give them. */
static ptq_status resize_scales(const onnx_exporter *e, const node *n, float scale[4],
                                ptq_error *err)
{
    const shape *x = shape_of(e, n->inputs[0]);
    scale[0] = scale[1] = 1;
    for (int i = 0; i < 2; i++) {
        int64_t size = n->attr.resize.size[i];
        scale[2 + i] = size > 0 ? (float)size / (float)x->dim[2 + i] : n->attr.resize.scale[i];
        if (size > 0 && (int64_t)floorf((float)x->dim[2 + i] * scale[2 + i]) != size)
            return error_set(err, PTQ_UNSUPPORTED,
                             "node '%s' (Resize) cannot have an open batch: no scale makes "
                             "%" PRId64 " pixels of %" PRId64,
                             n->name, size, x->dim[2 + i]);
    }
    return PTQ_OK;
}

/* What only some files have. */
static ptq_status write_filter(onnx_exporter *e, const node *n, onnx_node *out, ptq_error *err)
{
    const resize_attr *a = &n->attr.resize;
    int least = a->coord == RESIZE_HALF_PIXEL_SYMMETRIC ? 19 : a->antialias ? 18 : 13;
    if (onnx_writer_opset(e->w) < least)
        return error_set(err, PTQ_UNSUPPORTED,
                         "node '%s' (Resize) is written from opset %d on, not in %d", n->name,
                         least, onnx_writer_opset(e->w));
    if (a->mode == RESIZE_CUBIC)
        onnx_node_float(e->w, out, "cubic_coeff_a", a->cubic_a);
    if (a->exclude_outside)
        onnx_node_int(e->w, out, "exclude_outside", 1);
    if (a->antialias)
        onnx_node_int(e->w, out, "antialias", 1);
    if (a->coord == RESIZE_CROP)
        onnx_node_float(e->w, out, "extrapolation_value", a->outside);
    return PTQ_OK;
}

static const char *write_region(onnx_exporter *e, const node *n)
{
    const float *r = n->attr.resize.region;
    const float all[8] = {0, 0, r[0], r[1], 1, 1, r[2], r[3]};
    const shape eight = {.rank = 1, .dim = {8}};
    return n->attr.resize.coord == RESIZE_CROP
               ? onnx_writer_floats(e->w, n->name, "/region", &eight, all)
               : "";
}

static ptq_status write_resize(onnx_exporter *e, const node *n, ptq_error *err)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const coords[] = {"asymmetric",           "half_pixel",
                                         "pytorch_half_pixel",   "align_corners",
                                         "half_pixel_symmetric", "tf_crop_and_resize"};
    static const char *const roundings[] = {"floor", "ceil", "round_prefer_floor",
                                            "round_prefer_ceil"};
    const resize_attr *a = &n->attr.resize;
    const shape four = {.rank = 1, .dim = {4}}, *y = shape_of(e, n->outputs[0]);
    const char *more[3] = {n->n_inputs > 1 ? "" : write_region(e, n), "", ""};
    int n_more = 2;
    if (a->fit != RESIZE_STRETCH || (n->n_inputs > 1 && a->is_swapped))
        return error_set(err, PTQ_UNSUPPORTED,
                         "node '%s' (Resize) keeps the shape of an image, which is not written",
                         n->name);
    if (n->n_inputs > 1) {
        n_more = 0;
    } else if (a->size[0] > 0 && !e->batch_is_open) {
        more[2] = onnx_writer_ints(e->w, n->name, "/sizes", 4, y->dim);
        n_more = 3;
    } else {
        float scale[4];
        PTQ_TRY(resize_scales(e, n, scale, err));
        more[1] = onnx_writer_floats(e->w, n->name, "/scales", &four, scale);
    }
    onnx_node *out = add_with(e, n, n->n_inputs, more, n_more);
    onnx_node_text(e->w, out, "coordinate_transformation_mode", coords[a->coord]);
    onnx_node_text(e->w, out, "mode", modes[a->mode]);
    onnx_node_text(e->w, out, "nearest_mode", roundings[a->nearest]);
    return write_filter(e, n, out, err);
}

static ptq_status write_transpose(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, "Transpose");
    onnx_node_ints(e->w, out, "perm", n->attr.perm.rank, n->attr.perm.perm);
    return PTQ_OK;
}

/* The lengths are always written: opset 18 no longer guesses them. */
static ptq_status write_split(onnx_exporter *e, const node *n, ptq_error *err)
{
    enum { MAX_PARTS = 64 };
    int64_t length[MAX_PARTS];
    int rank = shape_of(e, n->inputs[0])->rank, axis = n->attr.axis.axis;
    axis += axis < 0 ? rank : 0;
    if (n->n_outputs > MAX_PARTS || axis < 0 || axis >= rank)
        return error_set(err, PTQ_UNSUPPORTED, "node '%s' (Split) has %d parts along axis %d",
                         n->name, n->n_outputs, axis);
    for (int i = 0; i < n->n_outputs; i++)
        length[i] = shape_of(e, n->outputs[i])->dim[axis];
    const char *parts = onnx_writer_ints(e->w, n->name, "/split", n->n_outputs, length);
    onnx_node *out = add_with(e, n, 1, &parts, 1);
    for (int i = 1; i < n->n_outputs; i++)
        onnx_node_output(e->w, out, onnx_export_tensor(e, n->outputs[i]));
    onnx_node_int(e->w, out, "axis", n->attr.axis.axis);
    return PTQ_OK;
}

static ptq_status write_axes(onnx_exporter *e, const node *n, ptq_error *err)
{
    int64_t axes[SHAPE_MAX_RANK];
    int count = n->attr.perm.rank;
    if (n->n_inputs > 1 || count == 0)
        return write_plain(e, n, err);
    for (int i = 0; i < count; i++)
        axes[i] = n->attr.perm.perm[i];
    const char *name = onnx_writer_ints(e->w, n->name, "/axes", count, axes);
    add_with(e, n, 1, &name, 1);
    return PTQ_OK;
}

static ptq_status write_cast(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, "Cast");
    onnx_node_int(e->w, out, "to", dtype_onnx(onnx_export_type(e, n->attr.cast.to)));
    return PTQ_OK;
}

static ptq_status write_constant_of_shape(onnx_exporter *e, const node *n, ptq_error *err)
{
    onnx_node *out = onnx_export_same(e, n, graph_op_name(n->op));
    double value = n->attr.fill.value;
    union {
        float f32;
        uint16_t f16;
        int64_t i64;
        int32_t i32;
        uint8_t u8;
    } v;
    dtype type = onnx_export_type(e, n->attr.fill.type);
    switch (type) {
    case DTYPE_F32:
        v.f32 = (float)value;
        break;
    case DTYPE_F16:
        v.f16 = half_from_float((float)value);
        break;
    case DTYPE_I64:
        v.i64 = (int64_t)value;
        break;
    case DTYPE_I32:
        v.i32 = (int32_t)value;
        break;
    case DTYPE_U8:
    case DTYPE_BOOL:
        v.u8 = (uint8_t)value;
        break;
    default:
        return error_set(err, PTQ_UNSUPPORTED, "node '%s' (ConstantOfShape) fills with %s", n->name,
                         dtype_name(n->attr.fill.type));
    }
    onnx_node_scalar(e->w, out, "value", type, &v);
    return PTQ_OK;
}

static ptq_status write_yolo(onnx_exporter *e, const node *n, ptq_error *err)
{
    const shape *x = shape_of(e, n->inputs[0]);
    if (x->rank != 4 || !shape_known(x))
        return error_set(err, PTQ_SHAPE, "node '%s' (%s) needs a known image size", n->name,
                         graph_op_name(n->op));
    if (n->op == GRAPH_OP_YOLO_DECODE)
        return onnx_export_yolo_decode(e, n, err);
    onnx_export_yolo_raw(e, n);
    return PTQ_OK;
}

static ptq_status write_space_to_depth(onnx_exporter *e, const node *n, ptq_error *err)
{
    if (n->attr.space.block < 1 || n->attr.space.block > 8)
        return error_set(err, PTQ_UNSUPPORTED, "node '%s' (%s) has blocks of %d", n->name,
                         graph_op_name(n->op), n->attr.space.block);
    if (n->attr.space.order == SPACE_REORG)
        onnx_export_space_to_depth(e, n);
    else
        onnx_node_int(e->w, onnx_export_same(e, n, "SpaceToDepth"), "blocksize",
                      n->attr.space.block);
    return PTQ_OK;
}

/* Prepared integer convolutions are the engine's: the file says the same with Q and DQ. */
static ptq_status refuse(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)e;
    return error_set(err, PTQ_UNSUPPORTED,
                     "node '%s' (%s) was prepared for the engine and has no ONNX form", n->name,
                     graph_op_name(n->op));
}

/* Operators that are not here have no attributes: their name says it all. */
static const struct {
    graph_op op;
    onnx_write_fn *write;
} writers[] = {
    {GRAPH_OP_CONV, write_conv},
    {GRAPH_OP_CONV_TRANSPOSE, write_conv},
    {GRAPH_OP_GEMM, write_gemm},
    {GRAPH_OP_BATCH_NORM, write_batch_norm},
    {GRAPH_OP_SILU, write_activation},
    {GRAPH_OP_HARD_SWISH, write_activation},
    {GRAPH_OP_LEAKY_RELU, write_slope},
    {GRAPH_OP_HARD_SIGMOID, write_slope},
    {GRAPH_OP_CLIP, write_clip},
    {GRAPH_OP_MAX_POOL, write_pool},
    {GRAPH_OP_AVERAGE_POOL, write_pool},
    {GRAPH_OP_CONCAT, write_axis},
    {GRAPH_OP_SOFTMAX, write_axis},
    {GRAPH_OP_FLATTEN, write_axis},
    {GRAPH_OP_GATHER, write_axis},
    {GRAPH_OP_GATHER_ELEMENTS, write_axis},
    {GRAPH_OP_ONE_HOT, write_axis},
    {GRAPH_OP_MOD, onnx_write_mod},
    {GRAPH_OP_CELU, write_slope},
    {GRAPH_OP_THRESHOLDED_RELU, write_slope},
    {GRAPH_OP_SHRINK, onnx_write_shrink},
    {GRAPH_OP_IS_INF, onnx_write_is_inf},
    {GRAPH_OP_RESHAPE, onnx_write_reshape},
    {GRAPH_OP_TRILU, onnx_write_trilu},
    {GRAPH_OP_CUM_SUM, onnx_write_cum_sum},
    {GRAPH_OP_GATHER_ND, onnx_write_gather_nd},
    {GRAPH_OP_SCATTER_ELEMENTS, onnx_write_scatter},
    {GRAPH_OP_SCATTER_ND, onnx_write_scatter},
    {GRAPH_OP_EINSUM, onnx_write_einsum},
    {GRAPH_OP_NON_MAX_SUPPRESSION, onnx_write_suppression},
    {GRAPH_OP_ELU, onnx_write_elu},
    {GRAPH_OP_SELU, onnx_write_elu},
    {GRAPH_OP_MISH, onnx_write_young},
    {GRAPH_OP_GELU, onnx_write_young},
    {GRAPH_OP_REDUCE_SUM, onnx_write_reduce},
    {GRAPH_OP_REDUCE_MEAN, onnx_write_reduce},
    {GRAPH_OP_REDUCE_MAX, onnx_write_reduce},
    {GRAPH_OP_REDUCE_MIN, onnx_write_reduce},
    {GRAPH_OP_REDUCE_PROD, onnx_write_reduce},
    {GRAPH_OP_REDUCE_SUM_SQUARE, onnx_write_reduce},
    {GRAPH_OP_REDUCE_L1, onnx_write_reduce},
    {GRAPH_OP_REDUCE_L2, onnx_write_reduce},
    {GRAPH_OP_REDUCE_LOG_SUM, onnx_write_reduce},
    {GRAPH_OP_REDUCE_LOG_SUM_EXP, onnx_write_reduce},
    {GRAPH_OP_ARG_MAX, onnx_write_arg},
    {GRAPH_OP_ARG_MIN, onnx_write_arg},
    {GRAPH_OP_TOP_K, onnx_write_top_k},
    {GRAPH_OP_PAD, onnx_write_pad},
    {GRAPH_OP_DEPTH_TO_SPACE, onnx_write_depth_to_space},
    {GRAPH_OP_SHAPE, onnx_write_shape},
    {GRAPH_OP_RESIZE, write_resize},
    {GRAPH_OP_TRANSPOSE, write_transpose},
    {GRAPH_OP_SPLIT, write_split},
    {GRAPH_OP_SQUEEZE, write_axes},
    {GRAPH_OP_UNSQUEEZE, write_axes},
    {GRAPH_OP_CAST, write_cast},
    {GRAPH_OP_CONSTANT_OF_SHAPE, write_constant_of_shape},
    {GRAPH_OP_QUANTIZE_LINEAR, write_quantizer},
    {GRAPH_OP_DEQUANTIZE_LINEAR, write_quantizer},
    {GRAPH_OP_SPACE_TO_DEPTH, write_space_to_depth},
    {GRAPH_OP_YOLO_DECODE, write_yolo},
    {GRAPH_OP_YOLO_RAW, write_yolo},
    {GRAPH_OP_DETECTIONS, refuse},
    {GRAPH_OP_QCONV, refuse},
};

ptq_status onnx_export_node(onnx_exporter *e, const node *n, ptq_error *err)
{
    for (size_t i = 0; i < sizeof writers / sizeof *writers; i++)
        if (writers[i].op == n->op)
            return writers[i].write(e, n, err);
    return write_plain(e, n, err);
}
