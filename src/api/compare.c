/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq compare`: two models on the same inputs, tensor by tensor; with data also side by side. */
#include <math.h>
#include <string.h>

#include "api/agreement.h"
#include "api/compare_images.h"
#include "api/measure.h"
#include "api/option_defaults.h"
#include "api/run_input.h"
#include "api/timing.h"
#include "base/mem.h"
#include "eval/fidelity.h"
#include "eval/pictures.h"

void ptq_compare_options_init(ptq_compare_options *o)
{
    *o = (ptq_compare_options){.data = data_defaults("val")};
}

/* One tensor both models have, and the sums over all inputs of what differs. */
typedef struct pair {
    const char *name;
    float *values; /* of model A on the present input; NULL before it ran */
    size_t count;
    double max_abs, sum_abs, sum_ab, sum_aa, sum_bb, sum_dd;
    double n;
} pair;

typedef struct pairs {
    pair *items;
    const char **names; /* NULL-terminated, the same order */
    int n;
    bool is_second; /* model B is running */
    ptq_status status;
    ptq_error *err;
} pairs;

/* The two models and how each is run. */
typedef struct sides {
    ptq_model *model[2];
    ptq_precision precision[2];
} sides;

static bool is_interesting(graph_op op)
{
    switch (op) {
    case GRAPH_OP_CONV:
    case GRAPH_OP_SILU:
    case GRAPH_OP_RELU:
    case GRAPH_OP_LEAKY_RELU:
    case GRAPH_OP_HARD_SWISH:
    case GRAPH_OP_ADD:
    case GRAPH_OP_CONCAT:
    case GRAPH_OP_MAX_POOL:
        return true;
    default:
        return false;
    }
}

/* The producer of a tensor of that name, or NULL. */
static const node *maker(const graph *g, const char *name)
{
    tensor_id id = graph_find_tensor(g, name);
    node_id p = id == TENSOR_NONE ? NODE_NONE : graph_producer(g, id);
    return p == NODE_NONE ? NULL : graph_node_const(g, p);
}

static bool is_output_name(const graph *g, const char *name)
{
    tensor_id id = graph_find_tensor(g, name);
    return id != TENSOR_NONE && graph_is_output(g, id);
}

static ptq_status pairs_find(pairs *p, const graph *a, const graph *b, ptq_error *err)
{
    size_t cap = (size_t)graph_n_nodes(a);
    *p = (pairs){.err = err};
    p->items = mem_array(cap, sizeof *p->items);
    p->names = mem_array(cap + 1, sizeof *p->names);
    if (!p->items || !p->names)
        return error_no_memory(err, cap * sizeof *p->items, "a comparison");
    for (int i = 0; i < graph_n_nodes(a); i++) {
        const node *n = graph_node_const(a, (node_id)i);
        const char *name = graph_tensor_const(a, n->outputs[0])->name;
        bool output = is_output_name(a, name) && is_output_name(b, name);
        if (n->is_dead || (!output && !is_interesting(n->op)) || !maker(b, name))
            continue;
        p->items[p->n].name = name;
        p->names[p->n++] = name;
    }
    if (p->n == 0)
        return error_set(err, PTQ_USAGE,
                         "the two models have no tensor name in common; compare a model with one "
                         "made from it");
    return PTQ_OK;
}

static void pairs_clear(pairs *p)
{
    for (int i = 0; i < p->n; i++)
        mem_free(p->items[i].values);
    mem_free(p->items);
    mem_free(p->names);
}

static void add_difference(pair *p, const float *b)
{
    for (size_t i = 0; i < p->count; i++) {
        double x = (double)p->values[i], y = (double)b[i], d = fabs(x - y);
        p->max_abs = d > p->max_abs ? d : p->max_abs;
        p->sum_abs += d;
        p->sum_dd += d * d;
        p->sum_ab += x * y;
        p->sum_aa += x * x;
        p->sum_bb += y * y;
    }
    p->n += (double)p->count;
}

/* Keeps the tensor (model A), or takes the difference (model B). */
static ptq_status see(pairs *p, pair *at, const tap_view *view)
{
    size_t count;
    if (!shape_count(&view->shape, &count))
        return PTQ_OK;
    float *values = mem_array(count, sizeof *values);
    if (!values)
        return error_no_memory(p->err, count * sizeof *values, view->name);
    tap_to_float(view, values);
    if (!p->is_second) {
        mem_free(at->values);
        at->values = values;
        at->count = count;
        return PTQ_OK;
    }
    ptq_status status = PTQ_OK;
    if (at->values && at->count == count)
        add_difference(at, values);
    else
        status = error_set(p->err, PTQ_SHAPE, "tensor '%s' has different shapes in the two models",
                           view->name);
    mem_free(values);
    mem_free(at->values);
    at->values = NULL;
    return status;
}

static void on_tap(void *user, const tap_view *view)
{
    pairs *p = user;
    for (int i = 0; i < p->n && p->status == PTQ_OK; i++)
        if (strcmp(p->items[i].name, view->name) == 0) {
            p->status = see(p, &p->items[i], view);
            return;
        }
}

static ptq_status run_both(pairs *p, session *const s[2], const tensor_view *input, ptq_error *err)
{
    for (int i = 0; i < 2; i++) {
        p->is_second = i == 1;
        PTQ_TRY(session_run(s[i], input, 1, err));
        PTQ_TRY(p->status);
    }
    return PTQ_OK;
}

/* The first images of the data set, one by one. */
static ptq_status run_images(pairs *p, session *const s[2], const protocol *rules,
                             const ptq_env *env, ptq_error *err)
{
    enum { MAX_IMAGES = 8 };
    loader_options o = {
        .image_size = rules->image_size, .batch_size = 1, .stride = 32, .form = rules->pictures};
    loader *l;
    PTQ_TRY(loader_open(rules->data, &o, env, &l, err));
    ptq_status status = PTQ_OK;
    for (int i = 0; i < MAX_IMAGES && status == PTQ_OK; i++) {
        const batch *b = NULL;
        status = loader_next(l, &b, err);
        if (status != PTQ_OK || !b)
            break;
        tensor_view input = {
            .data = b->images, .type = DTYPE_F32, .shape = shape4(1, 3, b->height, b->width)};
        status = run_both(p, s, &input, err);
    }
    loader_close(l);
    return status;
}

static json_t *pair_json(const pair *p)
{
    json_t *o = json_object();
    double norm = sqrt(p->sum_aa) * sqrt(p->sum_bb);
    put_text(o, "name", p->name);
    put_real(o, "max_abs", p->max_abs);
    put_real(o, "mean_abs", p->n > 0 ? p->sum_abs / p->n : NAN);
    put_real(o, "cosine", norm > 0 ? p->sum_ab / norm : p->sum_dd == 0 ? 1 : 0);
    put_real(o, "sqnr_db", p->sum_dd > 0 ? 10 * log10(p->sum_aa / p->sum_dd) : INFINITY);
    return o;
}

/* How accurate and how fast one side is; its evaluation stays. */
static ptq_status measure_side(api_call *call, const protocol *p, session *s, json_t *o,
                               evaluation **out, ptq_error *err)
{
    PTQ_TRY(measure_session(p, s, &call->env, out, err));
    if ((*out)->labels > 0) {
        put_real(o, "map50_95", (*out)->map50_95);
        put_real(o, "map50", (*out)->map50);
    }
    shape one = shape4(1, 3, p->image_size, p->image_size);
    tensor_view input;
    PTQ_TRY(noise_input(&one, &input, err));
    run_times times = {.n = 20};
    ptq_status status = time_runs(s, &input, &call->env, &times, err);
    mem_free(input.data);
    PTQ_TRY(status);
    put_real(o, "latency_ms", times.median);
    return PTQ_OK;
}

/* Both against A's detections; the evaluations lose their labels. */
static ptq_status put_fidelity(json_t *models, evaluation *const e[2], ptq_error *err)
{
    for (int i = 1; i >= 0; i--) {
        double like;
        PTQ_TRY(fidelity_judge(&e[0]->records, &e[i]->records, err));
        PTQ_TRY(records_map(&e[i]->records, &like, err));
        put_real(json_array_get(models, (size_t)i), "fidelity", like);
    }
    return PTQ_OK;
}

static ptq_status side_by_side(api_call *call, const sides *m, const protocol *p,
                               session *const s[2], ptq_error *err)
{
    json_t *models = json_array();
    evaluation *e[2] = {NULL, NULL};
    ptq_status status = PTQ_OK;
    put(call->result, "models", models);
    for (int i = 0; i < 2 && status == PTQ_OK; i++) {
        json_t *o = json_object();
        json_array_append_new(models, o);
        put_text(o, "path", m->model[i]->file->path);
        put_text(o, "precision",
                 precision_name(resolve_precision(m->model[i]->clean, m->precision[i])));
        put_real(o, "mib", (double)m->model[i]->file->file_bytes / 1048576.0);
        if (p)
            status = measure_side(call, p, s[i], o, &e[i], err);
    }
    if (p && status == PTQ_OK)
        status = put_fidelity(models, e, err);
    evaluation_destroy(e[0]);
    evaluation_destroy(e[1]);
    return status;
}

/* Tensor differences need taps, which keep tensors from being fused away; accuracy and speed are
 * measured on sessions without them. */
static ptq_status open_sessions(const sides *m, const char *const *taps, const ptq_env *env,
                                session *s[2], ptq_error *err)
{
    for (int i = 0; i < 2; i++) {
        session_request request = {.graph = m->model[i]->clean,
                                   .precision = m->precision[i],
                                   .taps = taps,
                                   .detections = true};
        PTQ_TRY(api_session(&request, env, &s[i], err));
    }
    return PTQ_OK;
}

static void close_sessions(session *s[2])
{
    for (int i = 0; i < 2; i++) {
        session_destroy(s[i]);
        s[i] = NULL;
    }
}

static ptq_status compare_tensors(api_call *call, const sides *m, const protocol *p,
                                  const tensor_view *input, ptq_error *err)
{
    pairs all;
    session *s[2] = {NULL, NULL};
    ptq_status status = pairs_find(&all, m->model[0]->clean, m->model[1]->clean, err);
    if (status == PTQ_OK)
        status = open_sessions(m, all.names, &call->env, s, err);
    for (int i = 0; i < 2 && status == PTQ_OK; i++)
        session_set_tap(s[i], on_tap, &all);
    if (status == PTQ_OK)
        status = p ? run_images(&all, s, p, &call->env, err) : run_both(&all, s, input, err);
    if (status == PTQ_OK) {
        json_t *tensors = json_array();
        for (int i = 0; i < all.n; i++)
            if (all.items[i].n > 0)
                json_array_append_new(tensors, pair_json(&all.items[i]));
        put(call->result, "tensors", tensors);
    }
    close_sessions(s);
    pairs_clear(&all);
    return status;
}

/* Whose input size decides. */
static const ptq_model *static_one(const sides *m)
{
    return m->model[model_is_static(m->model[1])];
}

/* Both must see the same pixels. */
static ptq_status check_sizes(const sides *m, ptq_error *err)
{
    int64_t size[2];
    for (int i = 0; i < 2; i++) {
        const graph *g = m->model[i]->clean;
        const shape *s = &graph_tensor_const(g, graph_input(g, 0))->shape;
        size[i] = model_is_static(m->model[i]) && s->rank == 4 ? s->dim[2] : 0;
    }
    if (size[0] == 0 || size[1] == 0 || size[0] == size[1])
        return PTQ_OK;
    return error_set(err, PTQ_USAGE,
                     "'%s' takes images of %d pixels and '%s' of %d: imgsz differs, so nothing "
                     "they say could be set side by side; export both at one size",
                     m->model[0]->file->path, (int)size[0], m->model[1]->file->path, (int)size[1]);
}

static ptq_status paint(api_call *call, const sides *m, const ptq_compare_options *o,
                        const compared_pictures *pictures, ptq_error *err)
{
    json_t *painted;
    PTQ_TRY(compare_images(m->model, o, pictures, &call->env, &painted, err));
    put(call->result, "images", painted);
    put_text(call->result, "output", o->images);
    return PTQ_OK;
}

static ptq_status paint_data(api_call *call, const sides *m, const ptq_compare_options *o,
                             const dataset *d, ptq_error *err)
{
    char *paths[COMPARE_PICTURES];
    compared_pictures first = {paths, 0};
    for (; first.n < COMPARE_PICTURES && first.n < d->n_items; first.n++)
        paths[first.n] = d->items[first.n].path;
    return paint(call, m, o, &first, err);
}

static ptq_status compare_on_data(api_call *call, const sides *m, const ptq_compare_options *o,
                                  ptq_error *err)
{
    protocol p;
    session *s[2] = {NULL, NULL};
    ptq_data_options data = o->data;
    data.rect = data.rect && !model_is_static(m->model[0]) && !model_is_static(m->model[1]);
    for (int i = 0; i < 2; i++)
        PTQ_TRY(model_check_boxes(m->model[i], err));
    data.unlabelled = true; /* without labels there is no mAP; the rest is told */
    PTQ_TRY(protocol_open(&p, &data, static_one(m), &call->env, err));
    if (p.data->n_missing == p.data->n_items)
        env_log(&call->env, PTQ_LOG_WARNING, "no image of '%s' in '%s' has a label file: no mAP",
                data.split, data.yaml);
    char text[256];
    put_text(call->result, "protocol", protocol_text(&p, text, sizeof text));
    put(call->config, "protocol", protocol_json(&p));
    ptq_status status = o->images ? paint_data(call, m, o, p.data, err) : PTQ_OK;
    if (status == PTQ_OK)
        status = compare_tensors(call, m, &p, NULL, err);
    if (status == PTQ_OK)
        status = open_sessions(m, NULL, &call->env, s, err);
    if (status == PTQ_OK)
        status = side_by_side(call, m, &p, s, err);
    close_sessions(s);
    protocol_close(&p);
    return status;
}

static ptq_status compare_on_input(api_call *call, const sides *m, const ptq_compare_options *o,
                                   ptq_error *err)
{
    tensor_view input;
    char *path = (char *)(uintptr_t)o->input;
    if (o->images)
        PTQ_TRY(paint(call, m, o, &(compared_pictures){&path, 1}, err));
    int size = model_image_size(static_one(m), o->data.image_size, &call->env);
    picture_form form = pictures_of(static_one(m)->clean);
    PTQ_TRY(run_input_load(o->input, size, &form, &input, err));
    ptq_status status = compare_tensors(call, m, NULL, &input, err);
    mem_free(input.data);
    if (status == PTQ_OK)
        status = side_by_side(call, m, NULL, NULL, err);
    return status;
}

ptq_status ptq_compare(ptq_model *a, ptq_model *b, const ptq_compare_options *o, const ptq_env *env,
                       ptq_result **out, ptq_error *err)
{
    if (!o->data.yaml == !o->input)
        return error_set(err, PTQ_USAGE, "give a data set (--data) or an input (--input)");
    api_call call;
    PTQ_TRY(api_begin(&call, "compare", env, err));

    sides both = {.model = {a, b}, .precision = {o->precision_a, o->precision_b}};
    put_text(call.config, "other", b->file->path);
    ptq_status status = check_sizes(&both, err);
    if (status == PTQ_OK)
        status = o->input ? compare_on_input(&call, &both, o, err)
                          : compare_on_data(&call, &both, o, err);
    return api_end(&call, status, a->file, out, err);
}
