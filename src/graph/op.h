/* SPDX-License-Identifier: Apache-2.0 */
/* graph/op.h — the operators of the graph and their attributes.
 *
 * One list: OP(enum, name, min inputs, max inputs). Names follow ONNX where ONNX has the operator;
 * the others say at their attribute what they compute. max -1: any number.
 */
#ifndef GRAPH_OP_H
#define GRAPH_OP_H

#include <stdint.h>

#include "graph/tensor.h"

#define GRAPH_OP_LIST(OP)                                                                          \
    OP(CONV, "Conv", 2, 3)                                                                         \
    OP(CONV_TRANSPOSE, "ConvTranspose", 2, 3)                                                      \
    OP(GEMM, "Gemm", 2, 3)                                                                         \
    OP(MATMUL, "MatMul", 2, 2)                                                                     \
    OP(BATCH_NORM, "BatchNormalization", 5, 5)                                                     \
    OP(SIGMOID, "Sigmoid", 1, 1)                                                                   \
    OP(SILU, "Silu", 1, 1)                                                                         \
    OP(RELU, "Relu", 1, 1)                                                                         \
    OP(LEAKY_RELU, "LeakyRelu", 1, 1)                                                              \
    OP(HARD_SIGMOID, "HardSigmoid", 1, 1)                                                          \
    OP(HARD_SWISH, "HardSwish", 1, 1)                                                              \
    OP(TANH, "Tanh", 1, 1)                                                                         \
    OP(EXP, "Exp", 1, 1)                                                                           \
    OP(LOG, "Log", 1, 1)                                                                           \
    OP(SQRT, "Sqrt", 1, 1)                                                                         \
    OP(FLOOR, "Floor", 1, 1)                                                                       \
    OP(CEIL, "Ceil", 1, 1)                                                                         \
    OP(NEG, "Neg", 1, 1)                                                                           \
    OP(ABS, "Abs", 1, 1)                                                                           \
    OP(ERF, "Erf", 1, 1)                                                                           \
    OP(SOFTPLUS, "Softplus", 1, 1)                                                                 \
    OP(ELU, "Elu", 1, 1)                                                                           \
    OP(SELU, "Selu", 1, 1)                                                                         \
    OP(MISH, "Mish", 1, 1)                                                                         \
    OP(GELU, "Gelu", 1, 1)                                                                         \
    OP(ROUND, "Round", 1, 1)                                                                       \
    OP(RECIPROCAL, "Reciprocal", 1, 1)                                                             \
    OP(SIGN, "Sign", 1, 1)                                                                         \
    OP(NOT, "Not", 1, 1)                                                                           \
    OP(SIN, "Sin", 1, 1)                                                                           \
    OP(COS, "Cos", 1, 1)                                                                           \
    OP(TAN, "Tan", 1, 1)                                                                           \
    OP(ASIN, "Asin", 1, 1)                                                                         \
    OP(ACOS, "Acos", 1, 1)                                                                         \
    OP(ATAN, "Atan", 1, 1)                                                                         \
    OP(SINH, "Sinh", 1, 1)                                                                         \
    OP(COSH, "Cosh", 1, 1)                                                                         \
    OP(ASINH, "Asinh", 1, 1)                                                                       \
    OP(ACOSH, "Acosh", 1, 1)                                                                       \
    OP(ATANH, "Atanh", 1, 1)                                                                       \
    OP(SOFTSIGN, "Softsign", 1, 1)                                                                 \
    OP(CELU, "Celu", 1, 1)                                                                         \
    OP(THRESHOLDED_RELU, "ThresholdedRelu", 1, 1)                                                  \
    OP(SHRINK, "Shrink", 1, 1)                                                                     \
    OP(IS_NAN, "IsNaN", 1, 1)                                                                      \
    OP(IS_INF, "IsInf", 1, 1)                                                                      \
    OP(CLIP, "Clip", 1, 3)                                                                         \
    OP(ADD, "Add", 2, 2)                                                                           \
    OP(SUB, "Sub", 2, 2)                                                                           \
    OP(MUL, "Mul", 2, 2)                                                                           \
    OP(DIV, "Div", 2, 2)                                                                           \
    OP(POW, "Pow", 2, 2)                                                                           \
    OP(EQUAL, "Equal", 2, 2)                                                                       \
    OP(GREATER, "Greater", 2, 2)                                                                   \
    OP(GREATER_EQUAL, "GreaterOrEqual", 2, 2)                                                      \
    OP(LESS, "Less", 2, 2)                                                                         \
    OP(LESS_EQUAL, "LessOrEqual", 2, 2)                                                            \
    OP(AND, "And", 2, 2)                                                                           \
    OP(OR, "Or", 2, 2)                                                                             \
    OP(XOR, "Xor", 2, 2)                                                                           \
    OP(MOD, "Mod", 2, 2)                                                                           \
    OP(PRELU, "PRelu", 2, 2)                                                                       \
    OP(WHERE, "Where", 3, 3)                                                                       \
    OP(MAX, "Max", 1, -1)                                                                          \
    OP(MIN, "Min", 1, -1)                                                                          \
    OP(MAX_POOL, "MaxPool", 1, 1)                                                                  \
    OP(AVERAGE_POOL, "AveragePool", 1, 1)                                                          \
    OP(GLOBAL_AVERAGE_POOL, "GlobalAveragePool", 1, 1)                                             \
    OP(CONCAT, "Concat", 1, -1)                                                                    \
    OP(REDUCE_SUM, "ReduceSum", 1, 2)                                                              \
    OP(REDUCE_MEAN, "ReduceMean", 1, 2)                                                            \
    OP(REDUCE_MAX, "ReduceMax", 1, 2)                                                              \
    OP(REDUCE_MIN, "ReduceMin", 1, 2)                                                              \
    OP(REDUCE_PROD, "ReduceProd", 1, 2)                                                            \
    OP(REDUCE_SUM_SQUARE, "ReduceSumSquare", 1, 2)                                                 \
    OP(REDUCE_L1, "ReduceL1", 1, 2)                                                                \
    OP(REDUCE_L2, "ReduceL2", 1, 2)                                                                \
    OP(REDUCE_LOG_SUM, "ReduceLogSum", 1, 2)                                                       \
    OP(REDUCE_LOG_SUM_EXP, "ReduceLogSumExp", 1, 2)                                                \
    OP(ARG_MAX, "ArgMax", 1, 1)                                                                    \
    OP(ARG_MIN, "ArgMin", 1, 1)                                                                    \
    OP(TOP_K, "TopK", 2, 2)                                                                        \
    OP(PAD, "Pad", 2, 4)                                                                           \
    OP(TILE, "Tile", 2, 2)                                                                         \
    OP(DEPTH_TO_SPACE, "DepthToSpace", 1, 1)                                                       \
    OP(GATHER_ELEMENTS, "GatherElements", 2, 2)                                                    \
    OP(TRILU, "Trilu", 1, 2)                                                                       \
    OP(CUM_SUM, "CumSum", 2, 2)                                                                    \
    OP(GATHER_ND, "GatherND", 2, 2)                                                                \
    OP(SCATTER_ELEMENTS, "ScatterElements", 3, 3)                                                  \
    OP(SCATTER_ND, "ScatterND", 3, 3)                                                              \
    OP(ONE_HOT, "OneHot", 3, 3)                                                                    \
    OP(EINSUM, "Einsum", 1, 2)                                                                     \
    OP(NON_MAX_SUPPRESSION, "NonMaxSuppression", 2, 5)                                             \
    OP(RESIZE, "Resize", 1, 4)                                                                     \
    OP(SOFTMAX, "Softmax", 1, 1)                                                                   \
    OP(RESHAPE, "Reshape", 2, 2)                                                                   \
    OP(FLATTEN, "Flatten", 1, 1)                                                                   \
    OP(TRANSPOSE, "Transpose", 1, 1)                                                               \
    OP(SPLIT, "Split", 1, 2)                                                                       \
    OP(SLICE, "Slice", 3, 5)                                                                       \
    OP(SQUEEZE, "Squeeze", 1, 2)                                                                   \
    OP(UNSQUEEZE, "Unsqueeze", 1, 2)                                                               \
    OP(SHAPE, "Shape", 1, 1)                                                                       \
    OP(SIZE, "Size", 1, 1)                                                                         \
    OP(GATHER, "Gather", 2, 2)                                                                     \
    OP(EXPAND, "Expand", 2, 2)                                                                     \
    OP(CONSTANT_OF_SHAPE, "ConstantOfShape", 1, 1)                                                 \
    OP(RANGE, "Range", 3, 3)                                                                       \
    OP(CAST, "Cast", 1, 2)                                                                         \
    OP(IDENTITY, "Identity", 1, 1)                                                                 \
    OP(QUANTIZE_LINEAR, "QuantizeLinear", 2, 3)                                                    \
    OP(DEQUANTIZE_LINEAR, "DequantizeLinear", 2, 3)                                                \
    OP(SPACE_TO_DEPTH, "SpaceToDepth", 1, 1)                                                       \
    OP(YOLO_DECODE, "YoloDecode", 2, 2)                                                            \
    OP(YOLO_RAW, "YoloRaw", 1, 1)                                                                  \
    OP(DETECTIONS, "Detections", 2, 2)                                                             \
    OP(QCONV, "QConv", 3, 4)

