/* SPDX-License-Identifier: Apache-2.0 */
/* A network on the caller's tensors and frames (ptq/runner.h). */
#include <string.h>

#include "api/detector.h"
#include "base/mem.h"
#include "data/memory_images.h"

struct ptq_runner {
    ptq_model *model;
    session *session;
    session *rows;        /* for boxes, where the outputs are no rows in pixels; or NULL */
    detector detector;    /* opened by the first frame */
    const char **inner;   /* what is watched but the input, NULL-terminated */
    ptq_detection *found; /* of the last frame */
    size_t found_cap;
    bool has_detector, has_run, watches_input;
    ptq_observe_fn *observe;
    void *user;
    float *values; /* a watched tensor in rows */
    size_t values_cap;
    ptq_status status; /* of the observer in this run */
    ptq_error *err;
};

static ptq_status choose_watched(ptq_runner *r, const char *const *watch, ptq_error *err)
{
    const graph *g = r->model->clean;
    int n = 0;
    while (watch && watch[n])
        n++;
    r->inner = mem_array((size_t)n + 1, sizeof *r->inner);
    if (!r->inner)
        return error_no_memory(err, (size_t)n * sizeof *r->inner, "names of tensors");
    int n_inner = 0;
    for (int i = 0; i < n; i++) {
        tensor_id id = graph_find_tensor(g, watch[i]);
        if (id == TENSOR_NONE)
            return error_set(err, PTQ_USAGE,
                             "no tensor is named '%s'; 'ptq info --nodes' lists them", watch[i]);
        if (id == graph_input(g, 0))
            r->watches_input = true;
        else
            r->inner[n_inner++] = graph_tensor_const(g, id)->name;
    }
    return PTQ_OK;
}

static ptq_tensor public_tensor(const char *name, const void *data, const shape *s)
{
    ptq_tensor t = {.name = name, .data = data, .rank = s->rank};
    for (int i = 0; i < s->rank && i < PTQ_MAX_DIMS; i++)
        t.dims[i] = s->dim[i];
    return t;
}

static void on_tap(void *user, const tap_view *view)
{
    ptq_runner *r = user;
    size_t count;
    if (r->status != PTQ_OK || !shape_count(&view->shape, &count))
        return;
    float *values = mem_grow(r->values, &r->values_cap, count + 1, sizeof *values);
    if (!values) {
        r->status = error_no_memory(r->err, count * sizeof *values, view->name);
        return;
    }
    r->values = values;
    tap_to_float(view, values);
    ptq_tensor t = public_tensor(view->name, values, &view->shape);
    r->observe(r->user, &t);
}

static ptq_status open_runner(ptq_runner *r, const ptq_runner_options *o, const ptq_env *env,
                              ptq_error *err)
{
    if (o->watch && !o->observe)
        return error_set(err, PTQ_USAGE, "tensors are watched, but there is no observer");
    PTQ_TRY(choose_watched(r, o->watch, err));
    session_request request = {
        .graph = r->model->clean, .precision = o->precision, .taps = r->inner};
    PTQ_TRY(api_session(&request, env, &r->session, err));
    if (graph_detector(r->model->clean)->answer != DETECTOR_ROWS) {
        request.taps = NULL;
        request.detections = true;
        PTQ_TRY(api_session(&request, env, &r->rows, err));
    }
    r->observe = o->observe;
    r->user = o->user;
    session_set_tap(r->session, on_tap, r);
    return PTQ_OK;
}

ptq_status ptq_runner_create(ptq_model *m, const ptq_runner_options *options, const ptq_env *env,
                             ptq_runner **out, ptq_error *err)
{
    static const ptq_runner_options plain = {0};
    static const ptq_env no_env = {0};
    ptq_runner *r = mem_zalloc(sizeof *r);
    if (!r)
        return error_no_memory(err, sizeof *r, "a runner");
    r->model = m;
    ptq_status status = open_runner(r, options ? options : &plain, env ? env : &no_env, err);
    if (status == PTQ_OK)
        *out = r;
    else
        ptq_runner_destroy(r);
    return status;
}

