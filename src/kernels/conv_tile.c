/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions by our own tiles (tile.h): direct, on channels-last images with any pixel stride.
 *
 * A part of the output is done in pieces that fit the second-level cache. For a window larger than
 * one pixel the input of a piece is first copied into the scratch memory, with its padding and in
 * whole groups, so that the loops know nothing of borders. For every block of output channels,
 * whose weights then stay in the cache, all tiles of the piece are summed and finished.
 *
 * Sums run over the window in one order, whatever the pieces: the same bits for any thread count.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/half.h"
#include "base/mem.h"
#include "kernels/conv_impl.h"
#include "kernels/tile.h"

enum {
    PIECE_BYTES = 256 << 10, /* of input: leaves room for weights in a cache of 1 MiB */
    DIRECT_BYTES = 48 << 10,
    PARTS_PER_THREAD = 4,  /* so that a late thread is waited for briefly */
    WORTH_A_PART = 1 << 20 /* products */
};

typedef struct tile_conv {
    conv base;
    const tile_kernel *k;
    tile_finish_fn *finish;
    blob *packed;        /* [block][run][group][channel][4 bytes] */
    size_t block_bytes;  /* of a full block in `packed` */
    float *scale, *bias; /* [channels of whole blocks] */
    void *first;         /* the same, i32 or f32 */
    int64_t *runs;       /* offsets in bytes inside a piece */
    int64_t n_runs, n_groups;
    bool is_direct;      /* pixels are read where they are */
    bool is_packed;      /* copied pixels stand in memory as they are copied */
    int64_t pixel_bytes; /* of one copied input pixel: whole groups */
    int64_t piece_rows;  /* output rows of a piece */
    int64_t row_pixels;  /* copied input pixels of a row */
    size_t piece_bytes;  /* scratch of a part */
    float inverse_scale;
} tile_conv;

static const tile_kernel *const kernels[] = {
#if defined(__x86_64__)
    &tile_int8_avx512vnni,
    &tile_int8_avx512,
    &tile_int8_avx2,
    &tile_f32_avx512,
    &tile_bf16_avx512bf16,
#elif defined(__aarch64__)
    &tile_int8_dotprod, &tile_int8_neon, &tile_f32_neon,
#endif
    NULL};

static const tile_kernel *choose(const conv_desc *d, cpu_level level)
{
    for (int i = 0; kernels[i]; i++)
        if (kernels[i]->math == d->math && kernels[i]->level <= level && kernels[i]->finish(d))
            return kernels[i];
    return NULL;
}

static bool has_types(const conv_desc *d)
{
    bool is_code = d->src.type == DTYPE_I8 || d->src.type == DTYPE_U8;
    bool is_code_out = d->dst.type == DTYPE_I8 || d->dst.type == DTYPE_U8;
    if (is_code_out != (d->out_scale > 0))
        return false;
    switch (d->math) {
    case CONV_F32:
        return d->src.type == DTYPE_F32 && !is_code_out;
    case CONV_BF16:
        return d->src.type == DTYPE_BF16 && !is_code_out;
    default:
        return is_code;
    }
}

/* Integer sums of more products could leave 32 bits. */
static bool can(const conv_desc *d, cpu_level level)
{
    enum { MAX_DEPTH = 65536 };
    return !d->exact && d->groups == 1 && has_types(d) && choose(d, level) &&
           view_is_nhwc(&d->src, NULL) && view_is_nhwc(&d->dst, NULL) && view_count(&d->dst) > 0 &&
           view_count(&d->src) > 0 && conv_depth(d) <= MAX_DEPTH;
}

static void destroy(conv *base)
{
    tile_conv *c = (tile_conv *)base;
    blob_unref(&c->packed);
    mem_free(c->scale);
    mem_free(c->bias);
    mem_free(c->first);
    mem_free(c->runs);
    mem_free(c);
}