#define GRAPH_OP_ENUM(name, text, min_inputs, max_inputs) GRAPH_OP_##name,
typedef enum graph_op { GRAPH_OP_LIST(GRAPH_OP_ENUM) GRAPH_OP_COUNT } graph_op;
#undef GRAPH_OP_ENUM

const char *graph_op_name(graph_op op);
bool graph_op_from_name(const char *name, graph_op *op);

typedef enum act_kind {
    ACT_NONE,
    ACT_SILU,
    ACT_RELU,
    ACT_LEAKY_RELU, /* alpha: slope below zero */
    ACT_SIGMOID,
    ACT_HARD_SWISH,
    ACT_TANH
} act_kind;

typedef struct activation {
    act_kind kind;
    float alpha;
} activation;

/* In which arithmetic a convolution or matmul computes; its inputs and output keep their dtype. */
typedef enum compute_type {
    COMPUTE_F32,
    COMPUTE_BF16,    /* bf16 products, f32 sums */
    COMPUTE_F16_SIM, /* inputs and result rounded to float16, f32 sums */
} compute_type;

/* CONV: x [N,Cin,H,W], weight [Cout,Cin/groups,kh,kw], bias [Cout] or TENSOR_NONE.
 * CONV_TRANSPOSE: weight [Cin,Cout/groups,kh,kw].
 * QCONV: x codes (i8 or u8), weight codes i8 [Cout,Cin/groups,kh,kw], weight scales f32 [Cout],
 *   bias f32 [Cout] or TENSOR_NONE. y = act((sum (x-x_zero)*w) * x_scale*w_scale[c] + bias[c]);
 *   output f32, or, when out_scale > 0, rint(y/out_scale)+out_zero saturated to the output type. */
