/* SPDX-License-Identifier: Apache-2.0 */
/* api/report_facts.h — what a report shows beyond the answer of `ptq quantize`: the graph, the time
 * of each step, the classes with their curves and confusions, and pictures with the boxes of both
 * models.
 */
#ifndef API_REPORT_FACTS_H
#define API_REPORT_FACTS_H

#include "api/model_handle.h"
#include "api/result.h"
#include "eval/evaluate.h"

/* [{name, op, inputs[], shape[]}]: the nodes in execution order, activations counted to the node
 * before them; `inputs` are indices in this list. */
json_t *report_graph_json(const graph *g);

/* One profiled run, added to `list`: {name, op, precision, ms}, data movement left out. */
PTQ_CHECKED ptq_status report_steps_json(session *s, const tensor_view *input, json_t *list,
                                         ptq_error *err);

/* [{name, labels, fp32{ap50_95, ap50, curve[]}, int8{...}}]; a curve is the precision (its upper
 * envelope) at recall 0, 0.01 ... 1 and IoU 0.5. */
json_t *report_classes_json(const evaluation *fp32, const evaluation *int8);

/* {names[], cells[[truth, found, fp32, int8]]}: which class is taken for which, and how often;
 * cells that are empty for both are left out. Class names.length is "nothing". NULL without labels.
 */
PTQ_CHECKED ptq_status report_confusion_json(const dataset *d, const evaluation *fp32,
                                             const evaluation *int8, json_t **out, ptq_error *err);

/* [{file, width, height, image, disagreement, fp32[{class, name, score, box}], int8[...]}]: the
 * pictures on which the two differ most, worst first; `image` is a data: URI. */
PTQ_CHECKED ptq_status report_gallery_json(const dataset *d, const evaluation *fp32,
                                           const evaluation *int8, json_t **out, ptq_error *err);

#endif