static int block_channels(const tile_kernel *k)
{
    return k->lanes * TILE_MAX_VECTORS;
}

/* Channels of the block that begins with channel `from`, in whole vectors. */
static int vectors_of_block(const tile_conv *c, int64_t from)
{
    int64_t left = c->base.desc.dst.dim[1] - from;
    return left > c->k->lanes ? TILE_MAX_VECTORS : 1;
}

static int64_t padded_channels(const tile_conv *c)
{
    int64_t block = block_channels(c->k);
    return (c->base.desc.dst.dim[1] + block - 1) / block * block;
}

static int64_t groups_per_tap(const tile_conv *c)
{
    return (c->base.desc.src.dim[1] + c->k->group - 1) / c->k->group;
}

/* One weight in the form the kernel multiplies. */
static void put_weight(const tile_conv *c, char *to, const void *weight, int64_t at)
{
    if (c->base.desc.math == CONV_F32) {
        memcpy(to, (const float *)weight + at, sizeof(float));
    } else if (c->base.desc.math == CONV_BF16) {
        uint16_t half = bfloat_from_float(((const float *)weight)[at]);
        memcpy(to, &half, sizeof half);
    } else if (c->k->widen) {
        int16_t wide = ((const int8_t *)weight)[at];
        memcpy(to, &wide, sizeof wide);
    } else {
        *to = ((const char *)weight)[at];
    }
}

typedef struct pack_job {
    const tile_conv *c;
    const void *weight;
} pack_job;

/* One block from [oc][ic][tap] to [tap][group][channel][in the group]. */
static void pack_block(void *context, int part)
{
    const pack_job *j = context;
    const tile_conv *c = j->c;
    const conv_desc *d = &c->base.desc;
    int64_t ic = d->src.dim[1], taps = d->kernel[0] * d->kernel[1], groups = groups_per_tap(c);
    int64_t group = c->k->group, size = TILE_GROUP_BYTES / group;
    int64_t from = (int64_t)part * block_channels(c->k);
    int64_t channels = vectors_of_block(c, from) * c->k->lanes;
    int64_t n = d->dst.dim[1] - from < channels ? d->dst.dim[1] - from : channels;
    char *block = (char *)blob_data(c->packed) + (size_t)part * c->block_bytes;
    for (int64_t i = 0; i < ic; i++)
        for (int64_t t = 0; t < taps; t++) {
            char *to = block + (t * groups + i / group) * channels * TILE_GROUP_BYTES;
            for (int64_t o = 0; o < n; o++)
                put_weight(c, to + o * TILE_GROUP_BYTES + i % group * size, j->weight,
                           ((from + o) * ic + i) * taps + t);
        }
}

/* What the packed form depends on beside the weights. */
typedef struct tile_layout {
    const tile_kernel *k;
    int64_t oc, ic, taps;
} tile_layout;

static ptq_status pack_weights(tile_conv *c, const conv_weights *w, conv_context *context,
                               ptq_error *err)
{
    const conv_desc *d = &c->base.desc;
    tile_layout layout = {c->k, d->dst.dim[1], d->src.dim[1], d->kernel[0] * d->kernel[1]};
    packed_key key = {w->weight, &conv_tile, &layout, sizeof layout};
    size_t blocks = (size_t)(padded_channels(c) / block_channels(c->k));
    size_t per_block = (size_t)block_channels(c->k) * TILE_GROUP_BYTES;
    if (!mem_mul((size_t)(groups_per_tap(c) * layout.taps), per_block, &c->block_bytes) ||
        !mem_mul(c->block_bytes, blocks, &c->base.packed_bytes))
        return error_no_memory(err, SIZE_MAX, "packed weights");
    blob *found = w->is_lasting ? conv_context_find(context, &key) : NULL;
    if (found) {
        c->packed = blob_ref(found);
        return PTQ_OK;
    }
    bool is_whole = layout.oc % c->k->lanes == 0 && layout.ic % c->k->group == 0;
    c->packed =
        is_whole ? blob_create_unset(c->base.packed_bytes) : blob_create(c->base.packed_bytes);
    if (!c->packed)
        return error_no_memory(err, c->base.packed_bytes, "packed weights");
    pack_job job = {c, w->weight};
    pool_run(context->threads, (int)blocks, pack_block, &job);
    return w->is_lasting ? conv_context_keep(context, &key, c->packed, err) : PTQ_OK;
}

