/* SPDX-License-Identifier: Apache-2.0 */
/* From a NodeProto's attributes to a node's: one reader per kind of operator. Where opsets differ,
 * the graph has the newest form (parameters as inputs; constants among them become attributes in
 * onnx_import_settle.c). */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "model/onnx_importer.h"
#include "model/onnx_tensor.h"

static ptq_status read_nothing(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                               ptq_error *err)
{
    (void)im, (void)src, (void)n, (void)err;
    return PTQ_OK;
}

static ptq_status read_axis(const Onnx__NodeProto *src, int64_t fallback, node *n, ptq_error *err)
{
    int64_t axis;
    PTQ_TRY(onnx_attr_int(src, "axis", fallback, &axis, err));
    if (axis < -SHAPE_MAX_RANK || axis > SHAPE_MAX_RANK)
        return error_set(err, PTQ_FORMAT, "attribute 'axis' is %" PRId64, axis);
    n->attr.axis.axis = (int)axis;
    return PTQ_OK;
}

static ptq_status read_axis_0(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                              ptq_error *err)
{
    (void)im;
    return read_axis(src, 0, n, err);
}

static ptq_status read_axis_1(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                              ptq_error *err)
{
    (void)im;
    return read_axis(src, 1, n, err);
}

static ptq_status read_softmax(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                               ptq_error *err)
{
    if (im->file.opset >= 13)
        return read_axis(src, -1, n, err);
    PTQ_TRY(read_axis(src, 1, n, err));
    return n->attr.axis.axis == -1 ? PTQ_OK : onnx_set_pending(im, n, ONNX_FLAT_SOFTMAX, err);
}

/* 4-bit codes became bytes: a constant is the same then, but rounding to codes is not. */
static ptq_status refuse_4bit(onnx_importer *im, const Onnx__NodeProto *src, ptq_error *err)
{
    const onnx_constant *zero = src->n_input > 2 ? onnx_find_constant(im, src->input[2]) : NULL;
    if (zero && zero->tensor && onnx_is_4bit(zero->tensor))
        return error_set(err, PTQ_UNSUPPORTED, "quantizing to 4 bits is not supported");
    return PTQ_OK;
}

static ptq_status read_quantize(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                ptq_error *err)
{
    int64_t block, type_code;
    PTQ_TRY(onnx_attr_int(src, "block_size", 0, &block, err));
    PTQ_TRY(onnx_attr_int(src, "output_dtype", 0, &type_code, err));
    if (block)
        return error_set(err, PTQ_UNSUPPORTED, "blocks of %" PRId64 " are not supported", block);
    if (n->op == GRAPH_OP_QUANTIZE_LINEAR)
        PTQ_TRY(refuse_4bit(im, src, err));
    if (n->n_inputs < 3 && n->op == GRAPH_OP_QUANTIZE_LINEAR && type_code) {
        dtype type;
        PTQ_TRY(onnx_graph_type((int)type_code, &type, err));
        if (type != DTYPE_U8)
            return error_set(err, PTQ_UNSUPPORTED, "output_dtype %s needs a zero point",
                             dtype_name(type));
    }
    const onnx_constant *scale = src->n_input > 1 ? onnx_find_constant(im, src->input[1]) : NULL;
    bool is_half = scale && scale->tensor && strcmp(scale->name, src->input[1]) == 0 &&
                   scale->tensor->data_type == dtype_onnx(DTYPE_F16);
    PTQ_TRY(read_axis(src, 1, n, err));
    n->attr.axis.from_half = n->op == GRAPH_OP_QUANTIZE_LINEAR && is_half;
    return PTQ_OK;
}

static ptq_status read_gemm(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    gemm_attr *a = &n->attr.gemm;
    int64_t trans_a, trans_b;
    PTQ_TRY(onnx_attr_float(src, "alpha", 1, &a->alpha, err));
    PTQ_TRY(onnx_attr_float(src, "beta", 1, &a->beta, err));
    PTQ_TRY(onnx_attr_int(src, "transA", 0, &trans_a, err));
    PTQ_TRY(onnx_attr_int(src, "transB", 0, &trans_b, err));
    a->trans_a = trans_a != 0;
    a->trans_b = trans_b != 0;
    return PTQ_OK;
}