typedef struct conv_attr {
    int kernel[2]; /* h, w */
    int stride[2];
    int pad[4]; /* top, left, bottom, right */
    int dilation[2];
    int output_pad[2]; /* CONV_TRANSPOSE */
    int out_size[2];   /* CONV_TRANSPOSE: what is asked for while the pads are not settled, or 0 */
    int groups;
    activation act; /* applied to the result; ACT_NONE until fused */
    compute_type compute;
    float x_scale;
    int x_zero;
    float out_scale; /* 0: float output */
    int out_zero;
    bool out_from_half; /* y is rounded to float16 before it becomes codes */
} conv_attr;

typedef struct pool_attr {
    int kernel[2];
    int stride[2];
    int pad[4];
    int dilation[2];
    bool ceil_mode;
    bool count_include_pad;
    bool column_major; /* MAX_POOL: how its second output counts pixels */
} pool_attr;

typedef struct axis_attr {
    int axis;
    int n_splits; /* SPLIT: given lengths, 0: equal parts, one per output */
    int64_t split[16];
    bool keep_dims;
    bool from_half; /* QUANTIZE_LINEAR: rounds to float16 first, as its input is in the file */
} axis_attr;

/* REDUCE_*, ARG_*: over `axes`; none: over all, or nothing when `empty_is_none`. */
typedef struct reduce_attr {
    int n_axes;
    int axes[SHAPE_MAX_RANK]; /* negative: from the end */
    bool to_end;              /* over axes[0] and all behind it */
    bool keep_dims;
    bool empty_is_none;
    bool select_last; /* ARG_*: the last of equal ones */
} reduce_attr;

typedef enum pad_mode { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP } pad_mode;

/* Where a block of channels goes: b x b pixels per channel. */
typedef enum space_order {
    SPACE_REORG, /* channel (dx*block + dy)*C + c (YOLOv7 ReOrg) */
    SPACE_DCR,   /* channel (dy*block + dx)*C + c (ONNX) */
    SPACE_CRD    /* channel (c*block + dy)*block + dx (ONNX) */
} space_order;

typedef struct perm_attr {
    int rank;
    int perm[SHAPE_MAX_RANK];
} perm_attr;

typedef enum resize_mode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC } resize_mode;
typedef enum resize_coord {
    RESIZE_ASYMMETRIC,
    RESIZE_HALF_PIXEL,
    RESIZE_PYTORCH_HALF_PIXEL,
    RESIZE_ALIGN_CORNERS,
    RESIZE_HALF_PIXEL_SYMMETRIC,
    RESIZE_CROP /* of the region of interest */
} resize_coord;
typedef enum resize_nearest {
    RESIZE_FLOOR,
    RESIZE_CEIL,
    RESIZE_ROUND_PREFER_FLOOR,
    RESIZE_ROUND_PREFER_CEIL
} resize_nearest;

typedef enum resize_fit { RESIZE_STRETCH, RESIZE_NOT_LARGER, RESIZE_NOT_SMALLER } resize_fit;