/* Whether codes change between i8 and u8 when they are read. */
static bool is_flipped(const tile_conv *c)
{
    return !c->k->widen && c->base.desc.src.type == (c->k->is_signed ? DTYPE_U8 : DTYPE_I8);
}

/* What a code is off its value when the sums are made: its zero point, and 128 more or less where
 * it is flipped; nothing where the zero point is taken off before. */
static int code_offset(const tile_conv *c)
{
    int flipped = is_flipped(c) ? (c->k->is_signed ? -128 : 128) : 0;
    return c->k->widen ? 0 : c->base.desc.x_zero + flipped;
}

/* Whether no output, in steps of out_scale, can leave 32 bits: kernels convert without a check. */
static bool fits_codes(const tile_conv *c)
{
    const conv_desc *d = &c->base.desc;
    const double most = 1e9;
    bool fits = true;
    for (int64_t i = 0; d->out_scale > 0 && i < d->dst.dim[1]; i++) {
        double sum = 255.0 * 128.0 * (double)conv_depth(d);
        double y = sum * fabs((double)c->scale[i]) + fabs((double)c->bias[i]);
        fits = fits && y / (double)d->out_scale < most;
    }
    return fits;
}

static ptq_status make_channels(tile_conv *c, const conv_weights *w, ptq_error *err)
{
    const conv_desc *d = &c->base.desc;
    size_t n = (size_t)padded_channels(c), depth = (size_t)conv_depth(d);
    size_t oc = (size_t)d->dst.dim[1];
    c->scale = mem_array(n, sizeof *c->scale);
    c->bias = mem_array(n, sizeof *c->bias);
    c->first = mem_alloc_aligned(n * TILE_GROUP_BYTES);
    if (!c->scale || !c->bias || !c->first)
        return error_no_memory(err, n * sizeof *c->scale, "a convolution");
    memset(c->first, 0, n * TILE_GROUP_BYTES);
    for (size_t i = 0; w->bias && i < oc; i++)
        c->bias[i] = w->bias[i];
    if (d->math != CONV_INT8) {
        memcpy(c->first, c->bias, n * sizeof *c->bias);
        return PTQ_OK;
    }
    for (size_t i = 0; i < oc; i++) {
        const int8_t *codes = (const int8_t *)w->weight + i * depth;
        int32_t sum = 0;
        for (size_t j = 0; j < depth; j++)
            sum += codes[j];
        ((int32_t *)c->first)[i] = -code_offset(c) * sum;
        c->scale[i] = d->x_scale * w->w_scale[i];
    }
    return fits_codes(c) ? PTQ_OK : PTQ_UNSUPPORTED;
}

/* Rows of input that `rows` rows of output need. */
static int64_t input_rows(const conv_desc *d, int64_t rows)
{
    return (rows - 1) * d->stride[0] + (int64_t)(d->kernel[0] - 1) * d->dilation[0] + 1;
}

