/* SPDX-License-Identifier: Apache-2.0 */
/* Float convolutions of 3x3 with stride 1 by Winograd's algorithm (winograd.h).
 *
 * A part of the output is done in pieces: some rows of tiles, or a stretch of one row. The input of
 * a piece is transformed once; then for each block of output channels the sixteen matrix products
 * are made, transformed back, and finished. */
#include <string.h>

#include "base/mem.h"
#include "kernels/conv_impl.h"
#include "kernels/tile.h"
#include "kernels/winograd.h"

enum {
    TILE_SIZE = 2,             /* outputs per tile and dimension */
    WINDOW = 4,                /* inputs */
    BLOCK = TILE_MAX_CHANNELS, /* output channels */
    PIECE_BYTES = 384 << 10,   /* of transformed input */
    PARTS_PER_THREAD = 4,
};

typedef struct winograd_kernel {
    const tile_kernel *tile;
    winograd_input_fn *input;
    winograd_output_fn *output;
} winograd_kernel;

typedef struct winograd_conv {
    conv base;
    const winograd_kernel *k;
    tile_finish_fn *finish;
    blob *packed;        /* [block][position][ic][channel of the block] */
    float *bias;         /* [channels of whole blocks] */
    float *zeros;        /* [ic]: a pixel outside the image, and where sums begin */
    int64_t n_tiles[2];  /* down, across */
    int64_t piece[2];    /* tiles of a piece */
    size_t input_floats; /* of a piece: [position][tile][ic] */
    size_t sums_floats;  /* [position][tile][BLOCK] */
    size_t part_bytes;   /* scratch of a part */
} winograd_conv;

static const winograd_kernel *kernel_for(cpu_level level)
{
#if defined(__x86_64__)
    static const winograd_kernel avx512 = {&tile_f32_avx512, winograd_input_avx512,
                                           winograd_output_avx512};
    return level >= CPU_AVX512 ? &avx512 : NULL;
#else
    (void)level;
    return NULL;
#endif
}

static bool is_plain_3x3(const conv_desc *d)
{
    bool is_plain = d->groups == 1;
    for (int i = 0; i < 2; i++)
        is_plain = is_plain && d->kernel[i] == 3 && d->stride[i] == 1 && d->dilation[i] == 1;
    return is_plain;
}

/* Few channels are not worth their transforms. */
static bool can(const conv_desc *d, cpu_level level)
{
    enum { MIN_CHANNELS = 32 };
    const winograd_kernel *k = kernel_for(level);
    return k && d->math == CONV_F32 && !d->exact && !d->is_direct && is_plain_3x3(d) &&
           d->src.type == DTYPE_F32 && d->dst.type == DTYPE_F32 && d->out_scale <= 0 &&
           k->tile->finish(d) && d->src.dim[1] % WINOGRAD_LANES == 0 &&
           d->src.dim[1] >= MIN_CHANNELS && d->dst.dim[1] >= MIN_CHANNELS &&
           view_is_nhwc(&d->src, NULL) && view_is_nhwc(&d->dst, NULL) && view_count(&d->dst) > 0 &&
           view_count(&d->src) > 0;
}

static void destroy(conv *base)
{
    winograd_conv *c = (winograd_conv *)base;
    blob_unref(&c->packed);
    mem_free(c->bias);
    mem_free(c->zeros);
    mem_free(c);
}

static int64_t n_blocks(const winograd_conv *c)
{
    return (c->base.desc.dst.dim[1] + BLOCK - 1) / BLOCK;
}

/* One dimension of G g: three values to four. */
static void weight_line(const double g[3], double out[4])
{
    out[0] = g[0];
    out[1] = (g[0] + g[1] + g[2]) / 2;
    out[2] = (g[0] - g[1] + g[2]) / 2;
    out[3] = g[2];
}

/* G g G^T of one filter, each position `plane` floats from the one before. */
static void transform_weight(const float *w, float *to, int64_t plane)
{
    double rows[3][4], column[4];
    for (int y = 0; y < 3; y++)
        weight_line((double[]){(double)w[3 * y], (double)w[3 * y + 1], (double)w[3 * y + 2]},
                    rows[y]);
    for (int x = 0; x < 4; x++) {
        weight_line((double[]){rows[0][x], rows[1][x], rows[2][x]}, column);
        for (int y = 0; y < 4; y++)
            to[(4 * y + x) * plane] = (float)column[y];
    }
}

