/* SPDX-License-Identifier: Apache-2.0 */
#define NAME(name) name##_avx512
#include "kernels/simd/count_body.h"