void ptq_runner_destroy(ptq_runner *r)
{
    if (!r)
        return;
    detector_close(&r->detector);
    session_destroy(r->session);
    session_destroy(r->rows);
    mem_free(r->inner);
    mem_free(r->values);
    mem_free(r->found);
    mem_free(r);
}

/* What a batch of images is given to the observer as. */
static ptq_status observed_run(ptq_runner *r, const tensor_view *input, ptq_error *err)
{
    const graph *g = r->model->clean;
    r->status = PTQ_OK;
    r->err = err;
    if (r->watches_input) {
        ptq_tensor t = public_tensor(graph_tensor_const(g, graph_input(g, 0))->name, input->data,
                                     &input->shape);
        r->observe(r->user, &t);
    }
    PTQ_TRY(session_run(r->session, input, 1, err));
    r->has_run = r->status == PTQ_OK;
    return r->status;
}

ptq_status ptq_runner_run(ptq_runner *r, const ptq_tensor *input, ptq_error *err)
{
    tensor_view view = {.data = (void *)(size_t)input->data, .type = DTYPE_F32};
    if (!input->data || input->rank < 1 || input->rank > PTQ_MAX_DIMS ||
        input->rank > SHAPE_MAX_RANK)
        return error_set(err, PTQ_USAGE, "an input of rank %d%s is not possible", input->rank,
                         input->data ? "" : " without values");
    view.shape.rank = input->rank;
    for (int i = 0; i < input->rank; i++)
        view.shape.dim[i] = input->dims[i];
    return observed_run(r, &view, err);
}

int ptq_runner_n_outputs(const ptq_runner *r)
{
    return graph_n_outputs(r->model->clean);
}

ptq_status ptq_runner_output(ptq_runner *r, int i, ptq_tensor *out, ptq_error *err)
{
    if (!r->has_run)
        return error_set(err, PTQ_USAGE, "nothing was run yet");
    const graph *g = session_graph(r->session);
    if (i < 0 || i >= graph_n_outputs(g))
        return error_set(err, PTQ_USAGE, "there is no output %d; the model has %d", i,
                         graph_n_outputs(g));
    tensor_view view = engine_output(session_engine(r->session), i);
    if (view.type != DTYPE_F32)
        return error_set(err, PTQ_UNSUPPORTED, "output %d is not float32", i);
    *out = public_tensor(graph_tensor_const(g, graph_output(g, i))->name, view.data, &view.shape);
    return PTQ_OK;
}

static ptq_status use_rules(ptq_runner *r, const ptq_detect_rules *rules, ptq_error *err)
{
    static const ptq_env quiet = {0};
    static const ptq_detect_rules usual = {640, 0.25, 0.45};
    const ptq_detect_rules *use = rules ? rules : &usual;
    if (!r->has_detector)
        PTQ_TRY(detector_open(&r->detector, r->rows ? r->rows : r->session, err));
    r->has_detector = true;
    r->detector.size = model_image_size(r->model, use->image_size, &quiet);
    r->detector.rules.conf = (float)use->conf;
    r->detector.rules.iou = use->iou;
    return PTQ_OK;
}

static ptq_status give(ptq_runner *r, const detection *dets, int n, const ptq_detection **found,
                       ptq_error *err)
{
    size_t room = (size_t)n + 1;
    ptq_detection *list = mem_grow(r->found, &r->found_cap, room, sizeof *list);
    if (!list)
        return error_no_memory(err, room * sizeof *list, "detections");
    r->found = list;
    for (int i = 0; i < n; i++)
        list[i] = (ptq_detection){dets[i].x1, dets[i].y1,    dets[i].x2,
                                  dets[i].y2, dets[i].score, dets[i].cls};
    *found = list;
    return PTQ_OK;
}

ptq_status ptq_runner_detect(ptq_runner *r, const ptq_image *frame, const ptq_detect_rules *rules,
                             const ptq_detection **found, int *n, ptq_error *err)
{
    image picture;
    const detection *dets;
    PTQ_TRY(use_rules(r, rules, err));
    PTQ_TRY(memory_image_copy(frame, &picture, err));
    r->status = PTQ_OK;
    r->err = err;
    PTQ_TRY(detector_look(&r->detector, &picture, &dets, n, err));
    PTQ_TRY(r->status);
    r->has_run = true;
    return give(r, dets, *n, found, err);
}
