/* SPDX-License-Identifier: Apache-2.0 */
/* eval/matching.h — which detections are right, and at which overlap: the matching of YOLOv7's
 * test.py, quirks included. Spec: eval.md §4.
 *
 * A detection is compared only with the label of its class that it overlaps best. When a detection
 * of higher score took that label, it is wrong, even if another label would fit.
 */
#ifndef EVAL_MATCHING_H
#define EVAL_MATCHING_H

#include <stdint.h>

#include "eval/boxes.h"

/* 0.50, 0.55 ... 0.95 in float32 */
enum { N_OVERLAPS = 10 };

/* `dets` by descending score, boxes of both in the same pixels. `is_taken` is scratch of n_truths
 * bytes. Bit t of correct[i]: detection i finds a label with more overlap than threshold t. */
typedef struct match_input {
    const detection *dets;
    int n_dets;
    const truth_box *truths;
    int n_truths;
    unsigned char *is_taken;
} match_input;

void match_detections(const match_input *in, uint16_t *correct);

#endif
