/* SPDX-License-Identifier: Apache-2.0 */
#include "data/resize.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "data/resize_internal.h"

/* The whole number that a scale is, or 0. */
static int whole_scale(double scale)
{
    double whole = rint(scale);
    return fabs(scale - whole) < DBL_EPSILON ? (int)whole : 0;
}

static ptq_status fill(const image *src, image *dst, resize_mode mode, ptq_error *err)
{
    if (src->width == dst->width && src->height == dst->height) {
        memcpy(dst->pixels, src->pixels, (size_t)src->width * (size_t)src->height * 3);
        return PTQ_OK;
    }
    double scale_x = resize_scale(src->width, dst->width);
    double scale_y = resize_scale(src->height, dst->height);
    int block_x = whole_scale(scale_x), block_y = whole_scale(scale_y);
    if (mode == RESIZE_LINEAR && !(block_x == 2 && block_y == 2))
        return resize_linear(src, dst, false, err);
    if (scale_x < 1 || scale_y < 1)
        return resize_linear(src, dst, true, err);
    if (!block_x || !block_y)
        return resize_areas(src, dst, err);
    resize_blocks(src, dst, block_x, block_y);
    return PTQ_OK;
}

ptq_status image_resize(const image *src, int width, int height, resize_mode mode, image *out,
                        ptq_error *err)
{
    image dst;
    PTQ_TRY(image_create(width, height, &dst, err));
    ptq_status status = fill(src, &dst, mode, err);
    if (status == PTQ_OK)
        *out = dst;
    else
        image_clear(&dst);
    return status;
}
