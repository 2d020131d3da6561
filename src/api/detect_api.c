/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq detect`: boxes on pictures, as a list and painted. */
#include "api/agreement.h"
#include "api/detect_inputs.h"
#include "api/detector.h"
#include "api/model_handle.h"
#include "api/result.h"
#include "base/file.h"
#include "data/data_problem.h"

void ptq_detect_options_init(ptq_detect_options *o)
{
    *o = (ptq_detect_options){.image_size = 640, .conf = 0.25, .iou = 0.45};
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

static ptq_status detect_one(looker *l, const char *path, const char *output, json_t *images,
                             ptq_error *err)
{
    const detection *dets;
    int n;
    image picture;
    PTQ_TRY(data_problem(image_read(path, &picture, err), err));
    ptq_status status = detector_look(&l->detector, &picture, &dets, &n, err);
    if (status != PTQ_OK) {
        error_context(err, "cannot look at '%s'", path);
        return status;
    }
    json_t *entry = json_object(), *list = json_array();
    put_text(entry, "file", path);
    if (output)
        put_text(entry, "output", output);
    for (int i = 0; i < n; i++)
        json_array_append_new(list, detection_json(&dets[i], &l->names));
    put(entry, "detections", list);
    json_array_append_new(images, entry);
    return output ? paint(path, output, dets, n, &l->names, err) : PTQ_OK;
}

static ptq_status detect_all(looker *l, const image_list *pictures, char **outputs, api_call *call,
                             ptq_error *err)
{
    json_t *images = json_array();
    put(call->result, "images", images);
    for (int i = 0; i < pictures->n; i++) {
        PTQ_TRY(env_check_cancel(&call->env, err));
        PTQ_TRY(detect_one(l, pictures->paths[i], outputs ? outputs[i] : NULL, images, err));
        env_progress(&call->env, "detecting", (size_t)i + 1, (size_t)pictures->n);
    }
    put_real(call->result, "inference_ms", l->detector.inference_ms / pictures->n);
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
    looker l = {0};
    ptq_status status = looker_open(&l, m, o, &call->env, err);
    put_int(call->config, "imgsz", l.detector.size);
    if (status == PTQ_OK)
        status = detect_all(&l, pictures, outputs, call, err);
    looker_close(&l);
    detect_outputs_free(outputs, pictures->n);
    return status;
}

ptq_status ptq_detect(ptq_model *m, const ptq_detect_options *o, const ptq_env *env,
                      ptq_result **out, ptq_error *err)
{
    image_list pictures;
    PTQ_TRY(model_check_boxes(m, err));
    PTQ_TRY(detect_inputs_find(o->images, &pictures, err));
    api_call call;
    ptq_status status = api_begin(&call, "detect", env, err);
    if (status == PTQ_OK) {
        put_real(call.config, "conf", o->conf);
        put_real(call.config, "iou", o->iou);
        put_text(call.config, "precision",
                 precision_name(resolve_precision(m->clean, o->precision)));
        put_text(call.config, "family", model_family(m));
        status = detect_pictures(m, o, &pictures, &call, err);
        put_text(call.result, "output", o->out_dir);
        status = api_end(&call, status, m->file, out, err);
    }
    image_list_clear(&pictures);
    return status;
}
