/* SPDX-License-Identifier: Apache-2.0 */
/* What needs the shapes of a node's inputs, done in execution order: each node finds its inputs'
 * shapes known as far as they can be, and makes its own known. */
#include <inttypes.h>
#include <string.h>

#include "model/onnx_importer.h"

typedef struct window {
    const int *kernel;
    const int *stride;
    const int *dilation;
    int *pad;
} window;

/* SAME: ceil(in / stride) outputs; an odd pixel of padding goes to the end (UPPER) or the begin. */
static ptq_status same_pads(const shape *x, const window *w, bool upper, ptq_error *err)
{
    if (x->rank != 4)
        return error_set(err, PTQ_UNSUPPORTED, "auto_pad needs an input [N,C,H,W] of known size");
    for (int i = 0; i < 2; i++) {
        int64_t in = x->dim[2 + i], covered = (int64_t)w->dilation[i] * (w->kernel[i] - 1) + 1;
        int64_t out = (in + w->stride[i] - 1) / w->stride[i];
        int64_t total = (out - 1) * w->stride[i] + covered - in;
        if (total < 0)
            total = 0;
        int64_t less = total / 2, more = total - less;
        if (in < 1 || more > 1 << 15)
            return error_set(err, PTQ_SHAPE, "auto_pad has no answer for a size of %" PRId64, in);
        w->pad[i] = (int)(upper ? less : more);
        w->pad[2 + i] = (int)(upper ? more : less);
    }
    return PTQ_OK;
}

/* ConvTranspose: what the full output has more than the one that is asked for, in * stride or
 * output_shape, is padding; what it lacks is added at the end. */
static ptq_status settle_transposed(graph *g, node_id id, bool upper, ptq_error *err)
{
    conv_attr *c = &graph_node(g, id)->attr.conv;
    const shape *x = &graph_tensor(g, graph_node(g, id)->inputs[0])->shape;
    for (int i = 0; i < 2; i++) {
        int64_t in = x->rank == 4 ? x->dim[2 + i] : -1, covered;
        if (in < 1 || in > 1 << 20)
            return error_set(err, PTQ_UNSUPPORTED, "its padding needs an input of known size");
        covered = (in - 1) * c->stride[i] + c->output_pad[i] +
                  (int64_t)c->dilation[i] * (c->kernel[i] - 1) + 1;
        int64_t more = covered - (c->out_size[1] > 0 ? c->out_size[i] : in * c->stride[i]);
        if (more > 1 << 15 || more < -(1 << 15))
            return error_set(err, PTQ_SHAPE, "its output has no such size");
        if (more < 0)
            c->output_pad[i] -= (int)more;
        more = more < 0 ? 0 : more;
        c->pad[i] = (int)(upper ? more / 2 : more - more / 2);
        c->pad[2 + i] = (int)more - c->pad[i];
    }
    c->out_size[0] = c->out_size[1] = 0;
    return PTQ_OK;
}

static ptq_status settle_pads(graph *g, node_id id, bool upper, ptq_error *err)
{
    node *n = graph_node(g, id);
    if (n->op == GRAPH_OP_CONV_TRANSPOSE)
        return settle_transposed(g, id, upper, err);
    conv_attr *c = &n->attr.conv;
    pool_attr *p = &n->attr.pool;
    window w = {p->kernel, p->stride, p->dilation, p->pad};
    if (n->op == GRAPH_OP_CONV)
        w = (window){c->kernel, c->stride, c->dilation, c->pad};
    return same_pads(&graph_tensor(g, n->inputs[0])->shape, &w, upper, err);
}

/* A convolution without kernel_shape takes it from its weight. */
static ptq_status settle_kernel(graph *g, node_id id, ptq_error *err)
{
    node *n = graph_node(g, id);
    bool is_conv = n->op == GRAPH_OP_CONV || n->op == GRAPH_OP_CONV_TRANSPOSE;
    if (!is_conv || (n->attr.conv.kernel[0] > 0 && n->attr.conv.kernel[1] > 0))
        return PTQ_OK;
    const shape *w = &graph_tensor(g, n->inputs[1])->shape;
    for (int i = 0; i < 2; i++) {
        if (w->rank != 4 || w->dim[2 + i] < 1 || w->dim[2 + i] > 1 << 15)
            return error_set(err, PTQ_UNSUPPORTED,
                             "its kernel has no known height and width; only convolutions of "
                             "[N,C,H,W] are supported");
        n->attr.conv.kernel[i] = (int)w->dim[2 + i];
    }
    return PTQ_OK;
}

static void settle_perm(graph *g, node_id id)
{
    node *n = graph_node(g, id);
    int rank = graph_tensor(g, n->inputs[0])->shape.rank;
    n->attr.perm.rank = rank;
    for (int i = 0; i < rank; i++)
        n->attr.perm.perm[i] = rank - 1 - i;
}

/* The shape of `x` as a tensor: a constant when it is known, else computed. */
static ptq_status shape_tensor(onnx_importer *im, const node *n, tensor_id *out, ptq_error *err)
{
    tensor_id x = n->inputs[0];
    const shape s = graph_tensor(im->g, x)->shape;
    if (shape_known(&s))
        return onnx_add_ints(im, n->name, (onnx_ints){"shape", s.rank, s.dim}, out, err);
    const char *name = arena_printf(im->file.arena, "%s.shape", n->name);
    if (!name)
        return error_no_memory(err, strlen(n->name), "a name");
    return graph_add_op(im->g, GRAPH_OP_SHAPE, name, 1, &x, NULL, NULL, out, err);
}

