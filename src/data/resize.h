/* SPDX-License-Identifier: Apache-2.0 */
/* data/resize.h — cv2.resize for 8-bit RGB, bit for bit (OpenCV 4, x86).
 *
 * Detectors are trained and measured on pictures resized by OpenCV, whose fixed-point and float
 * roundings are part of the protocol: one grey level more on some pixels moves an mAP in its fourth
 * decimal. Spec: data.md §4.
 */
#ifndef DATA_RESIZE_H
#define DATA_RESIZE_H

#include "formats/image.h"

typedef enum resize_mode {
    RESIZE_LINEAR, /* cv2.INTER_LINEAR: two taps in 11-bit fixed point, also when shrinking */
    RESIZE_AREA    /* cv2.INTER_AREA: mean over the covered area; enlarging it interpolates */
} resize_mode;

PTQ_CHECKED ptq_status image_resize(const image *src, int width, int height, resize_mode mode,
                                    image *out, ptq_error *err);

#endif
