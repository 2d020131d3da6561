/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions by oneDNN (the C API of 2.x), on channels-last images without gaps: with a pixel
 * stride it has nothing but its slow reference. The weights' layout is oneDNN's choice; they are
 * packed once. Always the direct algorithm: Winograd gives other roundings. */
#include <math.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/conv_impl.h"
#include "kernels/onednn/dnnl_home.h"

enum { MAX_EXEC_ARGS = 7 };

typedef struct dnnl_conv {
    conv base;
    dnnl_home *home; /* borrowed */
    dnnl_primitive_t primitive;
    dnnl_memory_t src, dst, weight, bias, scratch, src_zero, dst_zero;
    void *packed;
    float *bias_data; /* in units of the integer sum for CONV_INT8 */
    int32_t zero[2];  /* src, dst */
    dnnl_exec_arg_t args[MAX_EXEC_ARGS];
    int n_args;
    char info[96];
} dnnl_conv;

/* Everything that is only needed while the primitive is made. */
typedef struct recipe {
    const conv_desc *d;
    const conv_weights *w;
    dnnl_memory_desc_t src, dst, weight, bias;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t desc;
    bool with_bias;
} recipe;

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

static bool can(const conv_desc *d)
{
    dnnl_data_type_t type;
    dnnl_alg_kind_t alg;
    bool is_src_ok = d->math == CONV_F32    ? d->src.type == DTYPE_F32
                     : d->math == CONV_BF16 ? d->src.type == DTYPE_BF16
                                            : d->src.type == DTYPE_I8 || d->src.type == DTYPE_U8;
    bool is_int_dst = d->dst.type == DTYPE_I8 || d->dst.type == DTYPE_U8;
    if (d->exact || !is_src_ok || !type_of(d->dst.type, &type) || is_int_dst != (d->out_scale > 0))
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

static bool make_descs(recipe *r)
{
    const conv_desc *d = r->d;
    dnnl_dims_t dims, bias_dims = {d->dst.dim[1]};
    int n = weight_dims(d, dims);
    dnnl_data_type_t type = d->math == CONV_F32    ? dnnl_f32
                            : d->math == CONV_BF16 ? dnnl_bf16
                                                   : dnnl_s8;
    return image_desc(&d->src, &r->src) && image_desc(&d->dst, &r->dst) &&
           dnnl_memory_desc_init_by_tag(&r->weight, n, dims, type, dnnl_format_tag_any) ==
               dnnl_success &&
           dnnl_memory_desc_init_by_tag(&r->bias, 1, bias_dims, dnnl_f32, dnnl_a) == dnnl_success;
}

/* op(s*x) = s*op(x) for s > 0: the output's scale can go into the sum's. */
static bool is_homogeneous(unary_op op)
{
    return op == UNARY_NONE || op == UNARY_RELU || op == UNARY_LEAKY_RELU;
}

/* Scale of the integer sum of channel c in real units. */
static float sum_scale(const recipe *r, int64_t c)
{
    return r->d->x_scale * r->w->w_scale[c];
}

static bool set_scales(recipe *r, ptq_status *status, ptq_error *err)
{
    const conv_desc *d = r->d;
    size_t oc = (size_t)d->dst.dim[1];
    float *scales = mem_array(oc, sizeof *scales);
    if (!scales) {
        *status = error_no_memory(err, oc * sizeof *scales, "scales");
        return false;
    }
    bool is_ok = true;
    for (size_t c = 0; c < oc; c++) {
        scales[c] = sum_scale(r, (int64_t)c);
        is_ok = is_ok && scales[c] > 0; /* the bias is divided by it */
        if (d->out_scale > 0 && is_homogeneous(d->act.op))
            scales[c] /= d->out_scale;
    }
    is_ok = is_ok && dnnl_primitive_attr_set_output_scales(r->attr, (dnnl_dim_t)oc, 2, scales) ==
                         dnnl_success;
    mem_free(scales);
    return is_ok;
}

static bool set_zeros(recipe *r)
{
    static const int32_t at_run = DNNL_RUNTIME_S32_VAL;
    const conv_desc *d = r->d;
    if (d->x_zero &&
        dnnl_primitive_attr_set_zero_points(r->attr, DNNL_ARG_SRC, 1, 0, &at_run) != dnnl_success)
        return false;
    return !d->out_zero || dnnl_primitive_attr_set_zero_points(r->attr, DNNL_ARG_DST, 1, 0,
                                                               &at_run) == dnnl_success;
}

static bool set_post_ops(recipe *r)
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

static bool make_attr(recipe *r, ptq_status *status, ptq_error *err)
{
    if (dnnl_primitive_attr_create(&r->attr) != dnnl_success ||
        dnnl_primitive_attr_set_scratchpad_mode(r->attr, dnnl_scratchpad_mode_user) != dnnl_success)
        return false;
    if (r->d->math == CONV_INT8 && (!set_scales(r, status, err) || !set_zeros(r)))
        return false;
    return set_post_ops(r);
}

/* The padding at the far end: what the output's size asks for, if anything. */
static int64_t far_pad(const conv_desc *d, int axis)
{
    int64_t reach = (d->dst.dim[axis + 2] - 1) * d->stride[axis] +
                    (int64_t)(d->kernel[axis] - 1) * d->dilation[axis] + 1;
    int64_t missing = reach - d->src.dim[axis + 2] - d->pad[axis];
    return missing > 0 ? missing : 0;
}

static bool make_primitive_desc(recipe *r, dnnl_engine_t engine)
{
    const conv_desc *d = r->d;
    dnnl_dims_t strides = {d->stride[0], d->stride[1]};
    dnnl_dims_t dilates = {d->dilation[0] - 1, d->dilation[1] - 1};
    dnnl_dims_t near = {d->pad[0], d->pad[1]}, far = {far_pad(d, 0), far_pad(d, 1)};
    dnnl_convolution_desc_t desc;
    return dnnl_dilated_convolution_forward_desc_init(
               &desc, dnnl_forward_inference, dnnl_convolution_direct, &r->src, &r->weight,
               r->with_bias ? &r->bias : NULL, &r->dst, strides, dilates, near,
               far) == dnnl_success &&
           dnnl_primitive_desc_create(&r->desc, &desc, r->attr, engine, NULL) == dnnl_success;
}

/* Reorders the weights into the layout the primitive wants. */
static bool pack_weights(dnnl_conv *c, const recipe *r, ptq_status *status, ptq_error *err)
{
    const dnnl_memory_desc_t *want =
        dnnl_primitive_desc_query_md(r->desc, dnnl_query_weights_md, 0);
    dnnl_dims_t dims;
    int n = weight_dims(r->d, dims);
    dnnl_memory_desc_t have;
    dnnl_data_type_t type = r->d->math == CONV_INT8 ? dnnl_s8 : dnnl_f32;
    if (dnnl_memory_desc_init_by_tag(&have, n, dims, type, n == 5 ? dnnl_abcde : dnnl_abcd) !=
        dnnl_success)
        return false;
    c->base.packed_bytes = dnnl_memory_desc_get_size(want);
    c->packed = mem_alloc_aligned(c->base.packed_bytes);
    if (!c->packed) {
        *status = error_no_memory(err, c->base.packed_bytes, "packed weights");
        return false;
    }
    dnnl_memory_t from = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_engine_t engine = c->home->engine;
    bool is_ok =
        dnnl_memory_create(&from, &have, engine, (void *)(uintptr_t)r->w->weight) == dnnl_success &&
        dnnl_memory_create(&c->weight, want, engine, c->packed) == dnnl_success &&
        dnnl_reorder_primitive_desc_create(&desc, &have, engine, want, engine, NULL) ==
            dnnl_success &&
        dnnl_primitive_create(&reorder, desc) == dnnl_success;
    if (is_ok) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, c->weight}};
        is_ok = dnnl_primitive_execute(reorder, c->home->stream, 2, args) == dnnl_success &&
                dnnl_stream_wait(c->home->stream) == dnnl_success;
    }
    if (reorder)
        dnnl_primitive_destroy(reorder);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    if (from)
        dnnl_memory_destroy(from);
    return is_ok;
}

