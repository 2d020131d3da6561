/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/evaluator.h"

#include <omp.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "eval/coco_link.h"

struct evaluator {
    const dataset *data;
    evaluator_options options;
    ptq_env env;
    nms_options suppression;
    nms **nms; /* one per thread */
    int n_threads;
    coco_link *coco; /* NULL: neither scores nor a file wanted */
    eval_records records;
    detection *found; /* [images of the batch, max_det] */
    int *n_found;
    size_t found_cap, n_found_cap;
    truth_box *truths; /* of one image */
    unsigned char *is_taken;
    size_t truths_cap, is_taken_cap;
    double nms_ms;
};

evaluator_options evaluator_options_default(void)
{
    nms_options n = nms_options_evaluation();
    return (evaluator_options){.conf = n.conf, .iou = n.iou, .max_det = n.max_det};
}

static void records_clear(eval_records *r)
{
    mem_free(r->images);
    mem_free(r->dets);
    mem_free(r->correct);
    mem_free(r->truths);
    *r = (eval_records){0};
}

void evaluation_destroy(evaluation *e)
{
    if (!e)
        return;
    mem_free(e->classes);
    records_clear(&e->records);
    mem_free(e);
}

void evaluator_destroy(evaluator *e)
{
    if (!e)
        return;
    for (int i = 0; e->nms && i < e->n_threads; i++)
        nms_destroy(e->nms[i]);
    mem_free(e->nms);
    coco_link_close(e->coco);
    records_clear(&e->records);
    mem_free(e->found);
    mem_free(e->n_found);
    mem_free(e->truths);
    mem_free(e->is_taken);
    mem_free(e);
}

static ptq_status open_coco(evaluator *e, ptq_error *err)
{
    const evaluator_options *o = &e->options;
    if (!o->coco && !o->save_detections)
        return PTQ_OK;
    if (o->save_detections)
        PTQ_TRY(file_check_writable(o->save_detections, err));
    const char *annotations = o->annotations ? o->annotations : e->data->annotations;
    PTQ_TRY(coco_link_open(e->data, annotations, o->single_class, &e->env, &e->coco, err));
    if (o->coco)
        PTQ_TRY(coco_link_check_images(e->coco, e->data, err));
    if (o->coco && coco_link_is_from_labels(e->coco))
        env_log(&e->env, PTQ_LOG_WARNING,
                "no annotations: the COCO numbers are measured against the labels (area = width x "
                "height, no crowds)");
    return PTQ_OK;
}

static ptq_status check_options(const evaluator_options *o, ptq_error *err)
{
    if (!(o->conf >= 0 && o->conf < 1) || !(o->iou >= 0 && o->iou <= 1))
        return error_set(err, PTQ_USAGE,
                         "the confidence %g must be in [0,1) and the IoU threshold %g in [0,1]",
                         (double)o->conf, o->iou);
    if (o->max_det < 1)
        return error_set(err, PTQ_USAGE, "at least 1 detection per image must be allowed, not %d",
                         o->max_det);
    return PTQ_OK;
}

ptq_status evaluator_create(const dataset *d, const evaluator_options *options, const ptq_env *env,
                            evaluator **out, ptq_error *err)
{
    PTQ_TRY(check_options(options, err));
    evaluator *e = mem_zalloc(sizeof *e);
    if (!e)
        return error_no_memory(err, sizeof *e, "evaluating");
    e->data = d;
    e->options = *options;
    e->env = env ? *env : (ptq_env){0};
    e->n_threads = env_threads(env);
    e->suppression = nms_options_evaluation();
    e->suppression.conf = options->conf;
    e->suppression.iou = options->iou;
    e->suppression.max_det = options->max_det;
    e->suppression.agnostic = options->single_class;
    e->nms = mem_array((size_t)e->n_threads, sizeof(nms *));
    ptq_status status =
        e->nms ? PTQ_OK : error_no_memory(err, (size_t)e->n_threads * sizeof(nms *), "evaluating");
    for (int i = 0; i < e->n_threads && status == PTQ_OK; i++)
        status = nms_create(&e->nms[i], err);
    if (status == PTQ_OK)
        status = open_coco(e, err);
    if (status != PTQ_OK) {
        evaluator_destroy(e);
        return status;
    }
    *out = e;
    return PTQ_OK;
}

