/* SPDX-License-Identifier: Apache-2.0 */
/* formats/png.h — PNG streams through libpng, brought to 8-bit RGB as OpenCV does. image_read() is
 * the usual door.
 */
#ifndef FORMATS_PNG_H
#define FORMATS_PNG_H

#include <stdio.h>

#include "formats/image.h"

/* Pixels as stored; *orientation says how to turn them. */
PTQ_CHECKED ptq_status png_file_decode(FILE *f, image *out, int *orientation, ptq_error *err);
/* A file whose eXIf chunk comes behind the pixels is decoded for it. */
PTQ_CHECKED ptq_status png_file_probe(FILE *f, image_header *out, ptq_error *err);
PTQ_CHECKED ptq_status png_file_encode(FILE *f, const image *i, ptq_error *err);

#endif
