/* SPDX-License-Identifier: Apache-2.0 */
#include "data/picture.h"

#include <stdbool.h>

#include "base/mem.h"
#include "data/data_problem.h"
#include "data/letterbox.h"
#include "data/resize.h"

/* Brings the longer side to `size`. The product is cut, not rounded, and its own rounding matters:
 * 616 * (640 / 616.0) is just below 640. */
static ptq_status scale_to(image *picture, int size, ptq_error *err)
{
    int longer = picture->width > picture->height ? picture->width : picture->height;
    if (longer == size)
        return PTQ_OK;
    double ratio = (double)size / longer;
    int width = (int)(picture->width * ratio), height = (int)(picture->height * ratio);
    image scaled;
    PTQ_TRY(image_resize(picture, width > 1 ? width : 1, height > 1 ? height : 1,
                         ratio < 1 ? RESIZE_AREA : RESIZE_LINEAR, &scaled, err));
    image_clear(picture);
    *picture = scaled;
    return PTQ_OK;
}

/* Longer side first, then the border. */
static ptq_status draw_centred(image *picture, const picture_target *target, unsigned char *planes,
                               placement *place, ptq_error *err)
{
    PTQ_TRY(scale_to(picture, target->size, err));
    letterbox_options options = {.width = target->width, .height = target->height};
    letterbox box = letterbox_fit(picture->width, picture->height, &options);
    PTQ_TRY(letterbox_draw(&box, picture, planes, err));
    place->height = box.inner_height;
    place->width = box.inner_width;
    place->ratio_h = (double)box.inner_height / place->height0;
    place->ratio_w = (double)box.inner_width / place->width0;
    place->pad_x = box.pad_x;
    place->pad_y = box.pad_y;
    return PTQ_OK;
}

/* YOLOX's preproc(): one linear resize, sizes cut down, at the top left. */
static ptq_status draw_at_corner(const image *picture, const picture_target *target,
                                 unsigned char *planes, placement *place, ptq_error *err)
{
    double by_height = (double)target->height / picture->height;
    double by_width = (double)target->width / picture->width;
    double ratio = by_height < by_width ? by_height : by_width;
    int width = (int)(picture->width * ratio), height = (int)(picture->height * ratio);
    letterbox box = {.width = target->width,
                     .height = target->height,
                     .inner_width = width > 1 ? width : 1,
                     .inner_height = height > 1 ? height : 1,
                     .ratio = ratio};
    PTQ_TRY(letterbox_draw(&box, picture, planes, err));
    place->height = box.inner_height;
    place->width = box.inner_width;
    place->ratio_h = place->ratio_w = ratio;
    place->pad_x = place->pad_y = 0;
    return PTQ_OK;
}

static void swap_red_and_blue(unsigned char *planes, size_t plane)
{
    for (size_t i = 0; i < plane; i++) {
        unsigned char red = planes[i];
        planes[i] = planes[2 * plane + i];
        planes[2 * plane + i] = red;
    }
}

ptq_status picture_fit(image *picture, const picture_target *target, unsigned char *planes,
                       placement *place, ptq_error *err)
{
    placement placed = {.item = place->item,
                        .height0 = picture->height,
                        .width0 = picture->width,
                        .at_corner = target->form.at_corner};
    ptq_status status = placed.at_corner ? draw_at_corner(picture, target, planes, &placed, err)
                                         : draw_centred(picture, target, planes, &placed, err);
    image_clear(picture);
    PTQ_TRY(status);
    if (target->form.is_bgr)
        swap_red_and_blue(planes, (size_t)target->width * (size_t)target->height);
    *place = placed;
    return PTQ_OK;
}

ptq_status picture_load(const char *path, const picture_target *target, unsigned char *planes,
                        placement *place, ptq_error *err)
{
    image picture;
    ptq_status status = data_problem(image_read(path, &picture, err), err);
    if (status != PTQ_OK)
        return status;
    status = picture_fit(&picture, target, planes, place, err);
    if (status != PTQ_OK)
        error_context(err, "cannot resize '%s'", path);
    return status;
}

ptq_status picture_thumbnail(const char *path, int size, image *out, placement *place,
                             ptq_error *err)
{
    image picture;
    PTQ_TRY(data_problem(image_read(path, &picture, err), err));
    int height0 = picture.height, width0 = picture.width;
    bool is_large = height0 > size || width0 > size;
    ptq_status status = is_large ? scale_to(&picture, size, err) : PTQ_OK;
    if (status != PTQ_OK) {
        image_clear(&picture);
        return status;
    }
    place->height0 = height0;
    place->width0 = width0;
    *out = picture;
    return PTQ_OK;
}

void picture_to_float(const unsigned char *bytes, size_t n, const picture_form *form, float *out)
{
    const float whole = form->is_bytes ? 1.f : 255.f;
    for (size_t i = 0; i < n; i++)
        out[i] = (float)bytes[i] / whole;
}

ptq_status picture_square(image *picture, int size, const picture_form *form, float **images,
                          placement *place, ptq_error *err)
{
    if (size <= 0 || size > 1 << 14) {
        image_clear(picture);
        return error_set(err, PTQ_USAGE, "an image size of %d is not possible", size);
    }
    size_t n = (size_t)size * (size_t)size * 3;
    unsigned char *planes = mem_alloc(n);
    float *values = mem_alloc_aligned(n * sizeof *values);
    placement placed = {0};
    ptq_status status = PTQ_OK;
    if (!planes || !values) {
        image_clear(picture);
        status = error_no_memory(err, n * 5, "a picture");
    }
    if (status == PTQ_OK)
        status =
            picture_fit(picture, &(picture_target){size, size, size, *form}, planes, &placed, err);
    if (status == PTQ_OK) {
        picture_to_float(planes, n, form, values);
        *images = values;
        *place = placed;
    } else {
        mem_free(values);
    }
    mem_free(planes);
    return status;
}

ptq_status load_image_square(const char *path, int size, const picture_form *form, float **images,
                             placement *place, ptq_error *err)
{
    image picture;
    PTQ_TRY(data_problem(image_read(path, &picture, err), err));
    ptq_status status = picture_square(&picture, size, form, images, place, err);
    if (status != PTQ_OK)
        error_context(err, "cannot resize '%s'", path);
    return status;
}
