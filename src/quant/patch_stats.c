/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/patch_stats.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/mem.h"
#include "data/loader.h"
#include "engine/session.h"
#include "eval/pictures.h"
#include "passes/passes.h"
#include "quant/draw.h"

enum {
    CHECK_EVERY = 4,      /* images */
    SAMPLES_PER_SIZE = 6, /* patches, over all images, per value of a patch; at least */
    MOST_SAMPLES = 768,   /* per image */
    PRODUCTS = 20000000,  /* per image: while it costs no more, more patches are taken */
    BLOCK = 4,            /* patches added to the second moments at a time */
    MOST_BOXES = 256,
};
/* What is detected with this score is looked at; of eight patches five are there. */
#define BOX_SCORE 0.1f
enum { BOX_SHARE = 5, OF_PATCHES = 8 };

typedef struct collector {
    const patch_input *in;
    patch_layer *layers;
    int n_layers;
    const char **names; /* of the tensors they read, NULL-terminated, each once */
    int n_names;
    int image;
    int total;
    bool is_looking;            /* the run that detects: nothing is sampled */
    float boxes[MOST_BOXES][4]; /* left, top, width, height as fractions of the image */
    int n_boxes;
    float *quantized, *error; /* [samples, size] */
    size_t quantized_cap, error_cap;
    bool failed;
} collector;

/* ---------------------------------------------------------------- sizes */

static const conv_attr *plain_conv(const graph *g, node_id id)
{
    const node *n = graph_node_const(g, id);
    bool is_plain = n->op == GRAPH_OP_CONV && n->attr.conv.groups == 1 &&
                    graph_is_const(g, n->inputs[1]) &&
                    graph_tensor_const(g, n->inputs[1])->type == DTYPE_F32;
    return is_plain ? &n->attr.conv : NULL;
}

static size_t patch_size(const graph *g, node_id id)
{
    const shape *w = &graph_tensor_const(g, graph_node_const(g, id)->inputs[1])->shape;
    return (size_t)(w->dim[1] * w->dim[2] * w->dim[3]);
}

size_t patch_stats_bytes(const graph *g, node_id id)
{
    if (!plain_conv(g, id))
        return SIZE_MAX;
    size_t n = patch_size(g, id);
    return n * ((PATCH_SETS + 1) * n * sizeof(float) + 2 * PATCH_SETS * sizeof(double));
}

void patch_layer_clear(patch_layer *l)
{
    for (int i = 0; i < PATCH_SETS; i++) {
        mem_free(l->sums[i].xx);
        mem_free(l->sums[i].x);
        mem_free(l->sums[i].f);
        mem_free(l->sums[i].ex);
        mem_free(l->sums[i].we);
        l->sums[i] = (patch_sums){0};
    }
}

static bool patch_layer_init(patch_layer *l, const graph *g)
{
    size_t n = patch_size(g, l->node);
    const node *conv = graph_node_const(g, l->node);
    bool ok = true;
    l->size = (int)n;
    l->rows = (int)graph_tensor_const(g, conv->inputs[1])->shape.dim[0];
    for (int i = 0; i < PATCH_SETS; i++) {
        patch_sums *s = &l->sums[i];
        *s = (patch_sums){.xx = mem_array(n * n, sizeof(float)),
                          .x = mem_array(n, sizeof(double)),
                          .f = mem_array(n, sizeof(double))};
        ok = ok && s->xx && s->x && s->f;
    }
    patch_sums *check = &l->sums[PATCH_CHECK];
    check->ex = mem_array(n * n, sizeof(float));
    check->we = mem_array((size_t)l->rows, sizeof(double));
    ok = ok && check->ex && check->we;
    return ok;
}

/* ---------------------------------------------------------------- one tensor */

static float rounded(float x, float scale)
{
    float code = rintf(x / scale);
    return (code < -128 ? -128 : code > 127 ? 127 : code) * scale;
}

/* Where element (c, y, x) of an image is: data[c * channel + y * row + x * column]. */
typedef struct image_view {
    const float *data;
    int64_t channels, height, width;
    int64_t channel, row, column;
} image_view;

static image_view view_of(const tap_view *v)
{
    const int64_t *d = v->shape.dim;
    image_view i = {v->data, d[1], d[2], d[3], d[2] * d[3], d[3], 1};
    if (v->channels_last) {
        i.channel = 1;
        i.column = (int64_t)v->pixel_stride;
        i.row = i.column * i.width;
    }
    return i;
}

