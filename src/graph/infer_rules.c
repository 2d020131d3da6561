/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/infer_rules.h"

#include <inttypes.h>
#include <stddef.h>

#include "graph/graph_impl.h"

bool shape_broadcast(const shape *a, const shape *b, shape *out)
{
    shape s = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 0; i < s.rank; i++) {
        int ia = i - (s.rank - a->rank), ib = i - (s.rank - b->rank);
        int64_t da = ia < 0 ? 1 : a->dim[ia], db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1)
            return false;
        s.dim[i] = da == 1 ? db : da;
    }
    *out = s;
    return true;
}

bool axis_normalise(int axis, int rank, int *out)
{
    if (axis < -rank || axis >= rank)
        return false;
    *out = axis < 0 ? axis + rank : axis;
    return true;
}

static const shape *in(const graph *g, const node *n, int i)
{
    return &g->tensors[n->inputs[i]].shape;
}

static ptq_status same(const graph *g, const node *n, infer_out *out)
{
    for (int i = 0; i < out->n; i++)
        out->shape[i] = *in(g, n, 0);
    return PTQ_OK;
}

static ptq_status broadcast(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    shape s = *in(g, n, 0);
    for (int i = 1; i < n->n_inputs; i++) {
        char a[128], b[128];
        shape sum;
        if (!shape_broadcast(&s, in(g, n, i), &sum))
            return error_set(err, PTQ_SHAPE, "shapes %s and %s do not broadcast", shape_text(&s, a),
                             shape_text(in(g, n, i), b));
        s = sum;
    }
    out->shape[0] = s;
    return PTQ_OK;
}

static ptq_status compare(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    out->type[0] = DTYPE_BOOL;
    return broadcast(g, n, out, err);
}

/* A matrix, or many of them. */
static ptq_status triangle(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    if (in(g, n, 0)->rank < 2)
        return error_set(err, PTQ_SHAPE, "the input is no matrix");
    return same(g, n, out);
}

static ptq_status is_special(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    (void)err;
    out->type[0] = DTYPE_BOOL;
    return same(g, n, out);
}

static ptq_status modulo(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    if ((out->type[0] == DTYPE_F32) != n->attr.mod.is_float)
        return error_set(err, PTQ_UNSUPPORTED,
                         "fmod is for floats, and the other form for integers");
    return broadcast(g, n, out, err);
}

static ptq_status where(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    out->type[0] = g->tensors[n->inputs[1]].type;
    if (g->tensors[n->inputs[0]].type != DTYPE_BOOL ||
        g->tensors[n->inputs[2]].type != out->type[0])
        return error_set(err, PTQ_SHAPE,
                         "its condition is no boolean, or its values differ in type");
    return broadcast(g, n, out, err);
}

static ptq_status batch_norm(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0);
    for (int i = 1; i < 5; i++)
        if (x->rank < 2 || in(g, n, i)->rank != 1 || in(g, n, i)->dim[0] != x->dim[1])
            return error_set(err, PTQ_SHAPE, "parameter %d does not have one value per channel", i);
    return same(g, n, out);
}

static ptq_status gemm(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *a = in(g, n, 0), *b = in(g, n, 1);
    const gemm_attr *p = &n->attr.gemm;
    char ta[128], tb[128];
    if (a->rank != 2 || b->rank != 2 || a->dim[p->trans_a ? 0 : 1] != b->dim[p->trans_b ? 1 : 0])
        return error_set(err, PTQ_SHAPE, "matrices %s and %s do not fit", shape_text(a, ta),
                         shape_text(b, tb));
    int64_t dims[2] = {a->dim[p->trans_a ? 1 : 0], b->dim[p->trans_b ? 0 : 1]};
    out->shape[0] = shape_make(2, dims);
    return PTQ_OK;
}

static ptq_status matmul(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    shape a = *in(g, n, 0), b = *in(g, n, 1);
    char ta[128], tb[128];
    bool a_vector = a.rank == 1, b_vector = b.rank == 1;
    if (a_vector)
        a = shape_make(2, (int64_t[]){1, a.dim[0]});
    if (b_vector)
        b = shape_make(2, (int64_t[]){b.dim[0], 1});
    shape head_a = a, head_b = b, s;
    head_a.rank -= 2;
    head_b.rank -= 2;
    if (a.rank < 2 || b.rank < 2 || a.dim[a.rank - 1] != b.dim[b.rank - 2] ||
        !shape_broadcast(&head_a, &head_b, &s))
        return error_set(err, PTQ_SHAPE, "matrices %s and %s do not fit", shape_text(&a, ta),
                         shape_text(&b, tb));
    if (!a_vector)
        s.dim[s.rank++] = a.dim[a.rank - 2];
    if (!b_vector)
        s.dim[s.rank++] = b.dim[b.rank - 1];
    out->shape[0] = s;
    return PTQ_OK;
}

