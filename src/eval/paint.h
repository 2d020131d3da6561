/* SPDX-License-Identifier: Apache-2.0 */
/* eval/paint.h — detections painted on their picture, for people. */
#ifndef EVAL_PAINT_H
#define EVAL_PAINT_H

#include "eval/detect.h"
#include "formats/image.h"

typedef struct class_names {
    const char *const *names; /* NULL: not known */
    int n;
} class_names;

/* The class's name, else "class 7" in `buffer`. */
const char *class_label(const class_names *names, int cls, char buffer[32]);

/* A frame per detection, the best on top, in its class's colour between two thin lines (one dark,
 * one light), so that it is seen on any picture; name and score on a plate of that colour, black or
 * white, whichever is easier to read. Boxes are in the picture's pixels. Names that are not ASCII
 * show as "class 7". */
void paint_detections(image *picture, const detection *dets, int n, const class_names *names);

#endif
