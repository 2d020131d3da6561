/* SPDX-License-Identifier: Apache-2.0 */
/* formats/jpeg.h — JPEG streams through libjpeg-turbo, decoded with its defaults (accurate integer
 * DCT, smooth upsampling), so that pixels equal those of every program that uses it the same way.
 * image_read() is the usual door.
 */
#ifndef FORMATS_JPEG_H
#define FORMATS_JPEG_H

#include <stdio.h>

#include "formats/image.h"

/* Pixels as stored; *orientation says how to turn them: Exif data in front of the picture's. CMYK
 * becomes RGB by OpenCV's rule. Stray bytes between markers and a missing end marker are forgiven,
 * missing or damaged picture data is not. */
PTQ_CHECKED ptq_status jpeg_file_decode(FILE *f, image *out, int *orientation, ptq_error *err);
PTQ_CHECKED ptq_status jpeg_file_probe(FILE *f, image_header *out, ptq_error *err);
PTQ_CHECKED ptq_status jpeg_file_encode(FILE *f, const image *i, int quality, ptq_error *err);

#endif
