/* SPDX-License-Identifier: Apache-2.0 */
/* data/resize_internal.h — the ways image_resize() chooses from. `dst` is allocated. */
#ifndef DATA_RESIZE_INTERNAL_H
#define DATA_RESIZE_INTERNAL_H

#include <stdbool.h>

#include "formats/image.h"

/* Two taps per axis. area_style: the coefficients cv2 uses when INTER_AREA enlarges. */
PTQ_CHECKED ptq_status resize_linear(const image *src, image *dst, bool area_style, ptq_error *err);
/* Means over blocks of exactly block_x x block_y source pixels. */
void resize_blocks(const image *src, image *dst, int block_x, int block_y);
/* Means over areas with fractional borders; dst is not larger than src in either direction. */
PTQ_CHECKED ptq_status resize_areas(const image *src, image *dst, ptq_error *err);

/* Source pixels per destination pixel, rounded as OpenCV rounds it. */
static inline double resize_scale(int from, int to)
{
    double inverse = (double)to / from;
    return 1 / inverse;
}

#endif