static ptq_status plan_copied(tile_conv *c, ptq_error *err)
{
    const conv_desc *d = &c->base.desc;
    int64_t oh = d->dst.dim[2], span = (int64_t)(d->kernel[1] - 1) * d->dilation[1];
    size_t row_bytes;
    c->is_packed = d->src.stride[3] == d->src.dim[1] && d->src.dim[1] % c->k->group == 0;
    c->pixel_bytes = groups_per_tap(c) * TILE_GROUP_BYTES;
    c->row_pixels = (d->dst.dim[3] - 1) * d->stride[1] + span + 1;
    if (!mem_mul((size_t)c->row_pixels, (size_t)c->pixel_bytes, &row_bytes))
        return error_no_memory(err, SIZE_MAX, "a convolution");
    c->piece_rows = 1;
    while (c->piece_rows < oh &&
           (size_t)input_rows(d, c->piece_rows + 1) * row_bytes <= PIECE_BYTES)
        c->piece_rows++;
    if (!mem_mul((size_t)input_rows(d, c->piece_rows), row_bytes, &c->piece_bytes))
        return error_no_memory(err, SIZE_MAX, "a convolution");
    c->piece_bytes = (c->piece_bytes + 63) / 64 * 64;
    return PTQ_OK;
}

/* The window in runs: its rows, or its taps where they lie apart. */
static ptq_status make_runs(tile_conv *c, ptq_error *err)
{
    const conv_desc *d = &c->base.desc;
    bool in_rows = d->dilation[1] == 1 || d->kernel[1] == 1;
    int64_t per_row = in_rows ? 1 : d->kernel[1];
    c->n_runs = d->kernel[0] * per_row;
    c->n_groups = groups_per_tap(c) * (in_rows ? d->kernel[1] : 1);
    c->runs = mem_array((size_t)c->n_runs, sizeof *c->runs);
    if (!c->runs)
        return error_no_memory(err, (size_t)c->n_runs * sizeof *c->runs, "a convolution");
    for (int64_t r = 0; r < c->n_runs; r++)
        c->runs[r] = (r / per_row * d->dilation[0] * c->row_pixels + r % per_row * d->dilation[1]) *
                     c->pixel_bytes;
    return PTQ_OK;
}

/* Pixels that follow each other at one distance, in whole groups, are read where they are. */
static bool reads_directly(const tile_conv *c)
{
    const conv_desc *d = &c->base.desc;
    return d->kernel[0] == 1 && d->kernel[1] == 1 && d->stride[0] == 1 && d->stride[1] == 1 &&
           d->pad[0] == 0 && d->pad[1] == 0 && d->src.dim[2] == d->dst.dim[2] &&
           d->src.dim[3] == d->dst.dim[3] && d->src.dim[1] % c->k->group == 0 && !c->k->widen;
}

static int64_t image_pixels(const conv_desc *d)
{
    return d->dst.dim[2] * d->dst.dim[3];
}

static int count_parts(const tile_conv *c)
{
    const conv_desc *d = &c->base.desc;
    int64_t units = d->dst.dim[0] * d->dst.dim[2];
    int64_t worth = view_count(&d->dst) * conv_depth(d) / WORTH_A_PART;
    int64_t parts = d->threads > 1 ? (int64_t)d->threads * PARTS_PER_THREAD : 1;
    parts = parts < units ? parts : units;
    parts = parts < worth ? parts : worth;
    return parts > 1 ? (int)parts : 1;
}

static int64_t direct_pixels(const tile_conv *c)
{
    const view *src = &c->base.desc.src;
    int64_t tile = c->k->max_pixels;
    int64_t most = DIRECT_BYTES / (src->dim[1] * (int64_t)view_type_bytes(src->type));
    return most > tile ? most / tile * tile : tile;
}

static ptq_status plan(tile_conv *c, ptq_error *err)
{
    c->is_direct = reads_directly(c);
    c->base.n_parts = count_parts(c);
    if (c->is_direct)
        c->base.piece_pixels = direct_pixels(c);
    else
        PTQ_TRY(plan_copied(c, err));
    c->base.scratch_bytes = c->piece_bytes * (size_t)c->base.n_parts;
    return make_runs(c, err);
}

