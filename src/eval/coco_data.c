/* SPDX-License-Identifier: Apache-2.0 */
#include "eval/coco_data.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "formats/json_stream.h"

/* What is read before the ids can be resolved: sections may come in any order. */
typedef struct raw_box {
    coco_box box;
    int64_t image_id, category_id;
} raw_box;

typedef struct raw_image {
    int64_t id;
    char *stem; /* NULL: no file_name */
} raw_image;

typedef struct reader {
    json_stream *json;
    raw_image *images;
    int64_t *categories;
    raw_box *boxes;
    size_t n_images, n_categories, n_boxes;
    size_t images_cap, categories_cap, boxes_cap;
} reader;

static void reader_clear(reader *r)
{
    json_stream_close(r->json);
    for (size_t i = 0; i < r->n_images; i++)
        mem_free(r->images[i].stem);
    mem_free(r->images);
    mem_free(r->categories);
    mem_free(r->boxes);
}

static ptq_status missing(const reader *r, const char *what, size_t number, const char *key,
                          ptq_error *err)
{
    return json_error(r->json, PTQ_DATA, err, "%s %zu has no \"%s\"", what, number, key);
}

static ptq_status read_image(reader *r, ptq_error *err)
{
    raw_image *images = mem_grow(r->images, &r->images_cap, r->n_images + 1, sizeof *images);
    if (!images)
        return error_no_memory(err, r->n_images * sizeof *images, "the images");
    r->images = images;
    raw_image *image = &images[r->n_images++];
    *image = (raw_image){0};
    bool has_id = false;
    const char *key, *name;
    PTQ_TRY(json_begin_object(r->json, err));
    for (;;) {
        PTQ_TRY(json_next_key(r->json, &key, err));
        if (!key)
            break;
        if (strcmp(key, "id") == 0) {
            PTQ_TRY(json_read_integer(r->json, &image->id, err));
            has_id = true;
        } else if (strcmp(key, "file_name") == 0 && !image->stem) {
            PTQ_TRY(json_read_string(r->json, &name, err));
            image->stem = path_stem(name);
            if (!image->stem)
                return error_no_memory(err, strlen(name), "a file name");
        } else {
            PTQ_TRY(json_skip(r->json, err));
        }
    }
    return has_id ? PTQ_OK : missing(r, "image", r->n_images, "id", err);
}

static ptq_status read_category(reader *r, ptq_error *err)
{
    int64_t *ids = mem_grow(r->categories, &r->categories_cap, r->n_categories + 1, sizeof *ids);
    if (!ids)
        return error_no_memory(err, r->n_categories * sizeof *ids, "the categories");
    r->categories = ids;
    bool has_id = false;
    const char *key;
    PTQ_TRY(json_begin_object(r->json, err));
    for (;;) {
        PTQ_TRY(json_next_key(r->json, &key, err));
        if (!key)
            break;
        if (strcmp(key, "id") == 0) {
            PTQ_TRY(json_read_integer(r->json, &ids[r->n_categories], err));
            has_id = true;
        } else {
            PTQ_TRY(json_skip(r->json, err));
        }
    }
    r->n_categories++;
    return has_id ? PTQ_OK : missing(r, "category", r->n_categories, "id", err);
}

enum { HAS_IMAGE = 1, HAS_CATEGORY = 2, HAS_BBOX = 4, HAS_AREA = 8 };

static ptq_status read_annotation_member(reader *r, const char *key, raw_box *b, unsigned *has,
                                         ptq_error *err)
{
    json_stream *s = r->json;
    if (strcmp(key, "image_id") == 0) {
        *has |= HAS_IMAGE;
        return json_read_integer(s, &b->image_id, err);
    }
    if (strcmp(key, "category_id") == 0) {
        *has |= HAS_CATEGORY;
        return json_read_integer(s, &b->category_id, err);
    }
    if (strcmp(key, "area") == 0) {
        *has |= HAS_AREA;
        return json_read_number(s, &b->box.area, err);
    }
    if (strcmp(key, "iscrowd") == 0)
        return json_read_flag(s, &b->box.is_crowd, err);
    if (strcmp(key, "id") == 0) {
        int64_t id;
        PTQ_TRY(json_read_integer(s, &id, err));
        b->box.is_silent = id == 0;
        return PTQ_OK;
    }
    if (strcmp(key, "bbox") == 0) {
        double v[4];
        PTQ_TRY(json_read_numbers(s, v, 4, err));
        b->box.x = v[0];
        b->box.y = v[1];
        b->box.w = v[2];
        b->box.h = v[3];
        *has |= HAS_BBOX;
        return PTQ_OK;
    }
    return json_skip(s, err);
}

