/* SPDX-License-Identifier: Apache-2.0 */
#include "api/report_facts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/confusion.h"

/* ---------------------------------------------------------------- the graph */

static bool is_activation(graph_op op)
{
    switch (op) {
    case GRAPH_OP_SILU:
    case GRAPH_OP_SIGMOID:
    case GRAPH_OP_RELU:
    case GRAPH_OP_LEAKY_RELU:
    case GRAPH_OP_HARD_SWISH:
        return true;
    default:
        return false;
    }
}

/* shown[tensor]: the place in the list of the node that makes it, -1 for inputs and constants. */
static void add_node(json_t *list, const graph *g, const node *n, int *shown)
{
    int first = n->n_inputs > 0 && n->inputs[0] != TENSOR_NONE ? shown[n->inputs[0]] : -1;
    if (is_activation(n->op) && first >= 0) {
        for (int i = 0; i < n->n_outputs; i++)
            shown[n->outputs[i]] = first;
        return;
    }
    json_t *o = json_object(), *inputs = json_array();
    for (int i = 0; i < n->n_inputs; i++)
        if (n->inputs[i] != TENSOR_NONE && shown[n->inputs[i]] >= 0)
            json_array_append_new(inputs, json_integer(shown[n->inputs[i]]));
    put_text(o, "name", n->name);
    put_text(o, "op", graph_op_name(n->op));
    put(o, "inputs", inputs);
    if (n->n_outputs > 0)
        put(o, "shape", shape_json(&graph_tensor_const(g, n->outputs[0])->shape));
    for (int i = 0; i < n->n_outputs; i++)
        shown[n->outputs[i]] = (int)json_array_size(list);
    json_array_append_new(list, o);
}

json_t *report_graph_json(const graph *g)
{
    json_t *list = json_array();
    int n = graph_n_tensors(g);
    int *shown = mem_array((size_t)n + 1, sizeof *shown);
    for (int i = 0; shown && i < n; i++)
        shown[i] = -1;
    for (int i = 0; shown && i < graph_n_nodes(g); i++) {
        const node *one = graph_node_const(g, (node_id)i);
        if (!one->is_dead)
            add_node(list, g, one, shown);
    }
    mem_free(shown);
    return list;
}

/* ---------------------------------------------------------------- time */

ptq_status report_steps_json(session *s, const tensor_view *input, json_t *list, ptq_error *err)
{
    engine *e = session_engine(s);
    int n = engine_n_steps(e);
    engine_step_profile *steps = mem_array((size_t)n + 1, sizeof *steps);
    if (!steps)
        return error_no_memory(err, (size_t)n * sizeof *steps, "a profile");
    ptq_status status = engine_profile(e, input, 1, steps, err);
    for (int i = 0; i < n && status == PTQ_OK; i++) {
        if (steps[i].macs <= 0)
            continue;
        json_t *o = json_object();
        put_text(o, "name", steps[i].node);
        put_text(o, "op", steps[i].op);
        put_text(o, "precision", steps[i].precision);
        put_real(o, "ms", steps[i].ms);
        json_array_append_new(list, o);
    }
    mem_free(steps);
    return status;
}

/* ---------------------------------------------------------------- classes */

typedef struct scored {
    float score;
    bool is_right;
} scored;

static int by_score(const void *a, const void *b)
{
    float x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x < y) - (x > y);
}

/* best[r]: the highest precision at a recall of at least r/100. */
static void fill_curve(const scored *dets, size_t n, int n_labels, double best[101])
{
    size_t right = 0;
    for (int r = 0; r <= 100; r++)
        best[r] = 0;
    for (size_t i = 0; i < n; i++) {
        right += dets[i].is_right;
        int reached = (int)(100.0 * (double)right / n_labels + 1e-9);
        double share = (double)right / (double)(i + 1);
        if (right > 0 && reached <= 100 && share > best[reached])
            best[reached] = share;
    }
    for (int r = 99; r >= 0; r--)
        if (best[r + 1] > best[r])
            best[r] = best[r + 1];
}

static json_t *curve_json(const evaluation *e, const class_score *c)
{
    json_t *list = json_array();
    const eval_records *r = &e->records;
    scored *dets = mem_array(r->n_dets + 1, sizeof *dets);
    size_t n = 0;
    for (size_t i = 0; dets && i < r->n_dets; i++)
        if (r->dets[i].cls == c->cls)
            dets[n++] = (scored){r->dets[i].score, r->correct[i] & 1};
    if (dets && c->labels > 0) {
        double best[101];
        qsort(dets, n, sizeof *dets, by_score);
        fill_curve(dets, n, c->labels, best);
        for (int i = 0; i <= 100; i++)
            json_array_append_new(list, json_real(best[i]));
    }
    mem_free(dets);
    return list;
}

static json_t *class_side(const evaluation *e, int cls)
{
    json_t *o = json_object();
    for (int i = 0; i < e->n_classes; i++) {
        const class_score *c = &e->classes[i];
        if (c->cls != cls)
            continue;
        put_real(o, "ap50_95", c->map50_95);
        put_real(o, "ap50", c->map50);
        put_real(o, "precision", c->precision);
        put_real(o, "recall", c->recall);
        put(o, "curve", curve_json(e, c));
    }
    return o;
}

json_t *report_classes_json(const evaluation *fp32, const evaluation *int8)
{
    json_t *list = json_array();
    for (int i = 0; i < fp32->n_classes; i++) {
        const class_score *c = &fp32->classes[i];
        json_t *o = json_object();
        put_text(o, "name", c->name);
        put_int(o, "labels", c->labels);
        put(o, "fp32", class_side(fp32, c->cls));
        put(o, "int8", class_side(int8, c->cls));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *confusion_json(const dataset *d, const confusion *fp32, const confusion *int8)
{
    json_t *o = json_object(), *names = json_array(), *cells = json_array();
    int side = d->n_classes + 1;
    for (int i = 0; i < d->n_classes; i++)
        json_array_append_new(names, json_string(d->class_names ? d->class_names[i] : "?"));
    for (int i = 0; i < side * side; i++)
        if (fp32->counts[i] || int8->counts[i])
            json_array_append_new(cells, json_pack("[i,i,i,i]", i / side, i % side, fp32->counts[i],
                                                   int8->counts[i]));
    put(o, "names", names);
    put(o, "cells", cells);
    return o;
}

ptq_status report_confusion_json(const dataset *d, const evaluation *fp32, const evaluation *int8,
                                 json_t **out, ptq_error *err)
{
    confusion a = {0}, b = {0};
    *out = NULL;
    if (fp32->labels == 0)
        return PTQ_OK;
    PTQ_TRY(confusion_of_records(d, &fp32->records, &a, err));
    ptq_status status = confusion_of_records(d, &int8->records, &b, err);
    if (status == PTQ_OK)
        *out = confusion_json(d, &a, &b);
    confusion_clear(&a);
    confusion_clear(&b);
    return status;
}