static ptq_status create(const conv_desc *d, const conv_weights *w, conv_context *context,
                         conv **out, ptq_error *err)
{
    tile_conv *c = mem_zalloc(sizeof *c);
    if (!c)
        return error_no_memory(err, sizeof *c, "a convolution");
    c->base = (conv){.impl = &conv_tile, .desc = *d};
    c->k = choose(d, context->level);
    c->finish = c->k->finish(d);
    c->inverse_scale = d->out_scale > 0 ? 1 / d->out_scale : 0;
    ptq_status status = plan(c, err);
    if (status == PTQ_OK)
        status = pack_weights(c, w, context, err);
    if (status == PTQ_OK)
        status = make_channels(c, w, err);
    if (status != PTQ_OK) {
        destroy(&c->base);
        return status;
    }
    *out = &c->base;
    return PTQ_OK;
}

/* A piece of the output and the windows it is made of. */
typedef struct piece {
    const char *src;
    char *dst;
    int64_t rows, columns;       /* of the output */
    int64_t src_row, src_column; /* bytes between windows */
    int64_t dst_row, dst_column; /* bytes between output pixels */
} piece;

static void run_block(const tile_conv *c, const piece *p, tile_sum_args *s, tile_finish_args *f)
{
    int64_t n_tiles = (p->columns + c->k->max_pixels - 1) / c->k->max_pixels;
    int64_t size = p->columns / n_tiles, n_larger = p->columns % n_tiles;
    int vectors = f->block_channels / c->k->lanes;
    tile_sum_fn *const *sum = c->k->sum + (vectors - 1) * c->k->max_pixels + size - 1;
    for (int64_t y = 0; y < p->rows; y++) {
        s->src = p->src + y * p->src_row;
        f->dst = p->dst + y * p->dst_row;
        for (int64_t t = 0; t < n_tiles; t++) {
            int larger = t < n_larger;
            f->n_pixels = (int)size + larger;
            sum[larger](s);
            c->finish(f);
            s->src += f->n_pixels * p->src_column;
            f->dst += f->n_pixels * p->dst_column;
        }
    }
}

static void run_piece(const tile_conv *c, piece p)
{
    _Alignas(64) char sums[TILE_MAX_PIXELS * TILE_MAX_CHANNELS * TILE_GROUP_BYTES];
    const conv_desc *d = &c->base.desc;
    tile_sum_args s = {.pixel_step = p.src_column,
                       .runs = c->runs,
                       .n_runs = c->n_runs,
                       .n_groups = c->n_groups,
                       .weight = blob_data(c->packed),
                       .sums = sums,
                       .ahead = c->is_direct ? p.src_column * c->k->max_pixels / c->n_groups : 0,
                       .flip = is_flipped(c) ? (int32_t)0x80808080u : 0};
    tile_finish_args f = {
        .sums = sums, .pixel_step = p.dst_column, .d = d, .inverse_scale = c->inverse_scale};
    for (int64_t from = 0; from < d->dst.dim[1]; from += block_channels(c->k)) {
        int64_t left = d->dst.dim[1] - from;
        f.block_channels = vectors_of_block(c, from) * c->k->lanes;
        f.n_channels = (int)(left < f.block_channels ? left : f.block_channels);
        f.scale = c->scale + from;
        f.bias = c->bias + from;
        s.first = (const char *)c->first + from * TILE_GROUP_BYTES;
        run_block(c, &p, &s, &f);
        s.weight += c->block_bytes;
        p.dst += block_channels(c->k) * (int64_t)view_type_bytes(d->dst.type);
    }
}

/* Output pixels [begin, end) of one image, read in place. */
static void run_pixels(const conv *base, const conv_run_args *a, int64_t begin, int64_t end)
{
    const tile_conv *c = (const tile_conv *)base;
    const conv_desc *d = &base->desc;
    int64_t src_size = (int64_t)view_type_bytes(d->src.type), all = image_pixels(d);
    piece p = {.rows = 1,
               .columns = end - begin,
               .src_column = d->src.stride[3] * src_size,
               .dst_column = d->dst.stride[3] * (int64_t)view_type_bytes(d->dst.type),
               .dst = a->dst};
    int64_t from = begin / all * d->src.stride[0] + begin % all * d->src.stride[3];
    p.src = (const char *)a->src + from * src_size;
    run_piece(c, p);
}