static ptq_status read_annotation(reader *r, ptq_error *err)
{
    raw_box *boxes = mem_grow(r->boxes, &r->boxes_cap, r->n_boxes + 1, sizeof *boxes);
    if (!boxes)
        return error_no_memory(err, r->n_boxes * sizeof *boxes, "the annotations");
    r->boxes = boxes;
    raw_box b = {0};
    unsigned has = 0;
    const char *key;
    PTQ_TRY(json_begin_object(r->json, err));
    for (;;) {
        PTQ_TRY(json_next_key(r->json, &key, err));
        if (!key)
            break;
        PTQ_TRY(read_annotation_member(r, key, &b, &has, err));
    }
    size_t number = r->n_boxes + 1;
    if (!(has & HAS_IMAGE))
        return missing(r, "annotation", number, "image_id", err);
    if (!(has & HAS_CATEGORY))
        return missing(r, "annotation", number, "category_id", err);
    if (!(has & HAS_BBOX))
        return missing(r, "annotation", number, "bbox", err);
    if (!(has & HAS_AREA))
        b.box.area = b.box.w * b.box.h;
    r->boxes[r->n_boxes++] = b;
    return PTQ_OK;
}

static ptq_status read_list(reader *r, ptq_status (*read_one)(reader *, ptq_error *),
                            ptq_error *err)
{
    bool more;
    PTQ_TRY(json_begin_array(r->json, err));
    for (;;) {
        PTQ_TRY(json_next_item(r->json, &more, err));
        if (!more)
            return PTQ_OK;
        PTQ_TRY(read_one(r, err));
    }
}

static ptq_status read_document(reader *r, ptq_error *err)
{
    const char *key;
    PTQ_TRY(json_begin_object(r->json, err));
    for (;;) {
        PTQ_TRY(json_next_key(r->json, &key, err));
        if (!key)
            break;
        if (strcmp(key, "images") == 0)
            PTQ_TRY(read_list(r, read_image, err));
        else if (strcmp(key, "annotations") == 0)
            PTQ_TRY(read_list(r, read_annotation, err));
        else if (strcmp(key, "categories") == 0)
            PTQ_TRY(read_list(r, read_category, err));
        else
            PTQ_TRY(json_skip(r->json, err));
    }
    PTQ_TRY(json_end(r->json, err));
    if (r->n_images == 0 || r->n_categories == 0)
        return json_error(r->json, PTQ_DATA, err,
                          "no %s; an instances file has \"images\", \"annotations\" and "
                          "\"categories\"",
                          r->n_images == 0 ? "images" : "categories");
    if (r->n_images > INT32_MAX || r->n_categories > INT32_MAX)
        return json_error(r->json, PTQ_LIMIT, err, "too many images or categories");
    return PTQ_OK;
}

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Sorts and drops repetitions. */
static int unique_ids(int64_t *ids, size_t n)
{
    qsort(ids, n, sizeof *ids, compare_ids);
    int kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || ids[kept - 1] != ids[i])
            ids[kept++] = ids[i];
    return kept;
}

static int find_id(const int64_t *ids, int n, int64_t id)
{
    int low = 0, high = n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && ids[low] == id ? low : -1;
}

int coco_truth_image(const coco_truth *t, int64_t id)
{
    return find_id(t->image_ids, t->n_images, id);
}

int coco_truth_category(const coco_truth *t, int64_t id)
{
    return find_id(t->category_ids, t->n_categories, id);
}

bool coco_id_of_stem(const char *stem, int64_t *id)
{
    size_t n = strlen(stem);
    if (n == 0 || n > 18 || strspn(stem, "0123456789") != n)
        return false;
    *id = strtoll(stem, NULL, 10);
    return true;
}

int coco_truth_image_named(const coco_truth *t, const char *stem)
{
    int64_t value;
    if (strmap_get(t->stems, stem, &value) && value >= 0)
        return (int)value;
    return coco_id_of_stem(stem, &value) ? coco_truth_image(t, value) : -1;
}

static ptq_status index_images(const reader *r, coco_truth *t, ptq_error *err)
{
    t->image_ids = mem_array(r->n_images, sizeof *t->image_ids);
    t->stems = strmap_create();
    if (!t->image_ids || !t->stems)
        return error_no_memory(err, r->n_images * sizeof *t->image_ids, "the images");
    for (size_t i = 0; i < r->n_images; i++)
        t->image_ids[i] = r->images[i].id;
    t->n_images = unique_ids(t->image_ids, r->n_images);
    for (size_t i = 0; i < r->n_images; i++) {
        const char *stem = r->images[i].stem;
        int64_t before, index = coco_truth_image(t, r->images[i].id);
        if (!stem)
            continue;
        if (strmap_get(t->stems, stem, &before) && before != index)
            index = -1;
        if (!strmap_put(t->stems, stem, index))
            return error_no_memory(err, strlen(stem), "a file name");
    }
    return PTQ_OK;
}

