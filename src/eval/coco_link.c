/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/coco_link.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "eval/coco_results.h"

struct coco_link {
    coco_truth *truth;
    int n_items;
    int *image_of_item; /* in the truth; -1: not there */
    char **stems;       /* per item, owned */
    coco_name *names;   /* per item; text points into stems */
    bool from_labels;
};

void coco_link_close(coco_link *l)
{
    if (!l)
        return;
    for (int i = 0; l->stems && i < l->n_items; i++)
        mem_free(l->stems[i]);
    mem_free(l->stems);
    mem_free(l->names);
    mem_free(l->image_of_item);
    coco_truth_destroy(l->truth);
    mem_free(l);
}

bool coco_link_is_from_labels(const coco_link *l)
{
    return l->from_labels;
}

static ptq_status list_stems(coco_link *l, const dataset *d, ptq_error *err)
{
    size_t n = (size_t)d->n_items;
    l->n_items = d->n_items;
    l->image_of_item = mem_array(n, sizeof *l->image_of_item);
    l->stems = mem_array(n, sizeof *l->stems);
    l->names = mem_array(n, sizeof *l->names);
    if (!l->image_of_item || !l->stems || !l->names)
        return error_no_memory(err, n * sizeof *l->stems, "the images' ids");
    for (size_t i = 0; i < n; i++) {
        l->stems[i] = path_stem(d->items[i].path);
        if (!l->stems[i])
            return error_no_memory(err, strlen(d->items[i].path), "a file name");
    }
    return PTQ_OK;
}

static void name_by_stem(coco_link *l, int item)
{
    if (!coco_id_of_stem(l->stems[item], &l->names[item].id))
        l->names[item].text = l->stems[item];
}

static ptq_status link_annotations(coco_link *l, const dataset *d, const char *path,
                                   bool single_class, ptq_error *err)
{
    coco_truth *t = l->truth;
    if (!single_class && t->n_categories != d->n_classes)
        return error_set(err, PTQ_DATA,
                         "'%s' has %d categories, the data set %d classes; they must be the same, "
                         "in the order of their ids",
                         path, t->n_categories, d->n_classes);
    if (single_class)
        coco_truth_merge_categories(t);
    for (int i = 0; i < d->n_items; i++) {
        int image = coco_truth_image_named(t, l->stems[i]);
        l->image_of_item[i] = image;
        if (image >= 0)
            l->names[i].id = t->image_ids[image];
        else
            name_by_stem(l, i);
    }
    return PTQ_OK;
}

/* COCO numbered 91 categories and published 80. */
static int64_t coco91_of(int cls)
{
    static const int unused[] = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83};
    int id = cls + 1;
    for (size_t i = 0; i < sizeof unused / sizeof *unused; i++)
        id += id >= unused[i];
    return id;
}

static void link_labels(coco_link *l, const dataset *d)
{
    for (int i = 0; i < d->n_items; i++) {
        l->image_of_item[i] = i;
        name_by_stem(l, i);
    }
    bool is_coco = d->yaml_path && strcmp(path_base(d->yaml_path), "coco.yaml") == 0;
    if (is_coco && l->truth->n_categories == 80)
        for (int c = 0; c < 80; c++)
            l->truth->category_ids[c] = coco91_of(c);
}

ptq_status coco_link_open(const dataset *d, const char *annotations, bool single_class,
                          const ptq_env *env, coco_link **out, ptq_error *err)
{
    coco_link *l = mem_zalloc(sizeof *l);
    if (!l)
        return error_no_memory(err, sizeof *l, "the annotations");
    l->from_labels = !annotations;
    ptq_status status = annotations ? coco_truth_read(annotations, env, &l->truth, err)
                                    : coco_truth_from_labels(d, single_class, &l->truth, err);
    if (status == PTQ_OK)
        status = list_stems(l, d, err);
    if (status == PTQ_OK && annotations)
        status = link_annotations(l, d, annotations, single_class, err);
    if (status != PTQ_OK) {
        coco_link_close(l);
        return status;
    }
    if (!annotations)
        link_labels(l, d);
    *out = l;
    return PTQ_OK;
}

ptq_status coco_link_check_images(const coco_link *l, const dataset *d, ptq_error *err)
{
    for (int i = 0; i < l->n_items; i++)
        if (l->image_of_item[i] < 0)
            return error_set(err, PTQ_DATA,
                             "the annotations have no image '%s'; give those of this set "
                             "(--annotations)",
                             d->items[i].path);
    return PTQ_OK;
}

/* The records as they stand in a file; images are indices of items. */
static ptq_status list_results(const eval_records *r, coco_det **out, ptq_error *err)
{
    coco_det *dets = mem_array(r->n_dets, sizeof *dets);
    if (!dets)
        return error_no_memory(err, r->n_dets * sizeof *dets, "the detections");
    for (size_t i = 0; i < r->n_images; i++) {
        const image_record *image = &r->images[i];
        for (size_t k = image->first_det; k < image->first_det + (size_t)image->n_dets; k++)
            dets[k] = coco_det_of(&r->dets[k], image->item, r->dets[k].cls);
    }
    *out = dets;
    return PTQ_OK;
}

ptq_status coco_link_save(const coco_link *l, const eval_records *r, const char *path,
                          ptq_error *err)
{
    coco_det *dets;
    PTQ_TRY(list_results(r, &dets, err));
    coco_results results = {dets, r->n_dets, l->names, l->truth->category_ids};
    ptq_status status = coco_results_write(path, &results, err);
    mem_free(dets);
    return status;
}

ptq_status coco_link_score(const coco_link *l, const eval_records *r, int threads, coco_scores *out,
                           ptq_error *err)
{
    coco_det *dets;
    PTQ_TRY(list_results(r, &dets, err));
    bool *is_judged = mem_array((size_t)l->truth->n_images, sizeof *is_judged);
    if (!is_judged) {
        mem_free(dets);
        return error_no_memory(err, (size_t)l->truth->n_images, "the images");
    }
    for (size_t i = 0; i < r->n_images; i++)
        is_judged[l->image_of_item[r->images[i].item]] = true;
    for (size_t k = 0; k < r->n_dets; k++)
        dets[k].image = l->image_of_item[dets[k].image];
    ptq_status status =
        coco_evaluate(&(coco_input){l->truth, dets, r->n_dets, is_judged, threads}, out, err);
    mem_free(dets);
    mem_free(is_judged);
    return status;
}
