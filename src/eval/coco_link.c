/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/coco_link.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "eval/coco_results.h"

struct coco_link {
    coco_truth *truth;
    int n_items;
    int *image_of_item;
    char **stems;     /* per item, owned */
    coco_name *names; /* per image of the truth; text points into stems */
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
    l->names = mem_array((size_t)l->truth->n_images, sizeof *l->names);
    if (!l->image_of_item || !l->stems || !l->names)
        return error_no_memory(err, n * sizeof *l->stems, "the images' ids");
    for (size_t i = 0; i < n; i++) {
        l->stems[i] = path_stem(d->items[i].path);
        if (!l->stems[i])
            return error_no_memory(err, strlen(d->items[i].path), "a file name");
    }
    return PTQ_OK;
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
        if (image < 0)
            return error_set(err, PTQ_DATA,
                             "'%s' has no image '%s'; the annotations of this set are needed "
                             "(--annotations)",
                             path, d->items[i].path);
        l->image_of_item[i] = image;
    }
    for (int i = 0; i < t->n_images; i++)
        l->names[i].id = t->image_ids[i];
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
        if (!coco_id_of_stem(l->stems[i], &l->names[i].id))
            l->names[i].text = l->stems[i];
    }
    bool is_coco = d->yaml_path && strcmp(path_base(d->yaml_path), "coco.yaml") == 0;
    if (is_coco && d->n_classes == 80)
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
                                    : coco_truth_from_labels(d, &l->truth, err);
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

/* The records as results, and which images of the truth they cover. */
static void list_results(const coco_link *l, const eval_records *r, coco_det *dets, bool *is_judged)
{
    for (size_t i = 0; i < r->n_images; i++) {
        const image_record *image = &r->images[i];
        int index = l->image_of_item[image->item];
        is_judged[index] = true;
        for (size_t k = image->first_det; k < image->first_det + (size_t)image->n_dets; k++)
            dets[k] = coco_det_of(&r->dets[k], index, r->dets[k].cls);
    }
}

ptq_status coco_link_score(const coco_link *l, const eval_records *r, const ptq_env *env,
                           coco_scores *scores, const char *save_path, ptq_error *err)
{
    coco_det *dets = mem_array(r->n_dets, sizeof *dets);
    bool *is_judged = mem_array((size_t)l->truth->n_images, sizeof *is_judged);
    ptq_status status = PTQ_OK;
    if (!dets || !is_judged)
        status = error_no_memory(err, r->n_dets * sizeof *dets, "the detections");
    else
        list_results(l, r, dets, is_judged);
    if (status == PTQ_OK && save_path)
        status = coco_results_write(
            save_path, &(coco_results){dets, r->n_dets, l->names, l->truth->category_ids}, err);
    if (status == PTQ_OK && scores)
        status = coco_evaluate(
            &(coco_input){l->truth, dets, r->n_dets, is_judged, env_threads(env)}, scores, err);
    mem_free(dets);
    mem_free(is_judged);
    return status;
}
