/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/fidelity.h"

#include "base/mem.h"

/* The labels that one image's detections make. */
static int labels_of(const detection *dets, int n, truth_box *out)
{
    int found = 0;
    for (int i = 0; i < n; i++)
        if (dets[i].score >= FIDELITY_SCORE)
            out[found++] = (truth_box){dets[i].x1, dets[i].y1, dets[i].x2, dets[i].y2, dets[i].cls};
    return found;
}

static ptq_status check_images(const eval_records *a, const eval_records *b, ptq_error *err)
{
    bool same = a->n_images == b->n_images;
    for (size_t i = 0; same && i < a->n_images; i++)
        same = a->images[i].item == b->images[i].item;
    return same ? PTQ_OK : error_set(err, PTQ_INTERNAL, "two networks saw different images");
}

/* Scratch for one image, and the labels of all. */
typedef struct judge {
    truth_box *boxes;
    unsigned char *is_taken;
    int *classes;
    size_t n;
} judge;

static void judge_image(judge *j, const eval_records *reference, eval_records *r, size_t image)
{
    const image_record *from = &reference->images[image];
    image_record *to = &r->images[image];
    int n = labels_of(reference->dets + from->first_det, from->n_dets, j->boxes);
    match_detections(&(match_input){r->dets + to->first_det, to->n_dets, j->boxes, n, j->is_taken},
                     r->correct + to->first_det);
    to->first_truth = j->n;
    to->n_truths = n;
    for (int k = 0; k < n; k++)
        j->classes[j->n++] = j->boxes[k].cls;
}

ptq_status fidelity_judge(const eval_records *reference, eval_records *r, ptq_error *err)
{
    PTQ_TRY(check_images(reference, r, err));
    size_t n = reference->n_dets;
    judge j = {mem_array(n, sizeof *j.boxes), mem_array(n, 1), mem_array(n, sizeof *j.classes), 0};
    bool ok = j.boxes && j.is_taken && j.classes;
    for (size_t i = 0; ok && i < r->n_images; i++)
        judge_image(&j, reference, r, i);
    mem_free(j.boxes);
    mem_free(j.is_taken);
    if (!ok) {
        mem_free(j.classes);
        return error_no_memory(err, n * sizeof *j.boxes, "detections");
    }
    mem_free(r->truths);
    r->truths = j.classes;
    r->n_truths = j.n;
    r->truths_cap = n;
    return PTQ_OK;
}

ptq_status records_map(const eval_records *r, double *map, ptq_error *err)
{
    ap_input in = {.dets = r->dets,
                   .correct = r->correct,
                   .n_dets = r->n_dets,
                   .truths = r->truths,
                   .n_truths = r->n_truths};
    ap_result found;
    PTQ_TRY(ap_compute(&in, &found, err));
    *map = found.map50_95;
    ap_result_clear(&found);
    return PTQ_OK;
}
