/* SPDX-License-Identifier: Apache-2.0 */
/* quant/trt_cache.h — a calibration cache for TensorRT's implicit INT8 (up to version 10): text, a
 * line "TRT-100300-EntropyCalibration2", then "<tensor>: <scale>" with the float32 scale, which is
 * amax / 127, as eight hexadecimal digits, the most significant first.
 *
 * Tensors are named as in the float ONNX file that `ptq export` writes. TensorRT runs a layer in
 * int8 only when all its tensors are listed, so that those between a convolution and its activation
 * are, too.
 */
#ifndef QUANT_TRT_CACHE_H
#define QUANT_TRT_CACHE_H

#include "quant/code_tensors.h"
#include "quant/ranges.h"

typedef struct trt_cache {
    const graph *g;
    const code_tensors *codes;
    const ranges *ranges;
    amax_method method;
    int version; /* as TensorRT writes it: 8601 is 8.6.1, 100300 is 10.3.0 */
} trt_cache;

/* "8.6.1" -> 8601, "10.3.0" -> 100300. PTQ_USAGE for what is no such version, and from 11 on, where
 * TensorRT has no implicit INT8. */
PTQ_CHECKED ptq_status trt_cache_version(const char *text, int *version, ptq_error *err);
/* *n_tensors: lines written. PTQ_DATA when a tensor has no range. */
PTQ_CHECKED ptq_status trt_cache_write(const trt_cache *c, const char *path, int *n_tensors,
                                       ptq_error *err);

#endif
