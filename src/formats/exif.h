/* SPDX-License-Identifier: Apache-2.0 */
/* formats/exif.h — the one EXIF fact that matters for pixels: how the camera was held.
 *
 * EXIF is a TIFF directory (Exif 2.3, section 4.6.2) carried in a JPEG's APP1 segment or a PNG's
 * eXIf chunk. Anything malformed counts as upright.
 */
#ifndef FORMATS_EXIF_H
#define FORMATS_EXIF_H

#include <stddef.h>

/* Orientation 1...8 from a TIFF header and what follows it; 1 when there is none. */
int exif_orientation(const unsigned char *tiff, size_t size);

#endif
