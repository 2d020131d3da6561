/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq detect`: boxes on pictures, as a list and painted. */
#include "api/detect_inputs.h"
#include "api/model_handle.h"
#include "api/result.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "eval/boxes.h"
#include "eval/evaluate.h"
#include "eval/paint.h"

void ptq_detect_options_init(ptq_detect_options *o)
{
    *o = (ptq_detect_options){.image_size = 640, .conf = 0.25, .iou = 0.45};
}

typedef struct detector {
    const ptq_model *model;
    session *session;
    session_predictor *predictor;
    nms *nms;
    nms_options options;
    int size;
    class_names names;
    double inference_ms;
} detector;

static ptq_status open_detector(detector *d, const ptq_detect_options *o, const ptq_env *env,
                                ptq_error *err)
{
    const model *file = d->model->file;
    d->size = model_image_size(d->model, o->image_size, env);
    d->names = (class_names){(const char *const *)file->class_names, file->n_classes};
    d->options = nms_options_evaluation();
    d->options.conf = (float)o->conf;
    d->options.iou = o->iou;
    d->options.multi_label = false;
    session_request request = {.graph = d->model->clean, .precision = o->precision};
    PTQ_TRY(api_session(&request, env, &d->session, err));
    PTQ_TRY(session_predictor_create(d->session, &d->predictor, err));
    return nms_create(&d->nms, err);
}

static void close_detector(detector *d)
{
    nms_destroy(d->nms);
    session_predictor_destroy(d->predictor);
    session_destroy(d->session);
}

/* The detections of one picture, in its pixels; mem_free(*out). */
static ptq_status look(detector *d, const char *path, detection **out, int *n, ptq_error *err)
{
    placement place = {0};
    float *pixels;
    PTQ_TRY(load_image_square(path, d->size, &pixels, &place, err));
    batch one = {.n = 1, .height = d->size, .width = d->size, .images = pixels, .places = &place};
    predictions p;
    const detection *found = NULL;
    double start = clock_ms();
    ptq_status status = session_predict(d->predictor, &one, &p, err);
    d->inference_ms += clock_ms() - start;
    *n = 0;
    if (status == PTQ_OK)
        status = nms_run(d->nms, &p, &d->options, &found, n, err);
    mem_free(pixels);
    PTQ_TRY(status);
    *out = mem_array((size_t)*n + 1, sizeof **out);
    if (!*out)
        return error_no_memory(err, (size_t)*n * sizeof **out, "detections");
    for (int i = 0; i < *n; i++)
        (*out)[i] = found[i];
    boxes_to_image(*out, *n, &place);
    return PTQ_OK;
}

static ptq_status paint(const char *path, const char *output, const detection *dets, int n,
                        const class_names *names, ptq_error *err)
{
    image picture = {0};
    PTQ_TRY(image_read(path, &picture, err));
    paint_detections(&picture, dets, n, names);
    ptq_status status = image_write(output, &picture, err);
    image_clear(&picture);
    return status;
}

static json_t *detection_json(const detection *d, const class_names *names)
{
    char buffer[32];
    json_t *o = json_object(), *box = json_array();
    const float corners[4] = {d->x1, d->y1, d->x2, d->y2};
    for (int i = 0; i < 4; i++)
        json_array_append_new(box, json_real((double)corners[i]));
    put_int(o, "class", d->cls);
    put_text(o, "name", class_label(names, d->cls, buffer));
    put_real(o, "score", (double)d->score);
    put(o, "box", box);
    return o;
}

static ptq_status detect_one(detector *d, const char *path, const char *output, json_t *images,
                             ptq_error *err)
{
    detection *dets;
    int n;
    PTQ_TRY(look(d, path, &dets, &n, err));
    json_t *entry = json_object(), *list = json_array();
    put_text(entry, "file", path);
    if (output)
        put_text(entry, "output", output);
    for (int i = 0; i < n; i++)
        json_array_append_new(list, detection_json(&dets[i], &d->names));
    put(entry, "detections", list);
    json_array_append_new(images, entry);
    ptq_status status = output ? paint(path, output, dets, n, &d->names, err) : PTQ_OK;
    mem_free(dets);
    return status;
}

static ptq_status detect_all(detector *d, const image_list *pictures, char **outputs,
                             api_call *call, ptq_error *err)
{
    json_t *images = json_array();
    put(call->result, "images", images);
    for (int i = 0; i < pictures->n; i++) {
        PTQ_TRY(env_check_cancel(&call->env, err));
        PTQ_TRY(detect_one(d, pictures->paths[i], outputs ? outputs[i] : NULL, images, err));
        env_progress(&call->env, "detect", (size_t)i + 1, (size_t)pictures->n);
    }
    put_real(call->result, "inference_ms", d->inference_ms / pictures->n);
    return PTQ_OK;
}

static ptq_status detect_pictures(ptq_model *m, const ptq_detect_options *o,
                                  const image_list *pictures, api_call *call, ptq_error *err)
{
    char **outputs = NULL;
    if (o->out_dir) {
        PTQ_TRY(file_make_dirs(o->out_dir, err));
        PTQ_TRY(detect_outputs(pictures, o->out_dir, o->force, &outputs, err));
    }
    detector d = {.model = m};
    ptq_status status = open_detector(&d, o, &call->env, err);
    if (status == PTQ_OK)
        status = detect_all(&d, pictures, outputs, call, err);
    put_int(call->config, "imgsz", d.size);
    close_detector(&d);
    detect_outputs_free(outputs, pictures->n);
    return status;
}

ptq_status ptq_detect(ptq_model *m, const ptq_detect_options *o, const ptq_env *env,
                      ptq_result **out, ptq_error *err)
{
    image_list pictures;
    PTQ_TRY(detect_inputs_find(o->images, &pictures, err));
    api_call call;
    ptq_status status = api_begin(&call, "detect", env, err);
    if (status == PTQ_OK) {
        put_real(call.config, "conf", o->conf);
        put_real(call.config, "iou", o->iou);
        put_text(call.config, "precision",
                 precision_name(resolve_precision(m->clean, o->precision)));
        status = detect_pictures(m, o, &pictures, &call, err);
        put_text(call.result, "output", o->out_dir);
        status = api_end(&call, status, m->file, out, err);
    }
    image_list_clear(&pictures);
    return status;
}