/* The same of all images, in pieces. */
static void run_direct(const tile_conv *c, const conv_run_args *a, int64_t begin, int64_t end)
{
    const view *dst = &c->base.desc.dst;
    int64_t size = (int64_t)view_type_bytes(dst->type), all = image_pixels(&c->base.desc);
    for (int64_t at = begin, next; at < end; at = next) {
        int64_t to = at / all * dst->stride[0] + at % all * dst->stride[3];
        next = conv_piece_end(&c->base, at, end);
        run_pixels(&c->base, &(conv_run_args){a->src, (char *)a->dst + to * size, NULL}, at, next);
    }
}

/* n pixels that are not there: the real value 0. */
static void copy_padding(const tile_conv *c, char *to, int64_t n)
{
    const conv_desc *d = &c->base.desc;
    bool has_zero = d->math == CONV_INT8 && !c->k->widen;
    memset(to, has_zero ? d->x_zero : 0, (size_t)(n * c->pixel_bytes));
}

/* Few channels that do not fill their groups: pixel by pixel, the missing ones 0. What is read
 * beyond a pixel is masked; beyond the last nothing is read. */
static void copy_groups(const tile_conv *c, char *to, const char *from, int64_t n)
{
    const view *src = &c->base.desc.src;
    int64_t size = (int64_t)view_type_bytes(src->type), bytes = src->dim[1] * size;
    int64_t whole = bytes / TILE_GROUP_BYTES * TILE_GROUP_BYTES, step = src->stride[3] * size;
    uint32_t rest, mask = 0;
    memset(&mask, 0xff, (size_t)(bytes - whole));
    for (int64_t i = 0; i < n; i++, from += step, to += c->pixel_bytes) {
        for (int64_t g = 0; g < whole; g += TILE_GROUP_BYTES)
            memcpy(to + g, from + g, TILE_GROUP_BYTES);
        rest = 0;
        if (i < n - 1)
            memcpy(&rest, from + whole, sizeof rest);
        else
            memcpy(&rest, from + whole, (size_t)(bytes - whole));
        rest &= mask;
        memcpy(to + whole, &rest, sizeof rest);
    }
}

/* n pixels, widened to 16 bits. */
static void copy_widened(const tile_conv *c, char *to, const char *from, int64_t n)
{
    const view *src = &c->base.desc.src;
    int64_t n_copies = c->is_packed ? 1 : n, length = n / n_copies * src->dim[1];
    for (int64_t i = 0; i < n_copies; i++) {
        if (src->dim[1] % c->k->group != 0)
            memset(to + c->pixel_bytes - TILE_GROUP_BYTES, 0, TILE_GROUP_BYTES);
        c->k->widen((int16_t *)(void *)to, from, length, c->base.desc.x_zero,
                    src->type == DTYPE_U8);
        from += src->stride[3];
        to += c->pixel_bytes;
    }
}

static void copy_pixels(const tile_conv *c, char *to, const char *from, int64_t n)
{
    const view *src = &c->base.desc.src;
    int64_t size = (int64_t)view_type_bytes(src->type), step = src->stride[3] * size;
    if (n < 1)
        return;
    if (c->k->widen)
        copy_widened(c, to, from, n);
    else if (c->is_packed)
        memcpy(to, from, (size_t)(n * c->pixel_bytes));
    else if (c->k->spread && src->dim[1] == 3 && src->stride[3] == 3)
        c->k->spread(to, from, n);
    else if (src->dim[1] % c->k->group != 0)
        copy_groups(c, to, from, n);
    else
        for (int64_t i = 0; i < n; i++)
            memcpy(to + i * c->pixel_bytes, from + i * step, (size_t)c->pixel_bytes);
}

