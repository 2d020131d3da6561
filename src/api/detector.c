/* SPDX-License-Identifier: Apache-2.0 */
#include "api/detector.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "eval/boxes.h"
#include "eval/pictures.h"

ptq_status detector_open(detector *d, session *s, ptq_error *err)
{
    *d = (detector){.rules = nms_options_evaluation(), .form = pictures_of(session_graph(s))};
    d->rules.multi_label = false;
    PTQ_TRY(session_predictor_create(s, &d->predictor, err));
    return nms_create(&d->nms, err);
}

void detector_close(detector *d)
{
    nms_destroy(d->nms);
    session_predictor_destroy(d->predictor);
    mem_free(d->dets);
    *d = (detector){0};
}

static ptq_status keep(detector *d, const detection *found, int n, ptq_error *err)
{
    size_t room = (size_t)n + 1;
    detection *dets = mem_grow(d->dets, &d->dets_cap, room, sizeof *dets);
    if (!dets)
        return error_no_memory(err, room * sizeof *dets, "detections");
    d->dets = dets;
    memcpy(dets, found, (size_t)n * sizeof *dets);
    return PTQ_OK;
}

ptq_status detector_look(detector *d, image *picture, const detection **dets, int *n,
                         ptq_error *err)
{
    placement place = {0};
    float *pixels;
    PTQ_TRY(picture_square(picture, d->size, &d->form, &pixels, &place, err));
    batch one = {.n = 1, .height = d->size, .width = d->size, .images = pixels, .places = &place};
    predictions p;
    const detection *found;
    double start = clock_ms();
    ptq_status status = session_predict(d->predictor, &one, &p, err);
    d->inference_ms += clock_ms() - start;
    if (status == PTQ_OK)
        status = nms_run(d->nms, &p, &d->rules, &found, n, err);
    mem_free(pixels);
    if (status == PTQ_OK)
        status = keep(d, found, *n, err);
    PTQ_TRY(status);
    boxes_to_image(d->dets, *n, &place);
    *dets = d->dets;
    return PTQ_OK;
}

ptq_status looker_open(looker *l, ptq_model *m, const ptq_detect_options *o, const ptq_env *env,
                       ptq_error *err)
{
    l->names = (class_names){(const char *const *)m->file->class_names, m->file->n_classes};
    session_request request = {.graph = m->clean, .precision = o->precision, .detections = true};
    PTQ_TRY(api_session(&request, env, &l->session, err));
    PTQ_TRY(detector_open(&l->detector, l->session, err));
    l->detector.size = model_image_size(m, o->image_size, env);
    l->detector.rules.conf = (float)o->conf;
    l->detector.rules.iou = o->iou;
    return PTQ_OK;
}

void looker_close(looker *l)
{
    detector_close(&l->detector);
    session_destroy(l->session);
}
