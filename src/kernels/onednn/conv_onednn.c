/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions by oneDNN (the C API of 2.x), on channels-last images without gaps: with a pixel
 * stride it has nothing but its slow reference. The weights' layout is oneDNN's choice; they are
 * packed once. Always the direct algorithm: Winograd gives other roundings.
 *
 * oneDNN runs single-threaded here. The convolution is cut into parts, each a primitive of its own
 * on part of the memory, so that our threads share it like all other work. */
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kernels/conv_impl.h"
#include "kernels/onednn/dnnl_home.h"
#include "kernels/onednn/dnnl_recipe.h"

enum { MAX_EXEC_ARGS = 7 };

/* One part. */
typedef struct dnnl_slice {
    dnnl_primitive_t primitive;
    dnnl_stream_t stream;
    dnnl_memory_t src, dst, scratch;
    size_t src_offset, dst_offset, scratch_offset; /* bytes */
    dnnl_exec_arg_t args[MAX_EXEC_ARGS];
    int n_args;
} dnnl_slice;

typedef struct dnnl_conv {
    conv base;
    dnnl_engine_t engine; /* borrowed */
    dnnl_memory_t weight, bias, src_zero, dst_zero;
    dnnl_memory_desc_t weight_desc;
    blob *packed;
    float *bias_data; /* in units of the integer sum for CONV_INT8 */
    int32_t zero[2];  /* src, dst */
    dnnl_slice *slices;
    char info[96];
} dnnl_conv;

static void destroy_slice(dnnl_slice *s)
{
    dnnl_memory_t memories[] = {s->src, s->dst, s->scratch};
    for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    if (s->primitive)
        dnnl_primitive_destroy(s->primitive);
    if (s->stream)
        dnnl_stream_destroy(s->stream);
}

static void destroy(conv *base)
{
    dnnl_conv *c = (dnnl_conv *)base;
    for (int i = 0; c->slices && i < base->n_parts; i++)
        destroy_slice(&c->slices[i]);
    dnnl_memory_t memories[] = {c->weight, c->bias, c->src_zero, c->dst_zero};
    for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    mem_free(c->slices);
    blob_unref(&c->packed);
    mem_free(c->bias_data);
    mem_free(c);
}

static bool reorder(const dnnl_conv *c, const conv_weights *w)
{
    dnnl_memory_desc_t have;
    dnnl_memory_t from = NULL;
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_stream_t stream = NULL;
    void *source = (void *)(uintptr_t)w->weight; /* only read */
    bool is_ok = dnnl_recipe_plain_weights(&c->base.desc, &have) &&
                 dnnl_memory_create(&from, &have, c->engine, source) == dnnl_success &&
                 dnnl_reorder_primitive_desc_create(&desc, &have, c->engine, &c->weight_desc,
                                                    c->engine, NULL) == dnnl_success &&
                 dnnl_primitive_create(&primitive, desc) == dnnl_success &&
                 dnnl_stream_create(&stream, c->engine, dnnl_stream_default_flags) == dnnl_success;
    if (is_ok) {
        dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, c->weight}};
        is_ok = dnnl_primitive_execute(primitive, stream, 2, args) == dnnl_success &&
                dnnl_stream_wait(stream) == dnnl_success;
    }
    if (stream)
        dnnl_stream_destroy(stream);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    if (from)
        dnnl_memory_destroy(from);
    return is_ok;
}

static ptq_status pack_weights(dnnl_conv *c, const conv_weights *w, conv_context *context,
                               ptq_error *err)
{
    c->base.packed_bytes = dnnl_memory_desc_get_size(&c->weight_desc);
    packed_key key = {w->weight, &conv_onednn, &c->weight_desc, sizeof c->weight_desc};
    blob *found = w->is_lasting ? conv_context_find(context, &key) : NULL;
    c->packed = found ? blob_ref(found) : blob_create_unset(c->base.packed_bytes);
    if (!c->packed)
        return error_no_memory(err, c->base.packed_bytes, "packed weights");
    if (dnnl_memory_create(&c->weight, &c->weight_desc, c->engine, blob_data(c->packed)) !=
        dnnl_success)
        return PTQ_UNSUPPORTED;
    if (found)
        return PTQ_OK;
    if (!reorder(c, w))
        return PTQ_UNSUPPORTED;
    return w->is_lasting ? conv_context_keep(context, &key, c->packed, err) : PTQ_OK;
}

