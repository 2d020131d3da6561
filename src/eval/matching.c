/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/matching.h"

#include <math.h>
#include <string.h>

/* torch.linspace(0.5, 0.95, 10) */
static const float OVERLAPS[N_OVERLAPS] = {
    0x1p-1f,   0x1.19999ap-1f, 0x1.333334p-1f, 0x1.4cccccp-1f, 0x1.666666p-1f,
    0x1.8p-1f, 0x1.99999ap-1f, 0x1.b33334p-1f, 0x1.ccccccp-1f, 0x1.e66666p-1f};

/* The label of the same class with the largest IoU, the first of equals, or -1. A NaN wins, as in
 * torch.max(), and passes no threshold. */
static int best_label(const match_input *in, const detection *d, float *iou)
{
    int best = -1;
    for (int t = 0; t < in->n_truths; t++) {
        if (in->truths[t].cls != d->cls)
            continue;
        float v = boxes_iou(d, &in->truths[t]);
        if (best < 0 || v > *iou || isnan(v)) {
            best = t;
            *iou = v;
        }
        if (isnan(v))
            break;
    }
    return best;
}

void match_detections(const match_input *in, uint16_t *correct)
{
    if (in->n_truths)
        memset(in->is_taken, 0, (size_t)in->n_truths);
    for (int i = 0; i < in->n_dets; i++) {
        float iou = 0;
        int t = best_label(in, &in->dets[i], &iou);
        correct[i] = 0;
        if (t < 0 || !(iou > OVERLAPS[0]) || in->is_taken[t])
            continue;
        in->is_taken[t] = 1;
        for (int k = 0; k < N_OVERLAPS; k++)
            correct[i] = (uint16_t)(correct[i] | (unsigned)(iou > OVERLAPS[k]) << k);
    }
}
