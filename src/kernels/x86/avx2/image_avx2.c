/* SPDX-License-Identifier: Apache-2.0 */
#define NAME(name) name##_avx2
#define IMAGE_SIGMOID_ROW(to, from, n)                                                             \
    for (int64_t k = 0; k < (n); k++)                                                              \
    (to)[k] = row_sigmoid((from)[k])
#include "kernels/simd/image_body.h"
