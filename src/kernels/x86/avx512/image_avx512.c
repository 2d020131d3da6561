/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/x86/sigmoid_avx512.h"

#define NAME(name) name##_avx512
#define IMAGE_SIGMOID_ROW sigmoid_row_avx512
#include "kernels/simd/image_body.h"