static ptq_status resolve_boxes(const reader *r, coco_truth *t, const ptq_env *env, ptq_error *err)
{
    size_t n_silent = 0;
    t->boxes = mem_array(r->n_boxes, sizeof *t->boxes);
    if (!t->boxes)
        return error_no_memory(err, r->n_boxes * sizeof *t->boxes, "the annotations");
    for (size_t i = 0; i < r->n_boxes; i++) {
        coco_box b = r->boxes[i].box;
        b.image = coco_truth_image(t, r->boxes[i].image_id);
        b.category = coco_truth_category(t, r->boxes[i].category_id);
        if (b.image < 0 || b.category < 0)
            continue;
        n_silent += b.is_silent;
        t->boxes[t->n_boxes++] = b;
    }
    if (t->n_boxes < r->n_boxes)
        env_log(env, PTQ_LOG_WARNING,
                "%zu of %zu annotations belong to no listed image or category and are left out",
                r->n_boxes - t->n_boxes, r->n_boxes);
    if (n_silent)
        env_log(env, PTQ_LOG_WARNING,
                "%zu annotation%s the id 0, which pycocotools never counts as found, and so do "
                "we; number them from 1",
                n_silent, n_silent == 1 ? " has" : "s have");
    return PTQ_OK;
}

static ptq_status build_truth(reader *r, const ptq_env *env, coco_truth **out, ptq_error *err)
{
    coco_truth *t = mem_zalloc(sizeof *t);
    if (!t)
        return error_no_memory(err, sizeof *t, "the annotations");
    ptq_status status = index_images(r, t, err);
    t->category_ids = r->categories;
    t->n_categories = unique_ids(r->categories, r->n_categories);
    r->categories = NULL;
    if (status == PTQ_OK)
        status = resolve_boxes(r, t, env, err);
    if (status != PTQ_OK) {
        coco_truth_destroy(t);
        return status;
    }
    *out = t;
    return PTQ_OK;
}

ptq_status coco_truth_read(const char *path, const ptq_env *env, coco_truth **out, ptq_error *err)
{
    reader r = {0};
    ptq_status status = json_stream_open(path, &r.json, err);
    if (status == PTQ_OK)
        status = read_document(&r, err);
    if (status == PTQ_OK)
        status = build_truth(&r, env, out, err);
    reader_clear(&r);
    if (status != PTQ_OK)
        error_context(err, "cannot read the annotations");
    return status;
}

static coco_box box_of_label(const label *l, const image_item *item)
{
    double w = (double)l->w * item->width, h = (double)l->h * item->height;
    return (coco_box){
        .x = (double)l->x * item->width - w / 2,
        .y = (double)l->y * item->height - h / 2,
        .w = w,
        .h = h,
        .area = w * h,
        .category = l->cls,
    };
}

ptq_status coco_truth_from_labels(const dataset *d, bool single_class, coco_truth **out,
                                  ptq_error *err)
{
    size_t n_images = (size_t)d->n_items, n = 0;
    int n_classes = single_class ? 1 : d->n_classes;
    for (size_t i = 0; i < n_images; i++)
        n += (size_t)d->items[i].n_labels;
    coco_truth *t = mem_zalloc(sizeof *t);
    if (!t)
        return error_no_memory(err, sizeof *t, "the annotations");
    t->image_ids = mem_array(n_images, sizeof *t->image_ids);
    t->category_ids = mem_array((size_t)n_classes, sizeof *t->category_ids);
    t->boxes = mem_array(n, sizeof *t->boxes);
    t->stems = strmap_create();
    if (!t->image_ids || !t->category_ids || !t->boxes || !t->stems) {
        coco_truth_destroy(t);
        return error_no_memory(err, n * sizeof *t->boxes, "the annotations");
    }
    t->n_images = d->n_items;
    t->n_categories = n_classes;
    for (int i = 0; i < d->n_items; i++)
        t->image_ids[i] = i;
    for (int c = 0; c < n_classes; c++)
        t->category_ids[c] = c;
    for (int i = 0; i < d->n_items; i++) {
        const image_item *item = &d->items[i];
        for (int k = 0; k < item->n_labels; k++) {
            coco_box b = box_of_label(&item->labels[k], item);
            b.image = i;
            b.category = single_class ? 0 : b.category;
            if (b.category >= 0 && b.category < n_classes)
                t->boxes[t->n_boxes++] = b;
        }
    }
    *out = t;
    return PTQ_OK;
}

void coco_truth_merge_categories(coco_truth *t)
{
    t->n_categories = 1;
    for (size_t i = 0; i < t->n_boxes; i++)
        t->boxes[i].category = 0;
}

void coco_truth_destroy(coco_truth *t)
{
    if (!t)
        return;
    mem_free(t->image_ids);
    mem_free(t->category_ids);
    mem_free(t->boxes);
    strmap_destroy(t->stems);
    mem_free(t);
}
