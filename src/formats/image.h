/* SPDX-License-Identifier: Apache-2.0 */
/* formats/image.h — a picture as 8-bit RGB, and reading one from a JPEG or PNG file.
 *
 * Pixels equal those of OpenCV's imread in its default mode (channels in the order R, G, B instead
 * of B, G, R): alpha dropped, grey replicated, palettes expanded, 16 bits cut to the high byte, the
 * EXIF orientation applied. The kind of a file is found from its first bytes, not from its name.
 */
#ifndef FORMATS_IMAGE_H
#define FORMATS_IMAGE_H

#include "base/error.h"

/* Larger pictures are refused (PTQ_LIMIT): 64 megapixels need 192 MiB decoded. */
#define IMAGE_MAX_PIXELS (64 << 20)
#define IMAGE_MAX_FILE_BYTES (256 << 20)

typedef struct image {
    int width, height;
    unsigned char *pixels; /* [height][width][3] RGB, rows without padding; owned */
} image;

/* What a file says before its pixels are decoded. */
typedef struct image_header {
    int width, height; /* as stored, not turned */
    int orientation;   /* EXIF, 1 (upright) ... 8 */
} image_header;

/* Uninitialised pixels. PTQ_LIMIT when larger than IMAGE_MAX_PIXELS. */
PTQ_CHECKED ptq_status image_create(int width, int height, image *out, ptq_error *err);
void image_clear(image *i);

/* Turns and mirrors a picture so that one stored with this EXIF orientation stands upright; values
 * outside 2...8 change nothing. */
PTQ_CHECKED ptq_status image_orient(image *i, int orientation, ptq_error *err);

/* Decodes and orients. Messages name the file. A file whose picture data is damaged or ends early
 * is refused (PTQ_FORMAT), never filled up with grey. */
PTQ_CHECKED ptq_status image_read(const char *path, image *out, ptq_error *err);
PTQ_CHECKED ptq_status image_probe(const char *path, image_header *out, ptq_error *err);

/* Writes a .png, or a JPEG of quality 95 for every other suffix. */
PTQ_CHECKED ptq_status image_write(const char *path, const image *i, ptq_error *err);

#endif
