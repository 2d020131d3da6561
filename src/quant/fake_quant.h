/* SPDX-License-Identifier: Apache-2.0 */
/* quant/fake_quant.h — what a quantizer does to values, in pytorch-quantization's arithmetic.
 *
 * scale = bound / amax (the reciprocal of the ONNX scale), code = rint(x * scale) clamped, result
 * code / scale, all in float32 (algorithms.md §1). A file deploys rint(x / (amax / bound)), which
 * differs only where x lies within rounding of a tie.
 */
#ifndef QUANT_FAKE_QUANT_H
#define QUANT_FAKE_QUANT_H

#include "base/error.h"
#include "graph/qparams.h"
#include "graph/tensor.h"

/* Ranges up to here count as zero: every result is 0. */
#define FAKE_QUANT_TINY 0x1p-24f

/* Highest and lowest code: 127 and -128, or 255 and 0 when unsigned, or -127 when narrow. */
int fake_quant_highest(int num_bits, bool is_unsigned);
int fake_quant_lowest(int num_bits, bool is_unsigned, bool narrow_range);

/* Per tensor, or per slice along the axes of `s`. x == y is allowed. PTQ_USAGE for a negative
 * amax, a negative value under an unsigned quantizer, or channels that do not fit the shape. */
PTQ_CHECKED ptq_status fake_quant(const quantizer *q, const shape *s, const float *x, float *y,
                                  ptq_error *err);

#endif
