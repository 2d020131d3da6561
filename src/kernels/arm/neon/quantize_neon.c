/* SPDX-License-Identifier: Apache-2.0 */
#define NAME(name) name##_neon
#include "kernels/simd/quantize_body.h"