static ptq_status check_classes(const evaluator *e, const predictions *p, ptq_error *err)
{
    if (e->options.single_class || p->n_classes == e->data->n_classes)
        return PTQ_OK;
    return error_set(err, PTQ_DATA,
                     "the model predicts %d classes, the data set has %d; use the yaml it was "
                     "trained with",
                     p->n_classes, e->data->n_classes);
}

static ptq_status reserve_batch(evaluator *e, size_t n, ptq_error *err)
{
    size_t n_dets;
    if (!mem_mul(n, (size_t)e->options.max_det, &n_dets))
        return error_no_memory(err, SIZE_MAX, "detections");
    detection *found = mem_grow(e->found, &e->found_cap, n_dets, sizeof *found);
    e->found = found ? found : e->found;
    int *n_found = mem_grow(e->n_found, &e->n_found_cap, n, sizeof *n_found);
    e->n_found = n_found ? n_found : e->n_found;
    return found && n_found ? PTQ_OK : error_no_memory(err, n_dets * sizeof *found, "detections");
}

ptq_status evaluator_suppress(evaluator *e, int thread, const predictions *p,
                              const detection **dets, int *n_dets, ptq_error *err)
{
    PTQ_TRY(check_classes(e, p, err));
    return nms_run(e->nms[thread], p, &e->suppression, dets, n_dets, err);
}

static detection *found_in(const evaluator *e, int i)
{
    return e->found + (size_t)i * (size_t)e->options.max_det;
}

static ptq_status suppress_one(evaluator *e, int i, int thread, const predictions *first,
                               ptq_error *err)
{
    size_t stride = (size_t)first->n_rows * ((size_t)first->n_classes + 5);
    predictions p = {first->rows + (size_t)i * stride, first->n_rows, first->n_classes};
    const detection *dets;
    PTQ_TRY(evaluator_suppress(e, thread, &p, &dets, &e->n_found[i], err));
    memcpy(found_in(e, i), dets, (size_t)e->n_found[i] * sizeof *dets);
    return PTQ_OK;
}

static ptq_status suppress_batch(evaluator *e, const batch *b, const predictions *first,
                                 ptq_error *err)
{
    ptq_status status = PTQ_OK;
    /* No more threads than images: the others would be waited for. */
#pragma omp parallel for schedule(dynamic, 1) num_threads(b->n < e->n_threads ? b->n : e->n_threads)
    for (int i = 0; i < b->n; i++) {
        ptq_error one_err;
        ptq_status one = suppress_one(e, i, omp_get_thread_num(), first, &one_err);
        if (one != PTQ_OK) {
#pragma omp critical
            {
                status = one;
                if (err)
                    *err = one_err;
            }
        }
    }
    return status;
}

static ptq_status reserve_image(evaluator *e, size_t n_dets, size_t n_truths, ptq_error *err)
{
    eval_records *r = &e->records;
    image_record *images = mem_grow(r->images, &r->images_cap, r->n_images + 1, sizeof *images);
    r->images = images ? images : r->images;
    detection *dets = mem_grow(r->dets, &r->dets_cap, r->n_dets + n_dets, sizeof *dets);
    r->dets = dets ? dets : r->dets;
    uint16_t *correct = mem_grow(r->correct, &r->correct_cap, r->n_dets + n_dets, sizeof *correct);
    r->correct = correct ? correct : r->correct;
    int *classes = mem_grow(r->truths, &r->truths_cap, r->n_truths + n_truths, sizeof *classes);
    r->truths = classes ? classes : r->truths;
    truth_box *truths = mem_grow(e->truths, &e->truths_cap, n_truths, sizeof *truths);
    e->truths = truths ? truths : e->truths;
    unsigned char *is_taken = mem_grow(e->is_taken, &e->is_taken_cap, n_truths, 1);
    e->is_taken = is_taken ? is_taken : e->is_taken;
    if (images && dets && correct && classes && truths && is_taken)
        return PTQ_OK;
    return error_no_memory(err, (r->n_dets + n_dets) * sizeof *dets, "detections");
}