static ptq_status read_batch_norm(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                  ptq_error *err)
{
    (void)im;
    int64_t training, spatial;
    PTQ_TRY(onnx_attr_int(src, "training_mode", 0, &training, err));
    PTQ_TRY(onnx_attr_int(src, "spatial", 1, &spatial, err));
    if (training || !spatial)
        return error_set(err, PTQ_UNSUPPORTED, "%s is not supported",
                         training ? "training mode" : "spatial = 0");
    return onnx_attr_float(src, "epsilon", 1e-5f, &n->attr.batch_norm.epsilon, err);
}

static ptq_status read_leaky_relu(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                  ptq_error *err)
{
    (void)im;
    return onnx_attr_float(src, "alpha", 0.01f, &n->attr.slope.alpha, err);
}

static ptq_status read_hard_sigmoid(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                    ptq_error *err)
{
    (void)im;
    PTQ_TRY(onnx_attr_float(src, "alpha", 0.2f, &n->attr.slope.alpha, err));
    return onnx_attr_float(src, "beta", 0.5f, &n->attr.slope.beta, err);
}

static ptq_status read_clip(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    PTQ_TRY(onnx_attr_float(src, "min", -INFINITY, &n->attr.clip.min, err));
    return onnx_attr_float(src, "max", INFINITY, &n->attr.clip.max, err);
}

static ptq_status read_cast(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    (void)im;
    int64_t to;
    PTQ_TRY(onnx_attr_int(src, "to", 0, &to, err));
    return onnx_graph_type(to >= 0 && to < 1000 ? (int)to : 0, &n->attr.cast.to, err);
}

static ptq_status read_transpose(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                 ptq_error *err)
{
    int64_t perm[SHAPE_MAX_RANK];
    int rank;
    PTQ_TRY(onnx_attr_ints(src, "perm", SHAPE_MAX_RANK, perm, &rank, err));
    for (int i = 0; i < rank; i++) {
        if (perm[i] < 0 || perm[i] >= rank)
            return error_set(err, PTQ_FORMAT, "attribute 'perm' names axis %" PRId64, perm[i]);
        n->attr.perm.perm[i] = (int)perm[i];
    }
    n->attr.perm.rank = rank;
    return onnx_attr(src, "perm") ? PTQ_OK : onnx_set_pending(im, n, ONNX_REVERSED_PERM, err);
}

/* Axes: an attribute before opset 13, an input since. */
static ptq_status read_axes(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    int64_t axes[SHAPE_MAX_RANK];
    int count;
    PTQ_TRY(onnx_attr_ints(src, "axes", SHAPE_MAX_RANK, axes, &count, err));
    if (!count || n->n_inputs != 1)
        return PTQ_OK;
    n->n_inputs = 2;
    return onnx_add_ints(im, n->name, (onnx_ints){"axes", count, axes}, &n->inputs[1], err);
}

/* Lengths: an attribute before opset 13, an input since; opset 18 may say num_outputs instead. */
static ptq_status read_split(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    enum { MAX = 64 };
    int64_t lengths[MAX];
    int count;
    PTQ_TRY(read_axis(src, 0, n, err));
    PTQ_TRY(onnx_attr_ints(src, "split", MAX, lengths, &count, err));
    if (!count || n->n_inputs != 1)
        return PTQ_OK;
    n->n_inputs = 2;
    return onnx_add_ints(im, n->name, (onnx_ints){"split", count, lengths}, &n->inputs[1], err);
}