/* The patch of output pixel (y, x), zeros beyond the border. */
static void gather(const image_view *v, const conv_attr *a, int64_t y, int64_t x, float *out)
{
    int64_t area = (int64_t)a->kernel[0] * a->kernel[1];
    for (int ky = 0; ky < a->kernel[0]; ky++)
        for (int kx = 0; kx < a->kernel[1]; kx++) {
            int64_t from_y = y * a->stride[0] - a->pad[0] + (int64_t)ky * a->dilation[0];
            int64_t from_x = x * a->stride[1] - a->pad[1] + (int64_t)kx * a->dilation[1];
            bool is_inside = from_y >= 0 && from_y < v->height && from_x >= 0 && from_x < v->width;
            const float *from = v->data + (is_inside ? from_y * v->row + from_x * v->column : 0);
            float *to = out + (int64_t)ky * a->kernel[1] + kx;
            for (int64_t c = 0; c < v->channels; c++)
                to[c * area] = is_inside ? from[c * v->channel] : 0;
        }
}

/* row[j] += a[k][i] b[k][j] over BLOCK patches k, from j = first on. */
static void add_block(float *row, const float *a, const float *b, size_t size, size_t i,
                      size_t first)
{
    const float *b1 = b + size, *b2 = b1 + size, *b3 = b2 + size;
    float f0 = a[i], f1 = a[size + i], f2 = a[2 * size + i], f3 = a[3 * size + i];
    for (size_t j = first; j < size; j++)
        row[j] += (f0 * b[j] + f1 * b1[j]) + (f2 * b2[j] + f3 * b3[j]);
}

/* `n` is a multiple of BLOCK. */
static void add_products(const patch_sums *s, const collector *c, size_t n, size_t size)
{
#pragma omp parallel for num_threads(env_threads(c->in->env)) schedule(dynamic, 16)
    for (size_t i = 0; i < size; i++)
        for (size_t k = 0; k < n; k += BLOCK) {
            const float *x = c->quantized + k * size, *e = c->error + k * size;
            add_block(s->xx + i * size, x, x, size, i, i);
            if (s->ex)
                add_block(s->ex + i * size, e, x, size, i, 0);
        }
}

static void add_output_errors(const patch_layer *l, const patch_sums *s, const collector *c,
                              size_t n)
{
    const node *conv = graph_node_const(c->in->g, l->node);
    const float *w = blob_data(graph_tensor_const(c->in->g, conv->inputs[1])->data);
    size_t size = (size_t)l->size;
#pragma omp parallel for num_threads(env_threads(c->in->env))
    for (int r = 0; r < l->rows; r++)
        for (size_t k = 0; k < n; k++) {
            const float *row = w + (size_t)r * size, *e = c->error + k * size;
            float lane[8] = {0};
            double sum = 0;
            for (size_t i = 0; i + 8 <= size; i += 8)
                for (int j = 0; j < 8; j++)
                    lane[j] += row[i + (size_t)j] * e[i + (size_t)j];
            for (size_t i = size / 8 * 8; i < size; i++)
                sum += (double)(row[i] * e[i]);
            for (int j = 0; j < 8; j++)
                sum += (double)lane[j];
            s->we[r] += sum * sum;
        }
}

static void add_samples(patch_layer *l, int set, const collector *c, size_t n)
{
    patch_sums *s = &l->sums[set];
    size_t size = (size_t)l->size;
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < size; i++) {
            s->x[i] += (double)c->quantized[k * size + i];
            s->f[i] += (double)(c->quantized[k * size + i] - c->error[k * size + i]);
        }
    s->n += (double)n;
    add_products(s, c, n, size);
    if (s->we)
        add_output_errors(l, s, c, n);
}

static double draw_fraction(uint64_t *state)
{
    return (double)(draw_next(state) >> 11) * 0x1p-53;
}

