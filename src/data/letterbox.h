/* SPDX-License-Identifier: Apache-2.0 */
/* data/letterbox.h — a picture fitted into a canvas, its shape kept, the rest filled with grey.
 *
 * YOLOv7's letterbox() (utils/datasets.py; spec: data.md §3), with its roundings: half to even for
 * the size, the odd pixel of the border at the right and the bottom.
 */
#ifndef DATA_LETTERBOX_H
#define DATA_LETTERBOX_H

#include <stdbool.h>

#include "formats/image.h"

#define LETTERBOX_GREY 114

typedef struct letterbox_options {
    int width, height; /* of the canvas */
    bool scale_up;     /* enlarge pictures smaller than the canvas */
    int stride;        /* > 0 (auto=True): shrink the canvas to the least multiple that fits */
} letterbox_options;

typedef struct letterbox {
    int width, height;             /* of the canvas */
    int inner_width, inner_height; /* of the picture inside */
    int left, top;                 /* where it begins */
    double ratio;                  /* canvas pixels per picture pixel */
    double pad_x, pad_y;           /* half of the border, not rounded: 10.5 is 10 and 11 */
} letterbox;

letterbox letterbox_fit(int width, int height, const letterbox_options *options);

/* Writes the canvas as [3][height][width] R, G, B planes. The picture is resized first (linear,
 * also when shrinking) unless it has the inner size already. */
PTQ_CHECKED ptq_status letterbox_draw(const letterbox *box, const image *picture,
                                      unsigned char *planes, ptq_error *err);

#endif
