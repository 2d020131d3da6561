/* SPDX-License-Identifier: Apache-2.0 */
/* kernels/kernel.h — everything that computes, except convolutions (kernels/conv.h).
 *
 * A kernel belongs to a family; kernels.def lists them, best first and the scalar reference last.
 * kernel_choose() takes the first that the instruction set allows and that can do these views.
 * A kernel computes part `part` of `n_parts` of its work: it starts no threads, allocates nothing,
 * and the result does not depend on n_parts. Inputs never overlap the output, except that the
 * output of a pointwise family may be exactly its first input.
 */
#ifndef KERNELS_KERNEL_H
#define KERNELS_KERNEL_H

#include "base/cpu.h"
#include "kernels/strided_view.h"

/* Operands are the family's inputs in this order, then its one output.
 * Pointwise families take operands of equal dims, broadcast by stride 0 and coalesced. */
typedef enum kernel_family {
    KERNEL_COPY,       /* pointwise: x; converts the type (a cast) */
    KERNEL_UNARY,      /* pointwise: x */
    KERNEL_BINARY,     /* pointwise: a, b */
    KERNEL_QUANTIZE,   /* pointwise: x, scale, zero (type of y) */
    KERNEL_DEQUANTIZE, /* pointwise: x, scale, zero (type of x) */
    KERNEL_WHERE,      /* pointwise: condition, a, b */
    KERNEL_BATCH_NORM, /* pointwise: x, scale, bias, mean, variance */
    KERNEL_MAX_POOL,   /* x [N,C,H,W] */
    KERNEL_AVERAGE_POOL,
    KERNEL_RESIZE,           /* x [N,C,H,W] */
    KERNEL_SOFTMAX,          /* x */
    KERNEL_GATHER,           /* x, indices (i32 or i64) */
    KERNEL_GATHER_ELEMENTS,  /* x, indices of the output's dims */
    KERNEL_REDUCE,           /* x -> y of x's rank, 1 along the axes */
    KERNEL_TOP_K,            /* x -> the k best along the axis, or (i64) where they are */
    KERNEL_PAD,              /* x, value (one of it) */
    KERNEL_TRIANGLE,         /* x [...,M,N] */
    KERNEL_CUMULATE,         /* x */
    KERNEL_ONE_HOT,          /* indices, values [off, on] */
    KERNEL_GATHER_ND,        /* x, indices [...,depth] */
    KERNEL_SCATTER_ELEMENTS, /* x, indices, updates of the indices' dims */
    KERNEL_SCATTER_ND,       /* x, indices [...,depth], updates */
    KERNEL_SUM_PRODUCT,      /* a, b or a alone */
    KERNEL_MAX_POOL_INDICES, /* x [N,C,H,W] -> where the largest are (i64) */
    KERNEL_RESAMPLE,         /* x [N,C,H,W] */
    KERNEL_MATMUL, /* a [...,M,K], b [...,K,N], bias broadcast to the output or rank 0 and NULL */
    KERNEL_CONV_TRANSPOSE, /* x, weight [Cin,Cout/groups,kh,kw], bias [Cout] or data NULL */
    KERNEL_DECODE,         /* raw head [N,na*no,ny,nx], anchors f32 [na,2] -> [N,na*ny*nx,no] */
    KERNEL_DETECTIONS,     /* a detector's output -> rows in pixels */
    KERNEL_RANGE,          /* start, step -> [n] */
    KERNEL_FAMILY_COUNT
} kernel_family;

enum { KERNEL_MAX_OPERANDS = 6 };

