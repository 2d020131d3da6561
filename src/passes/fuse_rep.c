/* SPDX-License-Identifier: Apache-2.0 */
/* RepConv: the sum of a 3x3 convolution, a 1x1 convolution and an identity BatchNormalization of
 * one tensor becomes one 3x3 convolution (Ding et al., RepVGG, 2021), in the float order of the
 * official fuse_repvgg_block: W = (W3 + W1 at the centre) + Wi, b = (b3 + b1) + bi. */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "passes/passes.h"
#include "passes/rewrite.h"

enum { WINDOW = 9, CENTRE = 4 };

typedef struct branches {
    node_id dense;     /* 3x3 convolution */
    node_id pointwise; /* 1x1 convolution, or NODE_NONE */
    node_id identity;  /* BATCH_NORM, or NODE_NONE; one of the two is there */
    node_id inner;     /* the nested Add, or NODE_NONE */
    conv_parts conv;   /* of dense */
    conv_parts one;    /* of pointwise */
} branches;

/* Puts the branch that makes `t` into its slot; false when it is none or the slot is taken. */
static bool take_branch(const graph *g, tensor_id t, branches *b)
{
    node_id p = graph_producer(g, t);
    conv_parts c;
    if (p == NODE_NONE || sole_consumer(g, t) == NODE_NONE)
        return false;
    if (graph_node_const(g, p)->op == GRAPH_OP_BATCH_NORM && b->identity == NODE_NONE) {
        b->identity = p;
        return true;
    }
    if (!conv_read(g, p, &c) || c.node.op != GRAPH_OP_CONV)
        return false;
    const int *kernel = c.node.attr.conv.kernel;
    if (kernel[0] == 3 && kernel[1] == 3 && b->dense == NODE_NONE) {
        b->dense = p;
        b->conv = c;
        return true;
    }
    if (kernel[0] == 1 && kernel[1] == 1 && b->pointwise == NODE_NONE) {
        b->pointwise = p;
        b->one = c;
        return true;
    }
    return false;
}

static bool has_pad(const conv_attr *a, int pad)
{
    return a->pad[0] == pad && a->pad[1] == pad && a->pad[2] == pad && a->pad[3] == pad;
}

/* Whether the branches read one tensor and sample it at the same places. */
static bool branches_fit(const graph *g, const branches *b)
{
    if (b->dense == NODE_NONE || (b->pointwise == NODE_NONE && b->identity == NODE_NONE))
        return false;
    const conv_attr *dense = &b->conv.node.attr.conv;
    tensor_id x = b->conv.node.inputs[0];
    if (!has_pad(dense, 1) || dense->dilation[0] != 1 || dense->dilation[1] != 1)
        return false;
    if (b->pointwise != NODE_NONE) {
        const conv_attr *one = &b->one.node.attr.conv;
        if (b->one.node.inputs[0] != x || !has_pad(one, 0) || one->groups != dense->groups ||
            one->stride[0] != dense->stride[0] || one->stride[1] != dense->stride[1] ||
            b->one.n_out != b->conv.n_out || b->one.n_weights * WINDOW != b->conv.n_weights)
            return false;
    }
    if (b->identity != NODE_NONE) {
        int64_t channels = b->conv.weight_shape.dim[1] * dense->groups;
        return graph_node_const(g, b->identity)->inputs[0] == x && dense->stride[0] == 1 &&
               dense->stride[1] == 1 && channels == (int64_t)b->conv.n_out;
    }
    return true;
}

/* Reads the sum `root` with its input `nested` (0, 1; -1: neither) opened as another sum. */
static bool read_sum(const graph *g, node_id root, int nested, branches *b)
{
    *b = (branches){
        .dense = NODE_NONE, .pointwise = NODE_NONE, .identity = NODE_NONE, .inner = NODE_NONE};
    const node *add = graph_node_const(g, root);
    for (int i = 0; i < 2; i++) {
        tensor_id t = add->inputs[i];
        if (i != nested) {
            if (!take_branch(g, t, b))
                return false;
            continue;
        }
        b->inner = producer_if(g, t, GRAPH_OP_ADD);
        if (b->inner == NODE_NONE || sole_consumer(g, t) != root)
            return false;
        const tensor_id *inner = graph_node_const(g, b->inner)->inputs;
        if (!take_branch(g, inner[0], b) || !take_branch(g, inner[1], b))
            return false;
    }
    return branches_fit(g, b);
}

/* W = (W3 + W1) + Wi. `scale` of the identity, or NULL. An identity of group k is the unit matrix
 * of that group. */
