/* SPDX-License-Identifier: Apache-2.0 */
#include "data/memory_images.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static ptq_status fill(dataset *d, const ptq_image_source *source, int n, ptq_error *err)
{
    d->source = source;
    d->yaml_path = arena_strdup(d->memory, "images from memory");
    d->items = arena_alloc(d->memory, (size_t)n, sizeof *d->items);
    if (!d->yaml_path || !d->items)
        return error_no_memory(err, (size_t)n * sizeof *d->items, "an image list");
    for (int i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "image %d", i);
        d->items[i] = (image_item){.path = arena_strdup(d->memory, name), .index = i};
        if (!d->items[i].path)
            return error_no_memory(err, sizeof name, "an image list");
    }
    d->n_items = d->n_missing = n;
    return PTQ_OK;
}

ptq_status memory_images_open(const ptq_image_source *source, int limit, dataset **out,
                              ptq_error *err)
{
    int n = limit > 0 && limit < source->count ? limit : source->count;
    if (n <= 0 || !source->get)
        return error_set(err, PTQ_DATA, "the image source holds no images");
    arena *memory = arena_create(0);
    dataset *d = memory ? arena_alloc(memory, 1, sizeof *d) : NULL;
    if (!d) {
        arena_destroy(memory);
        return error_no_memory(err, sizeof *d, "a data set");
    }
    d->memory = memory;
    ptq_status status = fill(d, source, n, err);
    if (status == PTQ_OK)
        *out = d;
    else
        dataset_destroy(d);
    return status;
}

ptq_status memory_image_copy(const ptq_image *from, image *out, ptq_error *err)
{
    if (!from->pixels || from->width < 1 || from->height < 1)
        return error_set(err, PTQ_USAGE, "a picture of %d x %d pixels%s is none", from->width,
                         from->height, from->pixels ? "" : " without data");
    size_t row = 3 * (size_t)from->width, step = from->row_bytes ? from->row_bytes : row;
    if (step < row)
        return error_set(err, PTQ_USAGE, "rows of %zu bytes are too short for %d pixels", step,
                         from->width);
    PTQ_TRY(image_create(from->width, from->height, out, err));
    for (int y = 0; y < from->height; y++)
        memcpy(out->pixels + (size_t)y * row, from->pixels + (size_t)y * step, row);
    return PTQ_OK;
}

ptq_status memory_image_get(const ptq_image_source *source, int index, image *out, ptq_error *err)
{
    ptq_image from = {0};
    ptq_error failure = {.message = "the image source gives no reason"};
    ptq_status status = source->get(source->user, index, &from, &failure);
    if (status == PTQ_OK)
        status = memory_image_copy(&from, out, &failure);
    if (status != PTQ_OK) {
        if (err)
            *err = failure;
        error_context(err, "image %d from memory", index);
    }
    return status;
}