/* An output pixel (y, x): mostly one inside a box, since that is where errors cost. */
static void draw_place(const collector *c, uint64_t *state, const int64_t size[2], int64_t at[2])
{
    bool in_box = c->n_boxes > 0 && draw_below(state, OF_PATCHES) < BOX_SHARE;
    const float *box = in_box ? c->boxes[draw_below(state, c->n_boxes)] : NULL;
    for (int i = 0; i < 2; i++) {
        double where = draw_fraction(state);
        if (box)
            where = (double)box[1 - i] + where * (double)box[3 - i];
        at[i] = (int64_t)(where * (double)size[i]);
        at[i] = at[i] < 0 ? 0 : at[i] < size[i] ? at[i] : size[i] - 1;
    }
}

static size_t sample_count(const collector *c, size_t size, size_t n_pixels)
{
    size_t least = SAMPLES_PER_SIZE * size / (size_t)c->total, n = PRODUCTS / (size * size);
    n = n < least ? least : n > MOST_SAMPLES ? MOST_SAMPLES : n;
    n = n < n_pixels ? n : n_pixels;
    return (n + BLOCK - 1) / BLOCK * BLOCK;
}

static void sample_layer(collector *c, int index, const image_view *v)
{
    patch_layer *l = &c->layers[index];
    const conv_attr *a = &graph_node_const(c->in->g, l->node)->attr.conv;
    int64_t height = (v->height + a->pad[0] + a->pad[2] - (a->kernel[0] - 1) * a->dilation[0] - 1) /
                         a->stride[0] +
                     1;
    int64_t width = (v->width + a->pad[1] + a->pad[3] - (a->kernel[1] - 1) * a->dilation[1] - 1) /
                        a->stride[1] +
                    1;
    size_t size = (size_t)l->size, n = sample_count(c, size, (size_t)(height * width));
    float *quantized = mem_grow(c->quantized, &c->quantized_cap, n * size, sizeof *quantized);
    c->quantized = quantized ? quantized : c->quantized;
    float *error = mem_grow(c->error, &c->error_cap, n * size, sizeof *error);
    c->error = error ? error : c->error;
    if (!quantized || !error) {
        c->failed = true;
        return;
    }
    uint64_t state = (uint64_t)c->image * 1000003 + (uint64_t)index;
    int64_t size_out[2] = {height, width}, at[2];
    float scale = l->amax > 0x1p-24f ? l->amax / 127 : 1;
    for (size_t k = 0; k < n; k++) {
        draw_place(c, &state, size_out, at);
        gather(v, a, at[0], at[1], error + k * size);
        for (size_t i = k * size; i < (k + 1) * size; i++) {
            quantized[i] = rounded(error[i], scale);
            error[i] = quantized[i] - error[i];
        }
    }
    bool is_check = c->image % CHECK_EVERY == CHECK_EVERY - 1;
    add_samples(l, is_check ? PATCH_CHECK : PATCH_FIT, c, n);
}

static void sample_readers(collector *c, const char *name, const image_view *v)
{
    for (int i = 0; i < c->n_layers; i++) {
        tensor_id x = graph_node_const(c->in->g, c->layers[i].node)->inputs[0];
        if (strcmp(graph_tensor_const(c->in->g, x)->name, name) == 0)
            sample_layer(c, i, v);
    }
}

static void on_tap(void *user, const tap_view *v)
{
    collector *c = user;
    if (v->type != DTYPE_F32 || v->shape.rank != 4 || c->failed || c->is_looking)
        return;
    image_view i = view_of(v);
    sample_readers(c, v->name, &i);
}

/* ---------------------------------------------------------------- the pass */

static bool has_name(const collector *c, const char *name)
{
    for (int i = 0; i < c->n_names; i++)
        if (strcmp(c->names[i], name) == 0)
            return true;
    return false;
}

/* The network's input cannot be tapped: it is known anyway. */
static ptq_status list_names(collector *c, ptq_error *err)
{
    const graph *g = c->in->g;
    c->names = mem_array((size_t)c->n_layers + 1, sizeof *c->names);
    if (!c->names)
        return error_no_memory(err, (size_t)c->n_layers * sizeof *c->names, "statistics");
    for (int i = 0; i < c->n_layers; i++) {
        tensor_id x = graph_node_const(g, c->layers[i].node)->inputs[0];
        const char *name = graph_tensor_const(g, x)->name;
        if (x != graph_input(g, 0) && !has_name(c, name))
            c->names[c->n_names++] = name;
    }
    return PTQ_OK;
}