/* Bounds: attributes before opset 10, inputs since. */
static ptq_status read_slice(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    static const char *const names[] = {"starts", "ends", "axes"};
    if (im->file.opset >= 10)
        return PTQ_OK;
    int n_starts = 0;
    for (int i = 0; i < 3; i++) {
        int64_t values[SHAPE_MAX_RANK];
        int count;
        PTQ_TRY(onnx_attr_ints(src, names[i], SHAPE_MAX_RANK, values, &count, err));
        if (i == 0)
            n_starts = count;
        if (count == 0 && i == 2)
            return PTQ_OK;
        if (count == 0 || count != n_starts)
            return error_set(err, PTQ_FORMAT, "attribute '%s' has %d values, 'starts' has %d",
                             names[i], count, n_starts);
        PTQ_TRY(onnx_add_ints(im, n->name, (onnx_ints){names[i], count, values}, &n->inputs[1 + i],
                              err));
        n->n_inputs = 2 + i;
    }
    return PTQ_OK;
}

static ptq_status read_reshape(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                               ptq_error *err)
{
    (void)im;
    int64_t allow_zero;
    PTQ_TRY(onnx_attr_int(src, "allowzero", 0, &allow_zero, err));
    n->attr.reshape.allow_zero = allow_zero != 0;
    return PTQ_OK;
}

static ptq_status read_constant_of_shape(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                                         ptq_error *err)
{
    const Onnx__AttributeProto *a = onnx_attr(src, "value");
    n->attr.fill.type = DTYPE_F32;
    n->attr.fill.value = 0;
    if (!a)
        return PTQ_OK;
    if (!a->t)
        return error_set(err, PTQ_FORMAT, "attribute 'value' is not a tensor");
    onnx_values v;
    size_t count;
    PTQ_TRY(onnx_tensor_read(a->t, im->dir, im->max_bytes, &v, err));
    ptq_status status = PTQ_OK;
    const void *p = blob_data(v.data);
    if (!shape_count(&v.shape, &count) || count != 1)
        status = error_set(err, PTQ_FORMAT, "attribute 'value' is not one number");
    else if (v.type == DTYPE_F32)
        n->attr.fill.value = (double)*(const float *)p;
    else if (v.type == DTYPE_I64)
        n->attr.fill.value = (double)*(const int64_t *)p;
    else if (v.type == DTYPE_I32)
        n->attr.fill.value = (double)*(const int32_t *)p;
    else if (v.type == DTYPE_BOOL || v.type == DTYPE_U8)
        n->attr.fill.value = (double)*(const uint8_t *)p;
    else
        status = error_set(err, PTQ_UNSUPPORTED, "a fill of type %s is not supported",
                           dtype_name(v.type));
    n->attr.fill.type = v.type;
    blob_unref(&v.data);
    return status;
}

/* In inference Dropout passes its input on; ratio and mode do not matter then. */
static ptq_status read_dropout(onnx_importer *im, const Onnx__NodeProto *src, node *n,
                               ptq_error *err)
{
    (void)im, (void)src, (void)err;
    n->n_inputs = n->n_inputs > 1 ? 1 : n->n_inputs;
    return PTQ_OK;
}

typedef struct onnx_op {
    const char *type;
    graph_op op;
    onnx_read_fn *read;
} onnx_op;