/* Detections and labels of one image to the pixels of its file, matched, and kept. */
ptq_status evaluator_add_found(evaluator *e, const found_image *f, ptq_error *err)
{
    const placement *place = f->place;
    if (place->item < 0 || place->item >= e->data->n_items)
        return error_set(err, PTQ_INTERNAL, "image %d is not in the data set", place->item);
    const image_item *item = &e->data->items[place->item];
    int n_dets = f->n_dets, n_truths = item->n_labels;
    PTQ_TRY(reserve_image(e, (size_t)n_dets, (size_t)n_truths, err));
    eval_records *r = &e->records;
    detection *dets = r->dets + r->n_dets;
    memcpy(dets, f->dets, (size_t)n_dets * sizeof *dets);
    boxes_to_image(dets, n_dets, place);
    boxes_of_labels(item->labels, n_truths, place, f->width, f->height, e->truths);
    if (e->options.single_class) {
        for (int k = 0; k < n_dets; k++)
            dets[k].cls = 0;
        for (int k = 0; k < n_truths; k++)
            e->truths[k].cls = 0;
    }
    match_detections(&(match_input){dets, n_dets, e->truths, n_truths, e->is_taken},
                     r->correct + r->n_dets);
    for (int k = 0; k < n_truths; k++)
        r->truths[r->n_truths + (size_t)k] = e->truths[k].cls;
    r->images[r->n_images++] = (image_record){
        .item = place->item,
        .n_dets = n_dets,
        .n_truths = n_truths,
        .first_det = r->n_dets,
        .first_truth = r->n_truths,
    };
    r->n_dets += (size_t)n_dets;
    r->n_truths += (size_t)n_truths;
    return PTQ_OK;
}

/* The detections of the batch are there. */
static ptq_status add_batch(evaluator *e, const batch *b, ptq_error *err)
{
    for (int i = 0; i < b->n; i++)
        PTQ_TRY(evaluator_add_found(e,
                                    &(found_image){.place = &b->places[i],
                                                   .height = b->height,
                                                   .width = b->width,
                                                   .dets = found_in(e, i),
                                                   .n_dets = e->n_found[i]},
                                    err));
    return PTQ_OK;
}

ptq_status evaluator_add(evaluator *e, const batch *b, const predictions *first, ptq_error *err)
{
    PTQ_TRY(reserve_batch(e, (size_t)b->n, err));
    double start = clock_ms();
    PTQ_TRY(suppress_batch(e, b, first, err));
    e->nms_ms += clock_ms() - start;
    return add_batch(e, b, err);
}

/* ---------------------------------------------------------------- what is kept */

void found_keep(const detection *dets, int n_dets, tape *kept)
{
    tape_keep(kept, "found", &n_dets, sizeof n_dets);
    tape_keep(kept, "detections", dets, (size_t)n_dets * sizeof *dets);
}

void evaluator_keep(const evaluator *e, const batch *b, tape *kept)
{
    for (int i = 0; i < b->n; i++)
        found_keep(found_in(e, i), e->n_found[i], kept);
}

static bool recall_image(const evaluator *e, tape *kept, detection *dets, int *n_dets)
{
    if (!tape_recall(kept, "found", n_dets, sizeof *n_dets) || *n_dets < 0 ||
        *n_dets > e->options.max_det ||
        !tape_recall(kept, "detections", dets, (size_t)*n_dets * sizeof *dets))
        return false;
    for (int k = 0; k < *n_dets; k++)
        if (dets[k].cls < 0 || (!e->options.single_class && dets[k].cls >= e->data->n_classes))
            return false;
    return true;
}

bool evaluator_recall_found(const evaluator *e, tape *kept, detection *dets, int *n_dets)
{
    int64_t place = tape_place(kept);
    bool is_known = kept && recall_image(e, kept, dets, n_dets);
    if (kept && !is_known)
        tape_return(kept, place);
    return is_known;
}