/* Channels of a block are stored in whole vectors. */
static int block_channels(const winograd_conv *c, int64_t block)
{
    int64_t left = c->base.desc.dst.dim[1] - block * BLOCK;
    return left > c->k->tile->lanes ? BLOCK : c->k->tile->lanes;
}

typedef struct pack_job {
    const winograd_conv *c;
    const float *weight;
} pack_job;

static void pack_block(void *context, int part)
{
    const pack_job *j = context;
    const winograd_conv *c = j->c;
    int64_t ic = c->base.desc.src.dim[1], from = (int64_t)part * BLOCK;
    int64_t channels = block_channels(c, part), left = c->base.desc.dst.dim[1] - from;
    float *block = (float *)blob_data(c->packed) + part * WINOGRAD_POSITIONS * ic * BLOCK;
    for (int64_t i = 0; i < ic; i++)
        for (int64_t o = 0; o < channels && o < left; o++)
            transform_weight(j->weight + ((from + o) * ic + i) * 9, block + i * channels + o,
                             ic * channels);
}

static ptq_status pack_weights(winograd_conv *c, const conv_weights *w, conv_context *context,
                               ptq_error *err)
{
    int64_t layout[] = {c->base.desc.dst.dim[1], c->base.desc.src.dim[1]};
    packed_key key = {w->weight, &conv_winograd, layout, sizeof layout};
    size_t per_block = (size_t)c->base.desc.src.dim[1] * BLOCK * sizeof(float);
    if (!mem_mul(per_block, (size_t)n_blocks(c) * WINOGRAD_POSITIONS, &c->base.packed_bytes))
        return error_no_memory(err, SIZE_MAX, "packed weights");
    blob *found = w->is_lasting ? conv_context_find(context, &key) : NULL;
    if (found) {
        c->packed = blob_ref(found);
        return PTQ_OK;
    }
    bool is_whole = layout[0] % c->k->tile->lanes == 0;
    c->packed =
        is_whole ? blob_create_unset(c->base.packed_bytes) : blob_create(c->base.packed_bytes);
    if (!c->packed)
        return error_no_memory(err, c->base.packed_bytes, "packed weights");
    pack_job job = {c, w->weight};
    pool_run(context->threads, (int)n_blocks(c), pack_block, &job);
    return w->is_lasting ? conv_context_keep(context, &key, c->packed, err) : PTQ_OK;
}

static ptq_status make_channels(winograd_conv *c, const conv_weights *w, ptq_error *err)
{
    size_t oc = (size_t)c->base.desc.dst.dim[1], ic = (size_t)c->base.desc.src.dim[1];
    c->bias = mem_array((size_t)n_blocks(c) * BLOCK, sizeof *c->bias);
    size_t zero_bytes = (ic > BLOCK ? ic : BLOCK) * sizeof *c->zeros;
    c->zeros = mem_alloc_aligned(zero_bytes);
    if (!c->bias || !c->zeros)
        return error_no_memory(err, oc * sizeof *c->bias, "a convolution");
    memset(c->zeros, 0, zero_bytes);
    if (w->bias)
        memcpy(c->bias, w->bias, oc * sizeof *c->bias);
    return PTQ_OK;
}

static void plan_piece(winograd_conv *c)
{
    int64_t ic = c->base.desc.src.dim[1], across = c->n_tiles[1];
    int64_t most = PIECE_BYTES / (WINOGRAD_POSITIONS * ic * (int64_t)sizeof(float));
    most = most > TILE_MAX_PIXELS ? most : TILE_MAX_PIXELS;
    int64_t cuts = (across + most - 1) / most;
    c->piece[1] = (across + cuts - 1) / cuts;
    c->piece[0] = cuts > 1 ? 1 : most / across;
    c->piece[0] = c->piece[0] < c->n_tiles[0] ? c->piece[0] : c->n_tiles[0];
}