static void sum_weights(const branches *b, const float *scale, float *dst)
{
    size_t columns = (size_t)b->conv.weight_shape.dim[1];
    for (size_t i = 0; i < b->conv.n_weights; i++) {
        size_t row = i / (WINDOW * columns), column = i / WINDOW % columns;
        bool is_centre = i % WINDOW == CENTRE;
        float one = is_centre && b->pointwise != NODE_NONE ? b->one.weight[i / WINDOW] : 0.0f;
        float unit = is_centre && scale && column == row % columns ? scale[row] : 0.0f;
        dst[i] = (b->conv.weight[i] + one) + unit;
    }
}

static void sum_biases(const branches *b, const float *shift, float *dst)
{
    for (size_t o = 0; o < b->conv.n_out; o++) {
        float dense = b->conv.bias ? b->conv.bias[o] : 0.0f;
        float one = b->pointwise != NODE_NONE && b->one.bias ? b->one.bias[o] : 0.0f;
        dst[o] = (dense + one) + (shift ? shift[o] : 0.0f);
    }
}

/* "X.rbr_dense.0" becomes "X.rbr_reparam", as the official code names it; other names stay. */
static const char *reparam_name(graph *g, const char *dense)
{
    static const char old[] = ".rbr_dense.0";
    if (!str_ends_with(dense, old))
        return dense;
    str s = STR_INIT;
    str_add_n(&s, dense, strlen(dense) - (sizeof old - 1));
    str_add(&s, ".rbr_reparam");
    const char *name = str_ok(&s) ? graph_intern(g, str_text(&s)) : NULL;
    str_clear(&s);
    return name;
}

/* Adds the summed convolution in place of the sum. */
static ptq_status add_reparam(graph *g, const branches *b, tensor_id output, blob *weight,
                              const float *bias, ptq_error *err)
{
    node n = b->conv.node;
    n.name = reparam_name(g, n.name);
    const char *weight_name = n.name ? name_with_suffix(g, n.name, ".weight") : NULL;
    if (!weight_name)
        return error_no_memory(err, 0, "a name");
    tensor_id inputs[3] = {n.inputs[0], TENSOR_NONE, TENSOR_NONE};
    PTQ_TRY(
        graph_add_const(g, weight_name, DTYPE_F32, &b->conv.weight_shape, weight, &inputs[1], err));
    const char *bias_name = name_with_suffix(g, n.name, ".bias");
    PTQ_TRY(const_add_vector(g, bias_name, bias, b->conv.n_out, &inputs[2], err));
    n.n_inputs = 3;
    n.inputs = inputs;
    n.outputs = &output;
    return graph_add_node(g, &n, NULL, err);
}

static ptq_status fold(graph *g, node_id root, const branches *b, ptq_error *err)
{
    size_t n_out = b->conv.n_out;
    blob *weight = blob_create_unset(b->conv.n_weights * sizeof(float));
    float *scale = mem_array(3 * n_out, sizeof *scale);
    ptq_status status = PTQ_OK;
    if (!weight || !scale) {
        status = error_no_memory(err, b->conv.n_weights * sizeof(float), "a folded weight");
        goto done;
    }
    float *shift = scale + n_out, *bias = shift + n_out;
    bool has_identity = b->identity != NODE_NONE;
    if (has_identity &&
        !batch_norm_affine(g, graph_node_const(g, b->identity), n_out, scale, shift))
        goto done;
    sum_weights(b, has_identity ? scale : NULL, blob_data(weight));
    sum_biases(b, has_identity ? shift : NULL, bias);
    const node_id removed[5] = {root, b->inner, b->dense, b->pointwise, b->identity};
    tensor_id output = graph_node_const(g, root)->outputs[0];
    for (int i = 0; i < 5; i++)
        if (removed[i] != NODE_NONE)
            graph_remove_node(g, removed[i]);
    status = add_reparam(g, b, output, weight, bias, err);
done:
    blob_unref(&weight);
    mem_free(scale);
    return status;
}

/* Backwards, so that the outer sum of three branches is seen before its inner sum of two. */
ptq_status pass_fuse_rep(graph *g, ptq_error *err)
{
    for (int i = graph_n_nodes(g) - 1; i >= 0; i--) {
        node_id root = (node_id)i;
        branches b;
        if (graph_node_const(g, root)->is_dead || graph_node_const(g, root)->op != GRAPH_OP_ADD)
            continue;
        if (read_sum(g, root, 0, &b) || read_sum(g, root, 1, &b) || read_sum(g, root, -1, &b))
            PTQ_TRY(fold(g, root, &b, err));
    }
    return graph_tidy(g, err);
}
