/* SPDX-License-Identifier: Apache-2.0 */
/* data/picture.h — from a file to what a network is fed with: decoded, resized, letterboxed.
 *
 * YOLOv7's evaluation path, load_image() and then letterbox(auto=False, scaleup=False): the longer
 * side becomes `size` (small pictures are enlarged), then the rest of the canvas is filled.
 * Spec: data.md §3.
 */
#ifndef DATA_PICTURE_H
#define DATA_PICTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct image; /* of formats/ */

/* How one image was placed: what maps boxes back (eval.md §3). */
typedef struct placement {
    int item;                /* index in dataset->items; 0 for a single picture */
    int height0, width0;     /* decoded image */
    int height, width;       /* resized image, without the border */
    double ratio_h, ratio_w; /* resized / original: height / height0, width / width0 */
    double pad_x, pad_y;     /* unrounded halves of the border */
    bool at_corner;          /* no border before it, and ratios that are not rounded */
} placement;

/* How a network wants its pictures. Zero: RGB, 0 ... 1, in the middle of the canvas. */
typedef struct picture_form {
    bool is_bgr;
    bool is_bytes;  /* 0 ... 255 */
    bool at_corner; /* YOLOX: scaled at once, cut down to whole pixels, at the top left */
} picture_form;

typedef struct picture_target {
    int size;          /* of the longer side */
    int height, width; /* of the canvas */
    picture_form form;
} picture_target;

/* planes: [3][height][width] R, G, B bytes, or B, G, R. place->item stays untouched. PTQ_DATA
 * when the picture is broken or of an unknown kind. */
PTQ_CHECKED ptq_status picture_load(const char *path, const picture_target *target,
                                    unsigned char *planes, placement *place, ptq_error *err);

/* The same of a picture that is decoded already; it is used up, also on failure. */
PTQ_CHECKED ptq_status picture_fit(struct image *picture, const picture_target *target,
                                   unsigned char *planes, placement *place, ptq_error *err);

/* The picture, its longer side at most `size`: for people. image_clear(out); of *place only height0
 * and width0 are set. */
PTQ_CHECKED ptq_status picture_thumbnail(const char *path, int size, struct image *out,
                                         placement *place, ptq_error *err);

/* out[i] = bytes[i] / 255, rounded as a float division; or the byte itself. */
void picture_to_float(const unsigned char *bytes, size_t n, const picture_form *form, float *out);

/* One image letterboxed to size x size, as a square batch of one. *images is [1,3,size,size];
 * mem_free() it. */
PTQ_CHECKED ptq_status load_image_square(const char *path, int size, const picture_form *form,
                                         float **images, placement *place, ptq_error *err);
/* The same of a picture that is decoded already; it is used up, also on failure. */
PTQ_CHECKED ptq_status picture_square(struct image *picture, int size, const picture_form *form,
                                      float **images, placement *place, ptq_error *err);

#endif
