/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq run`: one forward; outputs and inner tensors into .npy files. */
#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "api/model_handle.h"
#include "api/result.h"
#include "api/run_input.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "eval/detect.h"
#include "eval/pictures.h"
#include "formats/npy.h"

void ptq_run_options_init(ptq_run_options *o)
{
    *o = (ptq_run_options){.image_size = 640};
}

/* D/<name>.npy with every character outside [A-Za-z0-9_.-] replaced by '_'. */
static char *array_path(const char *dir, const char *name)
{
    str file = STR_INIT;
    for (const char *p = name; *p; p++) {
        bool plain = isalnum((unsigned char)*p) || strchr("_.-", *p);
        str_add_n(&file, plain ? p : "_", 1);
    }
    str_add(&file, ".npy");
    char *path = str_ok(&file) ? path_join(dir, str_text(&file)) : NULL;
    str_clear(&file);
    return path;
}

typedef struct writer {
    const char *dir; /* NULL: shapes only */
    json_t *outputs;
    ptq_status status;
    ptq_error *err;
} writer;

/* One array: entry in `outputs`, and the file when there is a folder. */
static ptq_status write_array(writer *w, const char *name, const float *values, const shape *s)
{
    json_t *entry = json_object();
    put_text(entry, "name", name);
    put(entry, "shape", shape_json(s));
    ptq_status status = PTQ_OK;
    if (w->dir) {
        char *path = array_path(w->dir, name);
        if (path) {
            put_text(entry, "file", path);
            status = npy_write_f32(path, values, s->rank, s->dim, w->err);
        } else {
            status = error_no_memory(w->err, strlen(name), "a file name");
        }
        mem_free(path);
    }
    json_array_append_new(w->outputs, entry);
    return status;
}

static void write_tap(void *user, const tap_view *view)
{
    writer *w = user;
    size_t count;
    if (w->status != PTQ_OK || !shape_count(&view->shape, &count))
        return;
    float *values = mem_alloc(count * sizeof *values);
    if (!values) {
        w->status = error_no_memory(w->err, count * sizeof *values, view->name);
        return;
    }
    tap_to_float(view, values);
    w->status = write_array(w, view->name, values, &view->shape);
    mem_free(values);
}

/* Rows (image, x1, y1, x2, y2, class, score), as the file's own suppression would give. */
static ptq_status write_detections(writer *w, const tensor_view *decoded, const nms_form *form,
                                   ptq_error *err)
{
    const shape *s = &decoded->shape;
    if (s->rank != 3 || s->dim[2] < 6 || s->dim[1] > INT_MAX)
        return error_set(err, PTQ_SHAPE, "the boxes before the suppression are not [N,rows,5+nc]");
    nms_options o = {
        .conf = form->conf, .iou = (double)form->iou, .max_det = form->max_det, .max_nms = 30000};
    float *rows = mem_array((size_t)s->dim[0] * (size_t)form->max_det, 7 * sizeof *rows);
    nms *n = NULL;
    int64_t n_rows = 0;
    ptq_status status = rows ? nms_create(&n, err) : error_no_memory(err, 0, "detections");
    for (int64_t i = 0; i < s->dim[0] && status == PTQ_OK; i++) {
        predictions p = {(const float *)decoded->data + i * s->dim[1] * s->dim[2], (int)s->dim[1],
                         (int)s->dim[2] - 5};
        const detection *dets;
        int n_dets = 0;
        status = nms_run(n, &p, &o, &dets, &n_dets, err);
        for (int k = 0; k < n_dets && status == PTQ_OK; k++) {
            const detection *d = &dets[k];
            const float row[7] = {(float)i, d->x1, d->y1, d->x2, d->y2, (float)d->cls, d->score};
            memcpy(rows + 7 * n_rows++, row, sizeof row);
        }
    }
    shape found = {.rank = 2, .dim = {n_rows, 7}};
    if (status == PTQ_OK)
        status = write_array(w, "detections", rows, &found);
    nms_destroy(n);
    mem_free(rows);
    return status;
}

static ptq_status write_outputs(writer *w, session *s, const nms_form *form, ptq_error *err)
{
    const graph *g = session_graph(s);
    for (int i = 0; i < graph_n_outputs(g); i++) {
        tensor_view view = engine_output(session_engine(s), i);
        if (view.type != DTYPE_F32)
            return error_set(err, PTQ_UNSUPPORTED, "output %d is not float32", i);
        PTQ_TRY(form ? write_detections(w, &view, form, err)
                     : write_array(w, graph_tensor_const(g, graph_output(g, i))->name, view.data,
                                   &view.shape));
    }
    return PTQ_OK;
}

/* The taps that are inner tensors; the graph input is written from what was fed. */
static ptq_status inner_taps(const graph *g, const char *const *taps, const char **inner,
                             bool *wants_input, ptq_error *err)
{
    int n = 0;
    *wants_input = false;
    for (int i = 0; taps && taps[i]; i++) {
        tensor_id id = graph_find_tensor(g, taps[i]);
        if (id == TENSOR_NONE)
            return error_set(err, PTQ_USAGE,
                             "no tensor is named '%s'; 'ptq info --nodes' lists them", taps[i]);
        if (id == graph_input(g, 0))
            *wants_input = true;
        else
            inner[n++] = taps[i];
    }
    inner[n] = NULL;
    return PTQ_OK;
}

static ptq_status run_session(api_call *call, const ptq_model *m, session *s,
                              const tensor_view *input, writer *w, ptq_error *err)
{
    session_set_tap(s, write_tap, w);
    double start = clock_ms();
    PTQ_TRY(session_run(s, input, 1, err));
    put_real(call->result, "latency_ms", clock_ms() - start);
    if (w->status != PTQ_OK)
        return w->status;
    return write_outputs(w, s, m->file->has_nms ? &m->file->nms : NULL, err);
}

static ptq_status run_model(api_call *call, ptq_model *m, const ptq_run_options *o, ptq_error *err)
{
    int n_taps = 0;
    while (o->taps && o->taps[n_taps])
        n_taps++;
    const char **inner = mem_array((size_t)n_taps + 1, sizeof *inner);
    if (!inner)
        return error_no_memory(err, (size_t)n_taps, "taps");
    bool wants_input = false;
    tensor_view input = {0};
    session *s = NULL;
    picture_form form = pictures_of(m->clean);
    writer w = {.dir = o->out_dir, .outputs = json_array(), .err = err};
    put(call->result, "outputs", w.outputs);
    ptq_status status = inner_taps(m->clean, o->taps, inner, &wants_input, err);
    if (status == PTQ_OK && o->out_dir)
        status = file_make_dirs(o->out_dir, err);
    if (status == PTQ_OK)
        status = run_input_load(o->input, model_image_size(m, o->image_size, &call->env), &form,
                                &input, err);
    session_request request = {.graph = m->clean, .precision = o->precision, .taps = inner};
    if (status == PTQ_OK)
        status = api_session(&request, &call->env, &s, err);
    if (status == PTQ_OK)
        status = run_session(call, m, s, &input, &w, err);
    if (status == PTQ_OK && wants_input)
        status = write_array(&w, graph_tensor_const(m->clean, graph_input(m->clean, 0))->name,
                             input.data, &input.shape);
    put_text(call->config, "precision", precision_name(resolve_precision(m->clean, o->precision)));
    session_destroy(s);
    mem_free(input.data);
    mem_free(inner);
    return status;
}

ptq_status ptq_run(ptq_model *m, const ptq_run_options *o, const ptq_env *env, ptq_result **out,
                   ptq_error *err)
{
    if (!o->input)
        return error_set(err, PTQ_USAGE, "no input given");
    api_call call;
    PTQ_TRY(api_begin(&call, "run", env, err));
    put_text(call.config, "input", o->input);
    ptq_status status = run_model(&call, m, o, err);
    return api_end(&call, status, m->file, out, err);
}