/* oneDNN 2.x adds the bias before it scales: the bias goes in in units of the integer sum. */
static bool pack_bias(dnnl_conv *c, const recipe *r, ptq_status *status, ptq_error *err)
{
    size_t oc = (size_t)r->d->dst.dim[1];
    c->bias_data = mem_alloc_aligned(oc * sizeof *c->bias_data);
    if (!c->bias_data) {
        *status = error_no_memory(err, oc * sizeof *c->bias_data, "a bias");
        return false;
    }
    for (size_t i = 0; i < oc; i++) {
        float scale = r->d->math == CONV_INT8 ? sum_scale(r, (int64_t)i) : 1;
        c->bias_data[i] = r->w->bias ? r->w->bias[i] / scale : 0;
    }
    return dnnl_memory_create(&c->bias, &r->bias, c->home->engine, c->bias_data) == dnnl_success;
}

static bool add_arg(dnnl_conv *c, int which, dnnl_memory_t *memory, const dnnl_memory_desc_t *desc,
                    void *data)
{
    if (!*memory && dnnl_memory_create(memory, desc, c->home->engine, data) != dnnl_success)
        return false;
    c->args[c->n_args++] = (dnnl_exec_arg_t){which, *memory};
    return true;
}

static bool make_args(dnnl_conv *c, const recipe *r)
{
    const dnnl_memory_desc_t *scratch =
        dnnl_primitive_desc_query_md(r->desc, dnnl_query_scratchpad_md, 0);
    dnnl_memory_desc_t one;
    dnnl_dims_t one_dim = {1};
    if (dnnl_memory_desc_init_by_tag(&one, 1, one_dim, dnnl_s32, dnnl_a) != dnnl_success)
        return false;
    c->base.scratch_bytes = dnnl_memory_desc_get_size(scratch);
    c->zero[0] = r->d->x_zero;
    c->zero[1] = r->d->out_zero;
    bool is_ok = add_arg(c, DNNL_ARG_SRC, &c->src, &r->src, NULL) &&
                 add_arg(c, DNNL_ARG_DST, &c->dst, &r->dst, NULL) &&
                 add_arg(c, DNNL_ARG_WEIGHTS, &c->weight, NULL, NULL) &&
                 add_arg(c, DNNL_ARG_SCRATCHPAD, &c->scratch, scratch, NULL);
    if (is_ok && r->with_bias)
        is_ok = add_arg(c, DNNL_ARG_BIAS, &c->bias, &r->bias, NULL);
    if (is_ok && r->d->x_zero)
        is_ok =
            add_arg(c, DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, &c->src_zero, &one, &c->zero[0]);
    if (is_ok && r->d->out_zero)
        is_ok =
            add_arg(c, DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_DST, &c->dst_zero, &one, &c->zero[1]);
    return is_ok;
}

