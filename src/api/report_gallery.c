/* SPDX-License-Identifier: Apache-2.0 */
/* The pictures of a report: those on which two models disagree most. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/report_facts.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/picture.h"
#include "eval/boxes.h"
#include "formats/jpeg.h"

enum { N_PICTURES = 8, LONGER_SIDE = 480, QUALITY = 80, MAX_BOXES = 100 };
static const float SHOWN_SCORE = 0.25F;

typedef struct view {
    const detection *dets; /* best first; those worth showing */
    int n;
} view;

static view view_of(const evaluation *e, const image_record *r)
{
    view v = {e->records.dets + r->first_det, 0};
    while (v.n < r->n_dets && v.n < MAX_BOXES && v.dets[v.n].score >= SHOWN_SCORE)
        v.n++;
    return v;
}

static const image_record *record_of(const evaluation *e, int item)
{
    for (size_t i = 0; i < e->records.n_images; i++)
        if (e->records.images[i].item == item)
            return &e->records.images[i];
    return NULL;
}

/* What the boxes of `a` lack in `b`: the score of each that finds no partner of its class (IoU
 * 0.5), else by how much the scores differ. */
static double missing(view a, view b)
{
    bool is_taken[MAX_BOXES] = {false};
    double sum = 0;
    for (int i = 0; i < a.n; i++) {
        int partner = -1;
        for (int k = 0; k < b.n && partner < 0; k++) {
            const detection *d = &b.dets[k];
            truth_box box = {d->x1, d->y1, d->x2, d->y2, d->cls};
            if (!is_taken[k] && d->cls == a.dets[i].cls && boxes_iou(&a.dets[i], &box) >= 0.5F)
                partner = k;
        }
        double other = partner >= 0 ? (double)b.dets[partner].score : 0;
        if (partner >= 0)
            is_taken[partner] = true;
        sum += fabs((double)a.dets[i].score - other);
    }
    return sum;
}

typedef struct candidate {
    int item;
    double disagreement;
    view fp32, int8;
} candidate;

static int worst_first(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    int order = (x->disagreement < y->disagreement) - (x->disagreement > y->disagreement);
    return order ? order : (x->item > y->item) - (x->item < y->item);
}

static void add_base64(str *out, const unsigned char *data, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        unsigned v = (unsigned)data[i] << 16;
        v |= left > 1 ? (unsigned)data[i + 1] << 8 : 0;
        v |= left > 2 ? data[i + 2] : 0;
        const char four[4] = {letters[v >> 18], letters[v >> 12 & 63],
                              left > 1 ? letters[v >> 6 & 63] : '=',
                              left > 2 ? letters[v & 63] : '='};
        str_add_n(out, four, 4);
    }
}

static ptq_status encode(const image *picture, str *out, ptq_error *err)
{
    char *data = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&data, &size);
    if (!stream)
        return error_no_memory(err, 0, "a picture");
    ptq_status status = jpeg_file_encode(stream, picture, QUALITY, err);
    fclose(stream);
    if (status == PTQ_OK) {
        str_add(out, "data:image/jpeg;base64,");
        add_base64(out, (const unsigned char *)data, size);
    }
    free(data); /* the C library's own */
    return status;
}

static json_t *boxes_json(view v, const dataset *d)
{
    json_t *list = json_array();
    for (int i = 0; i < v.n; i++) {
        const detection *det = &v.dets[i];
        json_t *o = json_object(), *box = json_array();
        const float corners[4] = {det->x1, det->y1, det->x2, det->y2};
        for (int k = 0; k < 4; k++)
            json_array_append_new(box, json_real((double)corners[k]));
        put_int(o, "class", det->cls);
        put_text(o, "name", det->cls < d->n_classes ? d->class_names[det->cls] : "?");
        put_real(o, "score", (double)det->score);
        put(o, "box", box);
        json_array_append_new(list, o);
    }
    return list;
}

static ptq_status add_picture(json_t *list, const dataset *d, const candidate *c, ptq_error *err)
{
    image picture = {0};
    str uri = STR_INIT;
    placement place = {0};
    PTQ_TRY(picture_thumbnail(d->items[c->item].path, LONGER_SIDE, &picture, &place, err));
    ptq_status status = encode(&picture, &uri, err);
    image_clear(&picture);
    if (status == PTQ_OK) {
        json_t *o = json_object();
        put_text(o, "file", d->items[c->item].path);
        put_int(o, "width", place.width0);
        put_int(o, "height", place.height0);
        put_real(o, "disagreement", c->disagreement);
        put(o, "fp32", boxes_json(c->fp32, d));
        put(o, "int8", boxes_json(c->int8, d));
        put_text(o, "image", str_text(&uri));
        json_array_append_new(list, o);
    }
    str_clear(&uri);
    return status;
}

ptq_status report_gallery_json(const dataset *d, const evaluation *fp32, const evaluation *int8,
                               json_t **out, ptq_error *err)
{
    size_t n = 0;
    candidate *all = mem_array(fp32->records.n_images + 1, sizeof *all);
    if (!all)
        return error_no_memory(err, fp32->records.n_images * sizeof *all, "a gallery");
    for (size_t i = 0; i < fp32->records.n_images; i++) {
        const image_record *a = &fp32->records.images[i], *b = record_of(int8, a->item);
        if (!b)
            continue;
        candidate c = {.item = a->item, .fp32 = view_of(fp32, a), .int8 = view_of(int8, b)};
        c.disagreement = fmax(missing(c.fp32, c.int8), missing(c.int8, c.fp32));
        all[n++] = c;
    }
    qsort(all, n, sizeof *all, worst_first);
    json_t *list = json_array();
    ptq_status status = PTQ_OK;
    for (size_t i = 0; i < n && i < N_PICTURES && status == PTQ_OK; i++)
        status = add_picture(list, d, &all[i], err);
    mem_free(all);
    if (status == PTQ_OK)
        *out = list;
    else
        json_decref(list);
    return status;
}