static const onnx_op ops[] = {
    {"Abs", GRAPH_OP_ABS, read_nothing},
    {"Acos", GRAPH_OP_ACOS, read_nothing},
    {"Acosh", GRAPH_OP_ACOSH, read_nothing},
    {"Add", GRAPH_OP_ADD, read_nothing},
    {"And", GRAPH_OP_AND, read_nothing},
    {"ArgMax", GRAPH_OP_ARG_MAX, onnx_read_arg},
    {"ArgMin", GRAPH_OP_ARG_MIN, onnx_read_arg},
    {"Asin", GRAPH_OP_ASIN, read_nothing},
    {"Asinh", GRAPH_OP_ASINH, read_nothing},
    {"Atan", GRAPH_OP_ATAN, read_nothing},
    {"Atanh", GRAPH_OP_ATANH, read_nothing},
    {"AveragePool", GRAPH_OP_AVERAGE_POOL, onnx_read_pool},
    {"BatchNormalization", GRAPH_OP_BATCH_NORM, read_batch_norm},
    {"Cast", GRAPH_OP_CAST, read_cast},
    {"CastLike", GRAPH_OP_CAST, onnx_read_cast_like},
    {"Ceil", GRAPH_OP_CEIL, read_nothing},
    {"Celu", GRAPH_OP_CELU, onnx_read_elu},
    {"Clip", GRAPH_OP_CLIP, read_clip},
    {"Concat", GRAPH_OP_CONCAT, read_axis_1},
    {"ConstantOfShape", GRAPH_OP_CONSTANT_OF_SHAPE, read_constant_of_shape},
    {"Conv", GRAPH_OP_CONV, onnx_read_conv},
    {"ConvInteger", GRAPH_OP_CONV, onnx_read_conv_integer},
    {"ConvTranspose", GRAPH_OP_CONV_TRANSPOSE, onnx_read_conv},
    {"Cos", GRAPH_OP_COS, read_nothing},
    {"Cosh", GRAPH_OP_COSH, read_nothing},
    {"CumSum", GRAPH_OP_CUM_SUM, onnx_read_cum_sum},
    {"DepthToSpace", GRAPH_OP_DEPTH_TO_SPACE, onnx_read_space},
    {"DequantizeLinear", GRAPH_OP_DEQUANTIZE_LINEAR, read_quantize},
    {"Div", GRAPH_OP_DIV, read_nothing},
    {"Dropout", GRAPH_OP_IDENTITY, read_dropout},
    {"DynamicQuantizeLinear", GRAPH_OP_QUANTIZE_LINEAR, onnx_read_dynamic_quantize},
    {"Einsum", GRAPH_OP_EINSUM, onnx_read_einsum},
    {"Elu", GRAPH_OP_ELU, onnx_read_elu},
    {"Equal", GRAPH_OP_EQUAL, read_nothing},
    {"Erf", GRAPH_OP_ERF, read_nothing},
    {"Exp", GRAPH_OP_EXP, read_nothing},
    {"Expand", GRAPH_OP_EXPAND, read_nothing},
    {"Flatten", GRAPH_OP_FLATTEN, read_axis_1},
    {"Floor", GRAPH_OP_FLOOR, read_nothing},
    {"Gather", GRAPH_OP_GATHER, read_axis_0},
    {"GatherElements", GRAPH_OP_GATHER_ELEMENTS, read_axis_0},
    {"GatherND", GRAPH_OP_GATHER_ND, onnx_read_gather_nd},
    {"Gelu", GRAPH_OP_GELU, onnx_read_gelu},
    {"Gemm", GRAPH_OP_GEMM, read_gemm},
    {"GlobalAveragePool", GRAPH_OP_GLOBAL_AVERAGE_POOL, read_nothing},
    {"GlobalLpPool", GRAPH_OP_REDUCE_L2, onnx_read_global_lp_pool},
    {"GlobalMaxPool", GRAPH_OP_REDUCE_MAX, onnx_read_global_max},
    {"Greater", GRAPH_OP_GREATER, read_nothing},
    {"GreaterOrEqual", GRAPH_OP_GREATER_EQUAL, read_nothing},
    {"GroupNormalization", GRAPH_OP_BATCH_NORM, onnx_read_group_norm},
    {"HardSigmoid", GRAPH_OP_HARD_SIGMOID, read_hard_sigmoid},
    {"HardSwish", GRAPH_OP_HARD_SWISH, read_nothing},
    {"Identity", GRAPH_OP_IDENTITY, read_nothing},
    {"InstanceNormalization", GRAPH_OP_BATCH_NORM, onnx_read_instance_norm},
    {"IsInf", GRAPH_OP_IS_INF, onnx_read_is_inf},
    {"IsNaN", GRAPH_OP_IS_NAN, read_nothing},
    {"LayerNormalization", GRAPH_OP_MUL, onnx_read_layer_norm},
    {"LeakyRelu", GRAPH_OP_LEAKY_RELU, read_leaky_relu},
    {"Less", GRAPH_OP_LESS, read_nothing},
    {"LessOrEqual", GRAPH_OP_LESS_EQUAL, read_nothing},
    {"Log", GRAPH_OP_LOG, read_nothing},
    {"LogSoftmax", GRAPH_OP_SUB, onnx_read_log_softmax},
    {"LpPool", GRAPH_OP_POW, onnx_read_lp_pool},
    {"MatMul", GRAPH_OP_MATMUL, read_nothing},
    {"MatMulInteger", GRAPH_OP_MATMUL, onnx_read_matmul_integer},
    {"Max", GRAPH_OP_MAX, read_nothing},
    {"MaxPool", GRAPH_OP_MAX_POOL, onnx_read_pool},
    {"Mean", GRAPH_OP_DIV, onnx_read_mean},
    {"Min", GRAPH_OP_MIN, read_nothing},
    {"Mish", GRAPH_OP_MISH, read_nothing},
    {"Mod", GRAPH_OP_MOD, onnx_read_mod},
    {"Mul", GRAPH_OP_MUL, read_nothing},
    {"Neg", GRAPH_OP_NEG, read_nothing},
    {"NonMaxSuppression", GRAPH_OP_NON_MAX_SUPPRESSION, onnx_read_suppression},
    {"Not", GRAPH_OP_NOT, read_nothing},
    {"OneHot", GRAPH_OP_ONE_HOT, onnx_read_one_hot},
    {"Or", GRAPH_OP_OR, read_nothing},
    {"PRelu", GRAPH_OP_PRELU, read_nothing},
    {"Pad", GRAPH_OP_PAD, onnx_read_pad},
    {"Pow", GRAPH_OP_POW, read_nothing},
    {"QLinearConv", GRAPH_OP_CONV, onnx_read_qlinear_conv},
    {"QLinearMatMul", GRAPH_OP_MATMUL, onnx_read_qlinear_matmul},
    {"QuantizeLinear", GRAPH_OP_QUANTIZE_LINEAR, read_quantize},
    {"Range", GRAPH_OP_RANGE, read_nothing},
    {"Reciprocal", GRAPH_OP_RECIPROCAL, read_nothing},
    {"ReduceL1", GRAPH_OP_REDUCE_L1, onnx_read_reduce},
    {"ReduceL2", GRAPH_OP_REDUCE_L2, onnx_read_reduce},
    {"ReduceLogSum", GRAPH_OP_REDUCE_LOG_SUM, onnx_read_reduce},
    {"ReduceLogSumExp", GRAPH_OP_REDUCE_LOG_SUM_EXP, onnx_read_reduce},
    {"ReduceMax", GRAPH_OP_REDUCE_MAX, onnx_read_reduce},
    {"ReduceMean", GRAPH_OP_REDUCE_MEAN, onnx_read_reduce},
    {"ReduceMin", GRAPH_OP_REDUCE_MIN, onnx_read_reduce},
    {"ReduceProd", GRAPH_OP_REDUCE_PROD, onnx_read_reduce},
    {"ReduceSum", GRAPH_OP_REDUCE_SUM, onnx_read_reduce},
    {"ReduceSumSquare", GRAPH_OP_REDUCE_SUM_SQUARE, onnx_read_reduce},
    {"Relu", GRAPH_OP_RELU, read_nothing},
    {"Reshape", GRAPH_OP_RESHAPE, read_reshape},
    {"Resize", GRAPH_OP_RESIZE, onnx_read_resize},
    {"Round", GRAPH_OP_ROUND, read_nothing},
    {"Scatter", GRAPH_OP_SCATTER_ELEMENTS, onnx_read_scatter},
    {"ScatterElements", GRAPH_OP_SCATTER_ELEMENTS, onnx_read_scatter},
    {"ScatterND", GRAPH_OP_SCATTER_ND, onnx_read_scatter},
    {"Selu", GRAPH_OP_SELU, onnx_read_selu},
    {"Shape", GRAPH_OP_SHAPE, onnx_read_shape},
    {"Shrink", GRAPH_OP_SHRINK, onnx_read_shrink},
    {"Sigmoid", GRAPH_OP_SIGMOID, read_nothing},
    {"Sign", GRAPH_OP_SIGN, read_nothing},
    {"Sin", GRAPH_OP_SIN, read_nothing},
    {"Sinh", GRAPH_OP_SINH, read_nothing},
    {"Size", GRAPH_OP_SIZE, read_nothing},
    {"Slice", GRAPH_OP_SLICE, read_slice},
    {"Softmax", GRAPH_OP_SOFTMAX, read_softmax},
    {"Softplus", GRAPH_OP_SOFTPLUS, read_nothing},
    {"Softsign", GRAPH_OP_SOFTSIGN, read_nothing},
    {"SpaceToDepth", GRAPH_OP_SPACE_TO_DEPTH, onnx_read_space},
    {"Split", GRAPH_OP_SPLIT, read_split},
    {"Sqrt", GRAPH_OP_SQRT, read_nothing},
    {"Squeeze", GRAPH_OP_SQUEEZE, read_axes},
    {"Sub", GRAPH_OP_SUB, read_nothing},
    {"Sum", GRAPH_OP_ADD, onnx_read_sum},
    {"Swish", GRAPH_OP_SILU, onnx_read_swish},
    {"Tan", GRAPH_OP_TAN, read_nothing},
    {"Tanh", GRAPH_OP_TANH, read_nothing},
    {"ThresholdedRelu", GRAPH_OP_THRESHOLDED_RELU, onnx_read_elu},
    {"Tile", GRAPH_OP_TILE, read_nothing},
    {"TopK", GRAPH_OP_TOP_K, onnx_read_top_k},
    {"Transpose", GRAPH_OP_TRANSPOSE, read_transpose},
    {"Trilu", GRAPH_OP_TRILU, onnx_read_trilu},
    {"Unsqueeze", GRAPH_OP_UNSQUEEZE, read_axes},
    {"Upsample", GRAPH_OP_RESIZE, onnx_read_upsample},
    {"Where", GRAPH_OP_WHERE, read_nothing},
    {"Xor", GRAPH_OP_XOR, read_nothing},
};

