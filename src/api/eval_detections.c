/* SPDX-License-Identifier: Apache-2.0 */
/* `ptq eval --detections F --annotations G`: scores a results file; no model. */
#include "api/result.h"
#include "api/score_json.h"
#include "eval/coco_results.h"

ptq_status ptq_eval_detections(const char *detections, const char *annotations, const ptq_env *env,
                               ptq_result **out, ptq_error *err)
{
    api_call call;
    PTQ_TRY(api_begin(&call, "eval", env, err));
    coco_scoring scoring;
    ptq_status status = coco_score_files(detections, annotations, &call.env, &scoring, err);
    if (status == PTQ_OK) {
        put_text(call.config, "detections", detections);
        put_text(call.config, "annotations", annotations);
        put_int(call.result, "images", scoring.n_images);
        put_int(call.result, "detections", (int64_t)scoring.n_detections);
        put(call.result, "coco", coco_json(&scoring.scores));
    }
    return api_end(&call, status, NULL, out, err);
}
