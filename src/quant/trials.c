/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/trials.h"

#include <string.h>

#include "base/mem.h"
#include "data/loader.h"
#include "eval/pictures.h"
#include "passes/passes.h"
#include "quant/output_distance.h"
#include "quant/suffix_net.h"

/* An image and the float network's answer to it. */
typedef struct shown {
    float *image;
    float *rows;
    predictions want; /* rows is ours */
} shown;

struct trials {
    trials_input in;
    shown *images; /* NULL until they are needed */
    int n_images;
    double score; /* sum over the images, output_score() */
};

void trials_destroy(trials *t)
{
    if (!t)
        return;
    for (int i = 0; t->images && i < t->n_images; i++) {
        mem_free(t->images[i].image);
        mem_free(t->images[i].rows);
    }
    mem_free(t->images);
    mem_free(t);
}

ptq_status trials_lower(const trials *t, const graph *from, const qplan *plan, graph **out,
                        ptq_error *err)
{
    graph *g;
    PTQ_TRY(graph_copy(from, &g, err));
    shape square = shape4(1, 3, t->in.image_size, t->in.image_size);
    ptq_status st = plan ? pass_insert_qdq(g, plan, err) : PTQ_OK;
    if (st == PTQ_OK)
        st = pass_append_detections(g, err);
    if (st == PTQ_OK)
        st = pass_lower(g, &(lower_options){.precision = PRECISION_FP32}, err);
    if (st == PTQ_OK)
        st = graph_set_input_shape(g, &square, err);
    if (st == PTQ_OK)
        *out = g;
    else
        graph_destroy(g);
    return st;
}

/* The decoded answer of a network: of `changed` where it has one, else of the base. */
static ptq_status answer(const base_net *b, const net_output *changed, predictions *out,
                         ptq_error *err)
{
    for (int i = 0; i < base_net_n_outputs(b); i++) {
        const net_output *o = changed && changed[i].name ? &changed[i] : base_net_output(b, i);
        if (o->shape.rank != 3 || o->shape.dim[2] < 6)
            continue;
        *out = (predictions){o->values, (int)o->shape.dim[1], (int)o->shape.dim[2] - 5};
        return PTQ_OK;
    }
    return error_set(err, PTQ_UNSUPPORTED,
                     "no output is a list of decoded boxes [N,rows,5+classes]; export the model "
                     "with its decode");
}

/* ---------------------------------------------------------------- the reference */

static ptq_status show(trials *t, base_net *reference, const batch *b, ptq_error *err)
{
    shown *one = &t->images[t->n_images];
    size_t n = 3 * (size_t)b->height * (size_t)b->width;
    predictions p = {0};
    PTQ_TRY(base_net_run(reference, b->images, b->height, b->width, err));
    PTQ_TRY(answer(reference, NULL, &p, err));
    size_t n_rows = (size_t)p.n_rows * ((size_t)p.n_classes + 5);
    one->image = mem_alloc_aligned(n * sizeof *one->image);
    one->rows = mem_array(n_rows, sizeof *one->rows);
    t->n_images++;
    if (!one->image || !one->rows)
        return error_no_memory(err, n * sizeof *one->image, "pictures");
    memcpy(one->image, b->images, n * sizeof *one->image);
    memcpy(one->rows, p.rows, n_rows * sizeof *one->rows);
    one->want = (predictions){one->rows, p.n_rows, p.n_classes};
    t->score += output_score(&one->want);
    return PTQ_OK;
}

static ptq_status show_all(trials *t, base_net *reference, ptq_error *err)
{
    const trials_input *in = &t->in;
    loader_options o = {.image_size = in->image_size,
                        .batch_size = 1,
                        .threads = 1,
                        .form = pictures_of(in->original)};
    loader *l;
    int n = in->images->n_items, wanted = in->n_images < n ? in->n_images : n;
    t->images = mem_array((size_t)wanted, sizeof *t->images);
    if (!t->images)
        return error_no_memory(err, (size_t)wanted * sizeof *t->images, "pictures");
    PTQ_TRY(loader_open(in->images, &o, in->env, &l, err));
    ptq_status st = PTQ_OK;
    for (int i = 0; i < n && t->n_images < wanted && st == PTQ_OK; i++) {
        const batch *b;
        st = loader_next(l, &b, err);
        if (st == PTQ_OK && b && i == (int)((int64_t)t->n_images * n / wanted))
            st = show(t, reference, b, err);
    }
    loader_close(l);
    return st;
}