/* oneDNN 2.x adds the bias before it scales: the bias goes in in units of the integer sum. */
static ptq_status pack_bias(dnnl_conv *c, const dnnl_recipe *r, ptq_error *err)
{
    size_t oc = (size_t)r->d->dst.dim[1];
    if (!r->w->bias)
        return PTQ_OK;
    c->bias_data = mem_alloc_aligned(oc * sizeof *c->bias_data);
    if (!c->bias_data)
        return error_no_memory(err, oc * sizeof *c->bias_data, "a bias");
    for (size_t i = 0; i < oc; i++)
        c->bias_data[i] = r->w->bias[i] / dnnl_recipe_sum_scale(r->d, r->w, (int64_t)i);
    return dnnl_memory_create(&c->bias, &r->bias, c->engine, c->bias_data) == dnnl_success
               ? PTQ_OK
               : PTQ_UNSUPPORTED;
}

static ptq_status make_zeros(dnnl_conv *c)
{
    const conv_desc *d = &c->base.desc;
    dnnl_memory_desc_t one;
    dnnl_dims_t one_dim = {1};
    c->zero[0] = d->x_zero;
    c->zero[1] = d->out_zero;
    bool is_ok = dnnl_memory_desc_init_by_tag(&one, 1, one_dim, dnnl_s32, dnnl_a) == dnnl_success &&
                 dnnl_memory_create(&c->src_zero, &one, c->engine, &c->zero[0]) == dnnl_success &&
                 dnnl_memory_create(&c->dst_zero, &one, c->engine, &c->zero[1]) == dnnl_success;
    return is_ok ? PTQ_OK : PTQ_UNSUPPORTED;
}

static void add_arg(dnnl_slice *s, int which, dnnl_memory_t memory)
{
    s->args[s->n_args++] = (dnnl_exec_arg_t){which, memory};
}

/* Memory objects of one part; their pointers are set at each run. */
static bool fill_slice(dnnl_conv *c, dnnl_slice *s, const dnnl_recipe *r)
{
    const conv_desc *d = &c->base.desc;
    const dnnl_memory_desc_t *scratch =
        dnnl_primitive_desc_query_md(r->desc, dnnl_query_scratchpad_md, 0);
    bool is_ok =
        dnnl_primitive_create(&s->primitive, r->desc) == dnnl_success &&
        dnnl_stream_create(&s->stream, c->engine, dnnl_stream_default_flags) == dnnl_success &&
        dnnl_memory_create(&s->src, &r->src, c->engine, NULL) == dnnl_success &&
        dnnl_memory_create(&s->dst, &r->dst, c->engine, NULL) == dnnl_success &&
        dnnl_memory_create(&s->scratch, scratch, c->engine, NULL) == dnnl_success;
    if (!is_ok)
        return false;
    s->scratch_offset = c->base.scratch_bytes;
    c->base.scratch_bytes += (dnnl_memory_desc_get_size(scratch) + 63) / 64 * 64;
    add_arg(s, DNNL_ARG_SRC, s->src);
    add_arg(s, DNNL_ARG_DST, s->dst);
    add_arg(s, DNNL_ARG_WEIGHTS, c->weight);
    add_arg(s, DNNL_ARG_SCRATCHPAD, s->scratch);
    if (c->bias)
        add_arg(s, DNNL_ARG_BIAS, c->bias);
    if (d->math == CONV_INT8 && d->x_zero)
        add_arg(s, DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, c->src_zero);
    if (d->math == CONV_INT8 && d->out_zero)
        add_arg(s, DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_DST, c->dst_zero);
    return true;
}