ptq_status evaluator_recall(evaluator *e, const batch *b, tape *kept, bool *is_known,
                            ptq_error *err)
{
    *is_known = kept != NULL;
    if (!kept)
        return PTQ_OK;
    int64_t place = tape_place(kept);
    PTQ_TRY(reserve_batch(e, (size_t)b->n, err));
    for (int i = 0; i < b->n && *is_known; i++)
        *is_known = evaluator_recall_found(e, kept, found_in(e, i), &e->n_found[i]);
    if (*is_known)
        return add_batch(e, b, err);
    tape_return(kept, place);
    return PTQ_OK;
}

/* ---------------------------------------------------------------- the numbers */

/* images of each class: those with at least one label of it. */
static ptq_status count_images(const eval_records *r, const ap_result *ap, class_score *classes,
                               ptq_error *err)
{
    size_t *last_seen = mem_array((size_t)ap->n_classes, sizeof *last_seen); /* image + 1 */
    if (!last_seen)
        return error_no_memory(err, (size_t)ap->n_classes * sizeof *last_seen, "the classes");
    for (size_t i = 0; i < r->n_images; i++)
        for (int k = 0; k < r->images[i].n_truths; k++) {
            int c = ap_find_class(ap, r->truths[r->images[i].first_truth + (size_t)k]);
            if (c >= 0 && last_seen[c] != i + 1) {
                last_seen[c] = i + 1;
                classes[c].images++;
            }
        }
    mem_free(last_seen);
    return PTQ_OK;
}

static ptq_status list_classes(const evaluator *e, const ap_result *ap, evaluation *out,
                               ptq_error *err)
{
    out->n_classes = ap->n_classes;
    out->classes = mem_array((size_t)ap->n_classes, sizeof *out->classes);
    if (!out->classes)
        return error_no_memory(err, (size_t)ap->n_classes * sizeof *out->classes, "the classes");
    for (int c = 0; c < ap->n_classes; c++) {
        const ap_class *from = &ap->classes[c];
        bool named = from->cls >= 0 && from->cls < e->data->n_classes && e->data->class_names;
        out->classes[c] = (class_score){
            .cls = from->cls,
            .name = named ? e->data->class_names[from->cls] : "",
            .labels = (int)from->n_truths,
            .precision = from->precision,
            .recall = from->recall,
            .map50 = from->ap[0],
            .map50_95 = from->ap_mean,
        };
    }
    return count_images(&e->records, ap, out->classes, err);
}

static ptq_status average(const evaluator *e, evaluation *out, ptq_error *err)
{
    const eval_records *r = &e->records;
    ap_input in = {r->dets, r->correct, r->n_dets, r->truths, r->n_truths, e->options.v5_metric};
    ap_result ap;
    PTQ_TRY(ap_compute(&in, &ap, err));
    out->precision = ap.precision;
    out->recall = ap.recall;
    out->map50 = ap.map50;
    out->map50_95 = ap.map50_95;
    out->confidence = ap.confidence;
    ptq_status status = list_classes(e, &ap, out, err);
    ap_result_clear(&ap);
    return status;
}

ptq_status evaluator_finish(evaluator *e, evaluation **out, ptq_error *err)
{
    evaluation *r = mem_zalloc(sizeof *r);
    if (!r)
        return error_no_memory(err, sizeof *r, "the result");
    r->images = (int)e->records.n_images;
    r->labels = (int)e->records.n_truths;
    r->nms_ms = r->images ? e->nms_ms / r->images : 0;
    r->has_coco = e->options.coco;
    r->coco_from_labels = e->coco && coco_link_is_from_labels(e->coco);
    ptq_status status = average(e, r, err);
    if (status == PTQ_OK && e->options.save_detections)
        status = coco_link_save(e->coco, &e->records, e->options.save_detections, err);
    if (status == PTQ_OK && e->options.coco)
        status = coco_link_score(e->coco, &e->records, e->n_threads, &r->coco, err);
    if (status != PTQ_OK) {
        evaluation_destroy(r);
        return status;
    }
    r->records = e->records;
    e->records = (eval_records){0};
    *out = r;
    return PTQ_OK;
}