/* ONNX Runtime's own Q and DQ: the standard ones, with 16-bit types before opset 21. */
static bool is_microsoft_qdq(const Onnx__NodeProto *src)
{
    return strcmp(src->domain, "com.microsoft") == 0 &&
           (strcmp(src->op_type, "QuantizeLinear") == 0 ||
            strcmp(src->op_type, "DequantizeLinear") == 0);
}

static const onnx_op *find_op(const Onnx__NodeProto *src)
{
    if (!src->op_type || !(onnx_is_default_domain(src->domain) || is_microsoft_qdq(src)))
        return NULL;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (strcmp(ops[i].type, src->op_type) == 0)
            return &ops[i];
    return NULL;
}

int onnx_n_outputs(const Onnx__NodeProto *src)
{
    static const char *const several[] = {"Split", "TopK", "DynamicQuantizeLinear",
                                          "LayerNormalization", "MaxPool"};
    for (size_t i = 0; i < sizeof several / sizeof *several; i++)
        if (src->op_type && strcmp(src->op_type, several[i]) == 0)
            return src->n_output > INT32_MAX ? INT32_MAX : (int)src->n_output;
    return 1;
}

bool onnx_op_known(const Onnx__NodeProto *src)
{
    return find_op(src) != NULL;
}

ptq_status onnx_read_node(onnx_importer *im, const Onnx__NodeProto *src, node *n, ptq_error *err)
{
    const onnx_op *op = find_op(src);
    if (!op)
        return error_set(err, PTQ_UNSUPPORTED, "the operator is not supported");
    for (size_t i = 0; i < src->n_attribute; i++)
        if (src->attribute[i]->ref_attr_name && *src->attribute[i]->ref_attr_name)
            return error_set(err, PTQ_FORMAT, "an attribute refers to a function's");
    n->op = op->op;
    return op->read(im, src, n, err);
}
