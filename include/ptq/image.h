/* SPDX-License-Identifier: Apache-2.0 */
/* ptq/image.h — pictures in the caller's memory: of a camera, a video, an own decoder.
 *
 *     static ptq_status get_frame(void *user, int index, ptq_image *out, ptq_error *err)
 *     {
 *         const struct movie *m = user;
 *         *out = (ptq_image){m->frames[index], m->width, m->height, 0};
 *         return PTQ_OK;
 *     }
 *
 *     ptq_image_source source = {.count = 300, .get = get_frame, .user = movie};
 *     options.quant.images = &source; // instead of the yaml's train list
 */
#ifndef PTQ_IMAGE_H
#define PTQ_IMAGE_H

#include <stddef.h>

#include "ptq/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Borrowed. Letterboxing is the library's work: any size is welcome. */
typedef struct ptq_image {
    const unsigned char *pixels; /* R, G, B bytes, rows from the top */
    int width, height;
    size_t row_bytes; /* from one row to the next; 0: 3 * width */
} ptq_image;

/* A list of pictures, given one by one. `get` fills *image for 0 <= index < count, in any order and
 * as often as it is asked, and always the same for an index. It is called from threads of the
 * library, one call at a time; the pixels are read before the next one. What it returns besides
 * PTQ_OK ends the command, with its error. */
typedef struct ptq_image_source {
    int count;
    ptq_status (*get)(void *user, int index, ptq_image *image, ptq_error *err);
    void *user;
} ptq_image_source;

#ifdef __cplusplus
}
#endif
#endif
