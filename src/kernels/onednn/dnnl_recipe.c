/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/onednn/dnnl_recipe.h"

#include <string.h>

#include "base/mem.h"

static bool type_of(dtype type, dnnl_data_type_t *out)
{
    switch (type) {
    case DTYPE_F32:
        *out = dnnl_f32;
        return true;
    case DTYPE_BF16:
        *out = dnnl_bf16;
        return true;
    case DTYPE_I8:
        *out = dnnl_s8;
        return true;
    case DTYPE_U8:
        *out = dnnl_u8;
        return true;
    default:
        return false;
    }
}

static bool eltwise_of(unary_op op, dnnl_alg_kind_t *out)
{
    switch (op) {
    case UNARY_SILU:
        *out = dnnl_eltwise_swish;
        return true;
    case UNARY_RELU:
    case UNARY_LEAKY_RELU:
        *out = dnnl_eltwise_relu;
        return true;
    case UNARY_SIGMOID:
        *out = dnnl_eltwise_logistic;
        return true;
    case UNARY_HARD_SWISH:
        *out = dnnl_eltwise_hardswish;
        return true;
    case UNARY_TANH:
        *out = dnnl_eltwise_tanh;
        return true;
    default:
        return false;
    }
}

bool dnnl_recipe_suits(const conv_desc *d)
{
    dnnl_data_type_t type;
    dnnl_alg_kind_t alg;
    bool is_src_ok = d->math == CONV_F32    ? d->src.type == DTYPE_F32
                     : d->math == CONV_BF16 ? d->src.type == DTYPE_BF16
                                            : d->src.type == DTYPE_I8 || d->src.type == DTYPE_U8;
    bool is_int_dst = d->dst.type == DTYPE_I8 || d->dst.type == DTYPE_U8;
    if (d->exact || d->out_from_half || !is_src_ok || !type_of(d->dst.type, &type) ||
        is_int_dst != (d->out_scale > 0))
        return false;
    if (d->math != CONV_INT8 && is_int_dst)
        return false;
    if (d->act.op != UNARY_NONE && !eltwise_of(d->act.op, &alg))
        return false;
    return view_is_packed(&d->src) && view_is_packed(&d->dst) && view_count(&d->dst) > 0 &&
           view_count(&d->src) > 0;
}

static bool image_desc(const view *v, dnnl_memory_desc_t *out)
{
    dnnl_dims_t dims;
    dnnl_data_type_t type;
    memcpy(dims, v->dim, 4 * sizeof *dims);
    return type_of(v->type, &type) &&
           dnnl_memory_desc_init_by_tag(out, 4, dims, type, dnnl_nhwc) == dnnl_success;
}

/* Dimensions of the weights: [oc,ic,kh,kw], or [g,oc/g,ic/g,kh,kw]. */
static int weight_dims(const conv_desc *d, dnnl_dims_t dims)
{
    int n = 0;
    if (d->groups > 1)
        dims[n++] = d->groups;
    dims[n++] = d->dst.dim[1] / d->groups;
    dims[n++] = d->src.dim[1] / d->groups;
    dims[n++] = d->kernel[0];
    dims[n++] = d->kernel[1];
    return n;
}

static dnnl_data_type_t packed_type(const conv_desc *d)
{
    return d->math == CONV_F32 ? dnnl_f32 : d->math == CONV_BF16 ? dnnl_bf16 : dnnl_s8;
}

bool dnnl_recipe_plain_weights(const conv_desc *d, dnnl_memory_desc_t *out)
{
    dnnl_dims_t dims;
    int n = weight_dims(d, dims);
    return dnnl_memory_desc_init_by_tag(out, n, dims, d->math == CONV_INT8 ? dnnl_s8 : dnnl_f32,
                                        n == 5 ? dnnl_abcde : dnnl_abcd) == dnnl_success;
}

static bool make_descs(dnnl_recipe *r, const dnnl_memory_desc_t *weight)
{
    const conv_desc *d = r->d;
    dnnl_dims_t dims, bias_dims = {d->dst.dim[1]};
    int n = weight_dims(d, dims);
    if (weight)
        r->weight = *weight;
    else if (dnnl_memory_desc_init_by_tag(&r->weight, n, dims, packed_type(d),
                                          dnnl_format_tag_any) != dnnl_success)
        return false;
    return image_desc(&d->src, &r->src) && image_desc(&d->dst, &r->dst) &&
           dnnl_memory_desc_init_by_tag(&r->bias, 1, bias_dims, dnnl_f32, dnnl_a) == dnnl_success;
}

/* op(s*x) = s*op(x) for s > 0: the output's scale can go into the sum's. */
static bool is_homogeneous(unary_op op)
{
    return op == UNARY_NONE || op == UNARY_RELU || op == UNARY_LEAKY_RELU;
}

float dnnl_recipe_sum_scale(const conv_desc *d, const conv_weights *w, int64_t c)
{
    return d->math == CONV_INT8 ? d->x_scale * w->w_scale[c] : 1;
}

