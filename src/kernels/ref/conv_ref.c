/* SPDX-License-Identifier: Apache-2.0 */
/* The convolution that judges all others: any layout, one output pixel after the other. The input
 * under the kernel is gathered into a patch once, then multiplied with each output channel. */
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "base/mem.h"
#include "kernels/conv_impl.h"

typedef struct ref_conv {
    conv base;
    int64_t depth; /* patch elements: [Cin/groups][kh][kw] */
    float *weight; /* [Cout][depth]; NULL for integers */
    int8_t *codes; /* the same for integers */
    float *scale;  /* x_scale * w_scale[c] */
    float *bias;   /* [Cout], zeros when there is none */
} ref_conv;

static bool can(const conv_desc *d, cpu_level level)
{
    (void)level;
    (void)d;
    return true;
}

static void destroy(conv *base)
{
    ref_conv *c = (ref_conv *)base;
    mem_free(c->weight);
    mem_free(c->codes);
    mem_free(c->scale);
    mem_free(c->bias);
    mem_free(c);
}

static void pack(ref_conv *c, const conv_weights *w, int64_t oc)
{
    const conv_desc *d = &c->base.desc;
    size_t n = (size_t)(oc * c->depth);
    if (c->codes)
        memcpy(c->codes, w->weight, n);
    for (size_t i = 0; c->weight && i < n; i++) {
        float value = ((const float *)w->weight)[i];
        c->weight[i] = d->math == CONV_BF16 ? bfloat_to_float(bfloat_from_float(value)) : value;
    }
    for (int64_t i = 0; i < oc; i++) {
        c->bias[i] = w->bias ? w->bias[i] : 0;
        c->scale[i] = d->math == CONV_INT8 ? d->x_scale * w->w_scale[i] : 1;
    }
}

static ptq_status create(const conv_desc *d, const conv_weights *w, conv_context *context,
                         conv **out, ptq_error *err)
{
    (void)context;
    ref_conv *c = mem_zalloc(sizeof *c);
    if (!c)
        return error_no_memory(err, sizeof *c, "a convolution");
    c->base = (conv){.impl = &conv_ref, .desc = *d, .n_parts = d->threads};
    c->depth = conv_depth(d);
    size_t oc = (size_t)d->dst.dim[1], n;
    bool fits = mem_mul(oc, (size_t)c->depth, &n);
    if (fits && d->math == CONV_INT8)
        c->codes = mem_array(n, 1);
    else if (fits)
        c->weight = mem_array(n, sizeof *c->weight);
    c->scale = mem_array(oc, sizeof *c->scale);
    c->bias = mem_array(oc, sizeof *c->bias);
    if ((!c->codes && !c->weight) || !c->scale || !c->bias) {
        destroy(&c->base);
        return error_no_memory(err, oc * (size_t)c->depth, "packed weights");
    }
    c->base.packed_bytes = n * (c->codes ? sizeof *c->codes : sizeof *c->weight);
    c->base.scratch_bytes = (size_t)c->depth * sizeof(int32_t) * (size_t)d->threads;
    pack(c, w, d->dst.dim[1]);
    *out = &c->base;
    return PTQ_OK;
}

/* Where in the output we are. */
typedef struct pixel {
    int64_t n, group, y, x;
} pixel;

static const char *source(const conv_desc *d, const char *src, const pixel *at, int64_t c,
                          const int64_t k[2])
{
    int64_t y = at->y * d->stride[0] - d->pad[0] + k[0] * d->dilation[0];
    int64_t x = at->x * d->stride[1] - d->pad[1] + k[1] * d->dilation[1];
    if (y < 0 || y >= d->src.dim[2] || x < 0 || x >= d->src.dim[3])
        return NULL;
    int64_t channel = at->group * (d->src.dim[1] / d->groups) + c;
    int64_t offset = at->n * d->src.stride[0] + channel * d->src.stride[1] + y * d->src.stride[2] +
                     x * d->src.stride[3];
    return src + offset * (int64_t)view_type_bytes(d->src.type);
}

/* Padding is the real value 0: nothing is added for it. */
static void gather(const ref_conv *c, const char *src, const pixel *at, void *patch)
{
    const conv_desc *d = &c->base.desc;
    int64_t channels = d->src.dim[1] / d->groups, i = 0;
    for (int64_t channel = 0; channel < channels; channel++)
        for (int64_t ky = 0; ky < d->kernel[0]; ky++)
            for (int64_t kx = 0; kx < d->kernel[1]; kx++, i++) {
                const char *p = source(d, src, at, channel, (int64_t[2]){ky, kx});
                double value = p ? view_load(p, d->src.type) : 0;
                if (c->codes)
                    ((int32_t *)patch)[i] = p ? (int32_t)value - d->x_zero : 0;
                else
                    ((float *)patch)[i] = (float)value;
            }
}

static double dot_f32(const float *x, const float *w, int64_t n)
{
    double sum[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++)
            sum[k] += (double)x[i + k] * (double)w[i + k];
    for (; i < n; i++)
        sum[0] += (double)x[i] * (double)w[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static int64_t dot_int(const int32_t *x, const int8_t *w, int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * w[i];
    return sum;
}

static double output_value(const ref_conv *c, const void *patch, int64_t oc)
{
    const conv_desc *d = &c->base.desc;
    float y;
    if (c->codes)
        y = (float)dot_int(patch, c->codes + oc * c->depth, c->depth) * c->scale[oc] + c->bias[oc];
    else
        y = (float)(dot_f32(patch, c->weight + oc * c->depth, c->depth) + (double)c->bias[oc]);
    y = (float)unary_apply(&d->act, (double)y);
    if (d->out_scale > 0) {
        if (d->out_from_half)
            y = half_to_float(half_from_float(y));
        float code = rintf(y / d->out_scale);
        return code != code ? d->out_zero : (double)code + d->out_zero;
    }
    return (double)y;
}

static void run_pixel(const ref_conv *c, const conv_run_args *a, const pixel *at, void *patch)
{
    const view *dst = &c->base.desc.dst;
    int64_t channels = dst->dim[1] / c->base.desc.groups;
    gather(c, a->src, at, patch);
    for (int64_t i = 0; i < channels; i++) {
        int64_t oc = at->group * channels + i;
        int64_t offset = at->n * dst->stride[0] + oc * dst->stride[1] + at->y * dst->stride[2] +
                         at->x * dst->stride[3];
        view_store((char *)a->dst + offset * (int64_t)view_type_bytes(dst->type), dst->type,
                   output_value(c, patch, oc));
    }
}

static bool run(const conv *base, const conv_run_args *a, int part)
{
    const ref_conv *c = (const ref_conv *)base;
    const view *dst = &base->desc.dst;
    char *patch = (char *)a->scratch + (size_t)part * (size_t)c->depth * sizeof(int32_t);
    int64_t begin, end;
    kernel_share(dst->dim[0] * dst->dim[2], part, base->n_parts, &begin, &end);
    for (int64_t row = begin; row < end; row++)
        for (int64_t x = 0; x < dst->dim[3]; x++)
            for (int64_t group = 0; group < base->desc.groups; group++) {
                pixel at = {row / dst->dim[2], group, row % dst->dim[2], x};
                run_pixel(c, a, &at, patch);
            }
    return true;
}

static const char *info(const conv *c)
{
    (void)c;
    return NULL;
}

const conv_impl conv_ref = {
    .name = "conv_ref",
    .level = CPU_REF,
    .takes_strides = true,
    .can = can,
    .create = create,
    .run = run,
    .info = info,
    .destroy = destroy,
};
