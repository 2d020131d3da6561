/* SPDX-License-Identifier: Apache-2.0 */
/* The YOLO head: reads the channels-last convolution directly. */
#include "engine/build.h"
#include "graph/detector_form.h"
#include "graph/fusion.h"

static bool is_tapped(const builder *b, tensor_id id)
{
    for (int i = 0; i < b->options->n_taps; i++)
        if (b->options->taps[i] == id)
            return true;
    return false;
}

/* Whether `raw` was just computed, for this decode alone. */
static bool takes_pieces(const builder *b, const node *n, value_id raw)
{
    const engine *e = b->e;
    tensor_id id = n->inputs[0];
    const step *s = e->n_steps ? &e->steps[e->n_steps - 1] : NULL;
    return !(b->options->without & FUSION_DECODE) && s && s->conv && !s->tail &&
           s->conv->piece_pixels > 0 && s->operand[1] == raw && b->slots[id].whole == TENSOR_NONE &&
           !graph_is_output(b->g, id) && !is_tapped(b, id) &&
           graph_consumers(b->g, id, NULL, 0) == 1;
}

ptq_status bind_decode(builder *b, const node *n)
{
    const decode_attr *a = &n->attr.decode;
    value_id operands[3];
    dtype type = graph_tensor_const(b->g, n->inputs[0])->type;
    PTQ_TRY(build_input(b, n->inputs[0], LAYOUT_NHWC, type, &operands[0]));
    PTQ_TRY(build_input(b, n->inputs[1], LAYOUT_DENSE, DTYPE_F32, &operands[1]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[2]));
    const view *x = build_view(b, operands[0]);
    kernel_param param = {
        .decode = {a->n_anchors, a->n_values, a->stride, {x->dim[2], x->dim[3]}, 0}};
    kernel_request r = {KERNEL_DECODE, param, operands, NULL, 3};
    return takes_pieces(b, n, operands[0]) ? build_tail(b, &r) : build_kernel(b, &r);
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
