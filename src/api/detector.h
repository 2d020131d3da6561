/* SPDX-License-Identifier: Apache-2.0 */
/* api/detector.h — a session with suppression: from a decoded picture to boxes in its pixels. */
#ifndef API_DETECTOR_H
#define API_DETECTOR_H

#include "api/model_handle.h"
#include "eval/evaluate.h"
#include "eval/paint.h"
#include "formats/image.h"

typedef struct detector {
    session_predictor *predictor;
    nms *nms;
    nms_options rules;   /* one class per box, as YOLOv7's detect.py */
    int size;            /* pictures are letterboxed to size x size */
    picture_form form;   /* as the session's network wants them */
    double inference_ms; /* of all pictures */
    detection *dets;     /* of the last picture */
    size_t dets_cap;
} detector;

/* The session is borrowed; size, rules.conf and rules.iou are the caller's to set. */
PTQ_CHECKED ptq_status detector_open(detector *d, session *s, ptq_error *err);
void detector_close(detector *d);

/* The picture is used up; *dets is borrowed until the next call, boxes are in the picture's pixels.
 */
PTQ_CHECKED ptq_status detector_look(detector *d, image *picture, const detection **dets, int *n,
                                     ptq_error *err);

/* A model that looks at pictures, and how its boxes are called. */
typedef struct looker {
    session *session;
    detector detector;
    class_names names; /* the model's */
} looker;

PTQ_CHECKED ptq_status looker_open(looker *l, ptq_model *m, const ptq_detect_options *o,
                                   const ptq_env *env, ptq_error *err);
void looker_close(looker *l); /* also one that could not be opened */

#endif