/* One row of input, padded; y may lie outside the image. */
static void copy_row(const tile_conv *c, char *to, const char *image, int64_t y)
{
    const conv_desc *d = &c->base.desc;
    int64_t size = (int64_t)view_type_bytes(d->src.type), width = d->src.dim[3];
    if (y < 0 || y >= d->src.dim[2]) {
        copy_padding(c, to, c->row_pixels);
        return;
    }
    int64_t left = d->pad[1] < c->row_pixels ? d->pad[1] : c->row_pixels;
    int64_t inside = c->row_pixels - left < width ? c->row_pixels - left : width;
    copy_padding(c, to, left);
    copy_pixels(c, to + left * c->pixel_bytes, image + y * d->src.stride[2] * size, inside);
    copy_padding(c, to + (left + inside) * c->pixel_bytes, c->row_pixels - left - inside);
}

/* Output rows [begin, end) of all images, by way of copies. */
static void run_copied(const tile_conv *c, const conv_run_args *a, int part, const int64_t share[2])
{
    const conv_desc *d = &c->base.desc;
    char *room = (char *)a->scratch + (size_t)part * c->piece_bytes;
    int64_t src_size = (int64_t)view_type_bytes(d->src.type), oh = d->dst.dim[2];
    int64_t dst_size = (int64_t)view_type_bytes(d->dst.type);
    int64_t row_bytes = c->row_pixels * c->pixel_bytes;
    piece p = {.src = room,
               .columns = d->dst.dim[3],
               .src_row = d->stride[0] * row_bytes,
               .src_column = d->stride[1] * c->pixel_bytes,
               .dst_row = d->dst.stride[2] * dst_size,
               .dst_column = d->dst.stride[3] * dst_size};
    for (int64_t at = share[0]; at < share[1]; at += p.rows) {
        int64_t n = at / oh, y = at % oh, left = share[1] - at;
        const char *image = (const char *)a->src + n * d->src.stride[0] * src_size;
        p.rows = c->piece_rows < left ? c->piece_rows : left;
        p.rows = p.rows < oh - y ? p.rows : oh - y;
        for (int64_t i = 0; i < input_rows(d, p.rows); i++)
            copy_row(c, room + i * row_bytes, image, y * d->stride[0] - d->pad[0] + i);
        p.dst = (char *)a->dst + n * d->dst.stride[0] * dst_size + y * p.dst_row;
        run_piece(c, p);
    }
}

/* The part's pixels, or rows when it copies. */
static void part_share(const tile_conv *c, int part, int64_t share[2])
{
    const conv_desc *d = &c->base.desc;
    int64_t units = d->dst.dim[0] * (c->is_direct ? image_pixels(d) : d->dst.dim[2]);
    kernel_share(units, part, c->base.n_parts, &share[0], &share[1]);
}

static void rows_of_part(const conv *base, int part, int64_t rows[2])
{
    const tile_conv *c = (const tile_conv *)base;
    int64_t width = c->is_direct ? base->desc.dst.dim[3] : 1;
    part_share(c, part, rows);
    rows[0] = rows[0] / width;
    rows[1] = (rows[1] + width - 1) / width;
}

static bool run(const conv *base, const conv_run_args *a, int part)
{
    const tile_conv *c = (const tile_conv *)base;
    int64_t share[2];
    part_share(c, part, share);
    if (c->is_direct)
        run_direct(c, a, share[0], share[1]);
    else
        run_copied(c, a, part, share);
    return true;
}

static const char *info(const conv *base)
{
    return ((const tile_conv *)base)->k->name;
}

const conv_impl conv_tile = {
    .name = "conv_tile",
    .level = CPU_REF + 1,
    .takes_strides = true,
    .can = can,
    .create = create,
    .run = run,
    .run_pixels = run_pixels,
    .rows = rows_of_part,
    .info = info,
    .destroy = destroy,
};
