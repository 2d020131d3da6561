/* SPDX-License-Identifier: Apache-2.0 */
/* api/compare_images.h — what two models see in the same pictures, painted side by side. */
#ifndef API_COMPARE_IMAGES_H
#define API_COMPARE_IMAGES_H

#include <jansson.h>

#include "api/model_handle.h"

typedef struct compared_pictures {
    char *const *paths; /* borrowed */
    int n;              /* at most the first COMPARE_PICTURES are painted */
} compared_pictures;

enum { COMPARE_PICTURES = 16 };

/* Paints every picture twice, A's boxes on the left and B's on the right, into the folder
 * o->images. PTQ_IO when a picture exists there and o->force is off. *out: what was written. */
PTQ_CHECKED ptq_status compare_images(ptq_model *const models[2], const ptq_compare_options *o,
                                      const compared_pictures *pictures, const ptq_env *env,
                                      json_t **out, ptq_error *err);

#endif
