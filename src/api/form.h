/* SPDX-License-Identifier: Apache-2.0 */
/* api/form.h — writing an ONNX file as a caller wants it (ptq_form_options): what export and
 * quantize share.
 */
#ifndef API_FORM_H
#define API_FORM_H

#include "api/result.h"
#include "model/model.h"

typedef struct form_job {
    const model *source; /* classes, stride and origin go into the file's metadata */
    const graph *g;
    const char *path;
    const ptq_form_options *form;
    const char *const *metadata; /* more of it: key, value ... NULL-terminated; or NULL */
} form_job;

ptq_form_options form_defaults(void);
PTQ_CHECKED ptq_status form_check(const ptq_form_options *f, ptq_error *err);
/* Writes the file with `e`'s opset, types and size. Result: output, opset, nodes, input{name,
 * shape}, an open batch as -1; config: batch, head and what belongs to it. */
PTQ_CHECKED ptq_status form_write(const form_job *job, const onnx_export_options *e, api_call *call,
                                  ptq_error *err);

#endif
