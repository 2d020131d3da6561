/* SPDX-License-Identifier: Apache-2.0 */
/* api/model_handle.h — what a ptq_model is, and how a command gets a running program out of it. */
#ifndef API_MODEL_HANDLE_H
#define API_MODEL_HANDLE_H

#include "engine/session.h"
#include "model/model.h"
#include "passes/passes.h"
#include "ptq/ptq.h"

typedef struct inserted inserted; /* insert_api.c */

struct ptq_model {
    model *file;        /* as read; its graph only when it was asked for */
    graph *clean;       /* its graph folded and fused (passes_clean), Q/DQ kept; with the quantizers
                           that were inserted */
    double load_ms;     /* what reading and fusing took */
    inserted *inserted; /* what ptq_insert_quantizers() put there; NULL: nothing */
};

typedef struct session_request {
    const graph *graph;      /* a cleaned graph; copied */
    ptq_precision precision; /* AUTO: int8 when the graph has Q/DQ, else fp32 */
    const char *const *taps; /* NULL-terminated tensor names that stay visible; or NULL */
    bool exact;
    bool detections; /* the output becomes rows in pixels, whatever the family */
} session_request;

PTQ_CHECKED ptq_status api_session(const session_request *request, const ptq_env *env,
                                   session **out, ptq_error *err);

/* What AUTO means for this graph. */
precision resolve_precision(const graph *g, ptq_precision p);
const char *precision_name(precision p); /* "fp32", "fp16", "bf16", "int8" */
bool graph_has_qdq(const graph *g);
const char *model_family(const ptq_model *m); /* "yolov7", "yolox" ... */

/* The square image size a model runs at: its own when the input is fixed (with a warning when the
 * caller asked for another), else `asked` rounded up to the stride as YOLOv7's check_img_size. */
int model_image_size(const ptq_model *m, int asked, const ptq_env *env);
bool model_is_static(const ptq_model *m);
/* Input 0 with what the file fixes; else `batch` images of size x size. */
shape model_input_shape(const ptq_model *m, int batch, int size);

/* Refuses an existing output unless force, and one that cannot be written (before any work). */
PTQ_CHECKED ptq_status check_output(const char *path, bool force, ptq_error *err);

void inserted_destroy(inserted *i); /* NULL allowed */
/* PTQ_UNSUPPORTED when quantizers were inserted that no file says. */
PTQ_CHECKED ptq_status inserted_check_file(const ptq_model *m, ptq_error *err);
bool model_has_qdq(const ptq_model *m);
/* A copy of the graph without quantizers. PTQ_UNSUPPORTED: the file has codes for weights. */
PTQ_CHECKED ptq_status model_float_graph(const ptq_model *m, graph **out, ptq_error *err);

#endif