static ptq_status plan(winograd_conv *c, ptq_error *err)
{
    const conv_desc *d = &c->base.desc;
    for (int i = 0; i < 2; i++)
        c->n_tiles[i] = (d->dst.dim[2 + i] + TILE_SIZE - 1) / TILE_SIZE;
    plan_piece(c);
    size_t tiles = (size_t)(c->piece[0] * c->piece[1]), floats;
    if (!mem_mul(tiles * WINOGRAD_POSITIONS, (size_t)d->src.dim[1], &c->input_floats))
        return error_no_memory(err, SIZE_MAX, "a convolution");
    c->sums_floats = tiles * WINOGRAD_POSITIONS * BLOCK;
    floats = c->input_floats + c->sums_floats;
    c->part_bytes = floats * sizeof(float); /* both are multiples of 64 bytes */
    int64_t rows = d->dst.dim[0] * c->n_tiles[0];
    int64_t parts = d->threads > 1 ? (int64_t)d->threads * PARTS_PER_THREAD : 1;
    c->base.n_parts = (int)(parts < rows ? parts : rows);
    if (!mem_mul(c->part_bytes, (size_t)c->base.n_parts, &c->base.scratch_bytes))
        return error_no_memory(err, SIZE_MAX, "a convolution");
    return PTQ_OK;
}

static ptq_status create(const conv_desc *d, const conv_weights *w, conv_context *context,
                         conv **out, ptq_error *err)
{
    winograd_conv *c = mem_zalloc(sizeof *c);
    if (!c)
        return error_no_memory(err, sizeof *c, "a convolution");
    c->base = (conv){.impl = &conv_winograd, .desc = *d};
    c->k = kernel_for(context->level);
    c->finish = c->k->tile->finish(d);
    ptq_status status = plan(c, err);
    if (status == PTQ_OK)
        status = make_channels(c, w, err);
    if (status == PTQ_OK)
        status = pack_weights(c, w, context, err);
    if (status != PTQ_OK) {
        destroy(&c->base);
        return status;
    }
    *out = &c->base;
    return PTQ_OK;
}

/* Some tiles of one image. */
typedef struct piece {
    const float *image;
    float *dst;            /* of the image */
    int64_t from[2], n[2]; /* tiles: down, across */
    float *input, *sums;   /* scratch */
    int64_t count;         /* of tiles */
} piece;

/* The 4x4 input of tile (y, x); pixels outside the image are zeros. */
static void find_window(const winograd_conv *c, const piece *p, int64_t y, int64_t x,
                        const float *src[WINOGRAD_POSITIONS])
{
    const conv_desc *d = &c->base.desc;
    int64_t top = y * TILE_SIZE - d->pad[0], left = x * TILE_SIZE - d->pad[1];
    for (int i = 0; i < WINOGRAD_POSITIONS; i++) {
        int64_t row = top + i / WINDOW, column = left + i % WINDOW;
        bool is_inside = row >= 0 && row < d->src.dim[2] && column >= 0 && column < d->src.dim[3];
        src[i] =
            is_inside ? p->image + row * d->src.stride[2] + column * d->src.stride[3] : c->zeros;
    }
}

static void transform_input(const winograd_conv *c, const piece *p)
{
    const float *src[WINOGRAD_POSITIONS];
    int64_t ic = c->base.desc.src.dim[1];
    float *to = p->input;
    for (int64_t y = 0; y < p->n[0]; y++)
        for (int64_t x = 0; x < p->n[1]; x++, to += ic) {
            find_window(c, p, p->from[0] + y, p->from[1] + x, src);
            c->k->input(src, to, p->count * ic, ic);
        }
}

/* The sixteen matrix products of a block. */
static void sum_block(const winograd_conv *c, const piece *p, int64_t block)
{
    int64_t ic = c->base.desc.src.dim[1], run = 0;
    int channels = block_channels(c, block), vectors = channels / c->k->tile->lanes;
    const float *weight =
        (const float *)blob_data(c->packed) + block * WINOGRAD_POSITIONS * ic * BLOCK;
    int64_t n_groups = (p->count + c->k->tile->max_pixels - 1) / c->k->tile->max_pixels;
    tile_sum_args s = {.pixel_step = ic * (int64_t)sizeof(float),
                       .runs = &run,
                       .n_runs = 1,
                       .n_groups = ic,
                       .first = c->zeros};
    for (int i = 0; i < WINOGRAD_POSITIONS; i++) {
        s.weight = (const char *)(weight + i * ic * channels);
        for (int64_t g = 0; g < n_groups; g++) {
            int64_t begin, end;
            kernel_share(p->count, (int)g, (int)n_groups, &begin, &end);
            s.src = (const char *)(p->input + (i * p->count + begin) * ic);
            s.sums = p->sums + (i * p->count + begin) * channels;
            c->k->tile->sum[(vectors - 1) * c->k->tile->max_pixels + end - begin - 1](&s);
        }
    }
}

