/* SPDX-License-Identifier: Apache-2.0 */
/* Activations with parameters, reductions, and operators that choose or repeat elements. */
#include "model/onnx_exporter.h"

/* Operators younger than opset 13, the oldest that is written. */
static ptq_status need_opset(const onnx_exporter *e, const node *n, int opset, ptq_error *err)
{
    if (onnx_writer_opset(e->w) >= opset)
        return PTQ_OK;
    return error_set(err, PTQ_UNSUPPORTED, "node '%s' (%s) needs opset %d, the file is to have %d",
                     n->name, graph_op_name(n->op), opset, onnx_writer_opset(e->w));
}

ptq_status onnx_write_young(onnx_exporter *e, const node *n, ptq_error *err)
{
    PTQ_TRY(need_opset(e, n, n->op == GRAPH_OP_GELU ? 20 : 18, err));
    onnx_node *out = onnx_export_same(e, n, graph_op_name(n->op));
    if (n->op == GRAPH_OP_GELU)
        onnx_node_text(e->w, out, "approximate", n->attr.slope.alpha != 0.0f ? "tanh" : "none");
    return PTQ_OK;
}

ptq_status onnx_write_elu(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, graph_op_name(n->op));
    onnx_node_float(e->w, out, "alpha", n->attr.slope.alpha);
    if (n->op == GRAPH_OP_SELU)
        onnx_node_float(e->w, out, "gamma", n->attr.slope.beta);
    return PTQ_OK;
}

ptq_status onnx_write_shrink(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, "Shrink");
    onnx_node_float(e->w, out, "lambd", n->attr.slope.alpha);
    onnx_node_float(e->w, out, "bias", n->attr.slope.beta);
    return PTQ_OK;
}

ptq_status onnx_write_is_inf(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, "IsInf");
    onnx_node_int(e->w, out, "detect_negative", n->attr.slope.alpha != 0);
    onnx_node_int(e->w, out, "detect_positive", n->attr.slope.beta != 0);
    return PTQ_OK;
}

ptq_status onnx_write_reshape(onnx_exporter *e, const node *n, ptq_error *err)
{
    if (n->attr.reshape.allow_zero)
        PTQ_TRY(need_opset(e, n, 14, err));
    onnx_node *out = onnx_export_same(e, n, "Reshape");
    if (n->attr.reshape.allow_zero)
        onnx_node_int(e->w, out, "allowzero", 1);
    return PTQ_OK;
}

ptq_status onnx_write_mod(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node_int(e->w, onnx_export_same(e, n, "Mod"), "fmod", n->attr.mod.is_float);
    return PTQ_OK;
}

ptq_status onnx_write_arg(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, graph_op_name(n->op));
    onnx_node_int(e->w, out, "axis", n->attr.reduce.axes[0]);
    onnx_node_int(e->w, out, "keepdims", n->attr.reduce.keep_dims);
    onnx_node_int(e->w, out, "select_last_index", n->attr.reduce.select_last);
    return PTQ_OK;
}

/* The axes are an input of ReduceSum since opset 13, of the others since 18. */
ptq_status onnx_write_reduce(onnx_exporter *e, const node *n, ptq_error *err)
{
    bool over[SHAPE_MAX_RANK];
    int rank = graph_tensor_const(e->g, n->inputs[0])->shape.rank, count = 0;
    int axes[SHAPE_MAX_RANK];
    int64_t wide[SHAPE_MAX_RANK];
    if (n->n_inputs > 1 || !node_reduced_axes(n, rank, over))
        return error_set(err, PTQ_UNSUPPORTED, "node '%s' (%s) has axes that are no constants",
                         n->name, graph_op_name(n->op));
    for (int i = 0; i < rank; i++)
        if (over[i]) {
            axes[count] = i;
            wide[count++] = i;
        }
    bool as_input = n->op == GRAPH_OP_REDUCE_SUM || onnx_writer_opset(e->w) >= 18;
    e->list[0] = onnx_export_tensor(e, n->inputs[0]);
    if (as_input)
        e->list[1] = onnx_writer_ints(e->w, n->name, "/axes", count, wide);
    onnx_node *out = onnx_writer_node(e->w, graph_op_name(n->op), n->name, e->list,
                                      as_input ? 2 : 1, onnx_export_tensor(e, n->outputs[0]));
    if (!as_input)
        onnx_node_ints(e->w, out, "axes", count, axes);
    else if (count == 0)
        onnx_node_int(e->w, out, "noop_with_empty_axes", 1);
    onnx_node_int(e->w, out, "keepdims", n->attr.reduce.keep_dims);
    return PTQ_OK;
}

ptq_status onnx_write_top_k(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, "TopK");
    onnx_node_output(e->w, out,
                     n->n_outputs > 1 ? onnx_export_tensor(e, n->outputs[1])
                                      : onnx_writer_name(e->w, n->name, "/indices"));
    onnx_node_int(e->w, out, "axis", n->attr.top.axis);
    onnx_node_int(e->w, out, "largest", n->attr.top.largest);
    return PTQ_OK;
}

ptq_status onnx_write_pad(onnx_exporter *e, const node *n, ptq_error *err)
{
    static const char *const modes[] = {"constant", "edge", "reflect", "wrap"};
    if (n->n_inputs > 3)
        PTQ_TRY(need_opset(e, n, 18, err));
    if (n->attr.pad.mode == PAD_WRAP)
        PTQ_TRY(need_opset(e, n, 19, err));
    onnx_node *out = onnx_export_same(e, n, "Pad");
    onnx_node_text(e->w, out, "mode", modes[n->attr.pad.mode]);
    return PTQ_OK;
}

ptq_status onnx_write_depth_to_space(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, "DepthToSpace");
    onnx_node_int(e->w, out, "blocksize", n->attr.space.block);
    onnx_node_text(e->w, out, "mode", n->attr.space.order == SPACE_CRD ? "CRD" : "DCR");
    return PTQ_OK;
}

ptq_status onnx_write_shape(onnx_exporter *e, const node *n, ptq_error *err)
{
    if (n->attr.span.is_part || n->attr.span.start)
        PTQ_TRY(need_opset(e, n, 15, err));
    onnx_node *out = onnx_export_same(e, n, "Shape");
    if (n->attr.span.start)
        onnx_node_int(e->w, out, "start", n->attr.span.start);
    if (n->attr.span.is_part)
        onnx_node_int(e->w, out, "end", n->attr.span.end);
    return PTQ_OK;
}
