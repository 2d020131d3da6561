/* SPDX-License-Identifier: Apache-2.0 */
/* Pools and Resize: images in, images out. */
#include <math.h>
#include <string.h>

#include "engine/build.h"

static ptq_status image_kernel(builder *b, const node *n, kernel_family family, kernel_param param)
{
    value_id operands[2];
    dtype type = graph_tensor_const(b->g, n->inputs[0])->type;
    PTQ_TRY(build_input(b, n->inputs[0], LAYOUT_NHWC, type, &operands[0]));
    PTQ_TRY(build_output(b, n->outputs[0], &operands[1]));
    return build_kernel(b, &(kernel_request){family, param, operands, NULL, 2});
}

ptq_status bind_pool(builder *b, const node *n)
{
    const pool_attr *a = &n->attr.pool;
    pool_param p = {.count_pad = a->count_include_pad};
    memcpy(p.kernel, a->kernel, sizeof p.kernel);
    memcpy(p.stride, a->stride, sizeof p.stride);
    memcpy(p.dilation, a->dilation, sizeof p.dilation);
    memcpy(p.pad, a->pad, sizeof p.pad);
    kernel_family family = n->op == GRAPH_OP_MAX_POOL ? KERNEL_MAX_POOL : KERNEL_AVERAGE_POOL;
    return image_kernel(b, n, family, (kernel_param){.pool = p});
}

ptq_status bind_global_pool(builder *b, const node *n)
{
    const shape *s = &graph_tensor_const(b->g, n->inputs[0])->shape;
    if (s->rank != 4 || s->dim[2] > INT32_MAX || s->dim[3] > INT32_MAX)
        return error_set(b->err, PTQ_UNSUPPORTED, "node '%s' pools a tensor that is no image",
                         n->name);
    pool_param p = {
        .kernel = {(int)s->dim[2], (int)s->dim[3]}, .stride = {1, 1}, .dilation = {1, 1}};
    return image_kernel(b, n, KERNEL_AVERAGE_POOL, (kernel_param){.pool = p});
}

ptq_status bind_resize(builder *b, const node *n)
{
    static const resample_coord coords[] = {
        [RESIZE_ASYMMETRIC] = RESAMPLE_ASYMMETRIC,
        [RESIZE_HALF_PIXEL] = RESAMPLE_HALF_PIXEL,
        [RESIZE_PYTORCH_HALF_PIXEL] = RESAMPLE_PYTORCH_HALF_PIXEL,
        [RESIZE_ALIGN_CORNERS] = RESAMPLE_ALIGN_CORNERS,
    };
    static const resample_round rounds[] = {
        [RESIZE_FLOOR] = RESAMPLE_FLOOR,
        [RESIZE_CEIL] = RESAMPLE_CEIL,
        [RESIZE_ROUND_PREFER_FLOOR] = RESAMPLE_ROUND_PREFER_FLOOR,
        [RESIZE_ROUND_PREFER_CEIL] = RESAMPLE_ROUND_PREFER_CEIL,
    };
    const resize_attr *a = &n->attr.resize;
    const shape *in = &graph_tensor_const(b->g, n->inputs[0])->shape;
    const shape *out = &graph_tensor_const(b->g, n->outputs[0])->shape;
    resize_param p = {.is_linear = a->mode == RESIZE_LINEAR,
                      .coord = coords[a->coord],
                      .nearest = rounds[a->nearest]};
    for (int i = 0; i < 2; i++) /* a given size says the scale, not the other way round */
        p.scale[i] = a->size[i] > 0 ? (float)out->dim[2 + i] / (float)in->dim[2 + i] : a->scale[i];
    return image_kernel(b, n, KERNEL_RESIZE, (kernel_param){.resize = p});
}