/* Output pixels of one row of tiles, two rows of them: transformed back and finished. */
static void finish_row(const winograd_conv *c, const piece *p, int64_t block, int64_t y)
{
    enum { MOST = 16 }; /* tiles at a time */
    _Alignas(64) float out[TILE_SIZE][MOST * TILE_SIZE * BLOCK];
    const conv_desc *d = &c->base.desc;
    int channels = block_channels(c, block);
    int64_t left = d->dst.dim[1] - block * BLOCK;
    tile_finish_args f = {.block_channels = channels,
                          .n_channels = (int)(left < channels ? left : channels),
                          .pixel_step = d->dst.stride[3] * (int64_t)sizeof(float),
                          .d = d};
    for (int64_t x = 0; x < p->n[1]; x += MOST) {
        int64_t n = p->n[1] - x < MOST ? p->n[1] - x : MOST;
        const float *sums = p->sums + (y * p->n[1] + x) * channels;
        for (int64_t t = 0; t < n; t++)
            c->k->output(
                sums + t * channels, p->count * channels, c->bias + block * BLOCK,
                (float *[]){out[0] + t * TILE_SIZE * channels, out[1] + t * TILE_SIZE * channels},
                channels);
        int64_t column = (p->from[1] + x) * TILE_SIZE, row = (p->from[0] + y) * TILE_SIZE;
        int64_t columns = d->dst.dim[3] - column;
        f.n_pixels = (int)(columns < n * TILE_SIZE ? columns : n * TILE_SIZE);
        for (int r = 0; r < TILE_SIZE && row + r < d->dst.dim[2]; r++) {
            f.sums = out[r];
            f.dst = (char *)(p->dst + (row + r) * d->dst.stride[2] + column * d->dst.stride[3] +
                             block * BLOCK);
            c->finish(&f);
        }
    }
}

static void run_piece(const winograd_conv *c, const piece *p)
{
    transform_input(c, p);
    for (int64_t block = 0; block < n_blocks(c); block++) {
        sum_block(c, p, block);
        for (int64_t y = 0; y < p->n[0]; y++)
            finish_row(c, p, block, y);
    }
}

/* Rows of tiles, of all images counted on. */
static void part_share(const winograd_conv *c, int part, int64_t *begin, int64_t *end)
{
    const conv *base = &c->base;
    kernel_share(base->desc.dst.dim[0] * c->n_tiles[0], part, base->n_parts, begin, end);
}

/* The output row where tile row `at` begins. */
static int64_t row_of_tiles(const winograd_conv *c, int64_t at)
{
    return at / c->n_tiles[0] * c->base.desc.dst.dim[2] + at % c->n_tiles[0] * TILE_SIZE;
}

static void rows_of_part(const conv *base, int part, int64_t rows[2])
{
    const winograd_conv *c = (const winograd_conv *)base;
    int64_t begin, end;
    part_share(c, part, &begin, &end);
    rows[0] = row_of_tiles(c, begin);
    rows[1] = row_of_tiles(c, end);
}

static bool run(const conv *base, const conv_run_args *a, int part)
{
    const winograd_conv *c = (const winograd_conv *)base;
    const conv_desc *d = &base->desc;
    int64_t down = c->n_tiles[0], begin, end;
    part_share(c, part, &begin, &end);
    piece p = {.input = (float *)((char *)a->scratch + (size_t)part * c->part_bytes)};
    p.sums = p.input + c->input_floats;
    for (int64_t at = begin; at < end; at += p.n[0]) {
        int64_t image = at / down;
        p.image = (const float *)a->src + image * d->src.stride[0];
        p.dst = (float *)a->dst + image * d->dst.stride[0];
        p.from[0] = at % down;
        p.n[0] = c->piece[0] < end - at ? c->piece[0] : end - at;
        p.n[0] = p.n[0] < down - p.from[0] ? p.n[0] : down - p.from[0];
        for (p.from[1] = 0; p.from[1] < c->n_tiles[1]; p.from[1] += c->piece[1]) {
            int64_t across = c->n_tiles[1] - p.from[1];
            p.n[1] = c->piece[1] < across ? c->piece[1] : across;
            p.count = p.n[0] * p.n[1];
            run_piece(c, &p);
        }
    }
    return true;
}

static const char *info(const conv *c)
{
    (void)c;
    return "f32_avx512";
}

const conv_impl conv_winograd = {
    .name = "conv_winograd",
    .level = CPU_AVX512,
    .takes_strides = true,
    .can = can,
    .create = create,
    .run = run,
    .rows = rows_of_part,
    .info = info,
    .destroy = destroy,
};
