/* SPDX-License-Identifier: Apache-2.0 */
/* The YOLO head: reads the channels-last convolution directly. */
#include "engine/build.h"
#include "graph/detector_form.h"

ptq_status bind_decode(builder *b, const node *n)
{
    const decode_attr *a = &n->attr.decode;
    value_id operands[3];
    dtype type = graph_tensor_const(b->g, n->inputs[0])->type;
    PTQ_TRY(build_input(b, n->inputs[0], LAYOUT_NHWC, type, &operands[0]));
    PTQ_TRY(build_input(b, n->inputs[1], LAYOUT_DENSE, DTYPE_F32, &operands[1]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[2]));
    kernel_param param = {.decode = {a->n_anchors, a->n_values, a->stride}};
    return build_kernel(b, &(kernel_request){KERNEL_DECODE, param, operands, NULL, 3});
}

/* [N, na*no, ny, nx] seen as [N, na, ny, nx, no]: a copy with other strides. */
ptq_status bind_raw_head(builder *b, const node *n)
{
    const decode_attr *a = &n->attr.decode;
    value_id operands[2];
    view views[2];
    dtype type = graph_tensor_const(b->g, n->inputs[0])->type;
    PTQ_TRY(build_input(b, n->inputs[0], LAYOUT_NHWC, type, &operands[0]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[1]));
    views[1] = *build_view(b, operands[1]);
    const view *x = build_view(b, operands[0]);
    views[0] = views[1];
    views[0].type = x->type;
    const int64_t stride[5] = {x->stride[0], a->n_values * x->stride[1], x->stride[2], x->stride[3],
                               x->stride[1]};
    for (int i = 0; i < 5; i++)
        views[0].stride[i] = stride[i];
    return build_kernel(b, &(kernel_request){KERNEL_COPY, {.axis = 0}, operands, views, 2});
}

ptq_status bind_detections(builder *b, const node *n)
{
    value_id operands[2];
    const shape *image = &graph_tensor_const(b->g, n->inputs[1])->shape;
    dtype type = graph_tensor_const(b->g, n->inputs[0])->type;
    PTQ_TRY(build_input(b, n->inputs[0], LAYOUT_ANY, type, &operands[0]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[1]));
    kernel_param param = {
        .detections = {.is_columns = graph_detector(b->g)->answer == DETECTOR_COLUMNS,
                       .height = image->dim[2],
                       .width = image->dim[3]}};
    return build_kernel(b, &(kernel_request){KERNEL_DETECTIONS, param, operands, NULL, 2});
}