/* Scales: one value, or one per slice of the axis. */
static ptq_status quantize(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0), *scale = in(g, n, 1);
    bool one = scale->rank == 0 || (scale->rank == 1 && scale->dim[0] == 1);
    int axis;
    if (!one && (scale->rank != 1 || !axis_normalise(n->attr.axis.axis, x->rank, &axis) ||
                 scale->dim[0] != x->dim[axis]))
        return error_set(err, PTQ_SHAPE, "the scales do not fit the axis %d", n->attr.axis.axis);
    bool has_zero = n->n_inputs > 2 && n->inputs[2] != TENSOR_NONE;
    if (n->op == GRAPH_OP_QUANTIZE_LINEAR)
        out->type[0] = has_zero ? g->tensors[n->inputs[2]].type : DTYPE_U8;
    else
        out->type[0] = g->tensors[n->inputs[1]].type;
    return same(g, n, out);
}

static ptq_status space_to_depth(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0);
    int64_t b = n->attr.space.block;
    if (x->rank != 4 || b < 1 || x->dim[2] % b || x->dim[3] % b)
        return error_set(err, PTQ_SHAPE, "height and width are no multiples of the block");
    out->shape[0] = shape4(x->dim[0], x->dim[1] * b * b, x->dim[2] / b, x->dim[3] / b);
    return PTQ_OK;
}

static ptq_status yolo(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0);
    const decode_attr *p = &n->attr.decode;
    if (x->rank != 4 || p->n_anchors < 1 || p->n_values < 6 ||
        x->dim[1] != (int64_t)p->n_anchors * p->n_values)
        return error_set(err, PTQ_SHAPE, "the head has %" PRId64 " channels, not %d x %d",
                         x->rank == 4 ? x->dim[1] : 0, p->n_anchors, p->n_values);
    if (n->op == GRAPH_OP_YOLO_DECODE) {
        const shape *a = in(g, n, 1);
        if (a->rank != 2 || a->dim[0] != p->n_anchors || a->dim[1] != 2)
            return error_set(err, PTQ_SHAPE, "the anchors are not [%d,2]", p->n_anchors);
        int64_t dims[3] = {x->dim[0], p->n_anchors * x->dim[2] * x->dim[3], p->n_values};
        out->shape[0] = shape_make(3, dims);
    } else {
        int64_t dims[5] = {x->dim[0], p->n_anchors, x->dim[2], x->dim[3], p->n_values};
        out->shape[0] = shape_make(5, dims);
    }
    return PTQ_OK;
}

/* One row per cell of 8, 16 and 32 pixels. */
static ptq_status detections(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const shape *x = in(g, n, 0), *image = in(g, n, 1);
    detector_answer answer = graph_detector(g)->answer;
    char text[128];
    int64_t cells = 0;
    for (int64_t s = 8; image->rank == 4 && s <= 32; s *= 2)
        cells += (image->dim[2] / s) * (image->dim[3] / s);
    shape s = *x;
    if (answer == DETECTOR_COLUMNS && s.rank == 3)
        s = shape_make(3, (int64_t[]){x->dim[0], x->dim[2], x->dim[1] + 1});
    if (s.rank != 3 || s.dim[2] < 6 || (answer == DETECTOR_CELLS && s.dim[1] != cells))
        return error_set(err, PTQ_SHAPE, "the output %s is not what this family of detectors gives",
                         shape_text(x, text));
    out->shape[0] = s;
    return PTQ_OK;
}

static ptq_status constant_of_shape(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    int64_t dims[SHAPE_MAX_RANK];
    int rank;
    if (!const_ints(g, n->inputs[0], dims, &rank))
        return error_set(err, PTQ_UNSUPPORTED, "its shape is not a constant");
    for (int i = 0; i < rank; i++)
        if (dims[i] < 0)
            return error_set(err, PTQ_SHAPE, "a dimension is negative");
    out->shape[0] = shape_make(rank, dims);
    out->type[0] = n->attr.fill.type;
    return PTQ_OK;
}

static ptq_status global_pool(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    if (in(g, n, 0)->rank < 3)
        return error_set(err, PTQ_SHAPE, "the input has no height and width");
    out->shape[0] = *in(g, n, 0);
    for (int i = 2; i < out->shape[0].rank; i++)
        out->shape[0].dim[i] = 1;
    return PTQ_OK;
}

static ptq_status qconv(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    const conv_attr *p = &n->attr.conv;
    dtype kept = g->tensors[n->outputs[0]].type; /* lowering chose the code type */
    out->type[0] = p->out_scale > 0 || kept == DTYPE_BF16 ? kept : DTYPE_F32;
    return infer_conv(g, n, out, err);
}

static ptq_status conv(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    dtype kept = g->tensors[n->outputs[0]].type; /* bf16 or f32, as lowering chose */
    out->type[0] = n->attr.conv.compute == COMPUTE_BF16 ? kept : DTYPE_F32;
    return infer_conv(g, n, out, err);
}

static ptq_status cast(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    (void)err;
    out->type[0] = n->attr.cast.to;
    return same(g, n, out);
}

typedef ptq_status infer_fn(const graph *g, const node *n, infer_out *out, ptq_error *err);