typedef enum unary_op {
    UNARY_NONE,
    UNARY_SIGMOID,
    UNARY_SILU,
    UNARY_RELU,
    UNARY_LEAKY_RELU,   /* alpha: slope below zero */
    UNARY_HARD_SIGMOID, /* max(0, min(1, alpha*x + beta)) */
    UNARY_HARD_SWISH,   /* x * max(0, min(1, x/6 + 1/2)) */
    UNARY_TANH,
    UNARY_EXP,
    UNARY_LOG,
    UNARY_SQRT,
    UNARY_FLOOR,
    UNARY_CEIL,
    UNARY_NEG,
    UNARY_ABS,
    UNARY_ERF,
    UNARY_SOFTPLUS,
    UNARY_ELU,  /* alpha */
    UNARY_SELU, /* alpha, beta: gamma */
    UNARY_MISH,
    UNARY_GELU,  /* alpha 1: by tanh */
    UNARY_ROUND, /* half to even */
    UNARY_RECIPROCAL,
    UNARY_SIGN,
    UNARY_SIN,
    UNARY_COS,
    UNARY_TAN,
    UNARY_ASIN,
    UNARY_ACOS,
    UNARY_ATAN,
    UNARY_SINH,
    UNARY_COSH,
    UNARY_ASINH,
    UNARY_ACOSH,
    UNARY_ATANH,
    UNARY_SOFTSIGN,
    UNARY_CELU,             /* alpha */
    UNARY_THRESHOLDED_RELU, /* alpha */
    UNARY_SHRINK,           /* alpha: lambda, beta: bias */
    UNARY_IS_NAN,
    UNARY_IS_INF, /* alpha, beta: whether negative and positive ones count */
    UNARY_NOT,
    UNARY_CLIP,     /* alpha ... beta */
    UNARY_ROUND_F16 /* to the nearest float16 */
} unary_op;

typedef struct unary_param {
    unary_op op;
    float alpha;
    float beta;
} unary_param;

typedef enum binary_op {
    BINARY_ADD,
    BINARY_SUB,
    BINARY_MUL,
    BINARY_DIV, /* integers: toward zero, x/0 = 0 */
    BINARY_POW,
    BINARY_MAX,
    BINARY_MIN,
    BINARY_EQUAL, /* from here on: 0 or 1 */
    BINARY_GREATER,
    BINARY_GREATER_EQUAL,
    BINARY_LESS,
    BINARY_LESS_EQUAL,
    BINARY_AND,
    BINARY_OR,
    BINARY_XOR,
    BINARY_MOD,  /* integers: sign of the divisor, x mod 0 = 0; floats: fmod */
    BINARY_PRELU /* x below zero times y */
} binary_op;

typedef struct pool_param {
    int kernel[2]; /* h, w */
    int stride[2];
    int dilation[2];
    int pad[4];        /* top, left, bottom, right */
    bool count_pad;    /* averages: padding counts */
    bool column_major; /* indices: how pixels are counted */
} pool_param;

/* How an output position finds its input position (ONNX Resize). */
typedef enum resample_coord {
    RESAMPLE_ASYMMETRIC,
    RESAMPLE_HALF_PIXEL,
    RESAMPLE_PYTORCH_HALF_PIXEL,
    RESAMPLE_ALIGN_CORNERS,
    RESAMPLE_HALF_PIXEL_SYMMETRIC, /* this and the next: RESAMPLE alone */
    RESAMPLE_CROP
} resample_coord;

typedef enum resample_round {
    RESAMPLE_FLOOR,
    RESAMPLE_CEIL,
    RESAMPLE_ROUND_PREFER_FLOOR,
    RESAMPLE_ROUND_PREFER_CEIL
} resample_round;

typedef struct resize_param {
    bool is_linear;
    resample_coord coord;
    resample_round nearest;
    float scale[2]; /* h, w: output / input */
} resize_param;

typedef struct resample_param {
    bool is_cubic; /* else linear */
    bool antialias;
    bool exclude_outside; /* pixels beyond the edge have no weight */
    resample_coord coord;
    float scale[2]; /* h, w: output / input */
    float cubic_a;
    float region[4]; /* RESAMPLE_CROP: top, left, bottom, right */
    float outside;
} resample_param;

typedef struct matmul_param {
    float alpha;
    float beta; /* of the bias */
} matmul_param;

typedef struct deconv_param {
    int stride[2];
    int dilation[2];
    int pad[2]; /* top, left; the output's size says the rest */
    int groups;
    unary_param act;
} deconv_param;

