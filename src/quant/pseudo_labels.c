/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/pseudo_labels.h"

#include "base/mem.h"

static label label_of(const detection *d, const image_item *item)
{
    return (label){.cls = d->cls,
                   .x = (d->x1 + d->x2) / 2 / (float)item->width,
                   .y = (d->y1 + d->y2) / 2 / (float)item->height,
                   .w = (d->x2 - d->x1) / (float)item->width,
                   .h = (d->y2 - d->y1) / (float)item->height};
}

static ptq_status label_image(dataset *d, const eval_records *r, const image_record *image,
                              ptq_error *err)
{
    image_item *item = &d->items[image->item];
    const detection *dets = r->dets + image->first_det;
    item->labels = mem_array((size_t)image->n_dets, sizeof *item->labels);
    if (!item->labels)
        return error_no_memory(err, (size_t)image->n_dets * sizeof *item->labels, "labels");
    item->has_label_file = true;
    for (int i = 0; i < image->n_dets; i++)
        if (dets[i].score >= FIDELITY_SCORE)
            item->labels[item->n_labels++] = label_of(&dets[i], item);
    d->n_labels += item->n_labels;
    return PTQ_OK;
}

ptq_status pseudo_labels_create(const dataset *d, const eval_records *r, dataset **out,
                                ptq_error *err)
{
    dataset *p = mem_zalloc(sizeof *p);
    if (!p)
        return error_no_memory(err, sizeof *p, "labels");
    *p = *d;
    p->n_labels = 0;
    p->annotations = NULL;
    p->items = mem_array((size_t)d->n_items, sizeof *p->items);
    ptq_status st = PTQ_OK;
    if (!p->items)
        st = error_no_memory(err, (size_t)d->n_items * sizeof *p->items, "labels");
    for (int i = 0; st == PTQ_OK && i < d->n_items; i++) {
        p->items[i] = d->items[i];
        p->items[i].labels = NULL;
        p->items[i].n_labels = 0;
    }
    for (size_t i = 0; st == PTQ_OK && i < r->n_images; i++)
        st = label_image(p, r, &r->images[i], err);
    if (st == PTQ_OK)
        *out = p;
    else
        pseudo_labels_destroy(p);
    return st;
}

void pseudo_labels_destroy(dataset *d)
{
    if (!d)
        return;
    for (int i = 0; d->items && i < d->n_items; i++)
        mem_free(d->items[i].labels);
    mem_free(d->items);
    mem_free(d);
}