/* RESIZE: x [N,C,H,W] only input; output size is floor(in * scale), or size where size > 0. With
 * both, the scale says where pixels lie. */
typedef struct resize_attr {
    resize_mode mode;
    resize_coord coord;
    resize_nearest nearest;
    float scale[2]; /* h, w */
    int64_t size[2];
    resize_fit fit;  /* of sizes that are still an input */
    bool is_swapped; /* inputs say width, then height */
    bool antialias;
    bool exclude_outside;
    float cubic_a;
    float region[4]; /* RESIZE_CROP: top, left, bottom, right as shares of the image */
    float outside;   /* RESIZE_CROP: the value there */
} resize_attr;

typedef enum scatter_kind {
    SCATTER_SET,
    SCATTER_ADD,
    SCATTER_MUL,
    SCATTER_MAX,
    SCATTER_MIN
} scatter_kind;

typedef struct gemm_attr {
    float alpha;
    float beta;
    bool trans_a;
    bool trans_b;
} gemm_attr;

/* YOLO_DECODE: raw head convolution [N, na*no, ny, nx] and anchors f32 [na,2] in pixels ->
 *   [N, na*ny*nx, no]; row (a*ny + y)*nx + x; xy = (2s-0.5+cell)*stride, wh = (2s)^2*anchor,
 *   rest = s, with s the sigmoid (spec: YOLOv7 IDetect).
 * YOLO_RAW: the same tensor as [N, na, ny, nx, no], no sigmoid.
 * DETECTIONS: a detector's output and the image it is of -> rows in pixels [N, rows, 5+classes];
 *   the graph's detector_form says how (graph/detector_form.h). */
typedef struct decode_attr {
    int n_anchors;
    int n_values; /* no = 5 + classes */
    float stride;
    bool pixels_first; /* a file that spells YOLO_DECODE out turns whole rows of anchors at its
                          end, instead of single values at its beginning */
} decode_attr;

typedef union op_attr {
    conv_attr conv;     /* CONV, CONV_TRANSPOSE, QCONV */
    pool_attr pool;     /* MAX_POOL, AVERAGE_POOL */
    axis_attr axis;     /* CONCAT, SOFTMAX, SPLIT, GATHER, FLATTEN, SQUEEZE, (DE)QUANTIZE_LINEAR,
                           ONE_HOT; GATHER_ND: how many leading axes go together */
    perm_attr perm;     /* TRANSPOSE; SQUEEZE and UNSQUEEZE: the axes */
    reduce_attr reduce; /* REDUCE_*, ARG_MAX, ARG_MIN */
    resize_attr resize; /* RESIZE */
    gemm_attr gemm;     /* GEMM */
    decode_attr decode; /* YOLO_DECODE, YOLO_RAW */
    struct {
        float alpha; /* LEAKY_RELU slope; HARD_SIGMOID, ELU, SELU, CELU, THRESHOLDED_RELU alpha;
                        GELU 1: by tanh; SHRINK lambda; IS_INF 1: negative ones count */
        float beta;  /* HARD_SIGMOID beta; SELU gamma; SHRINK bias; IS_INF 1: positive ones count */
    } slope;
    struct {
        float epsilon;
    } batch_norm;
    struct {
        float min, max;    /* CLIP; -inf/+inf when open */
        bool of_quantizer; /* the bounds of a quantizer with fewer codes than its type has */
    } clip;
    struct {
        dtype to;
    } cast;
    struct {
        int block; /* SPACE_TO_DEPTH, DEPTH_TO_SPACE */
        space_order order;
    } space;
    struct {
        int start, end; /* SHAPE: these axes; end 0 is all when start is 0 */
        bool is_part;
    } span;
    struct {
        int axis;
        bool largest;
    } top; /* TOP_K */
    struct {
        bool is_float; /* MOD: C's fmod, for floats alone; else the sign of the divisor */
    } mod;
    struct {
        pad_mode mode;
    } pad; /* PAD: x, amounts (begins, then ends), value, axes */
    struct {
        int axis; /* SCATTER_ELEMENTS */
        scatter_kind kind;
    } scatter; /* SCATTER_ELEMENTS, SCATTER_ND */
    struct {
        bool allow_zero; /* RESHAPE: a 0 is a length, not a copy of the input's */
    } reshape;
    struct {
        bool keep_lower; /* TRILU: else the upper triangle */
    } triangle;
    struct {
        bool exclusive, reverse; /* CUM_SUM */
    } running;
    struct {
        char equation[64]; /* EINSUM: without blanks */
    } einsum;
    struct {
        bool is_centre; /* NON_MAX_SUPPRESSION: centre and size, not corners */
    } suppression;
    struct {
        double value; /* CONSTANT_OF_SHAPE */
        dtype type;
    } fill;
} op_attr;

#endif
