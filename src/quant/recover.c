/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/recover.h"

#include <string.h>

#include "base/env.h"
#include "base/mem.h"
#include "quant/fit_weights.h"

/* What the second moments of the layers that are fitted in one pass may take. */
#define PASS_BYTES ((size_t)3 << 29)

/* Whether a layer can be fitted: a plain convolution with weights of its own, quantized per output
 * channel from -bound to bound, behind a signed input of 8 bits. */
static bool can_fit(const graph *g, const qplan_entry *e, node_id id, size_t most_bytes)
{
    if (id == NODE_NONE || patch_stats_bytes(g, id) > most_bytes)
        return false;
    node_id readers[2];
    const quantizer *w = &e->weight, *x = &e->input;
    return w->enabled && w->axis == 0 && w->num_bits <= 8 && !w->is_unsigned && x->enabled &&
           x->num_bits == 8 && !x->is_unsigned && x->n_amax == 1 && !x->only_clips &&
           !w->only_clips && !w->several_axes &&
           graph_consumers(g, graph_node_const(g, id)->inputs[1], readers, 2) == 1;
}

static blob *shifted_bias(const graph *g, const node *n, const float *shift, int rows)
{
    blob *b = blob_create((size_t)rows * sizeof(float));
    float *to = b ? blob_data(b) : NULL;
    const float *from = blob_data(graph_tensor_const(g, n->inputs[2])->data);
    for (int i = 0; to && i < rows; i++)
        to[i] = from[i] + shift[i];
    return b;
}

static void replace_constant(graph *g, tensor_id id, blob *data)
{
    tensor *t = graph_tensor(g, id);
    blob_unref(&t->data);
    t->data = data;
}

/* Weights on their grid: the quantizer with the new ranges gives the fitted codes. */
static ptq_status apply(graph *g, node_id id, const fitted_weights *f, qplan_entry *e,
                        ptq_error *err)
{
    const node *n = graph_node_const(g, id);
    blob *weight = blob_copy_of(f->weight, (size_t)f->rows * (size_t)f->size * sizeof(float));
    blob *bias = shifted_bias(g, n, f->shift, f->rows);
    if (!weight || !bias) {
        blob_unref(&weight);
        blob_unref(&bias);
        return error_no_memory(err, 0, "weights");
    }
    replace_constant(g, n->inputs[1], weight);
    replace_constant(g, n->inputs[2], bias);
    memcpy(e->weight.amax, f->amax, (size_t)f->rows * sizeof(float));
    return PTQ_OK;
}

static bool has_own_bias(const graph *g, const node *n)
{
    node_id readers[2];
    return n->n_inputs > 2 && graph_is_const(g, n->inputs[2]) &&
           graph_consumers(g, n->inputs[2], readers, 2) == 1;
}

/* Room for what fit_weights() finds. */
static bool make_room(fitted_weights *f, int rows, int size)
{
    *f = (fitted_weights){.rows = rows,
                          .size = size,
                          .weight = mem_array((size_t)rows * (size_t)size, sizeof(float)),
                          .amax = mem_array((size_t)rows, sizeof(float)),
                          .shift = mem_array((size_t)rows, sizeof(float))};
    return f->weight && f->amax && f->shift;
}

static void keep(tape *t, const fitted_weights *f)
{
    size_t rows = (size_t)f->rows;
    double errors[2] = {f->error_before, f->error_after};
    tape_keep(t, "fit", errors, sizeof errors);
    tape_keep(t, "amax", f->amax, rows * sizeof(float));
    tape_keep(t, "shift", f->shift, rows * sizeof(float));
    tape_keep(t, "weight", f->weight, rows * (size_t)f->size * sizeof(float));
}

/* What a run that was stopped had fitted; f->weight is NULL otherwise. */
static ptq_status recall(tape *t, const graph *g, node_id id, fitted_weights *f, ptq_error *err)
{
    const shape *s = &graph_tensor_const(g, graph_node_const(g, id)->inputs[1])->shape;
    size_t count, rows = (size_t)s->dim[0];
    int64_t place = tape_place(t);
    double errors[2];
    if (!shape_count(s, &count) || rows == 0 || !tape_recall(t, "fit", errors, sizeof errors))
        return PTQ_OK;
    if (!make_room(f, (int)rows, (int)(count / rows))) {
        fitted_weights_clear(f);
        return error_no_memory(err, count * sizeof(float), "weights");
    }
    f->error_before = errors[0];
    f->error_after = errors[1];
    if (!tape_recall(t, "amax", f->amax, rows * sizeof(float)) ||
        !tape_recall(t, "shift", f->shift, rows * sizeof(float)) ||
        !tape_recall(t, "weight", f->weight, count * sizeof(float))) {
        fitted_weights_clear(f);
        tape_return(t, place);
    }
    return PTQ_OK;
}

