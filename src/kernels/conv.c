/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv.h"

#include <string.h>

#include "base/mem.h"
#include "kernels/conv_impl.h"
#ifdef PTQ_ONEDNN
#include "kernels/onednn/dnnl_home.h"
#endif

static const conv_impl *const impls[] = {
    &conv_winograd,
    &conv_tile,
#ifdef PTQ_ONEDNN
    &conv_onednn,
#endif
    &conv_ref,
};
enum { N_IMPLS = sizeof impls / sizeof impls[0] };

const conv_impl *const *conv_impls(int *n)
{
    *n = N_IMPLS;
    return impls;
}

int64_t conv_piece_end(const conv *c, int64_t at, int64_t end)
{
    int64_t pixels = c->desc.dst.dim[2] * c->desc.dst.dim[3];
    int64_t image_end = (at / pixels + 1) * pixels, next = at + c->piece_pixels;
    next = next < image_end ? next : image_end;
    return next < end ? next : end;
}

int64_t conv_depth(const conv_desc *d)
{
    return d->src.dim[1] / d->groups * d->kernel[0] * d->kernel[1];
}

ptq_status conv_context_create(cpu_level level, pool *threads, conv_context **out, ptq_error *err)
{
    conv_context *c = mem_zalloc(sizeof *c);
    if (!c)
        return error_no_memory(err, sizeof *c, "a convolution context");
    c->level = level;
    c->threads = threads;
    *out = c;
    return PTQ_OK;
}

void conv_context_destroy(conv_context *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->n_packed; i++) {
        blob_unref(&c->packed[i].layout);
        blob_unref(&c->packed[i].data);
    }
    mem_free(c->packed);
#ifdef PTQ_ONEDNN
    dnnl_home_destroy(c->dnnl);
#endif
    mem_free(c);
}

ptq_status conv_context_keep(conv_context *c, const packed_key *key, blob *data, ptq_error *err)
{
    if (c->n_packed == c->cap_packed) {
        int more = c->cap_packed ? 2 * c->cap_packed : 64;
        packed_weights *grown = mem_resize(c->packed, (size_t)more, sizeof *grown);
        if (!grown)
            return error_no_memory(err, (size_t)more * sizeof *grown, "packed weights");
        c->packed = grown;
        c->cap_packed = more;
    }
    blob *layout = blob_copy_of(key->layout, key->layout_bytes);
    if (!layout)
        return error_no_memory(err, key->layout_bytes, "packed weights");
    c->packed[c->n_packed++] = (packed_weights){key->weight, key->impl, layout, blob_ref(data)};
    return PTQ_OK;
}

blob *conv_context_find(const conv_context *c, const packed_key *key)
{
    for (int i = 0; i < c->n_packed; i++) {
        const packed_weights *p = &c->packed[i];
        if (p->weight == key->weight && p->impl == key->impl &&
            blob_size(p->layout) == key->layout_bytes &&
            memcmp(blob_data(p->layout), key->layout, key->layout_bytes) == 0)
            return p->data;
    }
    return NULL;
}

const conv_impl *conv_best(const conv_desc *d, cpu_level level)
{
    int i = 0;
    while (i < N_IMPLS - 1 && (impls[i]->level > level || !impls[i]->can(d, level)))
        i++;
    return impls[i];
}

ptq_status conv_create(const conv_desc *d, const conv_weights *w, conv_context *context, conv **out,
                       ptq_error *err)
{
    ptq_status status = PTQ_UNSUPPORTED;
    for (int i = 0; i < N_IMPLS && status == PTQ_UNSUPPORTED; i++)
        if (impls[i]->level <= context->level && impls[i]->can(d, context->level))
            status = impls[i]->create(d, w, context, out, err);
    return status;
}

void conv_destroy(conv *c)
{
    if (c)
        c->impl->destroy(c);
}