static ptq_status show_images(trials *t, ptq_error *err)
{
    graph *g;
    base_net *reference;
    PTQ_TRY(trials_lower(t, t->in.original, NULL, &g, err));
    PTQ_TRY(base_net_create(g, t->in.env, &reference, err));
    ptq_status st = base_net_serve(reference, NULL, 0, err);
    if (st == PTQ_OK)
        st = show_all(t, reference, err);
    base_net_destroy(reference);
    return st;
}

ptq_status trials_create(const trials_input *in, trials **out, ptq_error *err)
{
    trials *t = mem_zalloc(sizeof *t);
    if (!t)
        return error_no_memory(err, sizeof *t, "trials");
    t->in = *in;
    *out = t;
    return PTQ_OK;
}

/* ---------------------------------------------------------------- what is kept */

enum { MOST_KEPT = 64 }; /* variants of one contest */

bool trials_recall(const trials *t, trial *variants, int n, double *base_movement)
{
    double kept[1 + MOST_KEPT];
    if (n > MOST_KEPT ||
        !tape_recall(t->in.kept, "movements", kept, (1 + (size_t)n) * sizeof *kept))
        return false;
    *base_movement = kept[0];
    for (int i = 0; i < n; i++)
        variants[i].movement = kept[1 + i];
    return true;
}

static void keep(const trials *t, const trial *variants, int n, double base_movement)
{
    double kept[1 + MOST_KEPT];
    if (n > MOST_KEPT)
        return;
    kept[0] = base_movement;
    for (int i = 0; i < n; i++)
        kept[1 + i] = variants[i].movement;
    tape_keep(t->in.kept, "movements", kept, (1 + (size_t)n) * sizeof *kept);
}

/* ---------------------------------------------------------------- the variants */

/* What one call of trials_run() works on. */
typedef struct contest {
    const trials *t;
    base_net *base;
    suffix_net *nets;
    const suffix_net **served;
    trial *variants;
    int n;
    net_output *outputs;
    double movement; /* of the base */
} contest;

static ptq_status run_image(contest *c, const shown *one, ptq_error *err)
{
    predictions got = {0};
    int size = c->t->in.image_size;
    double score = c->t->score > 0 ? c->t->score : 1;
    PTQ_TRY(base_net_run(c->base, one->image, size, size, err));
    PTQ_TRY(answer(c->base, NULL, &got, err));
    c->movement += output_distance(&one->want, &got) / score;
    for (int k = 0; k < c->n; k++) {
        PTQ_TRY(env_check_cancel(c->t->in.env, err));
        PTQ_TRY(suffix_net_run(&c->nets[k], c->base, c->outputs, err));
        PTQ_TRY(answer(c->base, c->outputs, &got, err));
        c->variants[k].movement += output_distance(&one->want, &got) / score;
    }
    return PTQ_OK;
}

static ptq_status run_contest(contest *c, ptq_error *err)
{
    c->nets = mem_array((size_t)c->n, sizeof *c->nets);
    c->served = mem_array((size_t)c->n, sizeof *c->served);
    c->outputs = mem_array((size_t)base_net_n_outputs(c->base), sizeof *c->outputs);
    if (!c->nets || !c->served || !c->outputs)
        return error_no_memory(err, (size_t)c->n * sizeof *c->nets, "trials");
    for (int k = 0; k < c->n; k++) {
        suffix_net *s = &c->nets[k];
        s->g = c->variants[k].g;
        c->variants[k] = (trial){0};
        c->served[k] = s;
        PTQ_TRY(pass_cut_suffix(s->g, base_net_graph(c->base), &s->taken, &s->n_taken, err));
    }
    PTQ_TRY(base_net_serve(c->base, c->served, c->n, err));
    for (int i = 0; i < c->t->n_images; i++)
        PTQ_TRY(run_image(c, &c->t->images[i], err));
    return PTQ_OK;
}

ptq_status trials_run(trials *t, graph *base, trial *variants, int n, double *base_movement,
                      ptq_error *err)
{
    contest c = {.t = t, .variants = variants, .n = n};
    ptq_status st = base_net_create(base, t->in.env, &c.base, err);
    if (st == PTQ_OK && !t->images)
        st = show_images(t, err);
    if (st == PTQ_OK)
        st = run_contest(&c, err);
    if (c.base)
        net_outputs_clear(c.outputs, base_net_n_outputs(c.base));
    base_net_destroy(c.base);
    for (int k = 0; k < n; k++) {
        if (c.nets)
            suffix_net_clear(&c.nets[k]);
        graph_destroy(variants[k].g);
        variants[k].g = NULL;
    }
    mem_free(c.nets);
    mem_free(c.served);
    *base_movement = c.movement;
    if (st == PTQ_OK)
        keep(t, variants, n, c.movement);
    return st;
}