static ptq_status set_scales(dnnl_recipe *r, ptq_error *err)
{
    const conv_desc *d = r->d;
    size_t oc = (size_t)d->dst.dim[1];
    float *scales = mem_array(oc, sizeof *scales);
    if (!scales)
        return error_no_memory(err, oc * sizeof *scales, "scales");
    bool is_ok = true;
    for (size_t c = 0; c < oc; c++) {
        scales[c] = dnnl_recipe_sum_scale(d, r->w, (int64_t)c);
        is_ok = is_ok && scales[c] > 0; /* the bias is divided by it */
        if (d->out_scale > 0 && is_homogeneous(d->act.op))
            scales[c] /= d->out_scale;
    }
    is_ok = is_ok && dnnl_primitive_attr_set_output_scales(r->attr, (dnnl_dim_t)oc, 2, scales) ==
                         dnnl_success;
    mem_free(scales);
    return is_ok ? PTQ_OK : PTQ_UNSUPPORTED;
}

static bool set_zeros(dnnl_recipe *r)
{
    static const int32_t at_run = DNNL_RUNTIME_S32_VAL;
    const conv_desc *d = r->d;
    if (d->math != CONV_INT8)
        return true;
    if (d->x_zero &&
        dnnl_primitive_attr_set_zero_points(r->attr, DNNL_ARG_SRC, 1, 0, &at_run) != dnnl_success)
        return false;
    return !d->out_zero || dnnl_primitive_attr_set_zero_points(r->attr, DNNL_ARG_DST, 1, 0,
                                                               &at_run) == dnnl_success;
}

static bool set_post_ops(dnnl_recipe *r)
{
    const conv_desc *d = r->d;
    dnnl_post_ops_t ops = NULL;
    if (dnnl_post_ops_create(&ops) != dnnl_success)
        return false;
    bool is_ok = true;
    dnnl_alg_kind_t alg;
    if (d->act.op != UNARY_NONE && eltwise_of(d->act.op, &alg)) {
        float alpha = d->act.op == UNARY_SILU         ? 1
                      : d->act.op == UNARY_LEAKY_RELU ? d->act.alpha
                                                      : 0;
        is_ok = dnnl_post_ops_append_eltwise(ops, 1, alg, alpha, 0) == dnnl_success;
    }
    if (is_ok && d->out_scale > 0 && !is_homogeneous(d->act.op))
        is_ok = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_linear, 1 / d->out_scale, 0) ==
                dnnl_success;
    is_ok = is_ok && dnnl_primitive_attr_set_post_ops(r->attr, ops) == dnnl_success;
    dnnl_post_ops_destroy(ops);
    return is_ok;
}

static ptq_status make_attr(dnnl_recipe *r, ptq_error *err)
{
    if (dnnl_primitive_attr_create(&r->attr) != dnnl_success ||
        dnnl_primitive_attr_set_scratchpad_mode(r->attr, dnnl_scratchpad_mode_user) != dnnl_success)
        return PTQ_UNSUPPORTED;
    if (r->d->math == CONV_INT8)
        PTQ_TRY(set_scales(r, err));
    return set_zeros(r) && set_post_ops(r) ? PTQ_OK : PTQ_UNSUPPORTED;
}

/* The padding at the far end: what the output's size asks for, if anything. */
static int64_t far_pad(const conv_desc *d, int axis)
{
    int64_t reach = (d->dst.dim[axis + 2] - 1) * d->stride[axis] +
                    (int64_t)(d->kernel[axis] - 1) * d->dilation[axis] + 1;
    int64_t missing = reach - d->src.dim[axis + 2] - d->pad[axis];
    return missing > 0 ? missing : 0;
}

ptq_status dnnl_recipe_init(dnnl_recipe *r, const conv_desc *d, const conv_weights *w,
                            const dnnl_memory_desc_t *weight, dnnl_engine_t engine, ptq_error *err)
{
    *r = (dnnl_recipe){.d = d, .w = w};
    if (!make_descs(r, weight))
        return PTQ_UNSUPPORTED;
    PTQ_TRY(make_attr(r, err));
    dnnl_dims_t strides = {d->stride[0], d->stride[1]};
    dnnl_dims_t dilates = {d->dilation[0] - 1, d->dilation[1] - 1};
    dnnl_dims_t near = {d->pad[0], d->pad[1]}, far = {far_pad(d, 0), far_pad(d, 1)};
    dnnl_convolution_desc_t desc;
    if (dnnl_dilated_convolution_forward_desc_init(
            &desc, dnnl_forward_inference, dnnl_convolution_direct, &r->src, &r->weight,
            w->bias ? &r->bias : NULL, &r->dst, strides, dilates, near, far) != dnnl_success ||
        dnnl_primitive_desc_create(&r->desc, &desc, r->attr, engine, NULL) != dnnl_success)
        return PTQ_UNSUPPORTED;
    r->weight = *dnnl_primitive_desc_query_md(r->desc, dnnl_query_weights_md, 0);
    return PTQ_OK;
}

void dnnl_recipe_clear(dnnl_recipe *r)
{
    if (r->desc)
        dnnl_primitive_desc_destroy(r->desc);
    if (r->attr)
        dnnl_primitive_attr_destroy(r->attr);
    r->desc = NULL;
    r->attr = NULL;
}