typedef struct decode_param {
    int n_anchors;
    int n_values;    /* 5 + classes */
    float stride;    /* pixels per cell */
    int64_t grid[2]; /* cells: y, x */
    int64_t first;   /* the cell of the first pixel given, row by row */
} decode_param;

typedef struct detections_param {
    bool is_columns;       /* [N,4+classes,rows], else rows of boxes relative to their cell */
    int64_t height, width; /* of the image */
} detections_param;

typedef enum reduce_kind {
    REDUCE_SUM,
    REDUCE_MEAN,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_PROD,
    REDUCE_SUM_SQUARE,
    REDUCE_L1,
    REDUCE_L2,
    REDUCE_LOG_SUM,
    REDUCE_LOG_SUM_EXP,
    REDUCE_ARG_MAX,
    REDUCE_ARG_MIN
} reduce_kind;

typedef struct reduce_param {
    reduce_kind kind;
    bool over[VIEW_MAX_RANK]; /* the axes */
    bool select_last;         /* ARG_*: of equal ones */
} reduce_param;

typedef struct top_param {
    int axis;
    bool largest;
    bool wants_indices;
} top_param;

typedef enum pad_fill { PAD_FILL_VALUE, PAD_FILL_EDGE, PAD_FILL_REFLECT, PAD_FILL_WRAP } pad_fill;

typedef struct pad_param {
    pad_fill fill;
    int64_t before[VIEW_MAX_RANK]; /* negative: cut off */
} pad_param;

typedef struct triangle_param {
    bool keep_lower;
    int64_t diagonal;
} triangle_param;

typedef struct cumulate_param {
    int axis;
    bool exclusive, reverse;
} cumulate_param;

typedef enum scatter_how {
    SCATTER_HOW_SET,
    SCATTER_HOW_ADD,
    SCATTER_HOW_MUL,
    SCATTER_HOW_MAX,
    SCATTER_HOW_MIN
} scatter_how;

typedef struct scatter_param {
    int axis; /* SCATTER_ELEMENTS */
    scatter_how how;
} scatter_param;

typedef union kernel_param {
    unary_param unary;
    binary_op binary;
    pool_param pool;
    resize_param resize;
    matmul_param matmul;
    deconv_param deconv;
    decode_param decode;
    detections_param detections;
    reduce_param reduce;
    top_param top;
    pad_param pad;
    resample_param resample;
    triangle_param triangle;
    cumulate_param cumulate;
    scatter_param scatter;
    int axis;       /* SOFTMAX, GATHER, GATHER_ELEMENTS, ONE_HOT; GATHER_ND: axes that go together;
                       SUM_PRODUCT: axes of the output */
    float epsilon;  /* BATCH_NORM */
    bool from_half; /* QUANTIZE: x is rounded to float16 first */
} kernel_param;

typedef struct kernel_args {
    int n; /* operands, the output included */
    view t[KERNEL_MAX_OPERANDS];
    kernel_param p;
} kernel_args;

typedef void kernel_fn(const kernel_args *a, int part, int n_parts);
typedef bool kernel_can_fn(const kernel_args *a);

typedef struct kernel {
    const char *name;
    kernel_family family;
    cpu_level level;
    kernel_can_fn *can; /* NULL: everything */
    kernel_fn *run;
    double tolerance; /* relative, against the reference; 0: equal bits */
} kernel;

bool kernel_is_pointwise(kernel_family family);
/* The whole list in the order of kernels.def. */
const kernel *kernel_list(int *n);
/* Never NULL: the reference can do everything. */
const kernel *kernel_choose(kernel_family family, const kernel_args *a, cpu_level level);

/* y = op(x), computed in double: what every other implementation is judged by. */
double unary_apply(const unary_param *p, double x);

/* The input row (axis 0) or column (axis 1) that is nearest to output position `at`. */
int64_t resample_nearest(const resize_param *p, int axis, int64_t at, int64_t n_in, int64_t n_out);

/* The share [*begin, *end) of `total` that is part `part` of `n_parts`. */
static inline void kernel_share(int64_t total, int part, int n_parts, int64_t *begin, int64_t *end)
{
    *begin = total * part / n_parts;
    *end = total * (part + 1) / n_parts;
}

#endif