static void destroy(conv *base)
{
    dnnl_conv *c = (dnnl_conv *)base;
    if (c->primitive)
        dnnl_primitive_destroy(c->primitive);
    dnnl_memory_t memories[] = {c->src,     c->dst,      c->weight,  c->bias,
                                c->scratch, c->src_zero, c->dst_zero};
    for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    mem_free(c->packed);
    mem_free(c->bias_data);
    mem_free(c);
}

static bool build(dnnl_conv *c, recipe *r, ptq_status *status, ptq_error *err)
{
    const char *name = NULL;
    if (!make_descs(r) || !make_attr(r, status, err) || !make_primitive_desc(r, c->home->engine) ||
        dnnl_primitive_create(&c->primitive, r->desc) != dnnl_success)
        return false;
    if (dnnl_primitive_desc_query(r->desc, dnnl_query_impl_info_str, 0, &name) == dnnl_success)
        snprintf(c->info, sizeof c->info, "%s", name);
    return pack_weights(c, r, status, err) && (!r->with_bias || pack_bias(c, r, status, err)) &&
           make_args(c, r);
}

static ptq_status create(const conv_desc *d, const conv_weights *w, conv_context *context,
                         conv **out, ptq_error *err)
{
    if (!context->dnnl)
        PTQ_TRY(dnnl_home_create(context->level, &context->dnnl, err));
    dnnl_conv *c = mem_zalloc(sizeof *c);
    if (!c)
        return error_no_memory(err, sizeof *c, "a convolution");
    c->base = (conv){.impl = &conv_onednn, .desc = *d};
    c->home = context->dnnl;
    recipe r = {.d = d, .w = w, .with_bias = w->bias != NULL};
    ptq_status status = PTQ_UNSUPPORTED;
    int threads = dnnl_home_set_threads(d->threads);
    bool is_ok = build(c, &r, &status, err);
    dnnl_home_set_threads(threads);
    if (r.desc)
        dnnl_primitive_desc_destroy(r.desc);
    if (r.attr)
        dnnl_primitive_attr_destroy(r.attr);
    if (!is_ok) {
        destroy(&c->base);
        return status;
    }
    *out = &c->base;
    return PTQ_OK;
}

static bool run(const conv *base, const conv_run_args *a, int part, int n_parts)
{
    const dnnl_conv *c = (const dnnl_conv *)base;
    (void)part, (void)n_parts;
    int threads = dnnl_home_set_threads(base->desc.threads);
    bool is_ok =
        dnnl_memory_set_data_handle(c->src, (void *)(uintptr_t)a->src) == dnnl_success &&
        dnnl_memory_set_data_handle(c->dst, a->dst) == dnnl_success &&
        dnnl_memory_set_data_handle(c->scratch, a->scratch) == dnnl_success &&
        dnnl_primitive_execute(c->primitive, c->home->stream, c->n_args, c->args) == dnnl_success &&
        dnnl_stream_wait(c->home->stream) == dnnl_success;
    dnnl_home_set_threads(threads);
    return is_ok;
}

static const char *info(const conv *base)
{
    return ((const dnnl_conv *)base)->info;
}

const conv_impl conv_onednn = {
    .name = "conv_onednn",
    .level = CPU_AVX2,
    .runs_whole = true,
    .can = can,
    .create = create,
    .run = run,
    .info = info,
    .destroy = destroy,
};