/* Operators that are not here work element by element. */
static infer_fn *const rules[GRAPH_OP_COUNT] = {
    [GRAPH_OP_CONV] = conv,
    [GRAPH_OP_QCONV] = qconv,
    [GRAPH_OP_CONV_TRANSPOSE] = infer_conv_transpose,
    [GRAPH_OP_GEMM] = gemm,
    [GRAPH_OP_MATMUL] = matmul,
    [GRAPH_OP_BATCH_NORM] = batch_norm,
    [GRAPH_OP_ADD] = broadcast,
    [GRAPH_OP_SUB] = broadcast,
    [GRAPH_OP_MUL] = broadcast,
    [GRAPH_OP_DIV] = broadcast,
    [GRAPH_OP_POW] = broadcast,
    [GRAPH_OP_MAX] = broadcast,
    [GRAPH_OP_MIN] = broadcast,
    [GRAPH_OP_MOD] = modulo,
    [GRAPH_OP_PRELU] = broadcast,
    [GRAPH_OP_EQUAL] = compare,
    [GRAPH_OP_GREATER] = compare,
    [GRAPH_OP_GREATER_EQUAL] = compare,
    [GRAPH_OP_LESS] = compare,
    [GRAPH_OP_LESS_EQUAL] = compare,
    [GRAPH_OP_AND] = compare,
    [GRAPH_OP_OR] = compare,
    [GRAPH_OP_XOR] = compare,
    [GRAPH_OP_WHERE] = where,
    [GRAPH_OP_IS_NAN] = is_special,
    [GRAPH_OP_IS_INF] = is_special,
    [GRAPH_OP_TRILU] = triangle,
    [GRAPH_OP_GATHER_ND] = infer_gather_nd,
    [GRAPH_OP_SCATTER_ELEMENTS] = infer_scatter_elements,
    [GRAPH_OP_SCATTER_ND] = infer_scatter_nd,
    [GRAPH_OP_ONE_HOT] = infer_one_hot,
    [GRAPH_OP_EINSUM] = infer_einsum,
    [GRAPH_OP_NON_MAX_SUPPRESSION] = infer_suppression,
    [GRAPH_OP_REDUCE_SUM] = infer_reduce,
    [GRAPH_OP_REDUCE_MEAN] = infer_reduce,
    [GRAPH_OP_REDUCE_MAX] = infer_reduce,
    [GRAPH_OP_REDUCE_MIN] = infer_reduce,
    [GRAPH_OP_REDUCE_PROD] = infer_reduce,
    [GRAPH_OP_REDUCE_SUM_SQUARE] = infer_reduce,
    [GRAPH_OP_REDUCE_L1] = infer_reduce,
    [GRAPH_OP_REDUCE_L2] = infer_reduce,
    [GRAPH_OP_REDUCE_LOG_SUM] = infer_reduce,
    [GRAPH_OP_REDUCE_LOG_SUM_EXP] = infer_reduce,
    [GRAPH_OP_ARG_MAX] = infer_reduce,
    [GRAPH_OP_ARG_MIN] = infer_reduce,
    [GRAPH_OP_TOP_K] = infer_top_k,
    [GRAPH_OP_PAD] = infer_pad,
    [GRAPH_OP_TILE] = infer_tile,
    [GRAPH_OP_DEPTH_TO_SPACE] = infer_depth_to_space,
    [GRAPH_OP_GATHER_ELEMENTS] = infer_gather_elements,
    [GRAPH_OP_MAX_POOL] = infer_pool,
    [GRAPH_OP_AVERAGE_POOL] = infer_pool,
    [GRAPH_OP_GLOBAL_AVERAGE_POOL] = global_pool,
    [GRAPH_OP_RESIZE] = infer_resize,
    [GRAPH_OP_CONCAT] = infer_concat,
    [GRAPH_OP_RESHAPE] = infer_reshape,
    [GRAPH_OP_FLATTEN] = infer_flatten,
    [GRAPH_OP_TRANSPOSE] = infer_transpose,
    [GRAPH_OP_SPLIT] = infer_split,
    [GRAPH_OP_SLICE] = infer_slice,
    [GRAPH_OP_SQUEEZE] = infer_squeeze,
    [GRAPH_OP_UNSQUEEZE] = infer_unsqueeze,
    [GRAPH_OP_SHAPE] = infer_shape_of,
    [GRAPH_OP_SIZE] = infer_shape_of,
    [GRAPH_OP_GATHER] = infer_gather,
    [GRAPH_OP_EXPAND] = infer_expand,
    [GRAPH_OP_CONSTANT_OF_SHAPE] = constant_of_shape,
    [GRAPH_OP_RANGE] = infer_range,
    [GRAPH_OP_CAST] = cast,
    [GRAPH_OP_QUANTIZE_LINEAR] = quantize,
    [GRAPH_OP_DEQUANTIZE_LINEAR] = quantize,
    [GRAPH_OP_SPACE_TO_DEPTH] = space_to_depth,
    [GRAPH_OP_YOLO_DECODE] = yolo,
    [GRAPH_OP_YOLO_RAW] = yolo,
    [GRAPH_OP_DETECTIONS] = detections,
};

ptq_status infer_apply(const graph *g, const node *n, infer_out *out, ptq_error *err)
{
    return rules[n->op] ? rules[n->op](g, n, out, err) : same(g, n, out);
}
