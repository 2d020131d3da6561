/* SPDX-License-Identifier: Apache-2.0 */
/* Operators that gather and scatter element by element, triangles, running and Einstein sums. */
#include "model/onnx_exporter.h"

ptq_status onnx_write_trilu(onnx_exporter *e, const node *n, ptq_error *err)
{
    if (onnx_writer_opset(e->w) < 14)
        return error_set(err, PTQ_UNSUPPORTED, "node '%s' (Trilu) is written from opset 14 on",
                         n->name);
    onnx_node_int(e->w, onnx_export_same(e, n, "Trilu"), "upper", !n->attr.triangle.keep_lower);
    return PTQ_OK;
}

ptq_status onnx_write_cum_sum(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node *out = onnx_export_same(e, n, "CumSum");
    onnx_node_int(e->w, out, "exclusive", n->attr.running.exclusive);
    onnx_node_int(e->w, out, "reverse", n->attr.running.reverse);
    return PTQ_OK;
}

ptq_status onnx_write_gather_nd(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node_int(e->w, onnx_export_same(e, n, "GatherND"), "batch_dims", n->attr.axis.axis);
    return PTQ_OK;
}

ptq_status onnx_write_scatter(onnx_exporter *e, const node *n, ptq_error *err)
{
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    scatter_kind kind = n->attr.scatter.kind;
    int least = kind == SCATTER_SET ? 13 : kind == SCATTER_ADD || kind == SCATTER_MUL ? 16 : 18;
    if (onnx_writer_opset(e->w) < least)
        return error_set(err, PTQ_UNSUPPORTED, "node '%s' (%s) is written from opset %d on",
                         n->name, graph_op_name(n->op), least);
    onnx_node *out = onnx_export_same(e, n, graph_op_name(n->op));
    if (n->op == GRAPH_OP_SCATTER_ELEMENTS)
        onnx_node_int(e->w, out, "axis", n->attr.scatter.axis);
    if (kind != SCATTER_SET)
        onnx_node_text(e->w, out, "reduction", names[kind]);
    return PTQ_OK;
}

ptq_status onnx_write_einsum(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node_text(e->w, onnx_export_same(e, n, "Einsum"), "equation", n->attr.einsum.equation);
    return PTQ_OK;
}

ptq_status onnx_write_suppression(onnx_exporter *e, const node *n, ptq_error *err)
{
    (void)err;
    onnx_node_int(e->w, onnx_export_same(e, n, "NonMaxSuppression"), "center_point_box",
                  n->attr.suppression.is_centre);
    return PTQ_OK;
}
