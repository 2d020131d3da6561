/* SPDX-License-Identifier: Apache-2.0 */
#define NAME(name) name##_avx2
#include "kernels/simd/quantize_body.h"
