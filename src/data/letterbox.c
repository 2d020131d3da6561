/* SPDX-License-Identifier: Apache-2.0 */
#include "data/letterbox.h"

#include <math.h>
#include <string.h>

#include "data/resize.h"

/* One direction of the border: `total` pixels, of which the first part gets round(half - 0.1). */
static void split_border(int total, double *half, int *before, int *both)
{
    *half = total / 2.0;
    *before = (int)rint(*half - 0.1);
    *both = *before + (int)rint(*half + 0.1);
}

letterbox letterbox_fit(int width, int height, const letterbox_options *options)
{
    double ratio = fmin((double)options->height / height, (double)options->width / width);
    if (!options->scale_up)
        ratio = fmin(ratio, 1);
    letterbox box = {.ratio = ratio,
                     .inner_width = (int)fmax(rint(width * ratio), 1),
                     .inner_height = (int)fmax(rint(height * ratio), 1)};
    int border_x = options->width - box.inner_width, border_y = options->height - box.inner_height;
    if (options->stride > 0) {
        border_x %= options->stride;
        border_y %= options->stride;
    }
    int both;
    split_border(border_x, &box.pad_x, &box.left, &both);
    box.width = box.inner_width + both;
    split_border(border_y, &box.pad_y, &box.top, &both);
    box.height = box.inner_height + both;
    return box;
}

static void draw_planes(const letterbox *box, const image *inner, unsigned char *planes)
{
    size_t width = (size_t)box->width, plane = width * (size_t)box->height;
    memset(planes, LETTERBOX_GREY, plane * 3);
    const unsigned char *rgb = inner->pixels;
    for (int y = 0; y < inner->height; y++) {
        unsigned char *restrict red = planes + (size_t)(box->top + y) * width + (size_t)box->left;
        unsigned char *restrict green = red + plane;
        unsigned char *restrict blue = green + plane;
        for (int x = 0; x < inner->width; x++, rgb += 3) {
            red[x] = rgb[0];
            green[x] = rgb[1];
            blue[x] = rgb[2];
        }
    }
}

ptq_status letterbox_draw(const letterbox *box, const image *picture, unsigned char *planes,
                          ptq_error *err)
{
    if (picture->width == box->inner_width && picture->height == box->inner_height) {
        draw_planes(box, picture, planes);
        return PTQ_OK;
    }
    image inner;
    PTQ_TRY(image_resize(picture, box->inner_width, box->inner_height, RESIZE_LINEAR, &inner, err));
    draw_planes(box, &inner, planes);
    image_clear(&inner);
    return PTQ_OK;
}
