/* SPDX-License-Identifier: Apache-2.0 */
/* data/memory_images.h — a data set of pictures that the caller has in memory: no files, no labels.
 */
#ifndef DATA_MEMORY_IMAGES_H
#define DATA_MEMORY_IMAGES_H

#include "data/dataset.h"
#include "formats/image.h"
#include "ptq/image.h"

/* The first `limit` pictures (0: all) of a source, which is borrowed. Their sizes are not known:
 * for square batches only. PTQ_DATA: there are none. */
PTQ_CHECKED ptq_status memory_images_open(const ptq_image_source *source, int limit, dataset **out,
                                          ptq_error *err);

/* A copy of the caller's pixels. PTQ_USAGE when they cannot be a picture. */
PTQ_CHECKED ptq_status memory_image_copy(const ptq_image *from, image *out, ptq_error *err);
/* Asks the source for picture `index` and copies it. */
PTQ_CHECKED ptq_status memory_image_get(const ptq_image_source *source, int index, image *out,
                                        ptq_error *err);

#endif