/* The first part chooses the layout of the weights, the others keep to it. */
static ptq_status build_slice(dnnl_conv *c, int i, const conv_weights *w, conv_context *context,
                              ptq_error *err)
{
    const conv_desc *d = &c->base.desc;
    dnnl_slice *s = &c->slices[i];
    conv_part part = conv_part_at(d, i, c->base.n_parts);
    dnnl_recipe r;
    ptq_status status =
        dnnl_recipe_init(&r, &part.desc, w, i ? &c->weight_desc : NULL, c->engine, err);
    if (status == PTQ_OK && i == 0) {
        const char *name = NULL;
        c->weight_desc = r.weight;
        if (dnnl_primitive_desc_query(r.desc, dnnl_query_impl_info_str, 0, &name) == dnnl_success)
            snprintf(c->info, sizeof c->info, "%s", name);
        status = pack_weights(c, w, context, err);
        if (status == PTQ_OK)
            status = pack_bias(c, &r, err);
    }
    s->src_offset = (size_t)part.src_offset * view_type_bytes(d->src.type);
    s->dst_offset = (size_t)part.dst_offset * view_type_bytes(d->dst.type);
    if (status == PTQ_OK && !fill_slice(c, s, &r))
        status = PTQ_UNSUPPORTED;
    dnnl_recipe_clear(&r);
    return status;
}

static bool can(const conv_desc *d, cpu_level level)
{
    /* oneDNN 2.6 without the instructions: rows of five pixels of a 1x1 window come out wrong. */
    if (d->math == CONV_BF16 && level < CPU_AVX512BF16)
        return false;
    return dnnl_recipe_suits(d);
}

static ptq_status create(const conv_desc *d, const conv_weights *w, conv_context *context,
                         conv **out, ptq_error *err)
{
    if (!context->dnnl)
        PTQ_TRY(dnnl_home_create(context->level, &context->dnnl, err));
    dnnl_conv *c = mem_zalloc(sizeof *c);
    if (!c)
        return error_no_memory(err, sizeof *c, "a convolution");
    c->base = (conv){.impl = &conv_onednn, .desc = *d, .n_parts = conv_part_count(d)};
    c->engine = context->dnnl->engine;
    c->slices = mem_array((size_t)c->base.n_parts, sizeof *c->slices);
    ptq_status status =
        c->slices ? make_zeros(c) : error_no_memory(err, sizeof *c->slices, "a convolution");
    int threads = dnnl_home_set_threads(1);
    for (int i = 0; i < c->base.n_parts && status == PTQ_OK; i++)
        status = build_slice(c, i, w, context, err);
    dnnl_home_set_threads(threads);
    if (status != PTQ_OK) {
        destroy(&c->base);
        return status;
    }
    *out = &c->base;
    return PTQ_OK;
}

static bool run(const conv *base, const conv_run_args *a, int part)
{
    const dnnl_slice *s = &((const dnnl_conv *)base)->slices[part];
    char *src = (char *)(uintptr_t)a->src + s->src_offset; /* only read */
    char *dst = (char *)a->dst + s->dst_offset;
    char *scratch = a->scratch ? (char *)a->scratch + s->scratch_offset : NULL;
    int threads = dnnl_home_set_threads(1);
    bool is_ok =
        dnnl_memory_set_data_handle(s->src, src) == dnnl_success &&
        dnnl_memory_set_data_handle(s->dst, dst) == dnnl_success &&
        dnnl_memory_set_data_handle(s->scratch, scratch) == dnnl_success &&
        dnnl_primitive_execute(s->primitive, s->stream, s->n_args, s->args) == dnnl_success &&
        dnnl_stream_wait(s->stream) == dnnl_success;
    dnnl_home_set_threads(threads);
    return is_ok;
}

static const char *info(const conv *base)
{
    return ((const dnnl_conv *)base)->info;
}

const conv_impl conv_onednn = {
    .name = "conv_onednn",
    .level = CPU_REF + 1,
    .can = can,
    .create = create,
    .run = run,
    .info = info,
    .destroy = destroy,
};