static ptq_status fit_layer(const recover_input *in, const graph *g, const patch_layer *l,
                            const qplan_entry *e, fitted_weights *out, ptq_error *err)
{
    const node *n = graph_node_const(g, l->node);
    fit_input fit = {.stats = l,
                     .weight = blob_data(graph_tensor_const(g, n->inputs[1])->data),
                     .amax_before = e->weight.amax,
                     .rows = l->rows,
                     .num_bits = e->weight.num_bits,
                     .is_half = in->is_half};
    PTQ_TRY(env_check_cancel(in->env, err));
    PTQ_TRY(fit_weights(&fit, out, err));
    keep(in->kept, out);
    return PTQ_OK;
}

/* Into the graph and the plan, if they are better. */
static ptq_status settle_layer(graph *g, node_id id, const fitted_weights *f, qplan_entry *e,
                               json_t *report, ptq_error *err)
{
    bool is_better = f->error_after < f->error_before;
    json_array_append_new(report, json_pack("{s:s,s:f,s:f,s:b}", "layer", e->layer, "error_before",
                                            f->error_before, "error_after", f->error_after, "kept",
                                            is_better));
    return is_better ? apply(g, id, f, e, err) : PTQ_OK;
}

/* The layers of one pass over the images: entries[k] of the plan, as many as fit. */
typedef struct pass {
    patch_layer *layers;
    int *entries;
    int n;
    size_t most_bytes;
} pass;

static int fill_pass(const graph *g, const qplan *plan, int first, pass *p)
{
    size_t bytes = 0;
    int i = first;
    p->n = 0;
    for (; i < plan->n_entries; i++) {
        const qplan_entry *e = &plan->entries[i];
        node_id id = graph_find_node(g, e->layer);
        if (!can_fit(g, e, id, p->most_bytes) || !has_own_bias(g, graph_node_const(g, id)))
            continue;
        size_t own = patch_stats_bytes(g, id);
        if (bytes + own > PASS_BYTES)
            break;
        bytes += own;
        p->layers[p->n] = (patch_layer){.node = id, .amax = e->input.amax[0]};
        p->entries[p->n++] = i;
    }
    return i;
}

/* The first of the pass that a run that was stopped had fitted. */
static ptq_status recall_fits(const recover_input *in, const graph *g, const pass *p,
                              fitted_weights *fits, int *n, ptq_error *err)
{
    for (*n = 0; *n < p->n; ++*n) {
        PTQ_TRY(recall(in->kept, g, p->layers[*n].node, &fits[*n], err));
        if (!fits[*n].weight)
            break;
    }
    return PTQ_OK;
}

/* The patches of all come before any is changed. */
static ptq_status run_pass(const recover_input *in, graph *g, qplan *plan, const pass *p,
                           json_t *report, ptq_error *err)
{
    patch_input patches = {g, in->images, in->image_size, in->n_images, in->env};
    int n_kept = 0;
    fitted_weights *fits = mem_array((size_t)p->n, sizeof *fits);
    if (!fits)
        return error_no_memory(err, (size_t)p->n * sizeof *fits, "a fit");
    ptq_status st = recall_fits(in, g, p, fits, &n_kept, err);
    if (st == PTQ_OK && n_kept < p->n)
        st = patch_stats_collect(&patches, p->layers, p->n, err);
    for (int i = 0; i < p->n && st == PTQ_OK; i++) {
        qplan_entry *e = &plan->entries[p->entries[i]];
        env_progress(in->env, "fitting weights", (size_t)i, (size_t)p->n);
        if (i >= n_kept)
            st = fit_layer(in, g, &p->layers[i], e, &fits[i], err);
        if (st == PTQ_OK)
            st = settle_layer(g, p->layers[i].node, &fits[i], e, report, err);
        fitted_weights_clear(&fits[i]);
    }
    env_progress(in->env, "fitting weights", 1, 1);
    for (int i = 0; i < p->n; i++) {
        patch_layer_clear(&p->layers[i]);
        fitted_weights_clear(&fits[i]);
    }
    mem_free(fits);
    return st;
}

ptq_status recover_weights(const recover_input *in, graph *g, qplan *plan, json_t **report,
                           ptq_error *err)
{
    size_t n = (size_t)plan->n_entries;
    json_t *list = json_array();
    pass p = {mem_array(n, sizeof *p.layers), mem_array(n, sizeof *p.entries), 0,
              in->most_bytes < PASS_BYTES ? in->most_bytes : PASS_BYTES};
    ptq_status st = p.layers && p.entries && list
                        ? PTQ_OK
                        : error_no_memory(err, n * sizeof *p.layers, "a fit");
    for (int first = 0; st == PTQ_OK && first < plan->n_entries;) {
        first = fill_pass(g, plan, first, &p);
        if (p.n == 0)
            break;
        st = run_pass(in, g, plan, &p, list, err);
    }
    mem_free(p.layers);
    mem_free(p.entries);
    if (st == PTQ_OK)
        *report = list;
    else
        json_decref(list);
    return st;
}
