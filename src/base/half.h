/* SPDX-License-Identifier: Apache-2.0 */
/* base/half.h — exact conversions of float16 and bfloat16; rounding is to nearest even. */
#ifndef BASE_HALF_H
#define BASE_HALF_H

#include <stdint.h>

float half_to_float(uint16_t h);
uint16_t half_from_float(float f); /* overflow gives infinity, NaN stays NaN */
float bfloat_to_float(uint16_t h);
uint16_t bfloat_from_float(float f);

#endif
