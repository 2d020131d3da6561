/* SPDX-License-Identifier: Apache-2.0 */
/* Pools and Resize: images in, images out. */
#include <math.h>
#include <string.h>

#include "engine/build.h"

/* Computes output `which`. */
static ptq_status image_output(builder *b, const node *n, int which, kernel_family family,
                               kernel_param param)
{
    value_id operands[2];
    dtype type = graph_tensor_const(b->g, n->inputs[0])->type;
    PTQ_TRY(build_input(b, n->inputs[0], LAYOUT_NHWC, type, &operands[0]));
    PTQ_TRY(build_output(b, n->outputs[which], &operands[1]));
    return build_kernel(b, &(kernel_request){family, param, operands, NULL, 2});
}

static ptq_status image_kernel(builder *b, const node *n, kernel_family family, kernel_param param)
{
    return image_output(b, n, 0, family, param);
}

ptq_status bind_pool(builder *b, const node *n)
{
    const pool_attr *a = &n->attr.pool;
    pool_param p = {.count_pad = a->count_include_pad, .column_major = a->column_major};
    memcpy(p.kernel, a->kernel, sizeof p.kernel);
    memcpy(p.stride, a->stride, sizeof p.stride);
    memcpy(p.dilation, a->dilation, sizeof p.dilation);
    memcpy(p.pad, a->pad, sizeof p.pad);
    kernel_family family = n->op == GRAPH_OP_MAX_POOL ? KERNEL_MAX_POOL : KERNEL_AVERAGE_POOL;
    PTQ_TRY(image_kernel(b, n, family, (kernel_param){.pool = p}));
    if (n->n_outputs < 2 || n->outputs[1] == TENSOR_NONE)
        return PTQ_OK;
    return image_output(b, n, 1, KERNEL_MAX_POOL_INDICES, (kernel_param){.pool = p});
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

static resample_coord coord_of(resize_coord c)
{
    static const resample_coord coords[] = {
        [RESIZE_ASYMMETRIC] = RESAMPLE_ASYMMETRIC,
        [RESIZE_HALF_PIXEL] = RESAMPLE_HALF_PIXEL,
        [RESIZE_PYTORCH_HALF_PIXEL] = RESAMPLE_PYTORCH_HALF_PIXEL,
        [RESIZE_ALIGN_CORNERS] = RESAMPLE_ALIGN_CORNERS,
        [RESIZE_HALF_PIXEL_SYMMETRIC] = RESAMPLE_HALF_PIXEL_SYMMETRIC,
        [RESIZE_CROP] = RESAMPLE_CROP,
    };
    return coords[c];
}

/* Output / input along height (0) or width (1): a given size says it when the scale does not. */
static float scale_of(const builder *b, const node *n, int i)
{
    const resize_attr *a = &n->attr.resize;
    const shape *in = &graph_tensor_const(b->g, n->inputs[0])->shape;
    const shape *out = &graph_tensor_const(b->g, n->outputs[0])->shape;
    bool by_size = a->size[i] > 0 && !(a->scale[i] > 0);
    return by_size ? (float)out->dim[2 + i] / (float)in->dim[2 + i] : a->scale[i];
}

/* Filters that KERNEL_RESIZE does not have. */
static bool needs_resampling(const resize_attr *a)
{
    return a->mode == RESIZE_CUBIC || a->antialias || a->exclude_outside ||
           a->coord == RESIZE_HALF_PIXEL_SYMMETRIC || a->coord == RESIZE_CROP;
}

static ptq_status bind_resample(builder *b, const node *n)
{
    const resize_attr *a = &n->attr.resize;
    resample_param p = {.is_cubic = a->mode == RESIZE_CUBIC,
                        .antialias = a->antialias,
                        .exclude_outside = a->exclude_outside,
                        .coord = coord_of(a->coord),
                        .cubic_a = a->cubic_a,
                        .outside = a->outside};
    memcpy(p.region, a->region, sizeof p.region);
    for (int i = 0; i < 2; i++) {
        p.scale[i] = scale_of(b, n, i);
        if (!(p.scale[i] >= 1.0f / 4096)) /* a filter without end */
            return error_set(b->err, PTQ_SHAPE, "node '%s' scales by %g", n->name,
                             (double)p.scale[i]);
    }
    return image_kernel(b, n, KERNEL_RESAMPLE, (kernel_param){.resample = p});
}

ptq_status bind_resize(builder *b, const node *n)
{
    static const resample_round rounds[] = {
        [RESIZE_FLOOR] = RESAMPLE_FLOOR,
        [RESIZE_CEIL] = RESAMPLE_CEIL,
        [RESIZE_ROUND_PREFER_FLOOR] = RESAMPLE_ROUND_PREFER_FLOOR,
        [RESIZE_ROUND_PREFER_CEIL] = RESAMPLE_ROUND_PREFER_CEIL,
    };
    const resize_attr *a = &n->attr.resize;
    if (needs_resampling(a))
        return bind_resample(b, n);
    resize_param p = {.is_linear = a->mode == RESIZE_LINEAR,
                      .coord = coord_of(a->coord),
                      .nearest = rounds[a->nearest]};
    for (int i = 0; i < 2; i++)
        p.scale[i] = scale_of(b, n, i);
    return image_kernel(b, n, KERNEL_RESIZE, (kernel_param){.resize = p});
}
