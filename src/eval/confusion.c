/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/confusion.h"

#include "base/mem.h"

ptq_status confusion_create(int n_classes, confusion *out, ptq_error *err)
{
    size_t side = (size_t)n_classes + 1, bytes;
    if (!mem_mul(side * side, sizeof *out->counts, &bytes))
        return error_no_memory(err, side, "a confusion matrix");
    out->n = n_classes;
    out->counts = mem_zalloc(bytes);
    return out->counts ? PTQ_OK : error_no_memory(err, bytes, "a confusion matrix");
}

void confusion_clear(confusion *c)
{
    mem_free(c->counts);
    *c = (confusion){0};
}

static void count(confusion *c, int truth, int found)
{
    if (truth >= 0 && truth <= c->n && found >= 0 && found <= c->n)
        c->counts[truth * (c->n + 1) + found]++;
}

/* A detection's label, and how much they overlap. */
typedef struct claim {
    int truth; /* -1: none */
    float iou;
} claim;

static claim best_claim(const detection *d, const truth_box *truths, int n)
{
    claim best = {-1, CONFUSION_IOU};
    for (int i = 0; i < n; i++) {
        float iou = boxes_iou(d, &truths[i]);
        if (iou > best.iou)
            best = (claim){i, iou};
    }
    return best;
}

ptq_status confusion_add(confusion *c, const detection *dets, int n_dets, const truth_box *truths,
                         int n_truths, ptq_error *err)
{
    int n = 0;
    while (n < n_dets && dets[n].score > CONFUSION_SCORE)
        n++;
    claim *claims = mem_array((size_t)n + 1, sizeof *claims);
    int *owners = mem_array((size_t)n_truths + 1, sizeof *owners);
    if (!claims || !owners) {
        mem_free(claims);
        mem_free(owners);
        return error_no_memory(err, (size_t)n * sizeof *claims, "a confusion matrix");
    }
    for (int i = 0; i < n_truths; i++)
        owners[i] = -1;
    for (int i = 0; i < n; i++) {
        claims[i] = best_claim(&dets[i], truths, n_truths);
        int t = claims[i].truth;
        if (t >= 0 && (owners[t] < 0 || claims[i].iou > claims[owners[t]].iou))
            owners[t] = i;
    }
    for (int t = 0; t < n_truths; t++)
        count(c, truths[t].cls, owners[t] < 0 ? c->n : dets[owners[t]].cls);
    for (int i = 0; i < n; i++)
        if (claims[i].truth < 0 || owners[claims[i].truth] != i)
            count(c, c->n, dets[i].cls);
    mem_free(claims);
    mem_free(owners);
    return PTQ_OK;
}

static ptq_status add_image(confusion *c, const image_item *item, const image_record *image,
                            const eval_records *r, ptq_error *err)
{
    float width = (float)item->width, height = (float)item->height;
    truth_box *truths = mem_array((size_t)item->n_labels + 1, sizeof *truths);
    if (!truths)
        return error_no_memory(err, (size_t)item->n_labels * sizeof *truths, "labels");
    for (int i = 0; i < item->n_labels; i++) {
        const label *l = &item->labels[i];
        truths[i] = (truth_box){(l->x - l->w / 2) * width, (l->y - l->h / 2) * height,
                                (l->x + l->w / 2) * width, (l->y + l->h / 2) * height, l->cls};
    }
    ptq_status status =
        confusion_add(c, r->dets + image->first_det, image->n_dets, truths, item->n_labels, err);
    mem_free(truths);
    return status;
}

ptq_status confusion_of_records(const dataset *d, const eval_records *r, confusion *out,
                                ptq_error *err)
{
    confusion c;
    PTQ_TRY(confusion_create(d->n_classes, &c, err));
    ptq_status status = PTQ_OK;
    for (size_t i = 0; i < r->n_images && status == PTQ_OK; i++)
        status = add_image(&c, &d->items[r->images[i].item], &r->images[i], r, err);
    if (status == PTQ_OK)
        *out = c;
    else
        confusion_clear(&c);
    return status;
}