static ptq_status open_session(const collector *c, session **out, ptq_error *err)
{
    graph *g;
    session_options o = {.threads = env_threads(c->in->env),
                         .taps = c->names,
                         .n_taps = c->n_names,
                         .max_engines = 1};
    PTQ_TRY(cpu_level_parse(c->in->env ? c->in->env->cpu : NULL, &o.level, err));
    PTQ_TRY(graph_copy(c->in->g, &g, err));
    ptq_status st =
        pass_lower(g, &(lower_options){.precision = PRECISION_FP32, .keep = c->names}, err);
    if (st == PTQ_OK)
        st = session_create(g, &o, out, err);
    graph_destroy(g);
    return st;
}

/* Boxes of the decoded output, when there is one; the best ones are not needed, so none is
 * suppressed. */
static void find_boxes(collector *c, session *s, const batch *b)
{
    c->n_boxes = 0;
    for (int i = 0; i < graph_n_outputs(session_graph(s)); i++) {
        tensor_view v = engine_output(session_engine(s), i);
        if (v.type != DTYPE_F32 || v.shape.rank != 3 || v.shape.dim[2] < 6)
            continue;
        for (int64_t k = 0; k < v.shape.dim[1] && c->n_boxes < MOST_BOXES; k++) {
            const float *row = (const float *)v.data + k * v.shape.dim[2];
            float best = 0, *box = c->boxes[c->n_boxes];
            for (int64_t j = 5; j < v.shape.dim[2]; j++)
                best = row[j] > best ? row[j] : best;
            if (!(row[4] * best >= BOX_SCORE))
                continue;
            box[0] = (row[0] - row[2] / 2) / (float)b->width;
            box[1] = (row[1] - row[3] / 2) / (float)b->height;
            box[2] = row[2] / (float)b->width;
            box[3] = row[3] / (float)b->height;
            c->n_boxes++;
        }
    }
}

static ptq_status run_image(collector *c, session *s, const batch *b, ptq_error *err)
{
    const graph *g = c->in->g;
    tensor_view input = {b->images, DTYPE_F32, shape4(1, 3, b->height, b->width)};
    c->is_looking = true;
    PTQ_TRY(session_run(s, &input, 1, err));
    find_boxes(c, s, b);
    c->is_looking = false;
    image_view v = {b->images, 3, b->height, b->width, (int64_t)b->height * b->width, b->width, 1};
    sample_readers(c, graph_tensor_const(g, graph_input(g, 0))->name, &v);
    PTQ_TRY(session_run(s, &input, 1, err));
    return c->failed ? error_no_memory(err, 0, "statistics") : PTQ_OK;
}

static ptq_status run_images(collector *c, session *s, loader *l, ptq_error *err)
{
    for (; c->image < c->total; c->image++) {
        const batch *b;
        PTQ_TRY(env_check_cancel(c->in->env, err));
        env_progress(c->in->env, "looking at patches", (size_t)c->image, (size_t)c->total);
        PTQ_TRY(loader_next(l, &b, err));
        if (!b)
            break;
        PTQ_TRY(run_image(c, s, b, err));
    }
    env_progress(c->in->env, "looking at patches", 1, 1);
    return PTQ_OK;
}

ptq_status patch_stats_collect(const patch_input *in, patch_layer *layers, int n, ptq_error *err)
{
    collector c = {.in = in, .layers = layers, .n_layers = n};
    loader_options o = {.image_size = in->image_size,
                        .batch_size = 1,
                        .threads = env_threads(in->env),
                        .form = pictures_of(in->g)};
    session *s = NULL;
    loader *l = NULL;
    c.total = in->images->n_items < in->n_images ? in->images->n_items : in->n_images;
    ptq_status st = PTQ_OK;
    for (int i = 0; i < n && st == PTQ_OK; i++)
        if (!patch_layer_init(&layers[i], in->g))
            st = error_no_memory(err, patch_stats_bytes(in->g, layers[i].node), "statistics");
    if (st == PTQ_OK)
        st = list_names(&c, err);
    if (st == PTQ_OK)
        st = open_session(&c, &s, err);
    if (st == PTQ_OK)
        st = loader_open(in->images, &o, in->env, &l, err);
    if (st == PTQ_OK) {
        session_set_tap(s, on_tap, &c);
        st = run_images(&c, s, l, err);
    }
    loader_close(l);
    session_destroy(s);
    mem_free(c.names);
    mem_free(c.quantized);
    mem_free(c.error);
    return st;
}