/* Flatten to two axes, Softmax over the second, and back. */
static ptq_status expand_softmax(onnx_importer *im, node_id id, ptq_error *err)
{
    graph *g = im->g;
    node old = *graph_node(g, id);
    const char *flat_name = arena_printf(im->file.arena, "%s.flat", old.name);
    const char *soft_name = arena_printf(im->file.arena, "%s.softmax", old.name);
    if (!flat_name || !soft_name)
        return error_no_memory(err, strlen(old.name), "a name");
    tensor_id flat, soft, target;
    op_attr last = {.axis = {.axis = -1}};
    graph_remove_node(g, id);
    PTQ_TRY(
        graph_add_op(g, GRAPH_OP_FLATTEN, flat_name, 1, old.inputs, &old.attr, NULL, &flat, err));
    PTQ_TRY(graph_add_op(g, GRAPH_OP_SOFTMAX, soft_name, 1, &flat, &last, NULL, &soft, err));
    PTQ_TRY(shape_tensor(im, &old, &target, err));
    node back = {.name = old.name, .op = GRAPH_OP_RESHAPE, .n_inputs = 2, .n_outputs = 1};
    back.inputs = (tensor_id[]){soft, target};
    back.outputs = old.outputs;
    PTQ_TRY(graph_add_node(g, &back, NULL, err));
    graph_tensor(g, old.outputs[0])->shape = graph_tensor(g, old.inputs[0])->shape;
    return PTQ_OK;
}

static ptq_status settle_softmax(onnx_importer *im, node_id id, ptq_error *err)
{
    node *n = graph_node(im->g, id);
    const shape *x = &graph_tensor(im->g, n->inputs[0])->shape;
    if (!shape_known(x))
        return expand_softmax(im, id, err);
    int axis = n->attr.axis.axis < 0 ? n->attr.axis.axis + x->rank : n->attr.axis.axis;
    if (axis < 0 || axis > x->rank)
        return error_set(err, PTQ_FORMAT, "axis %d is outside the rank %d", axis, x->rank);
    n->attr.axis.axis = axis;
    return axis == x->rank - 1 ? PTQ_OK : expand_softmax(im, id, err);
}

static void settle_type(graph *g, node_id id)
{
    node *n = graph_node(g, id);
    n->attr.cast.to = graph_tensor(g, n->inputs[1])->type;
    n->n_inputs = 1;
}

static ptq_status settle_pending(onnx_importer *im, node_id id, ptq_error *err)
{
    int64_t what;
    const node *n = graph_node(im->g, id);
    if (!strmap_get(im->pending, n->name, &what))
        return PTQ_OK;
    if (what == ONNX_FLAT_SOFTMAX)
        return settle_softmax(im, id, err);
    if (what == ONNX_TYPE_OF_INPUT) {
        settle_type(im->g, id);
        return PTQ_OK;
    }
    if (!node_inputs_known(im->g, id))
        return error_set(err, PTQ_UNSUPPORTED,
                         "%s depends on its input's shape, which the file leaves open; export the "
                         "model with a fixed input size",
                         what == ONNX_REVERSED_PERM ? "its order of axes" : "auto_pad");
    if (what == ONNX_REVERSED_PERM) {
        settle_perm(im->g, id);
        return PTQ_OK;
    }
    return settle_pads(im->g, id, what == ONNX_SAME_UPPER, err);
}

/* What it leaves is known where its boxes are; files that end in one were cut before it. */
static ptq_status check_suppression(const graph *g, const node *n, ptq_error *err)
{
    if (n->op != GRAPH_OP_NON_MAX_SUPPRESSION ||
        (graph_is_const(g, n->inputs[0]) && graph_is_const(g, n->inputs[1])))
        return PTQ_OK;
    return error_set(err, PTQ_UNSUPPORTED,
                     "it is not supported here: several tensors lead past it, so that the file "
                     "cannot be read up to it alone");
}

/* A shape that has to be computed first is left open: folding constants finds it. */
static ptq_status infer(graph *g, node_id id, ptq_error *err)
{
    if (graph_node(g, id)->is_dead || !node_inputs_known(g, id))
        return PTQ_OK;
    ptq_status status = node_infer(g, id, err);
    return status == PTQ_UNSUPPORTED ? PTQ_OK : status;
}

ptq_status onnx_settle(onnx_importer *im, ptq_error *err)
{
    int n_nodes = graph_n_nodes(im->g);
    for (int i = 0; i < n_nodes; i++) {
        node_id id = (node_id)i;
        PTQ_TRY(node_absorb_constants(im->g, id, err));
        ptq_status status = check_suppression(im->g, graph_node(im->g, id), err);
        if (status == PTQ_OK)
            status = settle_kernel(im->g, id, err);
        if (status == PTQ_OK)
            status = settle_pending(im, id, err);
        if (status != PTQ_OK) {
            const node *n = graph_node(im->g, id);
            error_context(err, "node '%s' (%s)", n->name, graph_op_name(n->op));
            return status;
        }
        PTQ_TRY(infer(im->g, id, err));
    }
    return graph_tidy(im->g, err);
}
