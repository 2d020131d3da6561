/* SPDX-License-Identifier: Apache-2.0 */
/* api/score_json.h — accuracy as JSON: the keys of the commands eval, quantize and compare. */
#ifndef API_SCORE_JSON_H
#define API_SCORE_JSON_H

#include <jansson.h>

#include "eval/coco_eval.h"

/* {ap, ap50, ap75, ap_small ... ar_large}: pycocotools' twelve numbers; -1 where undefined. */
json_t *coco_json(const coco_scores *s);

#endif
